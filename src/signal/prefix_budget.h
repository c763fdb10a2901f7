/* SPDX-License-Identifier: ISC */
/*
 * prefix_budget.h - how much may be spent for whom.
 *
 * A bucket for each /24 that asks, in a bounded table. A bucket that has
 * filled up again says no more than a new one does, so only those make room;
 * while there are none, newcomers are refused. What is counted, bytes or work,
 * is the owner's to say. Knows no message. Uses: base.
 */
#ifndef SIGNAL_PREFIX_BUDGET_H
#define SIGNAL_PREFIX_BUDGET_H

#include "base/addr.h"
#include "base/bucket.h"
#include "base/pool.h"
#include "base/core.h"

struct prefix_budgets {
	const struct core *core;
	struct pool pool;
	struct index index;
	uint32_t hand; /* the cell to look at next for one that is full */
};

/* Of all buckets of one table. */
struct prefix_budget_rate {
	uint32_t burst, rate; /* units at once, units a second after that */
};

/* At most so many buckets; fewer only as they fill up again. */
void prefix_budget_init(
    struct prefix_budgets *a, const struct core *core, uint32_t max);
void prefix_budget_set_max(struct prefix_budgets *a, uint32_t max);
void prefix_budget_fini(struct prefix_budgets *a);

/*
 * The bucket of the /24 of this address, up to date, to be taken from before
 * the next call; NULL if there is no room for one more.
 */
struct bucket *prefix_budget_get(struct prefix_budgets *a,
    const struct addr *from, const struct prefix_budget_rate *r);

#endif
