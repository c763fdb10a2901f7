/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that two streams tied together forward the packets of two
 * ends and send none of their own (protocol 05 §13, §14; pitfall U14). Method:
 * three ends, the middle of which relays whole streams; test_udx_vectors
 * compares what it forwards byte by byte.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"
#include "udx/udx_relay.h"

enum { A, B, RELAY };

struct relayed {
	struct lab lab;
	struct lab_stream *a, *b;         /* the ends */
	struct lab_stream *for_a, *for_b; /* the halves */
	uint64_t written, read;
};

static struct udx_path
path_to(int end, int sock, const struct lab_stream *s)
{
	return lab_path(0, end, sock, s);
}

/* Connects the halves to the sources of their packets, as a relay's owner
 * does. */
static void
learn(struct lab_stream *half, const struct lab_stream *peer)
{
	struct udx_source from;
	struct udx_status st;
	struct udx_path path;

	if (half == NULL || !(half->events & UDX_EV_SOURCE))
		return;
	udx_status(half->s, &st);
	if (st.connected || st.closed || !udx_source(half->s, &from))
		return;
	path = (struct udx_path){from.sock, from.from, udx_id(peer->s)};
	ck_assert_int_eq(udx_connect(half->s, &path), 0);
}

static void
pass(struct relayed *t, uint64_t us)
{
	uint64_t until = t->lab.lan.now_us + us;

	do {
		lab_settle(&t->lab);
		if (t->a != NULL)
			learn(t->for_a, t->a);
		if (t->b != NULL)
			learn(t->for_b, t->b);
	} while (lab_step(&t->lab, until));
	t->lab.lan.now_us = until;
	lab_settle(&t->lab);
}

static void
relayed_init(struct relayed *t)
{
	struct udx_path path;

	*t = (struct relayed){0};
	lab_init(&t->lab, 1, 3);
	t->lab.link.delay_us = 10000;
	t->a = lab_stream_new(&t->lab, A);
	t->b = lab_stream_new(&t->lab, B);
	t->for_a = lab_stream_new(&t->lab, RELAY);
	t->for_b = lab_stream_new(&t->lab, RELAY);
	udx_relay(t->for_a->s, t->for_b->s);
	path = path_to(RELAY, 0, t->for_a);
	ck_assert_int_eq(udx_connect(t->a->s, &path), 0);
	path = path_to(RELAY, 0, t->for_b);
	ck_assert_int_eq(udx_connect(t->b->s, &path), 0);
}

static void
drop(struct lab_stream **s)
{
	if (*s != NULL)
		lab_stream_free(*s);
	*s = NULL;
}

static void
relayed_fini(struct relayed *t)
{
	drop(&t->a);
	drop(&t->b);
	drop(&t->for_a);
	drop(&t->for_b);
	lab_fini(&t->lab);
}

static int
error_of(const struct lab_stream *s)
{
	struct udx_status st;

	udx_status(s->s, &st);
	return st.closed ? st.err : 1;
}

/*
 * Pitfall U14: the first packets arrive first, without waiting for a timeout.
 */
START_TEST(first_byte_passes)
{
	struct relayed t;

	relayed_init(&t);
	(void)lab_write(t.a, 0, 3000);
	pass(&t, 100 * LAB_MS);
	/* B has sent nothing yet, so its address is not known. */
	ck_assert_uint_eq(udx_readable(t.b->s), 0);
	(void)lab_write(t.b, 0, 100);
	pass(&t, 40 * LAB_MS);
	ck_assert_uint_eq(lab_read(t.b, 0, SIZE_MAX), 3000);
	ck_assert_uint_eq(lab_read(t.a, 0, SIZE_MAX), 100);
	relayed_fini(&t);
}
END_TEST

/* Only a few packets are kept for a partner that is not connected. */
START_TEST(keeps_a_few)
{
	struct relayed t;

	relayed_init(&t);
	(void)lab_write(t.a, 0, 100000);
	pass(&t, 12 * LAB_S);
	ck_assert_uint_eq(
	    t.for_a->s->relay->early_len, UDX_RELAY_EARLY_PACKETS_MAX);
	ck_assert_uint_eq(t.lab.end[RELAY].sent, 0);
	relayed_fini(&t);
}
END_TEST

START_TEST(carries_both_ways)
{
	struct relayed t;
	uint64_t to_b = 0, to_a = 0, out_a = 0, out_b = 0;

	relayed_init(&t);
	t.lab.link.loss_ppm = 10000;
	for (int i = 0; i < 2000 && (to_b < 1000000 || to_a < 1000000); i++) {
		out_a += lab_write(t.a, out_a, (size_t)(1000000 - out_a));
		out_b += lab_write(t.b, out_b, (size_t)(1000000 - out_b));
		pass(&t, 10 * LAB_MS);
		to_b += lab_read(t.b, to_b, SIZE_MAX);
		to_a += lab_read(t.a, to_a, SIZE_MAX);
	}
	ck_assert_uint_eq(to_b, 1000000);
	ck_assert_uint_eq(to_a, 1000000);
	udx_end(t.a->s);
	udx_end(t.b->s);
	pass(&t, 20 * LAB_S);
	ck_assert_int_eq(error_of(t.a), 0);
	ck_assert_int_eq(error_of(t.b), 0);
	/* It has sent no packet of its own. */
	ck_assert_uint_eq(
	    t.lab.end[RELAY].host.stats.packets_relayed, t.lab.end[RELAY].sent);
	relayed_fini(&t);
}
END_TEST

