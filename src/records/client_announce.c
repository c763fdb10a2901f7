/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/client_op.h"

/* A reply with so many peers may hide ours, spec 02 §11. */
enum { HIDING_MIN = LOOKUP_PEERS_MAX };

/* Signs for one node and its token; the bytes are the operation's. */
static struct bytes
sign(struct client_op *op, enum key_namespace ns, const uint8_t *id,
    const uint8_t *token)
{
	struct announce a = {
	    .peer = {.key = op->keys->public_key,
		.relays = {op->relays, op->relays_len}},
	    .bump = op->bump,
	};
	struct announce_scope scope = {op->target, id, token};

	announce_sign(op->signature, op->keys, ns, &scope, &a);
	a.signature = op->signature;
	return (struct bytes){op->announce,
	    announce_encode(&a, op->announce, sizeof op->announce)};
}

/* ---- announce ---- */

static bool
announce_commit(
    struct client_op *op, const struct query_node *to, struct dht_call *c)
{
	c->command = CMD_ANNOUNCE;
	c->value = sign(op, NS_ANNOUNCE, to->id, to->token);
	return true;
}

static int
take_relays(struct client_op *op, const struct addr *relays, size_t len)
{
	struct wr w = wr_init(op->relays, sizeof op->relays);

	for (size_t i = 0; i < len; i++)
		wr_addr4(&w, &relays[i]);
	op->relays_len = wr_len(&w);
	return wr_ok(&w) ? 0 : ERR_VALUE;
}

int
records_client_announce(struct dht *d, const struct client_announce *a,
    struct client_sink sink, struct client_op **op)
{
	static const struct client_kind kind = {
	    .command = CMD_LOOKUP,
	    .commit = announce_commit,
	    .ended = client_op_tell_closest,
	};
	struct client_op *o = client_op_new(d, &kind, a->target, sink);
	int err;

	if (o == NULL)
		return ERR_MEMORY;
	o->keys = a->keys;
	o->bump = a->bump;
	o->start = a->start;
	o->start_len = a->start_len;
	err = a->bump > WIRE_UINT_MAX
		  ? ERR_VALUE
		  : take_relays(o, a->relays, a->relays_len);
	if (err != 0) {
		client_op_free(o);
		return err;
	}
	return client_op_start(o, (struct bytes){0},
	    a->commit_max > 0 ? a->commit_max : RPC_K, op);
}

/* ---- unannounce ---- */

static void
withdrawn(void *owner, const struct dht_answer *a)
{
	struct withdrawal *w = owner;
	struct client_op *op = w->op;

	if (a->err == 0 && a->reply->error == RPC_OK)
		op->done.stored++;
	else
		op->done.refused++;
	LIST_REMOVE(w, link);
	free(w);
	client_op_conclude(op);
}

static void
withdraw(struct client_op *op, const struct dht_answer *a)
{
	struct withdrawal *w = calloc(1, sizeof *w);
	struct dht_done done = {.call = withdrawn, .owner = w};
	struct dht_call c = {
	    .to = a->from,
	    .command = CMD_UNANNOUNCE,
	    .target = op->target,
	    .token = a->token,
	};

	if (w == NULL)
		return;
	c.value = sign(op, NS_UNANNOUNCE, a->id, a->token);
	w->op = op;
	if (dht_call(op->dht, &c, done, &w->request) != 0) {
		op->done.refused++;
		free(w);
		return;
	}
	LIST_INSERT_HEAD(&op->withdrawals, w, link);
}

/* It lists our key, or is so full that it may leave it out. */
static bool
may_hold(const struct client_op *op, struct bytes v)
{
	struct lookup l;
	struct peer p;
	uint64_t bump;

	if (v.p == NULL || lookup_decode(&l, &bump, v.p, v.len) != 0)
		return false;
	if (l.left >= HIDING_MIN)
		return true;
	while (lookup_next(&l, &p))
		if (memcmp(p.key, op->keys->public_key, KEY_LEN) == 0)
			return true;
	return false;
}

static void
unannounce_reply(struct client_op *op, const struct dht_answer *a)
{
	if (a->id != NULL && a->token != NULL && may_hold(op, a->reply->value))
		withdraw(op, a);
}

int
records_client_unannounce(struct dht *d, const struct client_announce *a,
    struct client_sink sink, struct client_op **op)
{
	static const struct client_kind kind = {
	    .command = CMD_LOOKUP,
	    .reply = unannounce_reply,
	};
	struct client_op *o = client_op_new(d, &kind, a->target, sink);

	if (o == NULL)
		return ERR_MEMORY;
	o->keys = a->keys;
	o->start = a->start;
	o->start_len = a->start_len;
	return client_op_start(o, (struct bytes){0}, 0, op);
}
