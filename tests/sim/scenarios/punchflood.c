/* SPDX-License-Identifier: ISC */
/*
 * punchflood: a hostile client and a relay of two listeners, one of which is
 * behind a NAT, have them probe the hosts of third parties: `amount` messages a
 * second. The relay names a third party as the source of each handshake and of
 * each punch message, under ever other keys; each key lists more of its
 * addresses, claims a random NAT or no NAT, or sends rounds without end. A
 * third of the messages are forged probes that seem to come from there, a third
 * forged punch messages. Hosts behind NATs dial both listeners before the flood
 * and during it. A minute after it the listeners hold nothing of it.
 */
#include <string.h>

#include "crypto/noise.h"
#include "punch/holepunch_payload.h"
#include "punch/nat_classifier.h"
#include "records/record.h"
#include "signal/payload.h"
#include "signal/signal_message.h"
#include "sim/actor.h"
#include "sim/dials.h"
#include "sim/scenario.h"

enum {
	CLIENT_IP = 0x2e0d0101,
	ALONE_IP = 0x2e0e0101, /* one host of a third party, */
	CROWD_IP = 0x2e0f0100, /* and a /24 of another */
	CROWD = 256,
	ONE_WAY_US = 40000,
	STEP_MS = 10,
	VICTIMS = 2,
	CALLERS = 24, /* of each phase */
	PHASE_SECONDS = 30,
	ATTEMPTS = 64, /* at a time */
	ROUNDS = 40,   /* of a key, then another one takes its place */
	KINDS = 5,
	GARBAGE = 120,    /* bytes of a forged punch message */
	IDS = 512,        /* guessed by forged punch messages */
	PREFIX_HOSTS = 4, /* a /24 has the budget of so many hosts */
	/* Of the ports that the third party seems to use. */
	PORT_FIRST = 2000,
};

/* What the client does under one key. */
enum kind {
	KIND_LISTED, /* names and lists one host, with many ports */
	KIND_CROWD,  /* names another host of the /24 in each message */
	KIND_RANDOM, /* claims a random NAT: all ports of a host are tried */
	KIND_OPEN,   /* claims no NAT: a stream begins there */
	KIND_ROUNDS, /* never punches */
};

struct victim {
	struct host *host, *relay;
	uint8_t target[HASH_LEN];
	struct spot at, relay_at; /* its address as the relay sees it */
	uint32_t sockets;         /* open before the flood */
};

struct attempt {
	struct victim *victim;
	enum kind kind;
	struct noise noise;
	bool answered, has_token;
	uint8_t secret[KEY_LEN], token[HOLEPUNCH_TOKEN_LEN];
	uint64_t id;
	struct spot at; /* the punch socket */
	struct spot named;
	uint32_t turn;
};

struct punch_flood {
	struct actor *client;
	struct victim victims[VICTIMS];
	struct attempt attempts[ATTEMPTS];
	uint64_t turn, handshakes, punches;
	uint64_t got_alone, got_crowd, got_of[CROWD];
};

static void
setup(struct sim_options *o)
{
	o->faults.flat_us = ONE_WAY_US;
}

/* ---- third parties ---- */

static bool
is_third_party(struct spot at)
{
	return at.ip == ALONE_IP || (at.ip & ~0xffu) == CROWD_IP;
}

static void
count_datagram(struct actor *a, struct spot from, struct spot to,
    const uint8_t *buf, size_t len)
{
	struct punch_flood *f = a->sim->tap_state;

	(void)from;
	(void)buf;
	(void)len;
	if (to.ip == ALONE_IP) {
		f->got_alone++;
		return;
	}
	f->got_crowd++;
	f->got_of[to.ip - CROWD_IP]++;
}

static struct spot
name_host(struct prng *r, enum kind kind)
{
	uint32_t ip = kind == KIND_CROWD ? CROWD_IP + prng_below(r, CROWD)
					 : (uint32_t)ALONE_IP;

	return (struct spot){ip, (uint16_t)(PORT_FIRST + prng_below(r, 16))};
}

