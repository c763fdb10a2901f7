/* SPDX-License-Identifier: ISC */
/*
 * Goal: the lifetime of mappings is found for every kind of NAT, no node that
 * dies, refuses or lies makes us keep them alive too seldom, and what follows
 * from it is put right when it was wrong. Method: the punching room behind the
 * simulator's NATs among twelve public nodes, in virtual time.
 */
#include <string.h>

#include "base/err.h"
#include "dht/mapping.h"
#include "punch_lab.h"

static struct lab l;
static struct lifetime_result heard;
static unsigned events, ends;

static const struct lab_box boxes[] = {
    {NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT, NAT_RANDOM},
    {NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT, NAT_PRESERVING},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS_AND_PORT, NAT_RANDOM},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS_AND_PORT, NAT_SEQUENTIAL},
};

static void
on_event(void *owner, const struct lifetime_result *r)
{
	(void)owner;
	heard = *r;
	events++;
	ends += r->next_s == 0;
}

static const struct lifetime_listener sink = {.event = on_event};

static void
init(const struct lab_box *box, uint32_t lifetime_s)
{
	events = ends = 0;
	heard = (struct lifetime_result){0};
	lab_init(&l, box, NULL, 5);
	if (box != NULL)
		l.client.nat->config.timeout_s = lifetime_s;
	l.sent_len = 0;
}

static void
teardown(void)
{
	lab_fini(&l);
}

static struct lifetime *
start(void)
{
	int err;
	struct lifetime *m =
	    lifetime_start(&l.client.punch->sockets, sink, &err);

	ck_assert_ptr_nonnull(m);
	return m;
}

static void
run_s(unsigned s)
{
	lab_run_ms(&l, s * UINT64_C(1000));
}

/* ---- what is found ---- */

static const struct {
	uint32_t lifetime_s, at_least_s, at_most_s, keep_s, takes_s;
} lifetimes[] = {
    {5, 0, 10, 0, 25},
    {15, 10, 25, 5, 40},
    {30, 25, 55, 10, 70},
    {60, 55, 115, 22, 130},
    {120, 115, 175, 46, 190},
    {180, 175, 295, 70, 310},
    {300, 295, 0, 118, 310},
    {86400, 295, 0, 118, 310},
};

enum { LIFETIMES = sizeof lifetimes / sizeof *lifetimes, BOXES = 4 };

START_TEST(finds_the_lifetime)
{
	uint32_t i = (uint32_t)_i % LIFETIMES;
	struct mapping m = {0};

	init(&boxes[_i / LIFETIMES], lifetimes[i].lifetime_s);
	start();
	run_s(lifetimes[i].takes_s);
	ck_assert_uint_eq(ends, 1);
	ck_assert(heard.known);
	ck_assert_uint_eq(heard.at_least_s, lifetimes[i].at_least_s);
	ck_assert_uint_eq(heard.at_most_s, lifetimes[i].at_most_s);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	mapping_learn(&m, heard.at_least_s, heard.at_most_s, 1);
	ck_assert_uint_eq(m.keep_s, lifetimes[i].keep_s);
}
END_TEST

START_TEST(finds_that_there_is_no_nat)
{
	init(NULL, 0);
	start();
	run_s(310);
	ck_assert_uint_eq(heard.at_least_s, 295);
	ck_assert_uint_eq(heard.at_most_s, 0);
	ck_assert_uint_eq(events, LIFETIME_SOCKETS);
}
END_TEST

/* What would renew the mapping does not leave; and it is not much in all. */
START_TEST(is_silent_and_cheap)
{
	uint64_t began_us;
	unsigned all = 0;

	init(&boxes[2], 120);
	began_us = l.now_us;
	start();
	run_s(190);
	ck_assert_uint_eq(ends, 1);
	for (size_t i = 0; i < l.sent_len; i++) {
		const struct lab_sent *s = &l.sent[i];

		if (!s->client)
			continue;
		all++;
		ck_assert(dht_has_socket(l.client.n.d, s->meta.sock) ||
			  s->at_us < began_us + 3000000);
	}
	/* Two by each socket, one for each that lives, five for the fatal one,
	 * and what the node does anyway. */
	ck_assert_uint_le(all, 12 + 4 + 5 + 60);
}
END_TEST

