/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that no end holds more than its window, that no wait is
 * endless, and that no stream delays the others (protocol 05 §7, §14; pitfalls
 * U4, U12). Method: two ends in virtual time; readers and sockets that stop;
 * counts the bytes in buffers.
 */
#include <malloc.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

static const struct lab_link near = {.delay_us = 10000};

/* Writes as much as there is space for, until the time has passed. */
static void
push(struct lab_pair *p, uint64_t us)
{
	uint64_t until = p->lab.lan.now_us + us;

	do {
		p->written += lab_write(p->a, p->written, SIZE_MAX);
		lab_settle(&p->lab);
	} while (lab_step(&p->lab, until));
}

/* ---- a reader that stops ---- */

START_TEST(reader_stops)
{
	struct lab_pair p;
	uint64_t sent;

	lab_pair_init(&p, 1, &near);
	push(&p, 20 * LAB_S);
	/* The window is full, exceeded by one packet at most. */
	ck_assert_uint_le(
	    udx_readable(p.b->s), RECEIVE_WINDOW_FIRST + UDX_MTU_MAX);
	ck_assert_uint_ge(
	    udx_readable(p.b->s), RECEIVE_WINDOW_FIRST - 2 * UDX_MTU_MAX);
	ck_assert_uint_eq(p.a->s->send.peer_window, 0);
	ck_assert_uint_eq(in_flight_len(&p.a->s->loss.in_flight), 0);
	ck_assert_uint_eq(udx_space(p.a->s), 0);
	/* Only window probes are sent, for as long as it takes. */
	sent = p.lab.end[0].sent;
	push(&p, 100 * LAB_S);
	ck_assert(!stream_is_closed(p.a->s));
	ck_assert_uint_le(p.lab.end[0].sent - sent, 51);
	ck_assert_uint_ge(p.lab.end[0].sent - sent, 49);
	/* The new window is sent without a probe. */
	p.read += lab_read(p.b, p.read, SIZE_MAX);
	push(&p, 25 * LAB_MS);
	ck_assert_uint_gt(udx_readable(p.b->s), 0);
	ck_assert(lab_pair_carry(&p, p.written, LAB_S));
	lab_pair_fini(&p);
}
END_TEST

/* Drops ACKs without data from end 1. */
static bool
drop_from_b(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct addr b = lab_addr(1, 0);

	(void)lab;
	(void)arg;
	return !addr_equal(&p->from, &b);
}

START_TEST(window_update_is_lost)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	push(&p, 10 * LAB_S);
	p.lab.filter = drop_from_b;
	p.read += lab_read(p.b, p.read, SIZE_MAX);
	lab_run(&p.lab, 500 * LAB_MS);
	p.lab.filter = NULL;
	/* A HEARTBEAT probes within twice the timeout. */
	lab_run(&p.lab, 2 * LAB_S);
	ck_assert_uint_gt(udx_readable(p.b->s), 0);
	lab_pair_fini(&p);
}
END_TEST

/* The reference probes for ever; here an unanswered probe has a limit. */
START_TEST(vanishes_with_a_closed_window)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	push(&p, 10 * LAB_S);
	p.lab.filter = drop_from_b;
	lab_run(&p.lab, 20 * LAB_S);
	ck_assert(stream_is_closed(p.a->s));
	ck_assert_int_eq(p.a->s->err, ERR_TIMEOUT);
	lab_pair_fini(&p);
}
END_TEST

/* The window of a fast reader grows as far as the path needs. */
START_TEST(window_grows)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 25000,
	    .bytes_per_s = 125000000,
	    .queue_bytes = 6250000};

	lab_pair_init(&p, 1, &link);
	ck_assert(lab_pair_carry(&p, 60000000, 3 * LAB_S));
	ck_assert_uint_ge(p.b->s->receive.window, 12500000);
	ck_assert_uint_le(p.b->s->receive.window,
	    p.lab.end[1].host.limits.stream_window_bytes);
	lab_pair_fini(&p);
}
END_TEST

