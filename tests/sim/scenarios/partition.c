/* SPDX-License-Identifier: ISC */
/*
 * Splits the network in two for a while. Each half continues; after the split
 * the halves merge again, with a few new nodes to help.
 */
#include <string.h>

#include "sim/scenario.h"
#include "sim/work.h"

static void
divide(struct sim *s)
{
	for (uint32_t i = 0; i < s->hosts_len; i++)
		s->hosts[i]->ep.group = i % 2;
	s->net.split = true;
}

/* Looks up what the own half announced, from hosts of one half. */
static void
half_done(struct sim *s, struct op *op)
{
	uint32_t *count = op->spec.arg;

	(void)s;
	count[0] += op->found;
	count[1]++;
}

static void
ask_own_half(struct sim *s, struct work *w, uint32_t count[2])
{
	for (uint32_t i = 0; i < 200; i++) {
		struct topic *t = &w->topics[i % w->topics_len];
		struct host *h = sim_any(s);
		struct op_spec spec = {
		    .kind = OP_LOOKUP, .done = half_done, .arg = count};

		if (h->ep.group != t->host->ep.group)
			continue;
		memcpy(spec.target, t->topic, sizeof spec.target);
		spec.want = t->host->identity.public_key;
		op_start(h, &spec);
		sim_run(s, SECONDS(1));
	}
	sim_quiesce(s);
}

static void
run(struct sim *s)
{
	struct work w;
	struct tally t = {0};
	uint32_t count[2] = {0, 0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(3));
	sim_run(s, MINUTES(3));
	work_topics(&w, s, 20);
	divide(s);
	/* Every announcement is renewed within this time, in its half. */
	sim_run(s, MINUTES(s->opt.minutes));
	ask_own_half(s, &w, count);
	report_add(&s->report, "apart_asked", count[1]);
	report_add(&s->report, "apart_found", count[0]);
	sim_expect(s, count[0] * 100 >= count[1] * 99,
	    "apart, only %u of %u lookups succeed", count[0], count[1]);
	s->net.split = false;
	sim_grow(s, s->opt.nodes / 10, DHT_PERSISTENT, MINUTES(20));
	work_lookups(&w, &t, 300, MINUTES(5));
	tally_report(s, &t);
	sim_expect(s, tally_success(&t) >= 99000,
	    "healed, %u of %u lookups fail", t.asked - t.closed - t.found,
	    t.asked);
	tally_fini(&t);
	work_fini(&w);
}

const struct scenario scenario_partition = {
    .name = "partition",
    .text = "two halves for a while, then one network again",
    .nodes = 100,
    .minutes = 30,
    .nodes_min = 40,
    .run = run,
};
