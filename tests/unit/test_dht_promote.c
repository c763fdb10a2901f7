/* SPDX-License-Identifier: ISC */
/*
 * Goal: a node is persistent exactly while others can reach it at the address
 * behind its id, protocol 01 §11 and §12. Method: small networks in virtual
 * time, with boxes that block, shift ports and change hosts; scripted probes.
 */
#include <string.h>

#include "base/err.h"
#include "mesh.h"

enum { MINUTE = 60 * 1000, HOUR = 60 * MINUTE, NODES = 8 };

static struct mesh net;

/* Nodes 0 to 7 are persistent; the last is the test's and not yet there. */
static void
setup(void)
{
	mesh_init(&net, NODES + 1, 3);
	net.len = NODES;
	mesh_start_all(&net);
	net.len = NODES + 1;
}

static void
teardown(void)
{
	mesh_fini(&net);
}

static void
start_as(enum dht_role role)
{
	struct dht_config c;

	mesh_config(&c, role);
	mesh_start(&net, NODES, &c);
}

static struct dht *
mine(void)
{
	return mesh_dht(&net, NODES);
}

static bool
persistent(void)
{
	return dht_is_persistent(mine());
}

/* Returns how many of the other nodes have it in their tables. */
static unsigned
listed(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NODES; i++)
		n += mesh_knows(&net, i, NODES);
	return n;
}

/* The id and the address are those of the server socket, as others see it. */
static void
assert_address(void)
{
	struct addr a = mesh_address(&net, NODES);
	struct dht_status st;
	uint8_t id[ID_LEN];

	id_of_addr(id, &a);
	dht_status(mine(), &st);
	ck_assert(st.has_id && !st.firewalled && !st.ephemeral);
	ck_assert(addr_equal(&st.public_address, &a));
	ck_assert_mem_eq(st.id, id, ID_LEN);
}

/* ---- adaptive (protocol 01 §12.1, §12.5) ---- */

/*
 * Pitfalls R5, T4: no node lists us before the 20 minutes, all do afterwards;
 * the id is that of the server socket, though requests left from the client
 * socket.
 */
START_TEST(auto_is_promoted_when_it_was_stable)
{
	start_as(DHT_AUTO);
	mesh_run_ms(&net, 10000);
	/* The NAT check found the server socket open. */
	ck_assert(!mine()->self.firewalled);
	ck_assert(!persistent());
	mesh_run_ms(&net, 19 * MINUTE);
	ck_assert(!persistent());
	ck_assert_uint_eq(listed(), 0);
	ck_assert_uint_eq(mine()->self.stats->promotions, 0);
	mesh_run_ms(&net, 12 * MINUTE);
	ck_assert(persistent());
	assert_address();
	ck_assert_uint_eq(listed(), NODES);
	ck_assert(dht_events(mine()) & DHT_EV_PERSISTENT);
	ck_assert_uint_eq(mine()->self.stats->promotions, 1);
}
END_TEST

/* Behind a firewall: never persistent, and no node lists it. */
START_TEST(a_firewalled_node_stays_ephemeral)
{
	net.nodes[NODES].closed = true;
	start_as(_i == 0 ? DHT_AUTO : DHT_PERSISTENT);
	for (int h = 0; h < 4; h++) {
		mesh_run_ms(&net, 30 * MINUTE);
		ck_assert(!persistent());
		ck_assert(mine()->self.firewalled);
		ck_assert_uint_eq(listed(), 0);
	}
	/* It uses the network all the same. */
	ck_assert_uint_eq(mine()->self.table.nodes.len, NODES);
}
END_TEST

/*
 * Protocol 01 §12.3: public and local port differ, so the id would be a guess.
 */
START_TEST(behind_shifted_ports_it_stays_ephemeral)
{
	net.nodes[NODES].port_shift = 5;
	start_as(_i == 0 ? DHT_AUTO : DHT_PERSISTENT);
	mesh_run_ms(&net, 50 * MINUTE);
	ck_assert(!persistent());
	ck_assert_uint_eq(listed(), 0);
}
END_TEST

/* ---- explicit (pitfall T7) ---- */

START_TEST(persistent_is_so_within_seconds)
{
	start_as(DHT_PERSISTENT);
	mesh_run_ms(&net, 5000);
	assert_address();
	mesh_run_ms(&net, 2 * HOUR);
	assert_address();
	ck_assert_uint_eq(mine()->self.stats->demotions, 0);
	ck_assert_uint_eq(mine()->self.stats->promotions, 1);
	ck_assert_uint_eq(listed(), NODES);
}
END_TEST

