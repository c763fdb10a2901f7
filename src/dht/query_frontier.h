/* SPDX-License-Identifier: ISC */
/*
 * query_frontier.h - the nodes known to one query, nearest to its target first.
 *
 * Kademlia's shortlist. Bounded in all, and per host and /24, so that invented
 * neighbours cannot divert a query for long. An entry never moves in memory.
 * Sends nothing; query.c does. Uses: base.
 */
#ifndef DHT_QUERY_FRONTIER_H
#define DHT_QUERY_FRONTIER_H

#include "base/limits.h"
#include "dht/dht.h"

enum frontier_state {
	FRONTIER_NEW,
	FRONTIER_IN_FLIGHT,
	FRONTIER_REPLIED,
	FRONTIER_FAILED, /* did not reply */
};

struct frontier_node {
	struct query *query;
	struct request *request; /* while IN_FLIGHT */
	struct addr addr;
	uint8_t id[ID_LEN];
	uint8_t state;  /* enum frontier_state */
	uint8_t missed; /* timeouts that have passed */
	uint8_t referrers_len;
	/* The first few nodes that listed this one in their reply. */
	struct frontier_node *referrers[DHT_REFERRERS_MAX];
};

enum { FRONTIER_CACHE_LEN = 256 };

struct query_frontier {
	const uint8_t *target; /* borrowed */
	struct frontier_node **at;
	uint32_t len, cap;
	/* By address; a slot holds the latest node that hashes to it. */
	struct frontier_node *cache[FRONTIER_CACHE_LEN];
};

void query_frontier_fini(struct query_frontier *f);

/*
 * Returns the node of this address if it is in the cache. NULL means nothing:
 * it may be in the frontier nevertheless. Most addresses in replies are known
 * already, and for these the cache saves the hash that is the id.
 */
struct frontier_node *query_frontier_lookup(
    const struct query_frontier *f, const struct addr *a);

/*
 * Returns the node of this id, which it adds if needed, or NULL if the query
 * knows l->query_candidates nodes, its host or /24 has its share (only if
 * `shares`), or memory is short.
 */
struct frontier_node *query_frontier_add(struct query_frontier *f,
    const uint8_t id[ID_LEN], const struct addr *a, const struct limits *l,
    bool shares);

/* Returns the nearest node that is NEW, or NULL. */
struct frontier_node *query_frontier_next(const struct query_frontier *f);

/* Returns how many nodes in flight, none of them past its first timeout, are
 * nearer to the target than n. */
uint32_t query_frontier_nearer_in_flight(
    const struct query_frontier *f, const struct frontier_node *n);

/* Returns true if each node in flight has missed at least this many sends. */
bool query_frontier_all_missed(const struct query_frontier *f, unsigned sends);

#endif
