/* SPDX-License-Identifier: ISC */
/*
 * walk.h - the way of one lookup, as seen on the wire.
 *
 * Who was asked, who named them, how many steps from the own table: 1 is a
 * node that the asker knew, n + 1 one that a node of step n named.
 * Uses: net, dht.
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

/* A datagram that the asker sent, or got. Others' are told apart. */
void walk_sent(struct walk *w, struct spot to, const uint8_t *buf, size_t len);
void walk_got(struct walk *w, struct spot from, const uint8_t *buf, size_t len);

/* Steps from the asker to the node at the spot; 0: never asked. */
uint32_t walk_depth(const struct walk *w, struct spot at);

#endif
