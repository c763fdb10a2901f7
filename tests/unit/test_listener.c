/* SPDX-License-Identifier: ISC */
/*
 * Goal: each permitted handshake opens one connection, however often and by
 * whatever path it is received; all other handshakes cost next to nothing.
 *
 * Method: the listening side of a real node in a simulated world; the test
 * plays relays and clients with the initiator's half of the handshake. Where a
 * connection is to open, a second node is the client and the test carries the
 * datagrams.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world/alloc.h"
#include "base/err.h"
#include "dht/dht_struct.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"
#include "records/record.h"
#include "relay_net.h"
#include "signal/signal_message.h"
#include "signal/payload.h"
#include "t.h"

#define SELF "203.0.113.9:49737"
#define RELAY "198.51.100.1:49737"
#define RELAY2 "198.51.100.2:49737"
#define CLIENT "203.0.114.7:50000"

struct rig {
	struct relay_net n;
	struct udx *udx;
	struct punch *punch;
	struct peers *peers;
	struct local_addrs local;
	struct key_pair keys; /* of the listener */
	uint8_t target[HASH_LEN];
	uint32_t listener;
	struct peer_event events[PEER_CLOSED + 1];
	unsigned times[PEER_CLOSED + 1];
};

/* The initiator of one handshake. */
struct client {
	struct key_pair keys;
	struct noise noise;
	struct payload payload;
	uint8_t message[NOISE_MESSAGE_MAX];
	size_t len;
	struct payload answer;
	struct noise_secrets secrets;
};

static void
seed_keys(struct key_pair *k, uint32_t seed)
{
	uint8_t bytes[KEY_SEED_LEN] = {0};

	memcpy(bytes, &seed, sizeof seed);
	key_pair_from_seed(k, bytes);
}

static void
peers_init(struct rig *g)
{
	struct peers_base b;

	g->udx = udx_new(&g->n.host.core);
	g->punch = punch_new(&g->n.host.core, g->n.d, g->n.rt);
	ck_assert_ptr_nonnull(g->udx);
	ck_assert_ptr_nonnull(g->punch);
	b = (struct peers_base){
	    .dht = g->n.d,
	    .records = g->n.r,
	    .router = g->n.rt,
	    .udx = g->udx,
	    .punch = g->punch,
	    .local = &g->local,
	    .identity = &g->keys,
	    .host6 = {.family = ADDR_V6},
	};
	g->peers = peers_new(&g->n.host.core, &b);
	ck_assert_ptr_nonnull(g->peers);
}

static void
rig_init_as(struct rig *g, enum dht_role role, const char *self)
{
	struct addr lan = addr_v4(192, 168, 7, 2, 0);
	struct dht_config c;

	memset(g, 0, sizeof *g);
	relay_config(&c);
	c.role = role;
	relay_init(&g->n, &c, self);
	seed_keys(&g->keys, 2);
	key_target(g->target, g->keys.public_key);
	local_addrs_set(&g->local, &lan, NULL, 1);
	peers_init(g);
}

static void
rig_listen(struct rig *g, const struct peers_listen *more)
{
	struct peers_listen l = {.keys = &g->keys};

	if (more != NULL) {
		l = *more;
		l.keys = &g->keys;
	}
	ck_assert_int_eq(peers_listen(g->peers, &l, &g->listener), 0);
}

static void
rig_init(struct rig *g)
{
	rig_init_as(g, DHT_AUTO, SELF);
	rig_listen(g, NULL);
}

static void
rig_fini(struct rig *g)
{
	dht_end(g->n.d);
	peers_free(g->peers);
	punch_free(g->punch);
	udx_free(g->udx);
	relay_fini(&g->n);
}

/* ---- the client's half ---- */

static void
client_init(struct client *c, uint32_t seed)
{
	memset(c, 0, sizeof *c);
	seed_keys(&c->keys, 1000 + seed);
	c->payload = (struct payload){
	    .version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .udx_id = 7000 + seed,
	};
}

static void
client_write(struct client *c, const struct rig *g, uint32_t seed)
{
	uint8_t plain[PAYLOAD_LEN_MAX], bytes[KEY_SEED_LEN] = {9};
	struct bytes b = {.p = plain};

	memcpy(bytes + 1, &seed, sizeof seed);
	b.len = payload_encode(&c->payload, plain, sizeof plain);
	ck_assert_uint_gt(b.len, 0);
	plain[0] = (uint8_t)c->payload.version;
	ck_assert_int_eq(noise_write1(&c->noise, &c->keys, g->keys.public_key,
			     bytes, b, c->message),
	    0);
	c->len = b.len + NOISE_1_OVERHEAD;
}

static void
client_new(struct client *c, const struct rig *g, uint32_t seed)
{
	client_init(c, seed);
	client_write(c, g, seed);
}

/* Delivers a message and returns the result; `via` NULL: the client sends it
 * directly. */
static int
deliver_as(struct rig *g, const char *via, const struct addr *client,
    const uint8_t *p, size_t len, uint16_t tid)
{
	struct handshake h = {.mode = MODE_FROM_CLIENT, .noise = {p, len}};
	struct rpc_request m = {.tid = tid, .target = g->target};
	struct addr from = *client;
	uint8_t buf[DGRAM_MAX];
	int verdict;

	if (via != NULL) {
		h.mode = MODE_FROM_RELAY;
		h.peer = *client;
		from = relay_addr(via);
	}
	m.value.p = buf;
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	verdict = relay_request(&g->n, &from, &m);
	if (verdict != ROUTER_HANDED_UP)
		return verdict;
	alloc_counting = true;
	verdict = peers_call(g->peers, &g->n.call);
	alloc_counting = false;
	memset(g->n.buf, 0xee,
	    sizeof g->n.buf); /* no pointer into it may be left */
	return verdict;
}

static int
deliver_message(struct rig *g, const char *via, const char *client,
    const struct client *c, uint16_t tid)
{
	struct addr a = relay_addr(client);

	return deliver_as(g, via, &a, c->message, c->len, tid);
}

/* Returns the Noise message of an answer to a handshake, or none. */
static bool
is_answer(const struct sim_sent *s, struct handshake *h, uint16_t *tid)
{
	struct rpc_request m;
	struct rpc_reply re;
	struct bytes value;

	if (rpc_request_decode(&m, s->buf, s->len) == 0 && !m.internal &&
	    m.command == CMD_PEER_HANDSHAKE) {
		value = m.value;
		*tid = m.tid;
	} else if (rpc_reply_decode(&re, s->buf, s->len) == 0) {
		value = re.value;
		*tid = re.tid;
	} else {
		return false;
	}
	return value.p != NULL && handshake_decode(h, value.p, value.len) == 0;
}

static unsigned
count_answers(const struct rig *g)
{
	struct handshake h;
	unsigned n = 0;
	uint16_t tid;

	for (size_t i = 0; i < g->n.host.world.sent_len; i++)
		n += is_answer(&g->n.host.world.sent[i], &h, &tid);
	return n;
}

/* Copies the Noise message of the only answer; returns its length. */
static size_t
take_answer(struct rig *g, uint8_t *out, const struct sim_sent **sent)
{
	struct handshake h;
	size_t len = 0;
	uint16_t tid;

	ck_assert_uint_eq(count_answers(g), 1);
	for (size_t i = 0; i < g->n.host.world.sent_len; i++) {
		if (!is_answer(&g->n.host.world.sent[i], &h, &tid))
			continue;
		len = h.noise.len;
		memcpy(out, h.noise.p, len);
		if (sent != NULL)
			*sent = &g->n.host.world.sent[i];
	}
	return len;
}

/* Counts datagrams of one byte. */
static unsigned
probes_to(const struct rig *g, const struct addr *to)
{
	unsigned n = 0;

	for (size_t i = 0; i < g->n.host.world.sent_len; i++)
		n += g->n.host.world.sent[i].len == 1 &&
		     addr_equal(&g->n.host.world.sent[i].meta.to, to);
	return n;
}

static void
client_read(struct client *c, struct rig *g)
{
	uint8_t message[DGRAM_MAX], plain[DGRAM_MAX];
	struct bytes b = {.p = message};

	b.len = take_answer(g, message, NULL);
	ck_assert_int_eq(noise_read2(&c->noise, b, plain, &c->secrets), 0);
	ck_assert_int_eq(
	    payload_decode(&c->answer, plain, b.len - NOISE_2_OVERHEAD), 0);
	sim_clear(&g->n.host.world);
}

/* ---- events ---- */

static void
drain_events(struct rig *g)
{
	struct peer_event e;

	while (peers_poll(g->peers, &e)) {
		g->events[e.kind] = e;
		g->times[e.kind]++;
	}
}

/* Returns true if the event was reported once since the last call. */
static bool
take_event(struct rig *g, enum peer_event_kind kind, struct peer_event *out)
{
	unsigned times;

	drain_events(g);
	times = g->times[kind];
	g->times[kind] = 0;
	ck_assert_uint_le(times, 1);
	if (times > 0 && out != NULL)
		*out = g->events[kind];
	return times > 0;
}

static unsigned
count_conns(struct rig *g)
{
	const struct conn *c = NULL;
	unsigned n = 0;

	drain_events(g);
	while ((c = peers_conn_after(
		    g->peers, c != NULL ? conn_number(c) : 0)) != NULL)
		n++;
	return n;
}

static struct peers_listener
listener_status(const struct rig *g)
{
	struct peers_listener l;

	ck_assert(peers_listener_after(g->peers, 0, &l));
	return l;
}

/* ---- one handshake ---- */

START_TEST(relayed)
{
	const struct sim_sent *s;
	struct client c;
	struct rig g;
	struct handshake h;
	struct addr a;
	uint8_t message[DGRAM_MAX];
	uint16_t tid;

	rig_init(&g);
	client_new(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 77), 0);
	take_answer(&g, message, &s);
	ck_assert_int_eq(s->buf[0], RPC_REQUEST); /* pitfall S1 */
	is_answer(s, &h, &tid);
	ck_assert_uint_eq(tid, 77);
	ck_assert_uint_eq(h.mode, MODE_FROM_SERVER);
	a = relay_addr(CLIENT);
	ck_assert(addr_equal(&h.peer, &a));
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_OK);
	ck_assert_uint_eq(c.answer.firewall, FIREWALL_UNKNOWN);
	ck_assert(payload_has(&c.answer, PAYLOAD_UDX));
	ck_assert_uint_ne(c.answer.udx_id, 0);
	ck_assert_uint_eq(
	    c.answer.udx_id, conn_udx_id(peers_conn_after(g.peers, 0)));
	ck_assert(payload_has(&c.answer, PAYLOAD_SECRET_STREAM));
	ck_assert_uint_ne(c.answer.features & PAYLOAD_REUSABLE, 0);
	ck_assert_uint_eq(c.answer.addrs4_len, 1);
	a = relay_addr("192.168.7.2:49737");
	ck_assert(addr_equal(&c.answer.addrs4[0], &a));
	rig_fini(&g);
}
END_TEST

