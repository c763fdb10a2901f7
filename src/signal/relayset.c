/* SPDX-License-Identifier: ISC */
#include "signal/relayset.h"

/* The cost of a node as a relay, in microseconds of delay. */
enum {
	/* Per rank behind the closest: distant nodes are the first that leave
	 * the closest set as the network changes. */
	COST_PLACE = 2000,
	/* Clients may not ask nodes of a higher rank: if a node or two do not
	 * answer them, their closest set ends elsewhere. */
	PLACES_SURE = 10,
	COST_EDGE = 20000,
	/* A new relay must save more than half of the delay, and this much. */
	COST_CHANGE = 25000,
	COST_AVOIDED = 10000000,
	COST_NO_TOKEN = 100000000, /* cannot be announced to at all */
};

const struct relay_entry *
relay_set_find(const struct relay_set *s, const struct addr *relay)
{
	for (uint32_t i = 0; i < s->len; i++)
		if (addr_equal(&s->at[i].relay, relay))
			return &s->at[i];
	return NULL;
}

bool
relay_set_same(const struct relay_set *a, const struct relay_set *b)
{
	if (a->len != b->len)
		return false;
	for (uint32_t i = 0; i < a->len; i++)
		if (relay_set_find(b, &a->at[i].relay) == NULL)
			return false;
	return true;
}

/* Never returns 0 for a new relay, so that a tie keeps the current one. */
static uint64_t
relay_cost(const struct query_node *n, size_t place, bool held)
{
	uint64_t cost = n->rtt_us + place * COST_PLACE;

	if (place >= PLACES_SURE)
		cost += (place - PLACES_SURE + 1) * COST_EDGE;
	if (!held)
		return cost + 1;
	return cost / 2 > COST_CHANGE ? cost / 2 - COST_CHANGE : 0;
}

/* Returns whether one of the first n nodes is in the network of an address. */
static bool
has_network(const struct query_node *nodes, size_t n, const struct addr *a)
{
	for (size_t i = 0; i < n; i++)
		if (addr_same_prefix(&nodes[i].addr, a))
			return true;
	return false;
}

/*
 * Returns the cheapest node from rank n on, which is in another network than
 * those before it if possible.
 */
static size_t
find_cheapest(
    const struct query_node *nodes, const uint64_t *costs, size_t n, size_t len)
{
	size_t best = n, best_alone = len;

	for (size_t i = n; i < len; i++) {
		if (costs[i] < costs[best])
			best = i;
		if (costs[i] < COST_AVOIDED &&
		    (best_alone == len || costs[i] < costs[best_alone]) &&
		    !has_network(nodes, n, &nodes[i].addr))
			best_alone = i;
	}
	return best_alone < len ? best_alone : best;
}

void
relay_rank(struct query_node *closest, size_t len, const struct relay_set *held,
    bool (*avoided)(const void *owner, const struct addr *node),
    const void *owner)
{
	uint64_t costs[RPC_K];

	if (len > RPC_K)
		len = RPC_K;
	for (size_t i = 0; i < len; i++) {
		const struct query_node *n = &closest[i];

		costs[i] =
		    relay_cost(n, i, relay_set_find(held, &n->addr) != NULL);
		if (avoided(owner, &n->addr))
			costs[i] += COST_AVOIDED;
		if (!n->has_token)
			costs[i] += COST_NO_TOKEN;
	}
	for (size_t i = 0; i < len && i < RELAYS_MAX; i++) {
		size_t best = find_cheapest(closest, costs, i, len);
		struct query_node n = closest[best];
		uint64_t cost = costs[best];

		closest[best] = closest[i];
		costs[best] = costs[i];
		closest[i] = n;
		costs[i] = cost;
	}
}