/* Returns how long a stream takes for 60 MB at 1 Gbit/s and 50 ms. */
static uint64_t
time_of_bulk(uint32_t memory_bytes)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 25000,
	    .bytes_per_s = 125000000,
	    .queue_bytes = 6250000};
	uint64_t us;

	lab_pair_init(&p, 1, &link);
	for (int end = 0; end < 2 && memory_bytes > 0; end++)
		p.lab.end[end].host.limits.stream_memory_bytes = memory_bytes;
	us = p.lab.end[0].host.world.w.now_us;
	ck_assert(lab_pair_carry(&p, 60000000, 3 * LAB_S));
	us = p.lab.end[0].host.world.w.now_us - us;
	lab_pair_fini(&p);
	return us;
}

/* The memory of all streams, by default, is more than such a path takes. */
START_TEST(memory_costs_no_speed)
{
	ck_assert_uint_le(time_of_bulk(0), time_of_bulk(1 << 28));
	ck_assert_uint_gt(time_of_bulk(1 << 22), time_of_bulk(1 << 28));
}
END_TEST

/* The window of a slow reader does not grow. */
START_TEST(window_stays)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	for (int i = 0; i < 1000; i++) {
		push(&p, 20 * LAB_MS);
		p.read += lab_read(p.b, p.read, 2000);
	}
	ck_assert_uint_eq(p.b->s->receive.window, RECEIVE_WINDOW_FIRST);
	ck_assert_uint_le(
	    udx_readable(p.b->s), RECEIVE_WINDOW_FIRST + UDX_MTU_MAX);
	lab_pair_fini(&p);
}
END_TEST

/* ---- a peer that exceeds its limits ---- */

static int
data(struct lab_pair *p, uint32_t seq, size_t len)
{
	static uint8_t buf[DGRAM_MAX];
	struct addr from = lab_addr(0, 0);
	struct packet packet = {.type = PACKET_DATA, .seq = seq};

	packet.id = udx_id(p->b->s);
	packet_encode(buf, &packet);
	return lab_inject(&p->lab, 1, 0, &from, buf, PACKET_HEADER + len);
}

/* Pitfall U12: packets too far ahead, or beyond the window, are dropped. */
START_TEST(keeps_to_the_window)
{
	struct lab_pair p;
	const uint64_t *dropped;

	lab_pair_init(&p, 1, &near);
	dropped = &p.lab.end[1].host.stats.drop[-ERR_LIMIT];
	(void)data(&p, 1 << 20, 1000);
	(void)data(&p, RECEIVE_WINDOW_FIRST / 64, 1000);
	ck_assert_uint_eq(reassembly_held(&p.b->s->receive.reassembly), 0);
	ck_assert_uint_eq(*dropped, 2);
	/* Out of order: up to the window. */
	for (uint32_t seq = 1; seq < 10000; seq++)
		(void)data(&p, seq, 1000);
	ck_assert_uint_le(p.b->s->receive.reassembly.cost,
	    RECEIVE_WINDOW_FIRST + RECEIVE_WINDOW_FIRST / 16 + UDX_MTU_MAX);
	/* The missing packet is accepted and releases the rest. */
	(void)data(&p, 0, 1000);
	ck_assert_uint_eq(p.b->s->receive.reassembly.cost, 0);
	ck_assert_uint_gt(udx_readable(p.b->s), RECEIVE_WINDOW_FIRST - 10000);
	/* In order: the same. */
	for (uint32_t seq = 0; seq < 10000; seq++)
		(void)data(&p, seq, 1000);
	ck_assert_uint_le(
	    udx_readable(p.b->s), 2 * RECEIVE_WINDOW_FIRST + 2 * UDX_MTU_MAX);
	lab_pair_fini(&p);
}
END_TEST

