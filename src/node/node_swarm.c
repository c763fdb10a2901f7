/* SPDX-License-Identifier: ISC */
#include "node/node_swarm.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/node_conn.h"
#include "node/node_struct.h"
#include "peer/conn.h"
#include "peer/dialer.h"

enum {
	/* Of one key: what two dials at once, and a redial after a crash, may
	 * have for a moment. */
	PER_PEER_MAX = 4,
};

/* A lookup of one topic. */
struct swarm_lookup {
	TAILQ_ENTRY(swarm_lookup) link;
	struct node_swarm *swarm;
	struct timer timer; /* reports that it could not start */
	struct records_op *op;
	uint8_t topic[KEY_LEN];
	int err;
	bool cancelled;
};

struct node_swarm {
	TAILQ_ENTRY(node_swarm) link;
	struct node *node;
	uint32_t number;
	const struct key_pair *keys; /* borrowed */
	uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	struct swarm *swarm;
	TAILQ_HEAD(, swarm_lookup) lookups;
	int listen_err; /* why the listener could not start; 0 */
	/* Operations that withdraw records: they use the keys. */
	uint32_t withdrawing;
	bool listens; /* PEER_UNLISTENED is to come */
	bool ending;
};

/* ---- lookups ---- */

static void
free_lookup(struct swarm_lookup *l)
{
	timer_disarm(&l->swarm->node->timers, &l->timer);
	TAILQ_REMOVE(&l->swarm->lookups, l, link);
	free(l);
}

static void
add_found(
    struct node_swarm *s, const uint8_t *topic, const struct peer_record *p)
{
	struct addr relays[SWARM_RELAYS_MAX];
	size_t len = 0;

	while (len < SWARM_RELAYS_MAX && len < peer_relays_len(p)) {
		relays[len] = peer_relay(p, len);
		len++;
	}
	swarm_found(s->swarm, topic, p->key, relays, len);
}

/* Adds what this node itself stores, which its own query does not return. */
static void
add_held(struct node_swarm *s, const uint8_t *topic)
{
	struct topic_pick pick;

	records_held_topic(s->node->records, topic, &pick);
	for (size_t i = 0; i < pick.len; i++)
		add_found(s, topic, &pick.peers[i]);
}

static void
end_lookup(struct swarm_lookup *l, int err)
{
	struct node_swarm *s = l->swarm;
	uint8_t topic[KEY_LEN];

	memcpy(topic, l->topic, KEY_LEN);
	free_lookup(l);
	add_held(s, topic);
	swarm_looked_up(s->swarm, topic, err);
}

static void
on_lookup_event(void *owner, const struct records_event *e)
{
	struct swarm_lookup *l = owner;

	if (e->kind == RECORDS_EV_PEER && !l->cancelled)
		add_found(l->swarm, l->topic, &e->peer);
	if (e->kind != RECORDS_EV_DONE)
		return;
	if (l->cancelled || e->err == ERR_CLOSED)
		free_lookup(l);
	else
		end_lookup(l, e->err);
}

static void
on_lookup_failed(struct timer *t)
{
	struct swarm_lookup *l = container_of(t, struct swarm_lookup, timer);

	end_lookup(l, l->err);
}

/* Ends a lookup without a report. It is freed when its query has ended. */
static void
stop_lookup(struct swarm_lookup *l)
{
	l->cancelled = true;
	if (l->op != NULL)
		records_client_cancel(l->op);
	else
		free_lookup(l);
}

static void
cancel_lookup(void *owner, const uint8_t *topic)
{
	struct node_swarm *s = owner;
	struct swarm_lookup *l;

	TAILQ_FOREACH (l, &s->lookups, link)
		if (!l->cancelled && memcmp(l->topic, topic, KEY_LEN) == 0) {
			stop_lookup(l);
			return;
		}
}

