/* SPDX-License-Identifier: ISC */
/*
 * source.h - how much of a cache each address and each /24 holds.
 *
 * Hosts with the chain of what they hold, oldest first; the /24 (IPv6: /56)
 * that they belong to; and a heap of these, biggest on top, so that a cache
 * that is full takes from whoever holds most. Knows no cell of the cache but
 * by its number; there are as many hosts as cells at most. Uses: base.
 */
#ifndef RECORDS_SOURCE_H
#define RECORDS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/pool.h"

struct source_host {
	struct index_link index;
	uint64_t key;
	struct chain items; /* cells of the cache; kept by cache.c */
	struct chain_link sibling;
	uint32_t prefix;
	uint32_t weight; /* of the items, in units of the cache */
	uint32_t mark;   /* a counter to use within one operation */
	uint32_t heard_s;
};

struct source_prefix {
	struct index_link index;
	uint64_t key;
	struct chain hosts;
	uint32_t place; /* in the heap */
	uint32_t weight;
	uint32_t mark;
};

struct sources {
	const struct hash_key *key;
	struct pool hosts, prefixes;
	struct index by_host, by_prefix;
	uint32_t *heap; /* numbers of prefixes, heaviest first */
	uint32_t heap_cap;
};

/* Borrows the key. Must not be moved afterwards. */
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

/* The number of a host that holds something, or 0. */
uint32_t sources_find(const struct sources *s, const struct addr *a);

/* Adds weight (not 0) to the account of a host; its number, 0: no memory. */
uint32_t sources_add(struct sources *s, const struct addr *a, uint32_t weight);

/* Takes it off; a host whose weight is 0 is gone. */
void sources_sub(struct sources *s, uint32_t host, uint32_t weight);

/* The heaviest prefix, or 0 if there is none. */
uint32_t sources_heaviest(const struct sources *s);

/* Its heaviest host that has items, or 0. At most 256 are looked at. */
uint32_t sources_heaviest_host(const struct sources *s, uint32_t prefix);

#endif