/* Packets with little or no payload count with their memory. */
START_TEST(tiny_packets_count)
{
	struct lab_pair p;
	const struct reassembly *early;

	lab_pair_init(&p, 1, &near);
	early = &p.b->s->receive.reassembly;
	for (uint32_t seq = 1; seq < UDX_REASSEMBLY_DISTANCE_PACKETS_MAX; seq++)
		(void)data(&p, seq, (size_t)_i);
	ck_assert_uint_gt(early->ranges_len, 0);
	ck_assert_uint_le(reassembly_held(early), RECEIVE_WINDOW_FIRST * 5 / 4);
	ck_assert_uint_eq(
	    reassembly_held(early), udx_buffered(p.lab.end[1].udx));
	lab_pair_fini(&p);
}
END_TEST

/* Once they are in order, they count with their memory too. */
START_TEST(tiny_payloads_count)
{
	struct lab_pair p;
	struct udx *u;

	lab_pair_init(&p, 1, &near);
	u = p.lab.end[1].udx;
	for (uint32_t seq = 1; seq < 1000; seq++)
		(void)data(&p, seq, 1);
	(void)data(&p, 0, 1);
	ck_assert_uint_eq(udx_readable(p.b->s), 1000);
	ck_assert_uint_ge(udx_buffered(u), 999 * sizeof(struct chunk));
	udx_consume(p.b->s, 1000);
	lab_run(&p.lab, 5 * LAB_S);
	ck_assert_uint_eq(udx_buffered(u), 0);
	lab_pair_fini(&p);
}
END_TEST

/* With every other packet missing the number of ranges is bounded. */
START_TEST(holes_count)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	for (uint32_t seq = 1; seq < 2 * UDX_REASSEMBLY_RANGES_MAX + 100;
	     seq += 2)
		(void)data(&p, seq, 10);
	ck_assert_uint_eq(
	    p.b->s->receive.reassembly.ranges_len, UDX_REASSEMBLY_RANGES_MAX);
	/* Filling the gaps from the end merges the ranges. */
	for (uint32_t seq = 2 * UDX_REASSEMBLY_RANGES_MAX - 2; seq > 0;
	     seq -= 2)
		(void)data(&p, seq, 10);
	ck_assert_uint_eq(p.b->s->receive.reassembly.ranges_len, 1);
	(void)data(&p, 0, 10);
	ck_assert_uint_eq(
	    p.b->s->receive.next_seq, 2 * UDX_REASSEMBLY_RANGES_MAX);
	ck_assert_uint_eq(udx_readable(p.b->s), 20 * UDX_REASSEMBLY_RANGES_MAX);
	lab_pair_fini(&p);
}
END_TEST

/* Delivers only what a test injects. */
static bool
drop_all(struct lab *lab, const struct lab_packet *p, void *arg)
{
	(void)lab;
	(void)p;
	(void)arg;
	return false;
}

/* Acknowledges all that end 1 has sent, except the first packet. */
static int
sack_all(struct lab_pair *p, uint32_t rwnd)
{
	const struct in_flight *f = &p->b->s->loss.in_flight;
	uint8_t buf[PACKET_HEADER + PACKET_RANGE];
	struct addr from = lab_addr(0, 0);
	struct packet packet = {.type = PACKET_SACK,
	    .id = udx_id(p->b->s),
	    .rwnd = rwnd,
	    .seq = p->b->s->receive.next_seq,
	    .ack = f->una};
	struct wr w = wr_init(buf + PACKET_HEADER, PACKET_RANGE);

	packet_encode(buf, &packet);
	wr_le32(&w, f->una);
	wr_le32(&w, f->nxt);
	return lab_inject(&p->lab, 1, 0, &from, buf, sizeof buf);
}

/*
 * If all packets are acknowledged selectively but not cumulatively, there is no
 * packet to probe with, neither for the tail nor when the window opens. Such a
 * peer times out as a silent one does.
 */
