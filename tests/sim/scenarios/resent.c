/* SPDX-License-Identifier: ISC */
/*
 * An attacker sends every signalling datagram again, at once, after seconds and
 * after minutes, from the address of its sender. No call gets a second session,
 * none is disturbed, and no state remains.
 */
#include "records/record.h"
#include "sim/actor.h"
#include "sim/dials.h"
#include "world/mem.h"
#include "sim/scenario.h"

enum { REPEATER_IP = 0x2e080101 };

struct repeater {
	struct actor *actor;
	uint64_t repeated;
};

struct copy {
	struct repeater *repeater;
	struct spot from, to;
	size_t len;
	uint8_t bytes[DGRAM_MAX];
};

static void
repeat(struct sim *s, void *arg)
{
	struct copy *c = arg;

	(void)s;
	c->repeater->repeated++;
	actor_send(c->repeater->actor, c->from, c->to, c->bytes, c->len);
	free(c);
}

static bool
is_signalling(const struct net_packet *p)
{
	struct rpc_request m;

	return p->bytes[0] == RPC_REQUEST &&
	       rpc_request_decode(&m, p->bytes, p->len) == 0 && !m.internal &&
	       (m.command == CMD_PEER_HANDSHAKE ||
		   m.command == CMD_PEER_HOLEPUNCH);
}

static void
keep(struct sim *s, const struct net_packet *p)
{
	static const uint32_t up_to_ms[] = {20, 3000, 90000};
	struct repeater *r = s->tap_state;

	if (p->src == &r->actor->ep || !is_signalling(p))
		return;
	for (int i = 0; i < 3; i++) {
		struct copy *c = mem_new(1, sizeof *c);

		*c = (struct copy){r, p->from, p->to, p->len, {0}};
		memcpy(c->bytes, p->bytes, p->len);
		sim_at(s, MILLISECONDS(prng_below(&s->rand, up_to_ms[i])),
		    repeat, c);
	}
}

static void
run(struct sim *s)
{
	struct repeater *r;
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, s->opt.nodes / 5);
	r = actor_new(s, REPEATER_IP, 1, NULL, sizeof *r)->state;
	r->actor = s->actors[s->actors_len - 1];
	s->tap = keep;
	s->tap_state = r;
	dials_calls(&d, s->opt.amount, 1000, MINUTES(s->opt.minutes));
	s->tap = NULL; /* the last copies arrive 90 s later */
	dials_expect_none_left(s, MINUTES(3));
	dials_report(&d);
	report_add(&s->report, "repeated", r->repeated);
	sim_expect(
	    s, r->repeated > 3ull * d.asked, "few datagrams were repeated");
	sim_expect(s, s->calls.sessions == d.answered,
	    "%llu sessions for %u calls", (unsigned long long)s->calls.sessions,
	    d.answered);
	dials_expect(&d, 1000);
	dials_fini(&d);
}

const struct scenario scenario_resent = {
    .name = "resent",
    .text = "all signalling is sent again: one session for each call",
    .nodes = 60,
    .minutes = 5,
    .amount = 300,
    .nodes_min = 30,
    .bound = {200, 12},
    .run = run,
};
