/* SPDX-License-Identifier: ISC */
/*
 * Four hundred identities send to every node, unsolicited and with a valid id,
 * and never answer: no table may contain one of them. They send from one
 * address and from forged ones, requests and unsolicited replies. An insider,
 * which does answer, has them reply in its place to each request.
 */
#include "sim/actor.h"
#include "sim/scenario.h"

enum {
	OWN_IP = 0x2e010101,
	FORGED_IP = 0x2f000001,
	INSIDER_IP = 0x30010101,
	IDENTITIES = 400,
	STAND_INS = 8, /* that answer before the insider does */
};

static struct spot
identity(uint32_t i)
{
	if (i % 2 == 0)
		return (struct spot){OWN_IP, (uint16_t)(2000 + i)};
	return (struct spot){FORGED_IP + i * 256, HOST_PORT};
}

/* Not by actor_reply(): a node that got no request has not answered. */
static void
forge_reply(struct actor *a, struct spot from, struct spot to, uint16_t tid)
{
	struct rpc_reply m = {.tid = tid, .to = spot_addr(to)};
	uint8_t buf[DGRAM_MAX], id[ID_LEN];

	spot_id(id, from);
	m.id = id;
	actor_send(a, from, to, buf, rpc_reply_encode(&m, buf, sizeof buf));
}

/*
 * Handles a request to the insider: its friends reply first, with the right
 * transaction id.
 */
static void
asked(struct actor *a, struct spot from, struct spot to, const uint8_t *buf,
    size_t len)
{
	struct rpc_request m;
	struct rpc_reply re;

	if (buf[0] != RPC_REQUEST || rpc_request_decode(&m, buf, len) != 0)
		return;
	for (uint32_t i = 0; i < STAND_INS; i++)
		forge_reply(
		    a, identity(prng_below(&a->rand, IDENTITIES)), from, m.tid);
	re = (struct rpc_reply){.tid = m.tid};
	actor_reply(a, to, from, true, &re);
}

static void
insider_knocks(struct sim *s, void *arg)
{
	struct actor *a = arg;
	struct rpc_request m = {
	    .tid = (uint16_t)prng_next(&a->rand), .internal = true};
	struct host *h = s->hosts[prng_below(&a->rand, s->hosts_len)];

	actor_request(
	    a, (struct spot){INSIDER_IP, HOST_PORT}, host_spot(h), true, &m);
}

/*
 * Sends a request of one, and an unsolicited reply of another, to which no
 * request is pending: while a PING is, one guess of 65,536 would match.
 */
static void
speak(struct actor *a, uint32_t i, struct host *to)
{
	struct rpc_request ping = {
	    .tid = (uint16_t)prng_next(&a->rand), .internal = true};

	actor_request(a, identity(i), host_spot(to), true, &ping);
	forge_reply(a, identity((i + IDENTITIES / 2) % IDENTITIES),
	    host_spot(to), (uint16_t)prng_next(&a->rand));
}

static uint32_t
count_poisoned(struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->hosts_len; i++) {
		uint32_t cursor = 0;
		struct dht_node node;

		while (
		    dht_next_node(node_dht(s->hosts[i]->node), &cursor, &node))
			n += addr_spot(&node.addr).ip >= OWN_IP &&
			     addr_spot(&node.addr).ip != INSIDER_IP;
	}
	return n;
}

static void
run(struct sim *s)
{
	struct actor *a;
	uint32_t poisoned = 0;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(2));
	a = actor_new(s, OWN_IP, 1, NULL, 0);
	sim_every(s, MILLISECONDS(500), insider_knocks,
	    actor_new(s, INSIDER_IP, 1, asked, 0));
	for (uint32_t round = 0; round < s->opt.minutes; round++) {
		for (uint32_t i = 0; i < IDENTITIES; i++) {
			for (uint32_t j = 0; j < s->hosts_len; j++)
				speak(a, i, s->hosts[j]);
			sim_run(s, MILLISECONDS(100));
		}
		sim_run(s, SECONDS(20));
		poisoned += count_poisoned(s);
	}
	report_add(&s->report, "identities", IDENTITIES);
	report_add(&s->report, "poisoned", poisoned);
	sim_expect(s, poisoned == 0, "%u entries of nodes that never answered",
	    poisoned);
}

const struct scenario scenario_poison = {
    .name = "poison",
    .text = "400 unsolicited identities: none in any table",
    .nodes = 40,
    .minutes = 5,
    .nodes_min = 10,
    .run = run,
};
