/* SPDX-License-Identifier: ISC */
/*
 * place.h - where on earth something is, and how long a datagram takes.
 *
 * Eight regions with a matrix of one-way delays like those measured between
 * data centres, coordinates within the region, and the access line of each
 * place. All in whole microseconds. Uses: prng.
 */
#ifndef WORLD_PLACE_H
#define WORLD_PLACE_H

#include <stdint.h>

#include "world/prng.h"

struct place {
	uint8_t region;
	uint16_t x_us, y_us; /* within the region */
	uint32_t access_us;  /* the line to it, one way */
};

/* Somewhere at random, weighted as the population of such networks is. */
void place_draw(struct place *p, struct prng *r);

/* One way, without jitter. */
uint32_t place_delay_us(const struct place *a, const struct place *b);

#endif
