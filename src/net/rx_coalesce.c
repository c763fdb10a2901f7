/* SPDX-License-Identifier: ISC */
#include "net/rx_coalesce.h"

enum {
	/* Wake-ups further apart than this cost little ... */
	APART_US = 500,
	/* ... and those after a delay may be late. */
	LATE_US = 2000,
	WAKES_MIN = 16,       /* frequent wake-ups before the first delay */
	WAKES_MEMORY = 64,    /* after as many, older ones count half */
	DATAGRAMS_FULL = 32,  /* datagrams that are worth a wake-up */
	WAKE_BYTES_MIN = 256, /* received per wake-up, on average */
	SENT_SHARE = 16       /* sent bytes at most 1/16 of the received */
};

static void
reset_traffic(struct rx_coalesce *r)
{
	r->wakes = 0;
	r->in = r->out = 0;
}

static void
age_traffic(struct rx_coalesce *r)
{
	r->wakes /= 2;
	r->in /= 2;
	r->out /= 2;
}

bool
rx_coalesce_after(
    struct rx_coalesce *r, uint64_t now_us, unsigned datagrams, size_t bytes)
{
	uint64_t apart = now_us - r->last_us;

	if (apart > (r->delayed ? RX_COALESCE_US + LATE_US : APART_US) ||
	    (r->delayed && datagrams < 2))
		reset_traffic(r);
	r->last_us = now_us;
	r->wakes++;
	r->in += bytes;
	r->delayed = datagrams < DATAGRAMS_FULL && r->wakes >= WAKES_MIN &&
		     r->in >= (uint64_t)r->wakes * WAKE_BYTES_MIN &&
		     r->in >= r->out * SENT_SHARE;
	if (r->wakes >= WAKES_MEMORY)
		age_traffic(r);
	return r->delayed;
}
