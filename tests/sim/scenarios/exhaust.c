/* SPDX-License-Identifier: ISC */
/*
 * A /24 and any number of forged sources fill what a node stores for others:
 * delayed pings, handshakes, candidates, values. Nothing grows above its limit,
 * and values that honest nodes put are found.
 */
#include <string.h>

#include "records/record.h"
#include "signal/signal_message.h"
#include "sim/actor.h"
#include "sim/scenario.h"

enum { CROWD_IP = 0x2e070100, FORGED_IP = 0x31000000, STEP_MS = 10, KINDS = 4 };

struct crowd {
	uint8_t tokens[256][RPC_TOKEN_LEN]; /* of one host each, by address */
	struct spot token_of[256];
	uint32_t turn;
	uint32_t found, gets;
};

static void
take_token(struct actor *a, struct spot from, struct spot to,
    const uint8_t *buf, size_t len)
{
	struct crowd *c = a->state;
	struct rpc_reply m;

	if (buf[0] != RPC_REPLY || rpc_reply_decode(&m, buf, len) != 0 ||
	    m.token == NULL)
		return;
	memcpy(c->tokens[to.ip & 255], m.token, RPC_TOKEN_LEN);
	c->token_of[to.ip & 255] = from;
}

static struct spot
one_of_crowd(struct actor *a)
{
	return (struct spot){CROWD_IP + prng_below(&a->rand, 256),
	    (uint16_t)(1024 + prng_below(&a->rand, 60000))};
}

static struct spot
forged(struct actor *a)
{
	return (struct spot){FORGED_IP + prng_below(&a->rand, 1 << 24),
	    (uint16_t)(1024 + prng_below(&a->rand, 60000))};
}

/* Puts a random value, with the token that its sender obtained, if it did. */
static void
put(struct actor *a, struct spot to, struct rpc_request *m)
{
	struct crowd *c = a->state;
	struct spot from = one_of_crowd(a);
	uint8_t value[400], target[HASH_LEN];

	prng_fill(&a->rand, value, sizeof value);
	hash_blake2b(target, value, sizeof value);
	m->target = target;
	m->command = CMD_IMMUTABLE_GET;
	if (spot_equal(c->token_of[from.ip & 255], to)) {
		m->command = CMD_IMMUTABLE_PUT;
		m->token = c->tokens[from.ip & 255];
		m->value = (struct bytes){.p = value, .len = sizeof value};
	}
	actor_request(a, from, to, false, m);
}

static void
shake(struct actor *a, struct spot to, struct rpc_request *m)
{
	uint8_t buf[DGRAM_MAX], noise[300] = {1}, target[HASH_LEN];
	struct handshake hs = {.mode = MODE_FROM_CLIENT,
	    .noise = {.p = noise, .len = sizeof noise}};

	prng_fill(&a->rand, target, sizeof target);
	m->target = target;
	m->command = CMD_PEER_HANDSHAKE;
	m->value.p = buf;
	m->value.len = handshake_encode(&hs, buf, sizeof buf);
	actor_request(a, forged(a), to, false, m);
}

static void
trouble(struct actor *a, struct host *h)
{
	struct crowd *c = a->state;
	uint8_t delay[4] = {0x10, 0x27}; /* 10 s */
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand)};
	struct spot to = host_spot(h);

	switch (c->turn++ % KINDS) {
	case 0:
		put(a, to, &m);
		break;
	case 1:
		shake(a, to, &m);
		break;
	case 2:
		m.internal = true;
		m.command = RPC_DELAYED_PING;
		m.value = (struct bytes){.p = delay, .len = sizeof delay};
		actor_request(a, c->turn % 8 < 4 ? forged(a) : one_of_crowd(a),
		    to, false, &m);
		break;
	default:
		m.internal = true;
		actor_request(a, forged(a), to, true, &m);
	}
}

static void
flood(struct sim *s, void *arg)
{
	for (uint32_t i = 0; i < s->hosts_len; i++)
		for (uint32_t k = 0; k < s->opt.amount; k++)
			trouble(arg, s->hosts[i]);
}

static void
got(struct sim *s, struct op *op)
{
	struct crowd *c = op->spec.arg;

	(void)s;
	c->gets++;
	c->found += op->found;
}

/* Puts a value, and reads it from another host a little later. */
static void
put_and_get(struct sim *s, struct crowd *c, uint32_t number)
{
	static const char text[] = "what honest nodes have to say, number ";
	uint8_t value[sizeof text + 4];
	struct op_spec spec = {.kind = OP_PUT_IMMUTABLE,
	    .value = value,
	    .value_len = sizeof value};

	memcpy(value, text, sizeof text);
	for (int i = 0; i < 4; i++)
		value[sizeof text + i] = (uint8_t)(number >> 8 * i);
	op_start(sim_any(s), &spec);
	sim_run(s, SECONDS(5));
	spec.kind = OP_GET_IMMUTABLE;
	spec.done = got;
	spec.arg = c;
	hash_blake2b(spec.target, value, sizeof value);
	op_start(sim_any(s), &spec);
	sim_run(s, SECONDS(5));
	sim_quiesce(s);
}

static uint64_t
sum_refused(struct sim *s)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < s->hosts_len; i++) {
		const struct stats *st = node_stats(s->hosts[i]->node);

		sum += st->delayed_refused + st->candidates_refused;
	}
	return sum;
}

static void
run(struct sim *s)
{
	struct actor *a;
	struct crowd *c;
	uint32_t flooding;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(2));
	a = actor_new(s, CROWD_IP, 256, take_token, sizeof *c);
	c = a->state;
	flooding = sim_every(s, MILLISECONDS(STEP_MS), flood, a);
	for (uint32_t i = 0; i < s->opt.minutes * 6; i++)
		put_and_get(s, c, i);
	sim_stop(s, flooding);
	sim_quiesce(s);
	report_add(&s->report, "gets", c->gets);
	report_add(&s->report, "gets_found", c->found);
	report_add(&s->report, "refused", sum_refused(s));
	sim_expect(s, sum_refused(s) > 0, "no limit was reached");
	sim_expect(s, c->found == c->gets && c->gets > 0,
	    "%u of %u values were not found", c->gets - c->found, c->gets);
}

const struct scenario scenario_exhaust = {
    .name = "exhaust",
    .text = "a /24 and forged sources fill all state: limits hold, values live",
    .nodes = 30,
    .minutes = 2,
    .amount = 1,
    .nodes_min = 25,
    .run = run,
};
