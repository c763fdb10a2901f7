/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "dht/guard.h"

enum {
	SEARCH_MAX = 16, /* budgets looked at to find one to forget */
	SWEEP_MIN = 64,  /* budgets looked at per sweep, and */
	SWEEP_PART = 8,  /* this part of all */
};

struct source {
	struct index_link link;
	uint64_t host;        /* addr_host_key; 0: the cell is free */
	struct bucket bucket; /* requests if proven, else bytes */
	uint32_t proven_s;    /* until when; 0: not proven */
	uint32_t checked_s;   /* when an id was last checked; 0: never */
};

void
guard_init(struct guard *g, const struct hash_key *key, const struct limits *l)
{
	*g = (struct guard){.key = key, .limits = l};
	pool_init(&g->pool, sizeof(struct source), l->sources);
	index_init(&g->index, &g->pool, offsetof(struct source, link));
}

void
guard_fini(struct guard *g)
{
	index_fini(&g->index);
	pool_fini(&g->pool);
}

static uint32_t
seconds(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000000) + 1;
}

static uint32_t
millis(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000);
}

static struct source *
source_at(const struct guard *g, uint32_t i)
{
	return pool_at(&g->pool, i);
}

static bool
is_proven(const struct source *s, const struct world *w)
{
	return s->proven_s > seconds(w);
}

/* Brings the bucket up to date, also from proven back to unproven. */
static void
refresh(const struct guard *g, const struct world *w, struct source *s)
{
	const struct limits *l = g->limits;

	if (s->proven_s != 0 && !is_proven(s, w)) {
		s->proven_s = 0;
		s->bucket = bucket_full(l->unproven_burst, millis(w));
	}
	if (s->proven_s != 0)
		bucket_refill(
		    &s->bucket, l->proven_burst, l->proven_rate, millis(w));
	else
		bucket_refill(
		    &s->bucket, l->unproven_burst, l->unproven_rate, millis(w));
}

/* To forget it changes nothing: it would start with just as much. */
static bool
is_idle(const struct guard *g, const struct world *w, struct source *s)
{
	refresh(g, w, s);
	return s->proven_s == 0 &&
	       s->bucket.left >= g->limits->unproven_burst &&
	       (s->checked_s == 0 ||
		   seconds(w) - s->checked_s >= g->limits->candidate_seconds);
}

static void
forget(struct guard *g, uint32_t i)
{
	index_del(&g->index, i);
	source_at(g, i)->host = 0;
	pool_put(&g->pool, i);
}

/*
 * The table is full: makes room by forgetting an idle host. Hosts that have
 * drawn on their budget stay, or a flood of forged addresses could renew it.
 */
static void
make_room(struct guard *g, const struct world *w)
{
	for (int n = 0; n < SEARCH_MAX; n++) {
		uint32_t i = g->cursor++ % g->pool.top + 1;

		if (source_at(g, i)->host != 0 &&
		    is_idle(g, w, source_at(g, i))) {
			forget(g, i);
			return;
		}
	}
}

static uint32_t
find(const struct guard *g, uint64_t host)
{
	uint32_t i = index_first(&g->index, hash_u64(g->key, host));

	while (i != 0 && source_at(g, i)->host != host)
		i = index_next(&g->index, i);
	return i;
}

uint32_t
guard_source(struct guard *g, struct world *w, const struct addr *a)
{
	uint64_t host = addr_host_key(a);
	uint32_t i = find(g, host);

	if (i != 0)
		return i;
	if (g->pool.len >= g->pool.limit)
		make_room(g, w);
	if ((i = pool_get(&g->pool)) == 0)
		return GUARD_REFUSED;
	*source_at(g, i) = (struct source){
	    .host = host,
	    .bucket = bucket_full(g->limits->unproven_burst, millis(w)),
	};
	if (index_add(&g->index, i, hash_u64(g->key, host)) != 0) {
		pool_put(&g->pool, i);
		return GUARD_REFUSED;
	}
	return i;
}

bool
guard_admit(struct guard *g, const struct world *w, uint32_t source)
{
	struct source *s = source_at(g, source);

	refresh(g, w, s);
	return s->proven_s != 0 ? bucket_take(&s->bucket, 1)
				: s->bucket.left > 0;
}

bool
guard_spend(struct guard *g, const struct world *w, uint32_t source, size_t len)
{
	struct source *s = source_at(g, source);

	refresh(g, w, s);
	return s->proven_s != 0 || bucket_take(&s->bucket, (uint32_t)len);
}

void
guard_prove(struct guard *g, struct world *w, const struct addr *a)
{
	uint32_t i = guard_source(g, w, a);
	struct source *s;

	if (i == GUARD_REFUSED)
		return;
	s = source_at(g, i);
	if (!is_proven(s, w))
		s->bucket = bucket_full(g->limits->proven_burst, millis(w));
	s->proven_s = seconds(w) + g->limits->proven_seconds;
}

bool
guard_is_proven(const struct guard *g, const struct world *w, uint32_t source)
{
	return is_proven(source_at(g, source), w);
}

bool
guard_may_check(struct guard *g, const struct world *w, uint32_t source)
{
	struct source *s = source_at(g, source);

	if (s->checked_s != 0 &&
	    seconds(w) - s->checked_s < g->limits->candidate_seconds)
		return false;
	s->checked_s = seconds(w);
	return true;
}

void
guard_sweep(struct guard *g, const struct world *w)
{
	uint32_t max = SWEEP_MIN + g->pool.top / SWEEP_PART;

	for (uint32_t n = 0; n < max && n < g->pool.top; n++) {
		uint32_t i = g->cursor++ % g->pool.top + 1;

		if (source_at(g, i)->host != 0 &&
		    is_idle(g, w, source_at(g, i)))
			forget(g, i);
	}
}
