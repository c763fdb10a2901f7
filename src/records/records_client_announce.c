/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/timer.h"
#include "records/records_client_op.h"

/* A reply with this many peers may have omitted ours, protocol 02 §11. */
enum { OMITTING_MIN = LOOKUP_PEERS_MAX };

enum { ANNOUNCE_LEN_MAX = 1 + PEER_LEN_MAX + SIGNATURE_LEN + 9 };

/* An operation which sends signed announces or unannounces. */
struct announce_op {
	struct records_op op;
	const struct key_pair *keys;
	void (*rank)(void *owner, struct query_node *closest, size_t len);
	bool closest_relays; /* until they are known */
	uint64_t bump;
	uint8_t relays[PEER_RELAYS_MAX * ADDR_WIRE4_LEN];
	size_t relays_len;                  /* bytes */
	uint8_t announce[ANNOUNCE_LEN_MAX]; /* the latest that was signed */
	uint8_t signature[SIGNATURE_LEN];
	LIST_HEAD(, withdrawal) withdrawals;
};

/* The requests that withdraw the key from one node, one after the other. */
struct withdrawal {
	LIST_ENTRY(withdrawal) link;
	struct announce_op *ao;
	struct request *request; /* the one in flight */
};

static struct announce_op *
announce_op_of(struct records_op *op)
{
	return container_of(op, struct announce_op, op);
}

/*
 * Encodes an announce or unannounce that is signed for one node and its token.
 * The result is borrowed until the next call.
 */
static struct bytes
encode_signed(struct announce_op *ao, enum key_namespace ns, const uint8_t *id,
    const uint8_t *token)
{
	struct announce a = {
	    .peer = {.key = ao->keys->public_key,
		.relays = {ao->relays, ao->relays_len}},
	    .bump = ao->bump,
	};
	struct announce_scope scope = {ao->op.target, id, token};

	announce_sign(ao->signature, ao->keys, ns, &scope, &a);
	a.signature = ao->signature;
	return (struct bytes){ao->announce,
	    announce_encode(&a, ao->announce, sizeof ao->announce)};
}

static int
start_query(struct announce_op *ao, const struct announce_spec *a,
    uint8_t commit_max, struct records_op **op)
{
	struct records_op_query q = {
	    .start = a->start,
	    .start_len = a->start_len,
	    .commit_max = commit_max,
	    .ranked = ao->rank != NULL || ao->closest_relays,
	};

	return records_op_start(&ao->op, &q, op);
}

/* ---- announce ---- */

static bool
on_announce_commit(
    struct records_op *op, const struct query_node *to, struct dht_call *c)
{
	c->command = CMD_ANNOUNCE;
	c->value =
	    encode_signed(announce_op_of(op), NS_ANNOUNCE, to->id, to->token);
	return true;
}

/*
 * Reports where the node stored us: the address in its reply to the commit is
 * the one that it forwards to.
 */
static void
on_announce_committed(
    struct records_op *op, const struct dht_answer *a, int err)
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
set_relays(struct announce_op *ao, const struct addr *relays, size_t len)
{
	struct wr w = wr_init(ao->relays, sizeof ao->relays);

	for (size_t i = 0; i < len; i++)
		wr_addr4(&w, &relays[i]);
	ao->relays_len = wr_len(&w);
	return wr_ok(&w) ? 0 : ERR_VALUE;
}

/* Names the closest nodes as relays. */
static void
set_closest_relays(
    struct announce_op *ao, const struct query_node *closest, size_t len)
{
	struct addr relays[PEER_RELAYS_MAX];
	size_t n = 0;

	for (; n < len && n < PEER_RELAYS_MAX; n++)
		relays[n] = closest[n].addr;
	if (set_relays(ao, relays, n) != 0)
		ao->relays_len = 0;
	ao->closest_relays = false;
}

static void
on_rank(struct records_op *op, struct query_node *closest, size_t len)
{
	struct announce_op *ao = announce_op_of(op);

	if (ao->rank != NULL)
		ao->rank(op->sink.owner, closest, len);
	if (ao->closest_relays)
		set_closest_relays(ao, closest, len);
}

int
records_client_announce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct announce_op),
	    .command = CMD_LOOKUP,
	    .rank = on_rank,
	    .commit = on_announce_commit,
	    .ended = records_op_emit_closest,
	};
	static const struct records_op_kind kind_self = {
	    .size = sizeof(struct announce_op),
	    .command = CMD_FIND_PEER,
	    .rank = on_rank,
	    .commit = on_announce_commit,
	    .committed = on_announce_committed,
	    .ended = records_op_emit_closest,
	};
	struct announce_op *ao =
	    records_op_new(d, a->self ? &kind_self : &kind, a->target, sink);
	int err = ERR_VALUE;

	if (ao == NULL)
		return ERR_MEMORY;
	ao->keys = a->keys;
	ao->rank = a->rank;
	ao->bump = a->bump;
	ao->closest_relays = a->closest_relays && a->relays_len == 0;
	if (a->bump <= WIRE_UINT_MAX)
		err = set_relays(ao, a->relays, a->relays_len);
	if (err != 0) {
		records_op_free(&ao->op);
		return err;
	}
	return start_query(
	    ao, a, a->commit_max > 0 ? a->commit_max : RPC_K, op);
}

/* ---- withdrawals: of unannounce and of withdraw ---- */

static struct withdrawal *
withdrawal_new(struct announce_op *ao)
{
	struct withdrawal *w = calloc(1, sizeof *w);

	if (w != NULL) {
		w->ao = ao;
		LIST_INSERT_HEAD(&ao->withdrawals, w, link);
	}
	return w;
}

