/* SPDX-License-Identifier: ISC */
/*
 * cache.h - a bounded store of cells, each on the account of who wrote it.
 *
 * Finds cells by hash, forgets them by age, and when it is full, or a source
 * has its share, takes from the biggest source: its heaviest /24, there the
 * heaviest address, of that the oldest cell. What a cell is worth is its
 * weight; its content is the owner's. Reading renews nothing, so nothing is
 * kept alive by those who read. Uses: base, crypto.
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
	struct index_link index;
	struct chain_link age;  /* of all, latest written last */
	struct chain_link host; /* the same of its source */
	uint32_t source;
	uint32_t weight;
	uint32_t since_s;
};

/* First member of the cells of caches that are asked by a 32-byte key. */
struct cache_entry {
	struct cache_item item;
	uint8_t key[HASH_LEN];
};

/* Who writes, and when. */
struct writer {
	const struct addr *from;
	uint32_t now_s;
	bool shares; /* sources are held to their shares */
};

struct cache_limits {
	uint32_t cells;
	uint32_t weight; /* of all cells; each weighs at least weight/cells */
	uint32_t age_s;
	uint32_t share_host, share_prefix; /* thousandths of the weight */
};

struct cache {
	struct pool cells;
	struct index index;
	struct chain age;
	struct sources sources;
	struct cache_limits limits;
	uint32_t weight;
	struct stats *stats;
	/* A cell is about to go: lets go of what it owns. Or NULL. */
	void (*gone)(struct cache *c, uint32_t at);
};

/* Of a cache in which each of so many cells weighs 1. */
struct cache_limits cache_limits_of(const struct limits *l, uint32_t cells);

/* Borrows key and stats. Must not be moved afterwards. No memory yet. */
void cache_init(struct cache *c, size_t cell, const struct cache_limits *l,
    const struct hash_key *key, struct stats *st,
    void (*gone)(struct cache *c, uint32_t at));
void cache_fini(struct cache *c);

/* New limits; what is above them goes. */
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

/* The weight of a cell that stands for so many bytes. */
uint32_t cache_weight(const struct cache *c, size_t bytes);

/* True if the cell has reached its age: it is not to be served. */
static inline bool
cache_expired(const struct cache *c, uint32_t at, uint32_t now_s)
{
	const struct cache_item *it = cache_at(c, at);

	return now_s - it->since_s >= c->limits.age_s;
}

/* A cell with zeroed content, or 0: out of memory. Others may go for it. */
uint32_t cache_add(
    struct cache *c, const struct writer *w, uint32_t hash, uint32_t weight);

/* The cell is written anew; it keeps its number. False: it is gone. */
bool cache_renew(
    struct cache *c, const struct writer *w, uint32_t at, uint32_t weight);

void cache_del(struct cache *c, uint32_t at);

/* The entry with that key, 0 if there is none or it has expired. */
uint32_t cache_find(
    const struct cache *c, uint32_t now_s, const uint8_t key[HASH_LEN]);

/*
 * The entry with that key, written anew or added; 0: out of memory. Its
 * content is as it was, or zeroed.
 */
uint32_t cache_set(struct cache *c, const struct writer *w,
    const uint8_t key[HASH_LEN], uint32_t weight);

/* Drops what has reached its age, a bounded number; when to come again. */
uint32_t cache_expire(struct cache *c, uint32_t now_s);

enum { CACHE_EMPTY = UINT32_MAX }; /* as seconds until then: nothing held */

#endif