/* The reference tries once; we go on until the address is known. */
START_TEST(persistent_is_tried_until_it_works)
{
	/* At first there is no node, or nothing is let in. */
	for (unsigned i = 0; i < NODES && _i == 0; i++)
		net.nodes[i].r.host.deaf = true;
	net.nodes[NODES].closed = _i == 1;
	start_as(DHT_PERSISTENT);
	mesh_run_ms(&net, 10 * MINUTE);
	ck_assert(!persistent());
	for (unsigned i = 0; i < NODES; i++)
		net.nodes[i].r.host.deaf = false;
	net.nodes[NODES].closed = false;
	mesh_run_ms(&net, 6 * MINUTE);
	assert_address();
}
END_TEST

/* Pitfall T6: without any other node; its address is the configured one. */
START_TEST(a_bootstrap_node_is_persistent_at_once)
{
	struct rig r;
	struct addr liar = rig_host(1), lie = addr_v4(66, 6, 6, 6, 6);
	struct rig_answer a = {.id = true, .us = &lie};
	struct dht_status st;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	ck_assert(dht_is_persistent(r.d));
	ck_assert(dht_events(r.d) & DHT_EV_PERSISTENT);
	/* Reports of another address do not change it. */
	for (unsigned i = 0; i < 40; i++) {
		struct rpc_request m;
		struct sim_sent s;

		liar = rig_host(i);
		rig_ping_with_id(&r, &liar);
		while (rig_take_request(&r, &s, &m))
			rig_answer(&r, &s, &a);
	}
	dht_status(r.d, &st);
	ck_assert(!st.ephemeral);
	ck_assert(addr_equal(&st.public_address, &r.self));
	rig_fini(&r);
}
END_TEST

/* ---- sleep (protocol 01 §15, pitfall T9) ---- */

static const struct {
	enum dht_role role;
	bool stays;
} sleepers[] = {{DHT_AUTO, false}, {DHT_PERSISTENT, true}};

START_TEST(sleep_demotes_only_an_adaptive_node)
{
	start_as(sleepers[_i].role);
	mesh_run_ms(&net, 35 * MINUTE);
	ck_assert(persistent());
	dht_events(mine());
	dht_wakeup(mine());
	ck_assert(persistent() == sleepers[_i].stays);
	ck_assert(dht_events(mine()) & DHT_EV_WAKEUP);
	/* Its server socket was open and is believed to be so. */
	ck_assert(!mine()->self.firewalled);
	mesh_run_ms(&net, 50 * MINUTE);
	ck_assert(persistent() == sleepers[_i].stays);
	/* After an hour it is trusted again. */
	mesh_run_ms(&net, 40 * MINUTE);
	ck_assert(persistent());
	assert_address();
}
END_TEST

/* ---- another address (pitfall T8, protocol 01 §12.5) ---- */

/* Notified by the system, or detected from the samples. */
START_TEST(a_new_address_is_noticed)
{
	uint64_t limit = _i == 0 ? 10 * MINUTE : 3 * HOUR, waited = 0;

	start_as(DHT_PERSISTENT);
	mesh_run_ms(&net, 10 * MINUTE);
	assert_address();
	mesh_move(&net, NODES);
	if (_i == 0)
		dht_network_changed(mine());
	while (mine()->self.stats->demotions == 0 || !persistent()) {
		mesh_run_ms(&net, 10000);
		waited += 10000;
		ck_assert_uint_le(waited, limit);
	}
	assert_address();
	ck_assert(addr_equal(dht_public_address(mine()),
	    &(struct addr){
		.ip = {30, 0, NODES, 1}, .port = RIG_PORT, .family = ADDR_V4}));
	mesh_run_ms(&net, 15 * MINUTE);
	ck_assert_uint_eq(listed(), NODES);
	ck_assert_uint_eq(mine()->self.stats->demotions, 1);
}
END_TEST

START_TEST(an_adaptive_node_follows_its_address_too)
{
	start_as(DHT_AUTO);
	mesh_run_ms(&net, 35 * MINUTE);
	ck_assert(persistent());
	mesh_move(&net, NODES);
	dht_network_changed(mine());
	mesh_run_ms(&net, 5 * MINUTE);
	ck_assert_uint_eq(mine()->self.stats->demotions, 1);
	mesh_run_ms(&net, 65 * MINUTE);
	ck_assert(persistent());
	assert_address();
}
END_TEST

