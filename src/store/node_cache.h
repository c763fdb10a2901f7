/* SPDX-License-Identifier: ISC */
/*
 * node_cache.h - stores nodes of the routing table, so that the next start
 * joins the network without a bootstrap node.
 */
#ifndef STORE_NODE_CACHE_H
#define STORE_NODE_CACHE_H

#include <stddef.h>

#include "base/addr.h"
#include "store/state.h"

enum { NODE_CACHE_MAX = 200 };

struct dht;

/*
 * Reads the stored nodes, the most recently seen first. Returns their number.
 */
size_t node_cache_load(const struct state *s, struct addr out[NODE_CACHE_MAX]);

/* Stores nodes of the routing table; an empty table leaves the file as it is.
 * Failures are logged. */
void node_cache_store(const struct state *s, const struct dht *d);

#endif
