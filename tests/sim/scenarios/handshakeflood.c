/* SPDX-License-Identifier: ISC */
/*
 * handshakeflood: two listeners, one of them behind a NAT that admits every
 * source, receive `amount` valid handshakes a second each, from forged sources
 * in 4,096 /24s: a sixth as clients, a sixth as relays that the listener does
 * not know, the rest in the name of one of its own relays. Hosts with an
 * address of their own and hosts behind NATs dial both listeners before the
 * flood and during it. relayflood: the same, but the forged sources are
 * clients, and real relays forward what they send.
 */
#include <stdlib.h>
#include <string.h>

#include "crypto/noise.h"
#include "peer/handshake_budget.h"
#include "records/record.h"
#include "signal/payload.h"
#include "signal/signal_message.h"
#include "sim/actor.h"
#include "sim/dials.h"
#include "sim/scenario.h"
#include "world/mem.h"

enum {
	FLOODER_IP = 0x2e0c0101,
	FORGED_IP = 0x50000001,
	FORGED_PREFIXES = 4096,
	ONE_WAY_US = 40000,
	STEP_MS = 10,
	MESSAGES = 8000, /* valid, different, for each listener */
	/* Handshakes that a listener remembers: fewer than by default, so that
	 * few of these messages are copies to it. */
	REMEMBERED = 512,
	VICTIMS = 2,
	RELAYS_PER_VICTIM = 3,
	CALLERS = 24, /* of each phase */
	PHASE_SECONDS = 8,
	SLOW_OPERATIONS = 200,
	/* In excess of the budget: computed before the flood, or exempt. */
	SPARE_OPERATIONS = 2000,
};

struct victim {
	struct host *host;
	uint8_t target[HASH_LEN];
	struct spot at; /* its own address, as its relays see it */
	struct spot relays[RELAYS_PER_VICTIM];
	uint32_t relays_len;
	uint8_t (*messages)[NOISE_1_OVERHEAD + 64];
	uint32_t next;
};

struct handshake_flood {
	struct actor *actor;
	struct victim victims[VICTIMS];
	size_t message_len;
	uint64_t sent;
	bool real;           /* through the relays, not in the name of one */
	uint32_t operations; /* that each listener computes in a second */
};

static void
setup(struct sim_options *o)
{
	o->faults.flat_us = ONE_WAY_US;
}

/* ---- the victims ---- */

static void
add_relay(struct victim *v, struct spot relay)
{
	for (uint32_t i = 0; i < v->relays_len; i++)
		if (spot_equal(v->relays[i], relay))
			return;
	if (v->relays_len < RELAYS_PER_VICTIM)
		v->relays[v->relays_len++] = relay;
}

/* Records from where and to which address a relay forwards to a victim. */
static void
watch_relays(struct sim *s, const struct net_packet *p)
{
	struct handshake_flood *f = s->tap_state;
	struct rpc_request m;
	struct handshake hs;

	if (p->bytes[0] != RPC_REQUEST ||
	    rpc_request_decode(&m, p->bytes, p->len) != 0 || m.internal ||
	    m.command != CMD_PEER_HANDSHAKE || m.target == NULL ||
	    handshake_decode(&hs, m.value.p, m.value.len) != 0 ||
	    hs.mode != MODE_FROM_RELAY)
		return;
	for (int i = 0; i < VICTIMS; i++) {
		struct victim *v = &f->victims[i];
		const struct host *h = v->host;

		if (memcmp(m.target, v->target, HASH_LEN) != 0 ||
		    p->dst != (h->nat != NULL ? &h->nat->ep : &h->ep))
			continue;
		v->at = p->to;
		add_relay(v, p->from);
	}
}

