/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "records/cache.h"

/* Cells removed in one call: a mass expiry must not block the node. */
enum { EXPIRE_MAX = 256, EXPIRE_AGAIN_S = 1 };

static const size_t by_age = offsetof(struct cache_item, age);
static const size_t by_host = offsetof(struct cache_item, host);

size_t
cache_bytes_max(size_t cell, uint32_t cells)
{
	return pool_bytes_max(cell, cells) + pool_index_bytes_max(cells) +
	       sources_bytes_max(cells);
}

struct cache_limits
cache_limits_of(const struct limits *l, uint32_t cells)
{
	return (struct cache_limits){
	    .cells = cells,
	    .weight = cells,
	    .age_s = l->record_seconds,
	    .share_host_permille = l->share_host_permille,
	    .share_prefix_permille = l->share_prefix_permille,
	};
}

void
cache_init(struct cache *c, size_t cell, const struct cache_limits *l,
    const struct hash_key *key, struct stats *st,
    void (*gone)(struct cache *c, uint32_t at))
{
	*c = (struct cache){.limits = *l, .stats = st, .gone = gone};
	pool_init(&c->cells, cell, l->cells);
	pool_index_init(
	    &c->index, &c->cells, offsetof(struct cache_item, index));
	sources_init(&c->sources, key);
}

void
cache_fini(struct cache *c)
{
	while (c->age.first != 0)
		cache_del(c, c->age.first);
	pool_index_fini(&c->index);
	pool_fini(&c->cells);
	sources_fini(&c->sources);
}

uint32_t
cache_weight(const struct cache *c, size_t bytes)
{
	uint32_t average = c->limits.weight / c->limits.cells;
	uint32_t least = average > 0 ? average : 1;

	return bytes > least ? (uint32_t)bytes : least;
}

/* Appends a cell, which its source is already charged for, to the chains. */
static void
link_item(struct cache *c, const struct writer *w, uint32_t at, uint32_t source,
    uint32_t weight)
{
	struct cache_item *it = cache_at(c, at);

	it->source = source;
	it->weight = weight;
	it->since_s = w->now_s;
	chain_push(&c->age, &c->cells, by_age, at);
	chain_push(
	    &sources_host(&c->sources, source)->items, &c->cells, by_host, at);
}

/* Removes a cell from the chains and from the account of its source. */
static void
unlink_item(struct cache *c, uint32_t at)
{
	const struct cache_item *it = cache_at(c, at);

	chain_del(&c->age, &c->cells, by_age, at);
	chain_del(&sources_host(&c->sources, it->source)->items, &c->cells,
	    by_host, at);
	c->weight -= it->weight;
	sources_sub(&c->sources, it->source, it->weight);
}

static void
release_cell(struct cache *c, uint32_t at)
{
	if (c->gone != NULL)
		c->gone(c, at);
	pool_index_del(&c->index, at);
	pool_put(&c->cells, at);
}

void
cache_del(struct cache *c, uint32_t at)
{
	unlink_item(c, at);
	release_cell(c, at);
}

static void
evict_cell(struct cache *c, uint32_t at)
{
	cache_del(c, at);
	c->stats->records_evicted++;
}

static uint32_t
share_weight(const struct cache *c, uint32_t thousandths)
{
	return (uint32_t)((uint64_t)c->limits.weight * thousandths / 1000);
}

static uint32_t
find_oldest(const struct cache *c, uint32_t prefix)
{
	uint32_t host = sources_heaviest_host(&c->sources, prefix);

	return host != 0 ? sources_host(&c->sources, host)->items.first : 0;
}

/* Returns the cell to evict from a full cache, or 0 if it is empty. */
static uint32_t
find_victim(const struct cache *c)
{
	uint32_t prefix = sources_heaviest(&c->sources);
	uint32_t at = prefix != 0 ? find_oldest(c, prefix) : 0;
	const struct cache_item *it;

	if (at == 0)
		return c->age.first;
	/* If no source holds more than one cell, the oldest of all is it. */
	it = cache_at(c, at);
	if (it->weight == sources_prefix(&c->sources, prefix)->weight)
		return c->age.first;
	return at;
}

/*
 * Evicts cells until the shares and the weight fit again. The new cell is
 * charged to `source` but not on any chain yet, so it is not evicted itself: a
 * source may always hold one cell.
 */
static void
make_space(struct cache *c, const struct writer *w, uint32_t source)
{
	struct source_host *h = sources_host(&c->sources, source);
	struct source_prefix *p = sources_prefix(&c->sources, h->prefix);
	uint32_t host_max = share_weight(c, c->limits.share_host_permille);
	uint32_t prefix_max = share_weight(c, c->limits.share_prefix_permille),
		 at;

	while (w->shares && h->weight > host_max && h->items.first != 0)
		evict_cell(c, h->items.first);
	while (w->shares && p->weight > prefix_max &&
	       (at = find_oldest(c, h->prefix)) != 0)
		evict_cell(c, at);
	while (c->weight > c->limits.weight && (at = find_victim(c)) != 0)
		evict_cell(c, at);
}

