/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client_op.h"

/* A reply with so many peers may hide ours, protocol 02 §11. */
enum { HIDING_MIN = LOOKUP_PEERS_MAX };

/* Signs for one node and its token; the bytes are the operation's. */
static struct bytes
sign(struct records_op *op, enum key_namespace ns, const uint8_t *id,
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
    struct records_op *op, const struct query_node *to, struct dht_call *c)
{
	c->command = CMD_ANNOUNCE;
	c->value = sign(op, NS_ANNOUNCE, to->id, to->token);
	return true;
}

/* Our address as the reply to the commit has it: that is what was stored. */
static void
announce_committed(struct records_op *op, const struct dht_answer *a, int err)
{
	struct records_event e = {.kind = RECORDS_EV_COMMIT,
	    .err = err,
	    .node = a->from,
	    .id = a->id};

	if (err == 0)
		e.us = a->reply->to;
	records_op_emit(op, &e);
}

static int
take_relays(struct records_op *op, const struct addr *relays, size_t len)
{
	struct wr w = wr_init(op->relays, sizeof op->relays);

	for (size_t i = 0; i < len; i++)
		wr_addr4(&w, &relays[i]);
	op->relays_len = wr_len(&w);
	return wr_ok(&w) ? 0 : ERR_VALUE;
}

int
records_client_announce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_LOOKUP,
	    .commit = announce_commit,
	    .ended = records_op_emit_closest,
	};
	static const struct records_op_kind kind_self = {
	    .command = CMD_FIND_PEER,
	    .commit = announce_commit,
	    .committed = announce_committed,
	    .ended = records_op_emit_closest,
	};
	struct records_op *o =
	    records_op_new(d, a->self ? &kind_self : &kind, a->target, sink);
	int err;

	if (o == NULL)
		return ERR_MEMORY;
	o->keys = a->keys;
	o->rank = a->rank;
	o->bump = a->bump;
	o->start = a->start;
	o->start_len = a->start_len;
	err = a->bump > WIRE_UINT_MAX
		  ? ERR_VALUE
		  : take_relays(o, a->relays, a->relays_len);
	if (err != 0) {
		records_op_free(o);
		return err;
	}
	return records_op_start(o, (struct bytes){0},
	    a->commit_max > 0 ? a->commit_max : RPC_K, op);
}

/* ---- unannounce ---- */

static void
withdrawal_end(struct withdrawal *w)
{
	struct records_op *op = w->op;

	LIST_REMOVE(w, link);
	free(w);
	records_op_conclude(op);
}

static struct withdrawal *
withdrawal_new(struct records_op *op)
{
	struct withdrawal *w = calloc(1, sizeof *w);

	if (w != NULL) {
		w->op = op;
		LIST_INSERT_HEAD(&op->withdrawals, w, link);
	}
	return w;
}

static void
withdrawal_drop(struct withdrawal *w)
{
	LIST_REMOVE(w, link);
	free(w);
}

static void
withdrawn(void *owner, const struct dht_answer *a)
{
	struct withdrawal *w = owner;

	if (a->err == 0 && a->reply->error == RPC_OK)
		w->op->done.stored++;
	else
		w->op->done.refused++;
	withdrawal_end(w);
}

/* With the token that the node has just given. */
static int
withdrawal_send(struct withdrawal *w, const struct dht_answer *a)
{
	struct dht_done done = {.call = withdrawn, .owner = w};
	struct dht_call c = {
	    .to = a->from,
	    .command = CMD_UNANNOUNCE,
	    .target = w->op->target,
	    .token = a->token,
	    .value = sign(w->op, NS_UNANNOUNCE, a->id, a->token),
	};
	int err = dht_call(w->op->dht, &c, done, &w->request);

	if (err != 0)
		w->op->done.refused++;
	return err;
}

/* It lists our key, or is so full that it may leave it out. */
static bool
may_hold(const struct records_op *op, struct bytes v)
{
	struct lookup_reply l;
	struct peer_record p;
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
unannounce_reply(struct records_op *op, const struct dht_answer *a)
{
	struct withdrawal *w;

	if (a->id == NULL || a->token == NULL || !may_hold(op, a->reply->value))
		return;
	w = withdrawal_new(op);
	if (w != NULL && withdrawal_send(w, a) != 0)
		withdrawal_drop(w);
}

int
records_client_unannounce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_LOOKUP,
	    .reply = unannounce_reply,
	};
	struct records_op *o = records_op_new(d, &kind, a->target, sink);

	if (o == NULL)
		return ERR_MEMORY;
	o->keys = a->keys;
	o->start = a->start;
	o->start_len = a->start_len;
	return records_op_start(o, (struct bytes){0}, 0, op);
}

/* ---- withdraw: from known nodes, each asked for its token first ---- */

static bool
holds(const struct records_op *op, struct bytes v)
{
	struct peer_record p;

	return v.p != NULL && peer_decode(&p, v.p, v.len) == 0 &&
	       memcmp(p.key, op->keys->public_key, KEY_LEN) == 0;
}

static void
asked(void *owner, const struct dht_answer *a)
{
	struct withdrawal *w = owner;
	bool good = a->err == 0 && a->reply->error == RPC_OK && a->id != NULL &&
		    a->token != NULL;

	/* Who has lost the entry has nothing to withdraw. */
	w->op->done.refused += !good;
	if (!good || w->op->cancelled || !holds(w->op, a->reply->value) ||
	    withdrawal_send(w, a) != 0)
		withdrawal_end(w);
}

static int
ask(struct records_op *op, const struct addr *node)
{
	struct withdrawal *w = withdrawal_new(op);
	struct dht_done done = {.call = asked, .owner = w};
	struct dht_call c = {
	    .to = *node, .command = CMD_FIND_PEER, .target = op->target};
	int err;

	if (w == NULL)
		return ERR_MEMORY;
	err = dht_call(op->dht, &c, done, &w->request);
	if (err != 0)
		withdrawal_drop(w);
	return err;
}

int
records_client_withdraw(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **out)
{
	static const struct records_op_kind kind = {0};
	uint8_t target[HASH_LEN];
	struct records_op *op;
	int err = ERR_VALUE;

	key_target(target, a->keys->public_key);
	if ((op = records_op_new(d, &kind, target, sink)) == NULL)
		return ERR_MEMORY;
	op->keys = a->keys;
	for (size_t i = 0; i < a->start_len; i++) {
		int failed = ask(op, &a->start[i]);

		op->done.refused += failed != 0;
		if (err != 0)
			err = failed;
	}
	if (err != 0)
		records_op_free(op);
	else
		*out = op;
	return err;
}
