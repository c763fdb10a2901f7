/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client_op.h"

/* ---- life ---- */

struct records_op *
records_op_new(struct dht *d, const struct records_op_kind *kind,
    const uint8_t *target, struct records_sink sink)
{
	struct records_op *op = calloc(1, sizeof *op);

	if (op == NULL)
		return NULL;
	op->dht = d;
	op->kind = kind;
	op->sink = sink;
	op->done.kind = RECORDS_EV_DONE;
	memcpy(op->target, target, HASH_LEN);
	return op;
}

void
records_op_free(struct records_op *op)
{
	free(op->value);
	free(op);
}

void
records_op_emit(struct records_op *op, const struct records_event *e)
{
	if (!op->cancelled)
		op->sink.event(op->sink.owner, e);
}

void
records_op_conclude(struct records_op *op)
{
	struct records_event done = op->done;
	struct records_sink sink = op->sink;

	if (op->query != NULL || !LIST_EMPTY(&op->withdrawals))
		return;
	if (op->cancelled)
		done.err = ERR_CANCELLED;
	records_op_free(op);
	sink.event(sink.owner, &done);
}

static void
on_reply(void *owner, const struct dht_answer *a)
{
	struct records_op *op = owner;

	if (!op->cancelled)
		op->kind->reply(op, a);
}

static bool
on_commit(void *owner, const struct query_node *to, struct dht_call *c)
{
	struct records_op *op = owner;

	c->target = op->target;
	return op->kind->commit(op, to, c);
}

static void
on_committed(
    void *owner, const struct query_node *to, const struct dht_answer *a)
{
	struct records_op *op = owner;
	int err = a->err != 0                 ? a->err
		  : a->reply->error != RPC_OK ? ERR_REFUSED
					      : 0;

	(void)to;
	if (err == 0)
		op->done.stored++;
	else
		op->done.refused++;
	if (a->err == 0 && a->reply->error == RPC_SEQ_REUSED)
		op->seq_err = ERR_SEQ_REUSED;
	if (a->err == 0 && a->reply->error == RPC_SEQ_TOO_LOW)
		op->seq_err = ERR_SEQ_LOW;
	if (op->kind->committed != NULL)
		op->kind->committed(op, a, err);
}

static void
on_rank(void *owner, struct query_node *closest, size_t len)
{
	struct records_op *op = owner;

	op->rank(op->sink.owner, closest, len);
}

static void
on_done(void *owner, const struct query_result *r)
{
	struct records_op *op = owner;

	op->query = NULL;
	op->done.err = r->err;
	op->done.replies = r->replies;
	op->done.failures = r->failures;
	/* Of all reasons, those that tell of a later value matter most. */
	op->done.commit_err = op->seq_err != 0 ? op->seq_err : r->commit_err;
	if (r->err == ERR_REFUSED && op->seq_err != 0)
		op->done.err = op->seq_err;
	if (r->err == 0 && op->kind->ended != NULL)
		op->done.err = op->kind->ended(op, r);
	if (r->err == ERR_CANCELLED && op->found)
		op->done.err = 0;
	if (op->cancelled && !LIST_EMPTY(&op->withdrawals))
		records_op_end_withdrawals(op);
	else
		records_op_conclude(op);
}

int
records_op_start(struct records_op *op, struct bytes value, uint8_t commit_max,
    struct records_op **out)
{
	const struct records_op_kind *kind = op->kind;
	struct query_spec spec = {
	    .internal = kind->internal,
	    .command = kind->command,
	    .value = value,
	    .commit_max = commit_max,
	    .start = op->start,
	    .start_len = op->start_len,
	    .reply = kind->reply != NULL ? on_reply : NULL,
	    .rank = op->rank != NULL ? on_rank : NULL,
	    .commit = kind->commit != NULL ? on_commit : NULL,
	    .committed = on_committed,
	    .done = on_done,
	    .owner = op,
	};
	int err;

	memcpy(spec.target, op->target, HASH_LEN);
	err = query_start(op->dht, &spec, &op->query);
	if (err != 0)
		records_op_free(op);
	else
		*out = op;
	return err;
}

void
records_op_end_withdrawals(struct records_op *op)
{
	struct withdrawal *w = LIST_FIRST(&op->withdrawals), *next;

	/* The last of them may end the operation, so it is not looked at. */
	for (; w != NULL; w = next) {
		next = LIST_NEXT(w, link);
		dht_cancel(op->dht, w->request);
	}
}

void
records_client_cancel(struct records_op *op)
{
	op->cancelled = true;
	/* The query first: while it is there, no withdrawal is the end. */
	if (op->query != NULL)
		query_cancel(op->query);
	else
		records_op_end_withdrawals(op);
}

/* ---- find_node ---- */

int
records_op_emit_closest(struct records_op *op, const struct query_result *r)
{
	for (size_t i = 0; i < r->closest_len; i++) {
		struct records_event e = {
		    .kind = RECORDS_EV_NODE,
		    .node = r->closest[i].addr,
		    .id = r->closest[i].id,
		};

		records_op_emit(op, &e);
	}
	return 0;
}

int
records_client_find_node(struct dht *d, const uint8_t *target,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = RPC_FIND_NODE,
	    .internal = true,
	    .ended = records_op_emit_closest,
	};
	struct records_op *o = records_op_new(d, &kind, target, sink);

	if (o == NULL)
		return ERR_MEMORY;
	return records_op_start(o, (struct bytes){0}, 0, op);
}

/* ---- find_peer, lookup ---- */

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
peers_ended(struct records_op *op, const struct query_result *r)
{
	(void)r;
	return op->found ? 0 : ERR_NOT_FOUND;
}

static void
find_peer_reply(struct records_op *op, const struct dht_answer *a)
{
	struct bytes v = a->reply->value;
	struct peer_record p;

	if (v.p != NULL && peer_decode(&p, v.p, v.len) == 0 &&
	    memcmp(p.key, op->key, KEY_LEN) == 0)
		emit_peer(op, a, &p, 0);
}

int
records_client_find_peer(struct dht *d, const uint8_t *key,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_FIND_PEER,
	    .reply = find_peer_reply,
	    .ended = peers_ended,
	};
	uint8_t target[HASH_LEN];
	struct records_op *o;

	key_target(target, key);
	o = records_op_new(d, &kind, target, sink);
	if (o == NULL)
		return ERR_MEMORY;
	memcpy(o->key, key, KEY_LEN);
	return records_op_start(o, (struct bytes){0}, 0, op);
}

static void
lookup_reply(struct records_op *op, const struct dht_answer *a)
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

int
records_client_lookup(struct dht *d, const uint8_t *topic,
    struct records_sink sink, struct records_op **op)
{
	static const struct records_op_kind kind = {
	    .command = CMD_LOOKUP,
	    .reply = lookup_reply,
	    .ended = peers_ended,
	};
	struct records_op *o = records_op_new(d, &kind, topic, sink);

	if (o == NULL)
		return ERR_MEMORY;
	return records_op_start(o, (struct bytes){0}, 0, op);
}
