/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that packets from unknown sources are dropped, and that a
 * stream migrates without losing a byte (protocol 05 §9; pitfalls U1, U6, U9,
 * D8). Method: two ends; each test decides which packets the network delivers;
 * forged packets have the right id and plausible numbers, only their source is
 * wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

static const struct lab_link near = {.delay_us = 10000};

/* ---- forged packets ---- */

/* Injects a packet of the peer with another source address. */
static int
forge(struct lab_pair *p, const struct addr *from, uint8_t type, uint32_t ack,
    uint32_t rwnd, const char *payload)
{
	uint8_t buf[PACKET_HEADER + 64];
	struct packet packet = {
	    .type = type,
	    .id = udx_id(p->b->s),
	    .rwnd = rwnd,
	    .seq = p->b->s->receive.next_seq,
	    .ack = ack,
	};

	packet_encode(buf, &packet);
	memcpy(buf + PACKET_HEADER, payload, strlen(payload));
	return lab_inject(
	    &p->lab, 1, 0, from, buf, PACKET_HEADER + strlen(payload));
}

static const struct {
	const char *name;
	uint8_t type;
	int32_t ack; /* beyond what was acknowledged */
	uint32_t rwnd;
	const char *payload;
} forgeries[] = {
    {"a reset", PACKET_DESTROY, 0, 1000000, ""},
    {"data", PACKET_DATA, 0, 1000000, "evil"},
    {"the end", PACKET_END, 0, 1000000, ""},
    {"data and the end", PACKET_DATA | PACKET_END, 0, 1000000, "evil"},
    {"an acknowledgement", PACKET_ACK, 3, 1000000, ""},
    {"a closed window", PACKET_ACK, 0, 0, ""},
    {"a range", PACKET_SACK, 0, 1000000, "\x01\0\0\0\x02\0\0\0"},
    {"a heartbeat", PACKET_HEARTBEAT, 0, 0, ""},
};

static const struct {
	const char *name;
	int end, sock;
	uint16_t port;
} strangers[] = {
    {"another port of the peer's host", 0, 0, 4711},
    {"another host", 2, 0, 1000},
    {"another host and port", 2, 1, 666},
};

/*
 * Pitfall U1: a packet with the right id from another source changes nothing.
 */
START_TEST(off_path_is_not_heard)
{
	struct lab_pair p;
	struct addr from = lab_addr(strangers[_i % T_ROWS(strangers)].end,
	    strangers[_i % T_ROWS(strangers)].sock);
	size_t f = (size_t)_i / T_ROWS(strangers);
	struct udx_source source;
	struct udx_stream before;

	from.port = strangers[_i % T_ROWS(strangers)].port;
	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 1000, LAB_S));
	(void)lab_write(p.b, 0, 5000); /* five packets out */
	lab_settle(&p.lab);
	before = *p.b->s;
	ck_assert_int_eq(
	    forge(&p, &from, forgeries[f].type,
		before.loss.in_flight.una + (uint32_t)forgeries[f].ack,
		forgeries[f].rwnd, forgeries[f].payload),
	    ERR_SPOOFED);
	ck_assert(!stream_is_closed(p.b->s) &&
		  !(p.b->s->receive.state == RECEIVE_ENDED));
	ck_assert(!p.b->s->receive.ack_due);
	ck_assert_uint_eq(p.b->s->receive.next_seq, before.receive.next_seq);
	ck_assert_uint_eq(
	    p.b->s->loss.in_flight.una, before.loss.in_flight.una);
	ck_assert_uint_eq(p.b->s->loss.in_flight.sacked, 0);
	ck_assert_uint_eq(p.b->s->send.peer_window, before.send.peer_window);
	ck_assert_uint_eq(udx_readable(p.b->s), 0);
	/* It is reported: it might be the peer on a new path. */
	lab_settle(&p.lab);
	ck_assert(p.b->events & UDX_EV_SOURCE);
	ck_assert(udx_source(p.b->s, &source));
	ck_assert(addr_equal(&source.from, &from));
	ck_assert(!source.accepted);
	/* The transfer continues. */
	ck_assert(lab_pair_carry(&p, 100000, 10 * LAB_S));
	lab_run(&p.lab, LAB_S);
	ck_assert_uint_eq(lab_read(p.a, 0, SIZE_MAX), 5000);
	lab_pair_fini(&p);
}
END_TEST

