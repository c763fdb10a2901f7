/* SPDX-License-Identifier: ISC */
/*
 * nodes.h - good nodes, kept so that a restart rejoins without any bootstrap
 * node.
 */
#ifndef DAEMON_NODES_H
#define DAEMON_NODES_H

#include <stddef.h>

#include "base/addr.h"
#include "daemon/state.h"

enum { NODES_MAX = 200 };

struct dht;

/* The nodes kept, at most NODES_MAX of them, latest heard first. */
size_t nodes_load(const struct state *s, struct addr out[NODES_MAX]);

/* Keeps those of the table; an empty table leaves the old ones. */
void nodes_store(const struct state *s, const struct dht *d);

#endif
