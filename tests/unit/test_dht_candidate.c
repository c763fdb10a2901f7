/* SPDX-License-Identifier: ISC */
/*
 * Goal: only nodes that have replied to us enter the table, none gets more than
 * its share, and no live node is lost to a newcomer or to a lost packet.
 * Method: one dht in a simulated world, scripted peers, virtual time.
 */
#include <string.h>

#include "base/err.h"
#include "mesh.h"

static struct rig r;

static void
setup(void)
{
	rig_init_alone(&r, DHT_BOOTSTRAP);
	/* Disables the maintenance. */
	timer_disarm(&r.host.timers, &r.d->maintenance.tick_timer);
}

static void
teardown(void)
{
	rig_fini(&r);
}

/*
 * Returns the number of PINGs sent, all to *to if it is given; keeps the last.
 */
static struct sim_sent ping;

static unsigned
pings(const struct addr *to)
{
	struct rpc_request m;
	struct sim_sent s;
	unsigned n = 0;

	while (rig_take_request(&r, &s, &m)) {
		ck_assert(m.internal && m.command == RPC_PING);
		ck_assert(to == NULL || addr_equal(&s.meta.to, to));
		ping = s;
		n++;
	}
	return n;
}

static uint32_t
node_of(const struct addr *a)
{
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	return table_find(&r.d->self.table, id);
}

/* ---- admission ---- */

/* Protocol 01 §8.2, threat model: one PING, no retry, and an answer with the
 * id. */
static const struct {
	const char *name;
	bool answer, id, in;
} checks[] = {
    {"answers", true, true, true},
    {"answers without id", true, false, false},
    {"is silent", false, false, false},
};

START_TEST(a_new_id_is_pinged_once)
{
	struct addr a = rig_host(1);
	struct rig_answer answer = {.id = checks[_i].id};

	rig_ping_with_id(&r, &a);
	ck_assert(!rig_knows(&r, &a));
	ck_assert_uint_eq(pings(&a), 1);
	/* Further requests meanwhile change nothing. */
	rig_ping_with_id(&r, &a);
	ck_assert_uint_eq(pings(&a), 0);
	rig_pass_ms(&r, 900); /* a round trip to the far side of the world */
	if (checks[_i].answer)
		ck_assert_int_eq(rig_answer(&r, &ping, &answer), 0);
	rig_pass_ms(&r, 20000);
	ck_assert(rig_knows(&r, &a) == checks[_i].in);
	ck_assert_uint_eq(pings(NULL), 0);
	ck_assert_uint_eq(r.host.stats.candidates, 1);
	ck_assert_uint_eq(
	    r.host.stats.candidates_failed, checks[_i].in ? 0 : 1);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 0);
	ck_assert(TAILQ_EMPTY(&r.d->candidates.checks));
}
END_TEST

/* An attacker off the path may forge the address of a node and reply with all
 * tids, but not before the check is abandoned. */
START_TEST(a_tid_cannot_be_guessed_at_leisure)
{
	struct addr a = rig_host(1);
	struct rpc_request m;
	uint8_t buf[64];

	rig_ping_with_id(&r, &a);
	ck_assert_uint_eq(pings(&a), 1);
	ck_assert_int_eq(rpc_request_decode(&m, ping.buf, ping.len), 0);
	for (unsigned i = 1; i <= 4; i++) {
		struct rpc_reply guess = {
		    .tid = (uint16_t)(m.tid + i), .to = r.self};
		size_t len = rpc_reply_encode(&guess, buf, sizeof buf);

		ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 1);
		ck_assert_int_eq(rig_deliver(&r, ping.meta.sock, &a, buf, len),
		    ERR_UNMATCHED);
	}
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 0);
	ck_assert_int_eq(
	    rig_answer(&r, &ping, &(struct rig_answer){.id = true}),
	    ERR_UNMATCHED);
	ck_assert(!rig_knows(&r, &a));
}
END_TEST

/* Measured: 400 unsolicited pings added 102 entries to the table of the
 * reference. */
