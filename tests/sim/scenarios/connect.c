/* SPDX-License-Identifier: ISC */
/*
 * Hosts listen on their keys; others connect to them by key alone, send some
 * bytes and receive them back. Without any disturbance every call is answered.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

static void
run(struct sim *s)
{
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, s->opt.nodes / 5);
	dials_calls(&d, s->opt.amount, 20000, MINUTES(s->opt.minutes));
	dials_report(&d);
	dials_expect(&d, 1000);
	dials_expect_once(&d);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_connect = {
    .name = "connect",
    .text = "hosts connect to keys: every call is answered",
    .nodes = 100,
    .minutes = 10,
    .amount = 500,
    .nodes_min = 30,
    .run = run,
};
