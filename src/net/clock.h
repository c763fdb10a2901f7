/* SPDX-License-Identifier: ISC */
/*
 * clock.h - the time of one wake-up, and how long the machine slept.
 *
 * Sleep is what CLOCK_BOOTTIME counts and CLOCK_MONOTONIC does not, so a step
 * of the wall clock is never taken for one.
 */
#ifndef NET_CLOCK_H
#define NET_CLOCK_H

#include <stdint.h>

struct clock {
	uint64_t now_us;  /* monotonic, not counting sleep */
	uint64_t unix_ms; /* wall clock */

	/* As of the last look at the other two clocks. */
	uint64_t looked_us, looked_unix_ms, asleep_us;
};

void clock_init(struct clock *c);

/* Sets the time; returns the microseconds slept that were not told before. */
uint64_t clock_update(struct clock *c);

#endif