/* ---- the relay ---- */

/* The hostile relay sends nothing to the third party itself. */
static size_t
keep_from_named(
    struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len)
{
	(void)s;
	(void)h;
	(void)buf;
	return is_third_party(to) ? 0 : len;
}

static void
note_relay(struct sim *s, struct victim *v, const struct net_packet *p)
{
	struct endpoint *e = net_find(&s->net, p->from.ip);

	if (v->relay != NULL || e == NULL || e->kind != ENDPOINT_HOST)
		return;
	v->relay = container_of(e, struct host, ep);
	v->relay_at = p->from;
	v->at = p->to;
}

static bool
is_at(const struct host *h, const struct net_packet *p)
{
	return p->dst == (h->nat != NULL ? &h->nat->ep : &h->ep);
}

static void
take_handshake(
    struct attempt *t, const struct net_packet *p, const struct handshake *hs)
{
	uint8_t plain[NOISE_MESSAGE_MAX];
	struct noise_secrets secrets;
	struct payload theirs;

	if (t->answered || hs->noise.len < NOISE_2_OVERHEAD ||
	    hs->noise.len > NOISE_MESSAGE_MAX ||
	    noise_read2(&t->noise, hs->noise, plain, &secrets) != 0)
		return;
	if (payload_decode(&theirs, plain, hs->noise.len - NOISE_2_OVERHEAD) !=
	    0)
		return;
	noise_punch_key(t->secret, secrets.hash);
	t->id = theirs.holepunch_id;
	t->at = p->from;
	t->answered = true;
}

static void
take_punch(
    struct attempt *t, const struct net_packet *p, const struct holepunch *m)
{
	struct holepunch_payload c;

	if (!t->answered ||
	    holepunch_payload_open(&c, t->secret, m->payload) != 0)
		return;
	t->at = p->from;
	if (!c.has_token)
		return;
	memcpy(t->token, c.token, sizeof t->token);
	t->has_token = true;
}

/* Reads what the relays of the listeners receive, as one with the client. */
static void
watch(struct sim *s, const struct net_packet *p)
{
	struct punch_flood *f = s->tap_state;
	struct rpc_request m;
	struct handshake hs;
	struct holepunch hp;
	struct attempt *t;

	if (p->bytes[0] != RPC_REQUEST ||
	    rpc_request_decode(&m, p->bytes, p->len) != 0 || m.internal ||
	    m.target == NULL)
		return;
	t = &f->attempts[m.tid % ATTEMPTS];
	if (m.command == CMD_PEER_HOLEPUNCH &&
	    holepunch_decode(&hp, m.value.p, m.value.len) == 0 &&
	    hp.mode == MODE_FROM_SERVER) {
		take_punch(t, p, &hp);
		return;
	}
	if (m.command != CMD_PEER_HANDSHAKE ||
	    handshake_decode(&hs, m.value.p, m.value.len) != 0)
		return;
	if (hs.mode == MODE_FROM_SERVER && t->victim != NULL)
		take_handshake(t, p, &hs);
	for (int i = 0; i < VICTIMS && hs.mode == MODE_FROM_RELAY; i++) {
		struct victim *v = &f->victims[i];

		if (memcmp(m.target, v->target, HASH_LEN) == 0 &&
		    is_at(v->host, p))
			note_relay(s, v, p);
	}
}

/* ---- what the client and the relay send ---- */

static void
send_to(struct punch_flood *f, const struct victim *v, struct spot to,
    uint64_t command, uint32_t slot, struct bytes value)
{
	struct actor *a = f->client;
	struct rpc_request m = {
	    .tid = (uint16_t)(prng_below(&a->rand, 1000) * ATTEMPTS + slot),
	    .command = command,
	    .target = v->target,
	    .value = value};

	actor_request(a, v->relay_at, to, false, &m);
}

