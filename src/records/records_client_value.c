/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/timer.h"
#include "records/records_client_op.h"

enum { SEQ_LEN_MAX = 9 };

/* A put, which owns the bytes to store. */
struct put_op {
	struct records_op op;
	uint64_t command;
	/* The value, or the request with it once that is encoded. */
	uint8_t *bytes;
	size_t len, cap;
	/* Of a mutable value that is signed after the query: its keys, borrowed
	 * until then, and the sequence number so far. NULL: encoded. */
	const struct key_pair *keys;
	uint64_t seq;
};

/* A get of a mutable value, which owns the best value found so far. */
struct get_mutable_op {
	struct records_op op;
	uint8_t key[KEY_LEN];
	uint64_t seq; /* of the best value; the smallest wanted before that */
	uint8_t *value;
	size_t value_len;
	struct addr node; /* that returned it */
	uint8_t node_id[ID_LEN];
	bool node_has_id;
};

static void
emit_value(struct records_op *op, const struct records_event *found)
{
	struct records_event e = *found;

	e.kind = RECORDS_EV_VALUE;
	op->found = true;
	records_op_emit(op, &e);
}

/* ---- put ---- */

static struct put_op *
put_op_of(struct records_op *op)
{
	return container_of(op, struct put_op, op);
}

static void
free_put(struct records_op *op)
{
	free(put_op_of(op)->bytes);
}

/* Signs the value once: all nodes get the same bytes. */
static void
encode_put(struct put_op *put, const struct key_pair *keys, uint64_t seq,
    struct bytes value)
{
	uint8_t signature[SIGNATURE_LEN];
	struct mutable_value m = {
	    .key = keys->public_key,
	    .seq = seq,
	    .value = value,
	    .signature = signature,
	};

	mutable_sign(signature, keys, seq, value);
	put->op.done.seq = seq;
	put->len = mutable_put_encode(&m, put->bytes, put->cap);
}

/* Signs with the sequence number that follows from the replies. */
static void
encode_next(struct put_op *put)
{
	const struct key_pair *keys = put->keys;
	uint8_t value[VALUE_PUT_MAX];
	size_t len = put->len;

	memcpy(value, put->bytes, len);
	put->keys = NULL;
	encode_put(put, keys, put->seq, (struct bytes){value, len});
}

/* Raises the sequence number above that of a stored value. */
static void
on_put_reply(struct records_op *op, const struct dht_answer *a)
{
	struct put_op *put = put_op_of(op);
	struct bytes v = a->reply->value;
	struct mutable_value m;

	if (put->keys == NULL || v.p == NULL ||
	    mutable_value_decode(&m, v.p, v.len) != 0 || m.seq < put->seq ||
	    m.seq >= WIRE_UINT_MAX)
		return;
	/* Without the owner's signature, any node could use up the numbers. */
	if (mutable_verify(&m, put->keys->public_key) == 0)
		put->seq = m.seq + 1;
}

static bool
on_put_commit(
    struct records_op *op, const struct query_node *to, struct dht_call *c)
{
	struct put_op *put = put_op_of(op);

	(void)to;
	if (put->keys != NULL)
		encode_next(put);
	c->command = put->command;
	c->value = (struct bytes){put->bytes, put->len};
	return true;
}

int
records_client_check_value(struct bytes value)
{
	if (value.len == 0)
		return ERR_VALUE;
	return value.len > VALUE_PUT_MAX ? ERR_SIZE : 0;
}

/* Returns an operation with space for len bytes, or NULL on failure. */
static struct put_op *
put_op_new(struct dht *d, const struct records_op_kind *kind,
    const uint8_t *target, struct records_sink sink, size_t len)
{
	struct put_op *put = records_op_new(d, kind, target, sink);

	if (put == NULL)
		return NULL;
	put->bytes = malloc(len);
	put->len = put->cap = len;
	if (put->bytes == NULL) {
		records_op_free(&put->op);
		return NULL;
	}
	return put;
}

int
records_client_put_mutable(struct dht *d, const struct key_pair *keys,
    struct records_seq seq, struct bytes value, struct records_sink sink,
    struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct put_op),
	    .command = CMD_MUTABLE_GET,
	    .reply = on_put_reply,
	    .commit = on_put_commit,
	    .fini = free_put,
	};
	static const uint8_t any_seq = 0;
	struct records_op_query q = {
	    .value = {&any_seq, 1}, .commit_max = RPC_K};
	uint8_t target[HASH_LEN];
	struct put_op *put;
	int err = seq.value > WIRE_UINT_MAX ? ERR_VALUE
					    : records_client_check_value(value);

	if (err != 0)
		return err;
	key_target(target, keys->public_key);
	put = put_op_new(d, &kind, target, sink, MUTABLE_OVERHEAD + value.len);
	if (put == NULL)
		return ERR_MEMORY;
	put->command = CMD_MUTABLE_PUT;
	if (!seq.next) {
		encode_put(put, keys, seq.value, value);
		return records_op_start(&put->op, &q, op);
	}
	put->keys = keys;
	put->seq = seq.value;
	put->len = value.len;
	memcpy(put->bytes, value.p, value.len);
	return records_op_start(&put->op, &q, op);
}

