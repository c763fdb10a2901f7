/* SPDX-License-Identifier: ISC */
/*
 * walk.h - the walk of one lookup, as observed on the wire.
 *
 * Records the nodes that received requests, the nodes that named them, and the
 * distance from the own table in steps: 1 is a node from the table, n + 1 one
 * that a node of step n named. Uses: net, dht.
 */
#ifndef SIM_WALK_H
#define SIM_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "world/net.h"

enum { WALK_MAX = 384 };

struct walk_step {
	struct spot at;
	uint8_t depth;
	bool asked;
};

struct walk {
	uint8_t target[32];
	uint32_t len;
	uint32_t sent, received; /* datagrams */
	struct walk_step steps[WALK_MAX];
};

/*
 * Records a datagram that the host sent or received. Ignores those of other
 * operations.
 */
void walk_sent(struct walk *w, struct spot to, const uint8_t *buf, size_t len);
void walk_got(struct walk *w, struct spot from, const uint8_t *buf, size_t len);

/* Returns the steps to the node at the spot, or 0 if it got no request. */
uint32_t walk_depth(const struct walk *w, struct spot at);

#endif