START_TEST(acknowledges_out_of_turn_alone)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	p.lab.filter = drop_all;
	p.b->s->cc.window = 1000000;
	(void)lab_write(p.b, 0, (size_t)_i * 1000);
	lab_run(&p.lab, 2);
	ck_assert_uint_gt(in_flight_len(&p.b->s->loss.in_flight), 0);
	ck_assert_int_eq(sack_all(&p, 0), 0);
	ck_assert_uint_eq(p.b->s->loss.in_flight.out.len, 0);
	ck_assert_int_eq(sack_all(&p, 1000000), 0);
	lab_run(&p.lab, 60 * LAB_S);
	ck_assert_uint_eq(p.b->s->loss.resent_packets, 0);
	ck_assert(stream_is_closed(p.b->s));
	ck_assert_int_eq(p.b->s->err, ERR_TIMEOUT);
	lab_pair_fini(&p);
}
END_TEST

/* ---- many streams ---- */

enum { CROWD = 20 };

/* When the buffers of all streams are full, each still gets its share. */
START_TEST(memory_is_shared)
{
	struct lab lab;
	struct lab_stream *a[CROWD], *b[CROWD];
	uint64_t read = 0;

	lab_init(&lab, 1, 2);
	lab.link = near;
	lab.end[1].host.limits.stream_memory_bytes = 1 << 20;
	for (int i = 0; i < CROWD; i++) {
		a[i] = lab_stream_new(&lab, 0);
		b[i] = lab_stream_new(&lab, 1);
		lab_connect(a[i], 0, b[i], 1);
		(void)lab_write(a[i], 0, 200000);
	}
	lab_run(&lab, 10 * LAB_S);
	ck_assert_uint_le(udx_buffered(lab.end[1].udx),
	    (1 << 20) + CROWD * 4 * STREAM_SHARE_BYTES);
	/* The last one is read and gets all that was sent. */
	for (int i = 0; i < 100; i++) {
		read += lab_read(b[CROWD - 1], read, SIZE_MAX);
		lab_run(&lab, LAB_S);
	}
	ck_assert_uint_eq(read, 200000);
	for (int i = 0; i < CROWD; i++) {
		lab_stream_free(a[i]);
		lab_stream_free(b[i]);
	}
	ck_assert_uint_eq(udx_buffered(lab.end[0].udx), 0);
	ck_assert_uint_eq(udx_buffered(lab.end[1].udx), 0);
	lab_fini(&lab);
}
END_TEST

/* A stream with little data does not wait for one with much. */
START_TEST(turns_are_fair)
{
	struct lab lab;
	struct lab_stream *much, *little, *peer[2];

	lab_init(&lab, 1, 2);
	much = lab_stream_new(&lab, 0);
	little = lab_stream_new(&lab, 0);
	peer[0] = lab_stream_new(&lab, 1);
	peer[1] = lab_stream_new(&lab, 1);
	lab_connect(much, 0, peer[0], 1);
	lab_connect(little, 0, peer[1], 1);
	much->s->cc.window = 4000000;
	much->s->send.peer_window = 4000000;
	lab_settle(&lab);
	(void)lab_write(much, 0, SIZE_MAX);
	(void)lab_write(little, 0, 100);
	/* The socket takes three bursts; the third is of the other stream. */
	lab.end[0].takes = 4;
	lab_run(&lab, 2);
	ck_assert(lab.end[0].full);
	ck_assert_uint_gt(little->s->count.packets_out, 0);
	lab_drain(&lab, 0);
	lab_stream_free(much);
	lab_stream_free(little);
	lab_stream_free(peer[0]);
	lab_stream_free(peer[1]);
	lab_fini(&lab);
}
END_TEST

/* A full socket delays its streams and loses nothing. */
START_TEST(socket_is_full)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 1000};

	lab_pair_init(&p, 1, &link);
	for (uint64_t i = 1; i <= 50; i++) {
		p.lab.end[0].takes = 1 + (uint32_t)i % 3;
		p.lab.end[1].takes = 1 + (uint32_t)i % 2;
		p.written += lab_write(p.a, p.written, 20000);
		lab_run(&p.lab, 10 * LAB_MS);
		p.lab.end[0].takes = p.lab.end[1].takes = 0;
		lab_drain(&p.lab, 0);
		lab_drain(&p.lab, 1);
		ck_assert(lab_pair_carry(&p, i * 20000, 10 * LAB_S));
	}
	ck_assert_uint_eq(p.a->s->loss.resent_packets, 0);
	lab_pair_fini(&p);
}
END_TEST

