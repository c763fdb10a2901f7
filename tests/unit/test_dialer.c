/* SPDX-License-Identifier: ISC */
/*
 * Goal: a dial reaches its peer although some nodes fail or lie, reports its
 * end once with the reason, and reports an open connection only after the
 * peer's header was verified. Method: one test for each pitfall of the client's
 * side of a handshake (pitfalls S5, S6, H1 to H8), with scripted nodes, in
 * virtual time.
 */
#include <string.h>

#include "base/err.h"
#include "dht/dht_struct.h"
#include "peer/conn_struct.h"
#include "peer_rig.h"
#include "t.h"

static struct peer_rig rig;

static void
setup(void)
{
	peer_rig_init(&rig);
}

static void
teardown(void)
{
	peer_rig_fini(&rig);
}

static void
add_nodes(enum rig_node_kind kind, unsigned n)
{
	while (n-- > 0)
		peer_rig_node(&rig, kind);
}

static void
assert_open(uint64_t within_ms)
{
	uint64_t took = peer_rig_until_settled(&rig, within_ms);

	ck_assert_msg(rig.opened == 1, "not open after %u ms, err %s",
	    (unsigned)took, err_name(rig.err));
	ck_assert_uint_eq(rig.closed, 0);
}

static void
assert_fails(int err, uint64_t within_ms)
{
	peer_rig_until_settled(&rig, within_ms);
	ck_assert_uint_eq(rig.opened, 0);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_str_eq(err_name(rig.err), err_name(err));
	/* No second event follows. */
	peer_rig_run_ms(&rig, 12000);
	ck_assert_uint_eq(rig.closed, 1);
}

START_TEST(reaches_an_open_server)
{
	struct node_conn c;

	add_nodes(RIG_IGNORANT, 20);
	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(node_conn(rig.node, 0, &c));
	ck_assert(c.open);
	ck_assert_int_eq(c.path, CONN_PATH_DIRECT);
	ck_assert(addr_equal(&c.remote, &rig.server.seen));
}
END_TEST

/* ---- the search ---- */

/* Pitfall H1: the server sees one connection, through several nodes. */
START_TEST(one_message_for_all)
{
	add_nodes(RIG_IGNORANT, 5);
	add_nodes(RIG_KNOWS, 6);
	rig.server.alive_len = 0;
	peer_rig_connect(&rig);
	peer_rig_run_ms(&rig, 5000);
	ck_assert_uint_ge(rig.server.messages, 2);
	ck_assert_uint_eq(rig.server.sessions, 1);
}
END_TEST

/* Pitfall S6: many forged answers are received before the valid one. */
START_TEST(survives_forged_answers)
{
	add_nodes(RIG_LIAR, 30);
	add_nodes(RIG_KNOWS, 1);
	peer_rig_connect(&rig);
	assert_open(2000);
	ck_assert_uint_eq(rig.server.sessions, 1);
}
END_TEST

static const enum rig_node_kind broken[] = {
    RIG_LIAR, RIG_WRONG_MODE, RIG_NO_NOISE, RIG_ELSEWHERE};

/* Pitfall S5: each way in which an answer can be invalid. */
START_TEST(ignores_invalid_answers)
{
	add_nodes(broken[_i], 3);
	peer_rig_connect(&rig);
	assert_fails(ERR_NO_ANSWER, 30000);
}
END_TEST

/* Pitfall H2: nodes that do not respond, remembered or given, do not delay the
 * others. */
START_TEST(unresponsive_nodes_delay_little)
{
	struct addr dead[18];
	struct node_connect c = {.key = rig.server.keys.public_key,
	    .relays = dead,
	    .relays_len = 18};
	uint32_t conn;

	for (uint8_t i = 0; i < 18; i++)
		dead[i] = addr_v4(30, 0, i, 1, 49737);
	add_nodes(RIG_IGNORANT, 10);
	add_nodes(RIG_KNOWS, 3);
	ck_assert_int_eq(node_connect(rig.node, &c, &conn), 0);
	assert_open(1500);
}
END_TEST

/* A node that forwards to a server which is gone stays in the table. */
START_TEST(stale_nodes_do_not_suffer)
{
	struct dht_status before, after;

	add_nodes(RIG_STALE, 5);
	dht_status(node_dht(rig.node), &before);
	peer_rig_connect(&rig);
	assert_fails(ERR_NO_ANSWER, 30000);
	dht_status(node_dht(rig.node), &after);
	ck_assert_uint_eq(after.nodes, before.nodes);
	ck_assert_uint_eq(node_stats(rig.node)->down_hints_sent, 0);
}
END_TEST

START_TEST(unknown_keys_fail_at_once)
{
	add_nodes(RIG_IGNORANT, 20);
	peer_rig_connect(&rig);
	assert_fails(ERR_NOT_FOUND, 500);
}
END_TEST

START_TEST(reports_no_network)
{
	add_nodes(RIG_DEAD, 5);
	peer_rig_connect(&rig);
	assert_fails(ERR_UNREACHABLE, 30000);
}
END_TEST

/* ---- the answer ---- */

static const struct {
	uint64_t error, flags;
	int err;
} terminal[] = {
    {SIGNAL_ABORTED, PAYLOAD_UDX, ERR_PEER_REFUSED},
    {SIGNAL_VERSION_MISMATCH, PAYLOAD_UDX, ERR_PEER_VERSION},
    {SIGNAL_TRY_LATER, PAYLOAD_UDX, ERR_PEER_BUSY},
    {77, PAYLOAD_UDX, ERR_PEER_REFUSED},
    {SIGNAL_OK, 0, ERR_PEER_REFUSED},
};

/* Pitfall H3: a refusal by the server ends the dial, through any node. */
START_TEST(refusals_end_the_dial)
{
	add_nodes(RIG_KNOWS, 6);
	rig.server.payload.error = terminal[_i].error;
	rig.server.payload.flags = terminal[_i].flags;
	peer_rig_connect(&rig);
	assert_fails(terminal[_i].err, 200);
	ck_assert_uint_le(rig.server.messages, 6);
}
END_TEST

/* Pitfall H6: the addresses of the server are tried, but may be wrong ... */
START_TEST(wrong_list_does_not_matter)
{
	struct payload *p = &rig.server.payload;
	struct node_conn c;

	add_nodes(RIG_KNOWS, 3);
	p->flags |= PAYLOAD_ADDRS4;
	p->addrs4[p->addrs4_len++] = addr_v4(10, 0, 0, 1, 49737);
	p->addrs4[p->addrs4_len++] = addr_v4(9, 9, 9, 9, 49737);
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(node_conn(rig.node, 0, &c));
	ck_assert(addr_equal(&c.remote, &rig.server.seen));
}
END_TEST

