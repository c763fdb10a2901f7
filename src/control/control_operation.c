/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "api/text.h"
#include "control/control_client.h"

/* ---- starting ---- */

static struct node *
node_of(const struct control_call *k)
{
	return k->client->control->setup.node;
}

static int
start_ping(struct control_call *k, struct control_operation *o)
{
	return node_ping(
	    node_of(k), &api_request_value(k->rq, "address")->addr, &o->op);
}

static int
start_netcheck(struct control_call *k, struct control_operation *o)
{
	return node_netcheck(
	    node_of(k), api_request_value(k->rq, "lifetime")->yes, &o->op);
}

static void
take_key(struct control_call *k, struct control_operation *o, const char *name)
{
	memcpy(o->key, api_request_value(k->rq, name)->key, sizeof o->key);
}

static int
start_find_node(struct control_call *k, struct control_operation *o)
{
	take_key(k, o, "target");
	return node_find_node(node_of(k), o->key, &o->op);
}

static int
start_find_peer(struct control_call *k, struct control_operation *o)
{
	take_key(k, o, "public_key");
	return node_find_peer(node_of(k), o->key, &o->op);
}

static int
start_lookup(struct control_call *k, struct control_operation *o)
{
	take_key(k, o, "topic");
	return node_lookup(node_of(k), o->key, &o->op);
}

static int
start_announce(struct control_call *k, struct control_operation *o)
{
	const struct control_setup *setup = &k->client->control->setup;

	take_key(k, o, "topic");
	return setup->ops->announce(setup->owner, o->key, &o->op);
}

static int
start_unannounce(struct control_call *k, struct control_operation *o)
{
	const struct control_setup *setup = &k->client->control->setup;

	take_key(k, o, "topic");
	return setup->ops->unannounce(setup->owner, o->key, &o->op);
}

static int
start_put_immutable(struct control_call *k, struct control_operation *o)
{
	size_t len = api_request_value(k->rq, "value_b64")->bytes_len;

	hash_blake2b(o->key, k->rq->bytes, len);
	return node_put_immutable(node_of(k), k->rq->bytes, len, &o->op);
}

static int
start_put_mutable(struct control_call *k, struct control_operation *o)
{
	const struct control_setup *setup = &k->client->control->setup;

	memcpy(o->key, setup->identity->public_key, sizeof o->key);
	o->seq = api_request_value(k->rq, "seq")->uint;
	return node_put_mutable(setup->node, o->seq, k->rq->bytes,
	    api_request_value(k->rq, "value_b64")->bytes_len, &o->op);
}

static int
start_get_immutable(struct control_call *k, struct control_operation *o)
{
	take_key(k, o, "hash");
	return node_get_immutable(node_of(k), o->key, &o->op);
}

static int
start_get_mutable(struct control_call *k, struct control_operation *o)
{
	take_key(k, o, "public_key");
	return node_get_mutable(
	    node_of(k), o->key, api_request_value(k->rq, "seq")->uint, &o->op);
}

/* ---- results: what ends an operation well ---- */

static json_t *
walk_result(const struct news *n)
{
	return json_pack("{s:I, s:I}", "replies", (json_int_t)n->replies,
	    "failures", (json_int_t)n->failures);
}

static json_t *
result_walk(const struct control_operation *o, const struct news *n)
{
	json_t *j = walk_result(n);

	(void)o;
	json_object_set_new(j, "lost", json_integer(n->lost));
	return j;
}

/* What was found, and the counts. */
static json_t *
result_found(const struct control_operation *o, const struct news *n)
{
	json_t *j = walk_result(n);

	json_object_update(j, o->found);
	return j;
}

static json_t *
result_mutable(const struct control_operation *o, const struct news *n)
{
	json_t *j = result_found(o, n);

	json_object_set_new(j, "seq", json_integer((json_int_t)o->seq));
	return j;
}

static json_t *
id_or_null(const uint8_t id[ID_LEN])
{
	static const uint8_t no_id[ID_LEN];
	char text[TEXT_HEX_MAX];

	if (id_equal(id, no_id))
		return json_null();
	return json_string(text_hex(text, id));
}

/* The end of a ping is what it is for. */
static json_t *
result_ping(const struct control_operation *o, const struct news *n)
{
	char addr[ADDR_TEXT_MAX];

	(void)o;
	return json_pack("{s:s, s:o, s:I}", "address",
	    addr_format(&n->node, addr), "id", id_or_null(n->id), "rtt_us",
	    (json_int_t)n->rtt_us);
}

