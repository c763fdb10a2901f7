/* SPDX-License-Identifier: ISC */
#include "base/world.h"
#include "udx/heartbeat.h"

enum {
	UNANSWERED_MAX = 7, /* as many as timeouts in a row, protocol 05 §6 */
};

void
heartbeat_init(struct heartbeat *h)
{
	*h = (struct heartbeat){
	    .keepalive_due_us = WORLD_NEVER, .window_due_us = WORLD_NEVER};
}

void
heartbeat_stop(struct heartbeat *h)
{
	h->keepalive_due_us = h->window_due_us = WORLD_NEVER;
}

bool
heartbeat_request(struct heartbeat *h)
{
	if (h->unanswered >= UNANSWERED_MAX)
		return false;
	h->unanswered++;
	h->pending = true;
	return true;
}

void
heartbeat_restart_keepalive(struct heartbeat *h, uint64_t now_us)
{
	if (h->interval_us != 0)
		h->keepalive_due_us = now_us + h->interval_us;
}

bool
heartbeat_keepalive_expired(
    struct heartbeat *h, uint64_t idle_us, bool all_acked, uint64_t now_us)
{
	bool wanted = idle_us >= h->interval_us && all_acked;
	uint64_t wait_us = h->interval_us;

	if (h->interval_us == 0) {
		h->keepalive_due_us = WORLD_NEVER;
		return false;
	}
	if (!wanted && idle_us < h->interval_us)
		wait_us -= idle_us;
	h->keepalive_due_us = now_us + wait_us;
	return wanted;
}

bool
heartbeat_watch_window(
    struct heartbeat *h, bool closed, uint64_t rto_us, uint64_t now_us)
{
	if (!closed) {
		h->window_due_us = WORLD_NEVER;
		return false;
	}
	if (h->window_due_us != WORLD_NEVER)
		return false;
	h->window_due_us = now_us + rto_us;
	return true;
}

void
heartbeat_window_expired(struct heartbeat *h, uint64_t rto_us, uint64_t now_us)
{
	h->window_due_us = now_us + 2 * rto_us;
}
