/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "dht/rate_limiter.h"

enum {
	SEARCH_MAX = 16, /* budgets examined to find one to evict */
	SWEEP_MIN = 64,  /* budgets examined per sweep, plus */
	SWEEP_PART = 8,  /* this fraction of all */
};

struct host_budget {
	struct pool_index_link link;
	uint64_t host;            /* addr_host_key */
	struct bucket bucket;     /* of bytes, or, if validated, of requests
				   * without a token */
	struct bucket with_token; /* requests, if validated */
	struct bucket extra;      /* bytes of large replies, if validated */
	uint32_t valid_s;         /* end of the validation; 0: not validated */
	uint32_t checked_s; /* time of the last check of an id; 0: never */
};

size_t
rate_limiter_bytes_max(const struct limits *l)
{
	return pool_bytes_max(sizeof(struct host_budget), l->sources) +
	       pool_index_bytes_max(l->sources);
}

void
rate_limiter_init(
    struct rate_limiter *rl, const struct hash_key *key, const struct limits *l)
{
	*rl = (struct rate_limiter){.key = key, .limits = l};
	pool_init(&rl->pool, sizeof(struct host_budget), l->sources);
	pool_index_init(
	    &rl->index, &rl->pool, offsetof(struct host_budget, link));
}

void
rate_limiter_fini(struct rate_limiter *rl)
{
	pool_index_fini(&rl->index);
	pool_fini(&rl->pool);
}

void
rate_limiter_limits_changed(struct rate_limiter *rl)
{
	rl->pool.limit = rl->limits->sources;
}

/* One more than the seconds of the clock, so that 0 is no time. */
static uint32_t
now_s(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000000) + 1;
}

static uint32_t
now_ms(const struct world *w)
{
	return (uint32_t)(w->now_us / 1000);
}

static struct host_budget *
budget_at(const struct rate_limiter *rl, uint32_t i)
{
	return pool_at(&rl->pool, i);
}

static bool
is_validated(const struct host_budget *b, const struct world *w)
{
	return b->valid_s > now_s(w);
}

/* Refills the bucket; ends a validation that has expired. */
static void
refresh_budget(
    const struct rate_limiter *rl, const struct world *w, struct host_budget *b)
{
	const struct limits *l = rl->limits;

	if (b->valid_s != 0 && !is_validated(b, w)) {
		b->valid_s = 0;
		b->bucket = bucket_full(l->unvalidated_burst_bytes, now_ms(w));
	}
	if (b->valid_s != 0) {
		bucket_refill(&b->bucket, l->validated_burst_requests,
		    l->validated_rate_requests, now_ms(w));
		bucket_refill(&b->with_token, l->validated_burst_requests,
		    l->validated_rate_requests, now_ms(w));
		bucket_refill(&b->extra, DHT_TOKENLESS_BURST_BYTES_MAX,
		    DHT_TOKENLESS_BYTES_PER_SECOND_MAX, now_ms(w));
	} else {
		bucket_refill(&b->bucket, l->unvalidated_burst_bytes,
		    l->unvalidated_rate_bytes, now_ms(w));
	}
}

/* Returns true if evicting the host changes nothing, since a new budget would
 * be as large. */
static bool
is_idle(
    const struct rate_limiter *rl, const struct world *w, struct host_budget *b)
{
	refresh_budget(rl, w, b);
	return b->valid_s == 0 &&
	       b->bucket.left >= rl->limits->unvalidated_burst_bytes &&
	       (b->checked_s == 0 ||
		   now_s(w) - b->checked_s >= rl->limits->candidate_seconds);
}

static void
evict_budget(struct rate_limiter *rl, uint32_t i)
{
	pool_index_del(&rl->index, i);
	pool_put(&rl->pool, i);
}

/*
 * Evicts idle hosts from a full table: more than one if the limit was lowered.
 * A host that has drawn on its budget stays: otherwise a flood of forged
 * addresses could renew that budget.
 */
static void
evict_idle(struct rate_limiter *rl, const struct world *w)
{
	for (int n = 0; n < SEARCH_MAX && rl->pool.len >= rl->pool.limit; n++) {
		uint32_t i = pool_next(&rl->pool, &rl->cursor);

		if (i != 0 && is_idle(rl, w, budget_at(rl, i)))
			evict_budget(rl, i);
	}
}

