/* SPDX-License-Identifier: ISC */
/*
 * prng.h - seeded random numbers that can be split (xoshiro256**).
 *
 * Each purpose and each host draws from a stream of its own, so that one more
 * host, or one more draw, changes no other stream. Not for secrets. Uses:
 * nothing.
 */
#ifndef WORLD_PRNG_H
#define WORLD_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The purpose of a stream is part of its seed, so the numbers must not change.
 */
enum prng_purpose {
	PRNG_WORLD = 1, /* the random bytes of a node */
	PRNG_LINK,
	PRNG_PLACE,
	PRNG_KEY,
	PRNG_NAT,
	PRNG_ACTOR,
	PRNG_SCENARIO,
	PRNG_TEST,
};

struct prng {
	uint64_t s[4];
};

/* Initialises the stream of a purpose and a number under a seed. */
void prng_init(
    struct prng *p, uint64_t seed, enum prng_purpose purpose, uint64_t index);

/* Returns a stream for the choices of a test. */
struct prng prng_seeded(uint64_t seed);

void prng_fill(struct prng *p, void *out, size_t len);

static inline uint64_t
prng_next(struct prng *p)
{
	uint64_t *s = p->s;
	uint64_t x = s[1] * 5;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = s[3] << 45 | s[3] >> 19;
	return (x << 7 | x >> 57) * 9;
}

/* Returns a number below n; n > 0. */
static inline uint32_t
prng_below(struct prng *p, uint32_t n)
{
	return (uint32_t)((prng_next(p) >> 32) * n >> 32);
}

/* Returns true ppm times in a million. Draws nothing if ppm is 0. */
static inline bool
prng_chance(struct prng *p, uint32_t ppm)
{
	return ppm != 0 && prng_below(p, 1000000) < ppm;
}

#endif
