/* SPDX-License-Identifier: ISC */
#include "udx/cubic.h"

/* C is 0.4 packets a cubic second, RFC 9438 §5.1. Here time is in
 * milliseconds, of which there are 10^9 in a cubic second. */
static const uint64_t PER_CUBE = 2500000000; /* 10^9 / C */
static const uint64_t LONGEST_MS = 1 << 20;  /* its cube fits 64 bits */

static uint64_t
cube_root_ms(uint64_t cube)
{
	uint64_t root = 0;

	for (uint64_t bit = LONGEST_MS; bit > 0; bit >>= 1) {
		uint64_t next = root | bit;

		if (next * next * next <= cube)
			root = next;
	}
	return root;
}

/* Returns the distance of the curve from W_max, so long before or after K. */
static uint64_t
curve_gain(uint64_t us, uint32_t mss)
{
	uint64_t ms = us / 1000 < LONGEST_MS ? us / 1000 : LONGEST_MS;

	return ms * ms * ms / PER_CUBE * mss;
}

void
cubic_start(struct cubic *q, uint64_t window, uint64_t now_us)
{
	*q =
	    (struct cubic){.window = window, .top = window, .since_us = now_us};
}

void
cubic_lost(struct cubic *q, uint64_t window, uint64_t least, uint32_t mss,
    uint64_t now_us)
{
	uint64_t left = window / 10 * 7;

	if (left < least)
		left = least < window ? least : window;
	/* RFC 9438 §4.7, fast convergence: a flow that loses before it has
	 * reached W_max releases bandwidth to others. */
	q->top = window < q->top ? window / 20 * 17 : window;
	if (q->top < left)
		q->top = left;
	q->window = left;
	q->since_us = now_us;
	q->again_us = cube_root_ms((q->top - left) / mss * PER_CUBE) * 1000;
}

void
cubic_grow(struct cubic *q, uint64_t acked, uint32_t mss, uint64_t rtt_us,
    uint64_t now_us)
{
	uint64_t us = now_us - q->since_us + rtt_us, to;

	if (q->window == CUBIC_NONE)
		return;
	if (us >= q->again_us) {
		to = q->top + curve_gain(us - q->again_us, mss);
	} else {
		uint64_t lack = curve_gain(q->again_us - us, mss);

		to = lack < q->top ? q->top - lack : 0;
	}
	if (to > q->window + acked / 2)
		to = q->window + acked / 2;
	if (to > q->window)
		q->window = to;
}
