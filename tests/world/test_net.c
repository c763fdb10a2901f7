/* SPDX-License-Identifier: ISC */
/*
 * Goal: the simulated network does what its header promises, or no scenario
 * proves anything. Method: each of the nine kinds of NAT against the table of
 * RFC 4787, its timeouts and ports; events by time, then by order; loss, order,
 * queues and partitions by counting what arrives.
 */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "world/nat.h"
#include "t.h"

#define BOX_IP 0x14000001u

static const struct spot inner = {0xc0a80002, 4000};
static const struct spot a1 = {0x15000001, 1000};
static const struct spot a2 = {0x15000001, 2000};
static const struct spot b1 = {0x16000001, 1000};

/* Whether the outside sees one mapping for both, and which peers it accepts. */
static const struct {
	enum nat_rule mapping, filtering;
	bool same_port, same_host; /* mapping for a2 and for b1 as for a1 */
	bool port_in, host_in;     /* a2 and b1 may send to the one for a1 */
} kinds[] = {
    {NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT, 1, 1, 1, 1},
    {NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS, 1, 1, 1, 0},
    {NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT, 1, 1, 0, 0},
    {NAT_ADDRESS, NAT_ENDPOINT_INDEPENDENT, 1, 0, 1, 1},
    {NAT_ADDRESS, NAT_ADDRESS, 1, 0, 1, 0},
    {NAT_ADDRESS, NAT_ADDRESS_AND_PORT, 1, 0, 0, 0},
    {NAT_ADDRESS_AND_PORT, NAT_ENDPOINT_INDEPENDENT, 0, 0, 1, 1},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS, 0, 0, 1, 0},
    {NAT_ADDRESS_AND_PORT, NAT_ADDRESS_AND_PORT, 0, 0, 0, 0},
};

static struct spot
out(struct nat *n, uint64_t now_us, struct spot to)
{
	struct spot from = inner;

	ck_assert(nat_out(n, now_us, &from, to));
	ck_assert_uint_eq(from.ip, BOX_IP);
	return from;
}

static bool
in(struct nat *n, uint64_t now_us, struct spot from, struct spot to)
{
	bool accepted = nat_in(n, now_us, from, &to);

	ck_assert(!accepted || spot_equal(to, inner));
	return accepted;
}

START_TEST(maps_and_filters)
{
	struct nat_config c = {.mapping = kinds[_i].mapping,
	    .filtering = kinds[_i].filtering,
	    .ports = NAT_SEQUENTIAL,
	    .timeout_s = 60};
	struct nat *n = nat_new(&c, BOX_IP, 1);
	struct spot first = out(n, 0, a1);

	ck_assert(in(n, 1, a1, first));
	ck_assert_int_eq(in(n, 1, a2, first), kinds[_i].port_in);
	ck_assert_int_eq(in(n, 1, b1, first), kinds[_i].host_in);
	ck_assert_int_eq(spot_equal(first, out(n, 2, a2)), kinds[_i].same_port);
	ck_assert_int_eq(spot_equal(first, out(n, 2, b1)), kinds[_i].same_host);
	ck_assert(spot_equal(first, out(n, 3, a1)));
	nat_free(n);
}
END_TEST

START_TEST(expires_mappings)
{
	struct nat_config c = {.timeout_s = 30};
	struct nat *n = nat_new(&c, BOX_IP, 1);
	struct spot first = out(n, 0, a1);

	/* Received datagrams refresh the mapping only if it is configured. */
	ck_assert(in(n, 20000000, a1, first));
	ck_assert(!in(n, 31000000, a1, first));
	n->config.refresh_inbound = true;
	first = out(n, 40000000, a1);
	ck_assert(in(n, 60000000, a1, first));
	ck_assert(in(n, 80000000, a1, first));
	nat_flush(n);
	ck_assert(!in(n, 80000001, a1, first));
	nat_free(n);
}
END_TEST

START_TEST(chooses_ports)
{
	struct nat_config c = {
	    .mapping = NAT_ADDRESS_AND_PORT, .timeout_s = 30};
	struct nat *n = nat_new(&c, BOX_IP, 1);
	struct spot first = out(n, 0, a1), second;

	/* The inner port if it is free, else another. */
	ck_assert_uint_eq(first.port, inner.port);
	ck_assert_uint_ne(out(n, 0, a2).port, inner.port);
	n->config.ports = NAT_SEQUENTIAL;
	first = out(n, 0, b1);
	second = out(n, 0, (struct spot){b1.ip, 7});
	ck_assert_uint_eq(second.port, first.port + 1);
	nat_free(n);
}
END_TEST

