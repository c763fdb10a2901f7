/* SPDX-License-Identifier: ISC */
/*
 * Tries every kind of box against every other, as in `punch`, over links that
 * drop 0, 5 or 20 % of all datagrams in both directions, with a one-way delay
 * of 0, 40 or 150 ms. Compares each call with what its pair of boxes permits;
 * an impossible one fails soon and with a reason.
 */
#include "base/err.h"
#include "sim/boxes.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	LOSSES = 3,
	DELAYS = 3,
	ROUND_SECONDS = 40,
	STEP = 5, /* between the callees of a caller: all in BOXES rounds */
	GUESS_MS = 20000,
	GUESS_MEDIAN_MS = 2000,
	LOSS_FACTOR = 20, /* of the datagrams and turns without loss */
	CHANCE = 3,
	MANY = 50,
};

static const uint32_t loss_percent[LOSSES] = {0, 5, 20};
static const uint32_t delay_ms[DELAYS] = {0, 40, 150};

/* The calls of one kind of pair over one kind of link. */
struct cell {
	uint32_t asked, answered;
	uint32_t cut;      /* opened, and failed afterwards */
	uint32_t late;     /* answered after GUESS_MS */
	struct samples ms; /* from the dial to the last byte of the echo */
};

struct grid {
	struct host *callers[BOXES], *callees[BOXES];
	struct cell cells[HOPES][LOSSES][DELAYS];
	struct samples guess_ms; /* without loss */
	uint32_t loss, delay;    /* the link of the calls in progress */
};

static void
report_failure(const struct grid *g, const struct call *c, uint32_t ms)
{
	printf("%2u %% %3u ms %s to %s: %s%s, %u ms\n", loss_percent[g->loss],
	    delay_ms[g->delay], box_name(&c->host->nat->config),
	    box_name(&c->spec.to->nat->config), c->open ? "open, then " : "",
	    err_name(c->err), ms);
}

static void
failed(struct sim *s, const struct grid *g, struct cell *cell, struct call *c)
{
	uint32_t ms = (uint32_t)((s->now_us - c->started_us) / 1000);

	cell->cut += c->open;
	if (!s->opt.quiet && !s->opt.json)
		report_failure(g, c, ms);
}

static void
over(struct sim *s, struct call *c)
{
	struct grid *g = c->spec.arg;
	enum hope h = box_hope(&c->host->nat->config, &c->spec.to->nat->config);
	struct cell *cell = &g->cells[h][g->loss][g->delay];
	uint32_t ms = (uint32_t)((c->heard_us - c->started_us) / 1000);

	cell->asked++;
	if (c->err != 0) {
		failed(s, g, cell, c);
		return;
	}
	cell->answered++;
	cell->late += ms > GUESS_MS;
	samples_add(&cell->ms, ms);
	if (h == HOPE_GUESSED && g->loss == 0)
		samples_add(&g->guess_ms, ms);
}

