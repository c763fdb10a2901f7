/* SPDX-License-Identifier: ISC */
/*
 * allowance.h - how many bytes may be forwarded for whom.
 *
 * A bucket of bytes for each /24 that asks, in a bounded table. A bucket that
 * has filled up again says no more than a new one does, so only those make
 * room; while there are none, newcomers are refused. What may be sent to an
 * address that has proved nothing is dht_spend()'s to say. Knows no message.
 * Uses: base, dht.
 */
#ifndef SIGNAL_ALLOWANCE_H
#define SIGNAL_ALLOWANCE_H

#include "base/addr.h"
#include "base/bucket.h"
#include "base/pool.h"
#include "dht/dht.h"

struct allowance {
	const struct dht *d;
	struct pool pool;
	struct index index;
	uint32_t hand; /* the cell to look at next for one that is full */
};

/* Takes the size of the table from the limits, once. */
void allowance_init(struct allowance *a, const struct dht *d);
void allowance_fini(struct allowance *a);

/*
 * The bucket of the /24 of this address, up to date, to be taken from before
 * the next call; NULL if there is no room for one more.
 */
struct bucket *allowance_of(struct allowance *a, const struct addr *from);

#endif
