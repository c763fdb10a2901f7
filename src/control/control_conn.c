/* SPDX-License-Identifier: ISC */
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "control/control_call.h"
#include "control/control_dial.h"
#include "control/control_events.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "log/log.h"
#include "node/node_conn.h"
#include "tunnel/peer_splice.h"

/* ---- state ---- */

static void
set_conn_state(struct control_conn *conn, enum control_conn_state state)
{
	static const char *const names[] = {
	    [CONTROL_CONN_DIALING] = "dialing",
	    [CONTROL_CONN_OFFERED] = "offered",
	    [CONTROL_CONN_ANSWERED] = "answered",
	    [CONTROL_CONN_WAITING] = "waiting",
	    [CONTROL_CONN_JOINING] = "joining",
	    [CONTROL_CONN_STREAM] = "stream",
	    [CONTROL_CONN_LOST] = "lost",
	};
	log_debug("control: connection %u: %s -> %s", (unsigned)conn->number,
	    names[conn->state], names[state]);
	conn->state = state;
}

/* Appends the connection to those that wait at the listener. */
static void
start_waiting(struct control_conn *conn, struct control_listener *l)
{
	set_conn_state(conn, CONTROL_CONN_WAITING);
	conn->listener = l;
	TAILQ_INSERT_TAIL(&l->waiting, conn, waiting);
}

static void
stop_waiting(struct control_conn *conn)
{
	if (conn->listener == NULL)
		return;
	TAILQ_REMOVE(&conn->listener->waiting, conn, waiting);
	conn->listener = NULL;
}

/* ---- events for clients that watch ---- */

static struct control_conn_event
describe_change(const struct control_conn *conn, enum control_change change)
{
	bool is_end = change == CONTROL_CLOSED || change == CONTROL_REFUSED;
	struct control_conn_event e = {
	    .change = change,
	    .conn = conn->number,
	    .listener = conn->listener_number,
	    .addr = conn->addr,
	    .path = conn->path,
	    .err = is_end ? conn->err : 0,
	};

	memcpy(e.key, conn->key, KEY_LEN);
	return e;
}

static void
report_change(const struct control_conn *conn, enum control_change change)
{
	struct control_conn_event e = describe_change(conn, change);

	control_events_conn(conn->control, &e);
}

static void
report_offer(const struct control_conn *conn)
{
	struct control_conn_event e = describe_change(conn, CONTROL_OPENED);

	control_events_offer(conn->control, &e);
}

/* Reports a peer that has no connection here. */
static void
report_refusal(struct control *c, uint32_t listener, const struct node_event *n)
{
	struct control_conn_event e = {
	    .change = CONTROL_REFUSED,
	    .listener = listener,
	    .addr = n->node,
	    .err = n->kind == NODE_EV_REFUSED ? n->err : ERR_LIMIT,
	};

	memcpy(e.key, n->key, KEY_LEN);
	control_events_conn(c, &e);
}

/* ---- life ---- */

void
control_conns_init(struct control_conn_table *t)
{
	for (int i = 0; i < CONTROL_CONN_BUCKETS; i++)
		TAILQ_INIT(&t->buckets[i]);
}

static struct control_conns *
find_bucket(struct control *c, uint32_t number)
{
	return &c->conns.buckets[number & (CONTROL_CONN_BUCKETS - 1)];
}

static struct control_conn *
find_conn(struct control *c, uint32_t number)
{
	struct control_conn *conn;

	TAILQ_FOREACH (conn, find_bucket(c, number), link) {
		if (conn->number == number)
			return conn;
	}
	return NULL;
}

int
control_conn_check(struct control_call *k, uint32_t number)
{
	const struct control_conn *conn = find_conn(k->client->control, number);

	if (conn == NULL)
		return ERR_UNKNOWN;
	if (!control_may_use(k->client, &conn->owner))
		return control_fail_not_yours(k, &conn->owner);
	return 0;
}

bool
control_conn_is_usable(const struct control_client *cl, uint32_t number)
{
	const struct control_conn *conn = find_conn(cl->control, number);

	return conn != NULL && control_may_use(cl, &conn->owner);
}

static struct control_conn *
new_conn(struct control *c, const struct keyring_owner *o)
{
	struct control_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->control = c;
	conn->owner = *o;
	conn->err = ERR_CANCELLED; /* unless another reason is set */
	return conn;
}

