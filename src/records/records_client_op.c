/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client_op.h"

void *
records_op_new(struct dht *d, const struct records_op_kind *kind,
    const uint8_t *target, struct records_sink sink)
{
	struct records_op *op = calloc(1, kind->size);

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
	if (op->kind->fini != NULL)
		op->kind->fini(op);
	free(op);
}

void
records_op_emit(struct records_op *op, const struct records_event *e)
{
	if (!op->cancelled)
		op->sink.event(op->sink.owner, e);
}

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

static bool
has_pending(const struct records_op *op)
{
	return op->kind->pending != NULL && op->kind->pending(op);
}

void
records_op_conclude(struct records_op *op)
{
	struct records_event done = op->done;
	struct records_sink sink = op->sink;

	if (op->query != NULL || has_pending(op))
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

static void
on_rank(void *owner, struct query_node *closest, size_t len)
{
	struct records_op *op = owner;

	op->kind->rank(op, closest, len);
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
	int err = a->err;

	(void)to;
	if (err == 0 && a->reply->error != RPC_OK)
		err = ERR_REFUSED;
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
on_done(void *owner, const struct query_result *r)
{
	struct records_op *op = owner;

	op->query = NULL;
	op->done.err = r->err;
	op->done.replies = r->replies;
	op->done.failures = r->failures;
	/* A conflict of sequence numbers outweighs any other reason. */
	op->done.commit_err = op->seq_err != 0 ? op->seq_err : r->commit_err;
	if (r->err == ERR_REFUSED && op->seq_err != 0)
		op->done.err = op->seq_err;
	if (r->err == 0 && op->kind->ended != NULL)
		op->done.err = op->kind->ended(op, r);
	if (r->err == ERR_CANCELLED && op->found)
		op->done.err = 0;
	if (op->cancelled && has_pending(op))
		op->kind->cancel(op);
	else
		records_op_conclude(op);
}

int
records_op_start(struct records_op *op, const struct records_op_query *q,
    struct records_op **out)
{
	const struct records_op_kind *kind = op->kind;
	struct query_spec spec = {
	    .internal = kind->internal,
	    .command = kind->command,
	    .value = q->value,
	    .commit_max = q->commit_max,
	    .start = q->start,
	    .start_len = q->start_len,
	    .reply = kind->reply != NULL ? on_reply : NULL,
	    .rank = q->ranked ? on_rank : NULL,
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
records_client_cancel(struct records_op *op)
{
	op->cancelled = true;
	/*
	 * The query is cancelled before other requests: while it exists, the
	 * end of such a request does not conclude the operation.
	 */
	if (op->query != NULL)
		query_cancel(op->query);
	else if (op->kind->cancel != NULL)
		op->kind->cancel(op);
}