static json_t *
commit_result(const struct news *n, const char *name, const char *key)
{
	json_t *j = walk_result(n);

	json_object_set_new(j, name, json_string(key));
	json_object_set_new(j, "stored", json_integer(n->stored));
	json_object_set_new(j, "refused", json_integer(n->refused));
	return j;
}

static json_t *
result_announce(const struct control_operation *o, const struct news *n)
{
	char topic[TEXT_HEX_MAX];

	return commit_result(n, "topic", text_hex(topic, o->key));
}

static json_t *
result_put_immutable(const struct control_operation *o, const struct news *n)
{
	char hash[TEXT_HEX_MAX];

	return commit_result(n, "hash", text_hex(hash, o->key));
}

static json_t *
result_put_mutable(const struct control_operation *o, const struct news *n)
{
	char key[TEXT_Z32_MAX];
	json_t *j = commit_result(n, "public_key", text_z32(key, o->key));

	json_object_set_new(j, "seq", json_integer((json_int_t)o->seq));
	return j;
}

/* Who waits at a listener has nothing under way. */
static void
cancel_accept(struct control_operation *o)
{
	o->listener = NULL;
}

static const struct kind {
	const char *method;
	int (*start)(struct control_call *k, struct control_operation *o);
	json_t *(*result)(
	    const struct control_operation *o, const struct news *n);
	bool finds;    /* without something found it has failed */
	bool outlives; /* goes on when nobody waits for its end */
	/* Instead of node_cancel(), if it is no operation of the node. */
	void (*cancel)(struct control_operation *o);
} kinds[] = {
    {"ping", start_ping, result_ping, false, false, NULL},
    {"netcheck", start_netcheck, control_netcheck_result, false, false, NULL},
    {"find_node", start_find_node, result_walk, false, false, NULL},
    {"find_peer", start_find_peer, result_walk, false, false, NULL},
    {"lookup", start_lookup, result_walk, false, false, NULL},
    {"announce", start_announce, result_announce, false, true, NULL},
    {"unannounce", start_unannounce, result_announce, false, true, NULL},
    {"put_immutable", start_put_immutable, result_put_immutable, false, false,
	NULL},
    {"put_mutable", start_put_mutable, result_put_mutable, false, false, NULL},
    {"get_immutable", start_get_immutable, result_found, true, false, NULL},
    {"get_mutable", start_get_mutable, result_mutable, true, false, NULL},
    {"listen", control_listen_start, NULL, false, false, control_listen_cancel},
    {"connect", control_connect_start, NULL, false, false,
	control_connect_cancel},
    {"accept", control_accept_start, NULL, false, false, cancel_accept},
};

static const struct kind *
kind_of(const struct api_method *m)
{
	const struct kind *k = kinds;

	while (strcmp(k->method, m->name) != 0)
		k++;
	return k;
}

/* ---- life ---- */

static void
operation_free(struct control_operation *o)
{
	TAILQ_REMOVE(&o->client->control->operations, o, link);
	o->client->operations_len--;
	json_decref(o->id);
	json_decref(o->found);
	free(o);
}

struct control_operation *
control_operation_find(struct control_client *cl, const json_t *id)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &cl->control->operations, link) {
		if (o->client == cl && json_equal(o->id, id))
			return o;
	}
	return NULL;
}

static int
check_room(struct control_call *k)
{
	if (k->client->operations_len >= CLIENT_OPERATIONS_MAX)
		return api_error_set(&k->fault, API_ERR_LIMIT, NULL,
		    "%d requests of this connection are under way: wait for"
		    " one to end",
		    CLIENT_OPERATIONS_MAX);
	if (control_operation_find(k->client, k->rq->id) != NULL)
		return api_error_set(&k->fault, API_ERR_REQUEST, NULL,
		    "a request with this id is under way");
	return 0;
}

int
control_operation_start(struct control_call *k)
{
	struct control_operation *o;
	int err;

	if (check_room(k) != 0)
		return -1;
	o = calloc(1, sizeof *o);
	if (o == NULL)
		return api_error_failed(
		    &k->fault, ERR_MEMORY, "%s", k->rq->method->name);
	o->client = k->client;
	o->method = k->rq->method;
	o->id = json_incref(k->rq->id);
	TAILQ_INSERT_TAIL(&k->client->control->operations, o, link);
	k->client->operations_len++;
	err = kind_of(o->method)->start(k, o);
	if (err == 0)
		return CALL_LATER; /* and o may be gone by now */
	operation_free(o);
	if (k->fault.code == 0)
		api_error_failed(&k->fault, err, "%s", k->rq->method->name);
	return -1;
}

