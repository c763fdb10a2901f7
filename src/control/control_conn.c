/* SPDX-License-Identifier: ISC */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "control/control_client.h"
#include "control/pipe.h"

/*
 * A connection's way:
 *
 *	connect ---> dialing ---------------- NEWS_OPEN ---+
 *	NEWS_OFFER -> offered --- NEWS_OPEN --+            |
 *	NEWS_OPEN -----------------------> waiting --- accept --> a client's
 *
 * and once that client has read the answer, a pipe between its socket and the
 * connection. Wherever it is lost on that way, whoever waits for it is told.
 */

/* ---- life ---- */

static struct control_conns *
bucket(struct control *c, uint32_t number)
{
	return &c->conns[number & (CONNS_BUCKETS - 1)];
}

static struct control_conn *
find_conn(struct control *c, uint32_t number)
{
	struct control_conn *conn;

	TAILQ_FOREACH (conn, bucket(c, number), link) {
		if (conn->number == number)
			return conn;
	}
	return NULL;
}

static struct control_conn *
make_conn(struct control *c, uint32_t number, const struct keyring_owner *o)
{
	struct control_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->control = c;
	conn->number = number;
	conn->owner = *o;
	TAILQ_INSERT_TAIL(bucket(c, number), conn, link);
	c->conns_len++;
	return conn;
}

static void
stop_waiting(struct control_conn *conn)
{
	if (conn->listener == NULL)
		return;
	TAILQ_REMOVE(&conn->listener->waiting, conn, waiting);
	conn->listener->waiting_len--;
	conn->listener = NULL;
}

static void
claim(struct control_conn *conn)
{
	stop_waiting(conn);
	conn->control->unclaimed_len -= conn->unclaimed;
	conn->unclaimed = false;
}

static void
forget_conn(struct control_conn *conn)
{
	struct control *c = conn->control;

	claim(conn);
	TAILQ_REMOVE(bucket(c, conn->number), conn, link);
	c->conns_len--;
	control_return_keys(c, conn->keys);
	free(conn);
}

void
control_conn_drop(struct control_conn *conn)
{
	if (conn->pipe != NULL)
		pipe_free(conn->pipe);
	else if (!conn->closed)
		node_conn_close(conn->control->setup.node, conn->number);
	if (conn->client != NULL)
		conn->client->joins = NULL;
	forget_conn(conn);
}

void
control_conns_free(struct control *c)
{
	for (int i = 0; i < CONNS_BUCKETS; i++)
		while (!TAILQ_EMPTY(&c->conns[i]))
			control_conn_drop(TAILQ_FIRST(&c->conns[i]));
}

/* ---- the stream of a client ---- */

static void
remember(const struct control_conn *conn, int err)
{
	struct control *c = conn->control;

	c->outcomes[c->outcomes_len++ % OUTCOMES_MAX] =
	    (struct control_outcome){
		.conn = conn->number, .owner = conn->owner, .err = err};
}

static void
on_pipe_over(void *owner, int err)
{
	struct control_conn *conn = owner;

	remember(conn, err);
	control_conn_drop(conn);
}

/* The client's answer is on its way; the stream begins behind it. */
static void
hand_over(struct control_conn *conn, struct control_operation *o)
{
	struct control_client *cl = o->client;
	char key[TEXT_Z32_MAX], addr[ADDR_TEXT_MAX];

	claim(conn);
	conn->op = NULL;
	conn->client = cl;
	o->conn = NULL;
	control_operation_done(o,
	    json_pack("{s:I, s:s, s:s?}", "conn", (json_int_t)conn->number,
		"public_key", text_z32(key, conn->key), "address",
		conn->addr.family != ADDR_NONE ? addr_format(&conn->addr, addr)
					       : NULL));
	if (cl->closing)
		control_conn_drop(conn); /* it would not read */
	else
		control_client_join(cl, conn);
}

