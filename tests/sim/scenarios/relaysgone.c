/* SPDX-License-Identifier: ISC */
/*
 * Crashes all nodes that forward to a key in the same moment: none is left that
 * could answer a call or tell the listener. The listener notices it, finds
 * others and is reached again within a bounded time, on a public host and
 * behind a box.
 */
#include "node/node_struct.h"
#include "sim/calls.h"
#include "sim/scenario.h"

enum {
	LISTENERS = 6, /* every third on a public host */
	AWAY_MAX_S = 15,
};

struct gone {
	struct host *callee[LISTENERS];
	uint32_t killed, worst_ms;
};

static void
start_listeners(struct sim *s, struct gone *g)
{
	struct nat_config c = {.mapping = NAT_ENDPOINT_INDEPENDENT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_RANDOM,
	    .timeout_s = 30};

	for (uint32_t i = 0; i < LISTENERS; i++) {
		struct nat *box = i % 3 == 0 ? NULL : sim_nat(s, &c, NULL);

		g->callee[i] = sim_join(s, DHT_AUTO, box);
		sim_run(s, SECONDS(3));
		call_listen(g->callee[i]);
	}
	sim_run(s, SECONDS(30));
}

/* Returns whether the host has a record by which it forwards to the key. */
static bool
forwards_to(const struct host *h, const uint8_t *target)
{
	struct addr to;

	return h->state == HOST_UP && h->role == DHT_PERSISTENT &&
	       records_forward_for(h->node->records, target, &to);
}

static uint32_t
crash_relays(struct sim *s, const struct host *callee)
{
	uint8_t target[HASH_LEN];
	uint32_t n = 0;

	key_target(target, callee->identity.public_key);
	for (uint32_t i = 0; i < s->hosts_len; i++) {
		if (!forwards_to(s->hosts[i], target))
			continue;
		host_crash(s->hosts[i]);
		n++;
	}
	return n;
}

/* Calls each second until a call opens. Returns the milliseconds until then. */
static uint32_t
time_until_reached(struct sim *s, const struct host *callee)
{
	uint64_t since_us = s->now_us, back_us = 0;
	struct call_spec spec = {
	    .to = callee, .done = call_first_open, .arg = &back_us};

	for (int n = 0; n < AWAY_MAX_S && back_us == 0; n++) {
		(void)call_start(call_caller(s), &spec);
		sim_run(s, SECONDS(1));
	}
	sim_quiesce(s);
	return back_us == 0 ? UINT32_MAX
			    : (uint32_t)((back_us - since_us) / 1000);
}

static void
lose_relays(struct sim *s, struct gone *g, const struct host *callee)
{
	uint32_t killed = crash_relays(s, callee), ms;

	sim_expect(s, killed > 0, "no node forwards to a listener");
	ms = time_until_reached(s, callee);
	sim_expect(s, ms <= AWAY_MAX_S * 1000,
	    "a key is not reached for %d s after its relays are gone",
	    AWAY_MAX_S);
	g->killed += killed;
	if (ms > g->worst_ms)
		g->worst_ms = ms;
	while (killed-- > 0)
		sim_join(s, DHT_PERSISTENT, NULL);
	sim_run(s, MINUTES(1));
}

static void
run(struct sim *s)
{
	struct gone g = {.killed = 0};

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	start_listeners(s, &g);
	for (uint32_t i = 0; i < s->opt.amount; i++)
		lose_relays(s, &g, g.callee[i % LISTENERS]);
	report_add(&s->report, "killed", g.killed);
	report_add(&s->report, "away_ms_worst", g.worst_ms);
}

const struct scenario scenario_relaysgone = {
    .name = "relaysgone",
    .text = "all nodes that forward to a key die at once: it is reached again",
    .nodes = 80,
    .minutes = 0,
    .amount = 24,
    .nodes_min = 40,
    .run = run,
};