/* ... and so may be the address that a node reports. */
START_TEST(wrong_view_does_not_matter)
{
	struct rig_server *s = &rig.server;
	struct node_conn c;

	add_nodes(RIG_KNOWS, 3);
	s->payload.flags |= PAYLOAD_ADDRS4;
	s->payload.addrs4[s->payload.addrs4_len++] = s->seen;
	s->seen.port++;
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(node_conn(rig.node, 0, &c));
	ck_assert(addr_equal(&c.remote, &s->alive[0]));
}
END_TEST

/* PEER_OPEN is not reported before the header was verified. */
START_TEST(an_address_alone_is_no_peer)
{
	add_nodes(RIG_KNOWS, 3);
	rig.server.alive_len = 0;
	peer_rig_connect(&rig);
	assert_fails(ERR_NO_PATH, 15000);
}
END_TEST

START_TEST(connects_when_the_server_came_first)
{
	add_nodes(RIG_KNOWS, 3);
	rig.server.comes_first = true;
	rig.server.seen = addr_v4(9, 9, 9, 9, 1); /* not its address */
	peer_rig_connect(&rig);
	assert_open(1000);
}
END_TEST

/* An answer without an address is sent by the server itself. */
START_TEST(direct_answer_names_the_server)
{
	struct rig_node *n = peer_rig_node(&rig, RIG_KNOWS);

	rig.server.answers_itself = true;
	rig.server.alive[0] = n->addr;
	peer_rig_connect(&rig);
	assert_open(1000);
}
END_TEST

/* Pitfall H7: with one public address, the private one is tried as well. */
START_TEST(connects_inside_one_network)
{
	struct rig_server *s = &rig.server;
	struct addr ours = addr_v4(192, 168, 1, 2, 0);
	struct node_conn c;

	node_set_local(rig.node, &ours, NULL, 1);
	add_nodes(RIG_KNOWS, 3);
	s->seen = rig.public;
	s->seen.port = 4000;
	s->payload.firewall = FIREWALL_UNKNOWN;
	s->payload.flags |= PAYLOAD_ADDRS4 | PAYLOAD_HOLEPUNCH;
	s->payload.relays[s->payload.relays_len++] =
	    (struct payload_relay){.relay = rig.nodes[0].addr, .peer = s->seen};
	s->payload.addrs4[s->payload.addrs4_len++] =
	    addr_v4(172, 17, 0, 1, 49737);
	s->payload.addrs4[s->payload.addrs4_len++] =
	    addr_v4(192, 168, 1, 9, 49737);
	s->alive[0] = s->payload.addrs4[1];
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(node_conn(rig.node, 0, &c));
	ck_assert_int_eq(c.path, CONN_PATH_LAN);
	ck_assert(addr_equal(&c.remote, &s->alive[0]));
}
END_TEST

/* Both machines have the same bridges, which are listed first. */
START_TEST(prefers_its_own_prefix_to_bridges)
{
	struct rig_server *s = &rig.server;
	struct addr ours[6];

	for (uint8_t i = 0; i < 5; i++) {
		ours[i] = addr_v4(172, (uint8_t)(17 + i), 0, 1, 0);
		s->payload.addrs4[i] = ours[i];
		s->payload.addrs4[i].port = 49737;
	}
	ours[5] = addr_v4(192, 168, 1, 2, 0);
	s->payload.addrs4[5] = addr_v4(192, 168, 1, 9, 49737);
	s->payload.addrs4_len = 6;
	node_set_local(rig.node, ours, NULL, 6);
	add_nodes(RIG_KNOWS, 3);
	s->seen = rig.public;
	s->seen.port = 4000;
	s->payload.firewall = FIREWALL_UNKNOWN;
	s->payload.flags |= PAYLOAD_ADDRS4 | PAYLOAD_HOLEPUNCH;
	s->payload.relays[s->payload.relays_len++] =
	    (struct payload_relay){.relay = rig.nodes[0].addr, .peer = s->seen};
	s->alive[0] = s->payload.addrs4[5];
	peer_rig_connect(&rig);
	assert_open(1000);
}
END_TEST

/*
 * The first packet on a path may be lost. If the path is added again, as when a
 * probe of the peer is received, the dialer probes without waiting for a
 * timeout.
 */
START_TEST(probes_a_path_that_is_added_again)
{
	struct addr to;
	struct conn *c;
	size_t before, knocks = 0;

	add_nodes(RIG_KNOWS, 3);
	rig.server.alive_len = 0;
	peer_rig_connect(&rig);
	peer_rig_run_ms(&rig, 500);
	c = peers_conn_after(rig.node->peers, 0);
	ck_assert(conn_has_path(c));
	to = conn_remote(c);
	before = rig.world.sent_len;
	conn_add_path(c, CONN_PATH_PUNCHED, conn_sock(c), &to);
	for (size_t i = before; i < rig.world.sent_len; i++)
		knocks += addr_equal(&rig.world.sent[i].meta.to, &to) &&
			  rig.world.sent[i].len == UDX_HEADER_LEN;
	ck_assert_uint_eq(knocks, 1);
	ck_assert_ptr_null(peers_conn_after(rig.node->peers, conn_number(c)));
}
END_TEST

/* Receives a packet without data for the dialer's stream. */
static void
receive_state_packet(const struct conn *c, const struct addr *from)
{
	uint8_t buf[UDX_HEADER_LEN] = {0xff, 1};
	struct dgram dg = {
	    .sock = conn_sock(c), .from = *from, .buf = buf, .len = sizeof buf};
	uint32_t id = conn_udx_id(c);

	for (int i = 0; i < 4; i++)
		buf[4 + i] = (uint8_t)(id >> 8 * i);
	udx_recv(rig.node->udx, &dg);
	peer_rig_run_ms(&rig, 1);
}

/* A reference peer acknowledges each probe: if each of its packets caused one,
 * the two would send as fast as they can until the path is proved. */
START_TEST(answers_few_packets_of_a_known_path)
{
	struct addr other = addr_v4(198, 51, 100, 99, 4711);
	struct conn *c;
	size_t before, probes = 0;

	add_nodes(RIG_KNOWS, 3);
	rig.server.alive_len = 0;
	peer_rig_connect(&rig);
	peer_rig_run_ms(&rig, 500);
	c = peers_conn_after(rig.node->peers, 0);
	before = rig.world.sent_len;
	for (int i = 0; i < 500; i++)
		receive_state_packet(c, &other);
	for (size_t i = before; i < rig.world.sent_len; i++)
		probes += addr_equal(&rig.world.sent[i].meta.to, &other);
	ck_assert_uint_ge(probes, 2);
	ck_assert_uint_le(probes, 10);
}
END_TEST