START_TEST(unsolicited_ids_never_get_in)
{
	for (unsigned i = 0; i < 400; i++) {
		struct addr a = addr_v4(66, 6, 6, 6, (uint16_t)(1000 + i));

		rig_ping_with_id(&r, &a);
		rig_pass_ms(&r, 50);
	}
	for (unsigned i = 0; i < 400; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
		rig_pass_ms(&r, 50);
	}
	rig_pass_ms(&r, 20000);
	ck_assert_uint_eq(r.d->self.table.nodes.len, 0);
	ck_assert_uint_eq(r.host.stats.table_added, 0);
}
END_TEST

/* Pitfall R6: a wrong id makes no candidate; the request is served. */
START_TEST(a_wrong_id_is_no_candidate)
{
	struct addr a = rig_host(1), b = rig_host(2);
	uint8_t id[ID_LEN];
	struct rpc_request m = {
	    .internal = true, .command = RPC_PING, .id = id};

	id_of_addr(id, &b);
	ck_assert_int_eq(rig_request(&r, r.server, &a, &m), 0);
	ck_assert_uint_eq(pings(NULL), 0);
	ck_assert_uint_eq(r.host.stats.requests_served, 1);
	/* The id of another node does not show that this one is alive. */
	rig_learn(&r, &b);
	r.d->self.tick += 100;
	ck_assert_int_eq(rig_request(&r, r.server, &a, &m), 0);
	ck_assert_uint_eq(table_at(&r.d->self.table, node_of(&b))->seen,
	    r.d->self.tick - 100);
}
END_TEST

/* It is never ourselves. */
START_TEST(our_own_id_is_no_candidate)
{
	rig_ping_with_id(&r, &r.self);
	ck_assert_uint_eq(pings(NULL), 0);
}
END_TEST

/* ---- limits ---- */

START_TEST(one_check_a_minute_per_address)
{
	for (unsigned port = 1; port < 100; port++) {
		struct addr a = addr_v4(66, 6, 6, 6, (uint16_t)port);

		rig_ping_with_id(&r, &a);
	}
	ck_assert_uint_eq(pings(NULL), 1);
	ck_assert_uint_eq(r.host.stats.candidates_refused, 98);
	for (int s = 0; s < 120; s++) {
		struct addr a = addr_v4(66, 6, 6, 6, (uint16_t)(1000 + s));

		rig_pass_ms(&r, 1000);
		rig_ping_with_id(&r, &a);
	}
	ck_assert_uint_eq(pings(NULL), 2);
}
END_TEST

START_TEST(candidates_are_bounded)
{
	for (unsigned i = 1; i < 100; i++) {
		struct addr a = addr_v4(66, 6, 6, (uint8_t)i, 1000);

		rig_ping_with_id(&r, &a);
	}
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 3);
	for (unsigned i = 0; i < 400; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
	}
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 10);
	ck_assert_uint_eq(r.host.stats.candidates, 10);
	ck_assert_uint_eq(r.d->candidates.deferred_len, DHT_DEFERRED_MAX);
	/* They expire by themselves. */
	rig_pass_ms(&r, 10000);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 0);
	ck_assert_uint_eq(r.d->candidates.deferred_len, 0);
	ck_assert_uint_eq(r.d->requests.len, 0);
}
END_TEST

START_TEST(lowered_limits_hold_at_once)
{
	struct limits l;

	for (unsigned i = 0; i < 8; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
	}
	limits_init(&l);
	l.candidates = 4;
	r.host.limits = l;
	dht_limits_changed(r.d);
	for (unsigned i = 50; i < 100; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
	}
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 8);
}
END_TEST

static void
flood_with_candidates(unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
	}
}

