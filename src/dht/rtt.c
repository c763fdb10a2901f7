/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "dht/rtt.h"

enum {
	WAIT_MIN_MS = 300,
	WAIT_MAX_MS = 4000,
	UNKNOWN_MS = 250, /* first wait for a destination without samples */
	KEEP_S = 600,
};

struct entry {
	struct index_link link;
	uint64_t to; /* address and port */
	uint32_t put_s;
	uint16_t avg_ms;
	uint16_t var_ms;
};

void
rtt_init(struct rtt *r, const struct hash_key *key)
{
	pool_init(&r->pool, sizeof(struct entry), RTT_ENTRIES);
	index_init(&r->index, &r->pool, offsetof(struct entry, link));
	r->key = key;
}

void
rtt_fini(struct rtt *r)
{
	index_fini(&r->index);
	pool_fini(&r->pool);
}

/* Exact for IPv4, which is all that this layer speaks. */
static uint64_t
destination(const struct addr *a)
{
	return addr_host_key(a) << 16 | a->port;
}

static uint32_t
find(const struct rtt *r, uint64_t to)
{
	uint32_t i = index_first(&r->index, hash_u64(r->key, to));

	while (i != 0 && ((struct entry *)pool_at(&r->pool, i))->to != to)
		i = index_next(&r->index, i);
	return i;
}

/* A cell for a new destination; a random one gives way when all are taken. */
static uint32_t
take(struct rtt *r, struct world *w, uint64_t to)
{
	uint32_t i = pool_get(&r->pool);

	if (i == 0 && r->pool.len == RTT_ENTRIES) {
		i = world_below(w, RTT_ENTRIES) + 1;
		index_del(&r->index, i);
	}
	if (i == 0)
		return 0;
	*(struct entry *)pool_at(&r->pool, i) = (struct entry){.to = to};
	if (index_add(&r->index, i, hash_u64(r->key, to)) != 0) {
		pool_put(&r->pool, i);
		return 0;
	}
	return i;
}

static uint32_t
seconds(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000000);
}

void
rtt_put(struct rtt *r, struct world *w, const struct addr *to, uint32_t ms)
{
	uint32_t i = find(r, destination(to));
	struct entry *e;

	if (i == 0 && (i = take(r, w, destination(to))) == 0)
		return;
	e = pool_at(&r->pool, i);
	if (ms > UINT16_MAX)
		ms = UINT16_MAX;
	if (e->put_s == 0 || seconds(w) - e->put_s > KEEP_S) {
		e->avg_ms = (uint16_t)ms;
		e->var_ms = (uint16_t)(ms / 2);
	} else {
		int32_t err = (int32_t)ms - e->avg_ms;
		int32_t dev = err < 0 ? -err : err;

		/* The variance first: it wants the old average. */
		e->var_ms = (uint16_t)(e->var_ms + ((dev - e->var_ms) >> 2));
		e->avg_ms = (uint16_t)(e->avg_ms + (err >> 3));
	}
	e->put_s = seconds(w) > 0 ? seconds(w) : 1;
}

static uint32_t
clamp(uint32_t ms)
{
	return ms < WAIT_MIN_MS   ? WAIT_MIN_MS
	       : ms > WAIT_MAX_MS ? WAIT_MAX_MS
				  : ms;
}

uint32_t
rtt_wait_ms(const struct rtt *r, const struct world *w, const struct addr *to,
    unsigned attempt)
{
	uint32_t i = find(r, destination(to));
	const struct entry *e = i != 0 ? pool_at(&r->pool, i) : NULL;

	if (e == NULL || seconds(w) - e->put_s > KEEP_S) {
		unsigned shift = attempt > 5 ? 4 : attempt - 1;

		return (uint32_t)UNKNOWN_MS << shift;
	}
	return clamp((e->avg_ms + 2U * e->var_ms) * attempt);
}