/* Both sides are firewalled: the reason is ERR_NO_PATH. */
START_TEST(reports_no_path)
{
	struct rig_server *s = &rig.server;

	add_nodes(RIG_KNOWS, 3);
	s->payload.firewall = FIREWALL_UNKNOWN;
	s->payload.flags |= PAYLOAD_HOLEPUNCH;
	s->payload.relays[s->payload.relays_len++] =
	    (struct payload_relay){.relay = rig.nodes[0].addr, .peer = s->seen};
	s->alive_len = 0;
	peer_rig_connect(&rig);
	assert_fails(ERR_NO_PATH, 30000);
}
END_TEST

/* Pitfall H5: a node behind a NAT does not describe itself as open. */
START_TEST(describes_itself)
{
	struct addr ours = addr_v4(192, 168, 1, 2, 0);
	const struct payload *p = &rig.server.client;

	node_set_local(rig.node, &ours, NULL, 1);
	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert_uint_eq(p->firewall, FIREWALL_UNKNOWN);
	ck_assert_uint_eq(p->addrs4_len, 1);
	ck_assert_uint_eq(p->addrs4[0].ip[3], 2);
	ck_assert_uint_eq(p->addrs4[0].port, 49737);
	ck_assert(payload_has(p, PAYLOAD_SECRET_STREAM));
	ck_assert(p->features & PAYLOAD_NATIVE);
	ck_assert(!payload_has(p, PAYLOAD_HOLEPUNCH));
	ck_assert(!payload_has(p, PAYLOAD_RELAY_ADDRS));
}
END_TEST

/* Pitfall H5: a node that was open is not while its NAT maps another port:
 * others would dial an address that does not work. */
static const struct {
	uint16_t port; /* as others see the server socket */
	bool firewalled;
	uint64_t said;
} seen_at[] = {
    {49737, false, FIREWALL_OPEN},
    {49738, false, FIREWALL_UNKNOWN},
    {49737, true, FIREWALL_UNKNOWN},
};

START_TEST(is_open_only_with_its_own_port)
{
	struct addr us = rig.public;
	struct dht *d = node_dht(rig.node);
	const struct payload *p = &rig.server.client;

	us.port = seen_at[_i].port;
	add_nodes(RIG_KNOWS, 3);
	sampler_init(&d->self.sampler);
	for (int i = 0; i < 4; i++)
		sampler_add(&d->self.sampler, &us);
	d->self.firewalled = seen_at[_i].firewalled;
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert_uint_eq(p->firewall, seen_at[_i].said);
	/* The address that we do not listen at is not listed either. */
	ck_assert_int_eq(
	    addr_equal(&p->addrs4[0], &us), seen_at[_i].said == FIREWALL_OPEN);
}
END_TEST

/* ---- the second dial ---- */

/* Pitfall H8: the server's own list, in one round trip, without a lookup. */
START_TEST(remembers_the_relays)
{
	struct payload *p = &rig.server.payload;
	uint64_t queries;

	add_nodes(RIG_IGNORANT, 10);
	add_nodes(RIG_KNOWS, 3);
	p->flags |= PAYLOAD_RELAY_ADDRS;
	p->relay_addrs[p->relay_addrs_len++] = rig.nodes[12].addr;
	node_conn_close(rig.node, peer_rig_connect(&rig));
	ck_assert_uint_eq(rig.opened + rig.closed, 0);
	peer_rig_connect(&rig);
	assert_open(1000);
	node_conn_close(rig.node, rig.last);
	queries = node_stats(rig.node)->queries;
	peer_rig_next_session(&rig);
	peer_rig_connect(&rig);
	assert_open(100);
	ck_assert_uint_eq(node_stats(rig.node)->queries, queries);
}
END_TEST

START_TEST(forgets_what_no_longer_works)
{
	add_nodes(RIG_IGNORANT, 10);
	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	node_conn_close(rig.node, rig.last);
	rig.opened = 0;
	for (unsigned i = 0; i < rig.nodes_len; i++)
		rig.nodes[i].kind = RIG_IGNORANT;
	peer_rig_connect(&rig);
	assert_fails(ERR_NOT_FOUND, 1000);
	ck_assert_uint_eq(rig.node->peers->relays.pool.len, 0);
}
END_TEST

/* Protocol 03 §8.5: over the path of an open connection, without a lookup. */
START_TEST(reuses_an_open_connection)
{
	struct rig_server *s = &rig.server;
	struct rig_node *direct;
	uint64_t queries;

	add_nodes(RIG_KNOWS, 3);
	s->payload.features = PAYLOAD_REUSABLE;
	s->keeps = true;
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(s->client.features & PAYLOAD_REUSABLE);
	for (unsigned i = 0; i < rig.nodes_len; i++)
		rig.nodes[i].handshakes = 0;
	direct = peer_rig_server_node(&rig);
	queries = node_stats(rig.node)->queries;
	peer_rig_next_session(&rig);
	peer_rig_connect(&rig);
	assert_open(100);
	ck_assert_uint_eq(direct->handshakes, 1);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_uint_eq(rig.nodes[i].handshakes, 0);
	ck_assert_uint_eq(node_stats(rig.node)->queries, queries);
}
END_TEST

/* A peer that is gone delays the dial only a little. */
START_TEST(a_dead_connection_costs_little)
{
	struct rig_server *s = &rig.server;

	add_nodes(RIG_KNOWS, 3);
	s->payload.features = PAYLOAD_REUSABLE;
	s->keeps = true;
	peer_rig_connect(&rig);
	assert_open(1000);
	peer_rig_next_session(&rig);
	peer_rig_connect(&rig);
	assert_open(500);
}
END_TEST

/* ---- IPv6 ---- */

static struct addr
addr6(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	return a;
}

static bool
is_remote(const struct conn *c, const struct addr *a)
{
	struct addr now = conn_remote(c);

	return addr_equal(&now, a);
}

/* The node has a global address; the server lists these. */
static void
init6(uint64_t features, const struct addr *theirs, uint8_t len)
{
	struct payload *p = &rig.server.payload;

	node_set_local(rig.node, &rig.public6, NULL, 1);
	add_nodes(RIG_KNOWS, 3);
	p->features = features;
	p->flags |= PAYLOAD_ADDRS6;
	memcpy(p->addrs6, theirs, len * sizeof *theirs);
	p->addrs6_len = len;
}

