/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that both sides are notified soon of how a stream ended, and
 * that no memory stays allocated (protocol 05 §12, §14; pitfalls U7, U11).
 * Method: two ends in virtual time; each way to end, with the loss of each
 * packet that matters.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

static const struct lab_link near = {.delay_us = 10000};

static int
error_of(const struct lab_stream *s)
{
	struct udx_status st;

	udx_status(s->s, &st);
	ck_assert(st.closed);
	return st.err;
}

/* Drops packets of one type from one end, a few times. */
struct loser {
	int end, times;
	uint8_t type;
};

static bool
lose(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct loser *l = arg;
	struct addr from = lab_addr(l->end, 0);
	struct packet packet;

	(void)lab;
	ck_assert_int_eq(packet_decode(&packet, p->buf, p->len), 0);
	if (l->times == 0 || packet.type != l->type ||
	    !addr_equal(&p->from, &from))
		return true;
	l->times--;
	return false;
}

/* ---- both sides end ---- */

static const struct {
	const char *name;
	int first;         /* the end that calls udx_end() first */
	uint32_t later_ms; /* until the other calls it */
	struct loser lost;
	uint32_t within_ms; /* after which both are closed */
} ends[] = {
    {"a, then b", 0, 100, {0}, 50},
    {"b, then a", 1, 100, {0}, 50},
    {"both at once", 0, 0, {0}, 50},
    {"a, and b much later", 0, 60000, {0}, 50},
    {"the first END is lost", 0, 100, {0, 1, PACKET_END}, 1200},
    {"the second END is lost", 0, 100, {1, 1, PACKET_END}, 1200},
    {"its acknowledgement is lost", 0, 100, {0, 2, PACKET_ACK}, 3200},
    {"at once, an ACK is lost", 0, 0, {0, 1, PACKET_ACK}, 3200},
};

/* Pitfall U7: neither side waits for 13 s, and neither gets an error. */
START_TEST(ends_well)
{
	struct lab_pair p;
	struct loser l = ends[_i].lost;
	struct lab_stream *first;

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 3000, LAB_S));
	lab_run(&p.lab, LAB_S);
	p.lab.filter = lose;
	p.lab.filter_arg = &l;
	first = ends[_i].first == 0 ? p.a : p.b;
	udx_end(first->s);
	ck_assert_uint_eq(udx_space(first->s), 0);
	lab_run(&p.lab, ends[_i].later_ms * LAB_MS);
	ck_assert(!(first->events & UDX_EV_CLOSED));
	udx_end(first == p.a ? p.b->s : p.a->s);
	lab_run(&p.lab, ends[_i].within_ms * LAB_MS);
	ck_assert_int_eq(l.times, 0);
	ck_assert_int_eq(error_of(p.a), 0);
	ck_assert_int_eq(error_of(p.b), 0);
	ck_assert(udx_ended(p.a->s) && udx_ended(p.b->s));
	/* The ids are forgotten after a while. */
	lab_run(&p.lab, 20 * LAB_S);
	ck_assert_uint_eq(
	    timers_deadline(&p.lab.end[0].host.timers), WORLD_NEVER);
	ck_assert_uint_eq(
	    timers_deadline(&p.lab.end[1].host.timers), WORLD_NEVER);
	lab_pair_fini(&p);
}
END_TEST

/* After one side has ended the other may send for as long as it likes. */
START_TEST(half_close)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	udx_end(p.b->s);
	lab_run(&p.lab, LAB_S);
	ck_assert(udx_ended(p.a->s));
	ck_assert(lab_pair_carry(&p, 1000000, 60 * LAB_S));
	ck_assert(!udx_ended(p.b->s));
	udx_end(p.a->s);
	lab_run(&p.lab, LAB_S);
	ck_assert_int_eq(error_of(p.a), 0);
	ck_assert_int_eq(error_of(p.b), 0);
	lab_pair_fini(&p);
}
END_TEST