void
control_conn_pipe(struct control_client *cl)
{
	struct control_conn *conn = cl->joins;
	struct pipe_spec spec = {.control = cl->control,
	    .fd = bufferevent_getfd(cl->bev),
	    .conn = conn->number,
	    .early = bufferevent_get_input(cl->bev),
	    .heard_all = cl->heard_all,
	    .over = on_pipe_over,
	    .owner = conn};

	cl->joins = NULL;
	conn->client = NULL;
	if (conn->closed) {
		remember(conn, conn->err);
		forget_conn(conn);
		return;
	}
	bufferevent_disable(cl->bev, EV_READ | EV_WRITE);
	bufferevent_setfd(cl->bev, -1);
	conn->pipe = pipe_new(&spec);
	if (conn->pipe != NULL)
		pipe_ready(conn->pipe);
	else
		control_conn_drop(conn);
}

/* ---- connect ---- */

static int
node_dials(struct control_call *k, const struct key_pair *keys, uint32_t *conn)
{
	const struct api_value *relays = api_request_value(k->rq, "relays");
	struct addr addrs[API_ADDRS_MAX];
	struct node_connect spec = {
	    .key = api_request_value(k->rq, "public_key")->key,
	    .keys = keys,
	    .relays = addrs,
	    .timeout_ms =
		(uint32_t)api_request_value(k->rq, "timeout_ms")->uint,
	};

	while (
	    api_request_addr(relays, spec.relays_len, &addrs[spec.relays_len]))
		spec.relays_len++;
	return node_connect(k->client->control->setup.node, &spec, conn);
}

int
control_connect_start(struct control_call *k, struct control_operation *o)
{
	struct control *c = k->client->control;
	struct keyring_owner owner = control_owner(k->client);
	const struct key_pair *keys;
	struct control_conn *conn;
	uint32_t number;
	int err;

	if (c->conns_len >= CONNS_MAX)
		return ERR_LIMIT;
	if (control_borrow_keys(k, &keys) != 0)
		return -1;
	err = node_dials(k, keys, &number);
	if (err != 0) {
		control_return_keys(c, keys);
		return err;
	}
	conn = make_conn(c, number, &owner);
	if (conn == NULL) {
		node_conn_close(c->setup.node, number);
		control_return_keys(c, keys);
		return ERR_MEMORY;
	}
	conn->keys = keys;
	conn->op = o;
	o->conn = conn;
	return 0;
}

void
control_connect_cancel(struct control_operation *o)
{
	struct control_conn *conn = o->conn;

	o->conn = NULL;
	control_conn_drop(conn);
}

/* ---- accept ---- */

int
control_accept_start(struct control_call *k, struct control_operation *o)
{
	struct control_listener *l = control_listener_of(k);

	if (l == NULL)
		return -1;
	if (TAILQ_EMPTY(&l->waiting))
		o->listener = l;
	else
		hand_over(TAILQ_FIRST(&l->waiting), o);
	return 0;
}

/* The oldest accept of the listener, or NULL. */
static struct control_operation *
accepting(const struct control_listener *l)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &l->control->operations, link) {
		if (o->listener == l && o != l->op)
			return o;
	}
	return NULL;
}

int
control_answer(struct control_call *k)
{
	struct control *c = k->client->control;
	uint32_t number = (uint32_t)api_request_value(k->rq, "conn")->uint;
	struct control_conn *conn = find_conn(c, number);
	bool yes = api_request_value(k->rq, "accept")->yes;
	bool known = conn != NULL && conn->offered &&
		     control_may_use(k->client, &conn->owner);

	if (known) {
		node_answer(c->setup.node, number, yes);
		conn->offered = false;
		if (!yes)
			forget_conn(conn);
	}
	k->result = json_pack("{s:b}", "answered", known);
	return CALL_DONE;
}

/* ---- others ---- */

int
control_disconnect(struct control_call *k)
{
	struct control *c = k->client->control;
	uint32_t number = (uint32_t)api_request_value(k->rq, "conn")->uint;
	struct control_conn *conn = find_conn(c, number);

	if (conn == NULL || conn->op != NULL ||
	    !control_may_use(k->client, &conn->owner))
		return api_error_failed(&k->fault, ERR_UNKNOWN, "disconnect");
	remember(conn, ERR_CANCELLED);
	control_conn_drop(conn);
	k->result = json_object();
	return CALL_DONE;
}

