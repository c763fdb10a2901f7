/* SPDX-License-Identifier: ISC */
/*
 * Removes every bootstrap node for good. The network continues, and nodes that
 * crash return through the nodes they had saved.
 */
#include "sim/scenario.h"
#include "sim/work.h"

static void
sync_all(struct sim *s, void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < s->hosts_len; i++)
		host_sync(s->hosts[i]);
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint32_t back = 0, crashed = 0;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	sim_every(s, MINUTES(5), sync_all, NULL);
	sim_run(s, MINUTES(10));
	for (uint32_t i = 0; i < SIM_BOOTSTRAPS; i++)
		host_crash(s->hosts[i]);
	sim_run(s, MINUTES(s->opt.minutes));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i += 3)
		host_crash(s->hosts[i]);
	sim_run(s, MINUTES(1));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i += 3) {
		host_boot(s->hosts[i]);
		crashed++;
	}
	sim_run(s, MINUTES(2));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i += 3) {
		struct node_status st;

		node_status(s->hosts[i]->node, &st);
		back += st.dht.nodes > 0 && !st.dht.ephemeral;
	}
	report_add(&s->report, "restarted", crashed);
	report_add(&s->report, "restarted_back", back);
	sim_expect(s, back == crashed,
	    "only %u of %u returned without bootstrap nodes", back, crashed);
	work_topics(&w, s, 20);
	work_lookups(&w, &t, 500, MINUTES(10));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99900, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_bootgone = {
    .name = "bootgone",
    .text = "bootstrap nodes gone: network and restarts still work",
    .nodes = 100,
    .minutes = 30,
    .nodes_min = 20,
    .run = run,
};
