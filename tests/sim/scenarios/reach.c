/* SPDX-License-Identifier: ISC */
/*
 * Dials keys that listen on public hosts and behind boxes: without disturbance;
 * from all hosts at once; right after the boxes have dropped their mappings;
 * and while the nodes that forward to them crash. A key is unreachable for no
 * longer than its owner needs to detect the change.
 */
#include "sim/calls.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum {
	LISTENERS = 12, /* every third on a public host */
	AWAY_MAX_MS = 15000,
	PACE_MS = 3000,
	KILLED = 2, /* of the nodes closest to a key */
};

struct reach {
	struct host *callee[LISTENERS];
	struct samples ms;
	uint32_t asked, opened;
	/* After a change: when each first succeeded again, or 0. */
	uint64_t since_us, back_us[LISTENERS];
};

static void
on_called(struct sim *s, struct call *c)
{
	struct reach *r = c->spec.arg;

	(void)s;
	r->opened += c->open;
	if (c->open)
		samples_add(
		    &r->ms, (uint32_t)((c->opened_us - c->started_us) / 1000));
}

static void
dial(struct sim *s, struct reach *r, struct host *from, uint32_t i)
{
	struct call_spec spec = {
	    .to = r->callee[i], .done = on_called, .arg = r};

	r->asked++;
	if (call_start(from, &spec) != 0)
		sim_fail(s, "a call does not start");
}

static void
start(struct sim *s, struct reach *r)
{
	struct nat_config c = {.mapping = NAT_ENDPOINT_INDEPENDENT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_RANDOM,
	    .timeout_s = 30};

	for (uint32_t i = 0; i < LISTENERS; i++) {
		struct nat *box = i % 3 == 0 ? NULL : sim_nat(s, &c, NULL);

		r->callee[i] = sim_join(s, DHT_AUTO, box);
		sim_run(s, SECONDS(3));
		call_listen(r->callee[i]);
	}
	sim_run(s, SECONDS(30));
}

static void
report_calls(
    struct sim *s, struct reach *r, const char *median, const char *worst)
{
	report_add(&s->report, median, samples_at(&r->ms, 500));
	report_add(&s->report, worst, samples_at(&r->ms, 1000));
	samples_fini(&r->ms);
	r->ms = (struct samples){0};
}

/* Pitfall A10: mappings expire after 30 s of silence, and none is ever idle. */
static void
in_peace(struct sim *s, struct reach *r)
{
	uint32_t rounds = s->opt.minutes * 60000 / PACE_MS / LISTENERS;

	for (uint32_t n = 0; n < rounds; n++)
		for (uint32_t i = 0; i < LISTENERS; i++) {
			dial(s, r, call_caller(s), i);
			sim_run(s, MILLISECONDS(PACE_MS));
		}
	sim_run(s, SECONDS(35));
	report_calls(s, r, "open_ms_median", "open_ms_worst");
}

static void
all_at_once(struct sim *s, struct reach *r)
{
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (s->hosts[i]->nat == NULL &&
		    s->hosts[i]->role == DHT_PERSISTENT)
			dial(s, r, s->hosts[i], 0);
	sim_run(s, SECONDS(35));
	report_calls(s, r, "crowd_ms_median", "crowd_ms_worst");
}

static void
call_back(struct sim *s, struct reach *r, uint32_t i)
{
	struct call_spec spec = {
	    .to = r->callee[i], .done = call_first_open, .arg = &r->back_us[i]};

	(void)call_start(call_caller(s), &spec);
}

/* Calls each one every second until it is reachable again. */
static void
boxes_forget(struct sim *s, struct reach *r)
{
	uint32_t away, worst = 0;

	for (uint32_t i = 0; i < s->nats_len; i++)
		nat_flush(s->nats[i]);
	r->since_us = s->now_us;
	for (uint32_t n = 0; n < AWAY_MAX_MS / 1000; n++) {
		for (uint32_t i = 0; i < LISTENERS; i++)
			if (r->back_us[i] == 0)
				call_back(s, r, i);
		sim_run(s, SECONDS(1));
	}
	for (uint32_t i = 0; i < LISTENERS; i++) {
		away = (uint32_t)((r->back_us[i] - r->since_us) / 1000);
		sim_expect(s, r->back_us[i] != 0,
		    "key %u is unreachable after %u ms", i, AWAY_MAX_MS);
		if (r->back_us[i] != 0 && away > worst)
			worst = away;
	}
	report_add(&s->report, "away_ms_worst", worst);
	sim_run(s, SECONDS(35));
}

static void
forwarders_die(struct sim *s, struct reach *r)
{
	struct spot near[RPC_K];
	uint8_t target[HASH_LEN];

	for (uint32_t i = 0; i < LISTENERS; i++) {
		key_target(target, r->callee[i]->identity.public_key);
		work_nearest(s, target, near);
		dial(s, r, call_caller(s), i);
		sim_run(s, MILLISECONDS(60));
		for (uint32_t n = 0; n < KILLED; n++) {
			struct endpoint *e = net_owner(&s->net, near[n].ip);

			if (e->kind == ENDPOINT_HOST &&
			    s->hosts[e->index]->calls == NULL &&
			    s->hosts[e->index]->role == DHT_PERSISTENT)
				host_crash(s->hosts[e->index]);
		}
		sim_run(s, SECONDS(20));
	}
	sim_run(s, SECONDS(35));
	report_calls(s, r, "dying_ms_median", "dying_ms_worst");
}

static void
run(struct sim *s)
{
	struct reach r = {.asked = 0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	start(s, &r);
	in_peace(s, &r);
	all_at_once(s, &r);
	boxes_forget(s, &r);
	forwarders_die(s, &r);
	sim_quiesce(s);
	report_add(&s->report, "calls", r.asked);
	report_add(&s->report, "calls_opened", r.opened);
	sim_expect(s, r.opened * 100ull >= r.asked * 99ull,
	    "%u of %u calls fail", r.asked - r.opened, r.asked);
}

const struct scenario scenario_reach = {
    .name = "reach",
    .text = "calls while boxes restart and forwarding nodes crash",
    .nodes = 100,
    .minutes = 15,
    .nodes_min = 40,
    .bound = {160, 20},
    .run = run,
};
