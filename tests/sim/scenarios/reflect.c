/* SPDX-License-Identifier: ISC */
/*
 * A spoofer makes every node answer, and forward, to a victim that never sent a
 * request, with the requests that draw the largest replies, at `amount`
 * requests a second to each node. The victim may receive a burst of 40 kB and 4
 * kB/s from each node, which check.h enforces; honest peers lose nothing
 * meanwhile.
 */
#include <string.h>

#include "records/record.h"
#include "signal/signal_message.h"
#include "sim/client.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum {
	VICTIM_IP = 0x2e020101,
	SPOOFER_IP = 0x2e030101,
	CLIENT_IP = 0x2e040101,
	STEP_MS = 10,
	KINDS = 7,
};

struct reflection {
	struct actor *spoofer, *client;
	struct work work;
	uint32_t turn;
	uint64_t offered;
};

/* Builds a handshake that is to be forwarded to the victim. */
static void
ask_forward(struct actor *a, struct spot to, struct rpc_request *m)
{
	uint8_t buf[DGRAM_MAX], noise[900] = {1};
	struct handshake hs = {
	    .mode = MODE_FROM_CLIENT,
	    .noise = {.p = noise, .len = sizeof noise},
	    .relay = spot_addr((struct spot){VICTIM_IP, HOST_PORT}),
	};
	struct spot from = {
	    SPOOFER_IP, (uint16_t)(1024 + prng_below(&a->rand, 60000))};

	m->command = CMD_PEER_HANDSHAKE;
	m->value.p = buf;
	m->value.len = handshake_encode(&hs, buf, sizeof buf);
	actor_request(a, from, to, false, m);
}

/* Sends one request that seems to come from some port of the victim. */
static void
spoof(struct reflection *r, struct host *h)
{
	struct actor *a = r->spoofer;
	uint8_t target[RPC_TARGET_LEN], stale[RPC_TOKEN_LEN] = {9};
	uint8_t number[4] = {1, 1, 0, 0};
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand)};
	struct spot from = {
	    VICTIM_IP, (uint16_t)(1024 + prng_below(&a->rand, 60000))};
	uint32_t kind = r->turn++ % KINDS;

	memcpy(target, r->work.topics[0].topic, sizeof target);
	r->offered++;
	if (kind != 3)
		m.target = target;
	if (kind == 6) {
		ask_forward(a, host_spot(h), &m);
		return;
	}
	m.internal = kind >= 1 && kind <= 4;
	m.command = kind == 1   ? RPC_FIND_NODE
		    : kind == 2 ? RPC_PING
		    : kind == 3 ? RPC_PING_NAT
		    : kind == 4 ? RPC_DELAYED_PING
				: CMD_LOOKUP;
	if (kind == 3 || kind == 4)
		m.value = (struct bytes){.p = number, .len = sizeof number};
	if (kind == 5)
		m.token = stale;
	actor_request(a, from, host_spot(h), kind == 2, &m);
}

static void
flood(struct sim *s, void *arg)
{
	struct reflection *r = arg;
	uint32_t n = s->opt.amount * STEP_MS / 1000;

	for (uint32_t i = 0; i < s->hosts_len; i++)
		for (uint32_t k = 0; k < (n > 0 ? n : 1); k++)
			spoof(r, s->hosts[i]);
}

/*
 * Sixty peers behind one address send as many requests as bootstrapping does.
 */
static void
peers_ask(struct sim *s, void *arg)
{
	struct reflection *r = arg;

	for (uint16_t i = 0; i < 4; i++)
		client_ask(r->client,
		    (uint16_t)(3000 + prng_below(&r->client->rand, 60)),
		    host_spot(
			s->hosts[prng_below(&r->client->rand, s->hosts_len)]),
		    i % 2 == 0);
}

static void
run(struct sim *s)
{
	struct reflection r = {0};
	struct actor *victim;
	struct tally t = {0};
	uint32_t flooding, asking;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(2));
	work_topics(&r.work, s, 1);
	victim = actor_new(s, VICTIM_IP, 1, NULL, 0);
	victim->ep.watched = true;
	r.spoofer = actor_new(s, SPOOFER_IP, 1, NULL, 0);
	r.client = client_new(s, CLIENT_IP);
	flooding = sim_every(s, MILLISECONDS(STEP_MS), flood, &r);
	asking = sim_every(s, MILLISECONDS(100), peers_ask, &r);
	work_lookups(&r.work, &t, 60, MINUTES(s->opt.minutes));
	sim_stop(s, asking);
	sim_run(s, SECONDS(5));
	sim_stop(s, flooding);
	sim_run(s, SECONDS(15));
	report_add(&s->report, "offered", r.offered);
	report_add(&s->report, "victim_bytes", victim->got_bytes);
	report_add(&s->report, "peers_asked",
	    ((struct client *)r.client->state)->asked);
	report_add(&s->report, "peers_lost", client_lost(r.client));
	report_add(&s->report, "level_max", s->check.debt_level_max);
	tally_report(s, &t);
	sim_expect(s, client_lost(r.client) == 0,
	    "honest peers lost %llu requests",
	    (unsigned long long)client_lost(r.client));
	sim_expect(s, t.found == t.asked, "%u of %u lookups fail",
	    t.asked - t.found, t.asked);
	sim_expect(
	    s, s->check.debt_bytes_max > 0, "the victim received nothing");
	tally_fini(&t);
	work_fini(&r.work);
}

const struct scenario scenario_reflect = {
    .name = "reflect",
    .text = "spoofed requests: 40 kB, then 4 kB/s; honest peers lose nothing",
    .nodes = 30,
    .minutes = 2,
    .amount = 400,
    .nodes_min = 10,
    .run = run,
};