/* END is delivered after the data that a slow reader has not read yet. */
START_TEST(end_comes_last)
{
	struct lab_pair p;
	uint64_t total = 1000000;

	lab_pair_init(&p, 1, &near);
	p.a->s->cc.window = 4000000;
	p.written = lab_write(p.a, 0, total);
	udx_end(p.a->s);
	lab_run(&p.lab, 10 * LAB_S);
	ck_assert(!udx_ended(p.b->s));
	/* Data received before the stream closed can still be read. */
	udx_end(p.b->s);
	for (int i = 0; i < 1000 && !udx_ended(p.b->s); i++) {
		p.read += lab_read(p.b, p.read, 10000);
		lab_run(&p.lab, 20 * LAB_MS);
	}
	ck_assert_uint_eq(p.read, p.written);
	lab_run(&p.lab, LAB_S);
	ck_assert_int_eq(error_of(p.a), 0);
	ck_assert_int_eq(error_of(p.b), 0);
	lab_pair_fini(&p);
}
END_TEST

/* ---- destroyed ---- */

static const struct {
	const char *name;
	struct loser lost;
	uint32_t within_ms;
} resets[] = {
    {"at rest", {0}, 11},
    {"the first copy is lost", {0, 1, PACKET_DESTROY}, 311},
    {"two copies are lost", {0, 2, PACKET_DESTROY}, 1011},
};

START_TEST(is_destroyed)
{
	struct lab_pair p;
	struct loser l = resets[_i].lost;

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 3000, LAB_S));
	lab_run(&p.lab, LAB_S);
	p.lab.filter = lose;
	p.lab.filter_arg = &l;
	lab_stream_free(p.a);
	p.a = NULL;
	lab_run(&p.lab, resets[_i].within_ms * LAB_MS);
	ck_assert_int_eq(error_of(p.b), ERR_RESET);
	ck_assert(p.b->events & UDX_EV_CLOSED);
	ck_assert_uint_eq(p.lab.end[1].host.stats.streams_reset, 1);
	lab_pair_fini(&p);
}
END_TEST

/* If all copies of DESTROY are lost, later packets of the peer are answered by
 * another one, up to a limit. */
START_TEST(late_packets_are_answered)
{
	struct lab_pair p;
	struct loser l = {0, 3, PACKET_DESTROY};
	struct addr peer = lab_addr(1, 0), other = lab_addr(2, 0);
	uint8_t buf[PACKET_HEADER];
	struct packet packet = {.type = PACKET_HEARTBEAT};
	uint64_t sent;

	lab_pair_init(&p, 1, &near);
	packet.id = udx_id(p.a->s);
	packet_encode(buf, &packet);
	p.lab.filter = lose;
	p.lab.filter_arg = &l;
	lab_stream_free(p.a);
	p.a = NULL;
	lab_run(&p.lab, 2 * LAB_S);
	ck_assert_int_eq(l.times, 0);
	ck_assert(!stream_is_closed(p.b->s));
	/* Unknown sources get none: that would allow reflection. */
	sent = p.lab.end[0].sent;
	ck_assert_int_eq(
	    lab_inject(&p.lab, 0, 0, &other, buf, sizeof buf), ERR_SPOOFED);
	ck_assert_uint_eq(p.lab.end[0].sent, sent);
	(void)lab_write(p.b, 0, 100);
	lab_run(&p.lab, 30 * LAB_MS);
	ck_assert_int_eq(error_of(p.b), ERR_RESET);
	for (int i = 0; i < 100; i++)
		(void)lab_inject(&p.lab, 0, 0, &peer, buf, sizeof buf);
	ck_assert_uint_le(p.lab.end[0].sent - sent, 16);
	/* The id is forgotten after a while. */
	lab_run(&p.lab, 15 * LAB_S);
	ck_assert_int_eq(
	    lab_inject(&p.lab, 0, 0, &peer, buf, sizeof buf), UDX_NOT_MINE);
	lab_pair_fini(&p);
}
END_TEST

/* A stream that times out sends DESTROY, so that the other end need not wait
 * as long. */
