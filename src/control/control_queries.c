/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"

static struct node *
node_of(const struct control_call *k)
{
	return k->client->control->setup.node;
}

static void
copy_key(struct control_call *k, struct control_operation *o, const char *name)
{
	memcpy(o->key, control_arg(k, name)->key, sizeof o->key);
}

static void
write_walk(struct api_writer *w, const struct node_event *n)
{
	api_write_uint(w, "replies", n->replies);
	api_write_uint(w, "failures", n->failures);
}

static void
write_commit(struct api_writer *w, const struct node_event *n)
{
	write_walk(w, n);
	api_write_uint(w, "stored", n->stored);
	api_write_uint(w, "refused", n->refused);
}

/* ---- nodes ---- */

static int
start_ping(struct control_call *k, struct control_operation *o)
{
	return node_ping(node_of(k), &control_arg(k, "address")->addr, &o->op);
}

static void
finish_ping(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	static const uint8_t no_id[ID_LEN];

	(void)o;
	api_write_addr(w, "address", &n->node);
	api_write_bytes32(w, "id", id_equal(n->id, no_id) ? NULL : n->id);
	api_write_uint(w, "rtt_us", n->rtt_us);
}

const struct control_operation_type control_ping = {
    .start = start_ping, .finish = finish_ping};

static void
finish_walk(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	(void)o;
	write_walk(w, n);
	api_write_uint(w, "lost", n->lost);
}

static int
start_find_node(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "target");
	return node_find_node(node_of(k), o->key, &o->op);
}

const struct control_operation_type control_find_node = {
    .start = start_find_node, .finish = finish_walk};

/* ---- peers ---- */

static int
start_find_peer(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "public_key");
	return node_find(node_of(k), CMD_FIND_PEER, o->key, &o->op);
}

const struct control_operation_type control_find_peer = {
    .start = start_find_peer, .finish = finish_walk};

static int
start_lookup(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "topic");
	return node_find(node_of(k), CMD_LOOKUP, o->key, &o->op);
}

const struct control_operation_type control_lookup = {
    .start = start_lookup, .finish = finish_walk};

/* ---- values ---- */

static int
start_put_immutable(struct control_call *k, struct control_operation *o)
{
	const struct api_value *v = control_arg(k, "value_b64");

	hash_blake2b(o->key, v->bytes, v->bytes_len);
	return node_put_immutable(node_of(k), v->bytes, v->bytes_len, &o->op);
}

static void
finish_put_immutable(const struct control_operation *o,
    const struct node_event *n, struct api_writer *w)
{
	api_write_bytes32(w, "hash", o->key);
	write_commit(w, n);
}

const struct control_operation_type control_put_immutable = {
    .start = start_put_immutable, .finish = finish_put_immutable};

static int
start_put_mutable(struct control_call *k, struct control_operation *o)
{
	const struct api_value *seq = control_arg(k, "seq");
	const struct api_value *value = control_arg(k, "value_b64");
	struct control_keys keys;
	int err = control_keys_borrow_signer(k, &keys);

	if (err != 0)
		return err;
	o->keys = keys.pair;
	memcpy(o->key, control_keys_public(k->client->control, keys.pair),
	    sizeof o->key);
	return node_put_mutable(node_of(k), keys.pair,
	    seq->set ? seq->uint : NODE_SEQ_NEXT, value->bytes,
	    value->bytes_len, &o->op);
}

static void
finish_put_mutable(const struct control_operation *o,
    const struct node_event *n, struct api_writer *w)
{
	api_write_bytes32(w, "public_key", o->key);
	api_write_uint(w, "seq", n->seq);
	write_commit(w, n);
}

const struct control_operation_type control_put_mutable = {
    .start = start_put_mutable, .finish = finish_put_mutable};

static int
start_get_immutable(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "hash");
	return node_get_immutable(node_of(k), o->key, &o->op);
}

static void
finish_get_immutable(const struct control_operation *o,
    const struct node_event *n, struct api_writer *w)
{
	api_write_json(w, "value_b64", json_incref(o->value));
	write_walk(w, n);
}

const struct control_operation_type control_get_immutable = {
    .start = start_get_immutable,
    .finish = finish_get_immutable,
    .needs_value = true};

static int
start_get_mutable(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "public_key");
	return node_get_mutable(
	    node_of(k), o->key, control_arg(k, "seq")->uint, &o->op);
}

static void
finish_get_mutable(const struct control_operation *o,
    const struct node_event *n, struct api_writer *w)
{
	api_write_json(w, "value_b64", json_incref(o->value));
	api_write_uint(w, "seq", o->seq);
	write_walk(w, n);
}

const struct control_operation_type control_get_mutable = {
    .start = start_get_mutable,
    .finish = finish_get_mutable,
    .needs_value = true};
