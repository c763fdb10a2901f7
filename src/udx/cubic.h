/* SPDX-License-Identifier: ISC */
/*
 * cubic.h - the window that TCP would have on the same line, RFC 9438.
 *
 * Grows with time from the last loss, backs off at one. Knows neither rate nor
 * path. Bytes and microseconds; integers alone. Uses: base.
 */
#ifndef UDX_CUBIC_H
#define UDX_CUBIC_H

#include <stdbool.h>
#include <stdint.h>

/* The window while nothing was lost: as good as none. */
#define CUBIC_NONE UINT64_MAX

struct cubic {
	uint64_t window;
	uint64_t top;                /* the window when something was lost */
	uint64_t since_us, again_us; /* then, and how long until it is back */
};

/* At `window`, as if it had been the top all along. */
void cubic_start(struct cubic *q, uint64_t window, uint64_t now_us);

/* A loss at `window`; it falls no lower than least. mss: of a packet. */
void cubic_lost(struct cubic *q, uint64_t window, uint64_t least, uint32_t mss,
    uint64_t now_us);

/* rtt_us: how far to look ahead; acked: bytes, of which it grows by half. */
void cubic_grow(struct cubic *q, uint64_t acked, uint32_t mss, uint64_t rtt_us,
    uint64_t now_us);

#endif