static void
make_message(struct actor *a, const struct victim *v, uint8_t *out, size_t *len)
{
	struct payload p = {.version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .firewall = FIREWALL_UNKNOWN,
	    .features = PAYLOAD_REUSABLE,
	    .udx_id = (uint32_t)prng_next(&a->rand)};
	uint8_t buf[64], seed[KEY_SEED_LEN];
	struct key_pair own;
	struct noise n;
	size_t plain_len = payload_encode(&p, buf, sizeof buf);

	prng_fill(&a->rand, seed, sizeof seed);
	key_pair_from_seed(&own, seed);
	if (plain_len == 0 ||
	    noise_write1(&n, &own, v->host->identity.public_key, seed,
		(struct bytes){buf, plain_len}, out) != 0)
		sim_broken(a->sim, "out of handshake messages");
	*len = plain_len + NOISE_1_OVERHEAD;
}

static void
victim_init(struct handshake_flood *f, int i, struct host *h)
{
	struct victim *v = &f->victims[i];
	struct limits l = *node_limits(h->node);

	l.handshakes = REMEMBERED;
	l.handshake_operations = f->operations;
	node_set_limits(h->node, &l);
	v->host = h;
	key_target(v->target, h->identity.public_key);
	v->messages = mem_new(MESSAGES, sizeof *v->messages);
	for (uint32_t m = 0; m < MESSAGES; m++)
		make_message(f->actor, v, v->messages[m], &f->message_len);
}

/* ---- the flood ---- */

static struct spot
forged_spot(struct prng *r)
{
	return (struct spot){FORGED_IP + prng_below(r, FORGED_PREFIXES) * 256 +
				 prng_below(r, 250),
	    (uint16_t)(1024 + prng_below(r, 60000))};
}

/* Sends one as a client, as an unknown relay, or as a relay of the victim. */
static void
send_in_name(struct handshake_flood *f, struct victim *v, struct spot from,
    struct rpc_request *m, struct handshake *hs)
{
	struct actor *a = f->actor;
	uint8_t value[DGRAM_MAX];

	if (f->sent % 6 != 0) {
		hs->mode = MODE_FROM_RELAY;
		hs->peer = spot_addr(forged_spot(&a->rand));
	}
	if (f->sent % 6 > 1)
		from = v->relays[0];
	m->value.p = value;
	m->value.len = handshake_encode(hs, value, sizeof value);
	actor_request(a, from, v->at, false, m);
}

/* Sends one as a client, through one relay after the other. */
static void
send_through(struct handshake_flood *f, struct victim *v, struct spot from,
    struct rpc_request *m, struct handshake *hs)
{
	uint8_t value[DGRAM_MAX];

	m->value.p = value;
	m->value.len = handshake_encode(hs, value, sizeof value);
	actor_request(
	    f->actor, from, v->relays[f->sent % v->relays_len], false, m);
}

static void
send_handshake(struct handshake_flood *f, struct victim *v)
{
	struct actor *a = f->actor;
	struct spot from = forged_spot(&a->rand);
	struct handshake hs = {
	    .noise = {v->messages[v->next++ % MESSAGES], f->message_len}};
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
	    .command = CMD_PEER_HANDSHAKE,
	    .target = v->target};

	if (f->real)
		send_through(f, v, from, &m, &hs);
	else
		send_in_name(f, v, from, &m, &hs);
	f->sent++;
}

static void
flood(struct sim *s, void *arg)
{
	struct handshake_flood *f = arg;

	for (uint32_t i = 0; i < s->opt.amount * STEP_MS / 1000; i++)
		for (int k = 0; k < VICTIMS; k++)
			send_handshake(f, &f->victims[k]);
}

/* ---- honest dials ---- */

static void
join_callers(struct sim *s, struct host **callers)
{
	struct nat_config box = {.mapping = NAT_ENDPOINT_INDEPENDENT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_PRESERVING,
	    .timeout_s = 600,
	    .refresh_inbound = true};

	for (int i = 0; i < CALLERS; i++) {
		struct nat *nat = i % 2 == 0 ? NULL : sim_nat(s, &box, NULL);

		callers[i] = sim_join(s, DHT_AUTO, nat);
	}
}

static void
dial_all(struct handshake_flood *f, struct dials *d, struct host **callers)
{
	for (int i = 0; i < CALLERS; i++) {
		for (int k = 0; k < VICTIMS; k++)
			dials_call(d, callers[i], f->victims[k].host, 1000);
		sim_run(d->sim, SECONDS(PHASE_SECONDS) / CALLERS);
	}
	sim_quiesce(d->sim);
}

