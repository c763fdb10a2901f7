/* SPDX-License-Identifier: ISC */
/*
 * relayset.h - the few nodes that forward to one of our keys.
 *
 * Plain values, and the choice among the nodes nearest to the target: quick
 * ones in different networks, and those that forward already unless another is
 * clearly better, because clients go on finding the ones that were left. Asks
 * nobody. Uses: base, dht.
 */
#ifndef SIGNAL_RELAYSET_H
#define SIGNAL_RELAYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "dht/query.h"

/* Each one more is a dead end for clients after a crash: pitfall A6. */
enum { RELAYS_MAX = 3 };

struct relay_entry {
	struct addr relay; /* the node */
	struct addr us;    /* our address as it sees it, to which it forwards */
};

struct relay_set {
	struct relay_entry at[RELAYS_MAX];
	uint32_t len;
};

/* The seat of this node, or NULL. */
const struct relay_entry *relay_set_find(
    const struct relay_set *s, const struct addr *relay);

/* Do both hold the same nodes, in whatever order? */
bool relay_set_same(const struct relay_set *a, const struct relay_set *b);

/*
 * Puts the nodes to announce to in front. shunned says which have let us down:
 * they come last.
 */
void relay_rank(struct query_node *closest, size_t len,
    const struct relay_set *held,
    bool (*shunned)(const void *owner, const struct addr *node),
    const void *owner);

#endif
