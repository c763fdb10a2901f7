/* SPDX-License-Identifier: ISC */
/*
 * swarm_retry.h - when a peer is dialed again, and before which others;
 * protocol 08 §5, §6.
 *
 * Each retry timer is a common clock: a peer is dialed at the second tick after
 * its connection has ended, so that many peers that were lost at once are not
 * dialed at once by every member. Knows no peer and arms nothing.
 */
#ifndef SWARM_SWARM_RETRY_H
#define SWARM_SWARM_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/world.h"

enum swarm_retry {
	SWARM_RETRY_SHORT,
	SWARM_RETRY_MEDIUM,
	SWARM_RETRY_LONG,
	SWARM_RETRY_EXPLICIT, /* of an explicit peer that keeps failing */
	SWARM_RETRY_NONE,     /* the peer is given up until it is found again */
};

struct swarm_clock {
	uint32_t timer_ms, tick_ms;
	uint64_t start_us;
	bool started; /* by its first use */
};

struct swarm_clocks {
	struct swarm_clock clock[SWARM_RETRY_NONE];
};

/* Draws the periods of the clocks. */
void swarm_clocks_init(struct swarm_clocks *c, struct world *w);

/* Returns the timer after a dial has ended, whose attempt is counted. */
enum swarm_retry swarm_retry_after(
    uint32_t attempts, bool proven, bool explicit_peer);

/* Returns when a peer is dialed that starts to wait now. */
uint64_t swarm_clock_due_us(
    struct swarm_clocks *c, enum swarm_retry which, uint64_t now_us);

enum { SWARM_PRIORITY_MAX = 4 };

/* Returns the priority of a peer in the queue, 0 if it is not queued. Sets
 * *attempts back for an explicit peer, which is never given up. */
uint32_t swarm_priority(uint32_t *attempts, bool explicit_peer);

#endif
