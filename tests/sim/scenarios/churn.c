/* SPDX-License-Identifier: ISC */
/* Replaces half of the nodes every hour, over lossy links. */
#include "sim/work.h"
#include "sim/scenario.h"

static void
setup(struct sim_options *o)
{
	o->faults.loss_ppm = 100000;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(5));
	sim_run(s, MINUTES(5));
	work_topics(&w, s, 30);
	work_churn(&w, 500);
	work_lookups(&w, &t, s->opt.amount * s->opt.minutes / 60,
	    MINUTES(s->opt.minutes));
	tally_report(s, &t);
	report_add(&s->report, "replaced", w.churned);
	sim_expect(s, tally_success(&t) >= 99000, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	sim_stop(s, w.churn_task);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_churn = {
    .name = "churn",
    .text = "half of the nodes replaced per hour, 10 % loss: 99 % of lookups",
    .nodes = 200,
    .minutes = 120,
    .amount = 1000,
    .nodes_min = 30,
    .setup = setup,
    .run = run,
};
