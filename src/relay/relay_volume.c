/* SPDX-License-Identifier: ISC */
#include "relay/relay_volume.h"

#include <stdlib.h>

#include "base/hash.h"

enum {
	HOUR_MS = 60 * 60 * 1000,
	DAY_MS = 24 * HOUR_MS,
	HOLDS_DAYS = 3,
	MONTH_DAYS = 30,
	/* A prefix has a 32nd of the bucket: (31/32)^20 is more than half. */
	SHARE_PARTS = 32,
	/* What a prefix may have saved of its part of the refill. */
	TRICKLE_MAX = 16384,
	/* A session is admitted if this can be spent. */
	USEFUL_MIN = 4096,
	/* The reserve is this part of what is in the bucket, and never less
	 * than that part of a full one or RESERVE_MIN. */
	RESERVE_PARTS = 64,
	RESERVE_PARTS_MAX = 16384,
	RESERVE_MIN = 4096,
};

#define MONTH_MS (UINT64_C(1) * MONTH_DAYS * DAY_MS)

struct relay_payer {
	UT_hash_handle hh;
	TAILQ_ENTRY(relay_payer) link; /* the oldest day first */
	TAILQ_ENTRY(relay_payer) idle; /* without holders */
	uint64_t id;
	uint64_t day_ms;  /* when it was granted its share */
	int64_t granted;  /* of this day, not spent */
	uint32_t holders; /* it is freed after the last one and the day */
	struct relay_refill trickle;
};