static void
start_lookup(void *owner, const uint8_t *topic)
{
	struct node_swarm *s = owner;
	struct node *n = s->node;
	struct swarm_lookup *l = calloc(1, sizeof *l);
	struct records_sink sink = {on_lookup_event, l};

	/* Without memory the topic is looked up again when its roles or the
	 * network change. */
	if (l == NULL)
		return;
	l->swarm = s;
	l->timer.fire = on_lookup_failed;
	memcpy(l->topic, topic, KEY_LEN);
	TAILQ_INSERT_TAIL(&s->lookups, l, link);
	l->err = records_client_find(n->dht, CMD_LOOKUP, topic, sink, &l->op);
	if (l->err != 0)
		timer_arm(&n->timers, &l->timer, n->world->now_us);
}

/* ---- the other orders ---- */

static void
start_listener(void *owner)
{
	struct node_swarm *s = owner;
	struct peers_listen spec = {
	    .keys = s->keys,
	    .allow = (const uint8_t(*)[KEY_LEN])s->allow,
	    .allow_len = s->allow_len,
	    .limits.per_peer = PER_PEER_MAX,
	    .relay_through = node_relay(s->node, NULL),
	    .number = s->number,
	};

	s->listen_err = peers_listen(s->node->peers, &spec, &s->number);
	s->listens = s->listen_err == 0;
}

static void
start_announcement(void *owner, const uint8_t *topic)
{
	struct node_swarm *s = owner;

	announcements_round_internal(s->node, s->keys, topic);
}

static void
on_withdrawn(void *owner, const struct records_event *e)
{
	struct node_swarm *s = owner;

	if (e->kind == RECORDS_EV_DONE)
		s->withdrawing--;
}

static void
withdraw_announcement(void *owner, const uint8_t *topic)
{
	struct node_swarm *s = owner;
	struct records_sink sink = {on_withdrawn, s};

	s->withdrawing +=
	    announcements_withdraw_internal(s->node, s->keys, topic, sink);
}

static uint32_t
dial_peer(
    void *owner, const uint8_t *key, const struct addr *relays, size_t len)
{
	struct node_swarm *s = owner;
	struct dial_spec spec = {
	    .key = key,
	    .own = s->keys,
	    .relays = relays,
	    .relays_len = len,
	    .relay_through = node_relay(s->node, NULL),
	};
	uint32_t conn;

	/* The other half of the dials is for those that users ask for. */
	if (s->node->leave.started ||
	    peers_dials(s->node->peers) >= s->node->core.limits->dials / 2 ||
	    dialer_connect(s->node->peers, &spec, &conn) != 0)
		return 0;
	return conn;
}

/* Has the application notified, if it has the connection. A node that leaves
 * ends its connections in order. */
static void
close_conn(void *owner, uint32_t conn)
{
	struct node_swarm *s = owner;
	struct conn *c = peers_conn(s->node->peers, conn);

	if (c != NULL && !s->node->leave.started)
		conn_fail(c, ERR_EXISTS);
}

static void
probe_conn(void *owner, uint32_t conn)
{
	struct node_swarm *s = owner;
	struct conn *c = peers_conn(s->node->peers, conn);

	if (c != NULL)
		conn_send_empty(c);
}

static bool
is_conn_used(void *owner, uint32_t conn)
{
	struct node_swarm *s = owner;
	struct conn *c = peers_conn(s->node->peers, conn);

	return c == NULL || conn_has_exchanged(c);
}

static void
report_change(void *owner, const struct swarm_event *e)
{
	struct node_swarm *s = owner;
	struct node_event ev = {
	    .kind = NODE_EV_SWARM_PEER,
	    .op = s->number,
	    .err = e->err,
	    .change = (uint8_t)e->change,
	    .conn = e->conn,
	};

	memcpy(ev.key, e->key, KEY_LEN);
	event_queue_push(&s->node->events, &ev);
}

static const struct swarm_ops swarm_orders = {
    .listen = start_listener,
    .lookup = start_lookup,
    .announce = start_announcement,
    .withdraw = withdraw_announcement,
    .cancel = cancel_lookup,
    .dial = dial_peer,
    .close = close_conn,
    .probe = probe_conn,
    .is_used = is_conn_used,
    .report = report_change,
};

/* ---- life ---- */

void
node_swarms_init(struct node *n)
{
	TAILQ_INIT(&n->swarms.all);
}

static struct node_swarm *
find_swarm(const struct node *n, uint32_t number)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (s->number == number)
			return s;
	return NULL;
}

