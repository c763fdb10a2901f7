/* SPDX-License-Identifier: ISC */
/*
 * health.h - whether the network is reachable and replies, protocol 01 §16.
 *
 * Takes the number of replies and of final timeouts once per tick and keeps the
 * last four. Plain data. Uses: nothing.
 */
#ifndef DHT_HEALTH_H
#define DHT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum { HEALTH_TICKS = 4 };

enum health_state {
	HEALTH_IDLE, /* too few events to decide */
	HEALTH_OFFLINE,
	HEALTH_DEGRADED,
	HEALTH_HEALTHY,
};

struct health {
	uint8_t last[HEALTH_TICKS]; /* enum health_state, a ring */
	uint8_t at, filled;         /* next place, places in use */
	uint8_t offline_run; /* offline ticks in a row, idle ones aside */
	bool online, degraded;
};

void health_init(struct health *h);

/* Adds a tick. Returns true if online or degraded changed. */
bool health_tick(struct health *h, uint32_t replies, uint32_t timeouts);

#endif
