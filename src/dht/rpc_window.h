/* SPDX-License-Identifier: ISC */
/*
 * rpc_window.h - congestion window of the own requests, protocol 01 §9.3.
 *
 * Limits sends to 80 in a slot of 750 ms and to 160 in four slots. The slots
 * advance with the time that is passed in, so an idle window needs no timer.
 */
#ifndef DHT_RPC_WINDOW_H
#define DHT_RPC_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RPC_WINDOW_SLOTS = 4,
	RPC_WINDOW_MAX = 80,
	RPC_WINDOW_SLOT_US = 750 * 1000,
};

struct rpc_window {
	uint16_t slot[RPC_WINDOW_SLOTS]; /* requests sent and not ended */
	uint16_t total, max;
	uint8_t at;        /* the present slot */
	uint64_t moved_us; /* when it began */
};

/* Allows `max` sends in one slot and twice as many in all slots. */
void rpc_window_init(struct rpc_window *w, uint16_t max, uint64_t now_us);

/* Advances to the slot that contains now_us; slots that are entered become
 * empty. */
void rpc_window_move(struct rpc_window *w, uint64_t now_us);

/* Returns true if no request may be sent before the next slot begins. */
bool rpc_window_is_full(const struct rpc_window *w);

/* Counts a send, or a retransmission, in the present slot. */
void rpc_window_sent(struct rpc_window *w);

/* Uncounts a request that ended, if the present slot has counted any. */
void rpc_window_ended(struct rpc_window *w);

#endif
