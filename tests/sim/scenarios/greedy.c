/* SPDX-License-Identifier: ISC */
/*
 * One host dials a key hundreds of times within a few seconds and keeps all
 * that opens. It gets half of the connections of the listener and is refused
 * beyond that, within the handshake; the calls of all others are answered, and
 * no connection is cut.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	SLOTS = 64, /* connections of the listener */
	/* Datagrams of a greedy dial: the messages of some dials before it and
	 * after it, which cannot be told apart, count too. */
	DATAGRAMS = 400,
	STEP_MS = 40,
	HOLD_S = 120,
	OTHERS = 60, /* calls of other hosts */
};

struct greed {
	uint32_t opened, busy, lost;
};

static void
count_end(struct sim *s, struct call *c)
{
	struct greed *g = c->spec.arg;

	(void)s;
	g->opened += c->open;
	g->busy += c->err == ERR_PEER_BUSY;
	g->lost += c->open && c->err != 0;
}

static void
dial_often(struct sim *s, struct host *from, struct host *to, struct greed *g)
{
	struct call_spec spec = {.to = to,
	    .bytes = 100,
	    .hold_us = SECONDS(HOLD_S),
	    .bound.datagrams = DATAGRAMS,
	    .done = count_end,
	    .arg = g};

	for (uint32_t i = 0; i < s->opt.amount; i++) {
		(void)call_start(from, &spec);
		sim_run(s, MILLISECONDS(STEP_MS));
	}
}

static void
call_from_others(struct dials *d, struct host *greedy)
{
	for (uint32_t i = 0; i < OTHERS; i++) {
		struct host *from;

		do
			from = sim_any(d->sim);
		while (from == greedy || from == d->listeners[0]);
		dials_call(d, from, d->listeners[0], 1000);
		sim_run(d->sim, SECONDS(1));
	}
}

static void
run(struct sim *s)
{
	struct greed g = {0};
	struct host *greedy;
	struct limits l;
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 1);
	l = *node_limits(d.listeners[0]->node);
	l.listener_connections = SLOTS;
	node_set_limits(d.listeners[0]->node, &l);
	do
		greedy = call_caller(s);
	while (greedy == d.listeners[0]);
	dial_often(s, greedy, d.listeners[0], &g);
	call_from_others(&d, greedy);
	sim_quiesce(s);
	dials_report(&d);
	report_add(&s->report, "greedy_opened", g.opened);
	report_add(&s->report, "greedy_busy", g.busy);
	dials_expect(&d, 1000);
	sim_expect(s, g.opened == SLOTS / 2 && g.lost == 0,
	    "one key had %u connections, not %u, and lost %u", g.opened,
	    SLOTS / 2, g.lost);
	sim_expect(s, g.busy == s->opt.amount - SLOTS / 2,
	    "%u handshakes were refused", g.busy);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_greedy = {
    .name = "greedy",
    .text =
	"one host dials a key without end: the calls of others are answered",
    .nodes = 60,
    .minutes = 0,
    .amount = 640,
    .nodes_min = 30,
    .run = run,
};
