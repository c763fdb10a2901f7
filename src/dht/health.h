/* SPDX-License-Identifier: ISC */
/*
 * health.h - is the network there, and does it answer well? Protocol 01 §16.
 *
 * Fed once per tick with the replies and final timeouts since the last one.
 */
#ifndef DHT_HEALTH_H
#define DHT_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

enum { HEALTH_TICKS = 4 };

enum health_state {
	HEALTH_IDLE, /* too little happened to tell */
	HEALTH_OFFLINE,
	HEALTH_DEGRADED,
	HEALTH_HEALTHY,
};

struct health {
	uint8_t last[HEALTH_TICKS]; /* enum health_state, a ring */
	uint8_t at, noted;
	uint8_t offline_run; /* idle ticks do not break it */
	bool online, degraded;
};

void health_init(struct health *h);

/* True if online or degraded changed. */
bool health_tick(struct health *h, uint32_t replies, uint32_t timeouts);

#endif