static int64_t
min_bytes(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t
bucket_max(const struct relay_volume *v)
{
	return (int64_t)(v->month / MONTH_DAYS * HOLDS_DAYS);
}

/* ---- the bucket ---- */

/*
 * Adds what `month` bytes per month have become since the last call, up to max.
 * Returns the bytes that did not fit. The quotient and the rest of the division
 * are multiplied apart, so that 64 bits suffice and no fraction is lost.
 */
static int64_t
refill(struct relay_refill *r, uint64_t month, int64_t max, uint64_t now_ms)
{
	uint64_t ms = now_ms > r->at_ms ? now_ms - r->at_ms : 0;
	uint64_t parts;
	int64_t lost;

	if (ms > HOLDS_DAYS * DAY_MS)
		ms = HOLDS_DAYS * DAY_MS;
	parts = ms * (month % MONTH_MS) + r->fraction;
	r->fraction = parts % MONTH_MS;
	r->left += (int64_t)(ms * (month / MONTH_MS) + parts / MONTH_MS);
	r->at_ms = now_ms;
	lost = r->left - max;
	if (lost <= 0)
		return 0;
	r->left = max;
	return lost;
}

/* Refills the bucket. What a full one loses would be refilled once more after a
 * crash, so it counts as spent. */
static void
update(struct relay_volume *v, uint64_t now_us)
{
	uint64_t now_ms = now_us / 1000;

	if (now_ms != v->bucket.at_ms)
		v->reserve -=
		    refill(&v->bucket, v->month, bucket_max(v), now_ms);
}

void
relay_volume_init(struct relay_volume *v, const struct core *core)
{
	*v = (struct relay_volume){.core = core};
	TAILQ_INIT(&v->by_day);
	TAILQ_INIT(&v->idle);
}

static void
payer_free(struct relay_volume *v, struct relay_payer *p)
{
	v->granted -= p->granted;
	if (p->holders == 0)
		TAILQ_REMOVE(&v->idle, p, idle);
	TAILQ_REMOVE(&v->by_day, p, link);
	HASH_DELETE(hh, v->payers, p);
	free(p);
}

void
relay_volume_fini(struct relay_volume *v)
{
	struct relay_payer *p;

	while ((p = TAILQ_FIRST(&v->by_day)) != NULL)
		payer_free(v, p);
}

void
relay_volume_set(struct relay_volume *v, uint64_t month, uint64_t now_us)
{
	update(v, now_us);
	v->month = month;
	v->bucket.left = min_bytes(v->bucket.left, bucket_max(v));
	v->bucket.fraction = 0;
	v->reserve = v->piece = 0;
}

/* ---- storing ---- */

void
relay_volume_restore(struct relay_volume *v,
    const struct relay_volume_saved *saved, uint64_t unix_ms, uint64_t now_us)
{
	uint64_t away = unix_ms > saved->unix_ms ? unix_ms - saved->unix_ms : 0;
	uint64_t now_ms = now_us / 1000;

	v->bucket = (struct relay_refill){.left = bucket_max(v)};
	if (saved->left < (uint64_t)bucket_max(v))
		v->bucket.left = (int64_t)saved->left;
	(void)refill(&v->bucket, v->month, bucket_max(v), away);
	v->bucket.at_ms = now_ms;
	v->reserve = v->piece = 0;
}

static int64_t
least_piece(const struct relay_volume *v)
{
	int64_t least = bucket_max(v) / RESERVE_PARTS_MAX;

	return least > RESERVE_MIN ? least : RESERVE_MIN;
}

static int64_t
next_piece(const struct relay_volume *v)
{
	int64_t piece = v->bucket.left / RESERVE_PARTS;
	int64_t least = least_piece(v);

	if (v->bucket.left <= 0)
		return 0;
	return min_bytes(v->bucket.left, piece > least ? piece : least);
}

bool
relay_volume_is_due(struct relay_volume *v, uint64_t now_us)
{
	if (v->month == 0)
		return false;
	update(v, now_us);
	/* An empty bucket is not stored for each byte that flows in. */
	return v->reserve <= v->piece / 2 &&
	       next_piece(v) - v->reserve >= least_piece(v) / 2;
}

struct relay_volume_saved
relay_volume_save(
    struct relay_volume *v, uint64_t unix_ms, uint64_t now_us, bool last)
{
	int64_t left;

	update(v, now_us);
	left = v->bucket.left - (last ? 0 : next_piece(v));
	return (struct relay_volume_saved){.month = v->month,
	    .left = left > 0 ? (uint64_t)left : 0,
	    .unix_ms = unix_ms};
}

void
relay_volume_stored(
    struct relay_volume *v, const struct relay_volume_saved *saved)
{
	v->reserve = v->piece = v->bucket.left - (int64_t)saved->left;
}

/* ---- shares ---- */

/* Grants the share of a day from what no other prefix has been granted. */
static void
grant(struct relay_volume *v, struct relay_payer *p)
{
	int64_t unspent;

	v->granted -= p->granted;
	unspent = v->bucket.left - v->granted;
	p->granted = unspent > 0 ? unspent / SHARE_PARTS : 0;
	p->day_ms = v->bucket.at_ms;
	v->granted += p->granted;
	TAILQ_REMOVE(&v->by_day, p, link);
	TAILQ_INSERT_TAIL(&v->by_day, p, link);
}

static bool
has_new_day(const struct relay_volume *v, const struct relay_payer *p)
{
	return v->bucket.at_ms - p->day_ms >= DAY_MS;
}

/* Frees the payers without holders whose day has ended: their shares return to
 * the bucket. Each payer is looked at once a day. */
static void
free_old(struct relay_volume *v)
{
	struct relay_payer *p;

	while ((p = TAILQ_FIRST(&v->by_day)) != NULL && has_new_day(v, p))
		if (p->holders == 0)
			payer_free(v, p);
		else
			grant(v, p);
}

/* Returns false if each payer has holders. */
static bool
evict(struct relay_volume *v)
{
	struct relay_payer *p = TAILQ_FIRST(&v->idle);

	if (p == NULL)
		return false;
	payer_free(v, p);
	return true;
}

static struct relay_payer *
payer_new(struct relay_volume *v, uint64_t id, uint32_t hash)
{
	struct relay_payer *p;

	if (HASH_COUNT(v->payers) >= v->core->limits->relay_prefixes &&
	    !evict(v))
		return NULL;
	p = calloc(1, sizeof *p);
	if (p == NULL)
		return NULL;
	p->id = id;
	p->trickle.at_ms = v->bucket.at_ms;
	HASH_ADD_BYHASHVALUE(hh, v->payers, id, sizeof p->id, hash, p);
	if (p->hh.tbl == NULL) {
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&v->by_day, p, link);
	TAILQ_INSERT_TAIL(&v->idle, p, idle);
	grant(v, p);
	return p;
}

static uint64_t
payer_id(const struct addr *a)
{
	struct addr net = *a;

	/* addr_prefix_key() hashes a /56 of IPv6. */
	if (net.family == ADDR_V6)
		net.ip[6] = 0;
	return addr_prefix_key(&net);
}

struct relay_payer *
relay_volume_join(struct relay_volume *v, const struct addr *a, uint64_t now_us)
{
	uint64_t id = payer_id(a);
	uint32_t hash = hash_u64(&v->core->hash_key, id);
	struct relay_payer *p;

	update(v, now_us);
	free_old(v);
	HASH_FIND_BYHASHVALUE(hh, v->payers, &id, sizeof id, hash, p);
	if (p == NULL)
		p = payer_new(v, id, hash);
	if (p == NULL)
		return NULL;
	if (p->holders++ == 0)
		TAILQ_REMOVE(&v->idle, p, idle);
	return p;
}

void
relay_volume_leave(struct relay_volume *v, struct relay_payer *p)
{
	/* Its share stays until the day has ended or it is evicted. */
	if (p != NULL && --p->holders == 0)
		TAILQ_INSERT_TAIL(&v->idle, p, idle);
}

/* Returns what a payer may spend now. */
static int64_t
payer_left(struct relay_volume *v, struct relay_payer *p)
{
	int64_t unspent;

	if (p == NULL)
		return v->bucket.left;
	if (has_new_day(v, p))
		grant(v, p);
	(void)refill(
	    &p->trickle, v->month / SHARE_PARTS, TRICKLE_MAX, v->bucket.at_ms);
	unspent = v->bucket.left - v->granted;
	if (unspent < 0)
		unspent = 0;
	return p->granted + min_bytes(p->trickle.left, unspent);
}

/* ---- spending ---- */

static void
take(struct relay_volume *v, struct relay_payer *p, int64_t bytes)
{
	int64_t of_grant = p != NULL ? min_bytes(bytes, p->granted) : 0;

	v->bucket.left -= bytes;
	v->reserve -= bytes;
	if (p == NULL)
		return;
	p->granted -= of_grant;
	v->granted -= of_grant;
	p->trickle.left -= bytes - of_grant;
}

bool
relay_volume_spend(
    struct relay_volume *v, const struct relay_transfer *t, uint64_t now_us)
{
	int64_t all = (int64_t)t->received + t->sent;
	int64_t from = t->received, to = t->sent;

	if (v->month == 0)
		return true;
	update(v, now_us);
	if (t->from == t->to)
		from = to = all;
	if (v->bucket.left < all || v->reserve < all ||
	    payer_left(v, t->from) < from || payer_left(v, t->to) < to)
		return false;
	take(v, t->from, t->received);
	take(v, t->to, t->sent);
	return true;
}

void
relay_volume_charge(struct relay_volume *v, struct relay_payer *p,
    uint64_t bytes, uint64_t now_us)
{
	if (v->month == 0)
		return;
	update(v, now_us);
	take(v, p, (int64_t)bytes);
}

/* ---- status ---- */

uint32_t
relay_volume_wait_s(
    struct relay_volume *v, struct relay_payer *p, uint64_t now_us)
{
	int64_t left, missing;
	uint64_t rate, day_s;

	if (v->month == 0)
		return 0;
	update(v, now_us);
	left = payer_left(v, p);
	if (left >= USEFUL_MIN)
		return 0;
	missing = USEFUL_MIN - left;
	rate =
	    (p != NULL ? v->month / SHARE_PARTS : v->month) / (MONTH_MS / 1000);
	day_s = DAY_MS / 1000;
	if (rate == 0 || (uint64_t)missing / rate >= day_s)
		return (uint32_t)day_s;
	return (uint32_t)((uint64_t)missing / rate) + 1;
}

void
relay_volume_status(const struct relay_volume *v, uint64_t now_us,
    struct relay_volume_status *out)
{
	struct relay_refill now = v->bucket;

	(void)refill(&now, v->month, bucket_max(v), now_us / 1000);
	*out = (struct relay_volume_status){.month = v->month,
	    .left = now.left > 0 ? (uint64_t)now.left : 0,
	    .holds = (uint64_t)bucket_max(v),
	    .refill = v->month / MONTH_DAYS / 24};
}