static unsigned
sent_to(const struct addr *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < rig.world.sent_len; i++)
		n += addr_equal(&rig.world.sent[i].meta.to, a);
	return n;
}

/* Lists only global addresses, and at most four. */
START_TEST(lists_its_ipv6_addresses)
{
	static const char *const local[] = {"[fe80::1]", "[fd00::1]", "[::1]",
	    "[::ffff:5.0.0.1]", "[2a01::1]", "[2a01::2]", "[2a01::3]",
	    "[2a01::4]", "[2a01::5]", "[2a01::6]"};
	struct payload *said = &rig.server.client;
	struct addr all[T_ROWS(local)];

	for (int i = 0; i < T_ROWS(local); i++)
		all[i] = addr6(local[i]);
	add_nodes(RIG_KNOWS, 3);
	node_set_local(rig.node, all, NULL, (size_t)_i);
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert_uint_eq(said->addrs6_len, _i <= 4 ? 0 : _i < 8 ? _i - 4 : 4);
	for (int i = 0; i < said->addrs6_len; i++) {
		ck_assert(addr_same_host(&said->addrs6[i], &all[4 + i]));
		ck_assert_uint_ne(said->addrs6[i].port, 0);
	}
}
END_TEST

/* A list may name any host: it receives few and small datagrams, and only if
 * the peer is a node of this project. */
START_TEST(probes_listed_addresses)
{
	static const struct {
		const char *text;
		unsigned most;
	} rows[] = {
	    {"[2a02::1]:5000", 8},
	    {"[2a02::1]:5001", 0}, /* one for each host */
	    {"[2a02::2]", 0}, {"[fe80::1]:5000", 0}, {"[fd00::1]:5000", 0},
	    {"[ff02::1]:5000", 0}, {"[::ffff:9.9.9.9]:5000", 0},
	    {"[2a02::3]:5000", 8}, {"[2a02::4]:5000", 8}, {"[2a02::5]:5000", 8},
	    {"[2a02::6]:5000", 0}, /* more than four */
	};
	struct addr listed[T_ROWS(rows)];
	bool native = _i;

	for (int i = 0; i < T_ROWS(rows); i++)
		listed[i] = addr6(rows[i].text);
	init6(native ? PAYLOAD_NATIVE : 0, listed, T_ROWS(rows));
	rig.server.alive_len = 0;
	peer_rig_connect(&rig);
	peer_rig_run_ms(&rig, 20000);
	for (int i = 0; i < T_ROWS(rows); i++)
		ck_assert_uint_eq(
		    sent_to(&listed[i]), native ? rows[i].most : 0);
	for (size_t i = 0; i < rig.world.sent_len; i++)
		if (rig.world.sent[i].meta.to.family == ADDR_V6)
			ck_assert_uint_le(
			    rig.world.sent[i].len, UDX_HEADER_LEN);
}
END_TEST

/* The family that works opens, without waiting for the other. */
START_TEST(either_family_will_do)
{
	struct addr v6 = addr6("[2a02::1]:5000");
	struct addr v4 = rig.server.seen;

	init6(PAYLOAD_NATIVE, &v6, 1);
	rig.server.alive[0] = _i ? v6 : v4;
	peer_rig_connect(&rig);
	assert_open(150);
	ck_assert_int_eq(
	    conn_remote(peers_conn_after(rig.node->peers, 0)).family,
	    _i ? ADDR_V6 : ADDR_V4);
}
END_TEST

/* IPv6 is preferred if it works within its head start, later it is not. */
START_TEST(ipv6_has_a_head_start)
{
	static const struct {
		uint32_t after_ms;
		bool moves;
	} rows[] = {{100, true}, {240, true}, {400, false}};
	struct rig_server *s = &rig.server;
	struct addr v6 = addr6("[2a02::1]:5000"), v4 = s->seen;
	struct udx_path back = {.sock = 0, .to = rig.public6};
	struct addr now;

	init6(PAYLOAD_NATIVE, &v6, 1);
	peer_rig_connect(&rig);
	assert_open(150);
	ck_assert(is_remote(peers_conn_after(rig.node->peers, 0), &v4));
	peer_rig_run_ms(&rig, rows[_i].after_ms - 15);
	back.to.port = s->client.addrs6[0].port;
	back.id = s->client.udx_id;
	s->at = v6;
	udx_probe_path(s->stream, &back);
	peer_rig_run_ms(&rig, 1);
	s->at = v4;
	peer_rig_run_ms(&rig, 20);
	now = conn_remote(peers_conn_after(rig.node->peers, 0));
	ck_assert_int_eq(now.family, rows[_i].moves ? ADDR_V6 : ADDR_V4);
}
END_TEST

/* ---- migration ---- */

static struct conn *
open_to_native(void)
{
	add_nodes(RIG_KNOWS, 3);
	rig.server.payload.features = PAYLOAD_NATIVE;
	peer_rig_connect(&rig);
	assert_open(1000);
	return peers_conn_after(rig.node->peers, 0);
}

/* Moves the server to this address. */
static void
move_server(const struct addr *to)
{
	rig.server.at = rig.server.alive[0] = *to;
	rig.server.alive_len = 1;
}

/* The messages of conn_migrate.c. */
enum { HERE, CHALLENGE, ECHO, MESSAGE_LEN = 9 };

static void
server_says(uint8_t word, const uint8_t *nonce)
{
	uint8_t m[MESSAGE_LEN] = {word};

	if (nonce != NULL)
		memcpy(m + 1, nonce, MESSAGE_LEN - 1);
	ck_assert_int_eq(
	    secret_send_message(rig.server.secret, m, sizeof m), 0);
	peer_rig_run_ms(&rig, 200);
	ck_assert_uint_eq(rig.closed, 0);
}

/* Takes the next message that the server has received, of this kind. */
static void
server_takes_message(uint8_t word, uint8_t nonce[MESSAGE_LEN - 1])
{
	uint8_t plain[UDX_MTU_MAX];
	struct udx_message m;

	ck_assert(udx_next_message(rig.server.stream, &m));
	ck_assert_int_eq(
	    secret_open_message(rig.server.secret, &m, plain), MESSAGE_LEN);
	ck_assert_uint_eq(plain[0], word);
	memcpy(nonce, plain + 1, MESSAGE_LEN - 1);
}