/* ---- idle ---- */

enum { IDLE = 1000, IDLE_BYTES_MAX = 3072 };

START_TEST(costs_little_at_rest)
{
	struct lab lab;
	static struct lab_stream *a[IDLE], *b[IDLE];
	struct mallinfo2 before, after;

	lab_init(&lab, 1, 2);
	before = mallinfo2();
	for (int i = 0; i < IDLE; i++) {
		a[i] = lab_stream_new(&lab, 0);
		b[i] = lab_stream_new(&lab, 1);
		lab_connect(a[i], 0, b[i], 1);
		(void)lab_write(a[i], 0, 5000);
		(void)lab_write(b[i], 0, 5000);
		lab_run(&lab, 2 * LAB_MS);
		ck_assert_uint_eq(lab_read(a[i], 0, SIZE_MAX), 5000);
		ck_assert_uint_eq(lab_read(b[i], 0, SIZE_MAX), 5000);
	}
	lab_run(&lab, 5 * LAB_S);
	/* No timer is armed and no buffer allocated. */
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(
		    timers_deadline(&lab.end[i].host.timers), WORLD_NEVER);
		ck_assert_uint_eq(udx_buffered(lab.end[i].udx), 0);
		ck_assert_uint_eq(udx_streams(lab.end[i].udx), IDLE);
	}
	after = mallinfo2();
	ck_assert_uint_le(
	    (after.uordblks - before.uordblks) / (2 * IDLE), IDLE_BYTES_MAX);
	for (int i = 0; i < IDLE; i++) {
		lab_stream_free(a[i]);
		lab_stream_free(b[i]);
	}
	lab_fini(&lab);
}
END_TEST

START_TEST(streams_are_limited)
{
	struct lab lab;
	struct lab_stream *s[3];
	int err = 0;

	lab_init(&lab, 1, 1);
	lab.end[0].host.limits.streams = 3;
	for (int i = 0; i < 3; i++)
		s[i] = lab_stream_new(&lab, 0);
	ck_assert_ptr_null(udx_stream_new(lab.end[0].udx, NULL, &err));
	ck_assert_int_eq(err, ERR_LIMIT);
	lab_stream_free(s[0]);
	s[0] = lab_stream_new(&lab, 0);
	for (int i = 0; i < 3; i++)
		lab_stream_free(s[i]);
	lab_fini(&lab);
}
END_TEST

/*
 * Data written before connect waits; messages are bounded in number and size.
 */
START_TEST(waits_for_connect)
{
	struct lab_pair p;
	struct lab_stream *s;
	static const uint8_t big[UDX_MTU_MAX];
	struct udx_message m;
	int n = 0;

	lab_pair_init(&p, 1, &near);
	s = lab_stream_new(&p.lab, 0);
	(void)lab_write(s, 0, 1000);
	ck_assert_int_eq(udx_send_message(s->s, big, sizeof big), ERR_TOO_BIG);
	for (int i = 0; i < UDX_MESSAGES_MAX; i++)
		ck_assert_int_eq(udx_send_message(s->s, big, 1000), 0);
	ck_assert_int_eq(udx_send_message(s->s, big, 1), ERR_FULL);
	lab_run(&p.lab, LAB_S);
	ck_assert_uint_eq(p.lab.end[0].sent, 0);
	lab_stream_free(p.b);
	p.b = lab_stream_new(&p.lab, 1);
	lab_connect(s, 0, p.b, 1);
	lab_run(&p.lab, LAB_S);
	ck_assert_uint_eq(lab_read(p.b, 0, SIZE_MAX), 1000);
	while (udx_next_message(p.b->s, &m))
		n++;
	ck_assert_int_eq(n, UDX_MESSAGES_MAX);
	lab_stream_free(s);
	ck_assert_int_eq(udx_send_message(p.b->s, big, 1), 0);
	lab_pair_fini(&p);
}
END_TEST