START_TEST(orders_events)
{
	struct queue q;
	struct prng r;
	uint64_t at, last_at = 0;
	uint32_t what, last = 0, n = 0;

	queue_init(&q);
	prng_init(&r, 1, PRNG_SCENARIO, 0);
	for (uint32_t i = 0; i < 5000; i++)
		queue_push(&q, prng_below(&r, 50), i);
	ck_assert(!queue_pop(&q, 0, &at, &what) || at == 0);
	while (queue_pop(&q, 100, &at, &what)) {
		ck_assert(
		    at > last_at || (at == last_at && what > last) || n == 0);
		last_at = at;
		last = what;
		n++;
	}
	ck_assert_uint_ge(n, 4999);
	queue_fini(&q);
}
END_TEST

struct wire {
	struct queue q;
	struct net net;
	struct endpoint a, b;
};

static void
wire_init(struct wire *w)
{
	memset(w, 0, sizeof *w);
	queue_init(&w->q);
	net_init(&w->net, &w->q, 0, 1);
	net_bind(&w->net, a1.ip, &w->a);
	net_bind(&w->net, b1.ip, &w->b);
	w->net.faults.flat_us = 1000;
}

static void
wire_fini(struct wire *w)
{
	net_fini(&w->net);
	queue_fini(&w->q);
}

/*
 * Sends n numbered datagrams. Returns how many arrive; sets *late to the number
 * of those that arrive out of order.
 */
static uint32_t
send_numbered(struct wire *w, uint32_t n, uint32_t *late)
{
	uint32_t what, arrived = 0, highest = 0;
	uint64_t at;
	struct net_packet *p;

	*late = 0;
	for (uint32_t i = 0; i < n; i++)
		net_send(&w->net, i * 100, &w->a, a1, b1, &i, sizeof i);
	while (queue_pop(&w->q, UINT64_MAX, &at, &what)) {
		uint32_t number;

		if ((p = net_arrived(&w->net, at, what)) == NULL)
			continue;
		memcpy(&number, p->bytes, sizeof number);
		*late += number < highest;
		highest = number > highest ? number : highest;
		arrived++;
		net_done(&w->net, what);
	}
	return arrived;
}

START_TEST(carries)
{
	struct wire w;
	uint32_t late;

	wire_init(&w);
	ck_assert_uint_eq(send_numbered(&w, 10000, &late), 10000);
	ck_assert_uint_eq(late, 0);
	w.net.faults.loss_ppm = 100000;
	ck_assert_int_le(
	    labs((long)send_numbered(&w, 10000, &late) - 9000), 150);
	w.net.faults.loss_ppm = 0;
	w.net.faults.double_ppm = 100000;
	ck_assert_int_le(
	    labs((long)send_numbered(&w, 10000, &late) - 11000), 150);
	w.net.faults.double_ppm = 0;
	w.net.faults.overtake_ppm = 100000;
	w.net.faults.overtake_us = 10000;
	ck_assert_uint_eq(send_numbered(&w, 10000, &late), 10000);
	ck_assert_uint_ge(late, 500);
	wire_fini(&w);
}
END_TEST

START_TEST(cuts_and_queues)
{
	struct wire w;
	uint32_t late;

	wire_init(&w);
	w.b.group = 1;
	w.net.split = true;
	ck_assert_uint_eq(send_numbered(&w, 100, &late), 0);
	w.net.split = false;
	ck_assert_uint_eq(send_numbered(&w, 100, &late), 100);
	/* 40 kB/s are offered: half passes, once the queue is full. */
	w.b.down = (struct net_line){.bytes_per_s = 20000, .queue_bytes = 400};
	ck_assert_int_le(
	    labs((long)send_numbered(&w, 10000, &late) - 5100), 20);
	net_unbind(&w.net, b1.ip);
	ck_assert_uint_eq(send_numbered(&w, 100, &late), 0);
	ck_assert_ptr_eq(net_owner(&w.net, b1.ip), &w.b);
	wire_fini(&w);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("sim/net", &tc);

	tcase_add_loop_test(tc, maps_and_filters, 0, T_ROWS(kinds));
	tcase_add_test(tc, expires_mappings);
	tcase_add_test(tc, chooses_ports);
	tcase_add_test(tc, orders_events);
	tcase_add_test(tc, carries);
	tcase_add_test(tc, cuts_and_queues);
	return s;
}