static void
settle_in(struct sim *s, struct grid *g, struct dials *d)
{
	for (uint32_t i = 0; i < BOXES; i++) {
		struct nat_config c = box_kind(i);

		g->callers[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		g->callees[i] = sim_join(s, DHT_AUTO, sim_nat(s, &c, NULL));
		sim_run(s, SECONDS(2));
		dials_listen(d, g->callees[i]);
	}
	dials_wait(d, SECONDS(60));
}

static void
call_round(struct sim *s, struct grid *g, uint32_t round)
{
	for (uint32_t i = 0; i < BOXES; i++) {
		struct call_spec spec = {
		    .to = g->callees[(i + round * STEP) % BOXES],
		    .bytes = 1000,
		    .done = over,
		    .arg = g};

		spec.bound = hope_bound(box_hope(
		    &g->callers[i]->nat->config, &spec.to->nat->config));
		/* What is lost or late is sent again. */
		spec.bound.datagrams *= LOSS_FACTOR;
		spec.bound.turns *= LOSS_FACTOR;
		if (call_start(g->callers[i], &spec) != 0)
			sim_fail(s, "a call does not start");
	}
	sim_run(s, SECONDS(ROUND_SECONDS));
	sim_quiesce(s);
}

static void
cross(struct sim *s, struct grid *g)
{
	uint32_t first = prng_below(&s->rand, BOXES);

	for (g->loss = 0; g->loss < LOSSES; g->loss++)
		for (g->delay = 0; g->delay < DELAYS; g->delay++) {
			s->net.faults.loss_ppm = loss_percent[g->loss] * 10000;
			/* None at all would be by geography. */
			s->net.faults.flat_us = delay_ms[g->delay] * 1000 + 1;
			sim_run(s, MINUTES(1));
			for (uint32_t i = 0; i < s->opt.amount; i++)
				call_round(s, g, first + i);
		}
}

/* ---- results ---- */

/* Returns how many thousandths of the calls of such a pair must succeed. */
static uint32_t
due(enum hope h, uint32_t loss)
{
	switch (h) {
	case HOPE_KNOWN:
	case HOPE_LET_IN:
		return loss == 0 ? 1000 : 990;
	case HOPE_FORETOLD:
		return loss == 0 ? 990 : 930;
	case HOPE_GUESSED:
		return 950;
	default:
		return 0;
	}
}

static void
judge(struct sim *s, const struct grid *g, enum hope h, uint32_t loss)
{
	uint32_t asked = 0, good = 0, cut = 0;

	for (int d = 0; d < DELAYS; d++) {
		const struct cell *c = &g->cells[h][loss][d];

		asked += c->asked;
		good += c->answered;
		good -= h == HOPE_GUESSED ? c->late : 0;
		cut += c->cut;
	}
	/* Some may fail by chance, even of a few. */
	sim_expect(s,
	    asked - good <= (due(h, loss) < 1000 ? CHANCE : 0) +
				asked * (1000 - due(h, loss)) / 1000,
	    "%s, %u %% lost: %u of %u calls failed", hope_name(h),
	    loss_percent[loss], asked - good, asked);
	if (loss > 0)
		return;
	/* Packets may pass in one direction only, where both change. */
	sim_expect(s, cut <= (h < HOPE_FORETOLD ? 0 : CHANCE + asked / 50),
	    "%s: %u of %u calls opened and were cut", hope_name(h), cut, asked);
}

/* A host that accepts any port counts as one with one address. */
static void
judge_speed(struct sim *s, struct grid *g)
{
	uint32_t guess_ms = samples_at(&g->guess_ms, 500);

	for (int d = 0; d < DELAYS; d++) {
		uint32_t ms = samples_at(&g->cells[HOPE_LET_IN][0][d].ms, 500);
		uint32_t known =
		    samples_at(&g->cells[HOPE_KNOWN][0][d].ms, 500);

		sim_expect(s, known == 0 || ms <= known + known / 4 + 50,
		    "%u ms where the peer accepts, %u ms where both are known",
		    ms, known);
	}
	/* A few samples prove nothing. */
	sim_expect(s, g->guess_ms.len < MANY || guess_ms <= GUESS_MEDIAN_MS,
	    "half of all guesses take %u ms", guess_ms);
}

static void
print(struct grid *g)
{
	printf("%-8s %5s %7s %9s %9s %7s %7s %7s\n", "pair", "loss", "one way",
	    "answered", "of", "median", "95 %", "longest");
	for (int h = 0; h < HOPES; h++)
		for (int i = 0; i < LOSSES * DELAYS; i++) {
			struct cell *c = &g->cells[h][i / DELAYS][i % DELAYS];

			printf("%-8s %3u %% %4u ms %9u %9u %4u ms %4u ms "
			       "%4u ms\n",
			    hope_name((enum hope)h), loss_percent[i / DELAYS],
			    delay_ms[i % DELAYS], c->answered, c->asked,
			    samples_at(&c->ms, 500), samples_at(&c->ms, 950),
			    samples_at(&c->ms, 1000));
		}
}

static void
grid_fini(struct grid *g)
{
	for (int h = 0; h < HOPES; h++)
		for (int i = 0; i < LOSSES * DELAYS; i++)
			samples_fini(&g->cells[h][i / DELAYS][i % DELAYS].ms);
	samples_fini(&g->guess_ms);
}

static void
run(struct sim *s)
{
	static struct grid g;
	struct dials d;

	g = (struct grid){0};
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 0);
	settle_in(s, &g, &d);
	cross(s, &g);
	dials_fini(&d);
	if (!s->opt.quiet && !s->opt.json)
		print(&g);
	for (int h = 0; h < HOPES; h++)
		for (uint32_t loss = 0; loss < LOSSES; loss++)
			judge(s, &g, (enum hope)h, loss);
	judge_speed(s, &g);
	grid_fini(&g);
}

const struct scenario scenario_punchgrid = {
    .name = "punchgrid",
    .text = "every kind of NAT calls every other over nine kinds of link",
    .nodes = 60,
    .amount = BOXES,
    .nodes_min = 40,
    .run = run,
};
