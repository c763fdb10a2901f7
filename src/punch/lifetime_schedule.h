/* SPDX-License-Identifier: ISC */
/*
 * lifetime_schedule.h - schedules measurements of the NAT mapping lifetime.
 *
 * Runs one measurement (lifetime.h) at a time: in the background, while keys
 * listen or connections are open behind a NAT or firewall, one minute after
 * that begins and every lifetime-minutes, sooner if the last one failed or a
 * mapping expired nevertheless; and at once for a waiter. Stores the result in
 * dht/mapping.h. A change of network or a long sleep cancels it.
 */
#ifndef PUNCH_LIFETIME_SCHEDULE_H
#define PUNCH_LIFETIME_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/timer.h"
#include "punch/lifetime.h"

/*
 * Receives the results of a measurement; embedded in its user. It is removed
 * from the list before its last event (next_s is 0), and must not leave during
 * any other.
 */
struct lifetime_waiter {
	TAILQ_ENTRY(lifetime_waiter) link;
	struct lifetime_listener sink;
};

TAILQ_HEAD(lifetime_waiter_list, lifetime_waiter);

struct lifetime_schedule {
	struct socket_table *table;
	struct timer timer; /* starts the next measurement */
	struct lifetime *measuring;
	struct lifetime_waiter_list waiters;
	uint32_t paths;    /* open connections */
	bool listening;    /* keys listen */
	bool wanted;       /* background measurements are scheduled */
	uint64_t began_us; /* the latest measurement; 0: none */
};

/* Borrows the table. */
void lifetime_schedule_init(
    struct lifetime_schedule *u, struct socket_table *table);
void lifetime_schedule_fini(struct lifetime_schedule *u);

/* Starts or stops background measurements after a change of `paths`,
 * `listening` or the mapping's state. */
void lifetime_schedule_update(struct lifetime_schedule *u);

/* Discards what was measured; waiters are notified of an unknown lifetime. */
void lifetime_schedule_invalidate(struct lifetime_schedule *u);

/* Adds w to the measurement under way, or starts one. Returns 0, or the error
 * of lifetime_start(). */
int lifetime_schedule_join(struct lifetime_schedule *u,
    struct lifetime_waiter *w) __attribute__((warn_unused_result));

/* Removes w, which must be on the list; cancels a measurement that is then of
 * no use. */
void lifetime_schedule_leave(
    struct lifetime_schedule *u, struct lifetime_waiter *w);

#endif
