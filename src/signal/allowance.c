/* SPDX-License-Identifier: ISC */
#include "base/bucket.h"
#include "signal/allowance.h"

/*
 * Cells looked at for a newcomer while the table is full. Buckets fill up in
 * seconds, so to keep even these few from being free an attacker must spend
 * thousands of budgets at once, all the time.
 */
enum { LOOK_AT = 16 };

struct cell {
	struct index_link link; /* first: what the index finds */
	uint64_t key;
	struct bucket bytes;
};

static void
table_init(struct allowance_table *t, uint32_t limit)
{
	pool_init(&t->pool, sizeof(struct cell), limit);
	index_init(&t->index, &t->pool, offsetof(struct cell, link));
	t->hand = 1;
}

static void
table_fini(struct allowance_table *t)
{
	index_fini(&t->index);
	pool_fini(&t->pool);
}

void
allowance_init(struct allowance *a, const struct dht *d)
{
	uint32_t hosts = dht_limits(d)->forward_hosts;

	a->d = d;
	table_init(&a->sources, hosts);
	table_init(&a->destinations, hosts);
}

void
allowance_fini(struct allowance *a)
{
	table_fini(&a->sources);
	table_fini(&a->destinations);
}

static uint32_t
now_ms(const struct allowance *a)
{
	return (uint32_t)(dht_world(a->d)->now_us / 1000);
}

/*
 * The bucket, up to date. One that has not been asked for in 49 days may look
 * emptier than it is; a few seconds later it is not.
 */
static struct bucket *
refreshed(const struct allowance *a, struct cell *c)
{
	const struct limits *l = dht_limits(a->d);

	bucket_refill(&c->bytes, l->forward_burst, l->forward_rate, now_ms(a));
	return &c->bytes;
}

/* Frees a cell whose bucket is full; every cell of a full table is in use. */
static bool
make_room(const struct allowance *a, struct allowance_table *t)
{
	for (int i = 0; i < LOOK_AT; i++) {
		uint32_t at = t->hand;
		struct cell *c = pool_at(&t->pool, at);

		t->hand = at < t->pool.top ? at + 1 : 1;
		if (refreshed(a, c)->left < dht_limits(a->d)->forward_burst)
			continue;
		index_del(&t->index, at);
		pool_put(&t->pool, at);
		return true;
	}
	return false;
}

static struct bucket *
table_add(const struct allowance *a, struct allowance_table *t, uint64_t key,
    uint32_t hash)
{
	uint32_t at;
	struct cell *c;

	if (t->pool.len >= t->pool.limit && !make_room(a, t))
		return NULL;
	at = pool_get(&t->pool);
	if (at == 0)
		return NULL;
	if (index_add(&t->index, at, hash) != 0) {
		pool_put(&t->pool, at);
		return NULL;
	}
	c = pool_at(&t->pool, at);
	c->key = key;
	c->bytes = bucket_full(dht_limits(a->d)->forward_burst, now_ms(a));
	return &c->bytes;
}

/* The bucket of the key, or NULL: there is no room for one more. */
static struct bucket *
table_get(const struct allowance *a, struct allowance_table *t, uint64_t key)
{
	uint32_t hash = hash_u64(dht_hash_key(a->d), key);
	uint32_t at = index_first(&t->index, hash);

	for (; at != 0; at = index_next(&t->index, at)) {
		struct cell *c = pool_at(&t->pool, at);

		if (c->key == key)
			return refreshed(a, c);
	}
	return table_add(a, t, key, hash);
}

bool
allowance_take(struct allowance *a, const struct addr *from,
    const struct addr *to, size_t len)
{
	struct bucket *source, *dest = NULL;

	source = table_get(a, &a->sources, addr_prefix_key(from));
	if (source == NULL || source->left < len)
		return false;
	if (to != NULL) {
		dest = table_get(a, &a->destinations, addr_host_key(to));
		if (dest == NULL || !bucket_take(dest, (uint32_t)len))
			return false;
	}
	return bucket_take(source, (uint32_t)len);
}
