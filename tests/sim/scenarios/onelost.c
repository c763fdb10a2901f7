/* SPDX-License-Identifier: ISC */
/*
 * Two hosts behind boxes that need no luck: one calls, the other returns the
 * bytes it receives. Repeats the same call in the same network, each time with
 * the loss of one more of all datagrams that they send or receive; no loss may
 * cost much.
 */
#include <string.h>

#include "base/err.h"
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum { WAY_US = 25000, MORE_MAX_MS = 250, UNTIL_SECONDS = 20 };

/* The numbers of two kinds of box, see boxes.h; BOXES: none. */
static const struct {
	const char *name;
	uint32_t from, to;
} pairs[] = {
    {"public_worst_ms", BOXES, BOXES},
    {"open_worst_ms", 18, 18},      /* any/any/drawn, both */
    {"host_worst_ms", 21, 21},      /* any/host/drawn, both */
    {"port_worst_ms", 24, 24},      /* any/port/drawn, both */
    {"let_in_worst_ms", 26, 21},    /* port/port/drawn, any/host/drawn */
    {"lets_in_worst_ms", 21, 26},   /* and the other way round */
    {"foretold_worst_ms", 17, 24},  /* port/port/steps, any/port/drawn */
    {"foretells_worst_ms", 24, 17}, /* and the reverse */
};

enum { PAIRS = sizeof pairs / sizeof *pairs };

/* One call in a network of its own. */
struct trial {
	struct sim sim;
	struct host *caller, *callee;
	uint32_t sent, lose; /* datagrams so far, and which one is lost */
	uint64_t lost_us;    /* after the start, and its kind */
	char lost[48];
	uint64_t start_us, took_us;
	int err;
	bool costly; /* its dial took more than its bound */
};

static const struct endpoint *
outside(const struct host *h)
{
	return h->nat != NULL ? &h->nat->ep : &h->ep;
}

static bool
lose(void *arg, const struct endpoint *src, const struct endpoint *dst,
    const uint8_t *buf, size_t len)
{
	struct trial *t = arg;
	bool ours = src == &t->caller->ep || dst == outside(t->caller),
	     theirs = src == &t->callee->ep || dst == outside(t->callee);

	if (t->took_us != 0 || (!ours && !theirs) || t->sent++ != t->lose)
		return false;
	t->lost_us = t->sim.now_us - t->start_us;
	snprintf(t->lost, sizeof t->lost, "%s the %s, %zu bytes of kind %02x",
	    src == &t->caller->ep || src == &t->callee->ep ? "from" : "to",
	    ours && theirs ? "other"
	    : ours         ? "caller"
			   : "callee",
	    len, buf[0]);
	return true;
}

static void
over(struct sim *s, struct call *c)
{
	struct trial *t = c->spec.arg;

	(void)s;
	t->err = c->err;
	t->took_us = c->heard_us - c->started_us;
}

static struct host *
settle_in(struct sim *s, uint32_t kind)
{
	struct nat_config c = box_kind(kind % BOXES);
	struct nat *box = kind == BOXES ? NULL : sim_nat(s, &c, NULL);

	return sim_join(s, DHT_AUTO, box);
}

/* Drops the datagram of that number; UINT32_MAX: none. */
static void
try(struct trial *t, const struct sim_options *o, uint32_t pair,
    uint32_t number)
{
	struct call_spec spec = {.done = over, .arg = t};
	struct sim *s = &t->sim;
	struct dials d;

	*t = (struct trial){.lose = number};
	sim_init(s, o);
	s->net.faults = (struct faults){.flat_us = WAY_US};
	sim_grow(s, o->nodes, DHT_PERSISTENT, SECONDS(20));
	dials_init(&d, s, 0);
	t->callee = settle_in(s, pairs[pair].to);
	t->caller = settle_in(s, pairs[pair].from);
	sim_run(s, SECONDS(5));
	dials_listen(&d, t->callee);
	dials_wait(&d, SECONDS(30));
	sim_run(s, SECONDS(20));
	spec.to = t->callee;
	t->start_us = s->now_us;
	s->net.lose = lose;
	s->net.lose_arg = t;
	if (call_start(t->caller, &spec) != 0)
		sim_broken(s, "a call does not start");
	for (int i = 0; i < UNTIL_SECONDS && s->calls.open > 0; i++)
		sim_run(s, SECONDS(1));
	dials_fini(&d);
	t->costly = s->failed > 0;
	sim_fini(s);
}

static uint32_t
worst_ms(struct sim *s, uint32_t pair)
{
	static struct trial clean, t;
	uint32_t worst = 0;

	try(&clean, &s->opt, pair, UINT32_MAX);
	sim_expect(s, clean.err == 0, "%s: without loss: %s", pairs[pair].name,
	    err_name(clean.err));
	sim_expect(s, !clean.costly, "%s: without loss: above its bound",
	    pairs[pair].name);
	for (uint32_t i = 0; i < clean.sent; i += s->opt.amount) {
		uint32_t more;

		try(&t, &s->opt, pair, i);
		sim_expect(s, !t.costly,
		    "%s: above its bound without datagram %u", pairs[pair].name,
		    i);
		more = t.took_us > clean.took_us
			   ? (uint32_t)((t.took_us - clean.took_us) / 1000)
			   : 0;
		worst = more > worst ? more : worst;
		sim_expect(s, t.err == 0 && more <= MORE_MAX_MS,
		    "%s: %u ms, but %u more without datagram %u of %u, at "
		    "%u ms, %s: %s",
		    pairs[pair].name, (unsigned)(clean.took_us / 1000), more, i,
		    clean.sent, (unsigned)(t.lost_us / 1000), t.lost,
		    err_name(t.err));
	}
	return worst;
}

static void
run(struct sim *s)
{
	for (uint32_t i = 0; i < PAIRS; i++)
		report_add(&s->report, pairs[i].name, worst_ms(s, i));
}

const struct scenario scenario_onelost = {
    .name = "onelost",
    .text = "any one datagram of a call is lost: 250 ms more at most",
    .nodes = 20,
    .amount = 1,
    .nodes_min = 20,
    /* A round of 256 probes and what follows it. */
    .bound = {520, 24},
    .run = run,
};