START_TEST(open_server)
{
	struct client c;
	struct rig g;
	struct addr self = relay_addr(SELF);

	rig_init_as(&g, DHT_BOOTSTRAP, SELF);
	rig_listen(&g, NULL);
	client_new(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 77), 0);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.firewall, FIREWALL_OPEN);
	ck_assert(!payload_has(&c.answer, PAYLOAD_HOLEPUNCH));
	ck_assert_uint_eq(c.answer.addrs4_len, 2);
	ck_assert(addr_equal(&c.answer.addrs4[0], &self));
	ck_assert_uint_eq(c.answer.relay_addrs_len, 1);
	ck_assert(addr_equal(&c.answer.relay_addrs[0], &self));
	rig_fini(&g);
}
END_TEST

/* Pitfall C7, and all else that gets an error and no stream. */
static const struct {
	uint64_t version;
	bool udx;
	uint64_t error;
} errors[] = {
    {2, true, SIGNAL_VERSION_MISMATCH},
    {0, true, SIGNAL_VERSION_MISMATCH},
    {1, false, SIGNAL_ABORTED},
};

START_TEST(answered_with_error)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	client_init(&c, 1);
	c.payload.version = errors[_i].version;
	if (!errors[_i].udx)
		c.payload.flags = 0;
	client_write(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 1), 0);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, errors[_i].error);
	ck_assert_uint_eq(c.answer.udx_id, 0);
	ck_assert_uint_eq(c.answer.addrs4_len, 0);
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/* A redial without a stream is refused; the application is not asked. */
START_TEST(refuses_a_redial_without_a_stream)
{
	struct peers_listen l = {.ask = true};
	struct peer_event e;
	struct client c;
	struct rig g;

	rig_init_as(&g, DHT_AUTO, SELF);
	rig_listen(&g, &l);
	client_init(&c, 1);
	c.payload.features = PAYLOAD_NATIVE | PAYLOAD_REDIAL;
	client_write(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 1), 0);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_ABORTED);
	ck_assert_uint_ne(c.answer.features & PAYLOAD_REDIAL, 0);
	ck_assert(!take_event(&g, PEER_OFFER, &e));
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/* Each cut and each flipped bit: no answer, and no state. */
static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	struct rig *g = arg;
	struct addr a = relay_addr(CLIENT);

	ck_assert_int_lt(deliver_as(g, NULL, &a, buf, len, 1), 0);
	ck_assert_uint_eq(count_answers(g), 0);
	ck_assert_uint_eq(count_conns(g), 0);
	sim_clear(&g->n.host.world);
	relay_pass_ms(&g->n, 50); /* within the budget */
}

START_TEST(damaged)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	client_new(&c, &g, 1);
	t_damage(c.message, c.len, take_damaged, &g);
	rig_fini(&g);
}
END_TEST

/* ---- copies ---- */

/* Pitfalls V1, S8: fifty copies while the decision is pending. */
START_TEST(copies_wait_for_one_decision)
{
	uint8_t first[DGRAM_MAX];
	struct peers_listen l = {.ask = true};
	struct peer_event e;
	struct addr client;
	struct handshake h;
	struct client c;
	struct rig g;
	uint64_t tids = 0;
	uint16_t tid;
	size_t len;

	rig_init_as(&g, DHT_AUTO, SELF);
	rig_listen(&g, &l);
	client_new(&c, &g, 1);
	for (uint16_t i = 0; i < 50; i++)
		ck_assert_int_eq(
		    deliver_message(&g, i % 2 ? RELAY : RELAY2, CLIENT, &c, i),
		    0);
	ck_assert_uint_eq(count_answers(&g), 0);
	ck_assert(take_event(&g, PEER_OFFER, &e));
	ck_assert_mem_eq(e.key, c.keys.public_key, KEY_LEN);
	ck_assert_uint_eq(e.listener, g.listener);
	client = relay_addr(CLIENT);
	ck_assert(addr_equal(&e.addr, &client));
	ck_assert_uint_eq(count_conns(&g), 1);
	peers_answer(g.peers, e.number, true);
	ck_assert_uint_eq(count_answers(&g), 50);
	len = 0;
	for (size_t i = 0; i < g.n.host.world.sent_len; i++) {
		const struct sim_sent *s = &g.n.host.world.sent[i];
		struct addr to;

		if (!is_answer(s, &h, &tid))
			continue;
		to = relay_addr(tid % 2 ? RELAY : RELAY2);
		ck_assert(addr_equal(&s->meta.to, &to));
		tids |= UINT64_C(1) << tid;
		if (len == 0)
			memcpy(first, h.noise.p, len = h.noise.len);
		ck_assert_uint_eq(h.noise.len, len);
		ck_assert_mem_eq(h.noise.p, first, len);
	}
	ck_assert_uint_eq(tids, (UINT64_C(1) << 50) - 1);
	rig_fini(&g);
}
END_TEST

/* Pitfall V2: the same bytes for ten seconds after the end of any kind. */
START_TEST(copies_after_the_end)
{
	uint8_t first[DGRAM_MAX], again[DGRAM_MAX];
	struct client c;
	struct rig g;
	size_t len;

	rig_init(&g);
	client_new(&c, &g, 1);
	deliver_message(&g, RELAY, CLIENT, &c, 1);
	len = take_answer(&g, first, NULL);
	conn_close(peers_conn_after(g.peers, 0));
	for (int i = 0; i < 9; i++) {
		sim_clear(&g.n.host.world);
		ck_assert_int_eq(deliver_message(&g, RELAY2, CLIENT, &c, 2), 0);
		ck_assert_uint_eq(take_answer(&g, again, NULL), len);
		ck_assert_mem_eq(again, first, len);
		ck_assert_uint_eq(count_conns(&g), 0);
		relay_pass_ms(&g.n, 1000);
	}
	relay_pass_ms(&g.n, 1500);
	sim_clear(&g.n.host.world);
	ck_assert_int_eq(deliver_message(&g, RELAY2, CLIENT, &c, 2), 0);
	ck_assert_uint_eq(take_answer(&g, again, NULL), len);
	ck_assert_int_ne(memcmp(again, first, len), 0);
	rig_fini(&g);
}
END_TEST

/* ---- permission ---- */

/* Pitfalls V3, V10: by key; other keys get no answer at any address. */
START_TEST(allow_list)
{
	struct client good, bad;
	uint8_t allow[3][KEY_LEN];
	struct peers_listen l = {.allow = allow, .allow_len = 3};
	struct rig g;

	rig_init_as(&g, DHT_AUTO, SELF);
	client_init(&good, 1);
	client_init(&bad, 2);
	memset(allow, 0xff, sizeof allow);
	memcpy(allow[1], good.keys.public_key, KEY_LEN);
	memset(allow[2], 0, KEY_LEN);
	rig_listen(&g, &l);
	memset(allow, 0, sizeof allow); /* it was copied */
	client_write(&good, &g, 1);
	client_write(&bad, &g, 2);
	for (uint16_t i = 0; i < 3; i++) {
		ck_assert_int_lt(
		    deliver_message(&g, RELAY, CLIENT, &bad, i), 0);
		ck_assert_uint_eq(count_answers(&g), 0);
		ck_assert_uint_eq(count_conns(&g), 0);
	}
	ck_assert(!take_event(&g, PEER_OFFER, NULL));
	ck_assert_uint_eq(
	    listener_status(&g).refused, 1); /* the copies are free */
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &good, 9), 0);
	client_read(&good, &g);
	ck_assert_uint_eq(good.answer.error, SIGNAL_OK);
	rig_fini(&g);
}
END_TEST

/* A listener that asks, and a handshake that was received. */
static void
rig_ask(struct rig *g, struct client *c)
{
	struct peers_listen l = {.ask = true};

	rig_init_as(g, DHT_AUTO, SELF);
	rig_listen(g, &l);
	client_new(c, g, 1);
	deliver_message(g, RELAY, CLIENT, c, 1);
}

START_TEST(refused)
{
	struct peer_event e;
	struct client c;
	struct rig g;

	rig_ask(&g, &c);
	ck_assert(take_event(&g, PEER_OFFER, &e));
	peers_answer(g.peers, e.number, false);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_ABORTED);
	ck_assert_uint_eq(c.answer.udx_id, 0);
	ck_assert_uint_eq(count_conns(&g), 0);
	ck_assert(!take_event(&g, PEER_CLOSED, NULL));
	ck_assert_uint_eq(listener_status(&g).refused, 1);
	/* A late or unknown decision changes nothing. */
	peers_answer(g.peers, e.number, true);
	peers_answer(g.peers, 0, true);
	/* The refusal is repeated like any other answer. */
	deliver_message(&g, RELAY2, CLIENT, &c, 2);
	ck_assert_uint_eq(count_answers(&g), 1);
	rig_fini(&g);
}
END_TEST

START_TEST(no_decision)
{
	struct peer_event e;
	struct client c;
	struct rig g;

	rig_ask(&g, &c);
	relay_pass_ms(&g.n, 11000);
	ck_assert(take_event(&g, PEER_CLOSED, &e));
	ck_assert_int_eq(e.err, ERR_TIMEOUT);
	ck_assert_uint_eq(count_conns(&g), 0);
	ck_assert_uint_eq(count_answers(&g), 0);
	deliver_message(
	    &g, RELAY, CLIENT, &c, 1); /* the decision was: no answer */
	ck_assert_uint_eq(count_answers(&g), 0);
	ck_assert(!take_event(&g, PEER_OFFER, NULL));
	rig_fini(&g);
}
END_TEST

