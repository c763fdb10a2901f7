/* SPDX-License-Identifier: ISC */
/*
 * One node of five is far away, on a slow line with much loss: lookups must not
 * wait for it.
 */
#include "sim/scenario.h"
#include "sim/work.h"

static void
setup(struct sim_options *o)
{
	o->faults.slow_us = 700000;
	o->faults.slow_loss_ppm = 200000;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	const struct net_line line = {
	    .bytes_per_s = 8000, .queue_bytes = 16000};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i += 5) {
		struct endpoint *e = &s->hosts[i]->ep;

		e->slow = true;
		e->up = e->down = line;
	}
	sim_run(s, MINUTES(10));
	work_topics(&w, s, 20);
	work_lookups(&w, &t, 1000, MINUTES(s->opt.minutes));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99900, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	sim_expect(s, samples_at(&t.time_ms, 500) < 1000,
	    "the median lookup takes %u ms", samples_at(&t.time_ms, 500));
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_slow = {
    .name = "slow",
    .text = "a fifth is slow (0.7 s) and loses 20 %: lookups do not wait",
    .nodes = 150,
    .minutes = 20,
    .nodes_min = 30,
    .setup = setup,
    .run = run,
};
