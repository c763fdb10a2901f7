/* SPDX-License-Identifier: ISC */
#include "control/control_events.h"

#include <event2/event.h>
#include <stdlib.h>

#include "api/api_writer.h"
#include "api/jsonrpc.h"
#include "base/err.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "control/control_state.h"
#include "log/log.h"
#include "swarm/swarm.h"

/* ---- events of the node ---- */

/* Returns API_EVENTS for what is not reported to clients that watch. */
static enum api_event
event_of(enum node_event_kind kind)
{
	switch (kind) {
	case NODE_EV_BOOTSTRAPPED:
		return API_EV_BOOTSTRAPPED;
	case NODE_EV_PERSISTENT:
		return API_EV_PERSISTENT;
	case NODE_EV_EPHEMERAL:
		return API_EV_EPHEMERAL;
	case NODE_EV_ADDRESS:
		return API_EV_ADDRESS;
	case NODE_EV_HEALTH:
		return API_EV_HEALTH;
	case NODE_EV_WAKEUP:
		return API_EV_WAKEUP;
	case NODE_EV_ANNOUNCED:
		return API_EV_ANNOUNCED;
	case NODE_EV_LISTENING:
		return API_EV_LISTENING;
	case NODE_EV_SWARM_PEER:
		return API_EV_PEER;
	default:
		return API_EVENTS;
	}
}

static void
write_health(struct api_writer *w, const struct control *c)
{
	const struct dht *d = node_dht(c->setup.node);
	char reason[CONTROL_REASON_MAX];
	struct dht_status st;

	dht_status(d, &st);
	api_write_text(w, "state", control_state_name(st.state));
	api_write_text(w, "reason", control_state_reason(d, &st, reason));
	api_write_bool(
	    w, "online", st.state == DHT_ONLINE || st.state == DHT_DEGRADED);
	api_write_bool(w, "degraded", st.state == DHT_DEGRADED);
}

/* Writes a number, or null if it is 0. */
static void
write_number(struct api_writer *w, const char *name, uint32_t number)
{
	if (number != 0)
		api_write_uint(w, name, number);
	else
		api_write_null(w, name);
}

static void
write_swarm_peer(struct api_writer *w, const struct node_event *n)
{
	static const char *const changes[] = {
	    [SWARM_PEER_FOUND] = "found",
	    [SWARM_PEER_CONNECTED] = "connected",
	    [SWARM_PEER_LOST] = "lost",
	    [SWARM_PEER_REFUSED] = "refused",
	};

	api_write_bytes32(w, "public_key", n->key);
	api_write_text(w, "change", changes[n->change]);
	api_write_text(w, "err_name", err_name(n->err));
	write_number(w, "conn", n->conn);
	write_number(w, "listener", n->op);
}

/* Writes the fields that the event has beside its name. */
static void
write_details(
    struct api_writer *w, const struct control *c, const struct node_event *n)
{
	const struct control_listener *l;

	switch (n->kind) {
	case NODE_EV_ADDRESS:
		api_write_addr(w, "address", &n->node);
		break;
	case NODE_EV_HEALTH:
		write_health(w, c);
		break;
	case NODE_EV_ANNOUNCED:
		api_write_bytes32(w, "topic", n->key);
		api_write_text(w, "err_name", err_name(n->err));
		api_write_uint(w, "stored", n->stored);
		break;
	case NODE_EV_LISTENING:
		l = control_listener_find(c, n->op);
		api_write_bytes32(w, "public_key",
		    l != NULL ? control_listener_key(l) : NULL);
		api_write_text(w, "err_name", err_name(n->err));
		api_write_uint(w, "stored", n->stored);
		break;
	case NODE_EV_SWARM_PEER:
		write_swarm_peer(w, n);
		break;
	default:
		break;
	}
}

/* An event, as it is written once for each client that watches it. */
struct watched {
	enum api_event event;
	const struct node_event *node;         /* or NULL */
	const struct control_conn_event *conn; /* or NULL */
};

/* ---- events of connections ---- */

const char *
control_path_name(enum conn_path_kind path)
{
	static const char *const names[] = {
	    [CONN_PATH_NONE] = NULL,
	    [CONN_PATH_DIRECT] = "direct",
	    [CONN_PATH_LAN] = "lan",
	    [CONN_PATH_PUNCHED] = "punched",
	    [CONN_PATH_RELAYED] = "relayed",
	};

	return names[path];
}