/* A sealed message reports the new address; the response validates it. */
START_TEST(follows_a_peer_that_moves)
{
	struct rig_server *s = &rig.server;
	struct conn *c = open_to_native();
	struct addr moved = addr_v4(198, 51, 100, 77, 4711);
	struct addr before = conn_remote(c);
	uint8_t nonce[MESSAGE_LEN - 1];
	struct bytes got;
	int err = 0;

	move_server(&moved);
	server_says(HERE, NULL);
	ck_assert(is_remote(c, &before));
	server_takes_message(CHALLENGE, nonce);
	server_says(ECHO, nonce);
	ck_assert(is_remote(c, &moved));
	ck_assert_uint_eq(node_stats(rig.node)->moves, 1);
	server_takes_message(HERE, nonce);
	ck_assert_int_eq(conn_write(c, "hello", 5), 5);
	peer_rig_run_ms(&rig, 500);
	got = secret_peek(s->secret, NULL, &err);
	ck_assert_uint_eq(got.len, 5);
}
END_TEST

/* A forged address receives no more bytes than the peer has sent, and none of
 * the stream. */
START_TEST(sends_nothing_to_a_forged_address)
{
	struct conn *c = open_to_native();
	struct addr victim = addr_v4(198, 51, 100, 66, 6666);
	struct addr before = conn_remote(c);
	static const uint8_t much[20000];
	size_t from = rig.world.sent_len, packets = 0;
	uint8_t guess[MESSAGE_LEN - 1] = {0};

	rig.server.at = victim;
	for (unsigned i = 0; i < 10; i++)
		server_says(i % 2 == 0 ? HERE : ECHO, guess);
	ck_assert_int_gt(conn_write(c, much, sizeof much), 0);
	peer_rig_run_ms(&rig, 3000);
	ck_assert(is_remote(c, &before));
	for (size_t i = from; i < rig.world.sent_len; i++) {
		const struct sim_sent *d = &rig.world.sent[i];

		if (!addr_equal(&d->meta.to, &victim))
			continue;
		packets++;
		ck_assert_uint_le(d->len,
		    UDX_HEADER_LEN + SECRET_MESSAGE_OVERHEAD + MESSAGE_LEN);
	}
	ck_assert_uint_ge(packets, 1);
	ck_assert_uint_le(packets, 5);
}
END_TEST

/* Nor does it receive more challenges than its budget allows. */
START_TEST(challenges_are_charged_to_the_forged_address)
{
	struct addr victim = addr_v4(198, 51, 100, 66, 6666);
	struct limits l;
	size_t from, packets = 0;

	open_to_native();
	limits_init(&l);
	l.probe_burst = 20;
	l.probe_rate = 1;
	node_set_limits(rig.node, &l);
	from = rig.world.sent_len;
	rig.server.at = victim;
	for (unsigned i = 0; i < 60; i++)
		server_says(HERE, NULL);
	for (size_t i = from; i < rig.world.sent_len; i++)
		packets += addr_equal(&rig.world.sent[i].meta.to, &victim);
	ck_assert_uint_ge(packets, 10);
	ck_assert_uint_le(packets, 32); /* one more in each second */
}
END_TEST

/* A nonce is valid for one address and a limited time. */
START_TEST(accepts_a_response_from_its_address_only)
{
	static const struct {
		uint16_t port;
		uint32_t after_ms;
		uint8_t change;
		bool moves;
	} rows[] = {
	    {4711, 0, 0, true},
	    {4711, 5000, 0, true},
	    {4711, 20001, 0, false},
	    {4712, 0, 0, false},
	    {4711, 0, 1, false},
	};
	struct conn *c = open_to_native();
	struct addr asked = addr_v4(198, 51, 100, 77, 4711), from = asked;
	uint8_t nonce[MESSAGE_LEN - 1];

	move_server(&asked);
	server_says(HERE, NULL);
	server_takes_message(CHALLENGE, nonce);
	peer_rig_run_ms(&rig, rows[_i].after_ms);
	from.port = rows[_i].port;
	move_server(&from);
	nonce[7] ^= rows[_i].change;
	server_says(ECHO, nonce);
	ck_assert(is_remote(c, &from) == rows[_i].moves);
}
END_TEST

/* A peer that suspects to have moved, and has not, gets a reply. */
START_TEST(replies_to_here)
{
	struct udx_status before, after;

	open_to_native();
	peer_rig_run_ms(&rig, 500);
	udx_status(rig.server.stream, &before);
	server_says(HERE, NULL);
	udx_status(rig.server.stream, &after);
	ck_assert_uint_eq(after.packets_in, before.packets_in + 1);
	ck_assert_uint_eq(node_stats(rig.node)->moves, 0);
}
END_TEST

/* Ignores messages of a later version, and empty ones. */
START_TEST(ignores_unknown_messages)
{
	struct conn *c = open_to_native();
	struct addr moved = addr_v4(198, 51, 100, 77, 4711);
	struct udx_message m;

	move_server(&moved);
	for (unsigned word = ECHO + 1; word < 256; word += 7)
		server_says((uint8_t)word, NULL);
	ck_assert_int_eq(secret_send_message(rig.server.secret, NULL, 0), 0);
	ck_assert_int_eq(secret_send_message(rig.server.secret, "\0", 1), 0);
	peer_rig_run_ms(&rig, 200);
	ck_assert(!udx_next_message(rig.server.stream, &m));
	ck_assert(!is_remote(c, &moved));
}
END_TEST

/* A host that knows only the stream's id cannot migrate it. */
START_TEST(ignores_other_hosts)
{
	struct rig_server *s = &rig.server;
	struct conn *c = open_to_native();
	struct addr before = conn_remote(c), now;
	struct addr stranger = addr_v4(198, 51, 100, 66, 6666);

	s->at = stranger;
	ck_assert_int_eq(
	    udx_send_message(s->stream, "a sealed message, or so it says", 31),
	    0);
	peer_rig_run_ms(&rig, 500);
	now = conn_remote(c);
	ck_assert(addr_equal(&now, &before));
	ck_assert_uint_eq(node_stats(rig.node)->moves, 0);
}
END_TEST