/* ---- the address of the client: pitfall V7 ---- */

static const struct sim_sent *
first_udx(const struct rig *g)
{
	for (size_t i = 0; i < g->n.host.world.sent_len; i++)
		if (g->n.host.world.sent[i].buf[0] == 0xff)
			return &g->n.host.world.sent[i];
	return NULL;
}

START_TEST(open_client_is_connected_to)
{
	const struct sim_sent *s;
	struct addr a = relay_addr(CLIENT);
	struct client c;
	struct rig g;

	rig_init(&g);
	client_init(&c, 1);
	c.payload.firewall = FIREWALL_OPEN;
	c.payload.flags |= PAYLOAD_ADDRS4;
	c.payload.addrs4[0] = relay_addr("203.0.115.1:1"); /* of a victim */
	c.payload.addrs4_len = 1;
	client_write(&c, &g, 1);
	deliver_message(&g, RELAY, CLIENT, &c, 1);
	relay_pass_ms(&g.n, 10);
	s = first_udx(&g);
	ck_assert_ptr_nonnull(s);
	ck_assert(addr_equal(&s->meta.to, &a));
	ck_assert_int_eq(s->meta.sock, dht_socket(g.n.d));
	rig_fini(&g);
}
END_TEST

START_TEST(direct_client_is_connected_to)
{
	const struct sim_sent *s;
	struct addr a = relay_addr(CLIENT);
	struct client c;
	struct rig g;

	rig_init(&g);
	client_new(&c, &g, 1);
	deliver_message(&g, NULL, CLIENT, &c, 1);
	relay_pass_ms(&g.n, 10);
	s = first_udx(&g);
	ck_assert_ptr_nonnull(s);
	ck_assert(addr_equal(&s->meta.to, &a));
	ck_assert_int_eq(
	    s->meta.sock, g.n.sock); /* that received the message */
	ck_assert_int_ne(s->meta.sock, dht_socket(g.n.d));
	rig_fini(&g);
}
END_TEST

/* A socket that is kept ready for hole punching may close at any time, so no
 * stream of an unknown client may begin on it. */
START_TEST(idle_sockets_accept_no_stream)
{
	int idle;
	struct client c;
	struct rig g;

	rig_init(&g);
	relay_pass_ms(&g.n, 1000);
	idle = (int)g.n.host.world.socks_len - 1;
	while (!sim_is_open(&g.n.host.world, idle))
		idle--;
	ck_assert(!dht_has_socket(g.n.d, idle));
	client_new(&c, &g, 1);
	g.n.sock = idle;
	ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 1), ERR_UNKNOWN);
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/* Sends few and small probes to the addresses that the client lists, so that
 * its own firewall opens. */
START_TEST(probes_a_client_by_ipv6)
{
	static const char *const listed[] = {
	    "[2a02::1]:5000", "[fd00::1]:5000", "[2a02::2]:5000"};
	struct addr own;
	struct client c;
	struct rig g;

	rig_init(&g);
	ck_assert_int_eq(addr_parse(&own, "[2a01::1]", 0), 0);
	local_addrs_set(&g.local, &own, NULL, 1);
	peers_local_changed(g.peers);
	client_init(&c, 1);
	c.payload.features = _i ? PAYLOAD_NATIVE : 0;
	c.payload.flags |= PAYLOAD_ADDRS6;
	for (int i = 0; i < T_ROWS(listed); i++)
		ck_assert_int_eq(
		    addr_parse(&c.payload.addrs6[i], listed[i], 0), 0);
	c.payload.addrs6_len = T_ROWS(listed);
	client_write(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 1), 0);
	for (int i = 0; i < 900; i++)
		relay_pass_ms(&g.n, 10);
	for (int i = 0; i < T_ROWS(listed); i++)
		ck_assert_uint_eq(probes_to(&g, &c.payload.addrs6[i]),
		    _i == 0 || i == 1 ? 0 : 8);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.addrs6_len, 1);
	ck_assert(addr_same_host(&c.answer.addrs6[0], &own));
	rig_fini(&g);
}
END_TEST

/* A client that lists hosts of our own link, without being in our network, does
 * not make us send to them. */
START_TEST(does_not_probe_strangers_on_its_link)
{
	static const char *const listed[] = {"[2a02::1]:5000", "[2a01::7]:5000",
	    "[2a01:0:0:1::7]:5000", "[2a01::1:7]:5000"};
	static const bool on_link[2][T_ROWS(listed)] = {
	    {false, true, false, true}, {false, true, true, true}};
	static const uint8_t prefix_len[] = {64, 48};
	struct addr own;
	struct client c;
	struct rig g;

	rig_init(&g);
	ck_assert_int_eq(addr_parse(&own, "[2a01::1]", 0), 0);
	local_addrs_set(&g.local, &own, &prefix_len[_i], 1);
	peers_local_changed(g.peers);
	client_init(&c, 1);
	c.payload.features = PAYLOAD_NATIVE;
	c.payload.flags |= PAYLOAD_ADDRS6;
	for (int i = 0; i < T_ROWS(listed); i++)
		ck_assert_int_eq(
		    addr_parse(&c.payload.addrs6[i], listed[i], 0), 0);
	c.payload.addrs6_len = T_ROWS(listed);
	client_write(&c, &g, 1);
	/* It claims our own public address, through no relay of ours. */
	ck_assert_int_eq(
	    deliver_message(&g, RELAY, "203.0.113.9:50001", &c, 1), 0);
	for (int i = 0; i < 900; i++)
		relay_pass_ms(&g.n, 10);
	for (int i = 0; i < T_ROWS(listed); i++)
		ck_assert_uint_eq(probes_to(&g, &c.payload.addrs6[i]),
		    on_link[_i][i] ? 0 : 8);
	rig_fini(&g);
}
END_TEST

START_TEST(firewalled_client_is_waited_for)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	client_new(&c, &g, 1);
	deliver_message(&g, RELAY, CLIENT, &c, 1);
	relay_pass_ms(&g.n, 9000);
	ck_assert_ptr_null(first_udx(&g));
	ck_assert_uint_eq(count_conns(&g), 1);
	relay_pass_ms(&g.n, 1500);
	ck_assert(!take_event(&g, PEER_CLOSED, NULL)); /* it was not visible */
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall V8: the answer is sent from the puncher's socket, so that the relay
 * reports its address to the client; within one network from the DHT's, which
 * has our private address. A client that needs no punch is answered from the
 * socket that received its message.
 */
static const struct {
	const char *client;
	uint64_t firewall;
	const char *listed; /* its private address */
	bool by_puncher;
} answered[] = {
    {CLIENT, FIREWALL_UNKNOWN, "10.1.1.1:4000", true},
    {"203.0.113.9:50001", FIREWALL_UNKNOWN, "192.168.7.3:4000", false},
    /* The same public address, another network: it needs a punch. */
    {"203.0.113.9:50001", FIREWALL_UNKNOWN, "203.0.115.1:4000", true},
    {CLIENT, FIREWALL_OPEN, "10.1.1.1:4000", false},
};

START_TEST(answers_from_the_socket_that_punches)
{
	const struct sim_sent *s;
	uint8_t message[DGRAM_MAX];
	struct client c;
	struct conn *conn;
	struct rig g;

	rig_init(&g);
	client_init(&c, 1);
	c.payload.firewall = answered[_i].firewall;
	c.payload.flags |= PAYLOAD_ADDRS4;
	c.payload.addrs4[0] = relay_addr(answered[_i].listed);
	c.payload.addrs4_len = 1;
	client_write(&c, &g, 1);
	ck_assert_int_eq(
	    deliver_message(&g, RELAY, answered[_i].client, &c, 1), 0);
	take_answer(&g, message, &s);
	conn = peers_conn_after(g.peers, 0);
	ck_assert_int_eq(conn->punch.puncher != NULL,
	    answered[_i].firewall != FIREWALL_OPEN);
	if (answered[_i].by_puncher)
		ck_assert_int_eq(
		    s->meta.sock, puncher_sock(conn->punch.puncher));
	else
		ck_assert_int_eq(s->meta.sock, g.n.sock);
	rig_fini(&g);
}
END_TEST

/* The listener probes a neighbour only inside the prefix of an interface. */
static const struct {
	const char *own, *theirs;
	uint8_t prefix_len;
	bool on_link;
} links[] = {
    {"192.168.7.2", "192.168.7.3:4000", 24, true},
    {"192.168.7.2", "192.168.8.3:4000", 24, false},
    {"192.168.7.2", "192.168.8.3:4000", 20, true},
    {"192.168.7.2", "192.168.16.3:4000", 20, false},
    {"192.168.7.2", "192.168.7.130:4000", 25, false},
    {"192.168.7.2", "192.168.7.2:4000", 24, false},
    {"192.168.7.2", "192.168.7.255:4000", 24, false},
    {"192.168.7.2", "192.168.7.255:4000", 20, true},
    {"192.168.7.2", "192.168.7.0:4000", 24, false},
    {"10.0.0.4", "10.0.0.5:4000", 31, true},
    {"10.0.0.4", "10.0.0.5:4000", 32, false},
    {"10.0.0.4", "10.255.3.5:4000", 8, true},
    {"10.0.0.4", "11.0.0.5:4000", 0, false}, /* not private */
    {"10.0.0.4", "10.0.0.5", 8, false},      /* no port */
};

START_TEST(selects_neighbours_by_prefix)
{
	struct payload theirs = {.addrs4_len = 1};
	struct addr own, out[1];
	struct local_addrs l;

	ck_assert_int_eq(addr_parse(&own, links[_i].own, 1), 0);
	ck_assert_int_eq(addr_parse(&theirs.addrs4[0], links[_i].theirs, 1), 0);
	if (strchr(links[_i].theirs, ':') == NULL)
		theirs.addrs4[0].port = 0;
	local_addrs_set(&l, &own, &links[_i].prefix_len, 1);
	ck_assert_uint_eq(
	    local_addrs_on_link(&l, &theirs, out, 1), links[_i].on_link);
}
END_TEST

/* ---- limits: pitfalls V4, V5 ---- */

static void
assert_gets_in(
    struct rig *g, const char *via, const char *client, uint32_t seed)
{
	struct client c;