/* Takes another key. */
static void
begin_attempt(struct punch_flood *f, struct attempt *t, uint32_t slot)
{
	struct prng *r = &f->client->rand;
	struct victim *v = &f->victims[slot % VICTIMS];
	enum kind kind = (enum kind)(slot / VICTIMS % KINDS);
	struct payload p = {.version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .firewall = kind == KIND_OPEN ? FIREWALL_OPEN : FIREWALL_UNKNOWN,
	    .features = PAYLOAD_REUSABLE | PAYLOAD_NATIVE,
	    .udx_id = (uint32_t)prng_next(r)};
	uint8_t plain[64], seed[KEY_SEED_LEN], noise[NOISE_1_OVERHEAD + 64];
	uint8_t value[DGRAM_MAX];
	struct handshake hs = {.mode = MODE_FROM_RELAY};
	struct key_pair own;
	size_t len = payload_encode(&p, plain, sizeof plain);

	*t = (struct attempt){
	    .victim = v, .kind = kind, .named = name_host(r, kind)};
	prng_fill(r, seed, sizeof seed);
	key_pair_from_seed(&own, seed);
	if (len == 0 ||
	    noise_write1(&t->noise, &own, v->host->identity.public_key, seed,
		(struct bytes){plain, len}, noise) != 0)
		sim_broken(f->client->sim, "no handshake message");
	hs.noise = (struct bytes){noise, len + NOISE_1_OVERHEAD};
	hs.peer = spot_addr(t->named);
	send_to(f, v, v->at, CMD_PEER_HANDSHAKE, slot,
	    (struct bytes){value, handshake_encode(&hs, value, sizeof value)});
	f->handshakes++;
}

static void
list_addresses(
    const struct attempt *t, struct prng *r, struct holepunch_payload *c)
{
	c->has_addrs = true;
	c->addrs_len = HOLEPUNCH_ADDRS_MAX;
	for (int i = 0; i < HOLEPUNCH_ADDRS_MAX; i++)
		c->addrs[i] = spot_addr(name_host(r, t->kind));
	c->addrs[0] = spot_addr(t->named);
}

static void
send_round(struct punch_flood *f, struct attempt *t, uint32_t slot)
{
	struct prng *r = &f->client->rand;
	struct holepunch_payload c = {.firewall = t->kind == KIND_RANDOM
						      ? NAT_TYPE_RANDOM
						      : NAT_TYPE_CONSISTENT,
	    .round = t->turn,
	    .has_remote_token = t->has_token,
	    .punching = t->has_token && t->kind != KIND_ROUNDS};
	struct holepunch m = {.mode = MODE_FROM_RELAY, .id = t->id};
	uint8_t box[HOLEPUNCH_BOX_MAX], value[DGRAM_MAX];
	uint8_t nonce[HOLEPUNCH_NONCE_LEN];

	/* The token is that of the named host. */
	if (t->kind == KIND_CROWD && !t->has_token)
		t->named = name_host(r, t->kind);
	list_addresses(t, r, &c);
	memcpy(c.remote_token, t->token, sizeof c.remote_token);
	prng_fill(r, nonce, sizeof nonce);
	m.payload.p = box;
	m.payload.len = holepunch_payload_seal(&c, t->secret, nonce, box);
	m.peer = spot_addr(t->named);
	send_to(f, t->victim, t->at, CMD_PEER_HOLEPUNCH, slot,
	    (struct bytes){value, holepunch_encode(&m, value, sizeof value)});
	f->punches++;
}

static void
go_on(struct punch_flood *f, uint32_t slot)
{
	struct attempt *t = &f->attempts[slot];

	if (t->victim == NULL || t->turn >= ROUNDS)
		begin_attempt(f, t, slot);
	else if (t->answered)
		send_round(f, t, slot);
	t->turn++;
}