static uint64_t
count_operations(const struct victim *v)
{
	return node_stats(v->host->node)->handshake_operations;
}

/* Floods while the callers dial. Checks what the flood made the victims
 * compute. */
static void
dial_in_flood(struct handshake_flood *f, struct dials *d, struct host **callers)
{
	uint64_t before[VICTIMS], begin_us, most;
	struct sim *s = d->sim;
	uint32_t task = sim_every(s, MILLISECONDS(STEP_MS), flood, f);

	sim_run(s, SECONDS(2));
	begin_us = s->now_us;
	for (int i = 0; i < VICTIMS; i++)
		before[i] = count_operations(&f->victims[i]);
	dial_all(f, d, callers);
	sim_stop(s, task);
	most = (s->now_us - begin_us) * f->operations / SECONDS(1) +
	       SPARE_OPERATIONS;
	for (int i = 0; i < VICTIMS; i++) {
		uint64_t n = count_operations(&f->victims[i]) - before[i];

		sim_expect(s, n <= most,
		    "the flood cost %llu curve operations, not %llu",
		    (unsigned long long)n, (unsigned long long)most);
	}
}

static void
run_flood(struct sim *s, bool real, uint32_t operations)
{
	static struct handshake_flood f;
	struct host *before[CALLERS], *during[CALLERS];
	struct nat_config open = {
	    .ports = NAT_PRESERVING, .timeout_s = 600, .refresh_inbound = true};
	struct dials quiet, flooded;

	f = (struct handshake_flood){
	    .actor = actor_new(s, FLOODER_IP, 1, NULL, 0),
	    .real = real,
	    .operations = operations};
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	sim_run(s, MINUTES(1));
	dials_init(&quiet, s, 1);
	dials_init(&flooded, s, 0);
	dials_listen(&quiet, sim_join(s, DHT_AUTO, sim_nat(s, &open, NULL)));
	dials_wait(&quiet, SECONDS(60));
	join_callers(s, before);
	join_callers(s, during);
	sim_run(s, MINUTES(1));
	for (int i = 0; i < VICTIMS; i++)
		victim_init(&f, i, quiet.listeners[i]);
	s->tap_state = &f;
	s->tap = watch_relays;
	dial_all(&f, &quiet, before);
	s->tap = NULL;
	dial_in_flood(&f, &flooded, during);
	report_add(&s->report, "forged", f.sent);
	for (int i = 0; i < VICTIMS; i++)
		sim_expect(s, f.victims[i].relays_len > 0,
		    "no relay of listener %d is known", i);
	dials_expect_undelayed(&quiet, &flooded);
	dials_fini(&quiet);
	dials_fini(&flooded);
	for (int i = 0; i < VICTIMS; i++)
		free(f.victims[i].messages);
}

static void
run(struct sim *s)
{
	run_flood(s, false, HANDSHAKE_OPERATIONS_DEFAULT);
}

static void
run_real(struct sim *s)
{
	run_flood(s, true, HANDSHAKE_OPERATIONS_DEFAULT);
}

static void
run_slow(struct sim *s)
{
	run_flood(s, false, SLOW_OPERATIONS);
}

const struct scenario scenario_handshakeflood = {
    .name = "handshakeflood",
    .text = "forged handshakes: dials take no more than twice the quiet time",
    .nodes = 40,
    .amount = 6000,
    .nodes_min = 30,
    .setup = setup,
    .run = run,
};

const struct scenario scenario_relayflood = {
    .name = "relayflood",
    .text = "the same through real relays: no more than twice the quiet time",
    .nodes = 40,
    .amount = 6000,
    .nodes_min = 30,
    .setup = setup,
    .run = run_real,
};

const struct scenario scenario_slowflood = {
    .name = "slowflood",
    .text = "the same on slow machines, most of it in the name of one relay",
    .nodes = 40,
    .amount = 6000,
    .nodes_min = 30,
    .setup = setup,
    .run = run_slow,
};
