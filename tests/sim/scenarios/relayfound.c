/* SPDX-License-Identifier: ISC */
/*
 * Hosts behind NATs that draw a port for each destination call each other.
 * Nothing is configured: a few nodes relay, the hosts find them. Then some of
 * the relays crash: a listener names each of these once at most.
 */
#include "base/err.h"
#include "node/node_relay.h"
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	PAIRS = 10,
	RELAYS = 5,
	RELAYS_DEAD = 2,
	DELAY_MS = 40,   /* one way */
	FIRST_MS = 1200, /* median until the first byte */
	WORST_MS = 3000,
};

struct run {
	uint32_t asked, failed;
	struct samples ms;
};

static void
note_end(struct sim *s, struct call *c)
{
	struct run *r = c->spec.arg;

	r->asked++;
	r->failed += c->err != 0;
	if (c->err == 0)
		samples_add(
		    &r->ms, (uint32_t)((c->heard_us - c->started_us) / 1000));
	else if (!s->opt.quiet && !s->opt.json)
		printf("%u: %s\n", c->spec.to->ep.index, err_name(c->err));
}

/* Makes relays of the nodes that have joined last. */
static void
start_relays(struct sim *s, struct host **relays)
{
	static const struct node_relaying on = {.on = true};

	for (uint32_t i = 0; i < RELAYS; i++) {
		relays[i] = s->hosts[s->hosts_len - 1 - i];
		sim_expect(s, node_set_relaying(relays[i]->node, &on) == 0,
		    "a relay does not start");
	}
}

static struct host *
join_behind_random(struct sim *s)
{
	struct nat_config c = box_kind(0);

	c.mapping = NAT_ADDRESS_AND_PORT;
	c.filtering = NAT_ADDRESS_AND_PORT;
	c.ports = NAT_RANDOM;
	return sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
}

/* Every caller calls its callee, again and again. */
static void
call_all(struct sim *s, struct host **callers, struct host **callees,
    uint32_t rounds, struct run *r)
{
	for (uint32_t i = 0; i < rounds; i++) {
		for (uint32_t k = 0; k < PAIRS; k++) {
			struct call_spec spec = {
			    .to = callees[(k + i) % PAIRS],
			    .bytes = 1000,
			    .done = note_end,
			    .arg = r,
			    .bound = {.datagrams = 400, .turns = 100},
			};

			sim_expect(s, call_start(callers[k], &spec) == 0,
			    "a call does not start");
		}
		sim_run(s, SECONDS(20));
		sim_quiesce(s);
	}
}

static void
report(struct sim *s, const char *when, struct run *r)
{
	if (!s->opt.quiet && !s->opt.json)
		printf("%s: %u of %u failed, median %u ms, worst %u ms\n", when,
		    r->failed, r->asked, samples_at(&r->ms, 500),
		    samples_at(&r->ms, 1000));
}

static void
run(struct sim *s)
{
	struct host *callers[PAIRS], *callees[PAIRS], *relays[RELAYS];
	struct dials d = {.sim = s};
	struct run found = {0}, crashed = {0}, later = {0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	start_relays(s, relays);
	dials_init(&d, s, 0);
	for (int i = 0; i < PAIRS; i++) {
		callers[i] = join_behind_random(s);
		callees[i] = join_behind_random(s);
		sim_run(s, SECONDS(2));
		dials_listen(&d, callees[i]);
	}
	dials_wait(&d, SECONDS(60));
	s->net.faults.flat_us = DELAY_MS * 1000 + 1;
	sim_run(s, MINUTES(2));
	call_all(s, callers, callees, s->opt.amount, &found);
	report(s, "relays found", &found);
	sim_expect(s, found.failed == 0, "%u of %u calls failed", found.failed,
	    found.asked);
	sim_expect(s, samples_at(&found.ms, 500) <= FIRST_MS,
	    "half of the calls took %u ms", samples_at(&found.ms, 500));
	sim_expect(s, samples_at(&found.ms, 1000) <= WORST_MS,
	    "a call took %u ms", samples_at(&found.ms, 1000));
	for (int i = 0; i < RELAYS_DEAD; i++)
		host_crash(relays[i]);
	call_all(s, callers, callees, RELAYS_DEAD, &crashed);
	report(s, "relays crashed", &crashed);
	call_all(s, callers, callees, s->opt.amount, &later);
	report(s, "later", &later);
	sim_expect(s, later.failed == 0, "%u of %u later calls failed",
	    later.failed, later.asked);
	samples_fini(&found.ms);
	samples_fini(&crashed.ms);
	samples_fini(&later.ms);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_relayfound = {
    .name = "relayfound",
    .text = "hosts whose NATs draw ports connect through relays that they find",
    .nodes = 60,
    .minutes = 0,
    .amount = 5,
    .nodes_min = 30,
    .run = run,
};
