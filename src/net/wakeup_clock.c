/* SPDX-License-Identifier: ISC */
#include <time.h>

#include "net/wakeup_clock.h"

enum {
	/* Delay after which sleep and steps of the wall clock are detected. */
	CHECK_EVERY_US = 1000 * 1000,
	/* Differences below this are no sleep: the two clocks are read one
	 * after the other, and the process may be preempted in between. */
	SLEEP_MIN_US = 1000 * 1000,
};

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t
wakeup_clock_read_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

/* Reads the clocks that not every wake-up needs. Returns the microseconds of
 * sleep since the last check. */
static uint64_t
check_sleep(struct wakeup_clock *c)
{
	uint64_t asleep = read_us(CLOCK_BOOTTIME) - c->now_us;
	uint64_t slept = 0;

	c->checked_us = c->now_us;
	c->checked_unix_ms = read_us(CLOCK_REALTIME) / 1000;
	if (asleep >= c->asleep_us + SLEEP_MIN_US) {
		slept = asleep - c->asleep_us;
		c->asleep_us = asleep;
	}
	return slept;
}

void
wakeup_clock_init(struct wakeup_clock *c)
{
	*c = (struct wakeup_clock){.now_us = read_us(CLOCK_MONOTONIC)};
	check_sleep(c);
	c->unix_ms = c->checked_unix_ms;
}

uint64_t
wakeup_clock_update(struct wakeup_clock *c)
{
	uint64_t slept = 0;

	c->now_us = read_us(CLOCK_MONOTONIC);
	if (c->now_us - c->checked_us >= CHECK_EVERY_US)
		slept = check_sleep(c);
	c->unix_ms = c->checked_unix_ms + (c->now_us - c->checked_us) / 1000;
	return slept;
}
