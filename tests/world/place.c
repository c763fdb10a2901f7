/* SPDX-License-Identifier: ISC */
#include "world/place.h"

enum { REGIONS = 8, SPREAD_US = 6000 };

/* One-way delays in milliseconds: half of the usual round trip. */
static const uint8_t delay_ms[REGIONS][REGIONS] = {
    /* us-e us-w s-am eu-w eu-e s-as e-as ocea */
    {2, 31, 58, 38, 50, 95, 84, 99},     /* North America, east */
    {31, 2, 88, 66, 77, 110, 54, 70},    /* North America, west */
    {58, 88, 4, 92, 105, 150, 132, 155}, /* South America */
    {38, 66, 92, 2, 14, 60, 115, 130},   /* Europe, west */
    {50, 77, 105, 14, 3, 66, 100, 140},  /* Europe, east */
    {95, 110, 150, 60, 66, 5, 48, 75},   /* South Asia */
    {84, 54, 132, 115, 100, 48, 4, 55},  /* East Asia */
    {99, 70, 155, 130, 140, 75, 55, 3},  /* Oceania */
};

/* Of 100 nodes, how many live in each region. */
static const uint8_t share[REGIONS] = {22, 14, 6, 26, 12, 7, 10, 3};

/* Access lines, one way: data centre, fibre, cable, DSL, mobile. */
static const struct {
	uint8_t share;
	uint16_t least_us, spread_us;
} lines[] = {
    {30, 100, 300},
    {25, 1000, 2000},
    {20, 4000, 6000},
    {15, 8000, 12000},
    {10, 15000, 30000},
};

void
place_draw(struct place *p, struct prng *r)
{
	uint32_t n = prng_below(r, 100);
	uint32_t line = 0;

	p->region = 0;
	while (n >= share[p->region])
		n -= share[p->region++];
	p->x_us = (uint16_t)prng_below(r, SPREAD_US);
	p->y_us = (uint16_t)prng_below(r, SPREAD_US);
	n = prng_below(r, 100);
	while (n >= lines[line].share)
		n -= lines[line++].share;
	p->access_us =
	    lines[line].least_us + prng_below(r, lines[line].spread_us);
}

static uint32_t
distance(uint16_t a, uint16_t b)
{
	return a > b ? a - b : b - a;
}

uint32_t
place_delay_us(const struct place *a, const struct place *b)
{
	return delay_ms[a->region][b->region] * 1000u +
	       distance(a->x_us, b->x_us) + distance(a->y_us, b->y_us) +
	       a->access_us + b->access_us;
}
