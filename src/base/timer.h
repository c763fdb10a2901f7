/* SPDX-License-Identifier: ISC */
/*
 * timer.h - the timers of one node, under one deadline.
 *
 * A timer is embedded in the struct that it belongs to and is linked into the
 * heap while it is armed, so arming takes no memory and cannot fail. Time is an
 * argument; no clock is read here. Uses: base.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/world.h"

/* The struct that embeds *ptr as its member. */
#define container_of(ptr, type, member)                                        \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* All zero but `fire`: not armed. */
struct timer {
	void (*fire)(struct timer *t); /* may arm or disarm any timer */
	uint64_t due_us;
	uint64_t order; /* of arming; decides among equal due times */
	struct timer *child, *next, *prev; /* see timer.c */
	bool armed;
};

struct timers {
	uint64_t next_us; /* earliest due time, or WORLD_NEVER */
	uint64_t now_us;  /* of the latest timers_run() */
	uint64_t order;
	struct timer *root; /* fires first; NULL: none is armed */
};

void timers_init(struct timers *ts);

/* Disarms every timer without firing it. */
void timers_fini(struct timers *ts);

/*
 * Arms t, or moves it if it is armed. A due time that is not in the future is
 * honoured by the next timers_run(), never by the one that is running.
 */
void timer_arm(struct timers *ts, struct timer *t, uint64_t due_us);

/* Disarms t; does nothing if it is not armed. */
void timer_disarm(struct timers *ts, struct timer *t);

static inline bool
timer_armed(const struct timer *t)
{
	return t->armed;
}

/* Returns the earliest due time, or WORLD_NEVER. */
static inline uint64_t
timers_deadline(const struct timers *ts)
{
	return ts->next_us;
}

/* Fires the timers that were armed before this call and are due at now_us. */
void timers_run(struct timers *ts, uint64_t now_us);

#endif
