/* SPDX-License-Identifier: ISC */
/*
 * bucket.h - a token bucket: a burst at once, then a steady rate.
 *
 * Takes 8 bytes, because there is one per source host. Time is counted in
 * milliseconds modulo 2^32 (49 days); the owner must refill each bucket at
 * least once in half of that time. Uses: base.
 */
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint32_t left;
	uint32_t at_ms;
};

/* Returns a full bucket. */
static inline struct bucket
bucket_full(uint32_t burst, uint32_t now_ms)
{
	return (struct bucket){.left = burst, .at_ms = now_ms};
}

/* Adds `rate` units (below 2^31) for each second since the last refill, up to
 * `burst` in all. */
static inline void
bucket_refill(struct bucket *b, uint32_t burst, uint32_t rate, uint32_t now_ms)
{
	/*
	 * Subtracts two totals since time 0, so that fractions of a unit are
	 * neither lost nor added twice, however often this is called.
	 */
	uint64_t then = b->at_ms, now = then + (uint32_t)(now_ms - b->at_ms);
	uint64_t gain = now * rate / 1000 - then * rate / 1000;

	b->at_ms = now_ms;
	if (b->left >= burst || gain >= burst - b->left)
		b->left = burst;
	else
		b->left += (uint32_t)gain;
}

/* Takes n units and returns true, or returns false if there are fewer. */
static inline bool
bucket_take(struct bucket *b, uint32_t n)
{
	if (b->left < n)
		return false;
	b->left -= n;
	return true;
}

#endif
