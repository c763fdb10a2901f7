/* SPDX-License-Identifier: ISC */
/* Two of three nodes are laptops that sleep for hours, and all wake at once. */
#include "sim/scenario.h"
#include "sim/work.h"

static bool
sleeper(uint32_t i)
{
	return i >= SIM_BOOTSTRAPS && i % 3 != 0;
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint64_t wakeups = 0;
	uint32_t sleepers = 0;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	sim_run(s, MINUTES(3));
	work_topics(&w, s, 20);
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (sleeper(i))
			host_sleep(s->hosts[i]);
	sim_run(s, MINUTES(s->opt.minutes));
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (sleeper(i))
			host_wake(s->hosts[i]);
	/*
	 * Waits an announce period, which runs by the clock of the announcer.
	 */
	sim_run(s, MINUTES(12));
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (sleeper(i)) {
			wakeups += node_stats(s->hosts[i]->node)->wakeups;
			sleepers++;
		}
	sim_expect(s, wakeups == sleepers, "%llu of %u detected their sleep",
	    (unsigned long long)wakeups, sleepers);
	work_lookups(&w, &t, 300, MINUTES(5));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99000,
	    "awake, %u of %u lookups fail", t.asked - t.closed - t.found,
	    t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_sleep = {
    .name = "sleep",
    .text = "two of three nodes sleep for hours and wake at once",
    .nodes = 100,
    .minutes = 240,
    .nodes_min = 30,
    .run = run,
};
