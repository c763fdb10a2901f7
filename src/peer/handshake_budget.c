/* SPDX-License-Identifier: ISC */
#include "peer/handshake_budget.h"

enum {
	BURST_PART = 2,    /* the burst is what accumulates in 1/2 s */
	SHARE_PART = 4,    /* share of one relay, or of all validated hosts */
	RESERVED_PART = 2, /* of the burst, for validated sources */
	/* Smallest burst: on a slow machine, a few clients may arrive at once
	 * nevertheless. */
	BURST_MIN = 16 * HANDSHAKE_OPERATIONS,
};

/* ---- rates ---- */

static struct prefix_budget_rate
total_rate(const struct handshake_budget *hb)
{
	uint32_t rate = hb->core->limits->handshake_operations;
	uint32_t burst;

	if (rate == 0)
		rate = HANDSHAKE_OPERATIONS_DEFAULT;
	burst = rate / BURST_PART;
	return (struct prefix_budget_rate){
	    .burst = burst > BURST_MIN ? burst : BURST_MIN, .rate = rate};
}

static struct prefix_budget_rate
share_rate(const struct handshake_budget *hb)
{
	struct prefix_budget_rate all = total_rate(hb);

	return (struct prefix_budget_rate){
	    .burst = all.burst / SHARE_PART, .rate = all.rate / SHARE_PART + 1};
}

static uint32_t
now_ms(const struct handshake_budget *hb)
{
	return (uint32_t)(hb->core->world->now_us / 1000);
}

/* ---- buckets ---- */

static struct bucket *
refill_total(struct handshake_budget *hb)
{
	struct prefix_budget_rate r = total_rate(hb);

	bucket_refill(&hb->total, r.burst, r.rate, now_ms(hb));
	return &hb->total;
}

/* Returns the bucket of the share that the source draws on, or NULL. */
static struct bucket *
find_share(struct handshake_budget *hb, const struct handshake_source *s)
{
	struct prefix_budget_rate r = share_rate(hb);

	if (s->trust == HANDSHAKE_UNVALIDATED)
		return NULL;
	if (s->relay != NULL)
		return prefix_budget_get(&hb->relays, s->relay, &r);
	bucket_refill(&hb->hosts, r.burst, r.rate, now_ms(hb));
	return &hb->hosts;
}

/* Returns the bucket of the /24 that is charged. Buckets are separate for each
 * relay, so that a relay that names a client cannot use up what the client has
 * through others. */
static struct bucket *
find_payer(struct handshake_budget *hb, const struct handshake_source *s)
{
	const struct limits *l = hb->core->limits;
	struct prefix_budget_rate r = {l->handshake_burst, l->handshake_rate};

	return s->relay != NULL
		   ? prefix_budget_get_through(
			 &hb->payers[s->trust], s->payer, s->relay, &r)
		   : prefix_budget_get(&hb->payers[s->trust], s->payer, &r);
}

/* ---- charges ---- */

/* Only validated sources may use the part of the burst that is reserved. */
static bool
take_operations(struct handshake_budget *hb, enum handshake_trust trust)
{
	struct bucket *total = refill_total(hb);
	uint32_t reserved = trust == HANDSHAKE_VALIDATED
				? 0
				: total_rate(hb).burst / RESERVED_PART;

	return total->left >= reserved + HANDSHAKE_OPERATIONS &&
	       bucket_take(total, HANDSHAKE_OPERATIONS);
}

bool
handshake_budget_take_share(
    struct handshake_budget *hb, const struct handshake_source *s)
{
	struct bucket *share = find_share(hb, s);

	return share != NULL && bucket_take(share, HANDSHAKE_OPERATIONS);
}

static bool
has_left(const struct bucket *b)
{
	return b != NULL && b->left > 0;
}

/* Treats the source as unvalidated. A relay that has used up its share is then
 * charged itself, instead of the client that it names. */
static void
downgrade(struct handshake_source *s)
{
	s->trust = HANDSHAKE_UNVALIDATED;
	if (s->relay != NULL)
		s->payer = s->relay;
	s->relay = NULL;
}

static bool
take_all(struct handshake_budget *hb, struct handshake_source *s)
{
	struct bucket *payer = find_payer(hb, s);

	if (!has_left(payer))
		return false;
	if (!handshake_budget_take_share(hb, s)) {
		downgrade(s);
		payer = find_payer(hb, s);
	}
	/* A source without operations never charges the /24 that it names. */
	return has_left(payer) && take_operations(hb, s->trust) &&
	       bucket_take(payer, 1);
}

bool
handshake_budget_take(struct handshake_budget *hb, struct handshake_source *s)
{
	struct stats *st = hb->core->stats;
	enum handshake_trust trust = s->trust;

	if (take_all(hb, s))
		return true;
	if (trust == HANDSHAKE_UNVALIDATED)
		st->handshakes_unvalidated_refused++;
	else
		st->handshakes_refused++;
	return false;
}

void
handshake_budget_computed(struct handshake_budget *hb, bool answer)
{
	uint64_t *operations = &hb->core->stats->handshake_operations;

	*operations += HANDSHAKE_OPERATIONS;
	if (answer)
		return;
	*operations -= HANDSHAKE_ANSWER_OPERATIONS;
	hb->total.left += HANDSHAKE_ANSWER_OPERATIONS;
}

/* ---- life ---- */

void
handshake_budget_init(struct handshake_budget *hb, const struct core *core)
{
	uint32_t max = core->limits->forward_hosts;

	hb->core = core;
	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		prefix_budget_init(&hb->payers[i], core, max);
	prefix_budget_init(&hb->relays, core, max);
	hb->total = bucket_full(total_rate(hb).burst, now_ms(hb));
	hb->hosts = bucket_full(share_rate(hb).burst, now_ms(hb));
}

void
handshake_budget_limits_changed(struct handshake_budget *hb)
{
	uint32_t max = hb->core->limits->forward_hosts;

	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		prefix_budget_set_max(&hb->payers[i], max);
	prefix_budget_set_max(&hb->relays, max);
}

void
handshake_budget_fini(struct handshake_budget *hb)
{
	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		prefix_budget_fini(&hb->payers[i]);
	prefix_budget_fini(&hb->relays);
}
