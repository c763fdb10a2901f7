/* SPDX-License-Identifier: ISC */
/*
 * Goal: two sides behind NATs find a direct path wherever the NATs allow one,
 * as fast as the relayed round trips allow, and no forged datagram makes them
 * accept another path. Method: the punch module twice, with NATs of the
 * simulator between, a public network of twelve nodes, virtual time; the test
 * performs the handshake itself.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/dht_struct.h"
#include "punch/netcheck.h"
#include "punch_lab.h"
#include "signal/signal_message.h"

static struct punch_lab l;

#define EI NAT_ENDPOINT_INDEPENDENT
#define AD NAT_ADDRESS
#define AP NAT_ADDRESS_AND_PORT

enum box {
	OPEN,
	FULL_CONE,
	RESTRICTED,
	PORT_RESTRICTED,
	SYMMETRIC,
	SEQUENTIAL
};

static const struct punch_box boxes[] = {
    [FULL_CONE] = {EI, EI, NAT_RANDOM},
    [RESTRICTED] = {EI, AD, NAT_RANDOM},
    [PORT_RESTRICTED] = {EI, AP, NAT_RANDOM},
    [SYMMETRIC] = {AP, AP, NAT_RANDOM},
    [SEQUENTIAL] = {AP, AP, NAT_SEQUENTIAL},
};

static void
init(enum box client, enum box server, uint64_t seed)
{
	punch_lab_init(&l, client != OPEN ? &boxes[client] : NULL,
	    server != OPEN ? &boxes[server] : NULL, seed);
}

static void
teardown(void)
{
	punch_lab_fini(&l);
}

/* Time from the client's first message to the first byte returned. A round trip
 * takes 50 ms through the relay, 25 ms directly. */
static const struct {
	enum box client, server;
	bool native;
	uint32_t within_ms; /* 0: it must fail */
} pairs[] = {
    {PORT_RESTRICTED, PORT_RESTRICTED, true, 26},
    {PORT_RESTRICTED, PORT_RESTRICTED, false, 65},
    {FULL_CONE, FULL_CONE, true, 26},
    {FULL_CONE, PORT_RESTRICTED, false, 65},
    {RESTRICTED, RESTRICTED, true, 26},
    {OPEN, PORT_RESTRICTED, true, 26},
    {PORT_RESTRICTED, OPEN, true, 26},
    /* A random NAT, and one that admits it at once. */
    {SYMMETRIC, FULL_CONE, true, 60},
    {SYMMETRIC, RESTRICTED, true, 60},
    {FULL_CONE, SYMMETRIC, true, 60},
    {RESTRICTED, SYMMETRIC, true, 65},
    {SYMMETRIC, FULL_CONE, false, 65},
    /* Birthday punching. */
    {SYMMETRIC, PORT_RESTRICTED, true, 20000},
    {PORT_RESTRICTED, SYMMETRIC, true, 20000},
    {PORT_RESTRICTED, SYMMETRIC, false, 20000},
    /* Port prediction. */
    {SEQUENTIAL, PORT_RESTRICTED, true, 300},
    {PORT_RESTRICTED, SEQUENTIAL, true, 300},
    {SEQUENTIAL, PORT_RESTRICTED, false, 300},
    {SEQUENTIAL, SEQUENTIAL, true, 300},
    {SEQUENTIAL, SEQUENTIAL, false, 300},
    {SYMMETRIC, SYMMETRIC, true, 0},
    {SYMMETRIC, SYMMETRIC, false, 0},
};

START_TEST(punches)
{
	uint64_t began_us;
	bool got;

	init(pairs[_i].client, pairs[_i].server, 11 + (uint64_t)_i);
	punch_keep_ready(l.client.punch, true);
	punch_keep_ready(l.server.punch, true);
	punch_lab_run_ms(&l, 3000);
	punch_lab_handshake(&l);
	punch_lab_begin(&l, pairs[_i].native);
	began_us = l.lan.now_us;
	for (int i = 0; i < 60000 && !l.proved && l.client.failed == 0; i++)
		punch_lab_run_ms(&l, 1);
	got = l.proved;
	if (pairs[_i].within_ms == 0) {
		ck_assert(!got);
		ck_assert_int_eq(l.client.failed, ERR_NAT_RANDOM);
		return;
	}
	ck_assert_msg(got, "failed: %s", err_name(l.client.failed));
	ck_assert_msg((l.proved_us - began_us) / 1000 <= pairs[_i].within_ms,
	    "took %u ms", (unsigned)((l.proved_us - began_us) / 1000));
}
END_TEST

/* ---- what leaves, and from where ---- */

static void
init_ready(enum box client, enum box server, uint64_t seed)
{
	init(client, server, seed);
	punch_keep_ready(l.client.punch, true);
	punch_keep_ready(l.server.punch, true);
	punch_lab_run_ms(&l, 3000);
}

static bool
is_punch(const struct punch_sent *s)
{
	struct addr relay = punch_lab_relay(0);

	return addr_equal(&s->meta.to, &relay) && s->len > 90;
}

/* Pitfalls P5, P6, P7: round 0 is sent at once with the NAT type of a pooled
 * socket; the server's probes reach the client before its reply. */
