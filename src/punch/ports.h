/* SPDX-License-Identifier: ISC */
/*
 * ports.h - ports of a random NAT to try, each once, protocol 04 §17.8.
 *
 * A NAT that gives a subscriber a block of ports shows it by sampled ports that
 * lie close together: those around them come first, then all others. In random
 * order, kept in a few words: a full-period generator walks each range.
 */
#ifndef PUNCH_PORTS_H
#define PUNCH_PORTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/world.h"

struct ports_walk {
	uint32_t first, len; /* the range */
	uint32_t at, mul, add, mask;
	uint32_t left; /* steps of the generator */
};

struct ports {
	struct ports_walk block, all;
};

/* The list is what the peer told of itself; ports 0 tell nothing. */
void ports_init(
    struct ports *p, struct world *w, const struct addr *told, size_t told_len);

/* They lie so close together that they may be of one block. */
bool ports_are_near(const struct addr *told, size_t told_len);

/* The next port, or 0 when all have been tried. */
uint16_t ports_next(struct ports *p);

#endif
