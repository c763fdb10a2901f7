/* SPDX-License-Identifier: ISC */
/*
 * Places a listener and a caller behind every pair of boxes: mapping and
 * filtering rules and ways to choose ports. The call is answered where the
 * addresses that a box assigns can be known or predicted, or where it accepts
 * packets from hosts that its host has sent to.
 */
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum { ROUND_SECONDS = 40 };

static const char *const report_names[HOPES][3] = {
    [HOPE_KNOWN] = {"known", "known_answered", "known_ms_median"},
    [HOPE_LET_IN] = {"let_in", "let_in_answered", "let_in_ms_median"},
    [HOPE_FORETOLD] = {"foretold", "foretold_answered", "foretold_ms_median"},
    [HOPE_GUESSED] = {"guessed", "guessed_answered", "guessed_ms_median"},
    [HOPE_MIXED] = {"mixed", "mixed_answered", "mixed_ms_median"},
    [HOPE_NONE] = {"none", "none_answered", "none_ms_median"},
};

struct group {
	uint32_t asked, answered;
	struct samples open_ms;
};

struct punches {
	struct host *callers[BOXES], *callees[BOXES];
	struct group groups[HOPES];
};

static void
over(struct sim *s, struct call *c)
{
	struct punches *p = c->spec.arg;
	struct group *g = &p->groups[box_hope(
	    &c->host->nat->config, &c->spec.to->nat->config)];

	(void)s;
	g->asked++;
	g->answered += c->err == 0;
	if (c->open)
		samples_add(&g->open_ms,
		    (uint32_t)((c->opened_us - c->started_us) / 1000));
}

static void
call(struct sim *s, struct punches *p, uint32_t from, uint32_t to)
{
	struct call_spec spec = {
	    .to = p->callees[to], .bytes = 1000, .done = over, .arg = p};

	spec.bound = hope_bound(
	    box_hope(&p->callers[from]->nat->config, &spec.to->nat->config));
	if (call_start(p->callers[from], &spec) != 0)
		sim_fail(s, "a call does not start");
}

static void
settle_in(struct sim *s, struct punches *p, struct dials *d)
{
	for (uint32_t i = 0; i < BOXES; i++) {
		struct nat_config c = box_kind(i);

		p->callers[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		p->callees[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		sim_run(s, SECONDS(2));
		dials_listen(d, p->callees[i]);
	}
	dials_wait(d, SECONDS(60));
}

static void
judge(struct sim *s, struct punches *p)
{
	for (int i = 0; i < HOPES; i++) {
		struct group *g = &p->groups[i];

		report_add(&s->report, report_names[i][0], g->asked);
		report_add(&s->report, report_names[i][1], g->answered);
		report_add(&s->report, report_names[i][2],
		    samples_at(&g->open_ms, 500));
		if (i <= HOPE_LET_IN)
			sim_expect(s, g->answered == g->asked,
			    "%u of %u calls that need no luck failed: %s",
			    g->asked - g->answered, g->asked,
			    report_names[i][0]);
		/* 1750 ports against 256 fail once in a thousand times. */
		if (i == HOPE_GUESSED)
			sim_expect(s,
			    g->asked - g->answered <= 1 + g->asked / 30,
			    "%u of %u guesses failed", g->asked - g->answered,
			    g->asked);
		samples_fini(&g->open_ms);
	}
}

static void
run(struct sim *s)
{
	static struct punches p;
	struct dials d;

	p = (struct punches){0};
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 0);
	settle_in(s, &p, &d);
	for (uint32_t round = 0; round < s->opt.amount; round++) {
		for (uint32_t i = 0; i < BOXES; i++)
			call(s, &p, i, (i + round * 5) % BOXES);
		sim_run(s, SECONDS(ROUND_SECONDS));
	}
	dials_fini(&d);
	judge(s, &p);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_punch = {
    .name = "punch",
    .text = "every kind of NAT calls every other: possible calls succeed",
    .nodes = 60,
    .minutes = 0,
    .amount = BOXES,
    .nodes_min = 40,
    .run = run,
};
