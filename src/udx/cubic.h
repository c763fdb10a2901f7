/* SPDX-License-Identifier: ISC */
/*
 * cubic.h - the window that TCP would have on the same line, RFC 9438.
 *
 * It grows with the time since the last loss and is reduced by a loss. Knows
 * neither rate nor path. Bytes and microseconds, in integers. Uses: base.
 */
#ifndef UDX_CUBIC_H
#define UDX_CUBIC_H

#include <stdbool.h>
#include <stdint.h>

/* The window before the first loss: no bound. */
#define CUBIC_NONE UINT64_MAX

struct cubic {
	uint64_t window;
	uint64_t top;      /* W_max: the window at the last loss */
	uint64_t since_us; /* time of that loss */
	uint64_t again_us; /* K: time until W_max is reached again */
};

/* Starts at `window` as if it were W_max. */
void cubic_start(struct cubic *q, uint64_t window, uint64_t now_us);

/*
 * Handles a loss at `window`: reduces it, to `least` at least. mss: bytes of a
 * full packet.
 */
void cubic_lost(struct cubic *q, uint64_t window, uint64_t least, uint32_t mss,
    uint64_t now_us);

/*
 * Grows the window towards the curve, rtt_us ahead, by half of the acked bytes
 * at most.
 */
void cubic_grow(struct cubic *q, uint64_t acked, uint32_t mss, uint64_t rtt_us,
    uint64_t now_us);

#endif
