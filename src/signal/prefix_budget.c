/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "signal/prefix_budget.h"

/*
 * Cells looked at for a newcomer while the table is full. Buckets fill up in
 * seconds, so to keep even these few from being free an attacker must spend
 * thousands of budgets at once, all the time.
 */
enum { LOOK_AT = 16 };

struct prefix_budget_cell {
	struct index_link link; /* first: what the index finds */
	uint64_t key;
	struct bucket bucket;
};

void
prefix_budget_init(
    struct prefix_budgets *a, const struct core *core, uint32_t max)
{
	a->core = core;
	a->hand = 1;
	pool_init(&a->pool, sizeof(struct prefix_budget_cell), max);
	index_init(
	    &a->index, &a->pool, offsetof(struct prefix_budget_cell, link));
}

void
prefix_budget_set_max(struct prefix_budgets *a, uint32_t max)
{
	a->pool.limit = max;
}

void
prefix_budget_fini(struct prefix_budgets *a)
{
	index_fini(&a->index);
	pool_fini(&a->pool);
}

static uint32_t
now_ms(const struct prefix_budgets *a)
{
	return (uint32_t)(a->core->world->now_us / 1000);
}

/*
 * The bucket, up to date. One that has not been asked for in 49 days may look
 * emptier than it is; a few seconds later it is not.
 */
static struct bucket *
refreshed(const struct prefix_budgets *a, struct prefix_budget_cell *c,
    const struct prefix_budget_rate *r)
{
	bucket_refill(&c->bucket, r->burst, r->rate, now_ms(a));
	return &c->bucket;
}

/* Frees a cell whose bucket is full; every cell of a full table is in use. */
static bool
make_room(struct prefix_budgets *a, const struct prefix_budget_rate *r)
{
	for (int i = 0; i < LOOK_AT; i++) {
		uint32_t at = a->hand;
		struct prefix_budget_cell *c = pool_at(&a->pool, at);

		a->hand = at < a->pool.top ? at + 1 : 1;
		if (refreshed(a, c, r)->left < r->burst)
			continue;
		index_del(&a->index, at);
		pool_put(&a->pool, at);
		return true;
	}
	return false;
}

static struct bucket *
add(struct prefix_budgets *a, uint64_t key, uint32_t hash,
    const struct prefix_budget_rate *r)
{
	uint32_t at;
	struct prefix_budget_cell *c;

	if (a->pool.len >= a->pool.limit && !make_room(a, r))
		return NULL;
	at = pool_get(&a->pool);
	if (at == 0)
		return NULL;
	if (index_add(&a->index, at, hash) != 0) {
		pool_put(&a->pool, at);
		return NULL;
	}
	c = pool_at(&a->pool, at);
	c->key = key;
	c->bucket = bucket_full(r->burst, now_ms(a));
	return &c->bucket;
}

struct bucket *
prefix_budget_get(struct prefix_budgets *a, const struct addr *from,
    const struct prefix_budget_rate *r)
{
	uint64_t key = addr_prefix_key(from);
	uint32_t hash = hash_u64(&a->core->hash_key, key);
	uint32_t at = index_first(&a->index, hash);

	for (; at != 0; at = index_next(&a->index, at)) {
		struct prefix_budget_cell *c = pool_at(&a->pool, at);

		if (c->key == key)
			return refreshed(a, c, r);
	}
	return add(a, key, hash, r);
}