/* Checks of forged sources never wait, and leave the window to own requests. */
START_TEST(own_requests_leave_before_checks)
{
	struct addr to = addr_v4(50, 1, 1, 1, 1000);
	struct dht_call own = {
	    .to = to, .internal = true, .command = RPC_PING, .sends = 1};

	for (unsigned second = 0; second < 5; second++) {
		flood_with_candidates(second * 1000, 1000);
		rig_pass_ms(&r, 1000);
	}
	ck_assert_uint_le(r.host.stats.candidates, 6 * DHT_CHECKS_MAX);
	rig_skip(&r);
	for (unsigned i = 0; i < 60; i++)
		ck_assert_int_eq(
		    dht_call(r.d, &own, (struct dht_done){0}, NULL), 0);
	ck_assert_uint_eq(pings(&to), 60);
}
END_TEST

/* While own requests fill the window, a candidate is deferred. */
START_TEST(a_check_is_not_queued)
{
	struct addr to = addr_v4(50, 1, 1, 1, 1000), a = rig_host(1);
	struct dht_call own = {
	    .to = to, .internal = true, .command = RPC_PING, .sends = 1};

	for (unsigned i = 0; i < 100; i++)
		ck_assert_int_eq(
		    dht_call(r.d, &own, (struct dht_done){0}, NULL), 0);
	rig_ping_with_id(&r, &a);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 0);
	ck_assert_uint_eq(r.d->candidates.deferred_len, 1);
	/* Its check of this minute was not used up. */
	rig_pass_ms(&r, 4000);
	rig_ping_with_id(&r, &a);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 1);
}
END_TEST

/* Nodes that all join at once are checked one after another, and none has to
 * send a second request. */
START_TEST(a_crowd_is_admitted)
{
	flood_with_candidates(0, 30);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], DHT_CHECKS_MAX);
	rig_answer_all(&r);
	for (unsigned i = 0; i < 30; i++) {
		struct addr a = rig_host(i);

		ck_assert_msg(rig_knows(&r, &a), "node %u", i);
	}
	ck_assert_uint_eq(r.host.stats.candidates, 30);
	ck_assert_uint_eq(r.host.stats.candidates_refused, 0);
}
END_TEST

/* A node with a token is checked in the place of the oldest without one. */
START_TEST(a_validated_candidate_finds_a_place)
{
	struct addr a = addr_v4(50, 1, 1, 1, 1000), b = addr_v4(50, 2, 1, 1, 9);
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN];
	struct rpc_request m = {
	    .internal = true, .command = RPC_PING, .id = id, .token = token};

	flood_with_candidates(0, 100);
	rig_skip(&r);
	rig_ping_with_id(&r, &b);
	ck_assert_uint_eq(pings(NULL), 0);
	dht_token(r.d, &a, token);
	id_of_addr(id, &a);
	rig_request(&r, r.server, &a, &m);
	ck_assert_uint_eq(pings(&a), 1);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 10);
}
END_TEST

/* Ten nodes with a token are checked, and the eleventh waits in the place of
 * the oldest without one. */
START_TEST(a_validated_candidate_waits_for_its_turn)
{
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN];
	struct rpc_request m = {
	    .internal = true, .command = RPC_PING, .id = id, .token = token};
	struct addr a, first = rig_host(10), second = rig_host(11);

	flood_with_candidates(0, 10 + DHT_DEFERRED_MAX);
	for (uint8_t i = 0; i < 11; i++) {
		a = addr_v4(50, i, 1, 1, 1000);
		dht_token(r.d, &a, token);
		id_of_addr(id, &a);
		rig_request(&r, r.server, &a, &m);
	}
	ck_assert_uint_eq(r.d->candidates.len[CHECK_CANDIDATE], 10);
	ck_assert_uint_eq(r.d->candidates.deferred_len, DHT_DEFERRED_MAX);
	rig_answer_all(&r);
	ck_assert(rig_knows(&r, &a));
	ck_assert(!rig_knows(&r, &first));
	ck_assert(rig_knows(&r, &second));
}
END_TEST