/* ---- nodes that are of no help ---- */

/* Whom the i-th socket has turned to at first, and how it is seen there. */
static const struct lab_sent *
first_of(unsigned i)
{
	for (size_t k = 0; k < l.sent_len; k++)
		if (l.sent[k].client &&
		    !dht_has_socket(l.client.n.d, l.sent[k].meta.sock) &&
		    i-- == 0)
			return &l.sent[k];
	ck_abort_msg("it has not turned to anybody");
	return NULL;
}

static struct lab_host *
node_of(unsigned i)
{
	for (unsigned k = 0; k < LAB_RELAYS; k++) {
		struct addr a = lab_relay(k);

		if (addr_equal(&a, &first_of(i)->meta.to))
			return &l.relays[k];
	}
	ck_abort_msg("it has turned to a stranger");
	return NULL;
}

/* A node that has died is not taken for a mapping that has. */
START_TEST(a_dead_node_says_nothing)
{
	init(&boxes[1], 120);
	start();
	run_s(6);
	node_of(1)->deaf = true;
	run_s(190);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(heard.at_least_s, 115);
	ck_assert_uint_eq(heard.at_most_s, 175);
}
END_TEST

START_TEST(nothing_is_known_if_all_die)
{
	init(&boxes[1], 120);
	start();
	run_s(6);
	l.client.deaf = true;
	run_s(310);
	ck_assert_uint_eq(ends, 1);
	ck_assert(!heard.known);
}
END_TEST

/* PING_NAT, and nothing else, comes to nothing at half of the nodes. */
static bool
lose_ping_nat(const struct lab *lab, const struct lab_sent *s)
{
	const struct fake_world *fw = &lab->client.n.fw;
	struct rpc_request m;

	if (!s->client || lab->client.taken == 0 || s->meta.to.ip[2] > 6)
		return false;
	return rpc_kind(fw->sent[lab->client.taken - 1].buf[0]) ==
		   RPC_REQUEST &&
	       rpc_request_decode(
		   &m, fw->sent[lab->client.taken - 1].buf, s->len) == 0 &&
	       m.internal && m.command == RPC_PING_NAT;
}

START_TEST(who_is_unwilling_is_left)
{
	init(&boxes[3], 30);
	l.lose = lose_ping_nat;
	start();
	run_s(90);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(heard.at_least_s, 25);
	ck_assert_uint_eq(heard.at_most_s, 55);
}
END_TEST

/* Keeps its mapping alive by sending: one silence seems longer than it was,
 * but what follows from it is still short enough. */
START_TEST(one_liar_does_no_harm)
{
	struct dht_call ping = {
	    .internal = true, .command = RPC_PING, .sends = 1};
	unsigned liar = (unsigned)_i % LIFETIME_SOCKETS;
	uint32_t lifetime_s = lifetimes[1 + _i / LIFETIME_SOCKETS].lifetime_s;
	struct mapping m = {0};

	init(&boxes[2], lifetime_s);
	start();
	run_s(6);
	ping.to = first_of(liar)->from;
	for (int i = 0; i < 64; i++) {
		dht_call(node_of(liar)->n.d, &ping, (struct dht_done){0}, NULL);
		run_s(5);
	}
	ck_assert_uint_eq(ends, 1);
	mapping_learn(&m, heard.at_least_s, heard.at_most_s, 1);
	ck_assert_uint_lt(m.keep_s, lifetime_s);
}
END_TEST

START_TEST(losses_do_not_matter)
{
	init(&boxes[2], 60);
	l.loss = 100;
	start();
	run_s(140);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_ge(heard.at_least_s, 25);
	ck_assert_uint_le(heard.at_least_s, 55);
}
END_TEST

