/* SPDX-License-Identifier: ISC */
/*
 * records_client_op.h - the base of every operation of records_client.h.
 *
 * Runs one query, and the commit that follows it, for the operation that
 * embeds a struct records_op as its first member. That operation supplies its
 * own struct size and hooks in a struct records_op_kind. Owns the life of the
 * operation: it is freed when its query and whatever else the kind calls
 * pending have ended, and RECORDS_EV_DONE is emitted after that. Uses: base,
 * crypto, dht.
 */
#ifndef RECORDS_RECORDS_CLIENT_OP_H
#define RECORDS_RECORDS_CLIENT_OP_H

#include <stdbool.h>

#include "dht/query.h"
#include "records/records_client.h"

struct records_op {
	const struct records_op_kind *kind;
	struct dht *dht;
	struct query *query; /* NULL once it has ended */
	struct records_sink sink;
	struct records_event done; /* RECORDS_EV_DONE, filled in on the way */
	int seq_err;    /* a node stores a newer value or another one; or 0 */
	bool cancelled; /* by the caller: nothing but the end is emitted */
	bool found;     /* something was emitted, or kept for the end */
	uint8_t target[HASH_LEN];
};

/* What one kind of operation does. Each hook may be NULL. */
struct records_op_kind {
	size_t size;      /* of the struct that embeds the records_op */
	uint64_t command; /* of the query */
	bool internal;    /* it is a command of the DHT itself */

	/* Handles the reply of a node. May emit, and cancel the query. */
	void (*reply)(struct records_op *op, const struct dht_answer *a);
	/* Orders the closest nodes before the commit. */
	void (*rank)(
	    struct records_op *op, struct query_node *closest, size_t len);
	/* Fills in the request for one of the closest nodes; false omits it. */
	bool (*commit)(struct records_op *op, const struct query_node *to,
	    struct dht_call *c);
	/* Handles the result of one commit: 0 or an error. May emit. */
	void (*committed)(
	    struct records_op *op, const struct dht_answer *a, int err);
	/* Returns the result of a query that succeeded. May emit. */
	int (*ended)(struct records_op *op, const struct query_result *r);
	/* Returns whether requests beside the query are in flight. */
	bool (*pending)(const struct records_op *op);
	/* Cancels those requests; the last one may conclude the operation. */
	void (*cancel)(struct records_op *op);
	/* Frees what the operation owns beside itself. */
	void (*fini)(struct records_op *op);
};

/* How the query of an operation starts. All of it is copied. */
struct records_op_query {
	struct bytes value;       /* sent with each request of the query */
	const struct addr *start; /* nodes to ask first, or NULL */
	size_t start_len;
	uint8_t commit_max; /* closest nodes that get the commit; 0: none */
	bool ranked;        /* the kind's rank() orders the closest nodes */
};

/* Returns a zeroed operation of kind->size bytes, or NULL on failure. */
void *records_op_new(struct dht *d, const struct records_op_kind *kind,
    const uint8_t *target, struct records_sink sink);
void records_op_free(struct records_op *op);

/*
 * Starts the query and stores op in *out. Returns 0 or an error of
 * query_start(); the operation is freed in that case.
 */
int records_op_start(struct records_op *op, const struct records_op_query *q,
    struct records_op **out);

/* Emits an event, unless the operation was cancelled. */
void records_op_emit(struct records_op *op, const struct records_event *e);

/* Emits a RECORDS_EV_NODE for each of the closest nodes. Returns 0. */
int records_op_emit_closest(
    struct records_op *op, const struct query_result *r);

/* Frees op and emits its end, if nothing of it is in flight any more. */
void records_op_conclude(struct records_op *op);

#endif