/* The PING of a candidate is charged to the budget of its host. */
START_TEST(a_drained_host_draws_no_ping)
{
	struct addr a = addr_v4(66, 6, 6, 6, 1000);
	struct rpc_request m = {.internal = true, .command = RPC_PING};

	while (rig_request(&r, r.server, &a, &m) == 0)
		;
	rig_skip(&r);
	a.port++;
	rig_ping_with_id(&r, &a);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
}
END_TEST

/* Shares: of all ports of a host one per row and four in all are added, though
 * every one of them replies. */
START_TEST(one_address_gets_its_share_of_the_table)
{
	unsigned host = 0, prefix = 0;

	for (unsigned i = 0; i < 300; i++) {
		struct addr a = addr_v4(66, 6, 6, 6, (uint16_t)(1000 + i));

		rig_ping_with_id(&r, &a);
		rig_answer_all(&r);
		host += rig_knows(&r, &a);
		rig_pass_ms(&r, 61000);
	}
	ck_assert_uint_ge(host, 2);
	ck_assert_uint_le(host, 4);
	for (unsigned i = 0; i < 250; i++) {
		struct addr a = addr_v4(77, 7, 7, (uint8_t)i, 1000);

		rig_ping_with_id(&r, &a);
		rig_answer_all(&r);
		prefix += rig_knows(&r, &a);
		rig_pass_ms(&r, 2000);
	}
	ck_assert_uint_ge(prefix, 8);
	ck_assert_uint_le(prefix, 16);
	ck_assert_uint_gt(r.host.stats.table_share, 0);
}
END_TEST

/* ---- full rows (protocol 01 §8.3, pitfalls T2, T3) ---- */

static struct addr members[TABLE_ROW_MAX], newcomer;

/* Fills row 0 with nodes known for long, and returns one more for it. */
static void
fill_row(void)
{
	unsigned in = 0;

	r.d->self.tick = 10000;
	for (unsigned i = 0;; i++) {
		struct addr a = rig_host(i);
		uint8_t id[ID_LEN];

		id_of_addr(id, &a);
		if (id_shared_bits(id, r.d->self.table.own) != 0)
			continue;
		if (in == TABLE_ROW_MAX) {
			newcomer = a;
			break;
		}
		table_add(&r.d->self.table, id, &a, r.d->self.tick - 1000);
		table_at(&r.d->self.table, node_of(&a))->pinged =
		    r.d->self.tick - 500 - in;
		members[in++] = a;
	}
}

/* Pitfall T2: a known node is renewed in place: no swap, no ping. */
START_TEST(a_known_node_is_renewed)
{
	fill_row();
	rig_ping_with_id(&r, &members[3]);
	ck_assert_uint_eq(pings(NULL), 0);
	ck_assert_uint_eq(
	    table_at(&r.d->self.table, node_of(&members[3]))->seen,
	    r.d->self.tick);
	ck_assert_uint_eq(table_latest(&r.d->self.table), node_of(&members[3]));
	ck_assert_uint_eq(r.d->self.table.nodes.len, TABLE_ROW_MAX);
}
END_TEST

/* The newcomer is checked first, then the oldest node of the row. */
static const struct {
	const char *name;
	bool newcomer_answers, victim_answers, victim_id, swapped;
} swaps[] = {
    {"the old one answers", true, true, true, false},
    {"the old one is silent", true, false, false, true},
    {"the old one has lost its id", true, true, false, true},
    {"the newcomer is silent", false, false, false, false},
};

