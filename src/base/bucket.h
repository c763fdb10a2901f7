/* SPDX-License-Identifier: ISC */
/*
 * bucket.h - a token bucket: a burst at once, then a steady rate.
 *
 * Kept in 8 bytes, because there is one per host that speaks to us. Time is
 * counted in milliseconds modulo 2^32 (49 days); whoever keeps buckets must
 * refill each at least once in half of that. Uses: base.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint32_t left;
	uint32_t at_ms;
};

static inline struct bucket
bucket_full(uint32_t burst, uint32_t now_ms)
{
	return (struct bucket){.left = burst, .at_ms = now_ms};
}

/* Brings the bucket up to date: `rate` units a second (below 2^31), at most
 * `burst`. */
static inline void
bucket_refill(struct bucket *b, uint32_t burst, uint32_t rate, uint32_t now_ms)
{
	/*
	 * What is due by now less what was due by then, each from the start of
	 * time: parts of a unit are neither lost nor given twice, however often
	 * this is called.
	 */
	uint64_t then = b->at_ms, now = then + (uint32_t)(now_ms - b->at_ms);
	uint64_t gain = now * rate / 1000 - then * rate / 1000;

	b->at_ms = now_ms;
	if (b->left >= burst || gain >= burst - b->left)
		b->left = burst;
	else
		b->left += (uint32_t)gain;
}

/* Takes n units if they are there. */
static inline bool
bucket_take(struct bucket *b, uint32_t n)
{
	if (b->left < n)
		return false;
	b->left -= n;
	return true;
}

#endif
