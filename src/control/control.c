/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/text.h"
#include "control/control.h"
#include "control/control_client.h"
#include "log/log.h"

/* ---- who comes in ---- */

/* Says why and hangs up, without keeping anything. */
static void
turn_away(int fd, int code, const char *why)
{
	struct api_error f;
	json_t *message;
	char *text;

	api_error_set(&f, code, NULL, "%s", why);
	message = jsonrpc_error(NULL, &f);
	text = json_dumps(message, JSON_COMPACT);
	if (text != NULL) {
		struct iovec parts[] = {
		    {.iov_base = text, .iov_len = strlen(text)},
		    {.iov_base = (char[]){'\n'}, .iov_len = 1}};
		struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};

		/* A fresh socket has room for it; if not, so be it. */
		(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(text);
	json_decref(message);
	close(fd);
}

static uint32_t
max_clients(const struct control_peer *peer)
{
	return peer->access == API_ADMIN ? CLIENTS_MAX
					 : CLIENTS_MAX - CLIENTS_OF_OPERATORS;
}

static void
on_accept(struct evconnlistener *listener, evutil_socket_t fd,
    struct sockaddr *from, int from_len, void *arg)
{
	struct control *c = arg;
	struct control_peer peer;
	char missing[CONTROL_GROUPS_TEXT_MAX], why[ERR_REASON_MAX];

	(void)listener;
	(void)from;
	(void)from_len;
	if (control_peer_read(&c->groups, fd, &peer) != 0 ||
	    peer.access == API_NOBODY) {
		snprintf(why, sizeof why,
		    "you may not use this daemon: become root, its user, or a"
		    " member of hyperdhtd-read, hyperdhtd-user or"
		    " hyperdhtd-admin%s",
		    control_groups_missing(
			&c->groups, API_READ, API_ADMIN, missing));
		turn_away(fd, API_ERR_DENIED, why);
		return;
	}
	if (c->clients_len >= max_clients(&peer)) {
		turn_away(fd, API_ERR_LIMIT,
		    "too many clients are connected: try again later");
		return;
	}
	control_client_new(c, fd, &peer);
}

/* Mostly for want of descriptors: trying again at once would be a busy loop. */
static void
on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct control *c = arg;
	struct timeval pause = {.tv_sec = ACCEPT_PAUSE_SECONDS};

	log_warning("control: a client could not be accepted: %s",
	    evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(listener);
	event_add(c->resume, &pause);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(c->listener);
}

/* ---- what the node tells ---- */

static enum api_event
event_of(enum news_kind kind)
{
	switch (kind) {
	case NEWS_BOOTSTRAPPED:
		return API_EV_BOOTSTRAPPED;
	case NEWS_PERSISTENT:
		return API_EV_PERSISTENT;
	case NEWS_EPHEMERAL:
		return API_EV_EPHEMERAL;
	case NEWS_ADDRESS:
		return API_EV_ADDRESS;
	case NEWS_HEALTH:
		return API_EV_HEALTH;
	case NEWS_WAKEUP:
		return API_EV_WAKEUP;
	case NEWS_ANNOUNCED:
		return API_EV_ANNOUNCED;
	case NEWS_LISTENING:
		return API_EV_LISTENING;
	default:
		return API_EVENTS;
	}
}

static json_t *
event_details(struct control *c, const struct news *n)
{
	char addr[ADDR_TEXT_MAX], topic[TEXT_HEX_MAX], key[TEXT_Z32_MAX];
	const struct control_listener *l;
	struct dht_status st;

	switch (n->kind) {
	case NEWS_ADDRESS:
		return json_pack(
		    "{s:s}", "address", addr_format(&n->node, addr));
	case NEWS_HEALTH:
		dht_status(node_dht(c->setup.node), &st);
		return json_pack(
		    "{s:b, s:b}", "online", st.online, "degraded", st.degraded);
	case NEWS_ANNOUNCED:
		return json_pack("{s:s, s:s, s:I}", "topic",
		    text_hex(topic, n->key), "err_name", err_name(n->err),
		    "stored", (json_int_t)n->stored);
	case NEWS_LISTENING:
		l = control_listener_find(c, n->op);
		return json_pack("{s:s?, s:s, s:I}", "public_key",
		    l != NULL ? text_z32(key, control_listener_key(l)) : NULL,
		    "err_name", err_name(n->err), "stored",
		    (json_int_t)n->stored);
	default:
		return json_object();
	}
}

static void
tell_event(struct control *c, enum api_event ev, json_t *details)
{
	struct control_client *cl;

	TAILQ_FOREACH (cl, &c->clients, link) {
		json_t *params;

		if ((cl->watched & 1u << ev) == 0)
			continue;
		params = json_pack("{s:O, s:s}", "request", cl->watch_id,
		    "event", api_events[ev].name);
		json_object_update(params, details);
		control_client_send(cl, jsonrpc_notification("event", params));
	}
	json_decref(details);
}

void
control_news(struct control *c, const struct news *n)
{
	enum api_event ev = event_of(n->kind);

	switch (n->kind) {
	case NEWS_NODE:
	case NEWS_PEER:
	case NEWS_VALUE:
	case NEWS_SILENCE:
	case NEWS_DONE:
		control_operation_news(c, n);
		break;
	case NEWS_LISTENING:
	case NEWS_UNLISTENED:
		control_listener_news(c, n);
		break;
	case NEWS_OFFER:
	case NEWS_OPEN:
	case NEWS_READY:
	case NEWS_CLOSED:
		control_conn_news(c, n);
		break;
	default:
		break;
	}
	if (ev != API_EVENTS)
		tell_event(c, ev, event_details(c, n));
}

/* ---- life ---- */

/*
 * Returns the mode of the socket file. Members of the groups must reach it, and
 * the credentials of each client are checked; without any group the mode is one
 * barrier more.
 */
static mode_t
socket_mode(const struct control *c)
{
	return control_groups_any(&c->groups) ? 0666 : 0660;
}

struct control *
control_new(const struct control_setup *setup, char *err)
{
	struct control *c = calloc(1, sizeof *c);

	if (c == NULL) {
		snprintf(err, ERR_REASON_MAX, "out of memory");
		return NULL;
	}
	c->setup = *setup;
	TAILQ_INIT(&c->clients);
	TAILQ_INIT(&c->operations);
	TAILQ_INIT(&c->listeners);
	for (int i = 0; i < CONNS_BUCKETS; i++)
		TAILQ_INIT(&c->conns[i]);
	control_groups_init(&c->groups);
	if (control_socket_open(&c->socket, setup->path, socket_mode(c), err) !=
	    0) {
		free(c);
		return NULL;
	}
	c->resume = evtimer_new(setup->base, on_resume, c);
	c->listener = evconnlistener_new(
	    setup->base, on_accept, c, LEV_OPT_CLOSE_ON_EXEC, 0, c->socket.fd);
	if (c->listener == NULL || c->resume == NULL) {
		snprintf(err, ERR_REASON_MAX, "out of memory");
		control_free(c);
		return NULL;
	}
	evconnlistener_set_error_cb(c->listener, on_accept_error);
	return c;
}

void
control_reload(struct control *c)
{
	control_groups_init(&c->groups);
	if (control_socket_chmod(&c->socket, socket_mode(c)) != 0)
		log_warning("control socket %s: its mode cannot be changed: %m",
		    c->socket.at.sun_path);
}

void
control_free(struct control *c)
{
	struct control_client *cl;

	if (c == NULL)
		return;
	tell_event(c, API_EV_STOPPING, json_object());
	while ((cl = TAILQ_FIRST(&c->clients)) != NULL) {
		control_client_flush(cl);
		control_client_free(cl);
	}
	control_conns_free(c);
	control_listeners_free(c);
	if (c->listener != NULL)
		evconnlistener_free(c->listener);
	if (c->resume != NULL)
		event_free(c->resume);
	control_socket_close(&c->socket);
	free(c);
}
