/* SPDX-License-Identifier: ISC */
#include "base/world.h"
#include "udx/pacer.h"

enum {
	RETRY_MS = 100, /* after memory was short */
	/*
	 * The event loop wakes up late, by the resolution of its clock and by
	 * the work of others. The tokens of that time are granted beyond the
	 * size of the bucket, or the pace would fall below the rate.
	 */
	LATE_US_MAX = 10000,
};

static const uint64_t SECOND_US = 1000000;

void
pacer_init(struct pacer *p)
{
	*p = (struct pacer){.wake_us = WORLD_NEVER};
}

static void
refill_tokens(struct pacer *p, uint64_t rate, uint64_t cap, uint64_t now_us)
{
	uint64_t elapsed = now_us - p->refilled_us, gain;
	uint64_t enough = cap * SECOND_US / rate + 1;

	if (elapsed > enough)
		elapsed = enough;
	gain = elapsed * rate / SECOND_US;
	if (p->tokens + gain >= cap) {
		p->tokens = cap;
		p->refilled_us = now_us;
	} else {
		p->tokens += gain;
		p->refilled_us += gain * SECOND_US / rate;
	}
}

/* Returns the bytes worth the time by which the wake-up came late. */
static uint64_t
late_bytes(const struct pacer *p, uint64_t rate, uint64_t now_us)
{
	uint64_t late = 0;

	if (p->ready_us != 0 && now_us > p->ready_us)
		late = now_us - p->ready_us;
	if (late > LATE_US_MAX)
		late = LATE_US_MAX;
	return late * rate / SECOND_US;
}

uint64_t
pacer_budget(struct pacer *p, const struct pacer_demand *d, uint64_t now_us)
{
	uint64_t burst = d->burst, wanted = d->wanted;

	if (d->rate == 0)
		return UINT64_MAX;
	if (burst < d->size)
		burst = d->size;
	if (wanted > burst)
		wanted = burst;
	if (wanted < d->size)
		wanted = d->size;
	refill_tokens(
	    p, d->rate, 2 * burst + late_bytes(p, d->rate, now_us), now_us);
	if (p->tokens >= wanted) {
		p->ready_us = 0;
		return p->tokens;
	}
	p->ready_us = now_us + (wanted - p->tokens) * SECOND_US / d->rate + 1;
	p->wake_us = p->ready_us;
	return 0;
}

void
pacer_spend(struct pacer *p, uint64_t bytes)
{
	p->tokens -= bytes;
}

void
pacer_retry(struct pacer *p, uint64_t now_us)
{
	p->wake_us = now_us + RETRY_MS * UINT64_C(1000);
}
