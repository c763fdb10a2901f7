/* SPDX-License-Identifier: ISC */
/*
 * node_cache.h - good nodes, kept so that a restart rejoins without any
 * bootstrap node.
 */
#ifndef STORE_NODE_CACHE_H
#define STORE_NODE_CACHE_H

#include <stddef.h>

#include "base/addr.h"
#include "store/state.h"

enum { NODE_CACHE_MAX = 200 };

struct dht;

/* The nodes kept, at most NODE_CACHE_MAX of them, latest heard first. */
size_t node_cache_load(const struct state *s, struct addr out[NODE_CACHE_MAX]);

/* Keeps those of the table; an empty table leaves the old ones. */
void node_cache_store(const struct state *s, const struct dht *d);

#endif