/* Pitfall T8: forged requests and unsolicited replies do not move it. */
START_TEST(a_forged_request_moves_no_address)
{
	struct mesh_node *node = &net.nodes[NODES];
	struct addr lie = addr_v4(66, 6, 6, 6, 6666);

	start_as(DHT_PERSISTENT);
	mesh_run_ms(&net, MINUTE);
	for (unsigned i = 0; i < 200; i++) {
		struct addr from = rig_host(100 + i);
		uint8_t id[ID_LEN], buf[DGRAM_MAX];
		struct rpc_request m = {.internal = true, .id = id, .to = lie};
		struct rpc_reply re = {.tid = (uint16_t)i, .id = id, .to = lie};

		id_of_addr(id, &from);
		rig_request(&node->r, node->r.server, &from, &m);
		rig_deliver(&node->r, node->r.server, &from, buf,
		    rpc_reply_encode(&re, buf, sizeof buf));
	}
	mesh_run_ms(&net, 5 * MINUTE);
	assert_address();
	ck_assert_uint_eq(mine()->self.stats->demotions, 0);
}
END_TEST

/* ---- a port that is blocked later (protocol 10 §9.8) ---- */

static const struct {
	enum dht_role role;
	bool stays;
} blocked_nodes[] = {{DHT_AUTO, false}, {DHT_PERSISTENT, true}};

static struct dht_status
status(void)
{
	struct dht_status st;

	dht_status(mine(), &st);
	return st;
}

/* An adaptive node becomes ephemeral, the other one says that it is degraded;
 * both go on by their client socket, and return when the port is open again. */
START_TEST(a_blocked_port_is_noticed)
{
	uint64_t waited = 0;

	start_as(blocked_nodes[_i].role);
	mesh_run_ms(&net, 35 * MINUTE);
	assert_address();
	ck_assert(!status().blocked);
	dht_events(mine());
	net.nodes[NODES].closed = true;
	while (!status().blocked || status().state == DHT_OFFLINE) {
		mesh_run_ms(&net, 1000);
		waited += 1000;
		ck_assert_uint_le(waited, MINUTE);
	}
	ck_assert(persistent() == blocked_nodes[_i].stays);
	ck_assert(status().firewalled);
	ck_assert_ptr_null(dht_open_address(mine()));
	mesh_run_ms(&net, 15000);
	ck_assert_int_eq(status().state,
	    blocked_nodes[_i].stays ? DHT_DEGRADED : DHT_ONLINE);
	ck_assert(dht_events(mine()) &
		  (blocked_nodes[_i].stays ? DHT_EV_HEALTH : DHT_EV_EPHEMERAL));
	/* It stays so for as long as the port is blocked. */
	mesh_run_ms(&net, 2 * HOUR);
	ck_assert(persistent() == blocked_nodes[_i].stays);
	ck_assert(status().blocked);
	ck_assert_uint_ge(status().nodes, NODES - 1);
	net.nodes[NODES].closed = false;
	mesh_run_ms(&net, blocked_nodes[_i].stays ? 3 * MINUTE : 2 * HOUR);
	assert_address();
	ck_assert(!status().blocked);
	ck_assert_int_eq(status().state, DHT_ONLINE);
	ck_assert_uint_eq(
	    mine()->self.stats->demotions, blocked_nodes[_i].stays ? 0 : 1);
}
END_TEST

/* Nodes that are gone, and a network that is down, block no port. */
START_TEST(silent_nodes_are_no_blocked_port)
{
	start_as(DHT_AUTO);
	mesh_run_ms(&net, 35 * MINUTE);
	ck_assert(persistent());
	for (unsigned i = _i == 0 ? 0 : 3; i < NODES; i++)
		net.nodes[i].r.host.deaf = true;
	mesh_run_ms(&net, 30 * MINUTE);
	ck_assert(persistent() && !status().blocked);
	ck_assert_uint_eq(mine()->self.stats->demotions, 0);
}
END_TEST

/* ---- the probe (protocol 01 §12.3) ---- */

static struct rig r;

/* A node with samples of its client socket, firewalled as far as it knows. */
static void
rig_ready(unsigned nodes)
{
	struct addr seen;

	rig_init_alone(&r, DHT_AUTO);
	timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
	for (unsigned i = 0; i < nodes; i++) {
		struct addr a = rig_host(i);
		uint8_t id[ID_LEN];

		id_of_addr(id, &a);
		if (table_check(&r.d->self.table, id, &a, NULL) == 0)
			table_add(&r.d->self.table, id, &a, r.d->self.tick);
	}
	seen = rig_address(&r, r.client);
	for (int i = 0; i < 4; i++)
		sampler_add(&r.d->self.sampler, &seen);
}

