/* SPDX-License-Identifier: ISC */
/*
 * watchdog.h - decides whether the service manager's watchdog is fed.
 *
 * The daemon is alive if the loop runs its timer when due and the node's tick
 * advances. Neither depends on the network: an offline node is alive. Uses:
 * nothing.
 */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

enum {
	/* The node runs every 5 s at the least, see dht/health.h. */
	WATCHDOG_TICK_LATE_S = 20,
	WATCHDOG_TIMER_LATE_S = 10,
};

struct watchdog {
	uint64_t ticked_us; /* when the tick of the node last advanced */
	uint32_t tick;      /* at that time */
};

void watchdog_init(struct watchdog *w, uint64_t now_us);

/* Notes the tick of the node. Returns false if it is late, or the timer that is
 * due at due_us (UINT64_MAX: none). */
bool watchdog_is_alive(
    struct watchdog *w, uint64_t now_us, uint32_t tick, uint64_t due_us);

#endif
