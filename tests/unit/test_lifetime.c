/* SPDX-License-Identifier: ISC */
/*
 * Goal: the lifetime of mappings is determined behind every kind of NAT; nodes
 * that fail, refuse or lie never make us send keep-alives too rarely; and a
 * wrong result is corrected. Method: the punch lab behind simulated NATs
 * among twelve public nodes, in virtual time.
 */
#include <string.h>

#include "base/err.h"
#include "dht/mapping.h"
#include "punch_lab.h"

static struct punch_lab l;
static struct lifetime_result last_result;
static unsigned events, ends;

static const struct punch_box boxes[] = {
    {NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT, NAT_RANDOM},
    {NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT, NAT_PRESERVING},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS_AND_PORT, NAT_RANDOM},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS_AND_PORT, NAT_SEQUENTIAL},
};

static void
on_event(void *owner, const struct lifetime_result *r)
{
	(void)owner;
	last_result = *r;
	events++;
	ends += r->next_s == 0;
}

static const struct lifetime_listener sink = {.event = on_event};

static void
init(const struct punch_box *box, uint32_t lifetime_s)
{
	events = ends = 0;
	last_result = (struct lifetime_result){0};
	punch_lab_init(&l, box, NULL, 5);
	if (box != NULL)
		l.client.n.host.nat->config.timeout_s = lifetime_s;
	l.sent_len = 0;
}

static void
teardown(void)
{
	punch_lab_fini(&l);
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
	punch_lab_run_ms(&l, s * UINT64_C(1000));
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
	ck_assert(last_result.known);
	ck_assert_uint_eq(last_result.at_least_s, lifetimes[i].at_least_s);
	ck_assert_uint_eq(last_result.at_most_s, lifetimes[i].at_most_s);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	mapping_learn(&m, last_result.at_least_s, last_result.at_most_s, 1);
	ck_assert_uint_eq(m.keep_s, lifetimes[i].keep_s);
}
END_TEST

START_TEST(finds_that_there_is_no_nat)
{
	init(NULL, 0);
	start();
	run_s(310);
	ck_assert_uint_eq(last_result.at_least_s, 295);
	ck_assert_uint_eq(last_result.at_most_s, 0);
	ck_assert_uint_eq(events, LIFETIME_SOCKETS);
}
END_TEST

/* No datagram that would renew the mapping is sent, and few are sent in all. */
START_TEST(sends_little_and_no_renewal)
{
	uint64_t began_us;
	unsigned all = 0;

	init(&boxes[2], 120);
	began_us = l.lan.now_us;
	start();
	run_s(190);
	ck_assert_uint_eq(ends, 1);
	for (size_t i = 0; i < l.sent_len; i++) {
		const struct punch_sent *s = &l.sent[i];

		if (!s->client)
			continue;
		all++;
		ck_assert(dht_has_socket(l.client.n.d, s->meta.sock) ||
			  s->at_us < began_us + 3000000);
	}
	/* Two of each socket, one for each idle time survived, five for the
	 * other, and the node's regular ones. */
	ck_assert_uint_le(all, 12 + 4 + 5 + 60);
}
END_TEST

/* ---- nodes that are of no help ---- */

/* Returns the first node of the i-th socket, and the socket's address as that
 * node sees it. */
static const struct punch_sent *
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

static struct punch_host *
node_of(unsigned i)
{
	for (unsigned k = 0; k < LAB_RELAYS; k++) {
		struct addr a = punch_lab_relay(k);

		if (addr_equal(&a, &first_of(i)->meta.to))
			return &l.relays[k];
	}
	ck_abort_msg("it has turned to a stranger");
	return NULL;
}

/* A failed node is not taken for an expired mapping. */
START_TEST(failed_node_gives_no_result)
{
	init(&boxes[1], 120);
	start();
	run_s(6);
	node_of(1)->n.host.deaf = true;
	run_s(190);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(last_result.at_least_s, 115);
	ck_assert_uint_eq(last_result.at_most_s, 175);
}
END_TEST

START_TEST(unknown_if_all_nodes_fail)
{
	init(&boxes[1], 120);
	start();
	run_s(6);
	l.client.n.host.deaf = true;
	run_s(310);
	ck_assert_uint_eq(ends, 1);
	ck_assert(!last_result.known);
}
END_TEST

/* Half of the nodes do not reply to PING_NAT. */
static bool
lose_ping_nat(
    const struct punch_lab *lab, const struct punch_sent *s, const uint8_t *buf)
{
	struct rpc_request m;

	(void)lab;
	return s->client && s->meta.to.ip[2] <= 6 &&
	       rpc_kind(buf[0]) == RPC_REQUEST &&
	       rpc_request_decode(&m, buf, s->len) == 0 && m.internal &&
	       m.command == RPC_PING_NAT;
}

START_TEST(refusing_nodes_are_replaced)
{
	init(&boxes[3], 30);
	l.lose = lose_ping_nat;
	start();
	run_s(90);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_eq(last_result.at_least_s, 25);
	ck_assert_uint_eq(last_result.at_most_s, 55);
}
END_TEST

/* A lying node keeps its mapping alive by sending: one idle time seems
 * harmless, but the keep-alive interval is still short enough. */
START_TEST(one_lying_node_does_no_harm)
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
	mapping_learn(&m, last_result.at_least_s, last_result.at_most_s, 1);
	ck_assert_uint_lt(m.keep_s, lifetime_s);
}
END_TEST

