/* SPDX-License-Identifier: ISC */
#include "punch/ports.h"

enum {
	PORT_FIRST = 1024,
	PORT_LAST = 65535,
	/* Samples that are further apart are not of one block. */
	SPAN_MAX = 4096,
	/* A sequential NAT allocates the ports after the last sample. */
	SPAN_BEHIND = 512,
};

static struct ports_walk
start_walk(struct world *w, uint32_t first, uint32_t last)
{
	struct ports_walk p = {.first = first, .len = last - first + 1};

	p.mask = 1;
	while (p.mask < p.len)
		p.mask = p.mask << 1 | 1;
	/* Full period modulo a power of two requires mul = 1 mod 4 and an odd
	 * add. */
	p.mul = (world_random32(w) & ~3U) | 1;
	p.add = world_random32(w) | 1;
	p.at = world_random32(w) & p.mask;
	p.left = p.mask + 1;
	return p;
}

/* Returns the next port of the range, or 0 at its end. */
static uint32_t
next_in_walk(struct ports_walk *p)
{
	while (p->left > 0) {
		p->left--;
		p->at = (p->at * p->mul + p->add) & p->mask;
		if (p->at < p->len)
			return p->first + p->at;
	}
	return 0;
}

/* Finds the range of the ports. Returns false if fewer than two are known or
 * the range is large. */
static bool
find_span(const struct addr *sampled, size_t sampled_len, uint32_t *low,
    uint32_t *high)
{
	uint32_t n = 0;

	*low = UINT32_MAX;
	*high = 0;
	for (size_t i = 0; i < sampled_len; i++) {
		uint32_t port = sampled[i].port;

		if (port < PORT_FIRST)
			continue;
		*low = port < *low ? port : *low;
		*high = port > *high ? port : *high;
		n++;
	}
	return n >= 2 && *high - *low <= SPAN_MAX;
}

bool
ports_are_near(const struct addr *sampled, size_t sampled_len)
{
	uint32_t low, high;

	return find_span(sampled, sampled_len, &low, &high);
}

void
ports_init(struct ports *p, struct world *w, const struct addr *sampled,
    size_t sampled_len)
{
	uint32_t low, high, span;

	*p = (struct ports){.all = start_walk(w, PORT_FIRST, PORT_LAST)};
	if (!find_span(sampled, sampled_len, &low, &high))
		return;
	span = high - low;
	low = low - PORT_FIRST < span ? PORT_FIRST : low - span;
	high += span > SPAN_BEHIND ? span : SPAN_BEHIND;
	p->block = start_walk(w, low, high > PORT_LAST ? PORT_LAST : high);
}

uint16_t
ports_next(struct ports *p)
{
	const struct ports_walk *b = &p->block;
	uint32_t port = next_in_walk(&p->block);

	if (port != 0)
		return (uint16_t)port;
	do
		port = next_in_walk(&p->all);
	while (port != 0 && port >= b->first && port - b->first < b->len);
	return (uint16_t)port;
}
