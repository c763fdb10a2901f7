/* SPDX-License-Identifier: ISC */
#include "dht/rpc_window.h"

void
rpc_window_init(struct rpc_window *w, uint16_t max, uint64_t now_us)
{
	*w = (struct rpc_window){.max = max, .moved_us = now_us};
}

void
rpc_window_move(struct rpc_window *w, uint64_t now_us)
{
	uint64_t steps = (now_us - w->moved_us) / RPC_WINDOW_SLOT_US;

	w->moved_us += steps * RPC_WINDOW_SLOT_US;
	if (steps > RPC_WINDOW_SLOTS)
		steps = RPC_WINDOW_SLOTS;
	for (; steps > 0; steps--) {
		w->at = (w->at + 1) % RPC_WINDOW_SLOTS;
		w->total -= w->slot[w->at];
		w->slot[w->at] = 0;
	}
}

bool
rpc_window_is_full(const struct rpc_window *w)
{
	return w->total >= 2 * w->max || w->slot[w->at] >= w->max;
}

void
rpc_window_sent(struct rpc_window *w)
{
	w->slot[w->at]++;
	w->total++;
}

void
rpc_window_ended(struct rpc_window *w)
{
	if (w->slot[w->at] == 0)
		return;
	w->slot[w->at]--;
	w->total--;
}
