/* SPDX-License-Identifier: ISC */
/*
 * node_loop.h - the node and the event loop that drives it, for modules that
 * join sockets of local programs to its connections.
 */
#ifndef TUNNEL_NODE_LOOP_H
#define TUNNEL_NODE_LOOP_H

#include <stdint.h>

struct event_base;
struct node;

/* All pointers are borrowed. */
struct node_loop {
	struct event_base *base;
	struct node *node;
	uint32_t tick_ms; /* of the node */
	/* Called first and last in each callback of the event loop that uses
	 * the node. */
	void (*wake)(void *owner);
	void (*settle)(void *owner);
	void *owner;
};

static inline void
node_loop_wake(const struct node_loop *l)
{
	l->wake(l->owner);
}

static inline void
node_loop_settle(const struct node_loop *l)
{
	l->settle(l->owner);
}

#endif
