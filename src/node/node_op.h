/* SPDX-License-Identifier: ISC */
/*
 * node_op.h - operations: from a command to its NODE_EV_DONE.
 *
 * An operation has a number, which is never 0, and ends exactly once. The item
 * of its end is allocated at the start, so that the end cannot fail.
 */
#ifndef NODE_NODE_OP_H
#define NODE_NODE_OP_H

#include "base/hash.h"

#include "node/event_queue.h"
#include "punch/lifetime_schedule.h"
#include "records/records_client.h"

struct announcement;
struct netcheck;
struct request;

struct node_op {
	UT_hash_handle hh;
	struct node *node;
	uint32_t number;
	/* The one thing in progress that the operation waits for: */
	struct records_op *client;
	struct request *request;
	struct netcheck *netcheck;
	struct lifetime_waiter watch;      /* in use if `watching` */
	struct announcement *announcement; /* the first round of this */
	bool measures; /* measures the lifetime after the netcheck */
	bool watching;
	bool own_found; /* a record that this node holds was reported */
	bool alone;     /* there was no other node at the start */
	bool withdraws; /* withdraws a topic: goes on when the node leaves */
	struct event_item *done; /* NODE_EV_DONE */
	struct event_item
	    *own_value; /* held here, until a later one is found */
	uint32_t lost;  /* events dropped: the queue was full */
};

struct node_ops {
	struct node_op *by_number;
	uint32_t last; /* the latest number given out */
};

/*
 * Returns a new operation, or NULL and *err (ERR_BUSY, ERR_CLOSED, ERR_MEMORY).
 */
struct node_op *node_op_new(struct node *n, int *err);

/* Queues NODE_EV_DONE with these contents and frees the operation. */
void node_op_end(struct node_op *op, const struct node_event *done);

/* Frees an operation that could not begin; queues no event. */
void node_op_free(struct node_op *op);
void node_ops_fini(struct node *n);

/* Converts the end of a records operation to the contents of an event. */
struct node_event node_op_done_event(const struct records_event *e);

/* Converts a result of a records operation to an event of this operation. */
struct node_event node_op_found_event(
    const struct node_op *op, const struct records_event *e);

/* Queues a result of the operation; counts it if the queue is full. */
void node_op_found(struct node_op *op, const struct records_event *e);

#endif