/* Frees what new_conn() returned; accepts NULL. */
static void
free_conn(struct control_conn *conn)
{
	if (conn != NULL)
		control_dial_free(conn->dial);
	free(conn);
}

static void
add_conn(struct control_conn *conn, uint32_t number)
{
	conn->number = number;
	TAILQ_INSERT_TAIL(find_bucket(conn->control, number), conn, link);
}

/* Frees the connection and reports its end. */
static void
remove_conn(struct control_conn *conn, enum control_change change)
{
	struct control *c = conn->control;

	stop_waiting(conn);
	TAILQ_REMOVE(find_bucket(c, conn->number), conn, link);
	control_outcome_fail(c, conn->number, ERR_CANCELLED);
	control_keys_return(c, conn->keys);
	control_user_give(&c->users, conn->user, CONTROL_HELD_CONNS);
	report_change(conn, change);
	free_conn(conn);
}

void
control_conn_drop(struct control_conn *conn)
{
	if (conn->state == CONTROL_CONN_STREAM)
		peer_splice_free(conn->splice);
	else if (conn->state != CONTROL_CONN_LOST)
		node_conn_close(conn->control->setup.node, conn->number);
	if (conn->client != NULL)
		conn->client->conn = NULL;
	remove_conn(conn, CONTROL_CLOSED);
}

void
control_conns_free(struct control *c)
{
	for (int i = 0; i < CONTROL_CONN_BUCKETS; i++)
		while (!TAILQ_EMPTY(&c->conns.buckets[i]))
			control_conn_drop(TAILQ_FIRST(&c->conns.buckets[i]));
}

/* ---- the stream of a client ---- */

static void
add_outcome(const struct control_conn *conn, int err, bool delivered)
{
	const struct control_outcome_entry e = {.conn = conn->number,
	    .owner = conn->owner,
	    .err = err,
	    .delivered = delivered};

	control_outcome_add(conn->control, &e);
}

static void
on_splice_end(void *owner, int err)
{
	struct control_conn *conn = owner;

	add_outcome(conn, err, err == 0 || peer_splice_delivered(conn->splice));
	conn->err = err;
	control_conn_drop(conn);
}

/* Answers connect or accept with the connection. Its client becomes the stream
 * once it has been sent the result. */
static void
hand_over(struct control_conn *conn, struct control_operation *o)
{
	struct control_client *cl = o->client;
	struct api_writer w;

	stop_waiting(conn);
	set_conn_state(conn, CONTROL_CONN_JOINING);
	conn->op = NULL;
	conn->client = cl;
	o->conn = NULL;
	api_writer_init(&w, o->method->results);
	api_write_uint(&w, "conn", conn->number);
	api_write_bytes32(&w, "public_key", conn->key);
	api_write_addr(&w, "address", &conn->addr);
	control_operation_done(o, &w);
	if (cl->state == CONTROL_CLIENT_CLOSING)
		control_conn_drop(conn); /* it would not read the stream */
	else
		control_client_join(cl, conn);
}

void
control_conn_begin_stream(struct control_client *cl)
{
	struct control_conn *conn = cl->conn;
	struct peer_splice_spec spec = {.loop = &cl->control->loop,
	    .fd = bufferevent_getfd(cl->bev),
	    .conn = conn->number,
	    .early = bufferevent_get_input(cl->bev),
	    .input_ended = cl->input_ended,
	    .on_end = on_splice_end,
	    .owner = conn};

	cl->conn = NULL;
	conn->client = NULL;
	if (conn->state == CONTROL_CONN_LOST) {
		add_outcome(conn, conn->err, false);
		remove_conn(conn, CONTROL_CLOSED);
		return;
	}
	bufferevent_disable(cl->bev, EV_READ | EV_WRITE);
	bufferevent_setfd(cl->bev, -1);
	conn->splice = peer_splice_new(&spec);
	if (conn->splice == NULL) {
		control_conn_drop(conn);
		return;
	}
	set_conn_state(conn, CONTROL_CONN_STREAM);
	peer_splice_ready(conn->splice);
}

/* ---- connect ---- */

/* Ends a connection that no client uses as a stream. */
static void
fail_conn(struct control_conn *conn, int err)
{
	struct control_operation *o = conn->op;

	conn->err = err;
	/* First: an answer about the outcome may close the client of o, which
	 * frees o. */
	if (o != NULL) {
		conn->op = NULL;
		o->conn = NULL;
		control_operation_fail(o, err, 0);
	}
	remove_conn(conn, CONTROL_CLOSED);
}