	client_new(&c, g, seed);
	sim_clear(&g->n.host.world);
	ck_assert_int_eq(deliver_message(g, via, client, &c, 1), 0);
	client_read(&c, g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_OK);
}

/* Writes bytes that look like a handshake. */
static void
forge_message(struct rig *g, uint8_t *out, size_t len)
{
	prng_fill(&g->n.host.world.rand, out, len);
}

/* A flood from one /24, with valid handshakes among it, takes no memory. */
START_TEST(forged)
{
	uint8_t message[120];
	struct rig g;
	char client[ADDR_TEXT_MAX];

	rig_init(&g);
	for (uint32_t i = 0; i < 10000; i++) {
		struct addr a =
		    addr_v4(66, 0, 0, (uint8_t)i, (uint16_t)(1024 + i));

		forge_message(&g, message, sizeof message);
		ck_assert_int_lt(
		    deliver_as(&g, NULL, &a, message, sizeof message, 1), 0);
		sim_clear(&g.n.host.world);
		if (i % 100 == 0) {
			snprintf(client, sizeof client, "67.0.%u.1:5000",
			    (unsigned)(i / 100));
			assert_gets_in(&g, NULL, client, i);
			relay_pass_ms(&g.n, 10);
		}
	}
	ck_assert_uint_eq(g.n.host.stats.handshakes, 100);
	rig_fini(&g);
}
END_TEST

/* The same with valid handshakes, which any host can make. */
START_TEST(flood_of_one_prefix)
{
	struct client *some = calloc(100, sizeof *some);
	struct rig g;

	rig_init(&g);
	ck_assert_ptr_nonnull(some);
	for (uint32_t i = 0; i < 100; i++)
		client_new(&some[i], &g, 5000 + i);
	for (uint32_t i = 0; i < 100000; i++) {
		struct client *c = &some[i % 100];
		struct addr a =
		    addr_v4(66, 0, 0, (uint8_t)i, (uint16_t)(1024 + i));

		/* New bytes each time: the last MAC is wrong. */
		c->message[c->len - 1] ^= (uint8_t)(i >= 100);
		memcpy(c->message + 40, &i, i >= 100 ? sizeof i : 0);
		deliver_as(&g, NULL, &a, c->message, c->len, 1);
		sim_clear(&g.n.host.world);
		if (i % 10000 == 0)
			relay_pass_ms(&g.n, 100);
	}
	ck_assert_uint_le(count_conns(&g), g.n.host.limits.half_open_prefix);
	ck_assert_uint_ge(g.n.host.stats.drop[-ERR_BUDGET], 90000);
	/* Only those that were computed have cost memory. */
	ck_assert_uint_le(alloc_count, 2000);
	assert_gets_in(&g, NULL, CLIENT, 1);
	assert_gets_in(&g, RELAY, "67.0.0.1:5000", 2);
	rig_fini(&g);
	free(some);
}
END_TEST

/* A source that is no relay of ours is charged itself, whatever client it
 * names. */
START_TEST(no_source_evicts_the_handshakes_of_others)
{
	struct rig g;
	uint32_t max;

	rig_init(&g);
	max = g.n.host.limits.half_open_prefix = 16;
	assert_gets_in(&g, NULL, "67.0.0.1:5000", 1);
	for (uint32_t i = 0; i < 2 * max; i++) {
		char named[ADDR_TEXT_MAX];

		snprintf(named, sizeof named, "67.0.0.%u:5000", (unsigned)i);
		assert_gets_in(&g, "66.0.0.1:6000", named, 2 + i);
		ck_assert_uint_le(count_conns(&g), 1 + max);
	}
	ck_assert_uint_eq(count_conns(&g), 1 + max);
	rig_fini(&g);
}
END_TEST

static void
deliver_directly(struct rig *g, uint8_t net, uint32_t count, bool validated)
{
	for (uint32_t i = 0; i < count; i++) {
		struct addr a = addr_v4(net, 0, (uint8_t)i, 1, 5000);
		struct client c;

		if (validated)
			rate_limiter_validate(
			    &g->n.d->limiter, &g->n.host.world.w, &a);
		client_new(&c, g, net * 256u + i);
		deliver_as(g, NULL, &a, c.message, c.len, 1);
	}
}

/* Unvalidated sources use half of the burst of operations. Validated hosts come
 * first, up to their share, and evict the others; each relay has its own. */
START_TEST(validated_sources_come_first)
{
	struct addr client = addr_v4(68, 0, 0, 1, 5000);
	struct addr relay = addr_v4(69, 0, 0, 1, 5000);
	struct handshake_source through = {
	    .trust = HANDSHAKE_VALIDATED, .payer = &client, .relay = &relay};
	struct handshake_budget *hb;
	struct stats *st;
	struct rig g;

	rig_init(&g);
	st = &g.n.host.stats;
	hb = &g.peers->listeners->sessions.budget;
	g.n.host.limits.handshake_operations = 800; /* a burst of 400 */
	g.n.host.limits.half_open = 50;
	deliver_directly(&g, 66, 100, false);
	ck_assert_uint_eq(st->handshakes, 40);
	ck_assert_uint_eq(st->handshakes_unvalidated_refused, 60);
	deliver_directly(&g, 67, 100, true);
	ck_assert_uint_eq(st->handshakes, 60);
	ck_assert_uint_eq(st->handshakes_refused, 80);
	ck_assert_uint_eq(st->handshakes_evicted, 10);
	ck_assert_uint_eq(st->handshake_operations, 60 * HANDSHAKE_OPERATIONS);
	ck_assert_uint_eq(
	    g.peers->listeners->sessions.half_open[HANDSHAKE_VALIDATED].len,
	    20);
	for (int i = 0; i < 20; i++) {
		ck_assert(handshake_budget_take(hb, &through));
		ck_assert_int_eq(through.trust, HANDSHAKE_VALIDATED);
	}
	ck_assert(!handshake_budget_take(hb, &through));
	ck_assert_uint_eq(st->handshakes_refused, 81);
	rig_fini(&g);
}
END_TEST

/* What one relay forwards in the name of a client uses up nothing of what the
 * client has through another: within the relay's share, and beyond it. */
START_TEST(a_relay_pays_for_itself)
{
	struct addr client = addr_v4(68, 0, 0, 1, 5000);
	struct addr bad = addr_v4(69, 0, 0, 1, 5000);
	struct addr good = addr_v4(70, 0, 0, 1, 5000);
	struct handshake_budget *hb;
	struct handshake_source s;
	struct rig g;
	int as_itself = 0;

	rig_init(&g);
	g.n.host.limits.handshake_operations =
	    8000; /* 200 in a relay's burst */
	relay_pass_ms(&g.n, 1000);
	hb = &g.peers->listeners->sessions.budget;
	for (int i = 0; i < 64; i++) {
		s = (struct handshake_source){
		    HANDSHAKE_VALIDATED, &client, &bad};
		ck_assert(handshake_budget_take(hb, &s));
		ck_assert_ptr_eq(s.payer, &client);
	}
	ck_assert(!handshake_budget_take(hb, &s));
	for (int i = 0; i < 250; i++) {
		struct addr other = addr_v4(71, 0, (uint8_t)i, 1, 5000);

		s = (struct handshake_source){
		    HANDSHAKE_VALIDATED, &other, &bad};
		if (handshake_budget_take(hb, &s) && s.payer == &bad) {
			ck_assert_ptr_null(s.relay);
			ck_assert_int_eq(s.trust, HANDSHAKE_UNVALIDATED);
			as_itself++;
		}
	}
	ck_assert_int_eq(as_itself, 64); /* the budget of its own /24 */
	s = (struct handshake_source){HANDSHAKE_VALIDATED, &client, &good};
	ck_assert(handshake_budget_take(hb, &s));
	ck_assert_int_eq(s.trust, HANDSHAKE_VALIDATED);
	rig_fini(&g);
}
END_TEST

/* A table full of sessions of validated hosts refuses the others. */
START_TEST(unvalidated_sources_find_no_place)
{
	struct rig g;

	rig_init(&g);
	g.n.host.limits.half_open = 10;
	deliver_directly(&g, 67, 10, true);
	deliver_directly(&g, 66, 5, false);
	ck_assert_uint_eq(g.n.host.stats.handshakes, 10);
	ck_assert_uint_eq(g.n.host.stats.handshakes_evicted, 0);
	deliver_directly(&g, 68, 5, true);
	ck_assert_uint_eq(g.n.host.stats.handshakes, 15);
	ck_assert_uint_eq(g.n.host.stats.handshakes_evicted, 5);
	rig_fini(&g);
}
END_TEST

/* From many prefixes: the oldest are evicted, the table keeps its size. A
 * quarter of the punchers is reserved for our own dials. */
static const struct {
	uint32_t half_open, punchers;
} half_open[] = {{50, 1000}, {1000, 66}};

START_TEST(half_open_in_all)
{
	struct limits l;
	struct rig g;

	rig_init(&g);
	l = g.n.host.limits;
	l.handshake_operations = 1000000;
	l.half_open = half_open[_i].half_open;
	l.punchers = half_open[_i].punchers;
	g.n.host.limits = l;
	dht_limits_changed(g.n.d);
	relay_pass_ms(&g.n, 1000); /* the budget fills up */
	for (uint32_t i = 0; i < 300; i++) {
		char client[ADDR_TEXT_MAX];

		snprintf(client, sizeof client, "67.%u.%u.1:5000",
		    (unsigned)(i >> 8), (unsigned)(i & 255));
		assert_gets_in(&g, NULL, client, i);
		ck_assert_uint_le(count_conns(&g), 50);
	}
	ck_assert_uint_eq(count_conns(&g), 50);
	ck_assert_uint_eq(g.n.host.stats.handshakes_evicted, 250);
	rig_fini(&g);
}
END_TEST

/* A changed limit is applied at once and later on. */
START_TEST(handshakes_follow_their_limit)
{
	struct limits l;
	struct rig g;

	rig_init(&g);
	l = g.n.host.limits;
	for (uint32_t i = 0; i < 120; i++) {
		char client[ADDR_TEXT_MAX];

		if (i == 60 || i == 100) {
			l.handshakes = i == 60 ? 16 : 32;
			g.n.host.limits = l;
			dht_limits_changed(g.n.d);
			peers_limits_changed(g.peers);
			ck_assert_uint_eq(count_conns(&g), 16);
		}
		snprintf(client, sizeof client, "67.0.%u.1:5000", (unsigned)i);
		assert_gets_in(&g, NULL, client, i);
		ck_assert_uint_le(
		    g.peers->listeners->sessions.pool.len, l.handshakes);
	}
	ck_assert_uint_eq(count_conns(&g), 32);
	rig_fini(&g);
}
END_TEST

