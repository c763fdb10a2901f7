/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "signal/prefix_budget.h"

/*
 * Cells checked for a new prefix while the table is full. Buckets fill up in
 * seconds: to keep even these few from being full, an attacker has to spend
 * thousands of budgets continuously.
 */
enum { EVICT_CHECKS = 16 };

struct prefix_budget_cell {
	struct pool_index_link link; /* first member: the index finds it */
	uint64_t key;
	struct bucket bucket;
};

size_t
prefix_budget_bytes_max(uint32_t buckets)
{
	return pool_bytes_max(sizeof(struct prefix_budget_cell), buckets) +
	       pool_index_bytes_max(buckets);
}

void
prefix_budget_init(
    struct prefix_budgets *pb, const struct core *core, uint32_t max)
{
	pb->core = core;
	pb->cursor = 0;
	pool_init(&pb->pool, sizeof(struct prefix_budget_cell), max);
	pool_index_init(
	    &pb->index, &pb->pool, offsetof(struct prefix_budget_cell, link));
}

void
prefix_budget_set_max(struct prefix_budgets *pb, uint32_t max)
{
	pb->pool.limit = max;
}

void
prefix_budget_fini(struct prefix_budgets *pb)
{
	pool_index_fini(&pb->index);
	pool_fini(&pb->pool);
}

static uint32_t
now_ms(const struct prefix_budgets *pb)
{
	return (uint32_t)(pb->core->world->now_us / 1000);
}

/*
 * Returns a bucket after a refill. One that was not used for 49 days can appear
 * emptier than it is for a few seconds.
 */
static struct bucket *
refill_cell(const struct prefix_budgets *pb, struct prefix_budget_cell *c,
    const struct prefix_budget_rate *r)
{
	bucket_refill(&c->bucket, r->burst, r->rate, now_ms(pb));
	return &c->bucket;
}

/*
 * Evicts full buckets until there is space for one more. A lowered maximum may
 * take several calls. Returns false if there is no space yet.
 */
static bool
evict_full(struct prefix_budgets *pb, const struct prefix_budget_rate *r)
{
	for (int i = 0; i < EVICT_CHECKS && pb->pool.len >= pb->pool.limit;
	     i++) {
		uint32_t at = pool_next(&pb->pool, &pb->cursor);

		if (at == 0 ||
		    refill_cell(pb, pool_at(&pb->pool, at), r)->left < r->burst)
			continue;
		pool_index_del(&pb->index, at);
		pool_put(&pb->pool, at);
	}
	return pb->pool.len < pb->pool.limit;
}

static struct bucket *
add_cell(struct prefix_budgets *pb, uint64_t key, uint32_t hash,
    const struct prefix_budget_rate *r)
{
	uint32_t at;
	struct prefix_budget_cell *c;

	if (!evict_full(pb, r))
		return NULL;
	at = pool_get(&pb->pool);
	if (at == 0)
		return NULL;
	if (pool_index_add(&pb->index, at, hash) != 0) {
		pool_put(&pb->pool, at);
		return NULL;
	}
	c = pool_at(&pb->pool, at);
	c->key = key;
	c->bucket = bucket_full(r->burst, now_ms(pb));
	return &c->bucket;
}

static struct bucket *
get_cell(
    struct prefix_budgets *pb, uint64_t key, const struct prefix_budget_rate *r)
{
	uint32_t hash = hash_u64(&pb->core->hash_key, key);
	uint32_t at = pool_index_first(&pb->index, hash);

	for (; at != 0; at = pool_index_next(&pb->index, at)) {
		struct prefix_budget_cell *c = pool_at(&pb->pool, at);

		if (c->key == key)
			return refill_cell(pb, c, r);
	}
	return add_cell(pb, key, hash, r);
}

struct bucket *
prefix_budget_get(struct prefix_budgets *pb, const struct addr *from,
    const struct prefix_budget_rate *r)
{
	return get_cell(pb, addr_prefix_key(from), r);
}

struct bucket *
prefix_budget_get_through(struct prefix_budgets *pb, const struct addr *from,
    const struct addr *relay, const struct prefix_budget_rate *r)
{
	const struct hash_key *key = &pb->core->hash_key;
	uint64_t both[] = {addr_prefix_key(from), addr_prefix_key(relay), 0};
	uint64_t high = hash_bytes(key, both, sizeof both);

	both[2] = 1;
	return get_cell(pb, high << 32 | hash_bytes(key, both, sizeof both), r);
}

struct bucket *
prefix_budget_get_host(struct prefix_budgets *pb, const struct addr *host,
    const struct prefix_budget_rate *r)
{
	return get_cell(pb, addr_host_key(host), r);
}
