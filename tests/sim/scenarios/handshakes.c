/* SPDX-License-Identifier: ISC */
/*
 * A /24 sends a hundred thousand handshakes for one key within a minute: valid
 * ones, which make the listener compute and wait for a client, copies of them,
 * damaged ones; to the nodes that forward, to the listener itself, and as if
 * from a node that forwards, for clients that do not exist. Other hosts call
 * that key all the while and are answered; the state of the listener stays
 * within its limits, and is freed soon after.
 */
#include <string.h>

#include "crypto/noise.h"
#include "records/record.h"
#include "signal/signal_message.h"
#include "signal/payload.h"
#include "sim/actor.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	CROWD_IP = 0x2e0a0100,
	MADE_UP_IP = 0x2e0b0000,
	STEP_MS = 10,
	MINUTE_STEPS = 60000 / STEP_MS,
	MESSAGES = 1000, /* valid, different */
	NEAR = 8,        /* nodes closest to the key that receive them */
};

struct flooder {
	struct actor *actor;
	struct host *victim;
	uint8_t target[HASH_LEN];
	struct spot near[RPC_K];
	uint8_t messages[MESSAGES][NOISE_1_OVERHEAD + 64];
	size_t message_len;
	uint64_t sent;
	uint32_t conns_max;
};

/* Creates the first message of a client that has a key and seems genuine. */
static void
make_messages(struct flooder *f)
{
	struct payload p = {.version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .firewall = FIREWALL_UNKNOWN,
	    .features = PAYLOAD_REUSABLE};
	struct prng *r = &f->actor->rand;
	uint8_t buf[64], seed[KEY_SEED_LEN];
	struct key_pair own;
	struct noise n;
	size_t len;

	prng_fill(r, seed, sizeof seed);
	key_pair_from_seed(&own, seed);
	for (uint32_t i = 0; i < MESSAGES; i++) {
		p.udx_id = (uint32_t)prng_next(r);
		len = payload_encode(&p, buf, sizeof buf);
		prng_fill(r, seed, sizeof seed);
		if (len == 0 ||
		    noise_write1(&n, &own, f->victim->identity.public_key, seed,
			(struct bytes){buf, len}, f->messages[i]) != 0)
			sim_broken(f->actor->sim, "out of handshake messages");
		f->message_len = len + NOISE_1_OVERHEAD;
	}
}

static void
shake(struct flooder *f)
{
	struct actor *a = f->actor;
	struct spot from = {CROWD_IP + prng_below(&a->rand, 256),
	    (uint16_t)(1024 + prng_below(&a->rand, 60000))};
	struct spot to = f->near[prng_below(&a->rand, NEAR)];
	uint8_t noise[sizeof f->messages[0]], value[DGRAM_MAX];
	struct handshake hs = {.noise = {noise, f->message_len}};
	struct rpc_request m = {.tid = (uint16_t)prng_next(&a->rand),
	    .command = CMD_PEER_HANDSHAKE,
	    .target = f->target};

	memcpy(
	    noise, f->messages[prng_below(&a->rand, MESSAGES)], f->message_len);
	if (f->sent % 3 == 0)
		noise[prng_below(&a->rand, (uint32_t)f->message_len)] ^= 1;
	if (f->sent % 4 != 0)
		to = host_spot(f->victim);
	if (f->sent % 4 == 1) {
		hs.mode = MODE_FROM_RELAY;
		hs.peer = spot_addr((struct spot){
		    MADE_UP_IP + prng_below(&a->rand, 1 << 16), from.port});
	}
	m.value.p = value;
	m.value.len = handshake_encode(&hs, value, sizeof value);
	actor_request(a, from, to, false, &m);
	f->sent++;
}

static uint32_t
conns_of(struct host *h)
{
	struct node_conn c = {.conn = 0};
	uint32_t n = 0;

	while (node_conn(h->node, c.conn, &c))
		n++;
	return n;
}

static void
flood(struct sim *s, void *arg)
{
	const struct limits *l;
	struct flooder *f = arg;
	uint32_t conns = conns_of(f->victim);

	for (uint32_t i = 0; i <= s->opt.amount / MINUTE_STEPS; i++)
		shake(f);
	l = node_limits(f->victim->node);
	if (conns > f->conns_max)
		f->conns_max = conns;
	if (conns > l->half_open + s->calls.open)
		sim_broken(s, "%u connections, of which %u are calls", conns,
		    s->calls.open);
}

/* The /24 gets the budget of a /24, and the calls succeed. */
static void
expect_rationed(struct sim *s, struct flooder *f, uint32_t calls)
{
	const struct limits *l = node_limits(f->victim->node);
	uint64_t n = node_stats(f->victim->node)->handshakes;
	/* Once for what it sends to the listener, and once through its relays.
	 */
	uint64_t most =
	    2 * (l->handshake_burst + 61ull * l->handshake_rate) + calls;

	report_add(&s->report, "handshakes_answered", n);
	sim_expect(s, n <= most, "%llu handshakes were answered, not %llu",
	    (unsigned long long)n, (unsigned long long)most);
}

static void
run(struct sim *s)
{
	struct flooder *f;
	struct dials d;
	uint32_t flooding;

	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(2));
	sim_run(s, MINUTES(1));
	dials_init(&d, s, 1);
	f = actor_new(s, CROWD_IP, 256, NULL, sizeof *f)->state;
	f->actor = s->actors[s->actors_len - 1];
	f->victim = d.listeners[0];
	key_target(f->target, f->victim->identity.public_key);
	work_nearest(s, f->target, f->near);
	make_messages(f);
	flooding = sim_every(s, MILLISECONDS(STEP_MS), flood, f);
	dials_calls(&d, s->opt.nodes * 2, 1000, MINUTES(1));
	sim_stop(s, flooding);
	dials_report(&d);
	report_add(&s->report, "forged", f->sent);
	report_add(&s->report, "connections_max", f->conns_max);
	dials_expect(&d, 1000);
	expect_rationed(s, f, d.asked);
	dials_fini(&d);
	dials_expect_none_left(s, MINUTES(1));
}

const struct scenario scenario_handshakes = {
    .name = "handshakes",
    .text = "a /24 forges handshakes for one key: others' calls are answered",
    .nodes = 60,
    .minutes = 0,
    .amount = 100000,
    .nodes_min = 30,
    .run = run,
};
