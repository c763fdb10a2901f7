/* SPDX-License-Identifier: ISC */
/*
 * allowance.h - how much may be spent for whom.
 *
 * A bucket for each /24 that asks, in a bounded table. A bucket that has
 * filled up again says no more than a new one does, so only those make room;
 * while there are none, newcomers are refused. What is counted, bytes or work,
 * is the owner's to say. Knows no message. Uses: base.
 */
#ifndef SIGNAL_ALLOWANCE_H
#define SIGNAL_ALLOWANCE_H

#include "base/addr.h"
#include "base/bucket.h"
#include "base/pool.h"
#include "base/core.h"

struct allowance {
	const struct core *core;
	struct pool pool;
	struct index index;
	uint32_t hand; /* the cell to look at next for one that is full */
};

/* Of all buckets of one table. */
struct allowance_rate {
	uint32_t burst, rate; /* units at once, units a second after that */
};

/* At most so many buckets; fewer only as they fill up again. */
void allowance_init(struct allowance *a, const struct core *core, uint32_t max);
void allowance_set_max(struct allowance *a, uint32_t max);
void allowance_fini(struct allowance *a);

/*
 * The bucket of the /24 of this address, up to date, to be taken from before
 * the next call; NULL if there is no room for one more.
 */
struct bucket *allowance_of(struct allowance *a, const struct addr *from,
    const struct allowance_rate *r);

#endif