int
control_outcome(struct control_call *k)
{
	struct control *c = k->client->control;
	uint32_t number = (uint32_t)api_request_value(k->rq, "conn")->uint;

	for (unsigned i = 0; i < OUTCOMES_MAX && i < c->outcomes_len; i++) {
		const struct control_outcome *o = &c->outcomes[i];

		if (o->conn != number || !control_may_use(k->client, &o->owner))
			continue;
		k->result = json_pack("{s:s, s:s}", "err_name",
		    err_name(o->err), "err_text", err_text(o->err));
		return CALL_DONE;
	}
	return api_error_failed(&k->fault, ERR_UNKNOWN, "outcome");
}

/* ---- news ---- */

static void
offer(struct control_listener *l, struct control_conn *conn)
{
	char key[TEXT_Z32_MAX], addr[ADDR_TEXT_MAX];
	json_t *params =
	    json_pack("{s:O, s:I, s:I, s:s, s:s?}", "request", l->id, "conn",
		(json_int_t)conn->number, "listener", (json_int_t)l->number,
		"public_key", text_z32(key, conn->key), "address",
		conn->addr.family != ADDR_NONE ? addr_format(&conn->addr, addr)
					       : NULL);

	control_client_send(l->client, jsonrpc_notification("offer", params));
}

/* Somebody waits for it already, or it may wait. */
static bool
may_come_in(const struct control_listener *l, const struct news *n)
{
	const struct control *c = l->control;

	if (l->ending || c->conns_len >= CONNS_MAX)
		return false;
	if (n->kind == NEWS_OPEN && accepting(l) != NULL)
		return true;
	return l->waiting_len < CONNS_WAITING_MAX &&
	       c->unclaimed_len < CONNS_UNCLAIMED_MAX;
}

/* One that comes in, or NULL: then the node has been told that it may not. */
static struct control_conn *
incoming(struct control *c, const struct news *n)
{
	struct control_listener *l = control_listener_find(c, n->listener);
	struct control_conn *conn = NULL;

	if (l != NULL && may_come_in(l, n))
		conn = make_conn(c, n->op, &l->owner);
	if (conn == NULL) {
		node_conn_close(c->setup.node, n->op);
		return NULL;
	}
	conn->unclaimed = true;
	c->unclaimed_len++;
	memcpy(conn->key, n->key, KEY_LEN);
	conn->addr = n->node;
	return conn;
}

static void
on_offer(struct control *c, const struct news *n)
{
	struct control_listener *l = control_listener_find(c, n->listener);
	struct control_conn *conn = incoming(c, n);

	if (conn == NULL)
		return;
	conn->offered = true;
	offer(l, conn);
}

static void
on_open(struct control *c, const struct news *n)
{
	struct control_listener *l = control_listener_find(c, n->listener);
	struct control_conn *conn = find_conn(c, n->op);
	struct control_operation *o;

	if (conn == NULL)
		conn = incoming(c, n);
	if (conn == NULL)
		return;
	memcpy(conn->key, n->key, KEY_LEN);
	conn->addr = n->node;
	if (conn->op != NULL) {
		hand_over(conn, conn->op);
		return;
	}
	if (l == NULL || l->ending) {
		control_conn_drop(conn);
		return;
	}
	conn->listener = l;
	TAILQ_INSERT_TAIL(&l->waiting, conn, waiting);
	l->waiting_len++;
	o = accepting(l);
	if (o != NULL) {
		o->listener = NULL;
		hand_over(conn, o);
	}
}

static void
on_closed(struct control_conn *conn, int err)
{
	struct control_operation *o = conn->op;

	conn->closed = true;
	conn->err = err;
	if (conn->pipe != NULL) {
		pipe_closed(conn->pipe, err); /* which frees it */
	} else if (conn->client == NULL) {
		forget_conn(conn);
		if (o != NULL) {
			o->conn = NULL;
			control_operation_fail(o, err, 0);
		}
	}
}

void
control_conn_news(struct control *c, const struct news *n)
{
	struct control_conn *conn = find_conn(c, n->op);

	if (n->kind == NEWS_OFFER)
		on_offer(c, n);
	else if (n->kind == NEWS_OPEN)
		on_open(c, n);
	else if (conn == NULL)
		return; /* dropped meanwhile */
	else if (n->kind == NEWS_CLOSED)
		on_closed(conn, n->err);
	else if (conn->pipe != NULL)
		pipe_ready(conn->pipe);
}
