/* SPDX-License-Identifier: ISC */
/*
 * Measures how costs grow: all nodes join in the ordinary way, then every node
 * performs one lookup, then no operation starts for a while.
 */
#include "sim/scenario.h"
#include "sim/work.h"

static uint32_t
bootstrapped(const struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i++)
		n += s->hosts[i]->bootstrapped;
	return n;
}

/*
 * Returns the time to join: at most 50 a second, unless that would take longer
 * than ten minutes.
 */
static uint64_t
ramp_us(uint32_t nodes)
{
	uint64_t us = MILLISECONDS(20) * nodes;

	return MINUTES(1) + (us < MINUTES(10) ? us : MINUTES(10));
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint64_t bytes;
	uint32_t quiet = s->opt.minutes > 2 ? s->opt.minutes : 2;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, ramp_us(s->opt.nodes));
	sim_run(s, MINUTES(2));
	sim_expect(s, bootstrapped(s) == s->hosts_len - SIM_BOOTSTRAPS,
	    "only %u have bootstrapped", bootstrapped(s));
	work_topics(&w, s, 50);
	work_lookups(&w, &t, s->opt.nodes, MINUTES(5));
	tally_report(s, &t);
	/* The tables were all used just now: the idle costs come later. */
	sim_run(s, MINUTES(15));
	bytes = s->net.counts.bytes;
	sim_run(s, MINUTES(quiet));
	report_add(&s->report, "bytes_per_node_hour",
	    (s->net.counts.bytes - bytes) * 60 / quiet / s->hosts_len);
	sim_expect(s, tally_success(&t) >= 99900, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_scale = {
    .name = "scale",
    .text = "all join, each looks up once: growth of the costs",
    .nodes = 1000,
    .minutes = 10,
    .nodes_min = 100,
    .run = run,
};
