/* SPDX-License-Identifier: ISC */
#include "world/prng.h"

static uint64_t
split_mix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

void
prng_init(
    struct prng *p, uint64_t seed, enum prng_purpose purpose, uint64_t index)
{
	uint64_t state = seed;

	state = split_mix(&state) ^ (uint64_t)purpose;
	state = split_mix(&state) ^ index;
	for (int i = 0; i < 4; i++)
		p->s[i] = split_mix(&state);
}

struct prng
prng_seeded(uint64_t seed)
{
	struct prng p;

	prng_init(&p, seed, PRNG_TEST, 0);
	return p;
}

void
prng_fill(struct prng *p, void *out, size_t len)
{
	uint8_t *b = out;

	while (len > 0) {
		uint64_t v = prng_next(p);
		size_t n = len < 8 ? len : 8;

		/* Byte by byte: the same on machines of either order. */
		for (size_t i = 0; i < n; i++)
			b[i] = (uint8_t)(v >> 8 * i);
		b += n;
		len -= n;
	}
}