START_TEST(can_be_called_off)
{
	struct lifetime *m;

	init(&boxes[1], 30);
	for (unsigned s = 0; s < 60; s += 1) {
		m = start();
		run_s(s);
		if (ends == 0)
			lifetime_cancel(m);
		ck_assert_uint_eq(
		    HASH_COUNT(l.client.punch->sockets.entries), 0);
		run_s(5);
		ends = 0;
	}
}
END_TEST

START_TEST(without_sockets_there_is_none)
{
	int err = 0;

	init(&boxes[1], 30);
	for (int i = 0, kept = 0; i < FAKE_SOCKS_MAX; i++)
		if (!l.client.n.fw.socks[i].open && kept++ >= 3)
			l.client.n.fw.socks[i].open = true;
	ck_assert_ptr_null(
	    lifetime_start(&l.client.punch->sockets, sink, &err));
	ck_assert_int_eq(err, ERR_SOCKET);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
}
END_TEST

/* ---- when ---- */

static struct mapping *
mapping(void)
{
	return dht_mapping(l.client.n.d);
}

START_TEST(is_measured_while_somebody_needs_it)
{
	uint64_t first_us;

	init(&boxes[1], 30);
	run_s(200);
	ck_assert(!mapping()->known);
	punch_keep_ready(l.client.punch, true);
	run_s(200);
	ck_assert_uint_eq(mapping()->keep_s, 10);
	ck_assert(dht_events(l.client.n.d) & DHT_EV_REPACED);
	first_us = mapping()->measured_us;
	run_s(3000);
	ck_assert_uint_eq(mapping()->measured_us, first_us);
	l.client.nat->config.timeout_s = 120;
	run_s(1200);
	ck_assert_uint_eq(mapping()->keep_s, 46);
	/* It stays if it is needed for a moment, or not at all. */
	punch_keep_ready(l.client.punch, false);
	run_s(8000);
	punch_path_opened(l.client.punch);
	run_s(10);
	punch_path_closed(l.client.punch);
	first_us = mapping()->measured_us;
	run_s(500);
	ck_assert_uint_eq(mapping()->measured_us, first_us);
	punch_path_opened(l.client.punch);
	run_s(300);
	ck_assert_uint_ne(mapping()->measured_us, first_us);
}
END_TEST

/* Who does not want it can ask for it all the same. */
START_TEST(can_be_turned_off)
{
	struct lifetime_waiter w = {.sink = sink};
	struct limits off;

	init(&boxes[1], 30);
	off = l.client.n.limits;
	off.lifetime_minutes = 0;
	l.client.n.limits = off;
	dht_limits_changed(l.client.n.d);
	punch_keep_ready(l.client.punch, true);
	run_s(2000);
	ck_assert(!mapping()->known);
	ck_assert_int_eq(punch_measure_lifetime(l.client.punch, &w), 0);
	run_s(100);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(mapping()->keep_s, 10);
}
END_TEST

START_TEST(another_network_makes_it_void)
{
	init(&boxes[1], 30);
	punch_keep_ready(l.client.punch, true);
	run_s(200);
	ck_assert(mapping()->known);
	dht_network_changed(l.client.n.d);
	punch_wake(l.client.punch);
	ck_assert(!mapping()->known);
	ck_assert_uint_eq(mapping()->keep_s, 0);
	run_s(80);
	/* Again, in the middle of a measurement. */
	ck_assert_uint_ge(
	    HASH_COUNT(l.client.punch->sockets.entries), LIFETIME_SOCKETS);
	punch_wake(l.client.punch);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	run_s(200);
	ck_assert_uint_eq(mapping()->keep_s, 10);
}
END_TEST