static const struct {
	const char *name;
	unsigned nodes, asked;
	unsigned good;   /* answers on the server socket */
	unsigned astray; /* on the client socket */
	bool other_host, other_port;
	bool open;
} probes[] = {
    {"all answer", 10, 5, 5, 0, false, false, true},
    {"three of five", 10, 5, 3, 0, false, false, true},
    {"two of five", 10, 5, 2, 0, false, false, false},
    {"two, and three astray", 10, 5, 2, 3, false, false, false},
    {"all astray", 10, 5, 0, 5, false, false, false},
    {"one of four", 4, 4, 1, 0, false, false, true},
    {"none of four", 4, 4, 0, 0, false, false, false},
    {"nobody to ask", 0, 0, 0, 0, false, false, false},
    {"another host", 10, 5, 5, 0, true, false, false},
    {"another port", 10, 5, 5, 0, false, true, false},
};

START_TEST(the_probe_is_strict)
{
	struct addr us;
	struct rpc_request m;
	struct sim_sent s;
	unsigned asked = 0;

	rig_ready(probes[_i].nodes);
	us = rig_address(&r, r.server);
	us.ip[0] += probes[_i].other_host;
	us.port = (uint16_t)(us.port + probes[_i].other_port);
	promotion_check(&r.d->promotion, false);
	while (rig_take_request(&r, &s, &m)) {
		struct rig_answer a = {.id = true, .us = &us};

		if (m.command != RPC_PING_NAT)
			continue;
		ck_assert_int_eq(s.meta.sock, r.client);
		ck_assert_uint_eq(m.value.len, 2);
		ck_assert_uint_eq(m.value.p[0] | m.value.p[1] << 8, RIG_PORT);
		ck_assert_ptr_null(m.id);
		asked++;
		if (asked <= probes[_i].good)
			a.sock = r.server + 1;
		else if (asked > probes[_i].good + probes[_i].astray)
			continue;
		rig_answer(&r, &s, &a);
	}
	ck_assert_uint_eq(asked, probes[_i].asked);
	rig_pass_ms(&r, 20000);
	if (dht_is_persistent(r.d) != probes[_i].open)
		ck_abort_msg("%s", probes[_i].name);
	ck_assert(r.d->self.firewalled != probes[_i].open);
	ck_assert(!r.d->promotion.probe.running);
	if (probes[_i].open)
		ck_assert(addr_equal(dht_public_address(r.d), &r.self));
	rig_fini(&r);
}
END_TEST

/* Pitfall T4: the address seen of the client socket never becomes the id, also
 * when it moved while the probe was out and the next check needs no probe. */
START_TEST(the_client_sockets_port_is_never_the_id)
{
	struct addr us, other;
	struct rpc_request m;
	struct sim_sent s;

	rig_ready(10);
	us = rig_address(&r, r.server);
	other = rig_address(&r, r.client);
	other.port++;
	promotion_check(&r.d->promotion, false);
	/* The box gave the client socket another port meanwhile. */
	for (int i = 0; i < 20; i++)
		promotion_add_sample(&r.d->promotion, &other);
	while (rig_take_request(&r, &s, &m)) {
		struct rig_answer a = {
		    .id = true, .us = &us, .sock = r.server + 1};

		if (m.command == RPC_PING_NAT)
			rig_answer(&r, &s, &a);
	}
	ck_assert(!r.d->self.firewalled);
	ck_assert(!dht_is_persistent(r.d));
	promotion_check(&r.d->promotion, false);
	ck_assert(!dht_is_persistent(r.d));
	/* With samples of the server socket it goes on. */
	for (int i = 0; i < 4; i++)
		promotion_add_sample(&r.d->promotion, &us);
	promotion_check(&r.d->promotion, false);
	ck_assert(dht_is_persistent(r.d));
	ck_assert(addr_equal(dht_public_address(r.d), &r.self));
	rig_fini(&r);
}
END_TEST

/* The id changes with the address: the nodes move to their new rows. */
START_TEST(a_new_id_keeps_the_nodes)
{
	struct addr us;

	rig_ready(60);
	us = rig_address(&r, r.server);
	r.d->self.firewalled = false;
	sampler_init(&r.d->self.sampler);
	for (int i = 0; i < 4; i++)
		sampler_add(&r.d->self.sampler, &us);
	promotion_check(&r.d->promotion, false);
	ck_assert(dht_is_persistent(r.d));
	ck_assert_uint_ge(r.d->self.table.nodes.len, 40);
	for (uint32_t i = table_oldest(&r.d->self.table); i != 0;
	     i = table_at(&r.d->self.table, i)->recent.next) {
		const struct table_node *n = table_at(&r.d->self.table, i);

		ck_assert_uint_eq(
		    n->row, id_shared_bits(n->id, r.d->self.table.own));
		ck_assert_uint_eq(table_find(&r.d->self.table, n->id), i);
	}
	rig_fini(&r);
}
END_TEST