START_TEST(a_full_row_keeps_who_answers)
{
	struct addr victim;
	struct rig_answer good = {.id = true};
	struct rig_answer answer = {.id = swaps[_i].victim_id};

	fill_row();
	victim = members[TABLE_ROW_MAX - 1]; /* least recently pinged */
	rig_ping_with_id(&r, &newcomer);
	ck_assert_uint_eq(pings(&newcomer), 1);
	if (swaps[_i].newcomer_answers) {
		rig_answer(&r, &ping, &good);
		ck_assert(!rig_knows(&r, &newcomer));
		ck_assert_uint_eq(pings(&victim), 1);
		if (swaps[_i].victim_answers)
			rig_answer(&r, &ping, &answer);
	}
	rig_pass_ms(&r, 1100);
	/* Pitfall T3: one lost packet evicts no node: a check is sent four
	 * times. */
	if (swaps[_i].newcomer_answers && !swaps[_i].victim_answers)
		ck_assert(rig_knows(&r, &victim));
	rig_pass_ms(&r, 20000);
	if (swaps[_i].newcomer_answers && !swaps[_i].victim_answers)
		ck_assert_uint_eq(pings(&victim), 3);
	else
		ck_assert_uint_eq(pings(NULL), 0);
	ck_assert(rig_knows(&r, &newcomer) == swaps[_i].swapped);
	ck_assert(rig_knows(&r, &victim) != swaps[_i].swapped);
	ck_assert_uint_eq(r.d->self.table.nodes.len, TABLE_ROW_MAX);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_SWAP], 0);
}
END_TEST

/* A node that was active recently is not checked, nor is any before the node
 * has joined. */
START_TEST(a_row_of_recent_nodes_is_left_alone)
{
	fill_row();
	for (unsigned i = 0; i < TABLE_ROW_MAX; i++)
		table_touch(
		    &r.d->self.table, node_of(&members[i]), r.d->self.tick - 2);
	rig_ping_with_id(&r, &newcomer);
	ck_assert_uint_eq(pings(NULL), 0);
	for (unsigned i = 0; i < TABLE_ROW_MAX; i++)
		table_at(&r.d->self.table, node_of(&members[i]))->pinged =
		    r.d->self.tick - 1000;
	r.d->self.bootstrapped = false;
	rig_ping_with_id(&r, &newcomer);
	ck_assert_uint_eq(pings(NULL), 0);
	r.d->self.bootstrapped = true;
	rig_ping_with_id(&r, &newcomer);
	ck_assert_uint_eq(pings(NULL), 1);
}
END_TEST

START_TEST(three_swaps_at_a_time)
{
	struct rig_answer good = {.id = true};
	unsigned swapping = 0;

	fill_row();
	for (unsigned i = 1000; i < 1040; i++) {
		struct addr a = rig_host(i);

		rig_ping_with_id(&r, &a);
		if (pings(NULL) == 0)
			continue;
		rig_answer(&r, &ping, &good);
		swapping = r.d->candidates.len[CHECK_SWAP];
		ck_assert_uint_le(swapping, DHT_SWAPS_MAX);
	}
	ck_assert_uint_eq(swapping, DHT_SWAPS_MAX);
}
END_TEST

/* ---- checks of known nodes (protocol 01 §8.5) ---- */

START_TEST(a_checked_node_goes_only_after_four_sends)
{
	struct addr a = rig_host(1);
	struct rig_answer no_id = {0}, good = {.id = true};
	unsigned sends;

	rig_learn(&r, &a);
	candidates_check_node(&r.d->candidates, node_of(&a), false);
	/* The third send is answered. */
	sends = pings(&a);
	ck_assert_uint_eq(sends, 1);
	for (; sends < 3; sends += pings(&a)) {
		rig_pass_ms(&r, 10);
		ck_assert(rig_knows(&r, &a));
	}
	rig_answer(&r, &ping, &good);
	rig_pass_ms(&r, 20000);
	ck_assert(rig_knows(&r, &a));
	/* No reply. */
	pings(NULL);
	if (_i == 0) {
		candidates_check_node(&r.d->candidates, node_of(&a), false);
		rig_pass_ms(&r, 20000);
		ck_assert_uint_eq(pings(&a), 4);
	} else {
		candidates_check_node(&r.d->candidates, node_of(&a), true);
		pings(&a);
		rig_answer(&r, &ping, &no_id);
	}
	ck_assert(!rig_knows(&r, &a));
	ck_assert_uint_eq(r.host.stats.table_removed, 1);
}
END_TEST

