/* SPDX-License-Identifier: ISC */
/*
 * Cuts the path between the ends of streams: for some seconds, after which all
 * continue; for good, which both ends must detect; or one end aborts, which the
 * other must learn in spite of loss.
 */
#include "base/err.h"
#include "sim/pairs.h"
#include "sim/scenario.h"

enum { LINE_BYTES = 500000, BYTES = 8000000 };

static void
short_cut(struct sim *s)
{
	struct pairs c;

	pairs_init(&c, s, s->opt.nodes, LINE_BYTES);
	pairs_talk(&c, BYTES, BYTES);
	for (int i = 0; i < 3; i++) {
		sim_run(s, SECONDS(8));
		s->net.split = true;
		sim_run(s, SECONDS(1 + 2 * (uint64_t)i));
		s->net.split = false;
	}
	sim_run(s, MINUTES(5));
	pairs_expect(&c, "after short cuts", 0, 0);
	pairs_fini(&c);
}

static void
for_good(struct sim *s)
{
	struct pairs c;

	pairs_init(&c, s, s->opt.nodes, LINE_BYTES);
	pairs_talk(&c, BYTES, BYTES);
	sim_run(s, SECONDS(3));
	s->net.split = true;
	sim_run(s, MINUTES(10));
	pairs_expect(&c, "cut off for good", ERR_TIMEOUT, ERR_TIMEOUT);
	s->net.split = false;
	pairs_fini(&c);
}

static void
given_up(struct sim *s)
{
	struct pairs c;

	pairs_init(&c, s, s->opt.nodes, LINE_BYTES);
	pairs_talk(&c, BYTES, BYTES);
	sim_run(s, SECONDS(3));
	for (uint32_t i = 0; i < c.len; i++)
		talk_destroy(c.talks[i]);
	sim_run(s, MINUTES(2));
	pairs_expect(&c, "aborted", ERR_RESET, ERR_RESET);
	pairs_fini(&c);
}

static void
run(struct sim *s)
{
	short_cut(s);
	for_good(s);
	given_up(s);
}

static void
setup(struct sim_options *o)
{
	o->faults.loss_ppm = 20000;
}

const struct scenario scenario_streamcut = {
    .name = "streamcut",
    .text = "streams cut off for a while or for good, 2 % lost",
    .nodes = 20,
    .nodes_min = 2,
    .setup = setup,
    .run = run,
};
