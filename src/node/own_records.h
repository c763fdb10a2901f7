/* SPDX-License-Identifier: ISC */
/*
 * own_records.h - adds what this node itself stores to the results of queries.
 *
 * A query asks every node but the one that sends it, so the node's own records
 * count as one more reply.
 */
#ifndef NODE_OWN_RECORDS_H
#define NODE_OWN_RECORDS_H

#include "node/node_op.h"

/* Reports what this node would return for a command of node_find(). */
void own_records_find(
    struct node_op *op, enum records_command command, const uint8_t *key);

/* Ends the operation with the value, writes its number to *number and returns
 * true if this node stores the value. */
bool own_records_immutable(
    struct node_op *op, const uint8_t *hash, uint32_t *number);

/* Keeps the stored value, if it is not below seq, until the operation ends. */
void own_records_mutable(struct node_op *op, const uint8_t *key, uint64_t seq);

/*
 * Each stores a value here, because there is no other node, writes the number
 * of the operation to *number, ends it, and returns 0. Returns ERR_VALUE,
 * ERR_SIZE or ERR_MEMORY without having ended it; a number that is not above
 * the stored one ends it with ERR_SEQ_REUSED or ERR_SEQ_LOW.
 */
int own_records_put_immutable(
    struct node_op *op, struct bytes value, uint32_t *number);
int own_records_put_mutable(struct node_op *op, const struct key_pair *keys,
    uint64_t seq, struct bytes value, uint32_t *number);

/* Returns the number to begin with for NODE_SEQ_NEXT: 0, or the one after that
 * of the value that this node stores. */
struct records_seq own_records_next_seq(
    const struct node *n, const uint8_t *key);

/* Returns whether the kept value is at least as recent as that of the event;
 * frees the kept value if it is older. */
bool own_records_is_newer(struct node_op *op, const struct records_event *e);

/* Queues the kept value at the end; clears the error of *done if any record
 * was found here although no other node had one. */
void own_records_finish(struct node_op *op, struct node_event *done);

#endif
