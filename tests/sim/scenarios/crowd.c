/* SPDX-License-Identifier: ISC */
/*
 * Many hosts connect to one key at the same moment. All calls are answered.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

static void
run(struct sim *s)
{
	struct dials d;
	uint32_t first;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	first = s->hosts_len;
	sim_grow(s, s->opt.amount, DHT_AUTO, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 1);
	for (uint32_t i = first; i < s->hosts_len; i++)
		dials_call(&d, s->hosts[i], d.listeners[0], 1000);
	sim_quiesce(s);
	dials_report(&d);
	dials_expect(&d, 1000);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_crowd = {
    .name = "crowd",
    .text = "a thousand hosts call one key at once: all are answered",
    .nodes = 60,
    .minutes = 0,
    .amount = 1000,
    .nodes_min = 30,
    /* A handshake beyond the budget of its class is sent again. */
    .bound = {120, 12},
    .run = run,
};