static uint32_t
find_host(const struct rate_limiter *rl, uint64_t host)
{
	uint32_t i = pool_index_first(&rl->index, hash_u64(rl->key, host));

	while (i != 0 && budget_at(rl, i)->host != host)
		i = pool_index_next(&rl->index, i);
	return i;
}

uint32_t
rate_limiter_source(
    struct rate_limiter *rl, struct world *w, const struct addr *a)
{
	uint64_t host = addr_host_key(a);
	uint32_t i = find_host(rl, host);

	if (i != 0)
		return i;
	if (rl->pool.len >= rl->pool.limit)
		evict_idle(rl, w);
	if ((i = pool_get(&rl->pool)) == 0)
		return RATE_LIMITER_REFUSED;
	*budget_at(rl, i) = (struct host_budget){
	    .host = host,
	    .bucket =
		bucket_full(rl->limits->unvalidated_burst_bytes, now_ms(w)),
	};
	if (pool_index_add(&rl->index, i, hash_u64(rl->key, host)) != 0) {
		pool_put(&rl->pool, i);
		return RATE_LIMITER_REFUSED;
	}
	return i;
}

bool
rate_limiter_admit(struct rate_limiter *rl, const struct world *w,
    uint32_t source, bool has_token)
{
	struct host_budget *b = budget_at(rl, source);

	refresh_budget(rl, w, b);
	if (b->valid_s == 0)
		return b->bucket.left > 0;
	return bucket_take(has_token ? &b->with_token : &b->bucket, 1);
}

bool
rate_limiter_charge(
    struct rate_limiter *rl, const struct world *w, uint32_t source, size_t len)
{
	struct host_budget *b = budget_at(rl, source);

	refresh_budget(rl, w, b);
	return b->valid_s != 0 || bucket_take(&b->bucket, (uint32_t)len);
}

bool
rate_limiter_charge_reply(struct rate_limiter *rl, const struct world *w,
    uint32_t source, size_t request_len, size_t len)
{
	struct host_budget *b = budget_at(rl, source);

	refresh_budget(rl, w, b);
	if (b->valid_s == 0)
		return bucket_take(&b->bucket, (uint32_t)len);
	return len <= DHT_FREE_REPLY_FACTOR_MAX * request_len ||
	       bucket_take(&b->extra, (uint32_t)len);
}

void
rate_limiter_validate(
    struct rate_limiter *rl, struct world *w, const struct addr *a)
{
	uint32_t i = rate_limiter_source(rl, w, a);
	struct host_budget *b;

	if (i == RATE_LIMITER_REFUSED)
		return;
	b = budget_at(rl, i);
	if (!is_validated(b, w)) {
		b->bucket = b->with_token = bucket_full(
		    rl->limits->validated_burst_requests, now_ms(w));
		b->extra =
		    bucket_full(DHT_TOKENLESS_BURST_BYTES_MAX, now_ms(w));
	}
	b->valid_s = now_s(w) + rl->limits->validated_seconds;
}

bool
rate_limiter_is_validated(
    const struct rate_limiter *rl, const struct world *w, uint32_t source)
{
	return is_validated(budget_at(rl, source), w);
}

bool
rate_limiter_is_host_validated(
    const struct rate_limiter *rl, const struct world *w, const struct addr *a)
{
	uint32_t i = find_host(rl, addr_host_key(a));

	return i != 0 && is_validated(budget_at(rl, i), w);
}

bool
rate_limiter_permit_check(
    struct rate_limiter *rl, const struct world *w, uint32_t source)
{
	struct host_budget *b = budget_at(rl, source);

	if (b->checked_s != 0 &&
	    now_s(w) - b->checked_s < rl->limits->candidate_seconds)
		return false;
	b->checked_s = now_s(w);
	return true;
}

void
rate_limiter_sweep(struct rate_limiter *rl, const struct world *w)
{
	uint32_t max = SWEEP_MIN + rl->pool.top / SWEEP_PART;

	for (uint32_t n = 0; n < max && n < rl->pool.top; n++) {
		rl->cursor = rl->cursor < rl->pool.top ? rl->cursor + 1 : 1;
		if (pool_in_use(&rl->pool, rl->cursor) &&
		    is_idle(rl, w, budget_at(rl, rl->cursor)))
			evict_budget(rl, rl->cursor);
	}
}
