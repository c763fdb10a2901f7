/* SPDX-License-Identifier: ISC */
#include "daemon/watchdog.h"

enum { SECOND_US = 1000000 };

void
watchdog_init(struct watchdog *w, uint64_t now_us)
{
	*w = (struct watchdog){.ticked_us = now_us};
}

bool
watchdog_is_alive(
    struct watchdog *w, uint64_t now_us, uint32_t tick, uint64_t due_us)
{
	if (tick != w->tick) {
		w->tick = tick;
		w->ticked_us = now_us;
	}
	if (now_us - w->ticked_us > WATCHDOG_TICK_LATE_S * (uint64_t)SECOND_US)
		return false;
	return due_us >= now_us ||
	       now_us - due_us < WATCHDOG_TIMER_LATE_S * (uint64_t)SECOND_US;
}
