/* SPDX-License-Identifier: ISC */
/* Measures the traffic of days in which nothing happens. */
#include "sim/work.h"
#include "sim/scenario.h"

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint64_t bytes;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(5));
	sim_run(s, MINUTES(5));
	work_topics(&w, s, 20);
	bytes = s->net.counts.bytes;
	work_lookups(&w, &t, 1 + s->opt.minutes / 2, MINUTES(s->opt.minutes));
	bytes = s->net.counts.bytes - bytes;
	report_add(&s->report, "bytes_per_node_hour",
	    bytes * 60 / s->opt.nodes /
		(s->opt.minutes > 0 ? s->opt.minutes : 1));
	tally_report(s, &t);
	sim_expect(s, t.found == t.asked, "%u of %u lookups fail",
	    t.asked - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_steady = {
    .name = "steady",
    .text = "no events for hours",
    .nodes = 200,
    .minutes = 60,
    .nodes_min = 20,
    .run = run,
};
