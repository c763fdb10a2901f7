/* SPDX-License-Identifier: ISC */
/*
 * One node receives `amount` PINGs a second from forged addresses, each with
 * the id of its address, while it looks up topics. Each of these addresses is a
 * candidate for its table, and none of them ever replies: the checks must not
 * delay its own requests.
 */
#include <string.h>

#include "sim/actor.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum {
	FLOODER_IP = 0x2e060101,
	FORGED_IP = 0x50000001,
	FORGED_PREFIXES = 1 << 20,
	ONE_WAY_US = 40000,
	STEP_MS = 10,
	LOOKUPS = 60,
	TOPICS = 8,
};

struct ping_flood {
	struct host *victim;
	struct actor *flooder;
	struct work work;
	uint64_t sent;
};

static void
setup(struct sim_options *o)
{
	o->faults.flat_us = ONE_WAY_US;
}

static void
flood_victim(struct sim *s, void *arg)
{
	struct ping_flood *f = arg;
	struct prng *rand = &f->flooder->rand;

	for (uint32_t i = 0; i < s->opt.amount * STEP_MS / 1000; i++) {
		struct spot from = {
		    FORGED_IP + prng_below(rand, FORGED_PREFIXES) * 256,
		    (uint16_t)(1024 + prng_below(rand, 60000))};
		struct rpc_request ping = {
		    .tid = (uint16_t)prng_next(rand), .internal = true};

		actor_request(
		    f->flooder, from, host_spot(f->victim), true, &ping);
		f->sent++;
	}
}

static void
on_looked_up(struct sim *s, struct op *op)
{
	struct tally *t = op->spec.arg;

	(void)s;
	t->found += op->found;
	samples_add(
	    &t->end_ms, (uint32_t)((op->ended_us - op->started_us) / 1000));
}

/* Looks up the topics from the victim, one lookup every two seconds. */
static void
run_lookups(struct sim *s, struct ping_flood *f, struct tally *t)
{
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		struct topic *topic = &f->work.topics[i % TOPICS];
		struct op_spec spec = {
		    .kind = OP_LOOKUP, .done = on_looked_up, .arg = t};

		memcpy(spec.target, topic->topic, sizeof spec.target);
		spec.want = topic->host->identity.public_key;
		t->asked++;
		op_start(f->victim, &spec);
		sim_run(s, SECONDS(2));
	}
	sim_quiesce(s);
}

static void
run(struct sim *s)
{
	struct ping_flood f = {0};
	struct tally quiet = {0}, flooded = {0};
	uint32_t task, quiet_ms, flooded_ms;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(s->opt.minutes));
	work_topics(&f.work, s, TOPICS);
	f.victim = sim_join(s, DHT_PERSISTENT, NULL);
	f.flooder = actor_new(s, FLOODER_IP, 1, NULL, 0);
	sim_run(s, MINUTES(1));
	run_lookups(s, &f, &quiet);
	task = sim_every(s, MILLISECONDS(STEP_MS), flood_victim, &f);
	sim_run(s, SECONDS(10));
	run_lookups(s, &f, &flooded);
	sim_stop(s, task);
	sim_run(s, SECONDS(10));
	quiet_ms = samples_at(&quiet.end_ms, 500);
	flooded_ms = samples_at(&flooded.end_ms, 950);
	report_add(&s->report, "forged_pings", f.sent);
	report_add(&s->report, "quiet_ms_median", quiet_ms);
	report_add(&s->report, "quiet_ms_p95", samples_at(&quiet.end_ms, 950));
	report_add(
	    &s->report, "flooded_ms_median", samples_at(&flooded.end_ms, 500));
	report_add(&s->report, "flooded_ms_p95", flooded_ms);
	sim_expect(s, quiet.found == quiet.asked, "%u of %u lookups fail",
	    quiet.asked - quiet.found, quiet.asked);
	sim_expect(s, flooded.found == flooded.asked,
	    "%u of %u lookups fail in the flood", flooded.asked - flooded.found,
	    flooded.asked);
	sim_expect(s, flooded_ms <= 2 * quiet_ms,
	    "95 %% of lookups take up to %u ms in the flood, and %u ms before",
	    flooded_ms, quiet_ms);
	tally_fini(&quiet);
	tally_fini(&flooded);
	work_fini(&f.work);
}

const struct scenario scenario_pingflood = {
    .name = "pingflood",
    .text = "forged PINGs: own lookups take no more than twice the quiet time",
    .nodes = 100,
    .minutes = 2,
    .amount = 5000,
    .nodes_min = 30,
    .setup = setup,
    .run = run,
};