START_TEST(round_0_leaves_at_once_and_opens_fast)
{
	uint64_t began_us;
	size_t i = 0;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	punch_lab_begin(&l, false);
	began_us = l.lan.now_us;
	while (i < l.sent_len && !(l.sent[i].client && is_punch(&l.sent[i])))
		i++;
	ck_assert_uint_lt(i, l.sent_len);
	ck_assert_uint_eq(l.sent[i].at_us, began_us);
	ck_assert_int_eq(l.sent[i].meta.sock, puncher_sock(l.client.puncher));
	punch_lab_run_ms(&l, 45);
	ck_assert_uint_eq(l.client.events[1].kind, PUNCH_CANDIDATE);
	ck_assert(addr_equal(&l.client.events[1].addr, &l.server.seen));
	ck_assert_int_eq(
	    l.server.puncher->remote.nat_type, NAT_TYPE_CONSISTENT);
	/* Pitfall P8: the reply contains a token for the next round. */
	punch_lab_run_ms(&l, 50);
	ck_assert(l.client.puncher->remote.has_token);
}
END_TEST

/* Pitfall P8: a client that does not come through a relay of ours gets no token
 * and its address is not verified. */
START_TEST(no_token_through_a_foreign_relay)
{
	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	l.no_relay = true;
	punch_lab_handshake(&l);
	punch_lab_begin(&l, false);
	punch_lab_run_ms(&l, 300);
	ck_assert(!l.client.puncher->remote.has_token);
	ck_assert_uint_eq(l.server.puncher->remote.verified.family, ADDR_NONE);
}
END_TEST

/* Pitfall P4: from the handshake on, every probe is echoed to its source, from
 * the socket that received it; pitfall P19: within limits. */
START_TEST(server_echoes_within_limits)
{
	struct addr anyone = addr_v4(11, 9, 9, 9, 999);
	struct punch_peer peer;
	unsigned before;
	int sock;

	init(OPEN, OPEN, 3);
	punch_lab_handshake(&l);
	peer = punch_lab_peer_of_client(&l, false);
	puncher_accept(l.server.puncher, &peer);
	sock = puncher_sock(l.server.puncher);
	before = punch_lab_probes(&l, false, false);
	ck_assert_int_eq(
	    punch_lab_inject(&l, &l.server, sock, &anyone, "\xff", 1), 0);
	ck_assert_int_eq(
	    punch_lab_inject(&l, &l.server, sock, &anyone, "", 0), 0);
	ck_assert_uint_eq(punch_lab_probes(&l, false, false) - before, 2);
	ck_assert_int_eq(l.sent[l.sent_len - 1].meta.sock, sock);
	ck_assert(addr_equal(&l.sent[l.sent_len - 1].meta.to, &anyone));
	for (int i = 0; i < 1000; i++) {
		punch_lab_inject(&l, &l.server, sock, &anyone, "", 0);
		punch_lab_run_ms(&l, 1);
	}
	ck_assert_uint_le(
	    punch_lab_probes(&l, false, false) - before, 2 * 20 + 1);
	/* The total is limited for many sources as well. */
	for (int i = 0; i < 1000; i++) {
		anyone.port++;
		punch_lab_inject(&l, &l.server, sock, &anyone, "", 0);
	}
	ck_assert_uint_le(
	    punch_lab_probes(&l, false, false) - before, 42 + 100);
}
END_TEST

/*
 * A stray byte completes the reference's connection; here it decides nothing.
 */
START_TEST(stray_probe_decides_nothing)
{
	struct addr stray = addr_v4(11, 9, 9, 9, 6666);
	int sock;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	sock = puncher_sock(l.client.puncher);
	ck_assert_int_eq(
	    punch_lab_inject(&l, &l.client, sock, &stray, "\xff", 1),
	    ERR_UNMATCHED); /* not begun */
	punch_lab_begin(&l, false);
	ck_assert_int_eq(punch_lab_inject(&l, &l.client, sock, &stray, "", 0),
	    ERR_UNMATCHED);
	ck_assert_uint_eq(l.client.events_len, 1);
	/* From the peer's host it becomes a candidate, and the attempt
	 * continues. */
	stray = l.server.seen;
	stray.port ^= 1;
	ck_assert_int_eq(
	    punch_lab_inject(&l, &l.client, sock, &stray, "", 0), 0);
	punch_lab_run_ms(&l, 300);
	ck_assert(l.proved);
	ck_assert(addr_equal(&l.proved_at, &l.server.seen));
}
END_TEST

/* Pitfall P14: no other datagram has the TTL of a probe. */
START_TEST(only_probes_have_a_ttl)
{
	init_ready(SYMMETRIC, PORT_RESTRICTED, 5);
	punch_lab_try(&l, true, 20000);
	ck_assert_uint_ge(punch_lab_probes(&l, true, true), 255);
	for (size_t i = 0; i < l.sent_len; i++)
		ck_assert(l.sent[i].meta.ttl == 0 ||
			  (l.sent[i].meta.ttl == SCHEDULE_TTL_LOW &&
			      l.sent[i].len == 1));
}
END_TEST

/* Pitfall P13: birthday sockets send from as many ports. */
START_TEST(birthday_sockets_have_as_many_sources)
{
	static bool port[65536];
	unsigned sources = 0;

	memset(port, 0, sizeof port);
	init_ready(SYMMETRIC, PORT_RESTRICTED, 5);
	punch_lab_try(&l, true, 20000);
	for (size_t i = 0; i < l.sent_len; i++)
		if (l.sent[i].client && l.sent[i].len == 1) {
			sources += !port[l.sent[i].from.port];
			port[l.sent[i].from.port] = true;
		}
	ck_assert_uint_ge(sources, 250);
	ck_assert(l.proved);
	/* The socket of the path remains open after the puncher is freed; the
	 * others are closed. */
	puncher_free(l.client.puncher, l.client.events[0].sock);
	l.client.puncher = NULL;
	ck_assert_uint_le(HASH_COUNT(l.client.punch->sockets.entries), 1 + 2);
	punch_close(l.client.punch, l.client.events[0].sock);
}
END_TEST