static void
write_conn(struct api_writer *w, const struct watched *e)
{
	static const char *const changes[] = {
	    [CONTROL_OPENED] = "open",
	    [CONTROL_MOVED] = "moved",
	    [CONTROL_CLOSED] = "closed",
	    [CONTROL_REFUSED] = "refused",
	};
	const struct control_conn_event *c = e->conn;

	write_number(w, "conn", c->conn);
	write_number(w, "listener", c->listener);
	api_write_bytes32(w, "public_key", c->key);
	api_write_addr(w, "address", &c->addr);
	if (e->event != API_EV_CONNECTION)
		return;
	api_write_text(w, "change", changes[c->change]);
	api_write_text(w, "path", control_path_name(c->path));
	api_write_text(w, "err_name", err_name(c->err));
}

/* ---- sending ---- */

/* What a user does with topics is for this user and admins to see. */
static bool
may_see(const struct control_client *cl, const struct watched *e)
{
	const struct control_listener *l;

	if (e->event != API_EV_PEER)
		return true;
	l = control_listener_find(cl->control, e->node->op);
	return l != NULL && control_may_use(cl, &l->owner);
}

static void
send_event(struct control *c, const struct watched *e)
{
	const struct api_method *m = &api_methods[API_METHOD_watch];
	struct control_client *cl;
	struct api_writer w;

	TAILQ_FOREACH (cl, &c->clients.all, link) {
		if ((cl->watched & 1u << e->event) == 0 || !may_see(cl, e))
			continue;
		api_writer_init(&w, m->note_fields);
		api_write_id(&w, "request", cl->watch_id);
		api_write_text(&w, "event", api_events[e->event].name);
		if (e->node != NULL)
			write_details(&w, c, e->node);
		if (e->conn != NULL)
			write_conn(&w, e);
		control_client_send(
		    cl, jsonrpc_notification(m->note, api_writer_take(&w)));
	}
}

void
control_events_node(struct control *c, const struct node_event *n)
{
	struct watched e = {.event = event_of(n->kind), .node = n};

	if (e.event != API_EVENTS)
		send_event(c, &e);
}

void
control_events_stopping(struct control *c)
{
	send_event(c, &(struct watched){.event = API_EV_STOPPING});
}

/* ---- the queue ---- */

struct queued_event {
	STAILQ_ENTRY(queued_event) link;
	enum api_event event;
	struct control_conn_event conn;
};

static void
on_send(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct control_events *q = &c->events;
	struct queued_event *e;

	(void)fd;
	(void)what;
	control_wake(c);
	/* Sending may queue the end of further connections. */
	while ((e = STAILQ_FIRST(&q->queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->queue, link);
		q->len--;
		send_event(
		    c, &(struct watched){.event = e->event, .conn = &e->conn});
		free(e);
	}
	if (q->lost > 1)
		log_warning("control: %u events were lost", q->lost);
	q->lost = 0;
	control_settle(c);
}

int
control_events_init(struct control *c)
{
	STAILQ_INIT(&c->events.queue);
	c->events.send = evtimer_new(c->setup.base, on_send, c);
	return c->events.send != NULL ? 0 : ERR_MEMORY;
}

void
control_events_fini(struct control *c)
{
	struct queued_event *e;

	while ((e = STAILQ_FIRST(&c->events.queue)) != NULL) {
		STAILQ_REMOVE_HEAD(&c->events.queue, link);
		free(e);
	}
	if (c->events.send != NULL)
		event_free(c->events.send);
}

static bool
is_watched(const struct control *c, enum api_event event)
{
	const struct control_client *cl;

	TAILQ_FOREACH (cl, &c->clients.all, link) {
		if ((cl->watched & 1u << event) != 0)
			return true;
	}
	return false;
}

static void
queue_event(struct control *c, enum api_event event,
    const struct control_conn_event *conn)
{
	struct control_events *q = &c->events;
	struct queued_event *e = NULL;

	if (!is_watched(c, event))
		return;
	if (q->len < CONTROL_EVENTS_MAX)
		e = malloc(sizeof *e);
	if (e == NULL) {
		/* Logs the first one here, and their number in on_send(). */
		if (q->lost++ == 0)
			log_warning("control: an event \"%s\" is lost: too "
				    "many at once",
			    api_events[event].name);
		return;
	}
	e->event = event;
	e->conn = *conn;
	STAILQ_INSERT_TAIL(&q->queue, e, link);
	q->len++;
	event_active(q->send, EV_TIMEOUT, 0);
}

void
control_events_conn(struct control *c, const struct control_conn_event *e)
{
	queue_event(c, API_EV_CONNECTION, e);
}

void
control_events_offer(struct control *c, const struct control_conn_event *e)
{
	queue_event(c, API_EV_OFFER, e);
}
