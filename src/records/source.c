/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "records/source.h"

enum { HEAP_MIN = 16 };

static const size_t sibling = offsetof(struct source_host, sibling);

size_t
sources_bytes_max(uint32_t cells)
{
	/* The heap doubles like an index. */
	return pool_bytes_max(sizeof(struct source_host), cells) +
	       pool_bytes_max(sizeof(struct source_prefix), cells) +
	       3 * pool_index_bytes_max(cells);
}

void
sources_init(struct sources *s, const struct hash_key *key)
{
	*s = (struct sources){.key = key};
	pool_init(&s->hosts, sizeof(struct source_host), UINT32_MAX);
	pool_init(&s->prefixes, sizeof(struct source_prefix), UINT32_MAX);
	pool_index_init(
	    &s->by_host, &s->hosts, offsetof(struct source_host, index));
	pool_index_init(
	    &s->by_prefix, &s->prefixes, offsetof(struct source_prefix, index));
}

void
sources_fini(struct sources *s)
{
	pool_index_fini(&s->by_host);
	pool_index_fini(&s->by_prefix);
	pool_fini(&s->hosts);
	pool_fini(&s->prefixes);
	free(s->heap);
	s->heap = NULL;
	s->heap_cap = 0;
}

static uint32_t
find_host(const struct sources *s, uint64_t key, uint32_t hash)
{
	uint32_t i = pool_index_first(&s->by_host, hash);

	while (i != 0 && sources_host(s, i)->key != key)
		i = pool_index_next(&s->by_host, i);
	return i;
}

static uint32_t
find_prefix(const struct sources *s, uint64_t key, uint32_t hash)
{
	uint32_t i = pool_index_first(&s->by_prefix, hash);

	while (i != 0 && sources_prefix(s, i)->key != key)
		i = pool_index_next(&s->by_prefix, i);
	return i;
}

uint32_t
sources_find(const struct sources *s, const struct addr *a)
{
	uint64_t key = addr_host_key(a);

	return find_host(s, key, hash_u64(s->key, key));
}

static uint32_t
weight_at(const struct sources *s, uint32_t place)
{
	return sources_prefix(s, s->heap[place])->weight;
}

static void
set_place(struct sources *s, uint32_t place, uint32_t prefix)
{
	s->heap[place] = prefix;
	sources_prefix(s, prefix)->place = place;
}

static void
sift_up(struct sources *s, uint32_t prefix)
{
	struct source_prefix *p = sources_prefix(s, prefix);
	uint32_t i = p->place;

	for (; i > 0 && weight_at(s, (i - 1) / 2) < p->weight; i = (i - 1) / 2)
		set_place(s, i, s->heap[(i - 1) / 2]);
	set_place(s, i, prefix);
}

static void
sift_down(struct sources *s, uint32_t prefix)
{
	struct source_prefix *p = sources_prefix(s, prefix);
	uint32_t i = p->place, n = s->prefixes.len;

	for (uint32_t c = 2 * i + 1; c < n; c = 2 * i + 1) {
		if (c + 1 < n && weight_at(s, c + 1) > weight_at(s, c))
			c++;
		if (weight_at(s, c) <= p->weight)
			break;
		set_place(s, i, s->heap[c]);
		i = c;
	}
	set_place(s, i, prefix);
}

/* Grows the heap to hold one more prefix. Returns false if memory is short. */
static bool
reserve_place(struct sources *s)
{
	uint32_t cap = s->heap_cap > 0 ? 2 * s->heap_cap : HEAP_MIN;
	uint32_t *heap;

	if (s->prefixes.len < s->heap_cap)
		return true;
	heap = realloc(s->heap, cap * sizeof *heap);
	if (heap == NULL)
		return false;
	s->heap = heap;
	s->heap_cap = cap;
	return true;
}

static uint32_t
find_or_add_prefix(struct sources *s, uint64_t key)
{
	uint32_t hash = hash_u64(s->key, key), place = s->prefixes.len;
	uint32_t i = find_prefix(s, key, hash);

	if (i != 0)
		return i;
	if (!reserve_place(s) || (i = pool_get(&s->prefixes)) == 0)
		return 0;
	if (pool_index_add(&s->by_prefix, i, hash) != 0) {
		pool_put(&s->prefixes, i);
		return 0;
	}
	sources_prefix(s, i)->key = key;
	set_place(s, place, i);
	return i;
}

/* Removes a prefix; the last one of the heap moves to its place. */
static void
drop_prefix(struct sources *s, uint32_t prefix)
{
	uint32_t place = sources_prefix(s, prefix)->place;
	uint32_t last = s->heap[s->prefixes.len - 1];

	pool_index_del(&s->by_prefix, prefix);
	pool_put(&s->prefixes, prefix);
	if (last == prefix)
		return;
	set_place(s, place, last);
	sift_up(s, last);
	sift_down(s, last);
}

static uint32_t
find_or_add_host(struct sources *s, const struct addr *a)
{
	uint64_t key = addr_host_key(a);
	uint32_t hash = hash_u64(s->key, key);
	uint32_t i = find_host(s, key, hash), prefix;
	struct source_host *h;

	if (i != 0)
		return i;
	prefix = find_or_add_prefix(s, addr_prefix_key(a));
	if (prefix == 0)
		return 0;
	i = pool_get(&s->hosts);
	if (i != 0 && pool_index_add(&s->by_host, i, hash) != 0) {
		pool_put(&s->hosts, i);
		i = 0;
	}
	if (i == 0) {
		if (sources_prefix(s, prefix)->hosts.first == 0)
			drop_prefix(s, prefix);
		return 0;
	}
	h = sources_host(s, i);
	h->key = key;
	h->prefix = prefix;
	chain_push(&sources_prefix(s, prefix)->hosts, &s->hosts, sibling, i);
	return i;
}

uint32_t
sources_add(struct sources *s, const struct addr *a, uint32_t weight)
{
	uint32_t host = find_or_add_host(s, a);
	struct source_host *h;

	if (host == 0)
		return 0;
	h = sources_host(s, host);
	h->weight += weight;
	sources_prefix(s, h->prefix)->weight += weight;
	sift_up(s, h->prefix);
	return host;
}

void
sources_sub(struct sources *s, uint32_t host, uint32_t weight)
{
	struct source_host *h = sources_host(s, host);
	uint32_t prefix = h->prefix;
	struct source_prefix *p = sources_prefix(s, prefix);

	h->weight -= weight;
	p->weight -= weight;
	if (h->weight == 0) {
		chain_del(&p->hosts, &s->hosts, sibling, host);
		pool_index_del(&s->by_host, host);
		pool_put(&s->hosts, host);
	}
	if (p->weight == 0)
		drop_prefix(s, prefix);
	else
		sift_down(s, prefix);
}

uint32_t
sources_heaviest(const struct sources *s)
{
	return s->prefixes.len > 0 ? s->heap[0] : 0;
}

uint32_t
sources_heaviest_host(const struct sources *s, uint32_t prefix)
{
	uint32_t best = 0, weight = 0;
	uint32_t i = sources_prefix(s, prefix)->hosts.first;

	while (i != 0) {
		const struct source_host *h = sources_host(s, i);

		if (h->items.first != 0 && h->weight > weight) {
			best = i;
			weight = h->weight;
		}
		i = h->sibling.next;
	}
	return best;
}
