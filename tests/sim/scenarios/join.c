/* SPDX-License-Identifier: ISC */
/* Starts all nodes within the first minutes and checks that all bootstrap. */
#include "sim/work.h"
#include "sim/scenario.h"

static void
count_hits(struct sim *s, struct op *op)
{
	uint32_t *sum = op->spec.arg;
	uint32_t of;

	sum[0] +=
	    work_recall(s, op->spec.target, op->closest, op->closest_len, &of);
	sum[1] += of;
}

static void
run(struct sim *s)
{
	uint32_t sum[2] = {0, 0};
	struct samples ms = {0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(s->opt.minutes));
	sim_run(s, MINUTES(2));
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i++) {
		struct host *h = s->hosts[i];
		struct node_status st;

		sim_expect(
		    s, h->bootstrapped, "host %u has not bootstrapped", i);
		node_status(h->node, &st);
		sim_expect(s, !st.dht.ephemeral, "host %u stays ephemeral", i);
		samples_add(
		    &ms, (uint32_t)((h->bootstrapped_us - h->born_us) / 1000));
	}
	for (uint32_t i = 0; i < 100; i++) {
		struct op_spec spec = {
		    .kind = OP_FIND_NODE, .done = count_hits, .arg = sum};

		work_topic(spec.target, i);
		op_start(sim_any(s), &spec);
		sim_run(s, SECONDS(1));
	}
	sim_quiesce(s);
	report_add(&s->report, "join_ms_median", samples_at(&ms, 500));
	report_add(&s->report, "join_ms_p99", samples_at(&ms, 990));
	report_milli(&s->report, "recall_percent",
	    (int64_t)sum[0] * 100000 / (sum[1] > 0 ? sum[1] : 1));
	samples_fini(&ms);
	sim_expect(s, sum[0] * 100ull >= sum[1] * 95ull && sum[1] > 0,
	    "of the nodes closest to a target %u of %u are found", sum[0],
	    sum[1]);
}

const struct scenario scenario_join = {
    .name = "join",
    .text = "all nodes arrive, bootstrap and find each other",
    .nodes = 300,
    .minutes = 5,
    .nodes_min = 20,
    .run = run,
};
