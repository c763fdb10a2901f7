/* SPDX-License-Identifier: ISC */
/*
 * Crashes a node that forwards to a listener at the moment at which it has
 * forwarded a handshake, so that the answer cannot return through it; for every
 * other call the next one crashes, too. The call succeeds nevertheless, and the
 * listener finds other nodes that forward to it.
 */
#include "records/record.h"
#include "signal/signal_message.h"
#include "sim/dials.h"
#include "sim/scenario.h"

struct killer {
	uint32_t left; /* to be killed in this call */
	uint32_t killed;
};

static bool
is_forwarded_handshake(const struct net_packet *p)
{
	struct rpc_request m;
	struct handshake hs;

	return p->bytes[0] == RPC_REQUEST &&
	       rpc_request_decode(&m, p->bytes, p->len) == 0 && !m.internal &&
	       m.command == CMD_PEER_HANDSHAKE &&
	       handshake_decode(&hs, m.value.p, m.value.len) == 0 &&
	       hs.mode == MODE_FROM_RELAY;
}

static void
crash(struct sim *s, void *arg)
{
	(void)s;
	host_crash(arg);
}

static void
kill_relay(struct sim *s, const struct net_packet *p)
{
	struct killer *k = s->tap_state;
	struct host *relay;

	if (k->left == 0 || p->src->kind != ENDPOINT_HOST ||
	    p->src->index < SIM_BOOTSTRAPS || !is_forwarded_handshake(p))
		return;
	relay = container_of(p->src, struct host, ep);
	/* The caller or the callee may forward as well: neither is stopped. */
	if (relay->state != HOST_UP || relay->calls != NULL ||
	    relay->relays > 0)
		return;
	k->left--;
	k->killed++;
	sim_at(s, 0, crash, relay);
}

static void
run(struct sim *s)
{
	struct killer k = {0};
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 3);
	s->tap = kill_relay;
	s->tap_state = &k;
	for (uint32_t i = 0; i < s->opt.amount; i++) {
		struct host *from = sim_any(s);
		uint32_t before = k.killed;

		k.left = 1 + i % 2;
		dials_call(&d, from, dials_any(&d, from), 1000);
		sim_quiesce(s);
		k.left = 0;
		while (before++ < k.killed)
			sim_join(s, DHT_PERSISTENT, NULL);
		sim_run(s, MINUTES(1));
		dials_wait(&d, SECONDS(30));
	}
	s->tap = NULL;
	dials_report(&d);
	report_add(&s->report, "killed", k.killed);
	sim_expect(
	    s, k.killed * 3 >= s->opt.amount, "only %u were killed", k.killed);
	dials_expect(&d, 1000);
	dials_fini(&d);
}

const struct scenario scenario_relaydies = {
    .name = "relaydies",
    .text = "nodes crash as they forward a handshake: calls are answered",
    .nodes = 60,
    .minutes = 0,
    .amount = 40,
    .nodes_min = 30,
    .run = run,
};
