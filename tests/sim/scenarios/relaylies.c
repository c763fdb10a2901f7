/* SPDX-License-Identifier: ISC */
/*
 * One node of five forwards handshakes, but changes what it forwards: made-up
 * Noise messages, damaged ones, addresses of somebody else. Nobody is
 * connected to whom he did not call, and nearly all calls are answered.
 */
#include <string.h>

#include "records/record.h"
#include "signal/message.h"
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

/* Writes the damaged message to out; the length, or 0. */
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

static size_t
lie(struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	uint8_t value[DGRAM_MAX], out[DGRAM_MAX];
	struct rpc_request rq;
	struct rpc_reply re;
	size_t n = 0;

	(void)h;
	(void)to;
	if (buf[0] == RPC_REQUEST && rpc_request_decode(&rq, buf, len) == 0 &&
	    !rq.internal && rq.command == CMD_PEER_HANDSHAKE &&
	    (n = twist(s, rq.value, value)) > 0) {
		rq.value = (struct bytes){value, n};
		n = rpc_request_encode(&rq, out, sizeof out);
	} else if (buf[0] == RPC_REPLY &&
		   rpc_reply_decode(&re, buf, len) == 0 &&
		   (n = twist(s, re.value, value)) > 0) {
		re.value = (struct bytes){value, n};
		n = rpc_reply_encode(&re, out, sizeof out);
	}
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
	sim_expect(s, lies > 0, "nobody lied");
	dials_report(&d);
	dials_expect(&d, 950);
	dials_fini(&d);
}

const struct scenario scenario_relaylies = {
    .name = "relaylies",
    .text = "a fifth changes what it forwards: no wrong peer, 95 % answered",
    .nodes = 100,
    .minutes = 10,
    .amount = 500,
    .nodes_min = 50,
    .run = run,
};
