/* SPDX-License-Identifier: ISC */
/*
 * cache.h - a bounded cache of cells, each charged to the source that wrote it.
 *
 * Finds cells by hash and removes them by age. When the cache is full or a
 * source exceeds its share, it evicts from the largest source: its heaviest
 * /24, in that the heaviest address, and of that the oldest cell. A cell is
 * charged by weight; its content belongs to the caller. Reads do not renew a
 * cell, so readers keep nothing alive. Uses: base, crypto.
 */
#ifndef RECORDS_CACHE_H
#define RECORDS_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/stats.h"
#include "crypto/keys.h"
#include "records/source.h"

/* First member of every cell. */
struct cache_item {
	struct pool_index_link index;
	struct chain_link age;  /* in order of the latest write */
	struct chain_link host; /* the same, of one source */
	uint32_t source;
	uint32_t weight;
	uint32_t since_s; /* time of the latest write */
};

/* First member of the cells of caches that are searched by a 32-byte key. */
struct cache_entry {
	struct cache_item item;
	uint8_t key[HASH_LEN];
};

/* The source and the time of a write. */
struct writer {
	const struct addr *from;
	uint32_t now_s;
	bool shares; /* sources are limited to their shares */
};

struct cache_limits {
	uint32_t cells;
	uint32_t weight; /* of all cells; each weighs at least weight/cells */
	uint32_t age_s;
	uint32_t share_host_permille,
	    share_prefix_permille; /* thousandths of the weight */
};

struct cache {
	struct pool cells;
	struct pool_index index;
	struct chain age;
	struct sources sources;
	struct cache_limits limits;
	uint32_t weight;
	struct stats *stats;
	/* Frees what a cell owns before it is removed. Or NULL. */
	void (*gone)(struct cache *c, uint32_t at);
};

/* Returns what a cache of so many cells of this size takes, at most. */
size_t cache_bytes_max(size_t cell, uint32_t cells);

/* Returns the limits of a cache of so many cells which each weigh 1. */
struct cache_limits cache_limits_of(const struct limits *l, uint32_t cells);

/*
 * Initialises an empty cache without allocating. Borrows key and stats. The
 * cache must not be moved afterwards.
 */
void cache_init(struct cache *c, size_t cell, const struct cache_limits *l,
    const struct hash_key *key, struct stats *st,
    void (*gone)(struct cache *c, uint32_t at));
void cache_fini(struct cache *c);

/* Sets new limits and evicts what exceeds them. */
void cache_set_limits(struct cache *c, const struct cache_limits *l);

static inline void *
cache_at(const struct cache *c, uint32_t at)
{
	return pool_at(&c->cells, at);
}

static inline uint32_t
cache_len(const struct cache *c)
{
	return c->cells.len;
}

/* Returns the weight of a cell that owns so many bytes. */
uint32_t cache_weight(const struct cache *c, size_t bytes);

/* Returns whether a cell has reached its maximum age and may not be served. */
static inline bool
cache_expired(const struct cache *c, uint32_t at, uint32_t now_s)
{
	const struct cache_item *it = cache_at(c, at);

	return now_s - it->since_s >= c->limits.age_s;
}

/*
 * Adds a cell with zeroed content, which may evict others. Returns its number,
 * or 0 if memory is short.
 */
uint32_t cache_add(
    struct cache *c, const struct writer *w, uint32_t hash, uint32_t weight);

/*
 * Renews a cell and charges it to the writer; its number and content stay.
 * Returns false if memory is short; then the cell has been removed.
 */
bool cache_renew(
    struct cache *c, const struct writer *w, uint32_t at, uint32_t weight);

void cache_del(struct cache *c, uint32_t at);

/* Returns the entry with a key, or 0 if there is none or it has expired. */
uint32_t cache_find(
    const struct cache *c, uint32_t now_s, const uint8_t key[HASH_LEN]);

/*
 * Renews or adds the entry with a key. Returns its number, or 0 without
 * memory. The content of a renewed entry stays, that of a new one is zeroed.
 */
uint32_t cache_set(struct cache *c, const struct writer *w,
    const uint8_t key[HASH_LEN], uint32_t weight);

enum { CACHE_EMPTY = UINT32_MAX }; /* returned if no cell is left to expire */

/*
 * Removes a bounded number of expired cells. Returns the seconds until it
 * should be called again, or CACHE_EMPTY.
 */
uint32_t cache_expire(struct cache *c, uint32_t now_s);

/* Does the same for several caches. Returns the shortest time. */
uint32_t cache_expire_all(
    struct cache *const *caches, size_t caches_len, uint32_t now_s);

#endif