/* Continues with the connection of the second dial. */
static void
on_second_dial(void *owner, int err, uint32_t number)
{
	struct control_conn *conn = owner;
	struct control *c = conn->control;

	if (err != 0) {
		fail_conn(conn, err);
		return;
	}
	TAILQ_REMOVE(find_bucket(c, conn->number), conn, link);
	conn->number = number;
	TAILQ_INSERT_TAIL(find_bucket(c, number), conn, link);
}

static int
start_connect(struct control_call *k, struct control_operation *o)
{
	struct control *c = k->client->control;
	struct keyring_owner owner = control_owner(k->client);
	struct control_keys keys;
	struct control_conn *conn;
	uint32_t number;
	int err = control_user_check(k, CONTROL_HELD_CONNS, ERR_LIMIT);

	if (err == 0)
		err = control_keys_borrow(k, &keys);
	if (err != 0)
		return err;
	conn = new_conn(c, &owner);
	if (conn != NULL)
		conn->dial =
		    control_dial_new(k, keys.pair, on_second_dial, conn);
	err = conn == NULL || conn->dial == NULL
		  ? ERR_MEMORY
		  : control_dial_start(conn->dial, &number);
	if (err != 0) {
		free_conn(conn);
		control_keys_return(c, keys.pair);
		return err;
	}
	add_conn(conn, number);
	conn->keys = keys.pair;
	conn->user = control_user_take(&c->users, &owner, CONTROL_HELD_CONNS);
	conn->op = o;
	memcpy(conn->key, control_arg(k, "public_key")->key, KEY_LEN);
	o->conn = conn;
	return 0;
}

static void
cancel_connect(struct control_operation *o)
{
	struct control_conn *conn = o->conn;

	o->conn = NULL;
	control_conn_drop(conn);
}

const struct control_operation_type control_connect = {
    .start = start_connect, .cancel = cancel_connect};

/* ---- accept ---- */

static int
check_accept(struct control_call *k)
{
	if (control_arg(k, "topic")->set != control_arg(k, "listener")->set)
		return 0;
	return api_error_param(&k->error, "listener",
	    "is given beside a topic, or both are missing", "one of the two");
}

static int
start_accept(struct control_call *k, struct control_operation *o)
{
	const struct api_value *topic = control_arg(k, "topic");
	struct control_listener *l;
	struct control_conn *conn;
	int err = check_accept(k);

	if (err == 0)
		err = topic->set ? control_session_listener(k, &l)
				 : control_listener_of(k, &l);
	if (err != 0)
		return err;
	o->by_topic = topic->set;
	if (topic->set)
		memcpy(o->key, topic->key, sizeof o->key);
	TAILQ_FOREACH (conn, &l->waiting, waiting)
		if (control_session_matches(o, conn))
			break;
	if (conn == NULL)
		o->listener = l;
	else
		hand_over(conn, o);
	return 0;
}

static void
cancel_accept(struct control_operation *o)
{
	o->listener = NULL;
}

const struct control_operation_type control_accept = {
    .start = start_accept, .cancel = cancel_accept};

int
control_answer(struct control_call *k)
{
	struct control *c = k->client->control;
	uint32_t number = (uint32_t)control_arg(k, "conn")->uint;
	struct control_conn *conn = find_conn(c, number);
	bool yes = control_arg(k, "accept")->yes;
	bool open = conn != NULL && conn->state == CONTROL_CONN_OFFERED;

	if (open && !control_may_use(k->client, &conn->owner))
		return control_fail_not_yours(k, &conn->owner);
	if (open) {
		node_answer(c->setup.node, number, yes);
		set_conn_state(conn, CONTROL_CONN_ANSWERED);
	}
	api_write_bool(&k->result, "answered", open);
	if (open && !yes) {
		conn->err = ERR_REFUSED;
		remove_conn(conn, CONTROL_REFUSED);
	}
	return 0;
}

int
control_disconnect(struct control_call *k)
{
	struct control *c = k->client->control;
	uint32_t number = (uint32_t)control_arg(k, "conn")->uint;
	struct control_conn *conn = find_conn(c, number);

	if (conn == NULL || conn->state == CONTROL_CONN_DIALING)
		return ERR_UNKNOWN;
	if (!control_may_use(k->client, &conn->owner))
		return control_fail_not_yours(k, &conn->owner);
	add_outcome(conn, ERR_CANCELLED, false);
	control_conn_drop(conn);
	return 0;
}