/* Sends HERE when nothing is received; only to nodes of this project. */
START_TEST(sends_here_when_stalled)
{
	struct rig_server *s = &rig.server;
	struct conn *c = open_to_native();
	struct addr at = conn_remote(c);
	struct udx_message m;

	peer_rig_run_ms(&rig, 5000);
	ck_assert(!udx_next_message(s->stream, &m));
	s->alive_len = 0;
	ck_assert_int_eq(conn_write(c, "hello", 5), 5);
	peer_rig_run_ms(&rig, 1000);
	move_server(&at);
	s->at = addr_v4(198, 51, 100, 66, 6666); /* its packets are lost */
	peer_rig_run_ms(&rig, 2500);
	ck_assert(udx_next_message(s->stream, &m));

	move_server(&at);
	peers_moved(rig.node->peers);
	peer_rig_run_ms(&rig, 100);
	ck_assert(udx_next_message(s->stream, &m));
}
END_TEST

/* ---- redial ---- */

/* Features of the server's two answers, and the end of the stream. */
static const struct {
	uint64_t first, second; /* features */
	uint64_t error;
	unsigned dials;
	int err; /* of the stream; 0: it is open */
} redials[] = {
    {PAYLOAD_NATIVE, PAYLOAD_NATIVE | PAYLOAD_REDIAL, SIGNAL_ABORTED, 1,
	ERR_RESET},
    /* Another node with the same key, which cannot redial. */
    {PAYLOAD_NATIVE, PAYLOAD_NATIVE, SIGNAL_OK, 3, 0},
    {PAYLOAD_NATIVE, 0, SIGNAL_ABORTED, 3, 0},
    /* The reference would accept one more connection. */
    {0, 0, SIGNAL_OK, 0, ERR_TIMEOUT},
};

START_TEST(redials_for_a_new_path)
{
	struct rig_server *s = &rig.server;
	unsigned before;

	add_nodes(RIG_KNOWS, 3);
	s->payload.features = redials[_i].first;
	peer_rig_connect(&rig);
	assert_open(1000);
	before = s->sessions;
	s->keeps = true;
	s->payload.features = redials[_i].second;
	s->payload.error = redials[_i].error;
	s->alive_len = 0;
	ck_assert_int_eq(
	    conn_write(peers_conn_after(rig.node->peers, 0), "hello", 5), 5);
	peer_rig_run_ms(&rig, 20000);
	ck_assert_uint_eq(s->sessions - before, redials[_i].dials);
	ck_assert_uint_eq(node_stats(rig.node)->mends, redials[_i].dials);
	if (redials[_i].dials > 0)
		ck_assert_uint_ne(s->client.features & PAYLOAD_REDIAL, 0);
	ck_assert_uint_eq(rig.opened, 1);
	ck_assert_uint_eq(rig.closed, redials[_i].err != 0);
	ck_assert_int_eq(rig.err, redials[_i].err);
}
END_TEST

/* ---- ends ---- */

/* A peer that is gone is detected after our side has ended, too. */
START_TEST(detects_a_peer_that_is_gone)
{
	struct rig_server *s = &rig.server;
	bool native = _i & 1, there = _i & 2;

	add_nodes(RIG_KNOWS, 3);
	s->payload.features = native ? PAYLOAD_NATIVE : 0;
	peer_rig_connect(&rig);
	assert_open(1000);
	conn_end(peers_conn_after(rig.node->peers, 0));
	peer_rig_run_ms(&rig, 1000);
	s->keeps = true;
	if (!there)
		s->alive_len = 0;
	peer_rig_run_ms(&rig, 130000);
	ck_assert_uint_eq(rig.closed, !there);
	ck_assert_int_eq(rig.err, there ? 0 : ERR_TIMEOUT);
}
END_TEST

/* A peer that was gone before our end is no different: the end alone is in
 * flight, and between its timeout and its retransmission nothing is. */
START_TEST(detects_a_peer_that_never_acknowledges_the_end)
{
	struct rig_server *s = &rig.server;

	add_nodes(RIG_KNOWS, 3);
	s->payload.features = PAYLOAD_NATIVE;
	peer_rig_connect(&rig);
	assert_open(1000);
	s->keeps = true;
	s->alive_len = 0;
	peer_rig_run_ms(&rig, 100 * _i);
	conn_end(peers_conn_after(rig.node->peers, 0));
	peer_rig_run_ms(&rig, 130000);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_int_eq(rig.err, ERR_TIMEOUT);
}
END_TEST

/* Pitfall L1: closing at any time leaves no callback behind. */
START_TEST(closes_at_any_time)
{
	uint32_t conn;

	add_nodes(RIG_LIAR, 5);
	add_nodes(RIG_IGNORANT, 5);
	add_nodes(RIG_KNOWS, 3);
	conn = peer_rig_connect(&rig);
	peer_rig_run_ms(&rig, (uint64_t)_i);
	node_conn_close(rig.node, conn);
	ck_assert_uint_eq(rig.node->peers->dials, 0);
	rig.opened = rig.closed = 0;
	peer_rig_run_ms(&rig, 3000);
	ck_assert_uint_eq(rig.opened + rig.closed, 0);
	ck_assert_uint_eq(udx_streams(rig.node->udx), 0);
	ck_assert_uint_eq(node_conn_space(rig.node, conn), 0);
	node_conn_close(rig.node, conn);
}
END_TEST

START_TEST(fails_at_the_deadline)
{
	struct node_connect c = {
	    .key = rig.server.keys.public_key, .timeout_ms = 700};
	uint32_t conn;

	add_nodes(RIG_STALE, 5);
	ck_assert_int_eq(node_connect(rig.node, &c, &conn), 0);
	assert_fails(ERR_TIMEOUT, 701);
}
END_TEST

/* Protocol 09 §2.2: both ends of a private tunnel have one key pair. */
START_TEST(dials_its_own_key)
{
	rig.server.keys = rig.identity;
	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
}
END_TEST

START_TEST(refuses_invalid_keys)
{
	static const uint8_t zero[KEY_LEN];
	struct node_connect c = {.key = zero};
	uint32_t conn;

	ck_assert_int_eq(node_connect(rig.node, &c, &conn), ERR_VALUE);
	ck_assert_uint_eq(rig.node->peers->dials, 0);
	ck_assert_uint_eq(udx_streams(rig.node->udx), 0);
	node_leave(rig.node);
	c.key = rig.server.keys.public_key;
	ck_assert_int_eq(node_connect(rig.node, &c, &conn), ERR_CLOSED);
}
END_TEST