/* Pitfall V5: failed ones are evicted, and the next is answered. */
START_TEST(failures_in_a_row)
{
	struct rig g;

	rig_init(&g);
	for (uint32_t i = 0; i < 300; i++) {
		assert_gets_in(&g, NULL, CLIENT, i);
		relay_pass_ms(&g.n, 1000);
	}
	relay_pass_ms(&g.n, 11000);
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/* ---- slots ---- */

/* Returns the error in the answer to a handshake of this key. */
static uint64_t
dial_from(struct rig *g, const char *client, uint32_t key, uint32_t seed)
{
	struct client c;

	client_init(&c, key);
	client_write(&c, g, seed);
	sim_clear(&g->n.host.world);
	ck_assert_int_eq(deliver_message(g, NULL, client, &c, 1), 0);
	client_read(&c, g);
	ck_assert_int_eq(c.answer.error == SIGNAL_OK, c.answer.udx_id != 0);
	return c.answer.error;
}

/* As above, of a peer with a key and a /24 of its own. */
static uint64_t
dial_alone(struct rig *g, uint32_t peer)
{
	char client[ADDR_TEXT_MAX];

	snprintf(client, sizeof client, "67.%u.%u.1:5000",
	    (unsigned)(peer >> 8), (unsigned)(peer & 255));
	return dial_from(g, client, peer, peer);
}

static void
set_limits(struct rig *g, uint32_t connections, uint32_t listener)
{
	g->n.host.limits.connections = connections;
	g->n.host.limits.dial_reserve = 4;
	g->n.host.limits.listener_connections = listener;
	dht_limits_changed(g->n.d);
	peers_limits_changed(g->peers);
}

/* At the limit of the listener, and of the node less the reserve for dials. */
static const struct {
	uint32_t connections, listener;
} full[] = {{100, 12}, {16, 100}};

START_TEST(full_listener_refuses_in_the_handshake)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	set_limits(&g, full[_i].connections, full[_i].listener);
	for (uint32_t i = 0; i < 12; i++)
		ck_assert_uint_eq(dial_alone(&g, i), SIGNAL_OK);
	ck_assert_uint_eq(dial_alone(&g, 20), SIGNAL_TRY_LATER);
	ck_assert_uint_eq(count_conns(&g), 12);
	ck_assert(!take_event(&g, PEER_OPEN, NULL));
	ck_assert_uint_eq(listener_status(&g).refused, 1);
	ck_assert_uint_eq(listener_status(&g).conns_len, 12);
	ck_assert_uint_eq(g.n.host.stats.conns_refused, 1);
	/* A copy is answered as the first one was. */
	client_new(&c, &g, 20);
	sim_clear(&g.n.host.world);
	ck_assert_int_eq(deliver_message(&g, NULL, "67.0.20.1:5000", &c, 2), 0);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_TRY_LATER);
	/* The limits may change at any time, and a slot becomes free. */
	set_limits(&g, 100, 13);
	ck_assert_uint_eq(dial_alone(&g, 21), SIGNAL_OK);
	set_limits(&g, 16, 4);
	ck_assert_uint_eq(dial_alone(&g, 22), SIGNAL_TRY_LATER);
	ck_assert_uint_eq(count_conns(&g), 13);
	relay_pass_ms(&g.n, 11000);
	ck_assert_uint_eq(count_conns(&g), 0);
	ck_assert_uint_eq(dial_alone(&g, 23), SIGNAL_OK);
	rig_fini(&g);
}
END_TEST

/* One key at one address dials until it is refused; another peer gets in. */
START_TEST(one_key_takes_half)
{
	struct rig g;
	uint32_t got = 0;

	rig_init(&g);
	set_limits(&g, 100, 20);
	for (uint32_t i = 0; i < 40; i++)
		got += dial_from(&g, CLIENT, 1, 100 + i) == SIGNAL_OK;
	ck_assert_uint_eq(got, 10);
	for (uint32_t i = 2; i < 12; i++)
		ck_assert_uint_eq(dial_alone(&g, i), SIGNAL_OK);
	ck_assert_uint_eq(count_conns(&g), 20);
	/* The listener is full: a half-open handshake of that key gives way,
	 * and the program is not told of any. */
	ck_assert_uint_eq(dial_alone(&g, 12), SIGNAL_OK);
	ck_assert_uint_eq(dial_from(&g, CLIENT, 1, 200), SIGNAL_TRY_LATER);
	ck_assert_uint_eq(count_conns(&g), 20);
	ck_assert_uint_eq(g.n.host.stats.conns_displaced, 1);
	ck_assert(!take_event(&g, PEER_CLOSED, NULL));
	rig_fini(&g);
}
END_TEST

/* Keys on the allow list have no share, but no more than all slots. */
START_TEST(allowed_keys_stand_outside)
{
	struct client c;
	uint8_t allow[1][KEY_LEN];
	struct peers_listen l = {.allow = allow, .allow_len = 1};
	struct rig g;

	client_init(&c, 1);
	memcpy(allow[0], c.keys.public_key, KEY_LEN);
	rig_init_as(&g, DHT_AUTO, SELF);
	rig_listen(&g, &l);
	set_limits(&g, 100, 15);
	for (uint32_t i = 0; i < 15; i++)
		ck_assert_uint_eq(dial_from(&g, CLIENT, 1, i), SIGNAL_OK);
	ck_assert_uint_eq(dial_from(&g, CLIENT, 1, 15), SIGNAL_TRY_LATER);
	rig_fini(&g);
}
END_TEST

/* The limit of a listener binds every key, listed ones too. */
START_TEST(listener_limits_each_peer)
{
	struct client c;
	uint8_t allow[1][KEY_LEN];
	struct peers_listen l = {.allow = allow, .limits = {.per_peer = 2}};
	struct rig g;

	client_init(&c, 1);
	memcpy(allow[0], c.keys.public_key, KEY_LEN);
	l.allow_len = (size_t)_i;
	rig_init_as(&g, DHT_AUTO, SELF);
	rig_listen(&g, &l);
	ck_assert_uint_eq(dial_from(&g, CLIENT, 1, 1), SIGNAL_OK);
	ck_assert_uint_eq(dial_from(&g, "66.1.1.1:7", 1, 2), SIGNAL_OK);
	/* Two that have vanished do not count, but it takes a while to know. */
	for (uint32_t i = 3; i < 6; i++) {
		client_init(&c, 1);
		client_write(&c, &g, i);
		sim_clear(&g.n.host.world);
		ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 1), 0);
		ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 2), 0);
		ck_assert_uint_eq(count_answers(&g), 0);
		ck_assert_uint_eq(count_conns(&g), 2);
		for (unsigned ms = 0; ms < 1900; ms += 10)
			relay_pass_ms(&g.n, 10);
		ck_assert_uint_eq(count_answers(&g), 0);
		for (unsigned ms = 0; ms < 200; ms += 10)
			relay_pass_ms(&g.n, 10);
		ck_assert_uint_eq(count_answers(&g), 2); /* of the copy too */
		ck_assert_uint_eq(count_conns(&g), 2);
		ck_assert_uint_eq(g.n.host.stats.conns_silent, i - 2);
	}
	ck_assert_uint_eq(g.n.host.stats.conns_refused, 0);
	conn_close(peers_conn_after(g.peers, 0));
	ck_assert_uint_eq(dial_from(&g, CLIENT, 1, 7), SIGNAL_OK);
	/* The listener ends meanwhile. */
	client_init(&c, 1);
	client_write(&c, &g, 8);
	ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 1), 0);
	peers_unlisten(g.peers, g.listener);
	relay_pass_ms(&g.n, 3000);
	ck_assert_uint_eq(count_answers(&g), 0);
	rig_fini(&g);
}
END_TEST

/* Accepted connections leave the reserve to our own dials, and dials never take
 * more than the limit. */
START_TEST(dials_have_a_reserve)
{
	struct conn_spec spec;
	struct rig g;
	uint32_t n = 0;
	int err;

	rig_init(&g);
	set_limits(&g, 16, 100);
	for (uint32_t i = 0; i < 20; i++)
		n += dial_alone(&g, i) == SIGNAL_OK;
	ck_assert_uint_eq(n, 12);
	spec = (struct conn_spec){
	    .key = g.keys.public_key, .own_key = g.keys.public_key};
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_ptr_nonnull(conn_new(g.peers, &spec, &err));
	ck_assert_ptr_null(conn_new(g.peers, &spec, &err));
	ck_assert_int_eq(err, ERR_LIMIT);
	rig_fini(&g);
}
END_TEST

/* ---- listeners ---- */

START_TEST(several_keys)
{
	struct peers_listen l = {0};
	struct key_pair other;
	struct peers_listener st;
	struct rig g;
	uint32_t n1, n2;

	rig_init(&g);
	l.keys = &g.keys;
	ck_assert_int_eq(peers_listen(g.peers, &l, &n1), ERR_EXISTS);
	seed_keys(&other, 3);
	l.keys = &other;
	ck_assert_int_eq(peers_listen(g.peers, &l, &n2), 0);
	ck_assert_uint_ne(n2, g.listener);
	ck_assert(peers_listener_after(g.peers, g.listener, &st));
	ck_assert_uint_eq(st.number, n2);
	ck_assert(!peers_listener_after(g.peers, n2, &st));
	/* Numbers of listeners that do not exist are valid. */
	ck_assert(!peers_listener_after(g.peers, UINT32_MAX, &st));
	assert_gets_in(&g, NULL, CLIENT, 1);
	/* To one key, sealed for the other. */
	key_target(g.target, other.public_key);
	struct client c;
	client_new(&c, &g, 2);
	ck_assert_int_lt(deliver_message(&g, NULL, CLIENT, &c, 1), 0);
	/* A copy sent to the wrong key does not block the right one, and does
	 * not get its answer. */
	key_target(g.target, g.keys.public_key);
	sim_clear(&g.n.host.world);
	ck_assert_int_eq(deliver_message(&g, NULL, CLIENT, &c, 1), 0);
	ck_assert_uint_eq(count_answers(&g), 1);
	key_target(g.target, other.public_key);
	ck_assert_int_lt(deliver_message(&g, NULL, CLIENT, &c, 1), 0);
	ck_assert_uint_eq(count_answers(&g), 1);
	rig_fini(&g);
}
END_TEST

