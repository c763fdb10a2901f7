/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client_op.h"

enum { SEQ_LEN_MAX = 9 };

static void
emit_value(struct records_op *op, const struct addr *node, const uint8_t *id,
    struct bytes value)
{
	struct records_event e = {
	    .kind = RECORDS_EV_VALUE,
	    .node = *node,
	    .id = id,
	    .seq = op->seq,
	    .value = value,
	};

	op->found = true;
	records_op_emit(op, &e);
}

/* ---- put ---- */

/* Nodes on older encoders do not see an empty value, protocol 02 §5. */
static int
check_value(struct bytes value)
{
	if (value.len == 0)
		return ERR_VALUE;
	return value.len > VALUE_PUT_MAX ? ERR_SIZE : 0;
}

/* The bytes to put are the operation's value from here on. */
static bool
reserve_value(struct records_op *op, size_t len)
{
	op->value = malloc(len);
	op->value_len = len;
	return op->value != NULL;
}

static bool
put_mutable_commit(
    struct records_op *op, const struct query_node *to, struct dht_call *c)
{
	(void)to;
	c->command = CMD_MUTABLE_PUT;
	c->value = (struct bytes){op->value, op->value_len};
	return true;
}

static bool
put_immutable_commit(
    struct records_op *op, const struct query_node *to, struct dht_call *c)
{
	(void)to;
	c->command = CMD_IMMUTABLE_PUT;
	c->value = (struct bytes){op->value, op->value_len};
	return true;
}

/* The same signed bytes go to all nodes. */
static void
write_put(struct records_op *op, const struct key_pair *keys, uint64_t seq,
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
	op->value_len = mutable_put_encode(&m, op->value, op->value_len);
}

int
records_client_put_mutable(struct dht *d, const struct key_pair *keys,
    uint64_t seq, struct bytes value, struct records_sink sink,
    struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_MUTABLE_GET,
	    .commit = put_mutable_commit,
	};
	static const uint8_t any_seq = 0;
	uint8_t target[HASH_LEN];
	struct records_op *o;
	int err = seq > WIRE_UINT_MAX ? ERR_VALUE : check_value(value);

	if (err != 0)
		return err;
	key_target(target, keys->public_key);
	o = records_op_new(d, &kind, target, sink);
	if (o == NULL)
		return ERR_MEMORY;
	if (!reserve_value(o, MUTABLE_OVERHEAD + value.len)) {
		records_op_free(o);
		return ERR_MEMORY;
	}
	write_put(o, keys, seq, value);
	return records_op_start(o, (struct bytes){&any_seq, 1}, RPC_K, op);
}

int
records_client_put_immutable(struct dht *d, struct bytes value,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_IMMUTABLE_GET,
	    .commit = put_immutable_commit,
	};
	uint8_t target[HASH_LEN];
	struct records_op *o;
	int err = check_value(value);

	if (err != 0)
		return err;
	hash_blake2b(target, value.p, value.len);
	o = records_op_new(d, &kind, target, sink);
	if (o == NULL)
		return ERR_MEMORY;
	if (!reserve_value(o, value.len)) {
		records_op_free(o);
		return ERR_MEMORY;
	}
	memcpy(o->value, value.p, value.len);
	return records_op_start(o, (struct bytes){0}, RPC_K, op);
}

/* ---- get mutable ---- */

static void
keep(struct records_op *op, const struct dht_answer *a,
    const struct mutable_value *m)
{
	uint8_t *value = malloc(m->value.len + 1);

	if (value == NULL)
		return;
	memcpy(value, m->value.p, m->value.len);
	free(op->value);
	op->value = value;
	op->value_len = m->value.len;
	op->seq = m->seq;
	op->found = true;
	op->node = a->from;
	op->node_has_id = a->id != NULL;
	if (a->id != NULL)
		memcpy(op->node_id, a->id, ID_LEN);
}

static void
get_mutable_reply(struct records_op *op, const struct dht_answer *a)
{
	struct bytes v = a->reply->value;
	struct mutable_value m;

	if (v.p == NULL || mutable_value_decode(&m, v.p, v.len) != 0)
		return;
	/* The costly check comes last. */
	if (m.seq < op->seq || (op->found && m.seq == op->seq) ||
	    mutable_verify(&m, op->key) != 0)
		return;
	keep(op, a, &m);
}

static int
get_mutable_ended(struct records_op *op, const struct query_result *r)
{
	(void)r;
	if (!op->found)
		return ERR_NOT_FOUND;
	emit_value(op, &op->node, op->node_has_id ? op->node_id : NULL,
	    (struct bytes){op->value, op->value_len});
	return 0;
}

int
records_client_get_mutable(struct dht *d, const uint8_t *key, uint64_t seq,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_MUTABLE_GET,
	    .reply = get_mutable_reply,
	    .ended = get_mutable_ended,
	};
	uint8_t target[HASH_LEN], wanted[SEQ_LEN_MAX];
	struct wr w = wr_init(wanted, sizeof wanted);
	struct records_op *o;

	wr_uint(&w, seq);
	if (!wr_ok(&w))
		return ERR_VALUE;
	key_target(target, key);
	o = records_op_new(d, &kind, target, sink);
	if (o == NULL)
		return ERR_MEMORY;
	memcpy(o->key, key, KEY_LEN);
	o->seq = seq;
	return records_op_start(o, (struct bytes){wanted, wr_len(&w)}, 0, op);
}

/* ---- get immutable ---- */

static void
get_immutable_reply(struct records_op *op, const struct dht_answer *a)
{
	struct bytes v = a->reply->value;
	uint8_t hash[HASH_LEN];

	if (v.p == NULL || op->found)
		return;
	hash_blake2b(hash, v.p, v.len);
	if (memcmp(hash, op->target, HASH_LEN) != 0)
		return;
	emit_value(op, &a->from, a->id, v);
	query_cancel(op->query);
}

static int
get_immutable_ended(struct records_op *op, const struct query_result *r)
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
	    .command = CMD_IMMUTABLE_GET,
	    .reply = get_immutable_reply,
	    .ended = get_immutable_ended,
	};
	struct records_op *o = records_op_new(d, &kind, hash, sink);

	if (o == NULL)
		return ERR_MEMORY;
	return records_op_start(o, (struct bytes){0}, 0, op);
}
