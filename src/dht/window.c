/* SPDX-License-Identifier: ISC */
#include "dht/window.h"

void
window_init(struct window *w, uint16_t max, uint64_t now_us)
{
	*w = (struct window){.max = max, .moved_us = now_us};
}

void
window_move(struct window *w, uint64_t now_us)
{
	uint64_t steps = (now_us - w->moved_us) / WINDOW_SLOT_US;

	w->moved_us += steps * WINDOW_SLOT_US;
	if (steps > WINDOW_SLOTS)
		steps = WINDOW_SLOTS;
	for (; steps > 0; steps--) {
		w->at = (w->at + 1) % WINDOW_SLOTS;
		w->total -= w->slot[w->at];
		w->slot[w->at] = 0;
	}
}

bool
window_is_full(const struct window *w)
{
	return w->total >= 2 * w->max || w->slot[w->at] >= w->max;
}

void
window_sent(struct window *w)
{
	w->slot[w->at]++;
	w->total++;
}

void
window_ended(struct window *w)
{
	if (w->slot[w->at] == 0)
		return;
	w->slot[w->at]--;
	w->total--;
}
