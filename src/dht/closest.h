/* SPDX-License-Identifier: ISC */
/*
 * closest.h - the nodes nearest to a target that have answered a query.
 *
 * At most 20, nearest first, and of one address or /24 no more than its share:
 * so who owns one address cannot surround a target, whatever its ports hash
 * to. Plain data; asks nobody.
 */
#ifndef DHT_CLOSEST_H
#define DHT_CLOSEST_H

#include "base/limits.h"
#include "dht/query.h"

struct closest {
	const uint8_t *target; /* borrowed */
	struct query_node nodes[RPC_K];
	uint32_t len;
};

static inline bool
closest_is_full(const struct closest *c)
{
	return c->len == RPC_K;
}

/* Could a node of this id still get in? (Shares aside.) */
bool closest_wants(const struct closest *c, const uint8_t id[ID_LEN]);

/* Takes in a node that answered with a proved id; l NULL: no shares. */
void closest_add(
    struct closest *c, const struct dht_answer *a, const struct limits *l);

#endif