/* A probe that seems to come from the named host. */
static void
forge_probe(struct punch_flood *f, uint32_t slot)
{
	static const uint8_t probe[1] = {0};
	const struct attempt *t = &f->attempts[slot];

	if (t->answered)
		actor_send(f->client, name_host(&f->client->rand, t->kind),
		    t->at, probe, sizeof probe);
}

/* A punch message that nobody has sealed, for any attempt. */
static void
forge_punch(struct punch_flood *f, uint32_t slot)
{
	struct prng *r = &f->client->rand;
	const struct attempt *t = &f->attempts[slot];
	uint8_t garbage[GARBAGE], value[DGRAM_MAX];
	struct holepunch m = {.mode = MODE_FROM_RELAY,
	    .id = prng_below(r, 2) == 0 ? t->id : prng_below(r, IDS),
	    .peer = spot_addr(name_host(r, t->kind)),
	    .payload = {garbage, sizeof garbage}};

	if (t->victim == NULL)
		return;
	prng_fill(r, garbage, sizeof garbage);
	send_to(f, t->victim, t->answered ? t->at : t->victim->at,
	    CMD_PEER_HOLEPUNCH, slot,
	    (struct bytes){value, holepunch_encode(&m, value, sizeof value)});
}

static void
flood(struct sim *s, void *arg)
{
	struct punch_flood *f = arg;

	for (uint32_t i = 0; i < s->opt.amount * STEP_MS / 1000; i++) {
		uint32_t slot = (uint32_t)(f->turn / 3 % ATTEMPTS);

		switch (f->turn++ % 3) {
		case 0:
			go_on(f, slot);
			break;
		case 1:
			forge_probe(f, slot);
			break;
		default:
			forge_punch(f, slot);
		}
	}
}

/* ---- honest dials ---- */

static struct nat *
make_box(struct sim *s)
{
	struct nat_config box = {.mapping = NAT_ENDPOINT_INDEPENDENT,
	    .filtering = NAT_ADDRESS_AND_PORT,
	    .ports = NAT_PRESERVING,
	    .timeout_s = 30,
	    .refresh_inbound = true};

	return sim_nat(s, &box, NULL);
}

static void
join_callers(struct sim *s, struct host **callers)
{
	for (int i = 0; i < CALLERS; i++)
		callers[i] = sim_join(s, DHT_AUTO, make_box(s));
}

static void
dial_all(struct punch_flood *f, struct dials *d, struct host **callers)
{
	for (int i = 0; i < CALLERS; i++) {
		for (int k = 0; k < VICTIMS; k++)
			dials_call(d, callers[i], f->victims[k].host, 1000);
		sim_run(d->sim, SECONDS(PHASE_SECONDS) / CALLERS);
	}
	sim_quiesce(d->sim);
}

static void
victim_init(struct victim *v, struct host *h)
{
	*v = (struct victim){.host = h};
	key_target(v->target, h->identity.public_key);
}

static void
victims_ready(struct sim *s, struct punch_flood *f)
{
	for (int i = 0; i < VICTIMS; i++) {
		struct victim *v = &f->victims[i];

		if (v->relay == NULL)
			sim_broken(s, "no relay of listener %d is known", i);
		v->sockets = v->host->world.socks_open;
		v->relay->mangle = keep_from_named;
	}
}

/* ---- what must hold ---- */

static void
expect_budgets(struct sim *s, const struct punch_flood *f, uint64_t begin_us)
{
	const struct limits *l = node_limits(f->victims[0].host->node);
	uint64_t seconds = (s->now_us - begin_us) / SECONDS(1) + 1;
	uint64_t most = VICTIMS * (l->probe_burst + seconds * l->probe_rate);

	report_add(&s->report, "third_party", f->got_alone);
	report_add(&s->report, "third_prefix", f->got_crowd);
	report_add(&s->report, "allowed", most);
	sim_expect(s, f->got_alone <= most,
	    "a host that was named received %llu datagrams, above %llu",
	    (unsigned long long)f->got_alone, (unsigned long long)most);
	sim_expect(s, f->got_crowd <= PREFIX_HOSTS * most,
	    "a /24 that was named received %llu datagrams, above %llu",
	    (unsigned long long)f->got_crowd,
	    (unsigned long long)(PREFIX_HOSTS * most));
	for (uint32_t i = 0; i < CROWD; i++)
		sim_expect(s, f->got_of[i] <= most,
		    "host %u of a /24 received %llu datagrams", i,
		    (unsigned long long)f->got_of[i]);
}

