/* SPDX-License-Identifier: ISC */
#include "dht/sampler.h"

/* A sample joins only a vote of the latest samples, so that old ones expire. */
enum { LOOK_BACK = 4, FULL = 0, HOST = 1 };

void
sampler_init(struct sampler *s)
{
	*s = (struct sampler){0};
}

/* Returns how many of n samples must be equal; a few may differ. */
static unsigned
votes_needed(unsigned n)
{
	return n - (n < 4 ? 0 : n < 8 ? 1 : n < 12 ? 2 : 3);
}

static uint8_t *
ring_of(struct sampler *s, int kind)
{
	return kind == FULL ? s->full : s->host;
}

static void
drop_sample(struct sampler *s, int kind, uint8_t slot)
{
	struct sampler_vote *v = &s->votes[kind][ring_of(s, kind)[slot]];

	v->hits--;
	/* A free vote is reused, and `best` must not refer to its new use. */
	if (v->hits == 0 && s->best[kind] == ring_of(s, kind)[slot] + 1)
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
		uint8_t v = ring_of(s, kind)[slot];

		if (addr_equal(&s->votes[kind][v].addr, a))
			return v;
	}
	for (i = 0; s->votes[kind][i].hits != 0; i++)
		;
	s->votes[kind][i] = (struct sampler_vote){.addr = *a};
	return i;
}

static void
cast_vote(struct sampler *s, int kind, uint8_t v, uint8_t slot)
{
	struct sampler_vote *vote = &s->votes[kind][v];
	uint8_t best = s->best[kind];

	ring_of(s, kind)[slot] = v;
	vote->hits++;
	if (best == 0 || vote->hits > s->votes[kind][best - 1].hits)
		s->best[kind] = v + 1;
}

static struct addr
decide_result(const struct sampler *s)
{
	unsigned need = votes_needed(s->len);

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
	/*
	 * Finds the votes before the oldest sample is dropped: it may hold one.
	 */
	full_vote = vote_for(s, FULL, seen);
	host_vote = vote_for(s, HOST, &host);
	if (s->len == SAMPLER_MAX) {
		drop_sample(s, FULL, slot);
		drop_sample(s, HOST, slot);
	} else {
		s->len++;
	}
	cast_vote(s, FULL, full_vote, slot);
	cast_vote(s, HOST, host_vote, slot);
	s->top = (s->top + 1) % SAMPLER_MAX;
	s->result = decide_result(s);
	return !addr_equal(&was, &s->result);
}

const struct addr *
sampler_address(const struct sampler *s)
{
	return s->result.family != ADDR_NONE && s->result.port != 0 ? &s->result
								    : NULL;
}