START_TEST(timeout_is_told)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	p.lab.link.loss_ppm = 1000000;
	(void)lab_write(p.a, 0, 100);
	lab_run(&p.lab, 12 * LAB_S);
	p.lab.link.loss_ppm = 0;
	p.lab.end[0].full = true;
	lab_run(&p.lab, 1200 * LAB_MS);
	ck_assert_int_eq(error_of(p.a), ERR_TIMEOUT);
	lab_drain(&p.lab, 0);
	lab_run(&p.lab, LAB_S); /* the second copy */
	ck_assert_int_eq(error_of(p.b), ERR_RESET);
	lab_pair_fini(&p);
}
END_TEST

START_TEST(socket_is_closed)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	udx_socket_closed(p.lab.end[0].udx, 1);
	ck_assert(!stream_is_closed(p.a->s));
	udx_socket_closed(p.lab.end[0].udx, 0);
	lab_run(&p.lab, 20 * LAB_MS);
	ck_assert_int_eq(error_of(p.a), ERR_SOCKET);
	ck_assert_int_eq(error_of(p.b), ERR_RESET);
	/* Nothing is sent through it any more. */
	p.lab.end[0].sent = 0;
	lab_run(&p.lab, 10 * LAB_S);
	ck_assert_uint_eq(p.lab.end[0].sent, 0);
	lab_pair_fini(&p);
}
END_TEST

/* udx_free() closes all streams and sends DESTROY to their peers. */
START_TEST(room_is_freed)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	(void)lab_write(p.a, 0, 100000);
	lab_run(&p.lab, 30 * LAB_MS);
	udx_free(p.lab.end[0].udx);
	p.lab.end[0].udx = NULL;
	free(p.a);
	p.a = NULL;
	lab_run(&p.lab, 20 * LAB_MS);
	ck_assert_int_eq(error_of(p.b), ERR_RESET);
	lab_pair_fini(&p);
}
END_TEST

/* ---- freed in response to an event ---- */

/* Pitfall U11: the owner may free the stream in response to any event. */
START_TEST(freed_at_every_event)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 10000, .loss_ppm = 50000};
	const unsigned event = 1U << _i;

	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct addr other = lab_addr(0, 1);
		struct udx_path move;
		uint64_t until;

		lab_pair_init(&p, seed, &link);
		udx_allow_source(p.b->s, &other);
		until = p.lab.lan.now_us + 20 * LAB_S;
		move = lab_path(1, 1, 0, p.b);
		for (int i = 0; p.a != NULL && p.b != NULL; i++) {
			(void)lab_write(p.a, 0, SIZE_MAX);
			if (i < 50) /* many, as some of them are lost */
				(void)udx_send_message(p.a->s, "m", 1);
			if (i == 5)
				(void)udx_migrate(p.a->s, &move);
			if (i == 50) {
				udx_end(p.a->s);
				udx_end(p.b->s);
			}
			lab_settle(&p.lab);
			udx_consume(p.b->s, udx_readable(p.b->s));
			if (!lab_step(&p.lab, until))
				break;
			if (p.b->events & event) {
				lab_stream_free(p.b);
				p.b = NULL;
			} else if (p.a->events & event) {
				lab_stream_free(p.a);
				p.a = NULL;
			}
		}
		lab_run(&p.lab, 10 * LAB_S);
		ck_assert_msg(p.a == NULL || p.b == NULL,
		    "event %u was never told", event);
		lab_pair_fini(&p);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_close", &tc);

	tcase_add_loop_test(tc, ends_well, 0, T_ROWS(ends));
	tcase_add_test(tc, half_close);
	tcase_add_test(tc, end_comes_last);
	tcase_add_loop_test(tc, is_destroyed, 0, T_ROWS(resets));
	tcase_add_test(tc, late_packets_are_answered);
	tcase_add_test(tc, timeout_is_told);
	tcase_add_test(tc, socket_is_closed);
	tcase_add_test(tc, room_is_freed);
	tcase_add_loop_test(tc, freed_at_every_event, 0, 7);
	return s;
}
