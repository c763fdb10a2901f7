/* SPDX-License-Identifier: ISC */
/*
 * Goal: two nodes that cannot reach each other are connected through the
 * relay of a third one, and nobody else can use, redirect or outlive what it
 * forwards. Method: whole nodes in virtual time; packets between the two are
 * dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "node/node_conn.h"
#include "node/node_relay.h"
#include "node/node_struct.h"
#include "peer/conn_struct.h"
#include "peer/relay_finder.h"
#include "relay/relay_topic.h"
#include "t.h"
#include "udx/packet.h"
#include "udx/stream.h"
#include "udx/udx_relay.h"
#include "world/core_host.h"

enum { NODES = 7, DELAY_MS = 10, PORT = 49737 };
enum { FIRST, RELAY, A, B }; /* and further nodes of the network */

struct flight {
	uint64_t due_us;
	struct addr from, to;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

struct party {
	struct sim_world world;
	struct node *node;
	struct key_pair keys, relay_keys;
	struct addr host;
	size_t seen; /* of the datagrams sent */
	uint32_t opened, conn, closed;
	uint64_t open_us;
	int err;
	uint32_t found; /* records of the relay's key */
};

static struct party parties[NODES];
static struct flight *flights;
static size_t flights_len;
static bool apart; /* A and B do not reach each other */

/* Where A and B have sent to: their firewalls accept packets from there. */
static struct firewall_entry {
	struct addr to;
	uint16_t port; /* own */
} sent_to[NODES][256];
static size_t sent_to_len[NODES];

static void
start_party(unsigned i, const struct bootstrap_entry *first)
{
	struct party *p = &parties[i];
	uint8_t seed[KEY_SEED_LEN] = {(uint8_t)(i + 1)};
	struct node_config c;

	*p = (struct party){.host = addr_v4(20, 0, (uint8_t)i, 1, 0)};
	sim_world_init(&p->world, NULL, i + 1);
	p->world.w.now_us = parties[0].world.w.now_us;
	key_pair_from_seed(&p->keys, seed);
	seed[1] = 1;
	key_pair_from_seed(&p->relay_keys, seed);
	node_config_init(&c);
	c.identity = &p->keys;
	c.relay_keys = &p->relay_keys;
	c.dht.port_first = c.dht.port_last = PORT;
	c.dht.role = i == FIRST         ? DHT_BOOTSTRAP
		     : i != A && i != B ? DHT_PERSISTENT
					: DHT_AUTO;
	if (i == FIRST) {
		c.dht.public_address = p->host;
		c.dht.public_address.port = PORT;
	} else {
		c.dht.bootstrap = first;
		c.dht.bootstrap_len = 1;
	}
	p->node = node_new(&p->world.w, &c);
	ck_assert_ptr_nonnull(p->node);
	ck_assert_int_eq(node_start(p->node), 0);
}

static bool
is_dropped(const struct party *from, const struct addr *to)
{
	return apart &&
	       ((from == &parties[A] && addr_same_host(to, &parties[B].host)) ||
		   (from == &parties[B] &&
		       addr_same_host(to, &parties[A].host)));
}

static bool
has_sent_to(size_t party, const struct addr *a, uint16_t port)
{
	for (size_t i = 0; i < sent_to_len[party]; i++)
		if (addr_equal(&sent_to[party][i].to, a) &&
		    sent_to[party][i].port == port)
			return true;
	return false;
}

static void
note_sent(size_t party, const struct addr *to, uint16_t port)
{
	if (party < A || party > B || has_sent_to(party, to, port))
		return;
	ck_assert_uint_lt(sent_to_len[party], 256);
	sent_to[party][sent_to_len[party]++] =
	    (struct firewall_entry){*to, port};
}

static void
take_sent(struct party *p)
{
	for (; p->seen < p->world.sent_len; p->seen++) {
		const struct sim_sent *s = &p->world.sent[p->seen];
		struct flight f = {.from = p->host, .to = s->meta.to};

		f.from.port = p->world.socks[s->meta.sock].bound.port;
		note_sent((size_t)(p - parties), &s->meta.to, f.from.port);
		if (is_dropped(p, &s->meta.to))
			continue;
		f.len = s->len;
		f.due_us = p->world.w.now_us + DELAY_MS * 1000;
		memcpy(f.buf, s->buf, s->len);
		flights = realloc(flights, (flights_len + 1) * sizeof f);
		ck_assert_ptr_nonnull(flights);
		flights[flights_len++] = f;
	}
	sim_clear(&p->world);
	p->seen = 0;
}

static void
drain(struct party *p)
{
	struct node_event ev;

	while (node_poll(p->node, &ev)) {
		if (ev.kind == NODE_EV_OPEN) {
			p->opened++;
			p->conn = ev.op;
			p->open_us = p->world.w.now_us;
		} else if (ev.kind == NODE_EV_CLOSED) {
			p->closed++;
			p->err = ev.err;
		} else if (ev.kind == NODE_EV_PEER) {
			p->found +=
			    memcmp(ev.key, parties[RELAY].relay_keys.public_key,
				KEY_LEN) == 0;
		}
	}
}

static int
deliver(struct party *p, const struct addr *from, uint16_t port,
    const uint8_t *buf, size_t len)
{
	uint8_t *copy = t_copy(buf, len);
	struct dgram dg = {.buf = copy, .len = len, .from = *from};
	int err = 0;

	dg.sock = sim_sock_at(&p->world, port);
	if (dg.sock != WORLD_NO_SOCK)
		err = node_recv(p->node, &dg);
	free(copy);
	return err;
}

static void
run_ms(uint64_t ms)
{
	while (ms-- > 0) {
		for (unsigned i = 0; i < NODES; i++)
			sim_advance_ms(&parties[i].world, 1);
		for (size_t i = 0; i < flights_len; i++) {
			struct flight f = flights[i];

			if (f.due_us > parties[0].world.w.now_us)
				continue;
			flights[i--] = flights[--flights_len];
			for (unsigned k = 0; k < NODES; k++)
				if (addr_same_host(&parties[k].host, &f.to) &&
				    (k < A || k > B ||
					has_sent_to(k, &f.from, f.to.port)))
					(void)deliver(&parties[k], &f.from,
					    f.to.port, f.buf, f.len);
		}
		for (unsigned i = 0; i < NODES; i++) {
			struct party *p = &parties[i];

			drain(p);
			if (node_deadline(p->node) <= p->world.w.now_us)
				node_tick(p->node);
			drain(p);
			take_sent(p);
		}
	}
}

static void
relay_on(bool on)
{
	struct node_relaying r = {.on = on};

	ck_assert_int_eq(node_set_relaying(parties[RELAY].node, &r), 0);
}

static void
setup(void)
{
	static struct bootstrap_entry first;

	ck_assert_int_eq(bootstrap_parse(&first, "20.0.0.1:49737"), 0);
	flights_len = 0;
	apart = true;
	memset(sent_to_len, 0, sizeof sent_to_len);
	for (unsigned i = 0; i < NODES; i++)
		start_party(i, &first);
	run_ms(20000);
	ck_assert(dht_is_persistent(node_dht(parties[RELAY].node)));
	relay_on(true);
	run_ms(3000);
}

static void
teardown(void)
{
	for (unsigned i = 0; i < NODES; i++) {
		node_free(parties[i].node);
		sim_world_fini(&parties[i].world);
	}
	free(flights);
	flights = NULL;
}

static const uint8_t *
relay_key(void)
{
	return parties[RELAY].relay_keys.public_key;
}

/* Connects B to A. The relay is named by the client, the server or both. */
static void
connect_through(bool client_names, bool server_names)
{
	struct node_listen l = {.keys = &parties[A].keys,
	    .relay_through = server_names ? relay_key() : NULL};
	struct node_connect c = {.key = parties[A].keys.public_key,
	    .relay_through = client_names ? relay_key() : NULL};
	uint32_t number;

	ck_assert_int_eq(node_listen(parties[A].node, &l, &number), 0);
	run_ms(3000);
	ck_assert_int_eq(
	    node_connect(parties[B].node, &c, &parties[B].conn), 0);
}

static void
connect_parties(void)
{
	connect_through(true, false);
	for (int i = 0; i < 5000 && parties[A].opened + parties[B].opened < 2;
	     i++)
		run_ms(1);
	ck_assert_uint_eq(parties[A].opened, 1);
	ck_assert_uint_eq(parties[B].opened, 1);
}

static void
exchange(const char *text)
{
	size_t len = strlen(text);
	struct bytes b;

	for (unsigned i = A; i <= B; i++)
		ck_assert_int_eq(node_conn_write(parties[i].node,
				     parties[i].conn, text, len),
		    (ptrdiff_t)len);
	run_ms(500);
	for (unsigned i = A; i <= B; i++) {
		b = node_conn_peek(parties[i].node, parties[i].conn);
		ck_assert_uint_eq(b.len, len);
		ck_assert_mem_eq(b.p, text, len);
		node_conn_consume(parties[i].node, parties[i].conn, len);
	}
}

static struct node_relay_status
status(void)
{
	struct node_relay_status st;

	node_relay_status(parties[RELAY].node, &st);
	return st;
}

/* The two streams of the only pairing. */
static struct udx_stream *
half_facing(unsigned party)
{
	struct udx *u = parties[RELAY].node->udx;
	struct udx_stream *s, *next;

	HASH_ITER (hh, u->streams, s, next)
		if (udx_is_relay(s) &&
		    addr_same_host(&s->path.current.to, &parties[party].host))
			return s;
	return NULL;
}

/* Whoever names the relay, the first bytes pass without a retransmission. */
START_TEST(relays_a_connection)
{
	bool client = _i != 1, server = _i != 0;
	const struct stats *st;

	connect_through(client, server);
	for (int i = 0; i < 4000 && parties[A].opened + parties[B].opened < 2;
	     i++)
		run_ms(1);
	ck_assert_uint_eq(parties[A].opened, 1);
	ck_assert_uint_eq(parties[B].opened, 1);
	ck_assert_uint_eq(status().pairings, 1);
	/* The first packet of either waits for no timeout of a second. */
	ck_assert_uint_lt(parties[A].open_us > parties[B].open_us
			      ? parties[A].open_us - parties[B].open_us
			      : parties[B].open_us - parties[A].open_us,
	    200000);
	exchange("first");
	ck_assert_uint_gt(status().bytes, 0);
	st = node_stats(parties[RELAY].node);
	ck_assert_uint_eq(st->relayed_pairings, 1);
	ck_assert_uint_eq(st->relayed_sessions, 2);
	/* The application of the relay has noticed nothing. */
	ck_assert_uint_eq(parties[RELAY].opened, 0);
	ck_assert_uint_eq(st->conns_opened, 0);
	node_conn_close(parties[B].node, parties[B].conn);
	run_ms(15000);
	ck_assert_uint_eq(parties[A].closed, 1);
	ck_assert_uint_eq(status().pairings + status().sessions, 0);
}
END_TEST

/* What is relayed moves to a direct path as soon as there is one. */
START_TEST(upgrades)
{
	connect_parties();
	ck_assert_uint_eq(status().pairings, 1);
	apart = false;
	for (int i = 0; i < 20 && status().pairings > 0; i++) {
		exchange("moving");
		run_ms(500);
	}
	ck_assert_uint_eq(status().pairings + status().sessions, 0);
	ck_assert_uint_eq(node_stats(parties[B].node)->relay_upgrades, 1);
	exchange("moved");
}
END_TEST

/* Relaying is turned off while streams run: both ends are told at once. */
START_TEST(stops_while_it_relays)
{
	connect_parties();
	relay_on(false);
	run_ms(200);
	ck_assert_uint_eq(parties[A].closed, 1);
	ck_assert_uint_eq(parties[B].closed, 1);
	ck_assert_uint_eq(status().pairings + status().sessions, 0);
	ck_assert_ptr_null(half_facing(A));
	/* On again, and off, and the node leaves. */
	relay_on(true);
	run_ms(10);
	relay_on(true);
	run_ms(3000);
	node_leave(parties[RELAY].node);
	run_ms(3000);
}
END_TEST

/* A packet with the right id from anywhere else changes nothing: neither
 * where a half sends nor whether it lives. */
START_TEST(is_not_redirected)
{
	struct addr evil = addr_v4(66, 6, 6, 6, 6666), port;
	uint8_t buf[PACKET_HEADER];
	struct packet p = {.type = PACKET_HEARTBEAT};
	struct udx_stream *a;

	connect_parties();
	exchange("before");
	a = half_facing(A);
	ck_assert_ptr_nonnull(a);
	port = a->path.current.to;
	p.id = udx_id(a);
	packet_encode(buf, &p);
	ck_assert_int_eq(deliver(&parties[RELAY], &evil, PORT, buf, sizeof buf),
	    ERR_SPOOFED);
	/* From another port of the right host it is forwarded, as the peer may
	 * have migrated, but answers still go to the peer. */
	evil = port;
	evil.port++;
	ck_assert_int_eq(
	    deliver(&parties[RELAY], &evil, PORT, buf, sizeof buf), 0);
	p.type = PACKET_DESTROY;
	packet_encode(buf, &p);
	ck_assert_int_eq(deliver(&parties[RELAY], &evil, PORT, buf, sizeof buf),
	    ERR_SPOOFED);
	run_ms(100);
	ck_assert(addr_equal(&a->path.current.to, &port));
	exchange("after");
}
END_TEST

/* Makes the path of each client of the relay one that only its handshake has
 * claimed: no packet has come from there. */
static void
forge_paths(const struct addr *claimed)
{
	for (struct conn *c = parties[RELAY].node->peers->conns; c != NULL;
	     c = c->hh.next)
		if (c->relay.session != NULL) {
			c->udx->path.current.to = *claimed;
			c->paths.list[c->paths.current].to = *claimed;
			c->udx->count.path_packets_in = 0;
		}
}

/* A client that claims the address of another host makes the relay neither
 * send there nor accept packets from there. */
START_TEST(takes_no_address_that_is_only_claimed)
{
	const struct stats *st = node_stats(parties[RELAY].node);
	struct addr victim = addr_v4(66, 6, 6, 6, 6666);
	struct udx_stream *s, *next;
	unsigned halves = 0;

	connect_through(true, false);
	for (int i = 0; i < 4000 && status().waiting == 0; i++)
		run_ms(1);
	ck_assert_uint_eq(status().waiting, 1);
	forge_paths(&victim);
	for (int i = 0; i < 2000; i++) {
		run_ms(1);
		HASH_ITER (hh, parties[RELAY].node->udx->streams, s, next) {
			if (!udx_is_relay(s))
				continue;
			halves++;
			ck_assert_uint_ne(
			    s->relay->host, addr_host_key(&victim));
			ck_assert(
			    !addr_same_host(&s->path.current.to, &victim));
		}
	}
	ck_assert_uint_gt(halves + st->relayed_links_refused, 0);
}
END_TEST

/* A node that does not relay answers a dial of its relay's key with nothing;
 * one that relays for friends answers those alone. */
START_TEST(relays_for_friends)
{
	struct node_relaying r = {.on = true, .allow_len = 2};
	uint8_t allow[2][KEY_LEN];

	memcpy(allow[0], parties[A].keys.public_key, KEY_LEN);
	memcpy(allow[1], parties[_i == 0 ? B : FIRST].keys.public_key, KEY_LEN);
	r.allow = allow;
	ck_assert_int_eq(node_set_relaying(parties[RELAY].node, &r), 0);
	run_ms(3000);
	connect_through(true, true);
	run_ms(20000);
	ck_assert_uint_eq(parties[B].opened, _i == 0);
	ck_assert_uint_eq(status().pairings, _i == 0);
}
END_TEST

/* An idle pairing takes at most 4 KiB: two streams, their halves, and 384 bytes
 * of the link and of the server's. */
START_TEST(is_small)
{
	ck_assert_uint_le(heap_bytes(sizeof(struct udx_stream)) * 2 +
			      heap_bytes(sizeof(struct relay_half)) * 2 + 384,
	    4096);
}
END_TEST

/* Gives the relay a full bucket of this volume per month. */
static void
give_volume(uint64_t month)
{
	struct node *n = parties[RELAY].node;
	struct relay_volume_saved v = {
	    .month = month, .left = month / 10, .unix_ms = n->world->unix_ms};

	node_set_relay_volume(n, month);
	node_restore_relay_volume(n, &v);
}

static void
store_volume(void)
{
	struct relay_volume_saved v;

	if (node_save_relay_volume(parties[RELAY].node, false, &v))
		node_relay_volume_stored(parties[RELAY].node, &v);
}

/* What is received and sent is spent, of the pairing as well as of the control
 * connections. */
START_TEST(spends_its_volume)
{
	uint64_t before, forwarded, spent;

	give_volume(100000000);
	store_volume();
	before = status().volume.left;
	connect_parties();
	exchange("paid");
	forwarded = status().bytes;
	spent = before - status().volume.left;
	ck_assert_uint_ge(spent, 2 * forwarded + 500);
	ck_assert_uint_le(spent, 2 * forwarded + 20000);
	/* Keep-alives of an idle pairing, too. */
	before = status().volume.left;
	forwarded = status().bytes;
	run_ms(60000);
	ck_assert_uint_gt(
	    before + 60 * UINT64_C(100000000) / 2592000, status().volume.left);
}
END_TEST

/* Without volume, or before it is stored, nothing is forwarded. */
START_TEST(relays_nothing_beyond_its_volume)
{
	give_volume(100000000);
	connect_through(true, false);
	run_ms(10000);
	ck_assert_uint_eq(parties[A].opened + parties[B].opened, 0);
	ck_assert_uint_eq(status().bytes, 0);
	ck_assert_uint_gt(node_stats(parties[RELAY].node)->relayed_unpaid, 0);
}
END_TEST

/* The dial names the reason, and the relay is left alone until it has volume
 * again. A client that is not native sees a closed channel. */
START_TEST(says_that_its_volume_is_spent)
{
	const uint8_t key[KEY_LEN] = {1};
	struct known_relay *known;
	struct peers *p = parties[B].node->peers;

	node_set_relay_volume(parties[RELAY].node, 10000000);
	ck_assert(relay_pool_add(&p->finder.pool, relay_key()));
	ck_assert(relay_pool_add(&p->finder.pool, key));
	connect_through(true, false);
	run_ms(30000);
	ck_assert_uint_eq(parties[B].opened, 0);
	ck_assert_int_eq(parties[B].err, ERR_RELAY_SPENT);
	ck_assert_uint_eq(status().bytes, 0);
	known = &p->finder.pool.entries[0];
	ck_assert_mem_eq(known->key, relay_key(), KEY_LEN);
	ck_assert_uint_eq(known->failures, 0);
	ck_assert_uint_gt(
	    known->due_us, parties[B].world.w.now_us + UINT64_C(3600000000));
}
END_TEST

static void
write_much(void)
{
	static const uint8_t text[100000];

	for (int i = 0; i < 5000; i++) {
		store_volume();
		(void)node_conn_write(
		    parties[B].node, parties[B].conn, text, sizeof text);
		run_ms(1);
		node_conn_consume(parties[A].node, parties[A].conn,
		    node_conn_peek(parties[A].node, parties[A].conn).len);
	}
}

/* The clients of one network have a part; a friend has no share. */
START_TEST(shares_its_volume)
{
	struct node_relaying r = {.on = true, .friends_len = 2};
	uint8_t friends[2][KEY_LEN];

	give_volume(10000000);
	memcpy(friends[0], parties[A].keys.public_key, KEY_LEN);
	memcpy(friends[1], parties[B].keys.public_key, KEY_LEN);
	r.friends = friends;
	if (_i == 1)
		ck_assert_int_eq(node_set_relaying(parties[RELAY].node, &r), 0);
	run_ms(3000);
	store_volume();
	connect_parties();
	write_much();
	if (_i == 0)
		ck_assert_uint_lt(status().bytes, 1000000 / 16);
	else
		ck_assert_uint_gt(status().bytes, 1000000 / 8);
}
END_TEST

/* Pairings that began without a volume have a part of it, too. */
START_TEST(shares_a_volume_that_is_set_later)
{
	uint64_t before;

	connect_parties();
	before = status().bytes;
	give_volume(10000000);
	write_much();
	ck_assert_uint_gt(status().bytes, before);
	ck_assert_uint_lt(status().bytes - before, 1000000 / 16);
}
END_TEST

/* Nothing is sent through a pairing for as long as is allowed. */
START_TEST(ends_idle_pairings)
{
	parties[RELAY].node->config.limits.relay_idle_seconds = 3;
	connect_parties();
	run_ms(10000);
	ck_assert_uint_eq(
	    node_stats(parties[RELAY].node)->relayed_links_idle, 1);
	ck_assert_uint_eq(parties[A].closed, 1);
	ck_assert_uint_eq(parties[B].closed, 1);
	ck_assert_uint_eq(status().pairings, 0);
}
END_TEST

/* Returns true if a lookup finds the relay under its topic of that day. */
static bool
is_announced(uint32_t day, uint8_t bits)
{
	struct relay_topic t = {.bits = bits,
	    .shard = relay_topic_shard(relay_key(), bits),
	    .day = day};
	uint8_t topic[HASH_LEN];
	uint32_t op;

	relay_topic_hash(topic, &t);
	parties[B].found = 0;
	ck_assert_int_eq(node_find(parties[B].node, CMD_LOOKUP, topic, &op), 0);
	run_ms(500);
	return parties[B].found > 0;
}

static void
set_day(uint32_t day)
{
	for (unsigned i = 0; i < NODES; i++)
		parties[i].world.w.unix_ms = day * UINT64_C(86400000);
}

/* Others find it today and on the next day; its user does not see how. */
START_TEST(announces_itself)
{
	uint32_t day = 20000;
	struct node_announcement a;
	struct node_status st;

	relay_on(false);
	set_day(day);
	relay_on(true);
	run_ms(8000);
	for (int i = 0; i < RELAY_LEVELS; i++) {
		ck_assert(is_announced(day, relay_level_bits[i]));
		ck_assert(is_announced(day + 1, relay_level_bits[i]));
		ck_assert(!is_announced(day + 2, relay_level_bits[i]));
	}
	node_status(parties[RELAY].node, &st);
	ck_assert_uint_eq(st.announcements, 0);
	ck_assert(!node_announcement(parties[RELAY].node, 0, &a));
	ck_assert_uint_eq(HASH_COUNT(parties[RELAY].node->announcements.by_id),
	    2 * RELAY_LEVELS);
	/* The next day begins; the clock is set back later. */
	for (int step = 1; step >= 0; step--) {
		set_day(day + (uint32_t)step);
		timer_arm(&parties[RELAY].node->timers,
		    &parties[RELAY].node->relay_announcer.timer, 0);
		run_ms(8000);
		ck_assert(is_announced(day + (uint32_t)step + 1, 6));
		ck_assert_uint_eq(
		    HASH_COUNT(parties[RELAY].node->announcements.by_id),
		    2 * RELAY_LEVELS);
	}
	relay_on(false);
	run_ms(3000);
	ck_assert(!is_announced(day, 0));
	ck_assert(!is_announced(day + 1, 6));
}
END_TEST

/* A relay for some keys alone is of no use to whoever finds it. */
START_TEST(friends_need_no_announcement)
{
	struct node_relaying r = {.on = true, .allow_len = 1};
	uint8_t allow[1][KEY_LEN] = {{1}};

	r.allow = allow;
	ck_assert_int_eq(node_set_relaying(parties[RELAY].node, &r), 0);
	run_ms(8000);
	ck_assert(!is_announced(relay_topic_day(0), 0));
}
END_TEST

/* After a dial without a path the next one opens through a relay that nobody
 * has named. While relays are not needed, none is sought. */
START_TEST(is_found_when_needed)
{
	const struct stats *st = node_stats(parties[B].node);
	struct node_connect c = {.key = parties[A].keys.public_key};

	run_ms(30000);
	ck_assert_uint_eq(st->relay_lookups, 0);
	connect_through(false, false);
	for (int i = 0; i < 30000 && parties[B].closed == 0; i++)
		run_ms(1);
	ck_assert_uint_eq(parties[B].opened, 0);
	ck_assert_uint_ne(node_retry_ms(parties[B].node, parties[B].err), 0);
	ck_assert(!node_names_relay(parties[B].node, relay_key()));
	run_ms(node_retry_ms(parties[B].node, parties[B].err));
	ck_assert_uint_eq(st->relay_lookups, 1);
	ck_assert_uint_eq(st->relays_proved, 1);
	ck_assert(
	    node_names_relay(parties[B].node, parties[A].keys.public_key));
	ck_assert_int_eq(
	    node_connect(parties[B].node, &c, &parties[B].conn), 0);
	run_ms(2000);
	ck_assert_uint_eq(parties[B].opened, 1);
	ck_assert_uint_eq(status().pairings, 1);
	/* The proof has ended its control connection. */
	run_ms(3000);
	ck_assert_uint_eq(status().sessions, 2);
}
END_TEST

/* It is not found by who shall not find it, nor by the relay itself. */
START_TEST(is_not_sought_by_order)
{
	struct relay_finder *f = peers_finder(parties[B].node->peers);

	parties[B].node->peers->base.finds_relays = false;
	relay_finder_note_dial(f, ERR_NO_PATH);
	ck_assert_uint_eq(relay_finder_retry_ms(f, ERR_NO_PATH), 0);
	run_ms(15000);
	ck_assert_uint_eq(node_stats(parties[B].node)->relay_lookups, 0);
	relay_finder_note_dial(
	    peers_finder(parties[RELAY].node->peers), ERR_NO_PATH);
	run_ms(15000);
	ck_assert_uint_eq(node_stats(parties[RELAY].node)->relay_lookups, 1);
	ck_assert_uint_eq(node_stats(parties[RELAY].node)->relays_proved, 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_service", &tc);

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, relays_a_connection, 0, 3);
	tcase_add_test(tc, upgrades);
	tcase_add_test(tc, stops_while_it_relays);
	tcase_add_test(tc, is_not_redirected);
	tcase_add_test(tc, takes_no_address_that_is_only_claimed);
	tcase_add_loop_test(tc, relays_for_friends, 0, 2);
	tcase_add_test(tc, is_small);
	tcase_add_test(tc, ends_idle_pairings);
	tcase_add_test(tc, spends_its_volume);
	tcase_add_test(tc, relays_nothing_beyond_its_volume);
	tcase_add_loop_test(tc, shares_its_volume, 0, 2);
	tcase_add_test(tc, shares_a_volume_that_is_set_later);
	tcase_add_test(tc, says_that_its_volume_is_spent);
	tcase_add_test(tc, announces_itself);
	tcase_add_test(tc, friends_need_no_announcement);
	tcase_add_test(tc, is_found_when_needed);
	tcase_add_test(tc, is_not_sought_by_order);
	return s;
}