/* The end of the node removes none from the table, and frees all checks. */
START_TEST(the_end_removes_nobody)
{
	fill_row();
	for (unsigned i = 0; i < TABLE_ROW_MAX; i++)
		candidates_check_node(
		    &r.d->candidates, node_of(&members[i]), i % 2);
	rig_ping_with_id(&r, &newcomer);
	dht_end(r.d);
	ck_assert_uint_eq(r.d->self.table.nodes.len, TABLE_ROW_MAX);
	ck_assert(TAILQ_EMPTY(&r.d->candidates.checks));
}
END_TEST

/* A check that cannot be sent must not leak or count for ever. */
START_TEST(a_check_without_a_request_is_dropped)
{
	struct addr a = rig_host(1);
	struct limits l;

	rig_learn(&r, &a);
	limits_init(&l);
	l.requests = 0;
	r.host.limits = l;
	dht_limits_changed(r.d);
	for (int i = 0; i < 20; i++)
		candidates_check_node(&r.d->candidates, node_of(&a), true);
	ck_assert_uint_eq(r.d->candidates.len[CHECK_HINT], 0);
	ck_assert(TAILQ_EMPTY(&r.d->candidates.checks));
}
END_TEST

/* ---- in a network ---- */

/* Pitfall T3: no node of a network is lost at 30 % packet loss. */
START_TEST(loss_empties_no_table)
{
	struct mesh net;
	unsigned missing = 0, known = 0;

	mesh_init(&net, 20, 9);
	mesh_start_all(&net);
	for (unsigned i = 0; i < net.len; i++)
		known += mesh_dht(&net, i)->self.table.nodes.len;
	net.lan.net.faults.loss_ppm = 300000;
	for (int minute = 0; minute < 30; minute++) {
		mesh_run_ms(&net, 60000);
		missing = 0;
		for (unsigned i = 0; i < net.len; i++)
			missing += mesh_dht(&net, i)->self.table.nodes.len < 15;
		/* A node lost by chance comes back with the next lookup. */
		ck_assert_uint_le(missing, 1);
	}
	ck_assert_uint_gt(net.lan.net.counts.lost, 1000);
	ck_assert_uint_gt(known, 20 * 18);
	mesh_fini(&net);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc, *in_net;
	Suite *s = t_suite_new("dht_candidate", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, a_new_id_is_pinged_once, 0, T_ROWS(checks));
	tcase_add_test(tc, a_tid_cannot_be_guessed_at_leisure);
	tcase_add_test(tc, unsolicited_ids_never_get_in);
	tcase_add_test(tc, a_wrong_id_is_no_candidate);
	tcase_add_test(tc, our_own_id_is_no_candidate);
	tcase_add_test(tc, one_check_a_minute_per_address);
	tcase_add_test(tc, candidates_are_bounded);
	tcase_add_test(tc, lowered_limits_hold_at_once);
	tcase_add_test(tc, own_requests_leave_before_checks);
	tcase_add_test(tc, a_check_is_not_queued);
	tcase_add_test(tc, a_crowd_is_admitted);
	tcase_add_test(tc, a_validated_candidate_finds_a_place);
	tcase_add_test(tc, a_validated_candidate_waits_for_its_turn);
	tcase_add_test(tc, a_drained_host_draws_no_ping);
	tcase_add_test(tc, one_address_gets_its_share_of_the_table);
	tcase_add_test(tc, a_known_node_is_renewed);
	tcase_add_loop_test(tc, a_full_row_keeps_who_answers, 0, T_ROWS(swaps));
	tcase_add_test(tc, a_row_of_recent_nodes_is_left_alone);
	tcase_add_test(tc, three_swaps_at_a_time);
	tcase_add_loop_test(
	    tc, a_checked_node_goes_only_after_four_sends, 0, 2);
	tcase_add_test(tc, the_end_removes_nobody);
	tcase_add_test(tc, a_check_without_a_request_is_dropped);

	in_net = tcase_create("network");
	suite_add_tcase(s, in_net);
	tcase_add_test(in_net, loss_empties_no_table);
	return s;
}
