/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "dht/query_frontier.h"

enum { FRONTIER_CAP_FIRST = 64 };

void
query_frontier_fini(struct query_frontier *f)
{
	for (uint32_t i = 0; i < f->len; i++)
		free(f->at[i]);
	free(f->at);
}

/* Returns the cache slot of an address. Its hash has no key: an attacker that
 * forces collisions only makes us compute an id that was in the cache. */
static uint32_t
cache_slot(const struct addr *a)
{
	uint64_t key = addr_host_key(a) << 16 | a->port;

	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

struct frontier_node *
query_frontier_lookup(const struct query_frontier *f, const struct addr *a)
{
	struct frontier_node *n = f->cache[cache_slot(a)];

	return n != NULL && addr_equal(&n->addr, a) ? n : NULL;
}

/*
 * Returns the place of this id by its distance; *found is set if it is there.
 */
static uint32_t
find_place(const struct query_frontier *f, const uint8_t *id, bool *found)
{
	uint32_t low = 0, high = f->len;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (id_compare(f->target, f->at[mid]->id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < f->len && id_equal(f->at[low]->id, id);
	return low;
}

static bool
reserve_place(struct query_frontier *f, uint32_t limit)
{
	uint32_t cap = f->cap > 0 ? f->cap * 2 : FRONTIER_CAP_FIRST;
	struct frontier_node **at;

	if (f->len >= limit)
		return false;
	if (f->len < f->cap)
		return true;
	at = realloc(f->at, cap * sizeof(struct frontier_node *));
	if (at == NULL)
		return false;
	f->at = at;
	f->cap = cap;
	return true;
}

/* Returns true if one more node of this host and /24 may be added. Without this
 * one host could make us query all of its ports. */
static bool
has_share(const struct query_frontier *f, const struct addr *a,
    const struct limits *l)
{
	uint32_t host = 0, prefix = 0;

	for (uint32_t i = 0; i < f->len; i++) {
		if (f->at[i]->state == FRONTIER_FAILED)
			continue;
		host += addr_same_host(&f->at[i]->addr, a);
		prefix += addr_same_prefix(&f->at[i]->addr, a);
	}
	return host < l->table_host && prefix < l->table_prefix;
}

struct frontier_node *
query_frontier_add(struct query_frontier *f, const uint8_t id[ID_LEN],
    const struct addr *a, const struct limits *l, bool shares)
{
	struct frontier_node *n;
	bool found;
	uint32_t i = find_place(f, id, &found);

	if (found)
		return f->at[i];
	if ((shares && !has_share(f, a, l)) ||
	    !reserve_place(f, l->query_candidates) ||
	    (n = calloc(1, sizeof *n)) == NULL)
		return NULL;
	n->addr = *a;
	memcpy(n->id, id, ID_LEN);
	memmove(&f->at[i + 1], &f->at[i], (f->len - i) * sizeof *f->at);
	f->at[i] = n;
	f->len++;
	f->cache[cache_slot(a)] = n;
	return n;
}

struct frontier_node *
query_frontier_next(const struct query_frontier *f)
{
	for (uint32_t i = 0; i < f->len; i++)
		if (f->at[i]->state == FRONTIER_NEW)
			return f->at[i];
	return NULL;
}

uint32_t
query_frontier_nearer_in_flight(
    const struct query_frontier *f, const struct frontier_node *n)
{
	uint32_t count = 0;

	/* Nearest first. */
	for (uint32_t i = 0; i < f->len && f->at[i] != n; i++)
		count += f->at[i]->state == FRONTIER_IN_FLIGHT &&
			 f->at[i]->missed == 0;
	return count;
}

bool
query_frontier_all_missed(const struct query_frontier *f, unsigned sends)
{
	for (uint32_t i = 0; i < f->len; i++)
		if (f->at[i]->state == FRONTIER_IN_FLIGHT &&
		    f->at[i]->missed < sends)
			return false;
	return true;
}
