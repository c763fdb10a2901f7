/* SPDX-License-Identifier: ISC */
/*
 * source.h - accounts for how much of a cache each address and /24 holds.
 *
 * A host has a chain of the cells that it wrote, oldest first, and belongs to a
 * /24 (IPv6: /56). A heap has the heaviest /24 on top, so that a full cache
 * evicts from the source that holds most. Cells are known only by number; there
 * are never more hosts than cells. Uses: base.
 */
#ifndef RECORDS_SOURCE_H
#define RECORDS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/pool.h"

struct source_host {
	struct pool_index_link index;
	uint64_t key;
	struct chain items; /* cells of the cache, linked by cache.c */
	struct chain_link sibling;
	uint32_t prefix;
	uint32_t weight; /* of the items, in units of the cache */
	uint32_t mark;   /* a counter for use within one operation */
	uint32_t last_seen_s;
};

struct source_prefix {
	struct pool_index_link index;
	uint64_t key;
	struct chain hosts;
	uint32_t place; /* in the heap */
	uint32_t weight;
	uint32_t mark;
};

struct sources {
	const struct hash_key *key;
	struct pool hosts, prefixes;
	struct pool_index by_host, by_prefix;
	uint32_t *heap; /* numbers of prefixes, heaviest first */
	uint32_t heap_cap;
};

/* Returns what the sources of so many cells take, at most. */
size_t sources_bytes_max(uint32_t cells);

/* Borrows the key. The struct must not be moved afterwards. */
void sources_init(struct sources *s, const struct hash_key *key);
void sources_fini(struct sources *s);

static inline struct source_host *
sources_host(const struct sources *s, uint32_t host)
{
	return pool_at(&s->hosts, host);
}

static inline struct source_prefix *
sources_prefix(const struct sources *s, uint32_t prefix)
{
	return pool_at(&s->prefixes, prefix);
}

/* Returns the number of a host that holds a cell, or 0. */
uint32_t sources_find(const struct sources *s, const struct addr *a);

/*
 * Charges weight, which must not be 0, to a host. Returns the number of the
 * host, or 0 if memory is short.
 */
uint32_t sources_add(struct sources *s, const struct addr *a, uint32_t weight);

/* Discharges weight. A host whose weight reaches 0 is removed. */
void sources_sub(struct sources *s, uint32_t host, uint32_t weight);

/* Returns the heaviest prefix, or 0 if there is none. */
uint32_t sources_heaviest(const struct sources *s);

/* Returns the heaviest host of a prefix that has cells, or 0. */
uint32_t sources_heaviest_host(const struct sources *s, uint32_t prefix);

#endif