/* A DESTROY of either end closes all four streams. */
START_TEST(destroy_passes)
{
	struct relayed t;

	relayed_init(&t);
	(void)lab_write(t.a, 0, 100);
	(void)lab_write(t.b, 0, 100);
	pass(&t, LAB_S);
	drop(_i == 0 ? &t.a : &t.b);
	pass(&t, LAB_S);
	ck_assert_int_eq(error_of(_i == 0 ? t.b : t.a), ERR_RESET);
	ck_assert_int_eq(error_of(t.for_a), ERR_RESET);
	ck_assert_int_eq(error_of(t.for_b), ERR_RESET);
	relayed_fini(&t);
}
END_TEST

/* If the relay closes one half, both peers get a DESTROY with numbers that they
 * accept. */
START_TEST(closing_is_told)
{
	struct relayed t;

	relayed_init(&t);
	(void)lab_write(t.a, 0, 50000);
	(void)lab_write(t.b, 0, 10000);
	pass(&t, 47 * LAB_MS); /* in the middle of it */
	drop(_i == 0 ? &t.for_a : &t.for_b);
	pass(&t, 30 * LAB_MS);
	ck_assert_int_eq(error_of(t.a), ERR_RESET);
	ck_assert_int_eq(error_of(t.b), ERR_RESET);
	ck_assert_int_eq(error_of(_i == 0 ? t.for_b : t.for_a), ERR_RESET);
	relayed_fini(&t);
}
END_TEST

/* Packets from another source are forwarded (the peer may have migrated), but a
 * DESTROY from there is not. */
START_TEST(strangers_do_not_end_it)
{
	struct relayed t;
	struct addr other = lab_addr(A, 3);
	uint8_t buf[PACKET_HEADER];
	struct packet p = {.type = PACKET_DESTROY};

	relayed_init(&t);
	(void)lab_write(t.a, 0, 100);
	(void)lab_write(t.b, 0, 100);
	pass(&t, LAB_S);
	p.id = udx_id(t.for_a->s);
	p.seq = t.a->s->loss.in_flight.nxt;
	packet_encode(buf, &p);
	ck_assert_int_eq(
	    lab_inject(&t.lab, RELAY, 0, &other, buf, sizeof buf), ERR_SPOOFED);
	pass(&t, LAB_S);
	ck_assert_int_eq(error_of(t.b), 1);
	ck_assert_int_eq(error_of(t.for_a), 1);
	p.type = PACKET_HEARTBEAT;
	packet_encode(buf, &p);
	ck_assert_int_eq(
	    lab_inject(&t.lab, RELAY, 0, &other, buf, sizeof buf), 0);
	relayed_fini(&t);
}
END_TEST

/* Migrates from the relay to a direct path in the middle of a transfer. */
START_TEST(moves_to_a_direct_path)
{
	struct relayed t;
	struct udx_path direct;
	struct addr relay = lab_addr(RELAY, 0);

	relayed_init(&t);
	for (int i = 0; t.read < 2000000 && i < 3000; i++) {
		t.written +=
		    lab_write(t.a, t.written, (size_t)(2000000 - t.written));
		if (i < 20) /* so that the relay knows it */
			(void)lab_write(t.b, 0, 1);
		if (i == 30) {
			udx_allow_source(t.a->s, &relay);
			udx_allow_source(t.b->s, &relay);
			direct = path_to(B, 0, t.b);
			ck_assert_int_eq(udx_migrate(t.a->s, &direct), 0);
			direct = path_to(A, 0, t.a);
			ck_assert_int_eq(udx_migrate(t.b->s, &direct), 0);
		}
		pass(&t, 5 * LAB_MS);
		t.read += lab_read(t.b, t.read, SIZE_MAX);
	}
	ck_assert_uint_eq(t.read, 2000000);
	ck_assert(t.a->events & UDX_EV_MIGRATED);
	ck_assert_uint_eq(t.a->s->loss.timeouts, 0);
	relayed_fini(&t);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_relay", &tc);

	tcase_add_test(tc, first_byte_passes);
	tcase_add_test(tc, keeps_a_few);
	tcase_add_test(tc, carries_both_ways);
	tcase_add_loop_test(tc, destroy_passes, 0, 2);
	tcase_add_loop_test(tc, closing_is_told, 0, 2);
	tcase_add_test(tc, strangers_do_not_end_it);
	tcase_add_test(tc, moves_to_a_direct_path);
	return s;
}