/* A connection is found among those to its key alone. */
START_TEST(indexes_connections_by_key)
{
	static struct conn conns[30];
	const struct hash_key hash_key = {{7}};
	struct key_index x;
	uint8_t none[KEY_LEN] = {0xff};

	key_index_init(&x, &hash_key);
	for (size_t i = 0; i < T_ROWS(conns); i++) {
		conns[i].key[0] = (uint8_t)(i % 10);
		ck_assert_int_eq(key_index_add(&x, &conns[i]), 0);
	}
	for (size_t i = 0; i < 10; i++) {
		ck_assert_ptr_eq(key_index_first(&x, conns[i].key), &conns[i]);
		key_index_remove(&x, &conns[i]);
		ck_assert_ptr_eq(
		    key_index_first(&x, conns[i].key), &conns[i + 10]);
		ck_assert_ptr_eq(
		    TAILQ_NEXT(&conns[i + 10], same_key), &conns[i + 20]);
	}
	ck_assert_ptr_null(key_index_first(&x, none));
	for (size_t i = 10; i < T_ROWS(conns); i++)
		key_index_remove(&x, &conns[i]);
	ck_assert_ptr_null(x.entries);
}
END_TEST

START_TEST(dials_are_bounded)
{
	struct limits l = *node_limits(rig.node);
	struct node_connect c = {.key = rig.server.keys.public_key};
	uint32_t conn;

	add_nodes(RIG_STALE, 3);
	l.dials = 2;
	node_set_limits(rig.node, &l);
	peer_rig_connect(&rig);
	peer_rig_connect(&rig);
	ck_assert_int_eq(node_connect(rig.node, &c, &conn), ERR_LIMIT);
	node_leave(rig.node);
	peer_rig_run_ms(&rig, 10);
	ck_assert_uint_eq(rig.closed, 2);
	ck_assert_int_eq(rig.err, ERR_CLOSED);
}
END_TEST

/* ---- events ---- */

START_TEST(explains_itself)
{
	struct node_attempt a;
	uint32_t conn;
	unsigned seen = 0;

	add_nodes(RIG_IGNORANT, 5);
	add_nodes(RIG_KNOWS, 2);
	conn = peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert(node_attempt(rig.node, rig.server.keys.public_key, 0, &a));
	ck_assert_uint_eq(a.conn, conn);
	ck_assert_int_eq(a.err, 0);
	for (uint32_t i = 0; i < a.steps_len; i++)
		seen |= 1U << a.steps[i].kind;
	ck_assert(seen & 1U << DIAL_STEP_BEGIN);
	ck_assert(seen & 1U << DIAL_STEP_ANSWER);
	ck_assert(seen & 1U << DIAL_STEP_TRY);
	ck_assert_int_eq(a.steps[a.steps_len - 1].kind, DIAL_STEP_OPEN);
	ck_assert(!node_attempt(rig.node, NULL, 1, &a));
	ck_assert_uint_eq(node_stats(rig.node)->dials, 1);
	ck_assert_uint_eq(node_stats(rig.node)->dials_failed, 0);
	ck_assert_uint_eq(node_stats(rig.node)->conns_opened, 1);
}
END_TEST

/* A connection queues one PEER_READY, however often it is ready. */
START_TEST(queues_readiness_once)
{
	uint8_t bytes[5000] = {0};

	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	peer_rig_run_ms(&rig, 100);
	rig.ready = 0;
	for (int i = 0; i < 20; i++)
		secret_write(rig.server.secret, bytes, sizeof bytes);
	peer_rig_run_ms(&rig, 1000);
	ck_assert_uint_ge(rig.ready, 1);
	ck_assert_uint_ge(node_conn_peek(rig.node, rig.last).len, 1);
}
END_TEST

static uint64_t
packets_in_100s(void)
{
	struct udx_status before, after;

	udx_status(rig.server.stream, &before);
	peer_rig_run_ms(&rig, 100000);
	udx_status(rig.server.stream, &after);
	return after.packets_in - before.packets_in;
}

/* Keep-alives have the interval that our NAT needs, also on connections that
 * are open already; but not if the peer's NAT depends on them, too. */
START_TEST(keepalives_follow_the_nat)
{
	struct mapping *m = dht_mapping(node_dht(rig.node));
	uint64_t n;

	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	peer_rig_run_ms(&rig, 5000);
	n = packets_in_100s();
	ck_assert_uint_ge(n, 19);
	mapping_learn(m, 295, 0, rig.world.w.now_us);
	n = packets_in_100s();
	ck_assert_uint_ge(n, 3);
	ck_assert_uint_le(n, 6);
	mapping_learn(m, 25, 55, rig.world.w.now_us);
	n = packets_in_100s();
	ck_assert_uint_ge(n, 9);
	ck_assert_uint_le(n, 12);
	mapping_learn(m, 295, 0, rig.world.w.now_us);
	secret_end(rig.server.secret);
	peer_rig_run_ms(&rig, 100);
	n = packets_in_100s();
	ck_assert_uint_ge(n, 19);
}
END_TEST

/* The last frame of the peer is a keep-alive, which no read consumes. */
START_TEST(ends_behind_an_empty_frame)
{
	add_nodes(RIG_KNOWS, 3);
	peer_rig_connect(&rig);
	assert_open(1000);
	node_conn_end(rig.node, rig.last);
	ck_assert_int_eq(secret_send(rig.server.secret, NULL, 0), 0);
	secret_end(rig.server.secret);
	peer_rig_run_ms(&rig, 1000);
	ck_assert_uint_eq(rig.closed, 0);
	ck_assert_uint_eq(node_conn_peek(rig.node, rig.last).len, 0);
	peer_rig_run_ms(&rig, 100);
	ck_assert_uint_eq(rig.closed, 1);
	ck_assert_int_eq(rig.err, 0);
}
END_TEST

static void
add_search_tests(TCase *tc)
{
	tcase_add_test(tc, one_message_for_all);
	tcase_add_test(tc, survives_forged_answers);
	tcase_add_loop_test(tc, ignores_invalid_answers, 0, T_ROWS(broken));
	tcase_add_test(tc, unresponsive_nodes_delay_little);
	tcase_add_test(tc, stale_nodes_do_not_suffer);
	tcase_add_test(tc, unknown_keys_fail_at_once);
	tcase_add_test(tc, reports_no_network);
	tcase_add_test(tc, remembers_the_relays);
	tcase_add_test(tc, forgets_what_no_longer_works);
	tcase_add_test(tc, reuses_an_open_connection);
	tcase_add_test(tc, a_dead_connection_costs_little);
}