int
records_client_put_immutable(struct dht *d, struct bytes value,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct put_op),
	    .command = CMD_IMMUTABLE_GET,
	    .commit = on_put_commit,
	    .fini = free_put,
	};
	struct records_op_query q = {.commit_max = RPC_K};
	uint8_t target[HASH_LEN];
	struct put_op *put;
	int err = records_client_check_value(value);

	if (err != 0)
		return err;
	hash_blake2b(target, value.p, value.len);
	put = put_op_new(d, &kind, target, sink, value.len);
	if (put == NULL)
		return ERR_MEMORY;
	put->command = CMD_IMMUTABLE_PUT;
	memcpy(put->bytes, value.p, value.len);
	return records_op_start(&put->op, &q, op);
}

/* ---- get mutable ---- */

static struct get_mutable_op *
get_mutable_op_of(struct records_op *op)
{
	return container_of(op, struct get_mutable_op, op);
}

static void
free_get_mutable(struct records_op *op)
{
	free(get_mutable_op_of(op)->value);
}

/* Copies a value that is better than the best so far. */
static void
keep_value(struct get_mutable_op *get, const struct dht_answer *a,
    const struct mutable_value *m)
{
	uint8_t *value = malloc(m->value.len + 1);

	if (value == NULL)
		return;
	memcpy(value, m->value.p, m->value.len);
	free(get->value);
	get->value = value;
	get->value_len = m->value.len;
	get->seq = m->seq;
	get->op.found = true;
	get->node = a->from;
	get->node_has_id = a->id != NULL;
	if (a->id != NULL)
		memcpy(get->node_id, a->id, ID_LEN);
}

static void
on_get_mutable_reply(struct records_op *op, const struct dht_answer *a)
{
	struct get_mutable_op *get = get_mutable_op_of(op);
	struct bytes v = a->reply->value;
	struct mutable_value m;

	if (v.p == NULL || mutable_value_decode(&m, v.p, v.len) != 0)
		return;
	/* The signature is checked last because that is expensive. */
	if (m.seq < get->seq || (op->found && m.seq == get->seq) ||
	    mutable_verify(&m, get->key) != 0)
		return;
	keep_value(get, a, &m);
}

static int
on_get_mutable_ended(struct records_op *op, const struct query_result *r)
{
	const struct get_mutable_op *get = get_mutable_op_of(op);
	struct records_event e = {
	    .node = get->node,
	    .id = get->node_has_id ? get->node_id : NULL,
	    .seq = get->seq,
	    .value = {get->value, get->value_len},
	};

	(void)r;
	if (!op->found)
		return ERR_NOT_FOUND;
	emit_value(op, &e);
	return 0;
}

int
records_client_get_mutable(struct dht *d, const uint8_t *key, uint64_t seq,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct get_mutable_op),
	    .command = CMD_MUTABLE_GET,
	    .reply = on_get_mutable_reply,
	    .ended = on_get_mutable_ended,
	    .fini = free_get_mutable,
	};
	uint8_t target[HASH_LEN], wanted[SEQ_LEN_MAX];
	struct wr w = wr_init(wanted, sizeof wanted);
	struct records_op_query q = {0};
	struct get_mutable_op *get;

	wr_uint(&w, seq);
	if (!wr_ok(&w))
		return ERR_VALUE;
	key_target(target, key);
	get = records_op_new(d, &kind, target, sink);
	if (get == NULL)
		return ERR_MEMORY;
	memcpy(get->key, key, KEY_LEN);
	get->seq = seq;
	q.value = (struct bytes){wanted, wr_len(&w)};
	return records_op_start(&get->op, &q, op);
}

/* ---- get immutable ---- */

static void
on_get_immutable_reply(struct records_op *op, const struct dht_answer *a)
{
	struct records_event e = {
	    .node = a->from, .id = a->id, .value = a->reply->value};
	uint8_t hash[HASH_LEN];

	if (e.value.p == NULL || op->found)
		return;
	hash_blake2b(hash, e.value.p, e.value.len);
	if (memcmp(hash, op->target, HASH_LEN) != 0)
		return;
	emit_value(op, &e);
	query_cancel(op->query);
}

static int
on_get_immutable_ended(struct records_op *op, const struct query_result *r)
{
	(void)op;
	(void)r;
	return ERR_NOT_FOUND;
}

int
records_client_get_immutable(struct dht *d, const uint8_t *hash,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct records_op),
	    .command = CMD_IMMUTABLE_GET,
	    .reply = on_get_immutable_reply,
	    .ended = on_get_immutable_ended,
	};
	struct records_op_query q = {0};
	struct records_op *o = records_op_new(d, &kind, hash, sink);

	if (o == NULL)
		return ERR_MEMORY;
	return records_op_start(o, &q, op);
}