START_TEST(off_path_messages_are_not_proven)
{
	struct lab_pair p;
	struct addr from = lab_addr(2, 0), good = lab_addr(0, 0);
	struct udx_message m;

	lab_pair_init(&p, 1, &near);
	ck_assert_int_eq(
	    forge(&p, &from, PACKET_MESSAGE, 0, 0, "who"), ERR_SPOOFED);
	ck_assert_int_eq(forge(&p, &good, PACKET_MESSAGE, 0, 1000, "me"), 0);
	ck_assert(udx_next_message(p.b->s, &m));
	ck_assert(!m.validated);
	ck_assert(addr_equal(&m.from, &from));
	ck_assert_uint_eq(m.payload.len, 3);
	ck_assert(udx_next_message(p.b->s, &m));
	ck_assert(m.validated);
	ck_assert(!udx_next_message(p.b->s, &m));
	/* A flood of them leaves space for messages of the peer. */
	for (int i = 0; i < 1000; i++)
		(void)forge(&p, &from, PACKET_MESSAGE, 0, 0, "who");
	ck_assert_int_eq(forge(&p, &good, PACKET_MESSAGE, 0, 1000, "me"), 0);
	m.validated = false;
	while (!m.validated)
		ck_assert(udx_next_message(p.b->s, &m));
	lab_pair_fini(&p);
}
END_TEST

START_TEST(allowed_sources_are_heard)
{
	struct lab_pair p;
	struct addr from = lab_addr(2, 0), more;
	struct udx_source source;

	lab_pair_init(&p, 1, &near);
	udx_allow_source(p.b->s, &from);
	ck_assert_int_eq(forge(&p, &from, PACKET_DATA, 0, 1000, "x"), 0);
	ck_assert_uint_eq(udx_readable(p.b->s), 1);
	ck_assert(udx_source(p.b->s, &source));
	ck_assert(source.accepted);
	/* The oldest is dropped. */
	for (uint16_t i = 0; i < UDX_SOURCES_MAX; i++) {
		more = addr_v4(9, 9, 9, 9, (uint16_t)(i + 1));
		udx_allow_source(p.b->s, &more);
		udx_allow_source(p.b->s, &more);
	}
	ck_assert_int_eq(
	    forge(&p, &from, PACKET_DATA, 0, 1000, "x"), ERR_SPOOFED);
	more = addr_v4(9, 9, 9, 9, 1);
	ck_assert_int_eq(forge(&p, &more, PACKET_DATA, 0, 1000, "x"), 0);
	lab_pair_fini(&p);
}
END_TEST

START_TEST(allowed_hosts_may_use_any_port)
{
	struct lab_pair p;
	struct addr named = addr_v4(9, 9, 9, 9, 0);
	struct addr from = addr_v4(9, 9, 9, 9, 4711);
	struct addr other = addr_v4(9, 9, 9, 8, 4711);

	lab_pair_init(&p, 1, &near);
	udx_allow_host(p.b->s, &named);
	ck_assert_int_eq(
	    forge(&p, &other, PACKET_DATA, 0, 1000, "x"), ERR_SPOOFED);
	ck_assert_uint_eq(udx_readable(p.b->s), 0);
	ck_assert_int_eq(forge(&p, &from, PACKET_DATA, 0, 1000, "x"), 0);
	ck_assert_uint_eq(udx_readable(p.b->s), 1);
	udx_forget_hosts(p.b->s);
	ck_assert_int_eq(
	    forge(&p, &from, PACKET_DATA, 1, 1000, "y"), ERR_SPOOFED);
	lab_pair_fini(&p);
}
END_TEST

/* The number of a DESTROY must be within reach: guessing the id alone is not
 * enough. */
START_TEST(far_resets_are_ignored)
{
	struct lab_pair p;
	struct addr good = lab_addr(0, 0);
	uint8_t buf[PACKET_HEADER];
	struct packet packet = {.type = PACKET_DESTROY, .seq = 1U << 20};

	lab_pair_init(&p, 1, &near);
	packet.id = udx_id(p.b->s);
	packet_encode(buf, &packet);
	ck_assert_int_eq(lab_inject(&p.lab, 1, 0, &good, buf, sizeof buf), 0);
	ck_assert(!stream_is_closed(p.b->s));
	packet.seq = 100; /* gaps are allowed */
	packet_encode(buf, &packet);
	ck_assert_int_eq(lab_inject(&p.lab, 1, 0, &good, buf, sizeof buf), 0);
	ck_assert(stream_is_closed(p.b->s));
	lab_pair_fini(&p);
}
END_TEST

/* ---- before connect ---- */

