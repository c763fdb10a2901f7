/* SPDX-License-Identifier: ISC */
/*
 * pacer.h - spreads packets in time at the rate of congestion control.
 *
 * A token bucket of bytes. Its owner calls pacer_budget() before it sends,
 * pacer_spend() after, and again once wake_us has passed. Times are in
 * microseconds, rates in bytes a second. Knows no stream and no timer.
 */
#ifndef UDX_PACER_H
#define UDX_PACER_H

#include <stdint.h>

struct pacer {
	uint64_t tokens;      /* bytes that may be sent */
	uint64_t refilled_us; /* time up to which they were added */
	uint64_t ready_us;    /* when a delayed burst may be sent; 0: none */
	uint64_t wake_us;     /* deadline, or WORLD_NEVER */
};

void pacer_init(struct pacer *p);

/* What the stream has to send, and the limits of congestion control. */
struct pacer_demand {
	uint64_t rate;   /* bytes a second; 0: unlimited */
	uint64_t burst;  /* bytes that may be sent at once */
	uint64_t size;   /* bytes of the next packet */
	uint64_t wanted; /* bytes that the congestion window allows */
};

/*
 * Returns the bytes that may be sent now, or UINT64_MAX without a limit.
 * Returns 0 and sets wake_us as long as the tokens are fewer than both a burst
 * and what is wanted.
 */
uint64_t pacer_budget(
    struct pacer *p, const struct pacer_demand *d, uint64_t now_us);

/* Removes the tokens of bytes that were sent. */
void pacer_spend(struct pacer *p, uint64_t bytes);

/* Sets the deadline to try again after memory was short. */
void pacer_retry(struct pacer *p, uint64_t now_us);

#endif
