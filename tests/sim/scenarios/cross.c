/* SPDX-License-Identifier: ISC */
/*
 * Two hosts that both listen call each other at the same moment, again and
 * again. Both calls are answered, each by a session of its own.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

static void
run(struct sim *s)
{
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, s->opt.nodes / 3);
	for (uint32_t i = 0; i < s->opt.amount; i++) {
		struct host *a = dials_any(&d, NULL), *b = dials_any(&d, a);

		dials_call(&d, a, b, 1000);
		dials_call(&d, b, a, 1000);
		sim_run(s, MILLISECONDS(200));
	}
	sim_quiesce(s);
	dials_report(&d);
	dials_expect(&d, 1000);
	sim_expect(s, s->calls.sessions == d.asked, "%llu sessions, %u calls",
	    (unsigned long long)s->calls.sessions, d.asked);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_cross = {
    .name = "cross",
    .text = "hosts call each other at the same moment: both are answered",
    .nodes = 60,
    .minutes = 0,
    .amount = 300,
    .nodes_min = 30,
    .run = run,
};