static struct node_swarm *
find_by_key(const struct node *n, const uint8_t *key)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (!s->ending &&
		    memcmp(s->keys->public_key, key, KEY_LEN) == 0)
			return s;
	return NULL;
}

static struct node_swarm *
find_by_conn(const struct node *n, uint32_t conn)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (s->swarm != NULL && swarm_has_conn(s->swarm, conn))
			return s;
	return NULL;
}

static void
free_swarm(struct node_swarm *s)
{
	while (!TAILQ_EMPTY(&s->lookups))
		free_lookup(TAILQ_FIRST(&s->lookups));
	swarm_free(s->swarm);
	TAILQ_REMOVE(&s->node->swarms.all, s, link);
	s->node->swarms.len--;
	free(s->allow);
	free(s);
}

void
node_swarms_fini(struct node *n)
{
	while (!TAILQ_EMPTY(&n->swarms.all))
		free_swarm(TAILQ_FIRST(&n->swarms.all));
}

/* Creates the decisions of the swarm. Returns 0 or ERR_MEMORY. */
static int
make_swarm(struct node_swarm *s, const struct node_swarm_config *c)
{
	struct swarm_config config = {.ops = &swarm_orders,
	    .owner = s,
	    .allow_len = c->allow_len,
	    .early_lookups = true};
	size_t len = c->allow_len * KEY_LEN;

	if (len > 0) {
		s->allow = malloc(len);
		if (s->allow == NULL)
			return ERR_MEMORY;
		memcpy(s->allow, c->allow, len);
		s->allow_len = c->allow_len;
	}
	config.allow = (const uint8_t(*)[KEY_LEN])s->allow;
	memcpy(config.own_key, s->keys->public_key, KEY_LEN);
	s->swarm = swarm_new(&s->node->core, &config);
	return s->swarm != NULL ? 0 : ERR_MEMORY;
}

int
node_swarm_new(
    struct node *n, const struct node_swarm_config *c, uint32_t *number)
{
	const struct key_pair *keys =
	    c->keys != NULL ? c->keys : n->config.identity;
	struct node_swarm *s;
	int err;

	if (n->leave.started)
		return ERR_CLOSED;
	if (find_by_key(n, keys->public_key) != NULL)
		return ERR_EXISTS;
	if (n->swarms.len >= n->core.limits->swarms)
		return ERR_LIMIT;
	s = calloc(1, sizeof *s);
	if (s == NULL)
		return ERR_MEMORY;
	s->node = n;
	s->keys = keys;
	s->number = peers_reserve_number(n->peers);
	TAILQ_INIT(&s->lookups);
	TAILQ_INSERT_TAIL(&n->swarms.all, s, link);
	n->swarms.len++;
	err = make_swarm(s, c);
	if (err != 0)
		free_swarm(s);
	else
		*number = s->number;
	return err;
}

/* Closes what is being dialed, and drops all decisions. Connections that are
 * open belong to the application. */
static void
drop_decisions(struct node_swarm *s)
{
	struct swarm_lookup *l, *next;

	for (l = TAILQ_FIRST(&s->lookups); l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		if (!l->cancelled)
			stop_lookup(l);
	}
	swarm_free(s->swarm);
	s->swarm = NULL;
}

void
node_swarm_end(struct node *n, uint32_t number)
{
	struct node_swarm *s = find_swarm(n, number);

	if (s == NULL || s->ending)
		return;
	s->ending = true;
	swarm_leave_all(s->swarm);
	drop_decisions(s);
	if (s->listens)
		peers_unlisten(n->peers, s->number);
}

/*
 * Returns whether nothing uses the keys any more. A lookup may end a moment
 * after it was cancelled. A node that leaves withdraws the announcements by
 * itself: its swarms keep their keys until the end.
 */
static bool
has_ended(const struct node_swarm *s)
{
	return s->ending && !s->listens && s->withdrawing == 0 &&
	       TAILQ_EMPTY(&s->lookups) && !s->node->leave.started;
}

bool
node_swarms_ended(struct node *n, struct peer_event *e)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (has_ended(s))
			break;
	if (s == NULL)
		return false;
	*e = (struct peer_event){.kind = PEER_UNLISTENED, .number = s->number};
	memcpy(e->key, s->keys->public_key, KEY_LEN);
	free_swarm(s);
	return true;
}