START_TEST(losses_do_not_matter)
{
	init(&boxes[2], 60);
	l.lan.net.faults.loss_ppm = 100000;
	start();
	run_s(140);
	ck_assert_uint_eq(ends, 1);
	ck_assert_uint_ge(last_result.at_least_s, 25);
	ck_assert_uint_le(last_result.at_least_s, 55);
}
END_TEST

START_TEST(can_be_cancelled)
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

START_TEST(requires_sockets)
{
	int err = 0;

	init(&boxes[1], 30);
	l.client.n.host.world.socks_max = l.client.n.host.world.socks_open + 3;
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

START_TEST(is_measured_while_needed)
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
	l.client.n.host.nat->config.timeout_s = 120;
	run_s(1200);
	ck_assert_uint_eq(mapping()->keep_s, 46);
	/* The schedule continues when it is not needed for a moment. */
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

/* A waiter can start a measurement that is disabled in the background. */
START_TEST(can_be_disabled)
{
	struct lifetime_waiter w = {.sink = sink};
	struct limits off;

	init(&boxes[1], 30);
	off = l.client.n.host.limits;
	off.lifetime_minutes = 0;
	l.client.n.host.limits = off;
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

START_TEST(another_network_invalidates_it)
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
	/* The same during a measurement. */
	ck_assert_uint_ge(
	    HASH_COUNT(l.client.punch->sockets.entries), LIFETIME_SOCKETS);
	punch_wake(l.client.punch);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	run_s(200);
	ck_assert_uint_eq(mapping()->keep_s, 10);
}
END_TEST

START_TEST(waiters_join_a_measurement)
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
	/* The last waiter that leaves cancels it. */
	ck_assert_int_eq(punch_measure_lifetime(l.client.punch, &w[0]), 0);
	run_s(5);
	ck_assert_uint_eq(
	    HASH_COUNT(l.client.punch->sockets.entries), LIFETIME_SOCKETS);
	punch_stop_measuring(l.client.punch, &w[0]);
	ck_assert_uint_eq(HASH_COUNT(l.client.punch->sockets.entries), 0);
	/* After a sleep, all waiters are notified of an unknown lifetime. */
	ck_assert_int_eq(punch_measure_lifetime(l.client.punch, &w[0]), 0);
	punch_wake(l.client.punch);
	ck_assert_uint_eq(ends, 3);
	ck_assert(!last_result.known);
}
END_TEST

/* ---- what follows from it ---- */

#define SECOND UINT64_C(1000000)

START_TEST(wrong_result_is_corrected)
{
	struct mapping m = {0};

	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 3 * SECOND);
	mapping_learn(&m, 115, 175, SECOND);
	ck_assert(mapping_repaced(&m));
	ck_assert(!mapping_repaced(&m));
	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 25 * SECOND);
	ck_assert_uint_eq(mapping_keep_us(&m, 20, 120), 46 * SECOND);
	/* Three connections report one change. */
	for (uint64_t s = 100; s < 125; s += 10)
		mapping_changed(&m, true, s * SECOND);
	ck_assert_uint_eq(m.changes, 1);
	ck_assert_uint_eq(m.keep_s, 23);
	ck_assert(mapping_repaced(&m));
	/* Another host means another network, not a short lifetime. */
	mapping_changed(&m, false, 200 * SECOND);
	ck_assert_uint_eq(m.changes, 2);
	ck_assert_uint_eq(m.keep_s, 23);
	mapping_changed(&m, true, 300 * SECOND);
	ck_assert(!m.known);
	ck_assert_uint_eq(mapping_keep_us(&m, 3, 25), 3 * SECOND);
	/* The interval is not halved below the lowest of a measurement. */
	mapping_learn(&m, 10, 25, 400 * SECOND);
	mapping_changed(&m, true, 500 * SECOND);
	ck_assert_uint_eq(m.keep_s, MAPPING_KEEP_MIN_S);
}
END_TEST

/* The loss of a mapping despite keep-alives starts a measurement. */
START_TEST(doubt_starts_a_measurement)
{
	init(&boxes[1], 120);
	punch_keep_ready(l.client.punch, true);
	run_s(300);
	ck_assert_uint_eq(mapping()->keep_s, 46);
	l.client.n.host.nat->config.timeout_s = 30;
	mapping_changed(mapping(), true, l.lan.now_us);
	ck_assert_uint_eq(mapping()->keep_s, 23);
	punch_keepalive_changed(l.client.punch);
	run_s(300);
	punch_keepalive_changed(l.client.punch); /* does not delay it */
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
	tcase_add_test(tc, sends_little_and_no_renewal);
	tcase_add_test(tc, failed_node_gives_no_result);
	tcase_add_test(tc, unknown_if_all_nodes_fail);
	tcase_add_test(tc, refusing_nodes_are_replaced);
	tcase_add_loop_test(
	    tc, one_lying_node_does_no_harm, 0, LIFETIME_SOCKETS * 5);
	tcase_add_test(tc, losses_do_not_matter);
	tcase_add_test(tc, can_be_cancelled);
	tcase_add_test(tc, requires_sockets);
	tcase_add_test(tc, is_measured_while_needed);
	tcase_add_test(tc, can_be_disabled);
	tcase_add_test(tc, another_network_invalidates_it);
	tcase_add_test(tc, waiters_join_a_measurement);
	tcase_add_test(tc, doubt_starts_a_measurement);
	tc = tcase_create("mapping");
	tcase_add_test(tc, wrong_result_is_corrected);
	suite_add_tcase(s, tc);
	return s;
}
