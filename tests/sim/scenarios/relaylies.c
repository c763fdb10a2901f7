/* SPDX-License-Identifier: ISC */
/*
 * One node of five modifies the handshakes that it forwards: forged Noise
 * messages, damaged ones, addresses of other hosts. No host connects to a host
 * that it did not call, and nearly all calls are answered.
 */
#include <string.h>

#include "records/record.h"
#include "signal/signal_message.h"
#include "sim/actor.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum { ELSEWHERE_IP = 0x2e090000 };

static struct addr
elsewhere(struct sim *s)
{
	return spot_addr((struct spot){ELSEWHERE_IP + prng_below(&s->rand, 256),
	    (uint16_t)(1024 + prng_below(&s->rand, 60000))});
}

/* Writes the damaged message to out. Returns its length, or 0. */
static size_t
twist(struct sim *s, struct bytes value, uint8_t *out)
{
	uint8_t noise[DGRAM_MAX];
	struct handshake hs;

	if (handshake_decode(&hs, value.p, value.len) != 0 ||
	    hs.noise.len == 0 || hs.noise.len > sizeof noise)
		return 0;
	memcpy(noise, hs.noise.p, hs.noise.len);
	hs.noise.p = noise;
	switch (prng_below(&s->rand, 3)) {
	case 0:
		prng_fill(&s->rand, noise, hs.noise.len);
		break;
	case 1:
		noise[prng_below(&s->rand, (uint32_t)hs.noise.len)] ^= 1;
		break;
	default:
		if (hs.peer.family != ADDR_NONE)
			hs.peer = elsewhere(s);
	}
	return handshake_encode(&hs, out, DGRAM_MAX);
}

/* Modifies the client's message to the server. */
static size_t
lie_on(struct sim *s, const uint8_t *buf, size_t len, uint8_t *out)
{
	uint8_t value[DGRAM_MAX];
	struct rpc_request m;
	size_t n;

	if (buf[0] != RPC_REQUEST || rpc_request_decode(&m, buf, len) != 0 ||
	    m.internal || m.command != CMD_PEER_HANDSHAKE ||
	    (n = twist(s, m.value, value)) == 0)
		return 0;
	m.value = (struct bytes){value, n};
	return rpc_request_encode(&m, out, DGRAM_MAX);
}

/* Modifies the server's answer to the client. */
static size_t
lie_back(struct sim *s, const uint8_t *buf, size_t len, uint8_t *out)
{
	uint8_t value[DGRAM_MAX];
	struct rpc_reply m;
	size_t n;

	if (buf[0] != RPC_REPLY || rpc_reply_decode(&m, buf, len) != 0 ||
	    (n = twist(s, m.value, value)) == 0)
		return 0;
	m.value = (struct bytes){value, n};
	return rpc_reply_encode(&m, out, DGRAM_MAX);
}

/* A node that modifies messages to servers would get no answers to modify. */
static size_t
lie(struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	uint8_t out[DGRAM_MAX];
	size_t n = h->ep.index % 2 == 0 ? lie_on(s, buf, len, out)
					: lie_back(s, buf, len, out);

	(void)to;
	if (n == 0)
		return len;
	memcpy(buf, out, n);
	*(uint64_t *)s->tap_state += 1;
	return n;
}

static void
run(struct sim *s)
{
	uint64_t lies = 0;
	struct dials d;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	actor_new(s, ELSEWHERE_IP, 256, NULL, 0)->ep.watched = true;
	dials_init(&d, s, s->opt.nodes / 5);
	s->tap_state = &lies;
	for (uint32_t i = SIM_BOOTSTRAPS; i < s->hosts_len; i++)
		if (i % 5 == 0 && s->hosts[i]->relays == 0)
			s->hosts[i]->mangle = lie;
	dials_calls(&d, s->opt.amount, 1000, MINUTES(s->opt.minutes));
	report_add(&s->report, "lies", lies);
	sim_expect(s, lies > 0, "no message was modified");
	dials_report(&d);
	dials_expect(&d, 990);
	dials_expect_once(&d);
	dials_fini(&d);
}

const struct scenario scenario_relaylies = {
    .name = "relaylies",
    .text = "a fifth modifies handshakes: no wrong peer, 99 % answered",
    .nodes = 100,
    .minutes = 10,
    .amount = 500,
    .nodes_min = 50,
    .run = run,
};
