/* SPDX-License-Identifier: ISC */
/*
 * ports.h - generates the ports of a random NAT to try, each once, protocol 04
 * §17.8.
 *
 * If the sampled ports lie close together, the NAT assigns blocks of ports:
 * those around the samples come first, then all others. The order is random,
 * yet takes a few words: a full-period generator walks each range.
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

/* Initialises p from the addresses that the peer reported; port 0 means that
 * the port is not known. */
void ports_init(struct ports *p, struct world *w, const struct addr *sampled,
    size_t sampled_len);

/* Returns whether the ports lie so close together that they may be of one
 * block. */
bool ports_are_near(const struct addr *sampled, size_t sampled_len);

/* Returns the next port, or 0 when all have been returned. */
uint16_t ports_next(struct ports *p);

#endif
