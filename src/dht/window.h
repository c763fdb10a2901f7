/* SPDX-License-Identifier: ISC */
/*
 * window.h - how many requests may leave at once, protocol 01 §9.3.
 *
 * Four slots of 750 ms, 80 sends in one and 160 in all of them. The slots move
 * with the time that is passed in, so an idle window needs no timer.
 */
#ifndef DHT_WINDOW_H
#define DHT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

enum { WINDOW_SLOTS = 4, WINDOW_MAX = 80, WINDOW_SLOT_US = 750 * 1000 };

struct window {
	uint16_t slot[WINDOW_SLOTS];
	uint16_t total, max;
	uint8_t at;
	uint64_t moved_us;
};

void window_init(struct window *w, uint16_t max, uint64_t now_us);

/* Moves on to the slot that now_us is in; the slots entered become empty. */
void window_move(struct window *w, uint64_t now_us);

bool window_is_full(const struct window *w);
void window_sent(struct window *w);

/* A request ended: one place is free again, if this slot holds one. */
void window_ended(struct window *w);

#endif
