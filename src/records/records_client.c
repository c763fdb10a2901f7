/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "records/records_client_op.h"

static const struct records_op_query plain_query;

int
records_client_find_node(struct dht *d, const uint8_t *target,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct records_op),
	    .command = RPC_FIND_NODE,
	    .internal = true,
	    .ended = records_op_emit_closest,
	};
	struct records_op *o = records_op_new(d, &kind, target, sink);

	if (o == NULL)
		return ERR_MEMORY;
	return records_op_start(o, &plain_query, op);
}

/* ---- commands that find peers ---- */

struct find_op {
	struct records_op op;
	uint8_t key[KEY_LEN];
};

/* A command that finds peers, and how its replies are read. */
struct find_command {
	struct records_op_kind kind;
	bool hashed; /* the target is the hash of the key */
};

static void
emit_peer(struct records_op *op, const struct dht_answer *a,
    const struct peer_record *p, uint64_t bump)
{
	struct records_event e = {
	    .kind = RECORDS_EV_PEER,
	    .node = a->from,
	    .id = a->id,
	    .peer = *p,
	    .bump = bump,
	};

	op->found = true;
	records_op_emit(op, &e);
}

static int
on_peers_ended(struct records_op *op, const struct query_result *r)
{
	(void)r;
	return op->found ? 0 : ERR_NOT_FOUND;
}

static void
on_find_peer_reply(struct records_op *op, const struct dht_answer *a)
{
	const struct find_op *f = container_of(op, struct find_op, op);
	struct bytes v = a->reply->value;
	struct peer_record p;

	if (v.p != NULL && peer_decode(&p, v.p, v.len) == 0 &&
	    memcmp(p.key, f->key, KEY_LEN) == 0)
		emit_peer(op, a, &p, 0);
}

static void
on_lookup_reply(struct records_op *op, const struct dht_answer *a)
{
	struct bytes v = a->reply->value;
	struct lookup_reply l;
	struct peer_record p;
	uint64_t bump;

	if (v.p == NULL || lookup_decode(&l, &bump, v.p, v.len) != 0)
		return;
	while (lookup_next(&l, &p))
		emit_peer(op, a, &p, bump);
}

static const struct find_command *
find_command(enum records_command command)
{
	static const struct find_command commands[] = {
	    {
		.kind =
		    {
			.size = sizeof(struct find_op),
			.command = CMD_FIND_PEER,
			.reply = on_find_peer_reply,
			.ended = on_peers_ended,
		    },
		.hashed = true,
	    },
	    {
		.kind =
		    {
			.size = sizeof(struct find_op),
			.command = CMD_LOOKUP,
			.reply = on_lookup_reply,
			.ended = on_peers_ended,
		    },
	    },
	};

	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (commands[i].kind.command == command)
			return &commands[i];
	}
	return NULL;
}

int
records_client_find(struct dht *d, enum records_command command,
    const uint8_t *key, struct records_sink sink, struct records_op **op)
{
	const struct find_command *c = find_command(command);
	uint8_t target[HASH_LEN];
	struct find_op *f;

	if (c == NULL)
		return ERR_VALUE;
	if (c->hashed)
		key_target(target, key);
	else
		memcpy(target, key, HASH_LEN);
	f = records_op_new(d, &c->kind, target, sink);
	if (f == NULL)
		return ERR_MEMORY;
	memcpy(f->key, key, KEY_LEN);
	return records_op_start(&f->op, &plain_query, op);
}
