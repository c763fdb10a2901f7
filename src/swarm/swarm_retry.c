/* SPDX-License-Identifier: ISC */
#include "swarm/swarm_retry.h"

enum {
	SWARM_JITTER_MS = 500,
	TICK_PERCENT = 66,
	ATTEMPTS_MAX = 3, /* with more, only an explicit peer is dialed */
};

void
swarm_clocks_init(struct swarm_clocks *c, struct world *w)
{
	static const struct {
		uint32_t base_ms, jitter_ms;
	} periods[SWARM_RETRY_NONE] = {
	    [SWARM_RETRY_SHORT] = {1000, 500},
	    [SWARM_RETRY_MEDIUM] = {5000, 1000},
	    [SWARM_RETRY_LONG] = {15000, 2000},
	    [SWARM_RETRY_EXPLICIT] = {600000, 120000},
	};

	for (int i = 0; i < SWARM_RETRY_NONE; i++) {
		uint32_t ms = periods[i].base_ms +
			      world_below(w, periods[i].jitter_ms + 1) +
			      world_below(w, SWARM_JITTER_MS + 1);

		c->clock[i] = (struct swarm_clock){
		    .timer_ms = ms, .tick_ms = ms * TICK_PERCENT / 100};
	}
}

enum swarm_retry
swarm_retry_after(uint32_t attempts, bool proven, bool explicit_peer)
{
	if (attempts > ATTEMPTS_MAX)
		return explicit_peer ? SWARM_RETRY_EXPLICIT : SWARM_RETRY_NONE;
	if (attempts == ATTEMPTS_MAX || (attempts == 2 && !proven))
		return SWARM_RETRY_LONG;
	if (attempts == 2 || (attempts == 1 && !proven))
		return SWARM_RETRY_MEDIUM;
	return SWARM_RETRY_SHORT;
}

uint64_t
swarm_clock_due_us(
    struct swarm_clocks *c, enum swarm_retry which, uint64_t now_us)
{
	struct swarm_clock *k = &c->clock[which];
	uint64_t tick_us = (uint64_t)k->tick_ms * 1000;

	if (!k->started)
		k->start_us = now_us;
	k->started = true;
	return k->start_us + ((now_us - k->start_us) / tick_us + 2) * tick_us;
}

uint32_t
swarm_priority(uint32_t *attempts, bool explicit_peer)
{
	/* A peer that has failed once is tried before fresh ones. */
	static const uint32_t priorities[ATTEMPTS_MAX + 1] = {2, 4, 3, 1};

	if (*attempts > ATTEMPTS_MAX && !explicit_peer)
		return 0;
	if (*attempts > ATTEMPTS_MAX)
		*attempts = ATTEMPTS_MAX;
	return priorities[*attempts];
}
