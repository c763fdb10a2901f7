/* SPDX-License-Identifier: ISC */
/*
 * allowance.h - how many bytes may be forwarded for whom and to whom.
 *
 * A bucket of bytes for each /24 that asks, and one for each address that is
 * sent to on a stranger's word, so that this node is of no use as a reflector.
 * Both tables are bounded. A bucket that has filled up again says no more than
 * a new one does, so only those make room; while there are none, newcomers are
 * refused. Knows no message. Uses: base, dht.
 */
#ifndef SIGNAL_ALLOWANCE_H
#define SIGNAL_ALLOWANCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/pool.h"
#include "dht/dht.h"

struct allowance_table {
	struct pool pool;
	struct index index;
	uint32_t hand; /* the cell to look at next for one that is full */
};

struct allowance {
	const struct dht *d;
	struct allowance_table sources, destinations;
};

/* Takes the size of the tables from the limits, once. */
void allowance_init(struct allowance *a, const struct dht *d);
void allowance_fini(struct allowance *a);

/*
 * Takes len bytes from the budget of the source and, unless `to` is NULL, from
 * that of the destination; or nothing, and returns false.
 */
bool allowance_take(struct allowance *a, const struct addr *from,
    const struct addr *to, size_t len);

#endif
