/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "control/control_call.h"
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
	return node_find_peer(node_of(k), o->key, &o->op);
}

const struct control_operation_type control_find_peer = {
    .start = start_find_peer, .finish = finish_walk};

static int
start_lookup(struct control_call *k, struct control_operation *o)
{
	copy_key(k, o, "topic");
	return node_lookup(node_of(k), o->key, &o->op);
}

const struct control_operation_type control_lookup = {
    .start = start_lookup, .finish = finish_walk};

static int
start_announce(struct control_call *k, struct control_operation *o)
{
	const struct control_setup *setup = &k->client->control->setup;

	copy_key(k, o, "topic");
	return setup->ops->announce(setup->owner, o->key, &o->op);
}

static int
start_unannounce(struct control_call *k, struct control_operation *o)
{
	const struct control_setup *setup = &k->client->control->setup;

	copy_key(k, o, "topic");
	return setup->ops->unannounce(setup->owner, o->key, &o->op);
}

static void
finish_unannounce(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	api_write_bytes32(w, "topic", o->key);
	write_commit(w, n);
}

static void
finish_announce(const struct control_operation *o, const struct node_event *n,
    struct api_writer *w)
{
	finish_unannounce(o, n, w);
	api_write_text(w, "err_name", err_name(n->err));
}

const struct control_operation_type control_announce = {.start = start_announce,
    .finish = finish_announce,
    .outlives_client = true,
    .kept_offline = true};

const struct control_operation_type control_unannounce = {
    .start = start_unannounce,
    .finish = finish_unannounce,
    .outlives_client = true};

/* ---- values ---- */

static int
start_put_immutable(struct control_call *k, struct control_operation *o)
{
	size_t len = control_arg(k, "value_b64")->bytes_len;

	hash_blake2b(o->key, k->rq->bytes, len);
	return node_put_immutable(node_of(k), k->rq->bytes, len, &o->op);
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
	const struct control_setup *setup = &k->client->control->setup;

	memcpy(o->key, setup->identity->public_key, sizeof o->key);
	o->seq = control_arg(k, "seq")->uint;
	return node_put_mutable(setup->node, o->seq, k->rq->bytes,
	    control_arg(k, "value_b64")->bytes_len, &o->op);
}

static void
finish_put_mutable(const struct control_operation *o,
    const struct node_event *n, struct api_writer *w)
{
	api_write_bytes32(w, "public_key", o->key);
	api_write_uint(w, "seq", o->seq);
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
