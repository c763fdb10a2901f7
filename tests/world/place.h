/* SPDX-License-Identifier: ISC */
/*
 * place.h - locations, and how long a datagram takes between two.
 *
 * Contains eight regions with a matrix of one-way delays like those measured
 * between data centres, coordinates within the region, and the access line of
 * each place. All in whole microseconds. Uses: prng.
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

/* Draws a location, weighted by the population of such networks. */
void place_draw(struct place *p, struct prng *r);

/* Returns the one-way delay, without jitter. */
uint32_t place_delay_us(const struct place *a, const struct place *b);

#endif
