/* SPDX-License-Identifier: ISC */
/*
 * relayset.h - the set of relays of one key, and the choice of them.
 *
 * Chooses among the nodes closest to the target: nodes with a short round trip
 * in different networks. A current relay is kept unless another is clearly
 * better, because clients still find the previous relays. Sends nothing. Uses:
 * base, dht.
 */
#ifndef SIGNAL_RELAYSET_H
#define SIGNAL_RELAYSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "dht/query.h"

/* Each further relay is one more dead end for clients after a crash (pitfall
 * A6). */
enum { RELAYS_MAX = 3 };

struct relay_entry {
	struct addr relay; /* the node */
	struct addr us;    /* our address as it sees it; it forwards there */
};

struct relay_set {
	struct relay_entry at[RELAYS_MAX];
	uint32_t len;
};

/* Returns the entry of a node, or NULL. */
const struct relay_entry *relay_set_find(
    const struct relay_set *s, const struct addr *relay);

/* Returns whether both sets hold the same nodes, in any order. */
bool relay_set_same(const struct relay_set *a, const struct relay_set *b);

/*
 * Moves the nodes to announce to to the front. Nodes for which avoided()
 * returns true, with the given owner, are ranked last.
 */
void relay_rank(struct query_node *closest, size_t len,
    const struct relay_set *held,
    bool (*avoided)(const void *owner, const struct addr *node),
    const void *owner);

#endif