/* ---- copies ---- */

/* Bytes are copied once on their way into and out of packets, whatever is
 * lost: to the transmit batch, and from the packet to the receive buffer. */
START_TEST(no_byte_is_copied_twice)
{
	static const struct lab_link links[] = {
	    {.delay_us = 10000},
	    {.delay_us = 10000, .loss_ppm = 10000},
	    {.delay_us = 10000, .loss_ppm = 50000, .jitter_us = 3000},
	};
	const uint64_t total = 8 << 20;
	const struct stats *from, *to;
	struct lab_pair p;

	lab_pair_init(&p, 5, &links[_i]);
	from = &p.lab.end[0].host.stats;
	to = &p.lab.end[1].host.stats;
	ck_assert(lab_pair_carry(&p, total, 100 * LAB_S));
	ck_assert_uint_eq(to->stream_bytes_moved, total);
	ck_assert_uint_le(to->stream_bytes_copied, total);
	ck_assert_uint_ge(from->stream_bytes_moved, total);
	ck_assert_uint_le(from->stream_bytes_copied, from->stream_bytes_moved);
	lab_pair_fini(&p);
}
END_TEST

/* ---- acknowledgements ---- */

/* Packets that the receiver of the data and its sender have received. */
struct packets {
	uint64_t data, acks;
};

/* Sends data for us microseconds and reads all of it. */
static struct packets
push_packets(struct lab_pair *p, uint64_t us)
{
	uint64_t until = p->lab.lan.now_us + us;
	struct udx_status a, b;
	struct packets n;

	udx_status(p->a->s, &a);
	udx_status(p->b->s, &b);
	n = (struct packets){b.packets_in, a.packets_in};
	do {
		p->written += lab_write(p->a, p->written, SIZE_MAX);
		p->read += lab_read(p->b, p->read, SIZE_MAX);
		lab_settle(&p->lab);
	} while (lab_step(&p->lab, until));
	udx_status(p->a->s, &a);
	udx_status(p->b->s, &b);
	return (struct packets){b.packets_in - n.data, a.packets_in - n.acks};
}

/* 100 Mbit/s, 50 ms, a queue of one bandwidth-delay product. */
static const struct lab_link fast = {
    .delay_us = 25000, .bytes_per_s = 12500000, .queue_bytes = 625000};

/* Connects two ends, of which both know the round trip, and fills the line. */
static void
fill_line(struct lab_pair *p, const struct lab_link *link)
{
	lab_pair_init(p, 3, link);
	(void)lab_write(p->b, 0, 1);
	(void)push_packets(p, 4 * LAB_S);
}

/* In bulk, one acknowledgement serves 32 packets; the rate stays. */
START_TEST(bulk_is_acknowledged_seldom)
{
	struct lab_pair p;
	struct packets n;

	fill_line(&p, &fast);
	n = push_packets(&p, 10 * LAB_S);
	/* One group may reach over the end. */
	ck_assert_uint_ge(n.data + 32, 32 * n.acks);
	ck_assert_uint_ge(n.data, 80000); /* of 83,000 */
	lab_pair_fini(&p);
}
END_TEST

/* A line that is too slow for that is acknowledged packet by packet. */
START_TEST(little_is_acknowledged_at_once)
{
	struct lab_link slow = fast;
	struct lab_pair p;
	struct packets n;

	slow.bytes_per_s = 1000000;
	slow.queue_bytes = 50000;
	fill_line(&p, &slow);
	n = push_packets(&p, 10 * LAB_S);
	ck_assert_uint_ge(n.acks * 10, n.data * 9);
	lab_pair_fini(&p);
}
END_TEST