START_TEST(unlisten)
{
	struct peers_listener st;
	struct peer_event e;
	struct client c;
	struct rig g;

	rig_init(&g);
	assert_gets_in(&g, NULL, CLIENT, 1);
	peers_unlisten(g.peers, g.listener);
	peers_unlisten(g.peers, g.listener);
	ck_assert(!peers_listener_after(g.peers, 0, &st));
	client_new(&c, &g, 2);
	deliver_message(&g, NULL, CLIENT, &c, 1);
	ck_assert_uint_eq(count_answers(&g), 0);
	ck_assert_uint_eq(count_conns(&g), 1); /* connections stay */
	relay_pass_ms(&g.n, 100);
	ck_assert(take_event(&g, PEER_UNLISTENED, &e));
	ck_assert_uint_eq(e.number, g.listener);
	ck_assert_uint_eq(peers_listeners(g.peers), 0);
	rig_listen(&g, NULL); /* the key is free again */
	rig_fini(&g);
}
END_TEST

START_TEST(limit_of_listeners)
{
	struct peers_listen l = {0};
	struct key_pair keys[4];
	struct limits limits;
	struct rig g;
	uint32_t n;

	rig_init_as(&g, DHT_AUTO, SELF);
	limits = g.n.host.limits;
	limits.listeners = 3;
	g.n.host.limits = limits;
	dht_limits_changed(g.n.d);
	for (uint32_t i = 0; i < 4; i++) {
		seed_keys(&keys[i], 10 + i);
		l.keys = &keys[i];
		ck_assert_int_eq(
		    peers_listen(g.peers, &l, &n), i < 3 ? 0 : ERR_LIMIT);
	}
	rig_fini(&g);
}
END_TEST

/* ---- connections ---- */

/* The client is a node too; the test carries the datagrams. */
struct pair {
	struct rig server, client;
	struct conn *c; /* the client's end */
};

static void
carry_to(struct rig *from, struct rig *to, int sock, const char *as)
{
	struct dgram dg = {.sock = sock, .from = relay_addr(as)};

	for (size_t i = 0; i < from->n.host.world.sent_len; i++) {
		const struct sim_sent *s = &from->n.host.world.sent[i];

		if (s->buf[0] != 0xff)
			continue;
		dg.buf = s->buf;
		dg.len = s->len;
		udx_recv(to->udx, &dg);
	}
	sim_clear(&from->n.host.world);
}

static void
carry_datagrams(struct rig *from, struct rig *to, const char *as)
{
	carry_to(from, to, to->n.sock, as);
}

static void
run_pair(struct pair *p, unsigned ms)
{
	for (unsigned i = 0; i < ms; i += 10) {
		carry_datagrams(&p->server, &p->client, SELF);
		carry_datagrams(&p->client, &p->server, CLIENT);
		drain_events(&p->client);
		drain_events(&p->server);
		relay_pass_ms(&p->server.n, 10);
		relay_pass_ms(&p->client.n, 10);
	}
}

static void
pair_init_with(
    struct pair *p, const char *via, const struct peers_listen *listen)
{
	struct addr server = relay_addr(SELF);
	struct conn_spec spec;
	struct client c;
	int err;

	rig_init_as(&p->server, DHT_AUTO, SELF);
	rig_listen(&p->server, listen);
	rig_init_as(&p->client, DHT_AUTO, CLIENT);
	spec = (struct conn_spec){.key = p->server.keys.public_key,
	    .own_key = p->client.keys.public_key};
	p->c = conn_new(p->client.peers, &spec, &err);
	ck_assert_ptr_nonnull(p->c);
	client_init(&c, 1);
	c.payload.udx_id = conn_udx_id(p->c);
	client_write(&c, &p->server, 1);
	deliver_message(&p->server, via, CLIENT, &c, 1);
	client_read(&c, &p->server);
	ck_assert_int_eq(
	    conn_complete_handshake(p->c, &c.secrets, true, c.answer.udx_id),
	    0);
	conn_add_path(p->c, CONN_PATH_DIRECT, p->client.n.sock, &server);
}

static void
pair_init(struct pair *p, const char *via)
{
	pair_init_with(p, via, NULL);
}

static void
pair_fini(struct pair *p)
{
	rig_fini(&p->client);
	rig_fini(&p->server);
}

/* The client's packets arrive, ours do not: another path is still accepted. */
START_TEST(accepts_paths_while_unacknowledged)
{
	struct peer_event e;
	struct pair p;

	pair_init(&p, RELAY);
	for (int i = 0; i < 30; i++) {
		carry_datagrams(&p.client, &p.server, CLIENT);
		drain_events(&p.client);
		drain_events(&p.server);
		relay_pass_ms(&p.server.n, 10);
		relay_pass_ms(&p.client.n, 10);
	}
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	ck_assert_uint_eq(listener_status(&p.server).accepted, 0);
	run_pair(&p, 3000);
	ck_assert_uint_eq(listener_status(&p.server).accepted, 1);
	ck_assert_uint_eq(count_conns(&p.server), 1);
	pair_fini(&p);
}
END_TEST

/* The first packet of the client, from any source: protocol 03 §7.2. */
START_TEST(opens)
{
	struct peer_event e;
	struct addr a = relay_addr(CLIENT);
	struct pair p;

	pair_init(&p, _i == 0 ? RELAY : NULL);
	run_pair(&p, 300);
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	ck_assert(addr_equal(&e.addr, &a));
	ck_assert_uint_eq(e.listener, p.server.listener);
	ck_assert_uint_eq(listener_status(&p.server).accepted, 1);
	/* No timer of the handshake ends it any more: pitfall V6. */
	run_pair(&p, 25000);
	ck_assert_uint_eq(count_conns(&p.server), 1);
	ck_assert(!take_event(&p.server, PEER_CLOSED, NULL));
	/* The end of the listener does not either. */
	peers_unlisten(p.server.peers, p.server.listener);
	run_pair(&p, 1000);
	ck_assert(take_event(&p.server, PEER_UNLISTENED, NULL));
	ck_assert_uint_eq(count_conns(&p.server), 1);
	pair_fini(&p);
}
END_TEST

/* A key with its number of connections dials once more: while these answer, it
 * is refused in the handshake; if it has vanished, the oldest one ends. */
START_TEST(counts_living_connections_of_a_peer)
{
	struct peers_listen l = {.limits = {.per_peer = 1}};
	bool alive = _i == 0;
	struct peer_event e;
	struct client c;
	struct pair p;
	unsigned ms = 0;

	pair_init_with(&p, RELAY, &l);
	run_pair(&p, 300);
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	client_init(&c, 1);
	client_write(&c, &p.server, 2);
	deliver_message(&p.server, RELAY, CLIENT, &c, 2);
	for (; ms < 3000 && count_answers(&p.server) == 0; ms += 10) {
		if (alive)
			run_pair(&p, 10);
		else
			relay_pass_ms(&p.server.n, 10);
	}
	ck_assert_uint_le(ms, alive ? 600 : 2300);
	client_read(&c, &p.server);
	ck_assert_uint_eq(c.answer.error, alive ? SIGNAL_TRY_LATER : SIGNAL_OK);
	ck_assert_uint_eq(p.server.n.host.stats.conns_silent, !alive);
	ck_assert(take_event(&p.server, PEER_CLOSED, &e) == !alive);
	if (!alive)
		ck_assert_int_eq(e.err, ERR_TIMEOUT);
	pair_fini(&p);
}
END_TEST

/* ---- blind relays ---- */

/* Makes a connection of the server one that is paired at a relay which forwards
 * from this address; `k` is its control connection, or NULL. */
static void
pair_at_relay(struct rig *g, struct conn *c, const char *relay, struct conn *k)
{
	c->relay.state = CONN_RELAY_PAIRED;
	c->relay.id = c->peer_udx_id; /* this relay rewrites none */
	c->relay.sock = g->n.sock;
	c->relay.addr = relay_addr(relay);
	c->relay.paired_us = g->peers->core->world->now_us;
	c->relay.number = k != NULL ? conn_number(k) : 0;
	conn_add_path(c, CONN_PATH_RELAYED, c->relay.sock, &c->relay.addr);
}

/* A relay that has paired but forwards nothing holds a handshake for ten
 * seconds and no longer. */
START_TEST(a_silent_relay_has_a_deadline)
{
	struct client c;
	struct conn *conn;
	struct rig g;

	rig_init(&g);
	client_new(&c, &g, 1);
	deliver_message(&g, RELAY, CLIENT, &c, 1);
	conn = peers_conn_after(g.peers, 0);
	pair_at_relay(&g, conn, RELAY2, NULL);
	relay_pass_ms(&g.n, 9900);
	ck_assert(conn_relay_is_pending(conn));
	relay_pass_ms(&g.n, 200);
	ck_assert(!conn_relay_is_pending(conn));
	for (unsigned s = 0; s < 25; s++)
		relay_pass_ms(&g.n, 1000);
	ck_assert_uint_eq(count_conns(&g), 0);
	rig_fini(&g);
}
END_TEST

/* The session of a relayed stream that is still punching is evicted: the stream
 * stays, and a copy of the handshake is answered from another socket than the
 * puncher's, which the session has no more. */
START_TEST(answers_copies_of_an_evicted_relayed_session)
{
	struct conn *conn;
	struct client c;
	struct pair p;

	pair_init(&p, RELAY);
	conn = peers_conn_after(p.server.peers, 0);
	pair_at_relay(&p.server, conn, CLIENT, NULL);
	run_pair(&p, 300);
	ck_assert(conn_relay_is_punching(conn));
	ck_assert_uint_eq(listener_status(&p.server).accepted, 0);
	p.server.n.host.limits.half_open = 1;
	sim_clear(&p.server.n.host.world);
	client_new(&c, &p.server, 2);
	deliver_message(&p.server, RELAY, CLIENT, &c, 1);
	ck_assert_uint_eq(p.server.n.host.stats.handshakes_evicted, 1);
	ck_assert(conn_is_open(conn));
	sim_clear(&p.server.n.host.world);
	client_init(&c, 1);
	c.payload.udx_id = conn_udx_id(p.c);
	client_write(&c, &p.server, 1);
	deliver_message(&p.server, RELAY2, CLIENT, &c, 2);
	ck_assert_uint_eq(count_answers(&p.server), 1);
	pair_fini(&p);
}
END_TEST

