/* SPDX-License-Identifier: ISC */
/*
 * timer.h - the timers of one node, under one deadline.
 *
 * A timer is embedded in what it wakes; the heap borrows it while armed. Time
 * comes in as an argument, nobody here reads a clock. Uses: base.
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

struct timer {
	void (*fire)(struct timer *t); /* may arm or disarm any timer */
	uint64_t due_us;
	uint64_t order; /* among equals, first armed first */
	uint32_t place; /* in the heap, from 1; 0 while not armed */
};

/* The due time stands beside the pointer: sorting looks at no timer. */
struct timers_slot {
	uint64_t due_us;
	struct timer *timer;
};

struct timers {
	uint64_t next_us; /* earliest due time, or WORLD_NEVER */
	uint64_t now_us;  /* of the wake-up under way */
	uint64_t order;
	struct timers_slot *heap;
	uint32_t len, cap;
};

void timers_init(struct timers *ts);

/* Forgets every timer; those that embed them need not be told. */
void timers_fini(struct timers *ts);

/* Keeps room for at least n timers, so that n arms cannot fail. */
int timers_reserve(struct timers *ts, uint32_t n);

/*
 * Arms t, or moves it if it is armed. 0 or ERR_MEMORY. A due time that is not
 * in the future is honoured in the next timers_run(), never in this one.
 */
int timer_arm(struct timers *ts, struct timer *t, uint64_t due_us);
void timer_disarm(struct timers *ts, struct timer *t);

static inline bool
timer_armed(const struct timer *t)
{
	return t->place != 0;
}

/* The earliest due time, or WORLD_NEVER. */
static inline uint64_t
timers_deadline(const struct timers *ts)
{
	return ts->next_us;
}

/* Fires all that were armed before this call and are due at now_us. */
void timers_run(struct timers *ts, uint64_t now_us);

#endif
