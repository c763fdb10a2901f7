/* SPDX-License-Identifier: ISC */
/*
 * prefix_budget.h - a budget for each source prefix, in a bounded table.
 *
 * One token bucket per /24 (IPv6: /56) that was asked for. A full bucket equals
 * a new one, so only full buckets are evicted; while a full table has none, new
 * prefixes get no bucket. The unit, bytes or work, is the caller's choice.
 * Uses: base.
 */
#ifndef SIGNAL_PREFIX_BUDGET_H
#define SIGNAL_PREFIX_BUDGET_H

#include "base/addr.h"
#include "base/bucket.h"
#include "base/core.h"
#include "base/pool.h"

struct prefix_budgets {
	const struct core *core;
	struct pool pool;
	struct pool_index index;
	uint32_t cursor; /* the last cell that was checked for a full bucket */
};

/* The rate of all buckets of a table. */
struct prefix_budget_rate {
	uint32_t burst, rate; /* units at once, units a second after that */
};

/* Returns what a table of so many buckets takes, at most. */
size_t prefix_budget_bytes_max(uint32_t buckets);

/* Initialises a table of at most max buckets without allocating. */
void prefix_budget_init(
    struct prefix_budgets *pb, const struct core *core, uint32_t max);

/* Sets a new maximum. Buckets above it are evicted as they fill up. */
void prefix_budget_set_max(struct prefix_budgets *pb, uint32_t max);
void prefix_budget_fini(struct prefix_budgets *pb);

/*
 * Returns the refilled bucket of the prefix of an address, borrowed until the
 * next call, or NULL if the table is full or memory is short.
 */
struct bucket *prefix_budget_get(struct prefix_budgets *pb,
    const struct addr *from, const struct prefix_budget_rate *r);

/* Returns the bucket of a prefix for packets that one relay forwards. */
struct bucket *prefix_budget_get_through(struct prefix_budgets *pb,
    const struct addr *from, const struct addr *relay,
    const struct prefix_budget_rate *r);

/* The same for one host; a table has buckets of prefixes or of hosts only. */
struct bucket *prefix_budget_get_host(struct prefix_budgets *pb,
    const struct addr *host, const struct prefix_budget_rate *r);

#endif