/* ---- what is sampled (protocol 01 §11.1) ---- */

/* Repliers without id count once each, and only the first few. */
START_TEST(few_samples_without_id)
{
	struct addr seen;
	struct rpc_request m;
	struct sim_sent s;
	struct rig_answer a = {0};

	rig_init_alone(&r, DHT_AUTO);
	seen = rig_address(&r, r.client);
	for (unsigned i = 0; i < 10; i++) {
		struct dht_call c = {.to = rig_host(i / 2), .internal = true};

		dht_call(r.d, &c, (struct dht_done){0}, NULL);
		while (rig_take_request(&r, &s, &m))
			rig_answer(&r, &s, &a);
	}
	/* No list: one of them. */
	ck_assert_uint_eq(r.d->self.sampler.len, 1);
	ck_assert(addr_equal(&r.d->self.sampler.result, &seen));
	rig_fini(&r);
}
END_TEST

/* A private address reported by a public node is forged, or a mistake. */
START_TEST(a_private_address_is_not_believed)
{
	static const struct addr inner = {
	    .ip = {10, 0, 0, 1}, .port = 4000, .family = ADDR_V4};
	struct dht_call c = {.to = rig_host(1), .internal = true};
	struct rig_answer a = {.id = true, .us = &inner};
	struct rpc_request m;
	struct sim_sent s;

	rig_init_alone(&r, DHT_AUTO);
	dht_call(r.d, &c, (struct dht_done){0}, NULL);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(rig_answer(&r, &s, &a), 0);
	ck_assert_uint_eq(r.d->self.sampler.len, 0);
	ck_assert(!dht_is_private(r.d));
	rig_fini(&r);
}
END_TEST

/* Pitfall T8: known nodes are asked again, but only every half hour. */
START_TEST(known_nodes_are_sampled_again)
{
	struct addr a = rig_host(1);
	struct dht_call c = {.to = a, .internal = true};

	rig_init_alone(&r, DHT_AUTO);
	timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
	r.d->self.tick = 5000; /* long after the start */
	for (int i = 0; i < 10; i++) {
		dht_call(r.d, &c, (struct dht_done){0}, NULL);
		rig_answer_all(&r);
	}
	ck_assert_uint_eq(r.d->self.sampler.len, 1);
	for (unsigned i = 2; i < 5; i++) {
		r.d->self.tick += TICKS_OLD;
		dht_call(r.d, &c, (struct dht_done){0}, NULL);
		rig_answer_all(&r);
		ck_assert_uint_eq(r.d->self.sampler.len, i);
	}
	rig_fini(&r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc, *alone;
	Suite *s = t_suite_new("dht_promote", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, auto_is_promoted_when_it_was_stable);
	tcase_add_loop_test(tc, a_firewalled_node_stays_ephemeral, 0, 2);
	tcase_add_loop_test(tc, behind_shifted_ports_it_stays_ephemeral, 0, 2);
	tcase_add_test(tc, persistent_is_so_within_seconds);
	tcase_add_loop_test(tc, persistent_is_tried_until_it_works, 0, 2);
	tcase_add_loop_test(
	    tc, sleep_demotes_only_an_adaptive_node, 0, T_ROWS(sleepers));
	tcase_add_loop_test(tc, a_new_address_is_noticed, 0, 2);
	tcase_add_test(tc, an_adaptive_node_follows_its_address_too);
	tcase_add_test(tc, a_forged_request_moves_no_address);
	tcase_add_loop_test(
	    tc, a_blocked_port_is_noticed, 0, T_ROWS(blocked_nodes));
	tcase_add_loop_test(tc, silent_nodes_are_no_blocked_port, 0, 2);

	alone = tcase_create("alone");
	suite_add_tcase(s, alone);
	tcase_add_test(alone, a_bootstrap_node_is_persistent_at_once);
	tcase_add_loop_test(alone, the_probe_is_strict, 0, T_ROWS(probes));
	tcase_add_test(alone, the_client_sockets_port_is_never_the_id);
	tcase_add_test(alone, a_new_id_keeps_the_nodes);
	tcase_add_test(alone, few_samples_without_id);
	tcase_add_test(alone, a_private_address_is_not_believed);
	tcase_add_test(alone, known_nodes_are_sampled_again);
	return s;
}
