/* SPDX-License-Identifier: ISC */
/*
 * An attacker with every port of one address, or of a whole /24, takes the
 * ports with the ids closest to a key, makes itself known to all hosts and
 * names only itself. Checks how many of the 20 nodes that a lookup of the key
 * ends on are the attacker's, and that what honest nodes store there is still
 * found.
 */
#include <string.h>

#include "sim/actor.h"
#include "sim/scenario.h"
#include "sim/work.h"

enum { ATTACKER_IP = 0x2e010100, SPOTS = 64, PORT_FIRST = 1024 };

struct sybil {
	uint8_t key[32]; /* the target */
	struct {
		struct spot at;
		uint8_t id[ID_LEN];
	} spots[SPOTS]; /* closest first */
	uint32_t len;
	uint32_t addresses; /* 1 or 256 */
	uint32_t turn;
};

static void
consider(struct sybil *y, struct spot at)
{
	uint8_t id[ID_LEN];
	uint32_t i = y->len;

	spot_id(id, at);
	if (i == SPOTS) {
		if (id_compare(y->key, id, y->spots[i - 1].id) >= 0)
			return;
		i--;
	} else {
		y->len++;
	}
	for (; i > 0 && id_compare(y->key, id, y->spots[i - 1].id) < 0; i--)
		y->spots[i] = y->spots[i - 1];
	y->spots[i].at = at;
	memcpy(y->spots[i].id, id, ID_LEN);
}

/* Tries every port; of a /24 every seventh, which is enough. */
static void
grind(struct sybil *y)
{
	uint32_t step = y->addresses == 1 ? 1 : 7;

	for (uint32_t a = 0; a < y->addresses; a++)
		for (uint32_t p = PORT_FIRST; p < 65536; p += step)
			consider(
			    y, (struct spot){ATTACKER_IP + a, (uint16_t)p});
}

/* Answers any request with its own nodes alone. */
static void
answer(struct actor *a, struct spot from, struct spot to, const uint8_t *buf,
    size_t len)
{
	struct sybil *y = a->state;
	uint8_t closer[RPC_K * ADDR_WIRE4_LEN], token[RPC_TOKEN_LEN] = {1};
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_request m;
	struct rpc_reply re;

	if (buf[0] != RPC_REQUEST || rpc_request_decode(&m, buf, len) != 0)
		return;
	re = (struct rpc_reply){.tid = m.tid};
	if (m.target != NULL) {
		for (uint32_t i = 0; i < RPC_K && i < y->len; i++) {
			struct addr at = spot_addr(y->spots[i].at);

			wr_addr4(&w, &at);
		}
		re.closer.p = closer;
		re.closer.len = wr_len(&w);
	}
	if (!m.internal)
		re.token = token;
	actor_reply(a, to, from, true, &re);
}

/* Sends a request from each of its best ports to one more host per second. */
static void
knock(struct sim *s, void *arg)
{
	struct actor *a = arg;
	struct sybil *y = a->state;

	for (uint32_t i = 0; i < y->len; i++) {
		struct host *h = s->hosts[(y->turn + i * 37) % s->hosts_len];
		struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
		    .internal = true,
		    .command = RPC_FIND_NODE,
		    .target = y->key};

		actor_request(a, y->spots[i].at, host_spot(h), true, &m);
	}
	y->turn++;
}

static struct actor *
attack(struct sim *s, const uint8_t *key, uint32_t addresses)
{
	struct actor *a =
	    actor_new(s, ATTACKER_IP, addresses, answer, sizeof(struct sybil));
	struct sybil *y = a->state;

	memcpy(y->key, key, sizeof y->key);
	y->addresses = addresses;
	grind(y);
	sim_every(s, SECONDS(1), knock, a);
	return a;
}

struct count {
	uint32_t walks, held_max, held, nodes;
};

static void
count_held(struct sim *s, struct op *op)
{
	struct count *c = op->spec.arg;
	uint32_t held = 0;

	(void)s;
	for (uint32_t i = 0; i < op->closest_len; i++)
		held += op->closest[i].ip >> 8 == ATTACKER_IP >> 8;
	c->walks++;
	c->held += held;
	c->nodes += op->closest_len;
	if (held > c->held_max)
		c->held_max = held;
}

static void
walk(struct sim *s, const uint8_t *key, struct count *c)
{
	for (uint32_t i = 0; i < 100; i++) {
		struct op_spec spec = {
		    .kind = OP_FIND_NODE, .done = count_held, .arg = c};

		memcpy(spec.target, key, sizeof spec.target);
		op_start(sim_any(s), &spec);
		sim_run(s, SECONDS(1));
	}
	sim_quiesce(s);
}

static void
eclipse(struct sim *s, uint32_t addresses, uint32_t allowed)
{
	struct work w;
	struct tally t = {0};
	struct count c = {0};
	uint8_t key[32];

	work_topic(key, 0);
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(10));
	attack(s, key, addresses);
	sim_run(s, MINUTES(s->opt.minutes));
	/* The only topic is the attacked key. */
	work_topics(&w, s, 1);
	work_lookups(&w, &t, s->opt.amount, MINUTES(10));
	walk(s, key, &c);
	report_add(&s->report, "walks", c.walks);
	report_add(&s->report, "held_max", c.held_max);
	report_milli(&s->report, "held_mean", c.held * 1000 / c.walks);
	report_milli(&s->report, "closest_mean", c.nodes * 1000 / c.walks);
	tally_report(s, &t);
	sim_expect(s, c.held_max <= allowed,
	    "the attacker holds %u of the closest nodes", c.held_max);
	sim_expect(s, tally_success(&t) >= 99000, "%u of %u lookups fail",
	    t.asked - t.closed - t.found, t.asked);
	tally_fini(&t);
	work_fini(&w);
}

static void
run_host(struct sim *s)
{
	eclipse(s, 1, 1);
}

static void
run_prefix(struct sim *s)
{
	eclipse(s, 256, 2);
}

const struct scenario scenario_eclipse = {
    .name = "eclipse",
    .text = "every port of one address around a key: 1 of 20, 99 % found",
    .nodes = 500,
    .minutes = 20,
    .amount = 300,
    .nodes_min = 100,
    .run = run_host,
};

const struct scenario scenario_eclipse24 = {
    .name = "eclipse24",
    .text = "every port of a /24 around a key: 2 of 20, 99 % found",
    .nodes = 500,
    .minutes = 20,
    .amount = 300,
    .nodes_min = 100,
    .run = run_prefix,
};
