/* SPDX-License-Identifier: ISC */
/*
 * A host dials a key many times and hangs up before anything is open, as a
 * program does that is started and stopped. The dial after that opens within
 * twice the time of one without any before it, or as soon as a guess of ports
 * does: the callee keeps no punch slot for a caller that is gone.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	DELAY_MS = 40, /* one way */
	PAUSE_S = 60,  /* between the series: all that is left expires */
	SLACK_MS = 50,
	SAMPLES = 3, /* of the quiet time */
	TRIES = 3,
	GUESS_MS = 3000,
	GUESSING_MS = 400, /* after which a dial may guess */
	/* Of a dial, in whose count those before it appear. */
	DATAGRAMS = 20000,
	TURNS = 5000,
};

/* When the dials of a series are hung up, and the time between two of them. */
static const struct series {
	uint32_t hang_up_ms, gap_ms;
} all_series[] = {
    {0, 0},
    {30, 0},
    {100, 0},
    {250, 0},
    {400, 0},
    {1, 50},
    {50, 50},
    {150, 150},
    {300, 300},
    {600, 600},
};

enum kind { KIND_PUBLIC, KIND_RESTRICTED, KIND_SYMMETRIC, KINDS };

static const char *const kind_names[KINDS] = {
    "public", "restricted", "symmetric"};

struct pair {
	struct host *from, *to;
	enum kind own, peer;
	bool guesses; /* the ports of one side */
};

static void
note_open(struct sim *s, struct call *c)
{
	uint32_t *ms = c->spec.arg;

	(void)s;
	*ms = c->open ? (uint32_t)((c->opened_us - c->started_us) / 1000)
		      : UINT32_MAX;
}

/* Returns how long a dial takes until it is open, in milliseconds, or
 * UINT32_MAX if it fails. */
static uint32_t
time_dial(struct sim *s, struct host *from, const struct host *to)
{
	uint32_t ms = 0;
	struct call_spec spec = {.to = to,
	    .bytes = 100,
	    .bound = {DATAGRAMS, TURNS},
	    .done = note_open,
	    .arg = &ms};

	sim_expect(s, call_start(from, &spec) == 0, "a dial does not start");
	sim_quiesce(s);
	return ms;
}

static void
hang_up_often(struct sim *s, struct host *from, const struct host *to,
    const struct series *x, uint32_t dials)
{
	struct call_spec spec = {
	    .to = to, .bytes = 100, .bound = {DATAGRAMS, TURNS}};

	for (uint32_t i = 0; i < dials; i++) {
		(void)call_start(from, &spec);
		if (x->gap_ms == 0)
			continue;
		sim_run(s, MILLISECONDS(x->hang_up_ms));
		calls_hang_up(from);
		sim_run(s, MILLISECONDS(x->gap_ms - x->hang_up_ms));
	}
	if (x->gap_ms == 0) {
		sim_run(s, MILLISECONDS(x->hang_up_ms));
		calls_hang_up(from);
	}
}

/* Returns the longest of a few dials without any before them. */
static uint32_t
time_quiet(struct sim *s, const struct pair *p)
{
	uint32_t quiet_ms = 0;

	for (int i = 0; i < SAMPLES; i++) {
		uint32_t ms = time_dial(s, p->from, p->to);

		quiet_ms = ms > quiet_ms ? ms : quiet_ms;
		sim_run(s, SECONDS(PAUSE_S));
	}
	return quiet_ms;
}

/* Returns how many dials are hung up: those that guess ports for a while must
 * not use up the budget of probes for the host of the callee. */
static uint32_t
dials_of(const struct sim *s, const struct pair *p, const struct series *x)
{
	return p->guesses && x->hang_up_ms > GUESSING_MS ? s->opt.amount / 4
							 : s->opt.amount;
}

static void
try_series(struct sim *s, const struct pair *p, const struct series *x,
    uint32_t bound_ms)
{
	uint32_t best_ms = UINT32_MAX;

	/* How long a guess takes is chance: a slot that is still held delays
	 * every try. */
	for (int i = 0; i < (p->guesses ? TRIES : 1); i++) {
		uint32_t ms;

		hang_up_often(s, p->from, p->to, x, dials_of(s, p, x));
		ms = time_dial(s, p->from, p->to);
		best_ms = ms < best_ms ? ms : best_ms;
		sim_run(s, SECONDS(PAUSE_S));
	}
	if (!s->opt.quiet && !s->opt.json)
		printf("%-10s to %-10s hung up after %3u ms, one each %3u ms: "
		       "%5u ms, at most %u ms\n",
		    kind_names[p->own], kind_names[p->peer], x->hang_up_ms,
		    x->gap_ms, best_ms, bound_ms);
	sim_expect(s, best_ms <= bound_ms,
	    "%s to %s, hung up after %u ms: the next dial takes %u ms, "
	    "above %u ms",
	    kind_names[p->own], kind_names[p->peer], x->hang_up_ms, best_ms,
	    bound_ms);
}

static void
try_pair(struct sim *s, const struct pair *p)
{
	uint32_t bound_ms = 2 * time_quiet(s, p) + SLACK_MS;

	if (p->guesses)
		bound_ms = GUESS_MS;
	for (size_t i = 0; i < sizeof all_series / sizeof *all_series; i++)
		try_series(s, p, &all_series[i], bound_ms);
}

static struct nat *
kind_box(struct sim *s, enum kind k)
{
	struct nat_config box = {.filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_RANDOM,
	    .timeout_s = 120,
	    .refresh_inbound = true};

	if (k == KIND_PUBLIC)
		return NULL;
	if (k == KIND_SYMMETRIC)
		box.mapping = NAT_ADDRESS_AND_PORT;
	return sim_nat(s, &box, NULL);
}

static void
try_kinds(struct sim *s, struct host *from, struct host *to, enum kind own,
    enum kind peer)
{
	struct pair p = {from, to, own, peer, false};

	if (own == KIND_SYMMETRIC && peer == KIND_SYMMETRIC)
		return;
	p.guesses = own != KIND_PUBLIC && peer != KIND_PUBLIC &&
		    (own == KIND_SYMMETRIC || peer == KIND_SYMMETRIC);
	try_pair(s, &p);
}

static void
run(struct sim *s)
{
	struct host *callers[KINDS], *callees[KINDS];
	struct dials d = {.sim = s};

	s->net.faults.flat_us = DELAY_MS * 1000;
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	dials_init(&d, s, 0);
	for (int i = 0; i < KINDS; i++) {
		callers[i] = sim_join(s, DHT_AUTO, kind_box(s, i));
		callees[i] = sim_join(s, DHT_AUTO, kind_box(s, i));
		sim_run(s, SECONDS(2));
		dials_listen(&d, callees[i]);
	}
	dials_wait(&d, SECONDS(60));
	sim_run(s, MINUTES(1));
	for (int i = 0; i < KINDS; i++)
		for (int j = 0; j < KINDS; j++)
			try_kinds(s, callers[i], callees[j], i, j);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_hangups = {
    .name = "hangups",
    .text = "dials that are hung up do not delay the next one",
    .nodes = 60,
    .minutes = 0,
    .amount = 20,
    .nodes_min = 30,
    .run = run,
};