/* The first packets of a stream are charged to the address that a relay names
 * for an open client: all of them, or none is sent. */
START_TEST(stream_start_is_charged)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	g.n.host.limits.probe_burst = _i == 0 ? 2 : 3;
	client_init(&c, 1);
	c.payload.firewall = FIREWALL_OPEN;
	client_write(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 1), 0);
	drain_events(&g);
	ck_assert(conn_has_path(peers_conn_after(g.peers, 0)) == (_i == 1));
	ck_assert(_i == 1 || first_udx(&g) == NULL);
	ck_assert_uint_eq(g.n.host.stats.probes_refused, _i == 0 ? 3 : 0);
	rig_fini(&g);
}
END_TEST

/* Returns a control connection that stays in progress. */
static struct conn *
make_control(struct rig *g, struct conn *user)
{
	static const uint8_t token[PAYLOAD_TOKEN_LEN];
	struct conn_spec spec = {.key = g->keys.public_key,
	    .own_key = g->keys.public_key,
	    .purpose = CONN_FOR_RELAY};
	struct relay_client_spec client = {.key = g->keys.public_key,
	    .token = token,
	    .stream_id = conn_udx_id(user)};
	int err;
	struct conn *k = conn_new(g->peers, &spec, &err);

	ck_assert_ptr_nonnull(k);
	k->relay.control.client = relay_client_new(&client);
	ck_assert_ptr_nonnull(k->relay.control.client);
	k->relay.control.user = conn_number(user);
	return k;
}

/* A stream has left its relay for a path on which the peer does not answer.
 * What arrives through the relay is no sign of life of that path: it returns.
 */
START_TEST(returns_to_its_relay)
{
	struct addr nowhere = relay_addr("203.0.115.1:9");
	struct conn *c, *k;
	struct pair p;

	pair_init(&p, RELAY);
	c = peers_conn_after(p.server.peers, 0);
	k = make_control(&p.server, c);
	pair_at_relay(&p.server, c, CLIENT, k);
	run_pair(&p, 300);
	ck_assert(conn_relay_is_used(c));
	ck_assert(conn_is_open(p.c));
	conn_add_path(c, CONN_PATH_DIRECT, p.server.n.sock, &nowhere);
	conn_migrate_to(c, p.server.n.sock, &nowhere);
	ck_assert_int_eq(c->relay.state, CONN_RELAY_LEFT);
	for (unsigned i = 0; i < 31; i++) {
		ck_assert_int_eq(conn_write(p.c, "x", 1), 1);
		run_pair(&p, 100);
	}
	ck_assert_int_eq(c->relay.state, CONN_RELAY_PAIRED);
	ck_assert_uint_eq(c->relay.moves, 1);
	ck_assert(conn_relay_is_used(c));
	/* The control connection goes with its user. */
	conn_close(c);
	run_pair(&p, 100);
	ck_assert_uint_eq(HASH_COUNT(p.server.peers->conns), 0);
	pair_fini(&p);
}
END_TEST

/* ---- memory ---- */

enum { CROWD_MAX = 512, HALF_FRAME = 300000 };

/* Opens one more connection of the client under this key. */
static struct conn *
open_further(struct pair *p, uint32_t key, uint32_t seed)
{
	struct conn_spec spec = {.key = p->server.keys.public_key,
	    .own_key = p->client.keys.public_key};
	struct addr server = relay_addr(SELF);
	struct client c;
	int err;
	struct conn *conn = conn_new(p->client.peers, &spec, &err);

	ck_assert_ptr_nonnull(conn);
	client_init(&c, key);
	c.payload.udx_id = conn_udx_id(conn);
	client_write(&c, &p->server, seed);
	sim_clear(&p->server.n.host.world);
	deliver_message(&p->server, RELAY, CLIENT, &c, 1);
	client_read(&c, &p->server);
	ck_assert_uint_eq(c.answer.error, SIGNAL_OK);
	ck_assert_int_eq(
	    conn_complete_handshake(conn, &c.secrets, true, c.answer.udx_id),
	    0);
	conn_add_path(conn, CONN_PATH_DIRECT, p->client.n.sock, &server);
	run_pair(p, 30);
	return conn;
}

/* Initialises a pair without a connection; handshakes are not rationed. */
static void
crowd_init(struct pair *p)
{
	rig_init_as(&p->server, DHT_AUTO, SELF);
	p->server.n.host.limits.handshake_operations = 1000000;
	dht_limits_changed(p->server.n.d);
	peers_limits_changed(p->server.peers);
	rig_listen(&p->server, NULL);
	relay_pass_ms(&p->server.n, 1000);
	rig_init_as(&p->client, DHT_AUTO, CLIENT);
}

/* A tunnel dials once for each TCP connection, under one key: by default that
 * key may have a thousand connections to one listener. Others still get in, and
 * a newcomer displaces none. */
START_TEST(one_key_has_a_thousand_connections)
{
	struct pair p;

	crowd_init(&p);
	for (uint32_t i = 0; i < 1000; i++)
		(void)open_further(&p, 1, 1000 + i);
	run_pair(&p, 300);
	ck_assert_uint_eq(count_conns(&p.server), 1000);
	ck_assert_uint_eq(listener_status(&p.server).accepted, 1000);
	for (uint32_t i = 0; i < 300; i++) {
		if (i % 16 == 0)
			relay_pass_ms(&p.server.n, 1000);
		ck_assert_uint_eq(dial_alone(&p.server, 2 + i), SIGNAL_OK);
	}
	/* From half on the key has more than its share, and gets no more. */
	ck_assert_uint_eq(
	    dial_from(&p.server, "66.7.7.7:7", 1, 5000), SIGNAL_TRY_LATER);
	ck_assert_uint_eq(listener_status(&p.server).accepted, 1000);
	ck_assert_uint_eq(p.server.n.host.stats.conns_displaced, 0);
	ck_assert_uint_eq(p.server.n.host.stats.conns_refused, 1);
	pair_fini(&p);
}
END_TEST

/* Sends part of a frame of 16 MB, which no reader can use. */
static void
send_half_frame(struct conn *c)
{
	uint8_t *p = udx_reserve(c->udx, HALF_FRAME);

	ck_assert_ptr_nonnull(p);
	memset(p, 0x55, HALF_FRAME);
	memcpy(p, "\xff\xff\xff", 3);
	udx_commit(c->udx, HALF_FRAME);
}

/* Has a program read all connections of the server. */
static void
claim_all(struct rig *g)
{
	struct conn *c = NULL;

	while ((c = peers_conn_after(
		    g->peers, c != NULL ? conn_number(c) : 0)) != NULL)
		(void)conn_peek(c);
}

