/* SPDX-License-Identifier: ISC */
#include <time.h>

#include "net/clock.h"

enum {
	/* The wall clock and sleep may be noticed this much later. */
	LOOK_EVERY_US = 1000 * 1000,
	/* Two readings of two clocks are never quite at one instant. */
	SLEEP_MIN_US = 1000 * 1000,
};

static uint64_t
read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The readings that not every wake-up needs. */
static uint64_t
look(struct clock *c)
{
	uint64_t asleep = read_us(CLOCK_BOOTTIME) - c->now_us;
	uint64_t slept = 0;

	c->looked_us = c->now_us;
	c->looked_unix_ms = read_us(CLOCK_REALTIME) / 1000;
	if (asleep >= c->asleep_us + SLEEP_MIN_US) {
		slept = asleep - c->asleep_us;
		c->asleep_us = asleep;
	}
	return slept;
}

void
clock_init(struct clock *c)
{
	*c = (struct clock){.now_us = read_us(CLOCK_MONOTONIC)};
	look(c);
	c->unix_ms = c->looked_unix_ms;
}

uint64_t
clock_update(struct clock *c)
{
	uint64_t slept = 0;

	c->now_us = read_us(CLOCK_MONOTONIC);
	if (c->now_us - c->looked_us >= LOOK_EVERY_US)
		slept = look(c);
	c->unix_ms = c->looked_unix_ms + (c->now_us - c->looked_us) / 1000;
	return slept;
}
