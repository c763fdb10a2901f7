/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "dht/rtt_table.h"

enum {
	TIMEOUT_MIN_MS = 300,
	TIMEOUT_MAX_MS = 4000,
	TIMEOUT_UNKNOWN_MS = 250, /* of the first send without samples */
	SAMPLE_LIFETIME_S = 600,
};

struct rtt_entry {
	struct pool_index_link link;
	uint64_t to; /* address and port */
	uint32_t put_s;
	uint16_t avg_ms;
	uint16_t var_ms;
};

void
rtt_table_init(struct rtt_table *t, const struct hash_key *key)
{
	pool_init(&t->pool, sizeof(struct rtt_entry), DHT_RTT_ENTRIES_MAX);
	pool_index_init(&t->index, &t->pool, offsetof(struct rtt_entry, link));
	t->key = key;
}

void
rtt_table_fini(struct rtt_table *t)
{
	pool_index_fini(&t->index);
	pool_fini(&t->pool);
}

/* Returns address and port as one number, which is exact for IPv4, the only
 * family of the DHT. */
static uint64_t
destination_key(const struct addr *a)
{
	return addr_host_key(a) << 16 | a->port;
}

static uint32_t
find_entry(const struct rtt_table *t, uint64_t to)
{
	uint32_t i = pool_index_first(&t->index, hash_u64(t->key, to));

	while (i != 0 && ((struct rtt_entry *)pool_at(&t->pool, i))->to != to)
		i = pool_index_next(&t->index, i);
	return i;
}

/* Adds an entry, for which a random one is evicted if the table is full.
 * Returns 0 if memory is short. */
static uint32_t
add_entry(struct rtt_table *t, struct world *w, uint64_t to)
{
	uint32_t i = pool_get(&t->pool);

	if (i == 0 && t->pool.len == DHT_RTT_ENTRIES_MAX) {
		i = world_below(w, DHT_RTT_ENTRIES_MAX) + 1;
		pool_index_del(&t->index, i);
	}
	if (i == 0)
		return 0;
	*(struct rtt_entry *)pool_at(&t->pool, i) =
	    (struct rtt_entry){.to = to};
	if (pool_index_add(&t->index, i, hash_u64(t->key, to)) != 0) {
		pool_put(&t->pool, i);
		return 0;
	}
	return i;
}

static uint32_t
now_s(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000000);
}

void
rtt_table_put(
    struct rtt_table *t, struct world *w, const struct addr *to, uint32_t ms)
{
	uint32_t i = find_entry(t, destination_key(to));
	struct rtt_entry *e;

	if (i == 0 && (i = add_entry(t, w, destination_key(to))) == 0)
		return;
	e = pool_at(&t->pool, i);
	if (ms > UINT16_MAX)
		ms = UINT16_MAX;
	if (e->put_s == 0 || now_s(w) - e->put_s > SAMPLE_LIFETIME_S) {
		e->avg_ms = (uint16_t)ms;
		e->var_ms = (uint16_t)(ms / 2);
	} else {
		int32_t err = (int32_t)ms - e->avg_ms;
		int32_t dev = err < 0 ? -err : err;

		/*
		 * The variance is updated first, since it uses the old average.
		 */
		e->var_ms = (uint16_t)(e->var_ms + ((dev - e->var_ms) >> 2));
		e->avg_ms = (uint16_t)(e->avg_ms + (err >> 3));
	}
	e->put_s = now_s(w) > 0 ? now_s(w) : 1;
}

static uint32_t
clamp_timeout(uint32_t ms)
{
	return ms < TIMEOUT_MIN_MS   ? TIMEOUT_MIN_MS
	       : ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS
				     : ms;
}

uint32_t
rtt_table_timeout_ms(const struct rtt_table *t, const struct world *w,
    const struct addr *to, unsigned attempt)
{
	uint32_t i = find_entry(t, destination_key(to));
	const struct rtt_entry *e = i != 0 ? pool_at(&t->pool, i) : NULL;

	if (e == NULL || now_s(w) - e->put_s > SAMPLE_LIFETIME_S) {
		unsigned shift = attempt > 5 ? 4 : attempt - 1;

		return (uint32_t)TIMEOUT_UNKNOWN_MS << shift;
	}
	return clamp_timeout((e->avg_ms + 2U * e->var_ms) * attempt);
}