static size_t
heap_used(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

/* Of the window, with what its chunks cost. */
#define UNCLAIMED_HELD_MAX (CONN_UNCLAIMED_WINDOW_BYTES_MAX * 3 / 2)

/* Unfinished frames of many peers: what the heap of the server holds. Peers
 * with too many lose their streams. */
static const struct {
	uint32_t conns;
	bool claimed;
	size_t bytes_max;
} half_sent[] = {
    {30, false, 4 << 20},
    {30, true, 18 << 20},
    {CROWD_MAX, false, 16 << 20},
    {CROWD_MAX, true, 34 << 20},
};

START_TEST(half_sent_frames_take_little_memory)
{
	size_t before, held;
	struct pair p;

	crowd_init(&p);
	before = heap_used();
	for (uint32_t i = 0; i < half_sent[_i].conns; i++) {
		struct conn *c = open_further(&p, 100 + i, 100 + i);

		if (half_sent[_i].claimed)
			claim_all(&p.server);
		send_half_frame(c);
		run_pair(&p, 50);
	}
	if (!half_sent[_i].claimed)
		ck_assert_uint_eq(count_conns(&p.server), half_sent[_i].conns);
	for (unsigned i = 0; i < 20; i++) {
		run_pair(&p, 100);
		if (half_sent[_i].claimed)
			claim_all(&p.server);
	}
	held = udx_buffered(p.server.udx) + p.server.peers->frames.used;
	if (!half_sent[_i].claimed)
		ck_assert_uint_le(
		    held, half_sent[_i].conns * UNCLAIMED_HELD_MAX);
	rig_fini(&p.client);
	held = heap_used();
	held = held > before ? held - before : 0;
	fprintf(stderr, "%u half-sent frames, %s: %zu KiB\n",
	    half_sent[_i].conns, half_sent[_i].claimed ? "claimed" : "waiting",
	    held >> 10);
	ck_assert_uint_le(held, half_sent[_i].bytes_max);
	rig_fini(&p.server);
}
END_TEST

/* What waits is delivered once a program claims the connection, as fast as on
 * any other. */
START_TEST(claimed_connections_get_a_full_window)
{
	static const uint8_t some[4096];
	size_t sent = 0, got = 0;
	struct peer_event e;
	struct conn *c;
	struct pair p;

	pair_init(&p, RELAY);
	run_pair(&p, 300);
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	c = peers_conn(p.server.peers, e.number);
	for (int i = 0; i < 100; i++) {
		ptrdiff_t n;

		while ((n = conn_write(p.c, some, sizeof some)) > 0)
			sent += (size_t)n;
		run_pair(&p, 10);
	}
	ck_assert_uint_gt(sent, CONN_UNCLAIMED_WINDOW_BYTES_MAX);
	ck_assert_uint_le(udx_buffered(p.server.udx), UNCLAIMED_HELD_MAX);
	for (int i = 0; i < 100 && got < sent; i++) {
		struct bytes b;

		while ((b = conn_peek(c)).len > 0) {
			got += b.len;
			conn_consume(c, b.len);
		}
		run_pair(&p, 10);
	}
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_gt(udx_window(c->udx), 200000);
	pair_fini(&p);
}
END_TEST

/* A connection on which only keep-alives move is closed after the time that the
 * listener allows, and not before. */
START_TEST(closes_idle_connections)
{
	struct peers_listen l = {.limits = {.idle_s = 20}};
	struct peer_event e;
	struct conn *c;
	struct pair p;

	pair_init_with(&p, RELAY, &l);
	run_pair(&p, 300);
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	run_pair(&p, 15000);
	c = peers_conn(p.server.peers, e.number);
	if (_i == 0)
		ck_assert_int_eq(conn_write(c, "x", 1), 1);
	else
		ck_assert_int_eq(conn_write(p.c, "x", 1), 1);
	run_pair(&p, 500);
	if (_i == 1) {
		ck_assert_uint_eq(conn_peek(c).len, 1);
		conn_consume(c, 1);
	}
	run_pair(&p, 18000);
	ck_assert_uint_eq(count_conns(&p.server), 1);
	run_pair(&p, 3000);
	ck_assert(take_event(&p.server, PEER_CLOSED, &e));
	ck_assert_int_eq(e.err, ERR_IDLE);
	ck_assert_uint_eq(p.server.n.host.stats.conns_idle, 1);
	pair_fini(&p);
}
END_TEST

/* Pitfall P3: the first packet is received on the puncher's socket; the stream
 * uses that socket. */
START_TEST(opens_on_the_socket_that_punches)
{
	const struct sim_sent *s;
	struct peer_event e;
	struct pair p;
	int sock;

	pair_init(&p, RELAY);
	sock = puncher_sock(peers_conn_after(p.server.peers, 0)->punch.puncher);
	ck_assert_int_ne(sock, p.server.n.sock);
	for (int i = 0; i < 30; i++) {
		carry_to(&p.client, &p.server, sock, CLIENT);
		drain_events(&p.server);
		relay_pass_ms(&p.server.n, 10);
		s = first_udx(&p.server);
		ck_assert(s == NULL || s->meta.sock == sock);
		carry_datagrams(&p.server, &p.client, SELF);
		drain_events(&p.client);
		relay_pass_ms(&p.client.n, 10);
	}
	ck_assert(take_event(&p.server, PEER_OPEN, &e));
	ck_assert_uint_eq(listener_status(&p.server).accepted, 1);
	ck_assert(p.server.n.host.world.socks[sock].open);
	pair_fini(&p);
}
END_TEST

/* Pitfall V9: each kind of end at each time. */
START_TEST(ends)
{
	struct pair p;
	struct conn *c;

	pair_init(&p, RELAY);
	run_pair(&p, (unsigned)(_i / 4) * 10);
	c = peers_conn_after(p.server.peers, 0);
	switch (_i % 4) {
	case 0:
		if (c != NULL)
			conn_close(c);
		break;
	case 1:
		if (c != NULL)
			conn_fail(c, ERR_RESET);
		break;
	case 2:
		peers_unlisten(p.server.peers, p.server.listener);
		break;
	default:
		conn_close(p.c);
		break;
	}
	if (_i % 8 < 4)
		run_pair(&p, 12000);
	drain_events(&p.server);
	pair_fini(&p);
}
END_TEST

/* ---- blind relays ---- */

/* Counts the connections to blind relays: the application sees none. */
static unsigned
count_relay_dials(struct rig *g)
{
	unsigned n = 0;

	drain_events(g);
	for (struct conn *c = g->peers->conns; c != NULL; c = c->hh.next)
		n += c->purpose == CONN_FOR_RELAY && c->state != CONN_CLOSED;
	return n;
}

static void
client_names_relay(struct client *c, struct rig *g, uint32_t seed)
{
	client_init(c, seed);
	c->payload.flags |= PAYLOAD_RELAY_THROUGH;
	memcpy(c->payload.relay_key, c->keys.public_key, KEY_LEN);
	memset(c->payload.relay_token, 6, PAYLOAD_TOKEN_LEN);
	client_write(c, g, seed);
}

/* 0: a client that may need a relay, 1: one that is open. */
START_TEST(names_its_relay)
{
	struct key_pair relay;
	struct peers_listen l = {.relay_through = relay.public_key};
	struct client c;
	struct rig g;

	seed_keys(&relay, 77);
	rig_init_as(&g, DHT_AUTO, SELF);
	rig_listen(&g, &l);
	client_init(&c, 1);
	c.payload.firewall = _i == 0 ? FIREWALL_UNKNOWN : FIREWALL_OPEN;
	client_write(&c, &g, 1);
	ck_assert_int_eq(deliver_message(&g, RELAY, CLIENT, &c, 1), 0);
	client_read(&c, &g);
	ck_assert(payload_has(&c.answer, PAYLOAD_RELAY_THROUGH) == (_i == 0));
	if (_i == 0)
		ck_assert_mem_eq(c.answer.relay_key, relay.public_key, KEY_LEN);
	ck_assert_uint_eq(count_relay_dials(&g), _i == 0);
	rig_fini(&g);
}
END_TEST

/* Pitfall V11: a thousand handshakes name a thousand relays. */
START_TEST(relays_of_clients_are_bounded)
{
	const struct limits *l;
	unsigned followed, most = 0;
	struct client c;
	struct rig g;

	rig_init(&g);
	l = &g.n.host.limits;
	g.n.host.limits.relays_followed = 32;
	for (uint32_t i = 0; i < 1000; i++) {
		struct addr via = {.family = ADDR_NONE}, a;
		char text[ADDR_TEXT_MAX];

		/* The first hundred come from one /24, and name others. */
		snprintf(text, sizeof text, "69.%u.%u.1:5000", i / 250,
		    i < 100 ? 0 : i % 250);
		via = relay_addr(text);
		a = addr_v4(66, (uint8_t)i, 0, 1, 4000);
		rate_limiter_validate(&g.n.d->limiter, &g.n.host.world.w, &via);
		client_names_relay(&c, &g, i);
		deliver_as(&g, text, &a, c.message, c.len, 1);
		sim_clear(&g.n.host.world);
		followed = count_relay_dials(&g);
		ck_assert_uint_le(followed, l->relays_followed);
		if (i < 100)
			ck_assert_uint_le(followed, l->relays_followed_prefix);
		most = followed > most ? followed : most;
	}
	ck_assert_uint_eq(most, l->relays_followed);
	ck_assert_uint_gt(g.n.host.stats.relays_refused, 0);
	rig_fini(&g);
}
END_TEST

/* A client with a forged address has its relay ignored. */
START_TEST(unvalidated_clients_name_no_relay)
{
	struct client c;
	struct rig g;

	rig_init(&g);
	client_names_relay(&c, &g, 1);
	deliver_message(&g, RELAY, CLIENT, &c, 1);
	client_read(&c, &g);
	ck_assert_uint_eq(c.answer.error, SIGNAL_OK);
	ck_assert_uint_eq(count_relay_dials(&g), 0);
	rig_fini(&g);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("listener", &tc);

	tcase_add_test(tc, relayed);
	tcase_add_test(tc, open_server);
	tcase_add_loop_test(tc, answered_with_error, 0, T_ROWS(errors));
	tcase_add_test(tc, refuses_a_redial_without_a_stream);
	tcase_add_test(tc, damaged);
	tcase_add_test(tc, copies_wait_for_one_decision);
	tcase_add_test(tc, copies_after_the_end);
	tcase_add_test(tc, allow_list);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, no_decision);
	tcase_add_test(tc, open_client_is_connected_to);
	tcase_add_test(tc, direct_client_is_connected_to);
	tcase_add_test(tc, idle_sockets_accept_no_stream);
	tcase_add_loop_test(tc, probes_a_client_by_ipv6, 0, 2);
	tcase_add_loop_test(tc, does_not_probe_strangers_on_its_link, 0, 2);
	tcase_add_test(tc, firewalled_client_is_waited_for);
	tcase_add_loop_test(
	    tc, answers_from_the_socket_that_punches, 0, T_ROWS(answered));
	tcase_add_loop_test(tc, selects_neighbours_by_prefix, 0, T_ROWS(links));
	tcase_add_test(tc, forged);
	tcase_add_test(tc, flood_of_one_prefix);
	tcase_add_test(tc, no_source_evicts_the_handshakes_of_others);
	tcase_add_test(tc, validated_sources_come_first);
	tcase_add_test(tc, a_relay_pays_for_itself);
	tcase_add_test(tc, unvalidated_sources_find_no_place);
	tcase_add_loop_test(tc, half_open_in_all, 0, T_ROWS(half_open));
	tcase_add_test(tc, handshakes_follow_their_limit);
	tcase_add_test(tc, failures_in_a_row);
	tcase_add_loop_test(
	    tc, full_listener_refuses_in_the_handshake, 0, T_ROWS(full));
	tcase_add_test(tc, one_key_takes_half);
	tcase_add_test(tc, allowed_keys_stand_outside);
	tcase_add_loop_test(tc, listener_limits_each_peer, 0, 2);
	tcase_add_test(tc, dials_have_a_reserve);
	tcase_add_test(tc, several_keys);
	tcase_add_test(tc, unlisten);
	tcase_add_test(tc, limit_of_listeners);
	tcase_add_test(tc, accepts_paths_while_unacknowledged);
	tcase_add_loop_test(tc, opens, 0, 2);
	tcase_add_loop_test(
	    tc, half_sent_frames_take_little_memory, 0, T_ROWS(half_sent));
	tcase_add_test(tc, claimed_connections_get_a_full_window);
	tcase_add_test(tc, one_key_has_a_thousand_connections);
	tcase_add_test(tc, a_silent_relay_has_a_deadline);
	tcase_add_test(tc, answers_copies_of_an_evicted_relayed_session);
	tcase_add_test(tc, returns_to_its_relay);
	tcase_add_loop_test(tc, stream_start_is_charged, 0, 2);
	tcase_add_loop_test(tc, closes_idle_connections, 0, 2);
	tcase_add_loop_test(tc, counts_living_connections_of_a_peer, 0, 2);
	tcase_add_test(tc, opens_on_the_socket_that_punches);
	tcase_add_loop_test(tc, ends, 0, 32);
	tcase_add_loop_test(tc, names_its_relay, 0, 2);
	tcase_add_test(tc, relays_of_clients_are_bounded);
	tcase_add_test(tc, unvalidated_clients_name_no_relay);
	return s;
}