/* Pitfall U6: data received before connect is acknowledged at connect. */
START_TEST(acknowledges_at_connect)
{
	struct lab lab;
	struct lab_stream *a, *b;
	struct udx_path to_b, to_a;
	struct udx_source source;

	lab_init(&lab, 1, 2);
	lab.link = near;
	a = lab_stream_new(&lab, 0);
	b = lab_stream_new(&lab, 1);
	to_b = lab_path(0, 1, 0, b);
	ck_assert_int_eq(udx_connect(a->s, &to_b), 0);
	ck_assert_int_eq(udx_connect(a->s, &to_b), ERR_EXISTS);
	(void)lab_write(a, 0, 3000);
	lab_run(&lab, 100 * LAB_MS);
	ck_assert(b->events & UDX_EV_SOURCE);
	ck_assert_uint_eq(lab.end[1].sent, 0);
	ck_assert(udx_source(b->s, &source));
	to_a = (struct udx_path){source.sock, source.from, udx_id(a->s)};
	to_a.to.port = 0;
	ck_assert_int_eq(udx_connect(b->s, &to_a), ERR_PORT);
	to_a.to.port = source.from.port;
	ck_assert_int_eq(udx_connect(b->s, &to_a), 0);
	lab_run(&lab, 20 * LAB_MS);
	ck_assert(a->events & UDX_EV_DRAINED);
	ck_assert_uint_eq(a->s->loss.resent_packets, 0);
	lab_stream_free(a);
	lab_stream_free(b);
	lab_fini(&lab);
}
END_TEST

START_TEST(knocks)
{
	struct lab lab;
	struct lab_stream *a;
	struct udx_path path = {
	    .sock = 1, .to = lab_addr(1, 2), .id = 0xabcdef01};
	struct lab_packet *got;
	struct packet p;

	lab_init(&lab, 1, 1);
	a = lab_stream_new(&lab, 0);
	udx_probe_path(a->s, &path);
	lab_run(&lab, LAB_S);
	got = lab_got(&lab, 1);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(packet_decode(&p, got->buf, got->len), 0);
	ck_assert_uint_eq(p.type, PACKET_HEARTBEAT);
	ck_assert_uint_eq(p.id, 0xabcdef01);
	path.to = lab_addr(0, 1);
	ck_assert(addr_equal(&got->from, &path.to));
	free(got);
	ck_assert_ptr_null(lab_got(&lab, 1));
	lab_stream_free(a);
	lab_fini(&lab);
}
END_TEST

/* ---- migration ---- */

/* Drops packets on paths with this socket of end 0. */
struct scissors {
	int sock;
	uint64_t lost, passed;
};

static bool
cut_path(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct scissors *c = arg;
	struct addr a = lab_addr(0, c->sock);

	(void)lab;
	if (!addr_equal(&p->from, &a) && !addr_equal(&p->to, &a)) {
		c->passed++;
		return true;
	}
	c->lost++;
	return false;
}

/* Delivers packets on socket 1 only, without our first one. */
static bool
silence_then_one(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct scissors *c = arg;
	struct addr ours = lab_addr(0, 1);

	(void)lab;
	if (!addr_equal(&p->from, &ours) && !addr_equal(&p->to, &ours))
		return false;
	return !addr_equal(&p->from, &ours) || c->passed++ > 0;
}

static void
move_both(struct lab_pair *p, int sock)
{
	struct udx_path to_b = lab_path(sock, 1, sock, p->b);
	struct udx_path to_a = lab_path(sock, 0, sock, p->a);

	ck_assert_int_eq(udx_migrate(p->a->s, &to_b), 0);
	ck_assert_int_eq(udx_migrate(p->b->s, &to_a), 0);
}

/* Only what comes over the new path shows that it works. */
START_TEST(counts_packets_of_the_current_path)
{
	struct lab_pair p;
	struct udx_status st;
	const struct addr old = lab_addr(0, 0), new = lab_addr(1, 1);
	struct udx_path to_a;

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 100000, 10 * LAB_S));
	lab_run(&p.lab, LAB_S);
	udx_status(p.b->s, &st);
	ck_assert_uint_gt(st.path_packets_in, 0);
	/* The other end goes on sending on the old path. */
	to_a = lab_path(1, 0, 1, p.a);
	ck_assert_int_eq(udx_migrate(p.b->s, &to_a), 0);
	udx_allow_source(p.b->s, &old);
	udx_allow_source(p.a->s, &new);
	udx_status(p.b->s, &st);
	ck_assert_uint_eq(st.path_packets_in, 0);
	ck_assert(lab_pair_carry(&p, 200000, 10 * LAB_S));
	udx_status(p.b->s, &st);
	ck_assert_uint_eq(st.path_packets_in, 0);
	lab_pair_fini(&p);
}
END_TEST

/* Pitfall U9: with nothing in flight the migration is complete at once. */
START_TEST(moves_at_rest)
{
	struct lab_pair p;
	struct udx_status st;

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 100000, 10 * LAB_S));
	lab_run(&p.lab, LAB_S);
	move_both(&p, 1);
	lab_settle(&p.lab);
	ck_assert(p.a->events & UDX_EV_MIGRATED);
	ck_assert(p.b->events & UDX_EV_MIGRATED);
	udx_status(p.a->s, &st);
	ck_assert_int_eq(st.path.sock, 1);
	ck_assert_uint_eq(st.mtu, UDX_MTU_BASE);
	ck_assert(lab_pair_carry(&p, 300000, 10 * LAB_S));
	lab_pair_fini(&p);
}
END_TEST