/* ---- events of the node ---- */

static void
send_offer(struct control_listener *l, struct control_conn *conn)
{
	const struct api_method *m = &api_methods[API_METHOD_listen];
	struct api_writer w;

	api_writer_init(&w, m->note_fields);
	api_write_id(&w, "request", l->id);
	api_write_uint(&w, "conn", conn->number);
	api_write_uint(&w, "listener", l->number);
	api_write_bytes32(&w, "public_key", conn->key);
	api_write_addr(&w, "address", &conn->addr);
	control_client_send(
	    l->client, jsonrpc_notification(m->note, api_writer_take(&w)));
}

/* Returns a connection that came in to the listener, or NULL after closing
 * it. */
static struct control_conn *
take_incoming(
    struct control *c, struct control_listener *l, const struct node_event *n)
{
	struct control_conn *conn = NULL;

	if (l != NULL && !l->ending)
		conn = new_conn(c, &l->owner);
	if (conn == NULL) {
		node_conn_close(c->setup.node, n->op);
		report_refusal(c, n->listener, n);
		return NULL;
	}
	add_conn(conn, n->op);
	memcpy(conn->key, n->key, KEY_LEN);
	conn->addr = n->node;
	conn->listener_number = n->listener;
	/* The node may use the keys for new paths of a dialed connection. */
	if (l->swarm && l->keys != NULL) {
		keyring_lend_again(c->setup.keyring, l->keys);
		conn->keys = l->keys;
	}
	return conn;
}

static void
on_offer(struct control *c, const struct node_event *n)
{
	struct control_listener *l = control_listener_find(c, n->listener);
	struct control_conn *conn = take_incoming(c, l, n);

	if (conn == NULL)
		return;
	set_conn_state(conn, CONTROL_CONN_OFFERED);
	report_offer(conn);
	send_offer(l, conn);
}

/* Gives the connection to the oldest accept of the listener, or lets it wait
 * for one. */
static void
give_to_listener(struct control_conn *conn, struct control_listener *l)
{
	struct control_operation *o;

	if (l == NULL || l->ending) {
		control_conn_drop(conn);
		return;
	}
	start_waiting(conn, l);
	o = control_listener_accept(l, conn);
	if (o == NULL)
		return;
	o->listener = NULL;
	hand_over(conn, o);
}

static void
on_open(struct control *c, const struct node_event *n)
{
	struct control_listener *l = control_listener_find(c, n->listener);
	struct control_conn *conn = find_conn(c, n->op);

	if (conn == NULL)
		conn = take_incoming(c, l, n);
	if (conn == NULL)
		return;
	memcpy(conn->key, n->key, KEY_LEN);
	conn->addr = n->node;
	conn->path = (enum conn_path_kind)n->path;
	report_change(conn, CONTROL_OPENED);
	if (conn->op != NULL)
		hand_over(conn, conn->op);
	else
		give_to_listener(conn, l);
}

static void
on_closed(struct control_conn *conn, int err)
{
	conn->err = err;
	if (conn->state == CONTROL_CONN_STREAM)
		peer_splice_closed(conn->splice, err); /* frees conn */
	else if (conn->state == CONTROL_CONN_JOINING)
		set_conn_state(conn, CONTROL_CONN_LOST);
	else if (conn->dial == NULL || !control_dial_failed(conn->dial, err))
		fail_conn(conn, err);
}

static void
on_moved(struct control_conn *conn, const struct node_event *n)
{
	conn->addr = n->node;
	conn->path = (enum conn_path_kind)n->path;
	report_change(conn, CONTROL_MOVED);
}

void
control_conn_event(struct control *c, const struct node_event *n)
{
	struct control_conn *conn = find_conn(c, n->op);

	if (n->kind == NODE_EV_OFFER)
		on_offer(c, n);
	else if (n->kind == NODE_EV_OPEN)
		on_open(c, n);
	else if (n->kind == NODE_EV_REFUSED)
		report_refusal(c, n->op, n);
	else if (conn == NULL)
		return; /* dropped in the meantime */
	else if (n->kind == NODE_EV_MOVED)
		on_moved(conn, n);
	else if (n->kind == NODE_EV_CLOSED)
		on_closed(conn, n->err);
	else if (conn->state == CONTROL_CONN_STREAM)
		peer_splice_ready(conn->splice);
}
