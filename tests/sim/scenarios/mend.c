/* SPDX-License-Identifier: ISC */
/*
 * Streams stay open between hosts behind boxes while boxes restart, one or
 * both, and drop their mappings and permissions: data sent afterwards arrives
 * within 15 seconds. Where an end has slept so long that the other has timed
 * out, the stream ends with a reason.
 */
#include "base/err.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum { BACK_SECONDS = 15, STREAMS = 3, BYTES = 30000, LATE = 10000 };

enum kind { CONE, RESTRICTED, PORT_RESTRICTED, SYMMETRIC, KINDS };

enum { CALLER_STARTS = 1, CALLEE_STARTS = 2, WHO = 4 };

struct mend {
	struct host *caller, *callee;
	uint64_t broken_us;
	uint32_t over, failed;
	struct samples back_ms;
};

static struct nat_config
box_config(enum kind k)
{
	struct nat_config c = {
	    .ports = NAT_RANDOM, .timeout_s = 60, .refresh_inbound = true};

	if (k == SYMMETRIC)
		c.mapping = NAT_ADDRESS_AND_PORT;
	c.filtering = k == CONE         ? NAT_ENDPOINT_INDEPENDENT
		      : k == RESTRICTED ? NAT_ADDRESS
					: NAT_ADDRESS_AND_PORT;
	return c;
}

static void
on_over(struct sim *s, struct call *c)
{
	struct mend *m = c->spec.arg;

	m->over++;
	m->failed += c->err != 0;
	if (c->err == 0)
		samples_add(
		    &m->back_ms, (uint32_t)((s->now_us - m->broken_us) / 1000));
}

static void
talk(struct sim *s, struct mend *m, uint64_t hold_us)
{
	struct call_spec spec = {.to = m->callee,
	    .bytes = BYTES,
	    .late = LATE,
	    .hold_us = hold_us,
	    .done = on_over,
	    .arg = m};

	m->over = m->failed = 0;
	for (int i = 0; i < STREAMS; i++)
		if (call_start(m->caller, &spec) != 0)
			sim_fail(s, "a call does not start");
}

static void
restart(struct nat *box)
{
	nat_flush(box);
	box->next_port = (uint16_t)(box->next_port + 1000);
}

static void
boxes_start(struct sim *s, struct mend *m, unsigned who, const char *kinds)
{
	/*
	 * Waits longer than a stream needs, also behind a box that draws ports.
	 */
	talk(s, m, SECONDS(40));
	sim_run(s, SECONDS(39));
	if (who & CALLER_STARTS)
		restart(m->caller->nat);
	if (who & CALLEE_STARTS)
		restart(m->callee->nat);
	m->broken_us = s->now_us;
	sim_run(s, SECONDS(BACK_SECONDS + 1));
	sim_expect(s, m->over == STREAMS && m->failed == 0,
	    "%s, box %u restarted: %u of %d streams over, %u failed", kinds,
	    who, m->over, STREAMS, m->failed);
	sim_quiesce(s);
}

static void
long_sleep(struct sim *s, struct mend *m, struct host *h, const char *kinds)
{
	talk(s, m, SECONDS(60));
	sim_run(s, SECONDS(30));
	host_sleep(h);
	sim_run(s, MINUTES(s->opt.minutes));
	host_wake(h);
	sim_run(s, SECONDS(BACK_SECONDS));
	sim_expect(s, m->over == STREAMS,
	    "%s: %u of %d streams over after a long sleep", kinds, m->over,
	    STREAMS);
	sim_quiesce(s);
}

static void
run_pair(struct sim *s, struct mend *m, enum kind a, enum kind b)
{
	static const char *const names[KINDS] = {
	    "cone", "restricted", "port-restricted", "symmetric"};
	struct nat_config ca = box_config(a), cb = box_config(b);
	char kinds[64];

	snprintf(kinds, sizeof kinds, "%s to %s", names[a], names[b]);
	m->caller = sim_join(s, DHT_AUTO, sim_nat(s, &ca, NULL));
	m->callee = sim_join(s, DHT_AUTO, sim_nat(s, &cb, NULL));
	sim_run(s, SECONDS(5));
	call_listen(m->callee);
	sim_run(s, SECONDS(20));
	for (unsigned who = 1; who < WHO; who++)
		boxes_start(s, m, who, kinds);
	long_sleep(s, m, m->caller, kinds);
	long_sleep(s, m, m->callee, kinds);
	host_crash(m->caller);
	host_crash(m->callee);
}

/* Depends on luck, or is impossible: nothing is required. */
static bool
is_luck(enum kind a, enum kind b)
{
	return (a == SYMMETRIC && b >= PORT_RESTRICTED) ||
	       (b == SYMMETRIC && a >= PORT_RESTRICTED);
}

static void
run(struct sim *s)
{
	struct mend m = {0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	for (int a = 0; a < KINDS; a++)
		for (int b = 0; b < KINDS; b++)
			if (!is_luck((enum kind)a, (enum kind)b))
				run_pair(s, &m, (enum kind)a, (enum kind)b);
	report_add(&s->report, "back_ms_median", samples_at(&m.back_ms, 500));
	report_add(&s->report, "back_ms_max", samples_at(&m.back_ms, 1000));
	samples_fini(&m.back_ms);
}

const struct scenario scenario_mend = {
    .name = "mend",
    .text = "boxes restart: open streams continue within 15 s",
    .nodes = 40,
    .minutes = 480,
    .nodes_min = 30,
    .bound = {2400, 240},
    .run = run,
};
