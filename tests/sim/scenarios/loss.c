/* SPDX-License-Identifier: ISC */
/* Drops one datagram of twenty; lookups still succeed. */
#include "sim/work.h"
#include "sim/scenario.h"

static void
setup(struct sim_options *o)
{
	o->faults.loss_ppm = 50000;
	o->faults.double_ppm = 5000;
	o->faults.overtake_ppm = 20000;
	o->faults.overtake_us = 80000;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(5));
	sim_run(s, MINUTES(5));
	work_topics(&w, s, 30);
	work_lookups(&w, &t, s->opt.amount, MINUTES(s->opt.minutes));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99900, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_loss = {
    .name = "loss",
    .text = "5 % loss, doubled and overtaken datagrams: 99.9 % of lookups",
    .nodes = 200,
    .minutes = 20,
    .amount = 2000,
    .nodes_min = 20,
    .setup = setup,
    .run = run,
};
