/* SPDX-License-Identifier: ISC */
#include "dht/sampler.h"

/* A vote is shared only with the latest samples, so that old ones fade. */
enum { LOOK_BACK = 4, FULL = 0, HOST = 1 };

void
sampler_init(struct sampler *s)
{
	*s = (struct sampler){0};
}

/* How many equal samples of n settle it: a few outliers are forgiven. */
static unsigned
threshold(unsigned n)
{
	return n - (n < 4 ? 0 : n < 8 ? 1 : n < 12 ? 2 : 3);
}

static uint8_t *
ring(struct sampler *s, int kind)
{
	return kind == FULL ? s->full : s->host;
}

static void
drop(struct sampler *s, int kind, uint8_t slot)
{
	struct sampler_vote *v = &s->votes[kind][ring(s, kind)[slot]];

	v->hits--;
	/* A free vote is taken again; best must not point at what comes there.
	 */
	if (v->hits == 0 && s->best[kind] == ring(s, kind)[slot] + 1)
		s->best[kind] = 0;
}

static uint8_t
vote_for(struct sampler *s, int kind, const struct addr *a)
{
	uint8_t back = s->len < LOOK_BACK ? s->len : LOOK_BACK;
	uint8_t i;

	for (i = 1; i <= back; i++) {
		uint8_t slot =
		    (uint8_t)(s->top + SAMPLER_MAX - i) % SAMPLER_MAX;
		uint8_t v = ring(s, kind)[slot];

		if (addr_equal(&s->votes[kind][v].addr, a))
			return v;
	}
	for (i = 0; s->votes[kind][i].hits != 0; i++)
		;
	s->votes[kind][i] = (struct sampler_vote){.addr = *a};
	return i;
}

static void
cast(struct sampler *s, int kind, uint8_t v, uint8_t slot)
{
	struct sampler_vote *vote = &s->votes[kind][v];
	uint8_t best = s->best[kind];

	ring(s, kind)[slot] = v;
	vote->hits++;
	if (best == 0 || vote->hits > s->votes[kind][best - 1].hits)
		s->best[kind] = v + 1;
}

static struct addr
settle(const struct sampler *s)
{
	unsigned need = threshold(s->len);

	for (int kind = FULL; kind <= HOST; kind++) {
		const struct sampler_vote *v;

		if (s->best[kind] == 0)
			continue;
		v = &s->votes[kind][s->best[kind] - 1];
		if (v->hits >= need)
			return v->addr;
	}
	return (struct addr){0};
}

bool
sampler_add(struct sampler *s, const struct addr *seen)
{
	struct addr host = *seen, was = s->result;
	uint8_t slot = s->top, full_vote, host_vote;

	host.port = 0;
	/* Look for company before the oldest sample goes: it may be among it.
	 */
	full_vote = vote_for(s, FULL, seen);
	host_vote = vote_for(s, HOST, &host);
	if (s->len == SAMPLER_MAX) {
		drop(s, FULL, slot);
		drop(s, HOST, slot);
	} else {
		s->len++;
	}
	cast(s, FULL, full_vote, slot);
	cast(s, HOST, host_vote, slot);
	s->top = (s->top + 1) % SAMPLER_MAX;
	s->result = settle(s);
	return !addr_equal(&was, &s->result);
}

const struct addr *
sampler_address(const struct sampler *s)
{
	return s->result.family != ADDR_NONE && s->result.port != 0 ? &s->result
								    : NULL;
}