static uint64_t
sum_refused(const struct punch_flood *f)
{
	uint64_t n = 0;

	for (int i = 0; i < VICTIMS; i++)
		n += node_stats(f->victims[i].host->node)->probes_refused;
	return n;
}

static void
expect_nothing_left(struct sim *s, const struct punch_flood *f)
{
	uint64_t got;

	dials_expect_none_left(s, MINUTES(1));
	got = f->got_alone + f->got_crowd;
	sim_run(s, SECONDS(20));
	sim_expect(s, f->got_alone + f->got_crowd == got,
	    "the hosts that were named still receive datagrams");
	for (int i = 0; i < VICTIMS; i++)
		sim_expect(s,
		    f->victims[i].host->world.socks_open <=
			f->victims[i].sockets,
		    "listener %d has %u sockets, and had %u", i,
		    f->victims[i].host->world.socks_open,
		    f->victims[i].sockets);
}

static void
dial_in_flood(struct punch_flood *f, struct dials *d, struct host **callers)
{
	struct sim *s = d->sim;
	uint64_t begin_us = s->now_us;
	uint32_t task;

	task = sim_every(s, MILLISECONDS(STEP_MS), flood, f);
	sim_run(s, SECONDS(2));
	dial_all(f, d, callers);
	sim_stop(s, task);
	sim_run(s, SECONDS(1));
	report_add(&s->report, "forged_handshakes", f->handshakes);
	report_add(&s->report, "forged_rounds", f->punches);
	report_add(&s->report, "probes_refused", sum_refused(f));
	expect_budgets(s, f, begin_us);
	sim_expect(s, sum_refused(f) > 0, "no budget was reached");
}

static void
run(struct sim *s)
{
	static struct punch_flood f;
	struct host *before[CALLERS], *during[CALLERS];
	struct dials quiet, flooded;

	f = (struct punch_flood){.client = actor_new(s, CLIENT_IP, 1, NULL, 0)};
	s->tap_state = &f;
	actor_new(s, ALONE_IP, 1, count_datagram, 0)->ep.watched = true;
	actor_new(s, CROWD_IP, CROWD, count_datagram, 0)->ep.watched = true;
	sim_grow(s, s->opt.nodes, DHT_PERSISTENT, MINUTES(1));
	sim_run(s, MINUTES(1));
	dials_init(&quiet, s, 1);
	dials_init(&flooded, s, 0);
	dials_listen(&quiet, sim_join(s, DHT_AUTO, make_box(s)));
	dials_wait(&quiet, SECONDS(60));
	join_callers(s, before);
	join_callers(s, during);
	sim_run(s, MINUTES(1));
	for (int i = 0; i < VICTIMS; i++)
		victim_init(&f.victims[i], quiet.listeners[i]);
	s->tap = watch;
	dial_all(&f, &quiet, before);
	sim_run(s, SECONDS(30));
	victims_ready(s, &f);
	dial_in_flood(&f, &flooded, during);
	dials_expect_undelayed(&quiet, &flooded);
	expect_nothing_left(s, &f);
	s->tap = NULL;
	dials_fini(&quiet);
	dials_fini(&flooded);
}

const struct scenario scenario_punchflood = {
    .name = "punchflood",
    .text = "a relay names third parties: few probes; dials take twice at most",
    .nodes = 40,
    .amount = 1500,
    .nodes_min = 30,
    .setup = setup,
    .run = run,
};