void
node_swarms_leave(struct node *n)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (!s->ending) {
			s->ending = true;
			drop_decisions(s);
		}
}

void
node_swarms_network_changed(struct node *n)
{
	struct node_swarm *s;

	TAILQ_FOREACH (s, &n->swarms.all, link)
		if (!s->ending)
			swarm_network_changed(s->swarm);
}

/* ---- topics ---- */

int
node_swarm_join(struct node *n, uint32_t number, const uint8_t *topic,
    unsigned roles, uint32_t limit, uint32_t *session)
{
	struct node_swarm *s = find_swarm(n, number);
	int err;

	if (n->leave.started)
		return ERR_CLOSED;
	if (s == NULL || s->ending)
		return ERR_UNKNOWN;
	err = swarm_join(s->swarm, topic, roles, limit, session);
	/* The listener is started by the first topic that is joined as a
	 * server. */
	if (err == 0 && s->listen_err != 0) {
		err = s->listen_err;
		s->listen_err = 0;
		swarm_leave(s->swarm, *session);
		swarm_not_listening(s->swarm);
	}
	return err;
}

void
node_swarm_leave(struct node *n, uint32_t number, uint32_t session)
{
	struct node_swarm *s = find_swarm(n, number);

	if (s != NULL && !s->ending)
		swarm_leave(s->swarm, session);
}

const struct swarm *
node_swarm(const struct node *n, uint32_t number)
{
	const struct node_swarm *s = find_swarm(n, number);

	return s != NULL ? s->swarm : NULL;
}

bool
node_swarm_shares(const struct node *n, uint32_t number, const uint8_t *key,
    const uint8_t *topic)
{
	const struct swarm *s = node_swarm(n, number);

	return s == NULL || swarm_peer_has_topic(s, key, topic) ||
	       !swarm_peer_has_topics(s, key);
}

void
node_swarms_announced(struct node *n, const struct announcement_id *id, int err)
{
	struct node_swarm *s = find_by_key(n, id->key);

	if (s != NULL)
		swarm_announced(s->swarm, id->topic, err);
}

/* ---- events ---- */

static bool
take_open(struct node *n, struct peer_event *e)
{
	struct node_swarm *s = find_by_conn(n, e->number);

	if (s != NULL) {
		swarm_opened(s->swarm, e->number);
		e->listener = s->number;
		return true;
	}
	if (e->listener == 0 || (s = find_swarm(n, e->listener)) == NULL)
		return true;
	if (!s->ending && swarm_incoming(s->swarm, e->number, e->key, &e->addr))
		return true;
	conn_close(peers_conn(n->peers, e->number));
	return false;
}

/* The application knows no dial that has not opened; it ignores its end. */
static void
take_close(struct node *n, const struct peer_event *e)
{
	struct node_swarm *s = find_by_conn(n, e->number);

	if (s != NULL)
		swarm_closed(
		    s->swarm, e->number, e->err, node_retry_ms(n, e->err));
}

static bool
take_unlistened(struct node *n, const struct peer_event *e)
{
	struct node_swarm *s = find_swarm(n, e->number);

	if (s == NULL)
		return true;
	s->listens = false;
	s->ending = true;
	if (s->swarm != NULL)
		drop_decisions(s);
	return false; /* node_swarms_ended() reports it */
}

bool
node_swarms_take(struct node *n, struct peer_event *e)
{
	struct node_swarm *s;

	switch (e->kind) {
	case PEER_LISTENING:
		s = find_swarm(n, e->number);
		if (s != NULL && !s->ending)
			swarm_listening(s->swarm);
		return true;
	case PEER_UNLISTENED:
		return take_unlistened(n, e);
	case PEER_OPEN:
		return take_open(n, e);
	case PEER_CLOSED:
		take_close(n, e);
		return true;
	default:
		return true;
	}
}

void
node_swarms_closed(struct node *n, uint32_t conn)
{
	struct node_swarm *s = find_by_conn(n, conn);

	if (s != NULL)
		swarm_closed(s->swarm, conn, 0, 0);
}
