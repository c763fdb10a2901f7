/* SPDX-License-Identifier: ISC */
/*
 * Crashes listeners in the middle of calls and restarts them with their keys;
 * others sleep and wake up later. Each call ends, once, also if its peer is
 * gone; and a listener that has been up for a little while is reachable.
 */
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	DOWN_SECONDS = 5,
	SLEEP_SECONDS = 40,
	/* From its restart until a listener must be reachable again. */
	BACK_SECONDS = 15,
};

struct restarts {
	struct dials *dials;
	uint32_t crashed, slept;
	uint32_t asked, answered, excused, failed;
};

/* Returns whether it was up for long enough before the call, and during it. */
static bool
was_there(const struct host *h, uint64_t since_us)
{
	return h->state == HOST_UP &&
	       h->born_us + SECONDS(BACK_SECONDS) < since_us &&
	       h->asleep_since_us + SECONDS(SLEEP_SECONDS + BACK_SECONDS) <
		   since_us;
}

static void
over(struct sim *s, struct call *c)
{
	struct restarts *r = c->spec.arg;

	(void)s;
	if (c->err == 0)
		r->answered++;
	else if (c->err == ERR_CLOSED || !was_there(c->host, c->started_us) ||
		 !was_there(c->spec.to, c->started_us))
		r->excused++;
	else
		r->failed++;
}

static void
comes_back(struct sim *s, void *arg)
{
	(void)s;
	host_boot(arg);
	call_listen(arg);
}

static void
crash_one(struct sim *s, void *arg)
{
	struct restarts *r = arg;
	struct host *h = dials_any(r->dials, NULL);

	if (h == NULL || h->state != HOST_UP)
		return;
	host_sync(h);
	host_crash(h);
	r->crashed++;
	sim_at(s, SECONDS(DOWN_SECONDS), comes_back, h);
}

static void
wakes_up(struct sim *s, void *arg)
{
	struct host *h = arg;

	(void)s;
	if (h->state == HOST_ASLEEP)
		host_wake(h);
}

static void
sleep_one(struct sim *s, void *arg)
{
	struct restarts *r = arg;
	struct host *h = sim_any(s);

	/* The bootstrap nodes stay awake. */
	if (h == NULL || h->ep.index < SIM_BOOTSTRAPS)
		return;
	host_sleep(h);
	r->slept++;
	sim_at(s, SECONDS(SLEEP_SECONDS), wakes_up, h);
}

static void
call_one(struct sim *s, struct restarts *r)
{
	struct call_spec spec = {
	    .bytes = 300000,
	    .hold_us = SECONDS(prng_below(&s->rand, 40)),
	    .done = over,
	    .arg = r,
	};
	struct host *from = sim_any(s);

	spec.to = dials_any(r->dials, from);
	if (from == NULL || spec.to == NULL)
		return;
	r->asked += call_start(from, &spec) == 0;
}

static void
run(struct sim *s)
{
	struct dials d;
	struct restarts r = {.dials = &d};
	uint32_t tasks[2];

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(2));
	dials_init(&d, s, s->opt.nodes / 4);
	tasks[0] = sim_every(s, SECONDS(7), crash_one, &r);
	tasks[1] = sim_every(s, SECONDS(13), sleep_one, &r);
	for (uint32_t i = 0; i < s->opt.amount; i++) {
		call_one(s, &r);
		sim_run(s, MINUTES(s->opt.minutes) / s->opt.amount);
	}
	sim_stop(s, tasks[0]);
	sim_stop(s, tasks[1]);
	sim_run(s, SECONDS(SLEEP_SECONDS));
	dials_fini(&d);
	report_add(&s->report, "crashed", r.crashed);
	report_add(&s->report, "slept", r.slept);
	report_add(&s->report, "calls", r.asked);
	report_add(&s->report, "calls_answered", r.answered);
	report_add(&s->report, "calls_excused", r.excused);
	sim_expect(
	    s, r.crashed > 0 && r.slept > 0, "no listener crashed or slept");
	sim_expect(s, r.failed * 100 <= r.asked,
	    "%u of %u calls failed though both hosts were up", r.failed,
	    r.asked);
	dials_expect_none_left(s, MINUTES(2));
}

const struct scenario scenario_restart = {
    .name = "restart",
    .text = "listeners crash and return, hosts sleep: each call ends once",
    .nodes = 80,
    .minutes = 20,
    .amount = 600,
    .nodes_min = 40,
    .run = run,
};
