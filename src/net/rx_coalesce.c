/* SPDX-License-Identifier: ISC */
#include "net/rx_coalesce.h"

enum {
	/* Wake-ups further apart than this are no trouble ... */
	APART_US = 500,
	/* ... and those after a rest may be late. */
	LATE_US = 2000,
	ENOUGH = 16, /* wake-ups in a row that make a habit */
	MEMORY = 64, /* after so many the older ones count half */
	FULL = 32,   /* datagrams that are worth a wake-up */
	BULK = 256,  /* bytes of a wake-up, on average */
	ANSWERS = 16 /* part of what comes in that may go out */
};

static void
forget(struct rx_coalesce *r)
{
	r->wakes = 0;
	r->in = r->out = 0;
}

static void
fade(struct rx_coalesce *r)
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

	if (apart > (r->resting ? RX_COALESCE_US + LATE_US : APART_US) ||
	    (r->resting && datagrams < 2))
		forget(r);
	r->last_us = now_us;
	r->wakes++;
	r->in += bytes;
	r->resting = datagrams < FULL && r->wakes >= ENOUGH &&
		     r->in >= (uint64_t)r->wakes * BULK &&
		     r->in >= r->out * ANSWERS;
	if (r->wakes >= MEMORY)
		fade(r);
	return r->resting;
}
