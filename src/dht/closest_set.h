/* SPDX-License-Identifier: ISC */
/*
 * closest_set.h - the nodes nearest to a target that have answered a query.
 *
 * Holds at most RPC_K nodes, nearest first, and of one host or /24 no more than
 * its share: the owner of one address cannot surround a target by choosing
 * ports. Plain data; sends nothing. Uses: base.
 */
#ifndef DHT_CLOSEST_SET_H
#define DHT_CLOSEST_SET_H

#include "base/limits.h"
#include "dht/query.h"

struct closest_set {
	const uint8_t *target; /* borrowed */
	struct query_node nodes[RPC_K];
	uint32_t len;
};

static inline bool
closest_set_is_full(const struct closest_set *c)
{
	return c->len == RPC_K;
}

/* Returns true if a node of this id would be added, shares aside. */
bool closest_set_accepts(const struct closest_set *c, const uint8_t id[ID_LEN]);

/* Adds the node that sent this reply; its id must be verified. l holds the
 * shares; NULL disables them. */
void closest_set_add(
    struct closest_set *c, const struct dht_answer *a, const struct limits *l);

#endif