static void
withdrawal_free(struct withdrawal *w)
{
	LIST_REMOVE(w, link);
	free(w);
}

/* Ends a withdrawal, and the operation if this was the last thing in flight. */
static void
withdrawal_end(struct withdrawal *w)
{
	struct records_op *op = &w->ao->op;

	withdrawal_free(w);
	records_op_conclude(op);
}

static void
on_unannounce_answer(void *owner, const struct dht_answer *a)
{
	struct withdrawal *w = owner;
	struct records_event *done = &w->ao->op.done;

	if (a->err == 0 && a->reply->error == RPC_OK)
		done->stored++;
	else
		done->refused++;
	withdrawal_end(w);
}

/* Sends an UNANNOUNCE with the token that the node has just returned. */
static int
withdrawal_send(struct withdrawal *w, const struct dht_answer *a)
{
	struct announce_op *ao = w->ao;
	struct dht_done done = {.call = on_unannounce_answer, .owner = w};
	struct dht_call c = {
	    .to = a->from,
	    .command = CMD_UNANNOUNCE,
	    .target = ao->op.target,
	    .token = a->token,
	    .value = encode_signed(ao, NS_UNANNOUNCE, a->id, a->token),
	};
	int err = dht_call(ao->op.dht, &c, done, &w->request);

	if (err != 0)
		ao->op.done.refused++;
	return err;
}

static bool
has_withdrawals(const struct records_op *op)
{
	const struct announce_op *ao = (const void *)op;

	return !LIST_EMPTY(&ao->withdrawals);
}

static void
cancel_withdrawals(struct records_op *op)
{
	struct announce_op *ao = announce_op_of(op);
	struct withdrawal *w = LIST_FIRST(&ao->withdrawals), *next;

	/*
	 * The last one may free the operation, so the list is not read again.
	 */
	for (; w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		dht_cancel(op->dht, w->request);
	}
}

/* ---- unannounce ---- */

/* Returns whether a node lists our key or may have omitted it. */
static bool
may_list_us(const struct announce_op *ao, struct bytes v)
{
	struct lookup_reply l;
	struct peer_record p;
	uint64_t bump;

	if (v.p == NULL || lookup_decode(&l, &bump, v.p, v.len) != 0)
		return false;
	if (l.left >= OMITTING_MIN)
		return true;
	while (lookup_next(&l, &p))
		if (memcmp(p.key, ao->keys->public_key, KEY_LEN) == 0)
			return true;
	return false;
}

static void
on_unannounce_reply(struct records_op *op, const struct dht_answer *a)
{
	struct announce_op *ao = announce_op_of(op);
	struct withdrawal *w;

	if (a->id == NULL || a->token == NULL ||
	    !may_list_us(ao, a->reply->value))
		return;
	w = withdrawal_new(ao);
	if (w != NULL && withdrawal_send(w, a) != 0)
		withdrawal_free(w);
}

int
records_client_unannounce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct announce_op),
	    .command = CMD_LOOKUP,
	    .reply = on_unannounce_reply,
	    .pending = has_withdrawals,
	    .cancel = cancel_withdrawals,
	};
	struct announce_op *ao = records_op_new(d, &kind, a->target, sink);

	if (ao == NULL)
		return ERR_MEMORY;
	ao->keys = a->keys;
	return start_query(ao, a, 0, op);
}

/* ---- withdraw: no query; each node is asked for its token first ---- */

/* Returns whether the value of a FIND_PEER reply is the record of our key. */
static bool
holds_our_record(const struct announce_op *ao, struct bytes v)
{
	struct peer_record p;

	return v.p != NULL && peer_decode(&p, v.p, v.len) == 0 &&
	       memcmp(p.key, ao->keys->public_key, KEY_LEN) == 0;
}

static void
on_token_answer(void *owner, const struct dht_answer *a)
{
	struct withdrawal *w = owner;
	struct announce_op *ao = w->ao;
	bool valid = a->err == 0 && a->reply->error == RPC_OK &&
		     a->id != NULL && a->token != NULL;

	/* A node that no longer holds the record counts as neither. */
	ao->op.done.refused += !valid;
	if (!valid || ao->op.cancelled ||
	    !holds_our_record(ao, a->reply->value) ||
	    withdrawal_send(w, a) != 0)
		withdrawal_end(w);
}

static int
request_token(struct announce_op *ao, const struct addr *node)
{
	struct withdrawal *w = withdrawal_new(ao);
	struct dht_done done = {.call = on_token_answer, .owner = w};
	struct dht_call c = {
	    .to = *node, .command = CMD_FIND_PEER, .target = ao->op.target};
	int err;

	if (w == NULL)
		return ERR_MEMORY;
	err = dht_call(ao->op.dht, &c, done, &w->request);
	if (err != 0)
		withdrawal_free(w);
	return err;
}

int
records_client_withdraw(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .size = sizeof(struct announce_op),
	    .pending = has_withdrawals,
	    .cancel = cancel_withdrawals,
	};
	uint8_t target[HASH_LEN];
	struct announce_op *ao;
	int err = ERR_VALUE;

	key_target(target, a->keys->public_key);
	if ((ao = records_op_new(d, &kind, target, sink)) == NULL)
		return ERR_MEMORY;
	ao->keys = a->keys;
	/* One request that was sent is enough for the operation to exist. */
	for (size_t i = 0; i < a->start_len; i++) {
		int failed = request_token(ao, &a->start[i]);

		ao->op.done.refused += failed != 0;
		if (err != 0)
			err = failed;
	}
	if (err != 0)
		records_op_free(&ao->op);
	else
		*op = &ao->op;
	return err;
}