/*
 * Charges a new cell to its source and makes space for it. Returns the source,
 * or 0 if memory is short.
 */
static uint32_t
charge_source(struct cache *c, const struct writer *w, uint32_t weight)
{
	uint32_t source = sources_add(&c->sources, w->from, weight);

	if (source != 0) {
		c->weight += weight;
		make_space(c, w, source);
	}
	return source;
}

static uint32_t
alloc_cell(struct cache *c, uint32_t hash)
{
	uint32_t at = pool_get(&c->cells);

	if (at != 0 && pool_index_add(&c->index, at, hash) != 0) {
		pool_put(&c->cells, at);
		at = 0;
	}
	return at;
}

uint32_t
cache_add(
    struct cache *c, const struct writer *w, uint32_t hash, uint32_t weight)
{
	uint32_t source = charge_source(c, w, weight), at;

	if (source == 0)
		return 0;
	/* Usually the weight is used up first; rounding can leave a rest. */
	while (cache_len(c) >= c->limits.cells && (at = find_victim(c)) != 0)
		evict_cell(c, at);
	at = alloc_cell(c, hash);
	if (at == 0) {
		c->weight -= weight;
		sources_sub(&c->sources, source, weight);
		return 0;
	}
	link_item(c, w, at, source, weight);
	return at;
}

bool
cache_renew(
    struct cache *c, const struct writer *w, uint32_t at, uint32_t weight)
{
	uint32_t source;

	unlink_item(c, at);
	source = charge_source(c, w, weight);
	if (source == 0) {
		release_cell(c, at);
		return false;
	}
	link_item(c, w, at, source, weight);
	return true;
}

static uint32_t
find_entry(const struct cache *c, uint32_t hash, const uint8_t key[HASH_LEN])
{
	uint32_t i = pool_index_first(&c->index, hash);

	while (i != 0) {
		const struct cache_entry *e = cache_at(c, i);

		if (memcmp(e->key, key, HASH_LEN) == 0)
			break;
		i = pool_index_next(&c->index, i);
	}
	return i;
}

uint32_t
cache_find(const struct cache *c, uint32_t now_s, const uint8_t key[HASH_LEN])
{
	uint32_t at = 0;

	/* Skips the cost of the hash while the cache is empty. */
	if (cache_len(c) > 0)
		at = find_entry(
		    c, hash_bytes(c->sources.key, key, HASH_LEN), key);
	return at != 0 && !cache_expired(c, at, now_s) ? at : 0;
}

uint32_t
cache_set(struct cache *c, const struct writer *w, const uint8_t key[HASH_LEN],
    uint32_t weight)
{
	uint32_t hash = hash_bytes(c->sources.key, key, HASH_LEN);
	uint32_t at = find_entry(c, hash, key);
	struct cache_entry *e;

	if (at != 0)
		return cache_renew(c, w, at, weight) ? at : 0;
	at = cache_add(c, w, hash, weight);
	if (at != 0) {
		e = cache_at(c, at);
		memcpy(e->key, key, HASH_LEN);
	}
	return at;
}

void
cache_set_limits(struct cache *c, const struct cache_limits *l)
{
	uint32_t at;

	c->limits = *l;
	c->cells.limit = l->cells;
	while ((cache_len(c) > l->cells || c->weight > l->weight) &&
	       (at = find_victim(c)) != 0)
		evict_cell(c, at);
}

uint32_t
cache_expire(struct cache *c, uint32_t now_s)
{
	const struct cache_item *it;

	for (int i = 0; i < EXPIRE_MAX && c->age.first != 0; i++) {
		if (!cache_expired(c, c->age.first, now_s))
			break;
		cache_del(c, c->age.first);
		c->stats->records_expired++;
	}
	if (c->age.first == 0)
		return CACHE_EMPTY;
	if (cache_expired(c, c->age.first, now_s))
		return EXPIRE_AGAIN_S;
	it = cache_at(c, c->age.first);
	return c->limits.age_s - (now_s - it->since_s);
}

uint32_t
cache_expire_all(struct cache *const *caches, size_t caches_len, uint32_t now_s)
{
	uint32_t next = CACHE_EMPTY;

	for (size_t i = 0; i < caches_len; i++) {
		uint32_t s = cache_expire(caches[i], now_s);

		if (s < next)
			next = s;
	}
	return next;
}
