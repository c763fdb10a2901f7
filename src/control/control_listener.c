/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "node/node_conn.h"
#include "node/node_swarm.h"

/* ---- lookup ---- */

struct control_listener *
control_listener_find(const struct control *c, uint32_t number)
{
	struct control_listener *l;

	TAILQ_FOREACH (l, &c->listeners.all, link) {
		if (l->number == number)
			return l;
	}
	return NULL;
}

int
control_listener_of(struct control_call *k, struct control_listener **out)
{
	struct control_listener *l = control_listener_find(
	    k->client->control, (uint32_t)control_arg(k, "listener")->uint);

	if (l == NULL || l->ending)
		return api_error_failed(
		    &k->error, ERR_UNKNOWN, "%s", k->rq->method->name);
	if (!control_may_use(k->client, &l->owner))
		return control_fail_not_yours(k, &l->owner);
	*out = l;
	return 0;
}

const uint8_t *
control_listener_key(const struct control_listener *l)
{
	return control_keys_public(l->control, l->keys);
}

struct control_operation *
control_listener_accept(
    const struct control_listener *l, const struct control_conn *conn)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &l->control->operations.all, link) {
		if (o->listener == l && o != l->op &&
		    control_session_matches(o, conn))
			return o;
	}
	return NULL;
}

/* ---- life ---- */

static enum control_held
held_kind(const struct control_listener *l)
{
	return l->swarm ? CONTROL_HELD_SWARMS : CONTROL_HELD_LISTENERS;
}

static void
listener_free(struct control_listener *l)
{
	struct control *c = l->control;

	TAILQ_REMOVE(&c->listeners.all, l, link);
	control_keys_return(c, l->keys);
	control_user_give(&c->users, l->user, held_kind(l));
	json_decref(l->id);
	free(l);
}

/* Returns an operation, listen or accept, that waits for the listener. */
static struct control_operation *
find_operation(const struct control_listener *l)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &l->control->operations.all, link) {
		if (o->listener == l)
			return o;
	}
	return NULL;
}

/*
 * Resets the connections that wait at the listener and fails the operations
 * that wait for it. Searches from the start each time, because an answer may
 * close a client and thereby end other operations.
 */
static void
fail_waiting(struct control_listener *l, int err)
{
	struct control_operation *o;

	while (!TAILQ_EMPTY(&l->waiting))
		control_conn_drop(TAILQ_FIRST(&l->waiting));
	l->op = NULL;
	while ((o = find_operation(l)) != NULL) {
		o->listener = NULL;
		control_operation_fail(o, err, 0);
	}
}

void
control_listener_end(struct control_listener *l)
{
	if (l->ending)
		return;
	l->ending = true;
	l->client = NULL;
	control_sessions_drop(l);
	if (l->swarm)
		node_swarm_end(l->control->setup.node, l->number);
	else
		node_unlisten(l->control->setup.node, l->number);
	fail_waiting(l, ERR_CANCELLED);
}

static struct control_listener *
find_of_client(const struct control *c, const struct control_client *cl)
{
	struct control_listener *l;

	TAILQ_FOREACH (l, &c->listeners.all, link) {
		if (l->client == cl && !l->ending)
			return l;
	}
	return NULL;
}

void
control_listeners_end(struct control *c, const struct control_client *cl)
{
	struct control_listener *l;

	while ((l = find_of_client(c, cl)) != NULL) {
		if (l->keep)
			l->client = NULL;
		else
			control_listener_end(l);
	}
}

void
control_listeners_free(struct control *c)
{
	while (!TAILQ_EMPTY(&c->listeners.all)) {
		struct control_listener *l = TAILQ_FIRST(&c->listeners.all);

		l->keys = NULL; /* the node still uses them */
		listener_free(l);
	}
}

/* ---- listen ---- */

static int
node_listens(struct control_call *k, struct control_listener *l)
{
	const struct control_setup *setup = &l->control->setup;
	const struct api_value *relay = control_arg(k, "relay_through");
	const struct api_value *allow = control_arg(k, "allow");
	uint8_t keys[API_KEYS_MAX][KEY_LEN];
	struct node_listen spec = {.keys = l->keys, .allow = keys};

	if (spec.keys == NULL)
		spec.keys = setup->identity;
	while (api_value_key(allow, spec.allow_len, keys[spec.allow_len]))
		spec.allow_len++;
	spec.ask = control_arg(k, "ask")->yes;
	if (relay->set)
		spec.relay_through = relay->key;
	spec.limits.per_peer = (uint32_t)control_arg(k, "max_per_peer")->uint;
	spec.limits.idle_s = (uint32_t)control_arg(k, "idle_s")->uint;
	return node_listen(setup->node, &spec, &l->number);
}

