/* SPDX-License-Identifier: ISC */
#include "dht/health.h"

enum { EVENTS_MIN = 4, OFFLINE_TICKS = 2 };

void
health_init(struct health *h)
{
	*h = (struct health){.online = true};
}

static enum health_state
classify_tick(uint32_t replies, uint32_t timeouts)
{
	if (replies + timeouts < EVENTS_MIN)
		return HEALTH_IDLE;
	if (replies == 0)
		return HEALTH_OFFLINE;
	return timeouts > replies ? HEALTH_DEGRADED : HEALTH_HEALTHY;
}

static bool
all_ticks_are(const struct health *h, enum health_state s)
{
	for (int i = 0; i < HEALTH_TICKS; i++)
		if (h->last[i] != s)
			return false;
	return true;
}

bool
health_tick(struct health *h, uint32_t replies, uint32_t timeouts)
{
	bool online = h->online, degraded = h->degraded;
	enum health_state s = HEALTH_IDLE;

	if (h->filled < HEALTH_TICKS)
		h->filled++;
	if (h->filled == HEALTH_TICKS)
		s = classify_tick(replies, timeouts);
	h->last[h->at] = (uint8_t)s;
	h->at = (h->at + 1) % HEALTH_TICKS;
	if (s == HEALTH_IDLE)
		return false;
	if (s != HEALTH_OFFLINE) {
		h->offline_run = 0;
		h->online = true;
	} else if (++h->offline_run >= OFFLINE_TICKS) {
		h->offline_run = OFFLINE_TICKS;
		h->online = false;
	}
	if (!h->online || all_ticks_are(h, HEALTH_HEALTHY))
		h->degraded = false;
	else if (all_ticks_are(h, HEALTH_DEGRADED))
		h->degraded = true;
	return online != h->online || degraded != h->degraded;
}
