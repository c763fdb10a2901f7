/* SPDX-License-Identifier: ISC */
/*
 * wakeup_clock.h - the time of one wake-up, and how long the machine slept.
 *
 * CLOCK_BOOTTIME counts sleep and CLOCK_MONOTONIC does not: their difference
 * shows it, and a step of the wall clock is not taken for sleep. Uses: nothing.
 */
#ifndef NET_WAKEUP_CLOCK_H
#define NET_WAKEUP_CLOCK_H

#include <stdint.h>

struct wakeup_clock {
	uint64_t now_us;  /* monotonic, not counting sleep */
	uint64_t unix_ms; /* wall clock */

	/* When the other two clocks were read last, and what they showed. */
	uint64_t checked_us, checked_unix_ms, asleep_us;
};

/* Reads all three clocks. */
void wakeup_clock_init(struct wakeup_clock *c);

/* Updates the time. Returns the microseconds of sleep since the last update. */
uint64_t wakeup_clock_update(struct wakeup_clock *c);

/* Returns the monotonic time, for what checks the loop from outside. */
uint64_t wakeup_clock_read_us(void);

#endif
