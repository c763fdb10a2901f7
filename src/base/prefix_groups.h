/* SPDX-License-Identifier: ISC */
/*
 * prefix_groups.h - counts the cells of a pool by the prefix of an address.
 *
 * A share per /24 (IPv4) or /56 (IPv6) needs the number of cells that a prefix
 * holds, and the oldest of them to evict it. Both take constant time here,
 * however many cells there are. Uses: base.
 */
#ifndef BASE_PREFIX_GROUPS_H
#define BASE_PREFIX_GROUPS_H

#include "base/addr.h"
#include "base/hash.h"
#include "base/pool.h"

/* A member of each cell that is counted. */
struct prefix_member {
	struct chain_link chain;
	uint32_t group; /* 0: the cell is not counted */
};

struct prefix_groups {
	const struct hash_key *key;
	const struct pool *cells;
	size_t offset; /* of the prefix_member within a cell */
	struct pool pool;
	struct pool_index index;
};

/* Returns what the groups of so many cells take, at most. */
size_t prefix_groups_bytes_max(uint32_t cells);

/* Borrows the key and the pool, which must live longer than the groups. */
void prefix_groups_init(struct prefix_groups *g, const struct hash_key *key,
    const struct pool *cells, size_t offset);
void prefix_groups_fini(struct prefix_groups *g);

/* Counts a cell, as the newest of its prefix. Returns 0 or ERR_MEMORY. */
int prefix_groups_add(struct prefix_groups *g, uint32_t at,
    const struct addr *a) __attribute__((warn_unused_result));

/* Ends the counting of a cell; does nothing if it is not counted. */
void prefix_groups_remove(struct prefix_groups *g, uint32_t at);

/* Returns how many cells the prefix of this address holds. */
uint32_t prefix_groups_count(
    const struct prefix_groups *g, const struct addr *a);

/* Returns the oldest cell of the prefix of this address, or 0. */
uint32_t prefix_groups_oldest(
    const struct prefix_groups *g, const struct addr *a);

#endif