/*
 * Answers the request and frees the operation: before the answer is sent, as
 * sending may end the client and all that it has under way.
 */
static void
operation_end(struct control_operation *o, json_t *message)
{
	struct control_client *cl = o->client;

	operation_free(o);
	control_client_send(cl, message);
}

void
control_operation_done(struct control_operation *o, json_t *result)
{
	operation_end(o, jsonrpc_result(o->id, result));
}

void
control_operation_fail(struct control_operation *o, int err, uint32_t replies)
{
	struct control_client *cl = o->client;
	bool last = o->method->upgrades;
	struct api_error f;

	if (replies > 0)
		api_error_failed(&f, err, "%s, %u node%s answered",
		    o->method->name, (unsigned)replies,
		    replies == 1 ? "" : "s");
	else
		api_error_failed(&f, err, "%s", o->method->name);
	operation_end(o, jsonrpc_error(o->id, &f));
	if (last)
		control_client_close(cl);
}

/* News of its end will find nobody. */
static void
operation_stop(struct control_operation *o)
{
	const struct kind *k = kind_of(o->method);

	if (k->cancel != NULL)
		k->cancel(o);
	else if (!k->outlives)
		node_cancel(o->client->control->setup.node, o->op);
}

void
control_operation_cancel(struct control_operation *o)
{
	operation_stop(o);
	control_operation_fail(o, ERR_CANCELLED, 0);
}

static struct control_operation *
first_of(const struct control_client *cl)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &cl->control->operations, link) {
		if (o->client == cl)
			return o;
	}
	return NULL;
}

/* From the start each time, as ending a listener ends what waits for it. */
void
control_operations_end(struct control_client *cl)
{
	struct control_operation *o;

	while ((o = first_of(cl)) != NULL) {
		operation_stop(o);
		operation_free(o);
	}
}

/* ---- news ---- */

static void
note(struct control_operation *o, json_t *params)
{
	if (params != NULL)
		json_object_set(params, "request", o->id);
	control_client_send(
	    o->client, jsonrpc_notification(o->method->note, params));
}

static void
on_node(struct control_operation *o, const struct news *n)
{
	char addr[ADDR_TEXT_MAX];

	note(o, json_pack("{s:s, s:o}", "address", addr_format(&n->node, addr),
		    "id", id_or_null(n->id)));
}

static void
on_peer(struct control_operation *o, const struct news *n)
{
	char addr[ADDR_TEXT_MAX], key[TEXT_Z32_MAX];
	json_t *relays = json_array();

	for (unsigned i = 0; i < n->relays_len; i++)
		json_array_append_new(
		    relays, json_string(addr_format(&n->relays[i], addr)));
	note(o, json_pack("{s:s, s:o, s:s, s:I}", "public_key",
		    text_z32(key, n->key), "relays", relays, "node",
		    addr_format(&n->node, addr), "bump", (json_int_t)n->bump));
}

static void
on_value(struct control_operation *o, const struct news *n)
{
	char *text = text_b64(n->value, n->value_len);

	json_decref(o->found);
	o->found = json_pack("{s:s}", "value_b64", text);
	o->seq = n->seq;
	free(text);
}

static void
on_silence(struct control_operation *o, const struct news *n)
{
	note(o, json_pack("{s:I, s:I}", "outlived_s", (json_int_t)n->outlived_s,
		    "next_s", (json_int_t)n->next_s));
}

static void
on_done(struct control_operation *o, const struct news *n)
{
	const struct kind *k = kind_of(o->method);

	if (n->err != 0) {
		control_operation_fail(o, n->err, n->replies);
	} else if (k->finds && o->found == NULL) {
		control_operation_fail(o, ERR_NOT_FOUND, n->replies);
	} else {
		control_operation_done(o, k->result(o, n));
	}
}

void
control_operation_news(struct control *c, const struct news *n)
{
	struct control_operation *o;

	TAILQ_FOREACH (o, &c->operations, link) {
		if (o->op == n->op && kind_of(o->method)->result != NULL)
			break;
	}
	/* Its client may have gone. */
	if (o == NULL)
		return;
	switch (n->kind) {
	case NEWS_NODE:
		on_node(o, n);
		break;
	case NEWS_PEER:
		on_peer(o, n);
		break;
	case NEWS_VALUE:
		on_value(o, n);
		break;
	case NEWS_SILENCE:
		on_silence(o, n);
		break;
	case NEWS_DONE:
		on_done(o, n);
		break;
	default:
		break;
	}
}