static int
check_listen(struct control_call *k)
{
	const struct api_value *allow = control_arg(k, "allow");

	if (control_arg(k, "ask")->yes && control_arg(k, "keep")->yes)
		return api_error_param(&k->error, "keep", "is given beside ask",
		    "one of the two, as offers need a connected client");
	/* A list that is empty by mistake must not allow every key. */
	if (allow->set && json_array_size(allow->list) == 0)
		return api_error_param(&k->error, "allow", "is empty",
		    "a key, or no list at all, which allows every key");
	return 0;
}

static struct control_listener *
listener_new(struct control_call *k, const struct key_pair *keys, bool swarm)
{
	struct control *c = k->client->control;
	struct control_listener *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	l->control = c;
	l->swarm = swarm;
	l->owner = control_owner(k->client);
	l->user = control_user_take(&c->users, &l->owner, held_kind(l));
	l->keys = keys;
	TAILQ_INIT(&l->waiting);
	TAILQ_INSERT_TAIL(&c->listeners.all, l, link);
	return l;
}

struct control_listener *
control_listener_new_swarm(struct control_call *k, const struct key_pair *keys)
{
	return listener_new(k, keys, true);
}

void
control_listener_abandon(struct control_listener *l)
{
	listener_free(l);
}

static int
start_listen(struct control_call *k, struct control_operation *o)
{
	struct control_keys keys;
	struct control_listener *l;
	int err = check_listen(k);

	if (err == 0)
		err = control_user_check(k, CONTROL_HELD_LISTENERS, ERR_LIMIT);
	if (err == 0)
		err = control_keys_borrow(k, &keys);
	if (err != 0)
		return err;
	o->saved = keys.saved;
	l = listener_new(k, keys.pair, false);
	if (l == NULL) {
		control_keys_return(k->client->control, keys.pair);
		return ERR_MEMORY;
	}
	l->client = k->client;
	l->id = json_incref(o->id);
	l->op = o;
	l->keep = control_arg(k, "keep")->yes;
	err = node_listens(k, l);
	if (err != 0) {
		listener_free(l);
		return err;
	}
	o->listener = l;
	return 0;
}

static void
cancel_listen(struct control_operation *o)
{
	struct control_listener *l = o->listener;

	o->listener = NULL;
	l->op = NULL;
	control_listener_end(l);
}

const struct control_operation_type control_listen = {
    .start = start_listen, .cancel = cancel_listen};

int
control_unlisten(struct control_call *k)
{
	struct control_listener *l;
	int err = control_listener_of(k, &l);

	if (err == 0)
		control_listener_end(l);
	return err;
}

/* ---- events of the node ---- */

/* Answers listen after the first round of the announcement. */
static void
on_listening(struct control_listener *l, const struct node_event *n)
{
	struct control_operation *o = l->op;
	struct api_writer w;

	if (o == NULL)
		return;
	l->op = NULL;
	o->listener = NULL;
	api_writer_init(&w, o->method->results);
	api_write_uint(&w, "listener", l->number);
	api_write_bytes32(&w, "public_key", control_listener_key(l));
	api_write_bool(&w, "saved", o->saved);
	api_write_uint(&w, "relays", n->stored);
	api_write_text(&w, "err_name", err_name(n->err));
	control_operation_done(o, &w);
}

static void
on_unlistened(struct control_listener *l)
{
	/* The node may have ended it, because it is leaving the network. */
	l->ending = true;
	control_sessions_drop(l);
	fail_waiting(l, ERR_CLOSED);
	listener_free(l);
}

void
control_listener_event(struct control *c, const struct node_event *n)
{
	struct control_listener *l = control_listener_find(c, n->op);

	if (l == NULL)
		return;
	if (n->kind == NODE_EV_LISTENING)
		on_listening(l, n);
	else
		on_unlistened(l);
}