static void
add_answer_tests(TCase *tc)
{
	tcase_add_test(tc, reaches_an_open_server);
	tcase_add_loop_test(tc, refusals_end_the_dial, 0, T_ROWS(terminal));
	tcase_add_test(tc, wrong_list_does_not_matter);
	tcase_add_test(tc, wrong_view_does_not_matter);
	tcase_add_test(tc, an_address_alone_is_no_peer);
	tcase_add_test(tc, connects_when_the_server_came_first);
	tcase_add_test(tc, direct_answer_names_the_server);
	tcase_add_test(tc, connects_inside_one_network);
	tcase_add_test(tc, prefers_its_own_prefix_to_bridges);
	tcase_add_test(tc, probes_a_path_that_is_added_again);
	tcase_add_test(tc, answers_few_packets_of_a_known_path);
	tcase_add_test(tc, reports_no_path);
	tcase_add_test(tc, describes_itself);
	tcase_add_loop_test(
	    tc, is_open_only_with_its_own_port, 0, T_ROWS(seen_at));
}

/* ---- blind relays ---- */

static void
make_key(uint8_t key[KEY_LEN], uint8_t seed)
{
	const uint8_t bytes[KEY_SEED_LEN] = {seed};
	struct key_pair pair;

	key_pair_from_seed(&pair, bytes);
	memcpy(key, pair.public_key, KEY_LEN);
}

static void
server_names_relay(void)
{
	struct payload *p = &rig.server.payload;

	p->flags |= PAYLOAD_RELAY_THROUGH;
	p->firewall = FIREWALL_UNKNOWN;
	make_key(p->relay_key, 77);
	memset(p->relay_token, 5, sizeof p->relay_token);
}

static bool
has_dialed(const uint8_t *key)
{
	return peers_dial_record(rig.node->peers, key, 0) != NULL;
}

static uint32_t
connect_through(const uint8_t *relay)
{
	struct node_connect c = {
	    .key = rig.server.keys.public_key, .relay_through = relay};
	uint32_t conn;

	ck_assert_int_eq(node_connect(rig.node, &c, &conn), 0);
	return conn;
}

/* Without another path the relay's failure is that of the dial. */
START_TEST(fails_with_its_relay)
{
	add_nodes(RIG_KNOWS, 3);
	server_names_relay();
	rig.server.seen.port = 0; /* no path leads there */
	peer_rig_connect(&rig);
	assert_fails(ERR_RELAY_UNREACHABLE, 30000);
	ck_assert_uint_eq(rig.node->stats.relay_dials, 1);
	ck_assert_uint_eq(rig.node->stats.relay_failed, 1);
	ck_assert_uint_eq(HASH_COUNT(rig.node->peers->conns), 0);
}
END_TEST

/* A direct path ends the dial of the relay. */
START_TEST(needs_no_relay)
{
	add_nodes(RIG_KNOWS, 3);
	server_names_relay();
	peer_rig_connect(&rig);
	assert_open(1000);
	ck_assert_uint_eq(rig.node->stats.relay_dials, 1);
	peer_rig_run_ms(&rig, 100);
	ck_assert(has_dialed(rig.server.payload.relay_key));
	ck_assert_uint_eq(HASH_COUNT(rig.node->peers->conns), 1);
}
END_TEST

/* 0: the client names a relay, 1: the server too, whose relay is used. */
START_TEST(names_a_relay)
{
	uint8_t ours[KEY_LEN];

	make_key(ours, 78);
	add_nodes(RIG_KNOWS, 3);
	server_names_relay();
	if (_i == 0)
		rig.server.payload.flags &= ~(uint64_t)PAYLOAD_RELAY_THROUGH;
	rig.server.alive_len = 0;
	connect_through(ours);
	peer_rig_run_ms(&rig, 100);
	ck_assert(payload_has(&rig.server.client, PAYLOAD_RELAY_THROUGH));
	ck_assert_mem_eq(rig.server.client.relay_key, ours, KEY_LEN);
	ck_assert(has_dialed(ours) == (_i == 0));
	ck_assert(has_dialed(rig.server.payload.relay_key) == (_i == 1));
}
END_TEST

/* Closing the connection ends the dial of its relay. */
START_TEST(closes_with_its_relay)
{
	uint32_t conn;

	add_nodes(RIG_KNOWS, 3);
	server_names_relay();
	rig.server.alive_len = 0;
	conn = connect_through(NULL);
	peer_rig_run_ms(&rig, 30);
	ck_assert_uint_eq(HASH_COUNT(rig.node->peers->conns), 2);
	node_conn_close(rig.node, conn);
	peer_rig_run_ms(&rig, 100);
	ck_assert_uint_eq(HASH_COUNT(rig.node->peers->conns), 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dialer", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	add_search_tests(tc);
	add_answer_tests(tc);
	tcase_add_loop_test(tc, lists_its_ipv6_addresses, 0, 11);
	tcase_add_loop_test(tc, probes_listed_addresses, 0, 2);
	tcase_add_loop_test(tc, either_family_will_do, 0, 2);
	tcase_add_loop_test(tc, ipv6_has_a_head_start, 0, 3);
	tcase_add_test(tc, follows_a_peer_that_moves);
	tcase_add_test(tc, sends_nothing_to_a_forged_address);
	tcase_add_loop_test(tc, accepts_a_response_from_its_address_only, 0, 5);
	tcase_add_test(tc, challenges_are_charged_to_the_forged_address);
	tcase_add_test(tc, replies_to_here);
	tcase_add_test(tc, ignores_unknown_messages);
	tcase_add_test(tc, ignores_other_hosts);
	tcase_add_test(tc, sends_here_when_stalled);
	tcase_add_loop_test(tc, redials_for_a_new_path, 0, T_ROWS(redials));
	tcase_add_loop_test(tc, detects_a_peer_that_is_gone, 0, 4);
	tcase_add_loop_test(
	    tc, detects_a_peer_that_never_acknowledges_the_end, 0, 3);
	tcase_add_loop_test(tc, closes_at_any_time, 0, 120);
	tcase_add_test(tc, fails_at_the_deadline);
	tcase_add_test(tc, dials_its_own_key);
	tcase_add_test(tc, refuses_invalid_keys);
	tcase_add_test(tc, indexes_connections_by_key);
	tcase_add_test(tc, dials_are_bounded);
	tcase_add_test(tc, explains_itself);
	tcase_add_test(tc, fails_with_its_relay);
	tcase_add_test(tc, needs_no_relay);
	tcase_add_loop_test(tc, names_a_relay, 0, 2);
	tcase_add_test(tc, closes_with_its_relay);
	tcase_add_test(tc, queues_readiness_once);
	tcase_add_test(tc, ends_behind_an_empty_frame);
	tcase_add_test(tc, keepalives_follow_the_nat);
	return s;
}