/* Pitfall P20: fewer sockets than wanted are used; too few fail the attempt. */
static const struct {
	uint32_t allowed;
	int err;
} budgets[] = {{280, 0}, {100, 0}, {8, ERR_LIMIT}};

START_TEST(birthday_sockets_use_what_is_available)
{
	init_ready(SYMMETRIC, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	l.client.n.host.world.socks_max =
	    l.client.n.host.world.socks_open + budgets[_i].allowed;
	punch_lab_begin(&l, true);
	punch_lab_run_ms(&l, 500);
	ck_assert_int_eq(l.client.failed, budgets[_i].err);
	/* Birthday sockets share the available ones with the pool. */
	if (budgets[_i].err == 0) {
		ck_assert_uint_le(
		    l.client.puncher->probing.sockets_len, budgets[_i].allowed);
		ck_assert_uint_ge(l.client.puncher->probing.sockets_len,
		    budgets[_i].allowed - 1);
	}
}
END_TEST

/* Pitfall P11: a server that cannot start replies so at once, and never that it
 * is punching. */
START_TEST(server_starts_before_it_replies)
{
	uint64_t began_us;

	init_ready(PORT_RESTRICTED, SYMMETRIC, 5);
	punch_lab_handshake(&l);
	l.server.n.host.world.socks_max = 0;
	punch_lab_begin(&l, true);
	began_us = l.lan.now_us;
	while (l.client.failed == 0 && l.lan.now_us < began_us + 2000000) {
		ck_assert(!l.client.puncher->remote.punching);
		punch_lab_run_ms(&l, 1);
	}
	ck_assert_int_eq(l.client.failed, ERR_ABORTED);
	ck_assert_int_eq(l.server.failed, ERR_LIMIT);
	/* Two round trips: the probe round and the punch round. */
	ck_assert_uint_le(
	    l.lan.now_us - began_us, 8 * l.lan.net.faults.flat_us + 50000);
}
END_TEST

static bool
asked_from(int sock, const struct addr *a)
{
	for (size_t i = 0; i < l.sent_len; i++)
		if (l.sent[i].client && l.sent[i].meta.sock == sock &&
		    addr_equal(&l.sent[i].meta.to, a))
			return true;
	return false;
}

/*
 * Pitfall N5: samples are requested from nodes in different networks, and not
 * from the latest: they may be the relays of the attempt, which report our
 * address then.
 */
START_TEST(samples_are_of_distant_older_nodes)
{
	struct dht_node n;
	uint32_t cursor = 0, same = 0, asked = 0, i = 0;
	struct punch_socket *o;
	struct dht *d;
	int err;

	init(PORT_RESTRICTED, OPEN, 5);
	d = l.client.n.d;
	for (unsigned k = 0; k < 8; k++) {
		struct addr a = addr_v4(21, 0, 0, (uint8_t)(k + 1), 4000);
		uint8_t id[ID_LEN];

		/* Three of one network, then five in different ones. */
		a.ip[1] = k < 3 ? 0 : (uint8_t)k;
		id_of_addr(id, &a);
		ck_assert_uint_ne(
		    table_add(&d->self.table, id, &a, d->self.tick), 0);
	}
	o = punch_socket_open(&l.client.punch->sockets, &err);
	ck_assert_ptr_nonnull(o);
	punch_lab_run_ms(&l, 1);
	for (; dht_next_node(d, &cursor, &n); i++) {
		bool is = asked_from(o->entry.sock, &n.addr);

		ck_assert(!is || i >= 5);
		same += is && n.addr.ip[0] == 21;
		asked += is;
	}
	ck_assert_uint_eq(asked, 6);
	ck_assert_uint_eq(same, 1);
	punch_socket_close(o);
}
END_TEST

/*
 * Pitfall P9: the samples contain our own address, whoever sends the request.
 */
START_TEST(samples_contain_our_address_only)
{
	struct nat_classifier *g;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	ck_assert(punch_lab_try(&l, false, 1000));
	punch_lab_run_ms(&l, 1000);
	g = &l.server.puncher->socket->classifier;
	ck_assert_uint_ge(g->len, 5);
	for (uint8_t i = 0; i < g->len; i++)
		ck_assert(addr_equal(&g->samples[i].saw, &l.server.seen));
}
END_TEST

/* ---- when things go wrong ---- */

static unsigned lose_nth, counted;
static bool losing;

static bool
lose_one(
    const struct punch_lab *lab, const struct punch_sent *s, const uint8_t *buf)
{
	(void)lab;
	(void)s;
	(void)buf;
	return losing && counted++ == lose_nth;
}

/* The loss of any single datagram costs no more than 250 ms. */
START_TEST(one_loss_costs_little)
{
	uint64_t began_us, plain_us;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	l.lose = lose_one;
	losing = true;
	counted = 0;
	lose_nth = (unsigned)_i / 2;
	began_us = l.lan.now_us;
	punch_lab_begin(&l, _i % 2 != 0);
	plain_us = 90000;
	for (int i = 0; i < 2000 && !l.proved; i++)
		punch_lab_run_ms(&l, 1);
	losing = false;
	ck_assert(l.proved);
	ck_assert_msg(l.proved_us - began_us <= plain_us + 250000, "took %u ms",
	    (unsigned)((l.proved_us - began_us) / 1000));
}
END_TEST

/* Pitfall P18: there is exactly one outcome, whatever is lost or killed. */
START_TEST(one_outcome_whatever_happens)
{
	static const uint32_t kill_ms[] = {0, 13, 26, 38, 51, 64, 76, 101};
	unsigned when = (unsigned)_i % 8;

	init((enum box)(_i / 8 % 6), (enum box)(_i / 48 % 6), (uint64_t)_i + 1);
	l.lan.net.faults.loss_ppm = 100000;
	punch_lab_handshake(&l);
	if (l.client.seen.family == ADDR_NONE ||
	    l.server.seen.family == ADDR_NONE ||
	    l.client.dht_seen.family == ADDR_NONE ||
	    l.server.dht_seen.family == ADDR_NONE)
		return; /* the handshake was lost */
	punch_lab_begin(&l, _i % 2 == 0);
	punch_lab_run_ms(&l, kill_ms[when]);
	l.relays[0].n.host.deaf = true;
	punch_lab_run_ms(&l, 60000);
	ck_assert_uint_le(l.client.failures, 1);
	ck_assert_uint_eq(l.server.failures, 1);
	ck_assert(l.proved || l.client.failures == 1);
}
END_TEST

/* Protocol 04 §17.5: the relay fails, another one carries the round. */
START_TEST(another_relay_carries_on)
{
	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	l.relays[0].n.host.deaf = true;
	punch_lab_begin(&l, false);
	punch_lab_run_ms(&l, 1500);
	ck_assert(l.proved);
}
END_TEST

/* Payloads that cannot be decrypted are dropped and counted. */
START_TEST(forged_messages_change_nothing)
{
	uint8_t box[100] = {0};
	struct router_call call = {.sealed = {box, sizeof box}};
	uint64_t drops;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	punch_lab_begin(&l, false);
	drops = l.server.n.host.stats.drop[-ERR_SIGNATURE];
	call.ticket.from = punch_lab_relay(0);
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(puncher_serve(l.server.puncher, &call, true),
		    ERR_SIGNATURE);
	call.sealed.len = 40;
	ck_assert_int_eq(
	    puncher_serve(l.server.puncher, &call, true), ERR_SIZE);
	ck_assert_uint_eq(
	    l.server.n.host.stats.drop[-ERR_SIGNATURE] - drops, 1000);
	ck_assert(!l.server.puncher->remote.known);
	ck_assert_uint_eq(punch_lab_probes(&l, false, false), 0);
	punch_lab_run_ms(&l, 300);
	ck_assert(l.proved);
}
END_TEST

/* Delivers a client's message as its relay would. */
static int
send_payload(struct holepunch_payload *c)
{
	uint8_t box[HOLEPUNCH_BOX_MAX], nonce[HOLEPUNCH_NONCE_LEN] = {1};
	struct router_call call = {
	    .client = l.client.seen, .us = l.server.seen, .sealed.p = box};

	call.ticket = (struct router_ticket){.command = CMD_PEER_HOLEPUNCH,
	    .mode = MODE_FROM_RELAY,
	    .tid = 7,
	    .sock = puncher_sock(l.server.puncher),
	    .from = punch_lab_relay(0),
	    .peer = l.client.seen};
	call.sealed.len = holepunch_payload_seal(c, l.secret, nonce, box);
	return puncher_serve(l.server.puncher, &call, true);
}

/* Unverified addresses are not sprayed with birthday probes. */
START_TEST(unverified_addresses_are_not_sprayed)
{
	struct holepunch_payload c = {.firewall = NAT_TYPE_RANDOM,
	    .round = 5,
	    .punching = true,
	    .has_addrs = true,
	    .addrs_len = 1,
	    .addrs = {{.ip = {11, 8, 8, 8}, .family = ADDR_V4}}};
	struct punch_peer peer;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	peer = punch_lab_peer_of_client(&l, false);
	puncher_accept(l.server.puncher, &peer);
	ck_assert_int_eq(send_payload(&c), 0);
	punch_lab_run_ms(&l, 1000);
	ck_assert_int_eq(l.server.failed, ERR_PUNCH);
	ck_assert_uint_eq(punch_lab_probes(&l, false, false), 0);
	/* After the failure, messages are dropped. */
	ck_assert_int_eq(send_payload(&c), ERR_UNMATCHED);
}
END_TEST

/* A relay and a client can name a third party as the client. */
static int
send_payload_for(struct puncher *p, const struct addr *victim)
{
	uint8_t box[HOLEPUNCH_BOX_MAX], nonce[HOLEPUNCH_NONCE_LEN] = {1};
	struct holepunch_payload c = {.firewall = NAT_TYPE_RANDOM,
	    .punching = true,
	    .has_addrs = true,
	    .addrs_len = 1,
	    .addrs = {*victim},
	    .has_remote_token = true};
	struct router_call call = {
	    .client = *victim, .us = l.server.seen, .sealed.p = box};

	call.ticket = (struct router_ticket){.command = CMD_PEER_HOLEPUNCH,
	    .mode = MODE_FROM_RELAY,
	    .tid = 7,
	    .sock = puncher_sock(p),
	    .from = punch_lab_relay(0),
	    .peer = *victim};
	holepunch_token_derive(c.remote_token, p->token_secret, victim);
	call.sealed.len = holepunch_payload_seal(&c, l.secret, nonce, box);
	return puncher_serve(p, &call, true);
}

static void
ignore_event(void *owner, const struct punch_event *e)
{
	(void)owner;
	(void)e;
}

static uint32_t
count_probes_to(const struct addr *host)
{
	uint32_t n = 0;

	for (size_t i = 0; i < l.sent_len; i++)
		n += l.sent[i].len == 1 &&
		     addr_same_host(&l.sent[i].meta.to, host);
	return n;
}

/* All punches together send a host no more than its budget; that suffices for
 * all birthday probes of one. */
START_TEST(probes_are_charged_to_the_named_host)
{
	static const struct probe_origin asked = {.cause = PROBE_ASKED},
					 dialed = {.cause = PROBE_DIALED};
	struct addr victim = addr_v4(11, 8, 8, 8, 5000);
	struct punch_peer peer = {.secret = l.secret, .addr = victim};
	struct punch_owner owner = {.event = ignore_event};
	unsigned count = _i == 0 ? 1 : 4;
	const struct limits *limits;
	struct puncher *p[4];
	int err;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	for (unsigned i = 0; i < count; i++) {
		p[i] = puncher_new(l.server.punch, &owner, &err);
		ck_assert_ptr_nonnull(p[i]);
	}
	punch_lab_run_ms(&l, 3000);
	l.sent_len = 0;
	for (unsigned i = 0; i < count; i++) {
		puncher_accept(p[i], &peer);
		ck_assert_int_eq(send_payload_for(p[i], &victim), 0);
		ck_assert_int_eq(p[i]->state, PUNCHER_PROBING);
	}
	punch_lab_run_ms(&l, 9000);
	ck_assert_uint_ge(count_probes_to(&victim), SCHEDULE_PROBES);
	limits = &l.server.n.host.limits;
	ck_assert_uint_le(count_probes_to(&victim),
	    limits->probe_burst + 12 * limits->probe_rate);
	ck_assert(_i == 0 || l.server.n.host.stats.probes_refused > 1000);
	/* What others made us send uses up nothing of our own dials' budget. */
	while (punch_may_probe(l.server.punch, &victim, &asked))
		continue;
	ck_assert(!punch_may_send(l.server.punch, &victim, &asked, 3));
	ck_assert(punch_may_send(l.server.punch, &victim, &dialed, 3));
	for (unsigned i = 0; i < count; i++)
		puncher_free(p[i], WORLD_NO_SOCK);
}
END_TEST

/* Returns how many of so many addresses, each of another host, get a probe. */
static uint32_t
probe_hosts(struct punch *p, const struct probe_origin *origin, uint32_t first,
    uint32_t len)
{
	uint32_t n = 0;

	for (uint32_t i = first; i < first + len; i++) {
		struct addr to = addr_v4(99, (uint8_t)(i >> 16),
		    (uint8_t)(i >> 8), (uint8_t)i, 7000);

		n += punch_may_probe(p, &to, origin);
	}
	return n;
}

/* Distinct addresses that others name: bounded for each /24 of clients, for
 * each relay, for all other senders together and in all. */
START_TEST(bounds_destinations)
{
	struct probe_origin dialed = {.cause = PROBE_DIALED};
	struct probe_origin o = {.cause = PROBE_ASKED, .relayed = true};
	struct addr host = addr_v4(98, 1, 2, 3, 7);
	const struct limits *limits;
	const struct stats *st;
	uint32_t all = 0, burst;

	init(FULL_CONE, FULL_CONE, 1);
	limits = &l.server.n.host.limits;
	st = &l.server.n.host.stats;
	l.server.n.host.limits.probe_destinations = 1024;
	burst = limits->probe_destinations;
	o.from = addr_v4(97, 0, 0, 1, 7);
	o.client = addr_v4(96, 0, 0, 1, 7);
	ck_assert_uint_eq(probe_hosts(l.server.punch, &o, 0, 300), burst / 16);
	/* The same again cost nothing, nor do guessed ports of one host. */
	ck_assert_uint_eq(
	    probe_hosts(l.server.punch, &o, 0, burst / 16), burst / 16);
	ck_assert_uint_eq(st->destinations, burst / 16);
	ck_assert_uint_eq(st->destinations_refused, 300 - burst / 16);
	o.client = addr_v4(96, 0, 1, 1, 7);
	for (host.port = 1; host.port < 1000; host.port++)
		ck_assert(punch_may_guess(l.server.punch, &host, &o));
	ck_assert_uint_eq(st->destinations, burst / 16 + 1);
	/* More clients through one relay. */
	for (uint8_t i = 2; i < 100; i++) {
		o.client = addr_v4(96, 0, i, 1, 7);
		(void)probe_hosts(l.server.punch, &o, i * 1000, 100);
	}
	ck_assert_uint_eq(st->destinations, burst / 4);
	/* All senders that are no relays, without their own addresses. */
	o.relayed = false;
	for (uint8_t i = 0; i < 100; i++) {
		o.from = addr_v4(95, 0, i, 1, 7);
		(void)probe_hosts(l.server.punch, &o, i * 2000, 100);
		ck_assert(punch_may_probe(l.server.punch, &o.from, &o));
	}
	ck_assert_uint_eq(st->destinations, burst / 2);
	/* In all. */
	o.relayed = true;
	for (uint8_t i = 0; i < 100; i++) {
		o.from = addr_v4(94, 0, i, 1, 7);
		o.client = addr_v4(93, 0, i, 1, 7);
		all += probe_hosts(l.server.punch, &o, 900000 + i * 100, 100);
	}
	ck_assert_uint_eq(all, burst / 2);
	ck_assert_uint_eq(probe_hosts(l.server.punch, &dialed, 0, 300), 300);
	/* After a while there are some again, and the first are new again. */
	punch_lab_run_ms(&l, 31000);
	o.from = addr_v4(92, 0, 0, 1, 7);
	o.client = addr_v4(91, 0, 0, 1, 7);
	all = probe_hosts(l.server.punch, &o, 0, 300);
	ck_assert_uint_eq(all, burst / 16);
}
END_TEST

/* Guessed ports count as one address, but every datagram is charged to its host
 * and /24: however many clients and relays name a victim, its /24 gets no more
 * than the burst of four hosts, and after that their rate. */
START_TEST(bounds_a_spray_of_guessed_ports)
{
	struct probe_origin o = {.cause = PROBE_ASKED, .relayed = true};
	const struct limits *limits;
	uint32_t host_sent = 0, prefix_sent = 0;

	init(FULL_CONE, FULL_CONE, 1);
	limits = &l.server.n.host.limits;
	for (uint32_t i = 0; i < 200000; i++) {
		uint8_t host = (uint8_t)(i < 20000 ? 0 : i % 250);
		struct addr to =
		    addr_v4(99, 1, 1, host, (uint16_t)(1024 + i % 60000));

		o.from = addr_v4(97, (uint8_t)(i % 16), 0, 1, 7);
		o.client = addr_v4(96, (uint8_t)(i / 100), 0, 1, 7);
		if (!punch_may_guess(l.server.punch, &to, &o))
			continue;
		host_sent += i < 20000;
		prefix_sent++;
	}
	ck_assert_uint_eq(host_sent, limits->probe_burst);
	ck_assert_uint_le(prefix_sent, 4 * limits->probe_burst);
	ck_assert_uint_gt(prefix_sent, limits->probe_burst);
	/* Later the rate alone. */
	punch_lab_run_ms(&l, 2000);
	host_sent = 0;
	for (uint32_t i = 0; i < 20000; i++) {
		struct addr to = addr_v4(99, 1, 1, 0, (uint16_t)(1024 + i));

		host_sent += punch_may_guess(l.server.punch, &to, &o);
	}
	ck_assert_uint_le(host_sent, 2 * limits->probe_rate);
	ck_assert_uint_gt(host_sent, 0);
}
END_TEST

/* Pitfall V6: a client whose punch round comes late is still served. */
START_TEST(server_waits_for_the_punch_round)
{
	struct holepunch_payload c = {.firewall = NAT_TYPE_CONSISTENT,
	    .punching = true,
	    .has_addrs = true,
	    .addrs_len = 1};
	struct punch_peer peer;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	peer = punch_lab_peer_of_client(&l, false);
	puncher_accept(l.server.puncher, &peer);
	c.addrs[0] = l.client.seen;
	punch_lab_run_ms(&l, 9000);
	ck_assert_int_eq(send_payload(&c), 0);
	punch_lab_run_ms(&l, 9000);
	ck_assert_uint_eq(l.server.failures, 0);
	punch_lab_run_ms(&l, 3000);
	ck_assert_int_eq(l.server.failed, ERR_TIMEOUT);
	/* A silent one times out. */
	ck_assert_uint_eq(l.server.failures, 1);
}
END_TEST

/*
 * A client that predicts may start over, but cannot keep the server for ever.
 */
START_TEST(client_cannot_restart_for_ever)
{
	struct holepunch_payload c = {
	    .firewall = NAT_TYPE_CONSISTENT, .has_addrs = true, .addrs_len = 3};
	struct punch_peer peer;
	unsigned begun = 0;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	peer = punch_lab_peer_of_client(&l, false);
	puncher_accept(l.server.puncher, &peer);
	for (uint8_t i = 0; i < 3; i++) {
		c.addrs[i] = l.client.seen;
		c.addrs[i].port = (uint16_t)(5000 + i);
	}
	for (c.round = 0; c.round < 40 && l.server.failures == 0; c.round++) {
		c.punching = !c.punching;
		send_payload(&c);
		punch_lab_run_ms(&l, 4000);
	}
	for (unsigned i = 0; i < l.server.events_len; i++)
		begun += l.server.events[i].kind == PUNCH_PROBING;
	ck_assert_uint_eq(begun, 1 + PUNCHER_REOPENS_MAX);
	ck_assert_int_eq(l.server.failed, ERR_TIMEOUT);
}
END_TEST

/* Pitfalls P16, P10: a bad NAT type leads to another socket, three times at
 * most. */
START_TEST(bad_nat_type_leads_to_another_socket)
{
	unsigned rounds = 0;

	init_ready(SYMMETRIC, SYMMETRIC, 5);
	ck_assert(!punch_lab_try(&l, false, 20000));
	ck_assert_int_eq(l.client.failed, ERR_NAT_RANDOM);
	ck_assert_uint_ge(l.server.puncher->reopened, 1);
	ck_assert_uint_le(l.server.puncher->reopened, 3);
	for (unsigned i = 0; i < l.client.events_len; i++)
		rounds += l.client.events[i].kind == PUNCH_ROUND;
	ck_assert_uint_le(rounds, 6);
}
END_TEST

/* Pitfall P17: a reported NAT type does not change, whatever later samples
 * show. */
START_TEST(reported_nat_type_does_not_change)
{
	struct holepunch_payload c = {.firewall = NAT_TYPE_CONSISTENT};
	struct punch_peer peer;
	struct puncher_status st;

	init_ready(PORT_RESTRICTED, PORT_RESTRICTED, 5);
	punch_lab_handshake(&l);
	peer = punch_lab_peer_of_client(&l, false);
	puncher_accept(l.server.puncher, &peer);
	ck_assert_int_eq(send_payload(&c), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct addr us = l.server.seen, by = punch_lab_relay(20 + i);

		us.port = (uint16_t)(3000 + i);
		puncher_add_sample(l.server.puncher, &us, &by);
	}
	puncher_status(l.server.puncher, &st);
	ck_assert_int_eq(st.own, NAT_TYPE_CONSISTENT);
}
END_TEST

/* Pitfall P15: a server without a free slot replies so; a native client waits
 * for it. */
START_TEST(native_client_retries_later)
{
	struct punch_slot other = {0};

	init_ready(PORT_RESTRICTED, SYMMETRIC, 5);
	ck_assert_int_eq(punch_admission_acquire(&l.server.punch->admission,
			     &other, SLOT_SOCKETS, NULL),
	    0);
	punch_lab_handshake(&l);
	punch_lab_begin(&l, true);
	punch_lab_run_ms(&l, 3500);
	ck_assert_int_eq(
	    l.client.puncher->client.state, PUNCH_CLIENT_SERVER_BUSY);
	punch_admission_release(&l.server.punch->admission, &other);
	for (int i = 0; i < 30000 && !l.proved; i++)
		punch_lab_run_ms(&l, 1);
	ck_assert(l.proved);
}
END_TEST

START_TEST(busy_reference_server_ends_the_attempt)
{
	struct punch_slot other = {0};

	init_ready(PORT_RESTRICTED, SYMMETRIC, 5);
	ck_assert_int_eq(punch_admission_acquire(&l.server.punch->admission,
			     &other, SLOT_SOCKETS, NULL),
	    0);
	ck_assert(!punch_lab_try(&l, false, 6000));
	ck_assert_int_eq(l.client.failed, ERR_PEER_BUSY);
	punch_admission_release(&l.server.punch->admission, &other);
}
END_TEST

/* The pool is filled ahead of need, and takes sockets back that have not
 * probed. */
START_TEST(sockets_are_kept_ready)
{
	int err, sock;
	struct punch_owner o = {0};
	struct puncher *p;

	init(PORT_RESTRICTED, OPEN, 5);
	punch_keep_ready(l.client.punch, true);
	punch_lab_run_ms(&l, 3000);
	ck_assert_uint_eq(l.client.punch->pool.idle_len, 2);
	p = puncher_new(l.client.punch, &o, &err);
	ck_assert(nat_classifier_decided(&p->socket->classifier));
	sock = puncher_sock(p);
	puncher_free(p, WORLD_NO_SOCK);
	punch_lab_run_ms(&l, 3000);
	ck_assert_uint_eq(l.client.punch->pool.idle_len, 2);
	ck_assert(l.client.n.host.world.socks[sock].open);
	/*
	 * They renew their samples, and are replaced when the network changes.
	 */
	punch_lab_run_ms(&l, 600000);
	ck_assert_int_eq(
	    TAILQ_FIRST(&l.client.punch->pool.idle)->classifier.nat_type,
	    NAT_TYPE_CONSISTENT);
	punch_wake(l.client.punch);
	ck_assert_uint_eq(l.client.punch->pool.idle_len, 0);
	punch_lab_run_ms(&l, 3000);
	ck_assert_uint_eq(l.client.punch->pool.idle_len, 2);
	punch_keep_ready(l.client.punch, false);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
}
END_TEST

/* A reference server aborts on the second copy of such a punch round. */
START_TEST(random_punch_round_is_sent_once)
{
	unsigned messages = 0;

	init_ready(PORT_RESTRICTED, SYMMETRIC, 5);
	punch_lab_handshake(&l);
	punch_lab_begin(&l, false);
	punch_lab_run_ms(&l, 70);
	ck_assert_int_eq(
	    l.client.puncher->client.state, PUNCH_CLIENT_PUNCH_ROUND);
	l.relays[0].n.host.deaf = true; /* the reply is late */
	l.sent_len = 0;
	punch_lab_run_ms(&l, 1200);
	for (size_t i = 0; i < l.sent_len; i++)
		messages += l.sent[i].client && l.sent[i].len > 90;
	ck_assert_uint_eq(messages, 0);
}
END_TEST

/* ---- netcheck ---- */

static struct netcheck_result checked;
static unsigned checks;

static void
on_checked(void *owner, const struct netcheck_result *r)
{
	(void)owner;
	checked = *r;
	checks++;
}

static const struct {
	enum box box;
	enum nat_type nat_type;
	enum nat_filtering filtering;
	int step;
} networks[] = {
    {OPEN, NAT_TYPE_CONSISTENT, FILTERING_NONE, 0},
    {FULL_CONE, NAT_TYPE_CONSISTENT, FILTERING_NONE, 0},
    {RESTRICTED, NAT_TYPE_CONSISTENT, FILTERING_HOST, 0},
    {PORT_RESTRICTED, NAT_TYPE_CONSISTENT, FILTERING_PORT, 0},
    {SYMMETRIC, NAT_TYPE_RANDOM, FILTERING_UNKNOWN, 0},
    {SEQUENTIAL, NAT_TYPE_RANDOM, FILTERING_UNKNOWN, 1},
};

static struct netcheck *
check_network(void)
{
	struct netcheck_done done = {.call = on_checked};
	int err;

	checks = 0;
	return netcheck_start(l.client.punch, done, &err);
}

/* Mapping and filtering behaviour of RFC 4787 are determined. */
START_TEST(determines_network_type)
{
	init(networks[_i].box, OPEN, 5);
	ck_assert_ptr_nonnull(check_network());
	punch_lab_run_ms(&l, 9000);
	ck_assert_uint_eq(checks, 1);
	ck_assert(checked.udp);
	ck_assert_int_eq(checked.nat_type, networks[_i].nat_type);
	ck_assert_int_eq(checked.filtering, networks[_i].filtering);
	ck_assert_int_eq(checked.step, networks[_i].step);
	ck_assert_int_eq(checked.stability, STABILITY_SAME);
	/* All NATs here support hairpinning; those that filter by address
	 * require that one was sent there before. */
	ck_assert_int_eq(
	    checked.hairpin, networks[_i].nat_type == NAT_TYPE_CONSISTENT);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
}
END_TEST

START_TEST(reports_that_udp_is_blocked)
{
	init(PORT_RESTRICTED, OPEN, 5);
	l.client.n.host.deaf = true;
	ck_assert_ptr_nonnull(check_network());
	punch_lab_run_ms(&l, 9000);
	ck_assert_uint_eq(checks, 1);
	ck_assert(!checked.udp);
	ck_assert_int_eq(checked.nat_type, NAT_TYPE_UNKNOWN);
}
END_TEST

/* Drops PING_NAT requests, as if the nodes did not support them. */
static bool
lose_ping_nat(
    const struct punch_lab *lab, const struct punch_sent *s, const uint8_t *buf)
{
	struct rpc_request m;

	(void)lab;
	return s->client && rpc_kind(buf[0]) == RPC_REQUEST &&
	       rpc_request_decode(&m, buf, s->len) == 0 && m.internal &&
	       m.command == RPC_PING_NAT;
}

START_TEST(unsupported_requests_show_no_filtering)
{
	init(PORT_RESTRICTED, OPEN, 5);
	l.lose = lose_ping_nat;
	ck_assert_ptr_nonnull(check_network());
	punch_lab_run_ms(&l, 9000);
	ck_assert_uint_eq(checks, 1);
	ck_assert_int_eq(checked.nat_type, NAT_TYPE_CONSISTENT);
	ck_assert_int_eq(checked.filtering, FILTERING_UNKNOWN);
}
END_TEST

/* An idle socket of the pool shows that its address has changed. */
START_TEST(reports_a_changed_mapping)
{
	init(PORT_RESTRICTED, OPEN, 5);
	punch_keep_ready(l.client.punch, true);
	punch_lab_run_ms(&l, 15000);
	ck_assert_ptr_nonnull(check_network());
	punch_lab_run_ms(&l, 9000);
	ck_assert_int_eq(checked.stability, STABILITY_SAME);
	ck_assert_uint_ge(checked.stable_s, 15);
	nat_flush(l.client.n.host.nat);
	ck_assert_ptr_nonnull(check_network());
	punch_lab_run_ms(&l, 9000);
	ck_assert_int_eq(checked.stability, STABILITY_CHANGED);
}
END_TEST

/* A stray probe is not taken for a hairpin. */
START_TEST(stray_probe_is_no_hairpin)
{
	struct addr anyone = addr_v4(11, 9, 9, 9, 999);
	struct netcheck *n;

	init(PORT_RESTRICTED, OPEN, 5);
	n = check_network();
	ck_assert_ptr_nonnull(n);
	for (int i = 0; i < 60; i++) {
		const struct socket_entry *h = l.client.punch->sockets.entries;

		for (; h != NULL; h = h->hh.next)
			punch_lab_inject(
			    &l, &l.client, h->sock, &anyone, "", 1);
		punch_lab_run_ms(&l, 100);
	}
	punch_lab_run_ms(&l, 3000);
	ck_assert_uint_eq(checks, 1);
	ck_assert(checked.hairpin_tried);
	ck_assert(!checked.hairpin);
}
END_TEST

START_TEST(check_can_be_cancelled)
{
	init(PORT_RESTRICTED, OPEN, 5);
	for (uint64_t ms = 0; ms < 6000; ms += 250) {
		struct netcheck *n = check_network();

		punch_lab_run_ms(&l, ms);
		if (checks == 0)
			netcheck_cancel(n);
		punch_lab_run_ms(&l, 3000);
		ck_assert_uint_eq(
		    HASH_COUNT(l.client.punch->sockets.entries), 0);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("punch", &tc);

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, punches, 0, T_ROWS(pairs));
	tcase_add_test(tc, round_0_leaves_at_once_and_opens_fast);
	tcase_add_test(tc, no_token_through_a_foreign_relay);
	tcase_add_test(tc, server_echoes_within_limits);
	tcase_add_test(tc, stray_probe_decides_nothing);
	tcase_add_test(tc, only_probes_have_a_ttl);
	tcase_add_test(tc, birthday_sockets_have_as_many_sources);
	tcase_add_loop_test(
	    tc, birthday_sockets_use_what_is_available, 0, T_ROWS(budgets));
	tcase_add_test(tc, server_starts_before_it_replies);
	tcase_add_test(tc, samples_are_of_distant_older_nodes);
	tcase_add_test(tc, samples_contain_our_address_only);
	tcase_add_loop_test(tc, one_loss_costs_little, 0, 24);
	tcase_add_loop_test(tc, one_outcome_whatever_happens, 0, 288);
	tcase_add_test(tc, another_relay_carries_on);
	tcase_add_test(tc, forged_messages_change_nothing);
	tcase_add_test(tc, unverified_addresses_are_not_sprayed);
	tcase_add_loop_test(tc, probes_are_charged_to_the_named_host, 0, 2);
	tcase_add_test(tc, bounds_destinations);
	tcase_add_test(tc, bounds_a_spray_of_guessed_ports);
	tcase_add_test(tc, server_waits_for_the_punch_round);
	tcase_add_test(tc, client_cannot_restart_for_ever);
	tcase_add_test(tc, bad_nat_type_leads_to_another_socket);
	tcase_add_test(tc, reported_nat_type_does_not_change);
	tcase_add_test(tc, native_client_retries_later);
	tcase_add_test(tc, busy_reference_server_ends_the_attempt);
	tcase_add_test(tc, sockets_are_kept_ready);
	tcase_add_test(tc, random_punch_round_is_sent_once);
	tcase_add_loop_test(tc, determines_network_type, 0, T_ROWS(networks));
	tcase_add_test(tc, reports_that_udp_is_blocked);
	tcase_add_test(tc, unsupported_requests_show_no_filtering);
	tcase_add_test(tc, reports_a_changed_mapping);
	tcase_add_test(tc, stray_probe_is_no_hairpin);
	tcase_add_test(tc, check_can_be_cancelled);
	return s;
}
