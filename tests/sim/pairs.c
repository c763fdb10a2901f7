/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "sim/pairs.h"
#include "world/mem.h"
#include "sim/sim.h"

void
pairs_init(struct pairs *c, struct sim *s, uint32_t n, uint32_t bytes_per_s)
{
	/* A quarter of a second of queue, as home routers have. */
	struct net_line line = {
	    .bytes_per_s = bytes_per_s, .queue_bytes = bytes_per_s / 4};

	*c = (struct pairs){.sim = s, .len = n};
	c->first = mem_new(n, sizeof(struct party *));
	c->second = mem_new(n, sizeof(struct party *));
	c->talks = mem_new(n, sizeof(struct talk *));
	for (uint32_t i = 0; i < n; i++) {
		c->first[i] = party_new(s, NULL);
		c->second[i] = party_new(s, NULL);
		c->first[i]->actor->ep.up = line;
		c->second[i]->actor->ep.up = line;
		c->second[i]->actor->ep.group = 1;
	}
}

void
pairs_fini(struct pairs *c)
{
	for (uint32_t i = 0; i < c->len; i++) {
		party_end(c->first[i]);
		party_end(c->second[i]);
	}
	free(c->first);
	free(c->second);
	free(c->talks);
}

void
pairs_talk(struct pairs *c, uint64_t first_writes, uint64_t second_writes)
{
	for (uint32_t i = 0; i < c->len; i++)
		c->talks[i] = talk_new(
		    c->first[i], c->second[i], first_writes, second_writes);
}

static bool
is_as_expected(const struct talk *t, int err)
{
	return t->closed && t->err == err && (err != 0 || t->complete);
}

void
pairs_expect(
    const struct pairs *c, const char *when, int first_err, int second_err)
{
	for (uint32_t i = 0; i < c->len; i++) {
		const struct talk *a = c->talks[i], *b = a->other;

		if (is_as_expected(a, first_err) &&
		    is_as_expected(b, second_err))
			continue;
		sim_fail(c->sim,
		    "%s: %llu of %llu bytes (%s: %s), %llu of %llu back "
		    "(%s: %s)",
		    when, (unsigned long long)b->read,
		    (unsigned long long)a->to_write,
		    b->closed ? "closed" : "open", err_text(b->err),
		    (unsigned long long)a->read,
		    (unsigned long long)b->to_write,
		    a->closed ? "closed" : "open", err_text(a->err));
	}
}
