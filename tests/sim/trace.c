/* SPDX-License-Identifier: ISC */
#include "sim/trace.h"

#define ROTATE(x, n) ((x) << (n) | (x) >> (64 - (n)))

static void
mix(struct trace *t)
{
	t->v0 += t->v1;
	t->v1 = ROTATE(t->v1, 13) ^ t->v0;
	t->v0 = ROTATE(t->v0, 32);
	t->v2 += t->v3;
	t->v3 = ROTATE(t->v3, 16) ^ t->v2;
	t->v0 += t->v3;
	t->v3 = ROTATE(t->v3, 21) ^ t->v0;
	t->v2 += t->v1;
	t->v1 = ROTATE(t->v1, 17) ^ t->v2;
	t->v2 = ROTATE(t->v2, 32);
}

void
trace_init(struct trace *t)
{
	*t = (struct trace){0x736f6d6570736575, 0x646f72616e646f6d,
	    0x6c7967656e657261, 0x7465646279746573, 0};
}

void
trace_word(struct trace *t, uint64_t word)
{
	t->v3 ^= word;
	mix(t);
	t->v0 ^= word;
}

void
trace_bytes(struct trace *t, const uint8_t *p, size_t len)
{
	uint64_t word = 0;
	size_t i;

	for (; len >= 8; p += 8, len -= 8)
		trace_word(t, (uint64_t)p[0] | (uint64_t)p[1] << 8 |
				  (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 |
				  (uint64_t)p[4] << 32 | (uint64_t)p[5] << 40 |
				  (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56);
	for (i = 0; i < len; i++)
		word |= (uint64_t)p[i] << 8 * i;
	trace_word(t, word | (uint64_t)len << 56);
	t->count++;
}

uint64_t
trace_value(const struct trace *t)
{
	struct trace end = *t;

	trace_word(&end, t->count);
	end.v2 ^= 0xff;
	for (int i = 0; i < 3; i++)
		mix(&end);
	return end.v0 ^ end.v1 ^ end.v2 ^ end.v3;
}