/* The backoff of a path that was dead for long is not kept for the next. */
START_TEST(moves_after_long_silence)
{
	struct lab_pair p;
	struct scissors cut = {0};

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 100000, 10 * LAB_S));
	udx_ignore_timeouts(p.a->s, true);
	p.lab.filter = silence_then_one;
	p.lab.filter_arg = &cut;
	p.written += lab_write(p.a, p.written, 3000);
	lab_run(&p.lab, 25 * LAB_S);
	ck_assert_uint_gt(p.a->s->loss.rtt.backoff, 0);
	move_both(&p, 1);
	lab_run(&p.lab, 300 * LAB_MS);
	p.read += lab_read(p.b, p.read, SIZE_MAX);
	ck_assert_uint_eq(p.read, p.written);
	lab_pair_fini(&p);
}
END_TEST

/*
 * Pitfalls U9, D8: with twenty packets in flight and the old path dead from
 * that moment, they are retransmitted on the new path, with the new id.
 */
START_TEST(moves_in_flight)
{
	struct lab_pair p;
	struct scissors cut = {.sock = 0};

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 100000, 10 * LAB_S));
	p.written += lab_write(p.a, p.written, 20 * 1472);
	lab_settle(&p.lab);
	ck_assert_uint_ge(in_flight_len(&p.a->s->loss.in_flight), 10);
	if (_i == 1) {
		/* They are lost, and so are all later packets on that path. */
		lab_drop_in_flight(&p.lab, 0);
	}
	p.lab.filter = cut_path;
	p.lab.filter_arg = &cut;
	move_both(&p, 1);
	/* Well before a timeout. */
	lab_run(&p.lab, 300 * LAB_MS);
	p.read += lab_read(p.b, p.read, SIZE_MAX);
	ck_assert_uint_eq(p.read, p.written);
	ck_assert_uint_eq(cut.lost, 0);
	ck_assert(p.a->events & UDX_EV_MIGRATED);
	lab_pair_fini(&p);
}
END_TEST

/* Packets that were sent on the old path are still accepted. */
START_TEST(hears_the_old_path_while_moving)
{
	struct lab_pair p;
	struct addr old = lab_addr(0, 0);

	lab_pair_init(&p, 1, &near);
	(void)lab_write(p.b, 0, 5000);
	lab_settle(&p.lab);
	move_both(&p, 1);
	ck_assert_int_eq(forge(&p, &old, PACKET_HEARTBEAT, 0, 1000, ""), 0);
	lab_run(&p.lab, LAB_S);
	ck_assert(p.b->events & UDX_EV_MIGRATED);
	ck_assert_int_eq(
	    forge(&p, &old, PACKET_HEARTBEAT, 0, 1000, ""), ERR_SPOOFED);
	lab_pair_fini(&p);
}
END_TEST

/* One end migrates again and again with much data in flight. */
START_TEST(moves_under_load)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 10000, .loss_ppm = 20000};

	lab_pair_init(&p, (uint64_t)_i + 1, &link);
	for (int i = 0; i < 20; i++) {
		struct udx_path to_b = lab_path(i % 2, 1, i % 3, p.b);

		for (int k = 0; k < LAB_SOCKS; k++) {
			struct addr a = lab_addr(0, k), b = lab_addr(1, k);

			udx_allow_source(p.b->s, &a);
			udx_allow_source(p.a->s, &b);
		}
		(void)udx_migrate(p.a->s, &to_b);
		ck_assert(
		    lab_pair_carry(&p, (uint64_t)(i + 1) * 100000, 60 * LAB_S));
	}
	lab_pair_fini(&p);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_path", &tc);

	tcase_add_loop_test(tc, off_path_is_not_heard, 0,
	    T_ROWS(strangers) * T_ROWS(forgeries));
	tcase_add_test(tc, off_path_messages_are_not_proven);
	tcase_add_test(tc, allowed_sources_are_heard);
	tcase_add_test(tc, allowed_hosts_may_use_any_port);
	tcase_add_test(tc, far_resets_are_ignored);
	tcase_add_test(tc, acknowledges_at_connect);
	tcase_add_test(tc, knocks);
	tcase_add_test(tc, counts_packets_of_the_current_path);
	tcase_add_test(tc, moves_at_rest);
	tcase_add_test(tc, moves_after_long_silence);
	tcase_add_loop_test(tc, moves_in_flight, 0, 2);
	tcase_add_test(tc, hears_the_old_path_while_moving);
	tcase_add_loop_test(tc, moves_under_load, 0, 5);
	return s;
}
