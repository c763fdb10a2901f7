/* SPDX-License-Identifier: ISC */
/*
 * Hosts behind boxes that assign ports in sequence, one for each destination,
 * call each other: the next ports can be predicted as long as nothing else uses
 * any in between. Every box has one host, so that only that host can use up the
 * predicted ports.
 */
#include "base/err.h"
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	KINDS = 6, /* mapping by host or by port, three rules of filtering */
	DELAYS = 3,
	ROUND_SECONDS = 40,
	FAILED_PERMILLE = 10,
};

static const uint32_t delay_ms[DELAYS] = {0, 40, 150};

struct cell {
	uint32_t asked, failed;
	struct samples ms;
};

static void
note_end(struct sim *s, struct call *c)
{
	struct cell *cell = c->spec.arg;
	uint32_t ms = (uint32_t)((s->now_us - c->started_us) / 1000);

	cell->asked++;
	cell->failed += c->err != 0;
	if (c->err == 0)
		samples_add(&cell->ms,
		    (uint32_t)((c->heard_us - c->started_us) / 1000));
	else if (!s->opt.quiet && !s->opt.json)
		printf("%s to %s: %s, %u ms\n", box_name(&c->host->nat->config),
		    box_name(&c->spec.to->nat->config), err_name(c->err), ms);
}

static struct nat_config
sequential_box(int kind)
{
	struct nat_config c = box_kind(0);

	c.mapping = kind % 2 == 0 ? NAT_ADDRESS : NAT_ADDRESS_AND_PORT;
	c.filtering = (enum nat_rule)(kind / 2);
	c.ports = NAT_SEQUENTIAL;
	return c;
}

static void
call_round(struct sim *s, struct host **callers, struct host **callees,
    uint32_t round, struct cell *cell)
{
	for (uint32_t i = 0; i < KINDS; i++) {
		struct call_spec spec = {
		    .to = callees[(i + round) % KINDS],
		    .bytes = 1000,
		    .done = note_end,
		    .arg = cell,
		    .bound = hope_bound(HOPE_FORETOLD),
		};

		sim_expect(s, call_start(callers[i], &spec) == 0,
		    "a call does not start");
	}
	sim_run(s, SECONDS(ROUND_SECONDS));
	sim_quiesce(s);
	sim_run(s, MILLISECONDS(prng_below(&s->rand, 20000)));
}

static void
run(struct sim *s)
{
	struct host *callers[KINDS], *callees[KINDS];
	struct cell cells[DELAYS] = {0};
	struct dials d = {.sim = s};
	uint32_t asked = 0, failed = 0;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	dials_init(&d, s, 0);
	for (int i = 0; i < KINDS; i++) {
		struct nat_config c = sequential_box(i);

		callers[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		callees[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		sim_run(s, SECONDS(2));
		dials_listen(&d, callees[i]);
	}
	dials_wait(&d, SECONDS(60));
	for (int i = 0; i < DELAYS; i++) {
		struct cell *c = &cells[i];

		s->net.faults.flat_us = delay_ms[i] * 1000 + 1;
		sim_run(s, MINUTES(1));
		for (uint32_t j = 0; j < s->opt.amount; j++)
			call_round(s, callers, callees, j, c);
		asked += c->asked;
		failed += c->failed;
		if (!s->opt.quiet && !s->opt.json)
			printf("%3u ms one way: %u of %u failed, median %u ms, "
			       "80 %% %u ms, 95 %% %u ms\n",
			    delay_ms[i], c->failed, c->asked,
			    samples_at(&c->ms, 500), samples_at(&c->ms, 800),
			    samples_at(&c->ms, 950));
		samples_fini(&c->ms);
	}
	sim_expect(s, failed <= 1 + asked * FAILED_PERMILLE / 1000,
	    "%u of %u calls failed", failed, asked);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_sequential = {
    .name = "sequential",
    .text = "ports that boxes assign in sequence are predicted",
    .nodes = 60,
    .minutes = 0,
    .amount = 60,
    .nodes_min = 30,
    .run = run,
};
