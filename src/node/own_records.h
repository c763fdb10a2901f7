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

/* Report the stored peer of a key, or the stored peers of a topic. */
void own_records_peer(struct node_op *op, const uint8_t *key);
void own_records_topic(struct node_op *op, const uint8_t *topic);

/* Ends the operation with the value, writes its number to *number and returns
 * true if this node stores the value. */
bool own_records_immutable(
    struct node_op *op, const uint8_t *hash, uint32_t *number);

/* Keeps the stored value, if it is not below seq, until the operation ends. */
void own_records_mutable(struct node_op *op, const uint8_t *key, uint64_t seq);

/* Returns whether the kept value is at least as recent as that of the event;
 * frees the kept value if it is older. */
bool own_records_is_newer(struct node_op *op, const struct records_event *e);

/* Queues the kept value at the end; clears the error of *done if any record
 * was found here although no other node had one. */
void own_records_finish(struct node_op *op, struct node_event *done);

#endif