/* Drops one packet of bulk data. */
struct one_lost {
	uint64_t seen, at;
	uint64_t dropped_us, sack_us;
};

static bool
drop_one(struct lab *r, const struct lab_packet *p, void *arg)
{
	struct one_lost *l = arg;
	struct packet pk;

	if (packet_decode(&pk, p->buf, p->len) != 0)
		return true;
	if (pk.type & PACKET_DATA && pk.payload.len > 1000 &&
	    ++l->seen == l->at) {
		l->dropped_us = r->lan.now_us;
		return false;
	}
	if (pk.type & PACKET_SACK && l->sack_us == 0)
		l->sack_us = r->lan.now_us;
	return true;
}

START_TEST(a_loss_is_reported_at_once)
{
	struct lab_pair p;
	struct one_lost l = {.at = 100 + (uint64_t)_i * 7};
	struct udx_status before, after;

	fill_line(&p, &fast);
	p.lab.filter = drop_one;
	p.lab.filter_arg = &l;
	udx_status(p.a->s, &before);
	(void)push_packets(&p, LAB_S);
	udx_status(p.a->s, &after);
	ck_assert_uint_ne(l.dropped_us, 0);
	ck_assert_uint_ne(l.sack_us, 0);
	/* One way, the queue, and the time of two packets at most. */
	ck_assert_uint_le(l.sack_us - l.dropped_us, 25000 + 50000 + 250);
	ck_assert_uint_eq(after.resent - before.resent, 1);
	lab_pair_fini(&p);
}
END_TEST

/* The end is acknowledged at once, in the middle of a group. */
START_TEST(the_end_is_acknowledged_at_once)
{
	struct lab_pair p;
	struct udx_status st = {0};
	uint64_t ended_us, until;

	fill_line(&p, &fast);
	until = p.lab.lan.now_us + 5 * LAB_S;
	udx_end(p.a->s);
	lab_settle(&p.lab);
	while (!st.ended_there && lab_step(&p.lab, until)) {
		lab_settle(&p.lab);
		p.read += lab_read(p.b, p.read, SIZE_MAX);
		udx_status(p.b->s, &st);
	}
	ck_assert(st.ended_there);
	ended_us = p.lab.lan.now_us;
	while (!st.ended_here && lab_step(&p.lab, until)) {
		lab_settle(&p.lab);
		udx_status(p.a->s, &st);
	}
	ck_assert(st.ended_here);
	ck_assert_uint_le(p.lab.lan.now_us - ended_us, 25000 + 10);
	lab_pair_fini(&p);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_flow", &tc);

	tcase_add_test(tc, reader_stops);
	tcase_add_test(tc, window_update_is_lost);
	tcase_add_test(tc, vanishes_with_a_closed_window);
	tcase_add_test(tc, window_grows);
	tcase_add_test(tc, memory_costs_no_speed);
	tcase_add_test(tc, window_stays);
	tcase_add_test(tc, keeps_to_the_window);
	tcase_add_loop_test(tc, tiny_packets_count, 0, 3);
	tcase_add_test(tc, tiny_payloads_count);
	tcase_add_test(tc, holes_count);
	tcase_add_loop_test(tc, acknowledges_out_of_turn_alone, 1, 34);
	tcase_add_test(tc, memory_is_shared);
	tcase_add_test(tc, turns_are_fair);
	tcase_add_test(tc, socket_is_full);
	tcase_add_test(tc, costs_little_at_rest);
	tcase_add_test(tc, streams_are_limited);
	tcase_add_test(tc, waits_for_connect);
	tcase_add_loop_test(tc, no_byte_is_copied_twice, 0, 3);
	tcase_add_test(tc, bulk_is_acknowledged_seldom);
	tcase_add_test(tc, little_is_acknowledged_at_once);
	tcase_add_loop_test(tc, a_loss_is_reported_at_once, 0, 8);
	tcase_add_test(tc, the_end_is_acknowledged_at_once);
	return s;
}