START_TEST(who_asks_joins)
{
	struct lifetime_waiter w[3] = {
	    {.sink = sink}, {.sink = sink}, {.sink = sink}};

	init(&boxes[1], 30);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(
		    punch_measure_lifetime(l.client.punch, &w[i]), 0);
	run_s(5);
	punch_stop_measuring(l.client.punch, &w[1]);
	run_s(90);
	ck_assert_uint_eq(ends, 2);
	ck_assert_uint_eq(events, 2 * 3); /* 10 s, 25 s, the end */
	ck_assert_uint_eq(mapping()->keep_s, 10);
	/* The last to go puts out the light. */
	ck_assert_int_eq(punch_measure_lifetime(l.client.punch, &w[0]), 0);
	run_s(5);
	ck_assert_uint_eq(
	    HASH_COUNT(l.client.punch->sockets.entries), LIFETIME_SOCKETS);
	punch_stop_measuring(l.client.punch, &w[0]);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	/* And a sleep tells all that nothing is known. */
	ck_assert_int_eq(punch_measure_lifetime(l.client.punch, &w[0]), 0);
	punch_wake(l.client.punch);
	ck_assert_uint_eq(ends, 3);
	ck_assert(!heard.known);
}
END_TEST

/* ---- what follows from it ---- */

#define SECOND UINT64_C(1000000)

START_TEST(what_was_wrong_is_put_right)
{
	struct mapping m = {0};

	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 3 * SECOND);
	mapping_learn(&m, 115, 175, SECOND);
	ck_assert(mapping_repaced(&m));
	ck_assert(!mapping_repaced(&m));
	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 25 * SECOND);
	ck_assert_uint_eq(mapping_keep_us(&m, 20, 120), 46 * SECOND);
	/* One change, told by three. */
	for (uint64_t s = 100; s < 125; s += 10)
		mapping_changed(&m, true, s * SECOND);
	ck_assert_uint_eq(m.changes, 1);
	ck_assert_uint_eq(m.keep_s, 23);
	ck_assert(mapping_repaced(&m));
	/* Another host is another network, not a short life. */
	mapping_changed(&m, false, 200 * SECOND);
	ck_assert_uint_eq(m.changes, 2);
	ck_assert_uint_eq(m.keep_s, 23);
	mapping_changed(&m, true, 300 * SECOND);
	ck_assert(!m.known);
	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 3 * SECOND);
	/* Nothing is halved below what the measurement may ask for. */
	mapping_learn(&m, 10, 25, 400 * SECOND);
	mapping_changed(&m, true, 500 * SECOND);
	ck_assert_uint_eq(m.keep_s, MAPPING_KEEP_MIN_S);
}
END_TEST

/* The loss of a mapping that was kept alive is reason to measure again. */
START_TEST(doubt_is_followed_by_a_measurement)
{
	init(&boxes[1], 120);
	punch_keep_ready(l.client.punch, true);
	run_s(300);
	ck_assert_uint_eq(mapping()->keep_s, 46);
	l.client.nat->config.timeout_s = 30;
	mapping_changed(mapping(), true, l.now_us);
	ck_assert_uint_eq(mapping()->keep_s, 23);
	punch_keepalive_changed(l.client.punch);
	run_s(300);
	punch_keepalive_changed(l.client.punch); /* puts nothing off */
	run_s(500);
	ck_assert_uint_eq(mapping()->keep_s, 10);
	ck_assert_uint_eq(mapping()->losses, 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("lifetime", &tc);

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(tc, finds_the_lifetime, 0, BOXES * LIFETIMES);
	tcase_add_test(tc, finds_that_there_is_no_nat);
	tcase_add_test(tc, is_silent_and_cheap);
	tcase_add_test(tc, a_dead_node_says_nothing);
	tcase_add_test(tc, nothing_is_known_if_all_die);
	tcase_add_test(tc, who_is_unwilling_is_left);
	tcase_add_loop_test(tc, one_liar_does_no_harm, 0, LIFETIME_SOCKETS * 5);
	tcase_add_test(tc, losses_do_not_matter);
	tcase_add_test(tc, can_be_called_off);
	tcase_add_test(tc, without_sockets_there_is_none);
	tcase_add_test(tc, is_measured_while_somebody_needs_it);
	tcase_add_test(tc, can_be_turned_off);
	tcase_add_test(tc, another_network_makes_it_void);
	tcase_add_test(tc, who_asks_joins);
	tcase_add_test(tc, doubt_is_followed_by_a_measurement);
	tc = tcase_create("mapping");
	tcase_add_test(tc, what_was_wrong_is_put_right);
	suite_add_tcase(s, tc);
	return s;
}
