/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that losses are repaired soon, that packets which are not lost
 * are sent once, and that the path MTU is found (protocol 05 §5, §6, §8;
 * pitfalls U2, U5, U8, U10, U13). Method: two ends in virtual time; the network
 * drops the packets that the test names.
 */
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/ack.h"
#include "udx/stream.h"

static const struct lab_link near = {.delay_us = 10000};

/* Drops data packets by number, so many in all. */
struct dropper {
	uint32_t first, last; /* numbers */
	int times;
	uint64_t dropped;
};

static bool
drop_numbers(struct lab *lab, const struct lab_packet *p, void *arg)
{
	struct dropper *d = arg;
	struct packet packet;

	(void)lab;
	ck_assert_int_eq(packet_decode(&packet, p->buf, p->len), 0);
	if (!(packet.type & (PACKET_DATA | PACKET_END)) ||
	    seq_diff(packet.seq, d->first) < 0 ||
	    seq_diff(packet.seq, d->last) > 0 || d->times == 0)
		return true;
	d->times--;
	d->dropped++;
	return false;
}

static void
drop(struct lab_pair *p, struct dropper *d)
{
	p->lab.filter = drop_numbers;
	p->lab.filter_arg = d;
}

/* Takes a sample of the round-trip time and waits until the stream is idle. */
static void
warm_up(struct lab_pair *p)
{
	ck_assert(lab_pair_carry(p, 100, LAB_S));
	lab_run(&p->lab, LAB_S);
	ck_assert_uint_eq(p->a->s->loss.rtt.srtt_us, 20000);
}

/* Sets a round-trip time by udx_set_rtt(), and what is dropped. */
static void
init_hinted(struct lab_pair *p, struct dropper *d)
{
	lab_pair_init(p, 1, &near);
	udx_set_rtt(p->a->s, 20000);
	drop(p, d);
}

/* ---- lost packets ---- */

static const struct {
	const char *name;
	uint32_t first, last; /* of twenty packets from 1 on */
	int times;
	uint32_t within_ms; /* of 20 ms of a round trip */
} losses[] = {
    {"one in the middle", 5, 5, 1, 60},
    {"the first", 1, 1, 1, 60},
    {"three in a row", 7, 9, 3, 60},
    {"the retransmission, too: a timeout", 5, 5, 2, 1100},
    {"the last: a tail probe", 20, 20, 1, 110},
    {"the last three", 18, 20, 3, 130},
    {"all but one", 2, 20, 19, 130},
};

START_TEST(lost_comes_soon)
{
	struct lab_pair p;
	struct dropper d = {
	    losses[_i].first, losses[_i].last, losses[_i].times, 0};
	uint64_t start;

	lab_pair_init(&p, 1, &near);
	warm_up(&p);
	p.a->s->cc.window = 1000000; /* so that the window is no limit */
	drop(&p, &d);
	start = p.lab.lan.now_us;
	ck_assert_msg(lab_pair_carry(&p, 100 + 19 * 1152 + 100,
			  losses[_i].within_ms * LAB_MS),
	    "%s", losses[_i].name);
	ck_assert_uint_eq(d.dropped, (uint64_t)losses[_i].times);
	ck_assert_uint_ge(p.lab.lan.now_us, start + 10 * LAB_MS);
	lab_pair_fini(&p);
}
END_TEST

/* Pitfall U5: on a path without loss every packet is sent once, and each batch
 * is acknowledged once. */
START_TEST(clean_path_is_clean)
{
	struct lab_pair p;

	lab_pair_init(&p, 1, &near);
	ck_assert(lab_pair_carry(&p, 3000000, 100 * LAB_S));
	lab_run(&p.lab, LAB_S);
	ck_assert_uint_eq(p.a->s->loss.resent_packets, 0);
	ck_assert_uint_eq(p.a->s->loss.lost_packets, 0);
	/* Far fewer acknowledgements than packets, and bursts than either. */
	ck_assert_uint_gt(p.lab.end[0].sent, 2000);
	ck_assert_uint_lt(p.lab.end[1].sent, p.lab.end[0].sent / 4);
	ck_assert_uint_lt(p.lab.end[0].bursts, p.lab.end[0].sent / 4);
	lab_pair_fini(&p);
}
END_TEST

/* Reordering on a path is detected soon. */
START_TEST(reordering_is_not_loss)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 20000, .jitter_us = 4000};

	lab_pair_init(&p, 1, &link);
	ck_assert(lab_pair_carry(&p, 3000000, 100 * LAB_S));
	ck_assert_uint_gt(p.a->s->count.packets_out, 2000);
	ck_assert_uint_lt(
	    p.a->s->loss.resent_packets, p.a->s->count.packets_out / 50);
	lab_pair_fini(&p);
}
END_TEST

/*
 * The doubling stays until there is a sample: a path slower than the timeout
 * would otherwise see each packet twice for ever (Karn hides the samples).
 */
START_TEST(slow_path_is_learnt)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 1300000};
	uint64_t resent;

	lab_pair_init(&p, 1, &link);
	for (uint64_t i = 1; i <= 8; i++)
		ck_assert(lab_pair_carry(&p, 100 * i, 60 * LAB_S));
	ck_assert_uint_gt(p.a->s->loss.rtt.srtt_us, 2000000);
	resent = p.a->s->loss.resent_packets;
	for (uint64_t i = 9; i <= 20; i++)
		ck_assert(lab_pair_carry(&p, 100 * i, 60 * LAB_S));
	ck_assert_uint_eq(p.a->s->loss.resent_packets, resent);
	lab_pair_fini(&p);
}
END_TEST

/* With a round-trip time from udx_set_rtt() the first retransmission does not
 * wait for 1 s. */
START_TEST(hint_saves_the_first)
{
	struct lab_pair p;
	struct dropper d = {0, 0, 1, 0};

	init_hinted(&p, &d);
	ck_assert(lab_pair_carry(&p, 100, 100 * LAB_MS));
	ck_assert_uint_eq(d.dropped, 1);
	lab_pair_fini(&p);
}
END_TEST

/*
 * A packet sent twice gives no round-trip time (Karn). But it has arrived: what
 * follows is not paced at the delivery rate of a single packet, and gets a tail
 * loss probe of its own.
 */
START_TEST(a_second_try_spoils_nothing)
{
	struct lab_pair p;
	struct dropper first = {0, 0, 1, 0}, next = {1, 1, 1, 0};
	struct udx_status st;

	init_hinted(&p, &first);
	ck_assert(lab_pair_carry(&p, 100, 100 * LAB_MS));
	lab_run(&p.lab, 20 * LAB_MS);
	ck_assert_uint_eq(p.a->s->loss.rtt.min_at_us, 0);
	udx_status(p.a->s, &st);
	ck_assert_uint_eq(st.rate, 0);
	drop(&p, &next);
	ck_assert(lab_pair_carry(&p, 1000, 110 * LAB_MS));
	ck_assert_uint_eq(next.dropped, 1);
	lab_pair_fini(&p);
}
END_TEST

/* A lost retransmission is detected although nothing else is in flight. */
START_TEST(a_second_loss_is_probed)
{
	struct lab_pair p;
	struct dropper d = {0, 0, 2, 0};

	init_hinted(&p, &d);
	p.written += lab_write(p.a, p.written, 100);
	lab_run(&p.lab, LAB_MS);
	ck_assert(lab_pair_carry(&p, 200, 200 * LAB_MS));
	ck_assert_uint_eq(d.dropped, 2);
	lab_pair_fini(&p);
}
END_TEST

/*
 * A hint that is too short does not make every packet be sent twice for ever.
 */
START_TEST(a_wrong_hint_is_unlearnt)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 150000};
	uint64_t resent;

	lab_pair_init(&p, 1, &link);
	udx_set_rtt(p.a->s, 50000);
	for (uint64_t i = 1; i <= 8; i++)
		ck_assert(lab_pair_carry(&p, 100 * i, 60 * LAB_S));
	ck_assert_uint_gt(p.a->s->loss.rtt.min_at_us, 0);
	resent = p.a->s->loss.resent_packets;
	for (uint64_t i = 9; i <= 20; i++)
		ck_assert(lab_pair_carry(&p, 100 * i, 60 * LAB_S));
	ck_assert_uint_eq(p.a->s->loss.resent_packets, resent);
	lab_pair_fini(&p);
}
END_TEST

/* ---- a peer that is gone ---- */

START_TEST(gives_up)
{
	struct lab_pair p;
	struct udx_status st;
	uint64_t start;

	lab_pair_init(&p, 1, &near);
	warm_up(&p);
	p.lab.link.loss_ppm = 1000000;
	start = p.lab.lan.now_us;
	(void)lab_write(p.a, p.written, 5000);
	lab_run(&p.lab, 12900 * LAB_MS);
	udx_status(p.a->s, &st);
	ck_assert(!st.closed);
	lab_run(&p.lab, 400 * LAB_MS); /* a tail probe comes first */
	udx_status(p.a->s, &st);
	ck_assert(st.closed);
	ck_assert_int_eq(st.err, ERR_TIMEOUT);
	ck_assert_uint_eq(p.lab.end[0].host.stats.streams_timed_out, 1);
	ck_assert_uint_eq(udx_space(p.a->s), 0);
	ck_assert_uint_ge(p.lab.lan.now_us, start);
	lab_pair_fini(&p);
}
END_TEST

/* While its owner ignores timeouts, silence does not close the stream. */
START_TEST(waits_while_a_path_is_sought)
{
	struct lab_pair p;
	struct udx_status st;

	lab_pair_init(&p, 1, &near);
	warm_up(&p);
	udx_ignore_timeouts(p.a->s, true);
	p.lab.link.loss_ppm = 1000000;
	(void)lab_write(p.a, p.written, 5000);
	lab_run(&p.lab, 60 * LAB_S);
	udx_status(p.a->s, &st);
	ck_assert(!st.closed);
	udx_ignore_timeouts(p.a->s, false);
	lab_run(&p.lab, 300 * LAB_S);
	udx_status(p.a->s, &st);
	ck_assert_int_eq(st.err, ERR_TIMEOUT);
	lab_pair_fini(&p);
}
END_TEST

/* After a sleep of the machine the silence is not taken for loss. */
START_TEST(sleep_is_forgiven)
{
	struct lab_pair p;
	struct udx_status st;

	lab_pair_init(&p, 1, &near);
	warm_up(&p);
	p.lab.link.loss_ppm = 1000000;
	p.written += lab_write(p.a, p.written, 5000);
	/* Just before the last timeout. */
	lab_run(&p.lab, 12500 * LAB_MS);
	ck_assert_uint_eq(p.a->s->loss.timeouts, 6);
	udx_slept(p.lab.end[0].udx, 3600 * LAB_S);
	lab_run(&p.lab, 5 * LAB_S);
	udx_status(p.a->s, &st);
	ck_assert(!st.closed);
	p.lab.link.loss_ppm = 0;
	ck_assert(lab_pair_carry(&p, p.written, 10 * LAB_S));
	ck_assert_uint_eq(p.a->s->loss.rtt.srtt_us, 20000);
	lab_pair_fini(&p);
}
END_TEST

/* ---- path MTU ---- */

static const struct {
	uint32_t path, least, most;
} sizes[] = {
    {0, 1500, 1500},
    {1500, 1500, 1500},
    {1492, 1476, 1492},
    {1420, 1404, 1420},
    {1280, 1264, 1280},
    {1200, 1200, 1200},
};

/* Pitfall U10: probes that are too large do not slow the stream down. */
START_TEST(finds_the_size)
{
	struct lab_pair p;
	struct lab_link link = {.delay_us = 10000, .mtu = sizes[_i].path};
	struct udx_status st;

	lab_pair_init(&p, 1, &link);
	ck_assert(lab_pair_carry(&p, 8000000, 100 * LAB_S));
	udx_status(p.a->s, &st);
	ck_assert_uint_ge(st.mtu, sizes[_i].least);
	ck_assert_uint_le(st.mtu, sizes[_i].most);
	/* Only lost probes were sent again, without padding. */
	ck_assert_uint_le(st.lost, 24);
	ck_assert_uint_eq(p.a->s->cc.model.round_lost, 0);
	ck_assert_uint_eq(p.a->s->loss.timeouts, 0);
	lab_pair_fini(&p);
}
END_TEST

/* RFC 8899 §4.3: if only large packets are lost, smaller ones are sent. */
START_TEST(black_hole)
{
	struct mtu m;
	uint64_t now = LAB_S;

	mtu_init(&m, UDX_MTU_BASE, UDX_MTU_MAX, 28);
	ck_assert_uint_eq(mtu_wanted(&m, now), 1455);
	mtu_probe_sent(&m);
	ck_assert_uint_eq(mtu_wanted(&m, now), 0);
	ck_assert(mtu_probe_arrived(&m, 1455));
	ck_assert_uint_eq(mtu_wanted(&m, now), 1500);
	mtu_probe_sent(&m);
	ck_assert(mtu_probe_arrived(&m, 1500));
	ck_assert_uint_eq(mtu_wanted(&m, now), 0);
	/* Timeouts of small packets are no evidence against the size. */
	for (int i = 0; i < 10; i++)
		ck_assert(!mtu_stalled(&m, 1200));
	ck_assert_uint_eq(m.size, 1500);
	ck_assert(!mtu_exceeded(&m, 1500));
	/* That of a larger one is, once. */
	ck_assert(mtu_stalled(&m, 1500));
	ck_assert_uint_eq(m.size, UDX_MTU_BASE);
	ck_assert(!mtu_stalled(&m, 1500));
	ck_assert(mtu_exceeded(&m, 1500) && mtu_exceeded(&m, 1201));
	ck_assert(!mtu_exceeded(&m, UDX_MTU_BASE));
	/* If it had another cause, the size is found again at once. */
	ck_assert_uint_eq(mtu_wanted(&m, now), 1455);
	mtu_probe_sent(&m);
	ck_assert(mtu_probe_arrived(&m, 1455));
	ck_assert(mtu_exceeded(&m, 1456) && !mtu_exceeded(&m, 1455));
	/* Three lost probes are evidence for ten minutes. */
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(mtu_wanted(&m, now), 1500);
		mtu_probe_sent(&m);
		mtu_probe_lost(&m, 1500, now);
	}
	ck_assert_uint_lt(mtu_wanted(&m, now), 1500);
	ck_assert_uint_eq(mtu_wanted(&m, now + 601 * LAB_S), 1500);
	/* What was sent may be larger than another path takes. */
	mtu_restart(&m, 48);
	ck_assert_uint_eq(m.size, UDX_MTU_BASE);
	ck_assert(mtu_exceeded(&m, 1500));
}
END_TEST

/* Packets sent before the path shrank have their numbers and are sent in IP
 * fragments: the stream stalls for one timeout. Where fragments are dropped it
 * times out. */
static const struct {
	const char *name;
	uint16_t mtu;
	bool migrates, no_fragments;
	uint32_t within_ms;
} shrinking[] = {
    {"the same path takes less", 1280, false, false, 3000},
    {"the least there is", 1200, false, false, 3000},
    {"another path takes less", 1280, true, false, 3000},
    {"and no fragments", 1280, false, true, 0},
};

/* Writes 100 kB with packets of 1,500 bytes, of which none arrives. */
static void
shrink_path(struct lab_pair *p, uint16_t mtu)
{
	const struct in_flight *f = &p->a->s->loss.in_flight;

	ck_assert(lab_pair_carry(p, 8000000, 100 * LAB_S));
	ck_assert_uint_eq(p->a->s->mtu.size, 1500);
	p->lab.link.mtu = mtu;
	p->written += lab_write(p->a, p->written, 100000);
	lab_run(&p->lab, 30 * LAB_MS);
	ck_assert_uint_gt(in_flight_len(f), 20);
	ck_assert_uint_gt(in_flight_at(f, f->una)->len, 1400);
}

START_TEST(path_shrinks)
{
	struct lab_pair p;
	struct udx_status st;
	uint64_t total;

	lab_pair_init(&p, 1, &near);
	p.lab.link.no_fragments = shrinking[_i].no_fragments;
	shrink_path(&p, shrinking[_i].mtu);
	if (shrinking[_i].migrates) {
		struct udx_path to = lab_path(1, 1, 0, p.b);
		struct addr from = lab_addr(0, 1);

		udx_allow_source(p.b->s, &from);
		ck_assert_int_eq(udx_migrate(p.a->s, &to), 0);
	}
	total = p.written + 1000000;
	if (shrinking[_i].no_fragments) {
		ck_assert(!lab_pair_carry(&p, total, 60 * LAB_S));
		udx_status(p.a->s, &st);
		ck_assert_int_eq(st.err, ERR_TIMEOUT);
	} else {
		ck_assert(lab_pair_carry(
		    &p, total, shrinking[_i].within_ms * LAB_MS));
		/* New packets fit. */
		ck_assert_uint_le(p.a->s->mtu.size, shrinking[_i].mtu);
	}
	lab_pair_fini(&p);
}
END_TEST

/* A stream whose owner looks for another path at each stall migrates between
 * its timeouts; large packets must not have to time out on each path anew. */
START_TEST(path_shrinks_while_migrating)
{
	struct lab_pair p;
	uint64_t until;
	int sock = 0;

	lab_pair_init(&p, 1, &near);
	for (int i = 0; i < 2; i++) {
		struct addr from = lab_addr(0, i);

		udx_allow_source(p.b->s, &from);
	}
	shrink_path(&p, 1280);
	until = p.lab.lan.now_us + 5 * LAB_S;
	while (p.read < p.written && p.lab.lan.now_us < until) {
		struct udx_path to = lab_path(sock = !sock, 1, 0, p.b);

		ck_assert_int_eq(udx_migrate(p.a->s, &to), 0);
		lab_run(&p.lab, 900 * LAB_MS);
		p.read += lab_read(p.b, p.read, SIZE_MAX);
	}
	ck_assert_uint_eq(p.read, p.written);
	lab_pair_fini(&p);
}
END_TEST

struct echo {
	struct lab_pair pair;
	uint64_t echoed, back; /* bytes written by b, read by a */
};

/* Lets both ends send, b what it has received. Returns the longest time without
 * a byte in either direction, in microseconds. */
static uint64_t
longest_pause(struct echo *e, uint64_t for_us)
{
	struct lab_pair *p = &e->pair;
	uint64_t start = p->lab.lan.now_us, end = start + for_us;
	uint64_t at[2] = {start, start}, pause = 0;

	while (lab_step(&p->lab, end) && p->lab.lan.now_us < end) {
		uint64_t n[2];

		p->written += lab_write(p->a, p->written, 100000);
		n[0] = lab_read(p->b, p->read, 100000);
		p->read += n[0];
		e->echoed += lab_write(p->b, e->echoed, p->read - e->echoed);
		n[1] = lab_read(p->a, e->back, SIZE_MAX);
		e->back += n[1];
		for (int i = 0; i < 2; i++) {
			uint64_t wait = p->lab.lan.now_us - at[i];

			pause = wait > pause ? wait : pause;
			at[i] = n[i] > 0 ? p->lab.lan.now_us : at[i];
		}
		lab_settle(&p->lab);
	}
	return pause;
}

/* Whatever the path, and with losses, an echo goes on within 5 s. */
START_TEST(echo_goes_on)
{
	struct lab_link link = {
	    .delay_us = 100000,
	    .jitter_us = 25000,
	    .loss_ppm = 5000,
	    .bytes_per_s = 600000,
	    .queue_bytes = 150000,
	};
	struct echo e = {0};

	lab_pair_init(&e.pair, (uint64_t)_i + 1, &link);
	(void)longest_pause(&e, 6 * LAB_S);
	e.pair.lab.link.mtu = (uint32_t)(1200 + 40 * _i);
	ck_assert_uint_lt(longest_pause(&e, 10 * LAB_S), 5 * LAB_S);
	lab_pair_fini(&e.pair);
}
END_TEST

/* Pitfall U2: padding is skipped in packets of any type. */
START_TEST(skips_padding)
{
	struct lab_pair p;
	struct addr from = lab_addr(0, 0);
	uint8_t buf[PACKET_HEADER + 255 + 2];
	struct packet packet = {.type = PACKET_DATA, .offset = 255};

	lab_pair_init(&p, 1, &near);
	packet.id = udx_id(p.b->s);
	memset(buf, 0xee, sizeof buf);
	packet_encode(buf, &packet);
	buf[sizeof buf - 2] = 'o';
	buf[sizeof buf - 1] = 'k';
	ck_assert_int_eq(lab_inject(&p.lab, 1, 0, &from, buf, sizeof buf), 0);
	ck_assert_uint_eq(udx_readable(p.b->s), 2);
	ck_assert_mem_eq(udx_peek(p.b->s).p, "ok", 2);
	/* With more padding than bytes not even the ack counts. */
	ck_assert_int_eq(
	    lab_inject(&p.lab, 1, 0, &from, buf, 100), ERR_MALFORMED);
	lab_pair_fini(&p);
}
END_TEST

/* ---- round-trip time ---- */

START_TEST(rtt_follows_rfc_6298)
{
	struct rtt r = {0};

	ck_assert_uint_eq(rtt_timeout(&r), LAB_S);
	ck_assert_uint_eq(rtt_probe_timeout(&r), LAB_S);
	rtt_sample(&r, 400000, LAB_S);
	ck_assert_uint_eq(r.srtt_us, 400000);
	ck_assert_uint_eq(r.rttvar_us, 200000);
	ck_assert_uint_eq(rtt_timeout(&r), 1200000);
	ck_assert_uint_eq(rtt_probe_timeout(&r), 802000);
	rtt_sample(&r, 800000, LAB_S);
	ck_assert_uint_eq(r.rttvar_us, (3 * 200000 + 400000) / 4);
	ck_assert_uint_eq(r.srtt_us, (7 * 400000 + 800000) / 8);
	/* The backoff stays until the next sample, up to 30 s. */
	for (int i = 0; i < 10; i++)
		rtt_back_off(&r);
	ck_assert_uint_eq(rtt_timeout(&r), 30 * LAB_S);
	rtt_sample(&r, 400000, LAB_S);
	ck_assert_uint_lt(rtt_timeout(&r), 2 * LAB_S);
	/* The sample of a machine that slept is clamped. */
	rtt_sample(&r, 500 * LAB_S, LAB_S);
	ck_assert_uint_lt(r.srtt_us, LAB_S);
	/* The minimum of the last five minutes. */
	ck_assert_uint_eq(r.min_us, 400000);
	rtt_sample(&r, 700000, 302 * LAB_S);
	ck_assert_uint_eq(r.min_us, 700000);
}
END_TEST

/* ---- ranges ---- */

enum { MANY = 32768 };

/* Puts so many packets in flight. */
static void
fill_flight(struct udx_stream *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sent_packet *p;

		ck_assert_int_eq(in_flight_reserve(&s->loss.in_flight), 0);
		p = in_flight_push(&s->loss.in_flight, 100, 0);
		cc_packet_sent(&s->cc, &p->cc, stream_now(s), 0);
	}
}

/* Acknowledges ranges from `first` on, counted from una, up to `end`. */
static void
take_ranges(struct udx_stream *s, uint32_t first, uint32_t step, uint32_t end)
{
	uint8_t buf[PACKET_RANGES_MAX * PACKET_RANGE];
	uint32_t una = s->loss.in_flight.una;
	struct ack_result acked;

	while (first < end) {
		struct wr w = wr_init(buf, sizeof buf);
		struct packet p = {.ack = una, .sacks.p = buf};

		for (int i = 0; i < PACKET_RANGES_MAX && first < end; i++) {
			wr_le32(&w, una + first);
			wr_le32(&w, una + end);
			first += step;
		}
		p.sacks.len = wr_len(&w);
		ck_assert(ack_process(&s->loss, &p, stream_now(s), &acked));
	}
}

/* A peer may begin its ranges anywhere in what it has reported already: each
 * costs a step or two, not a walk over all that is known. */
START_TEST(known_ranges_are_stepped_over)
{
	struct lab_pair p;
	struct in_flight *f;
	uint64_t steps = 0;

	lab_pair_init(&p, 1, &near);
	warm_up(&p);
	f = &p.a->s->loss.in_flight;
	fill_flight(p.a->s, MANY);
	take_ranges(p.a->s, 1, MANY, MANY);
	ck_assert_uint_eq(f->sacked, MANY - 1);
	for (uint32_t seq = f->una + 1; seq != f->nxt; seq++)
		for (uint32_t at = seq; at != f->nxt; steps++)
			at = in_flight_at(f, at)->next;
	ck_assert_uint_le(steps, UINT64_C(2) * MANY);
	take_ranges(p.a->s, 2, 1, MANY);
	ck_assert_uint_eq(f->sacked, MANY - 1);
	lab_pair_fini(&p);
}
END_TEST

/* Exactly the reported packets are acknowledged, and no link skips others. */
static bool
knows(const struct in_flight *f, const bool *told, uint32_t n)
{
	uint32_t sacked = 0, gap = n;

	for (uint32_t i = n; i-- > 0;) {
		const struct sent_packet *p = in_flight_at(f, f->una + i);

		if ((p->state == SENT_SACKED) != told[i])
			return false;
		sacked += told[i];
		if (!told[i])
			gap = i;
		else if (p->next - f->una <= i || p->next - f->una > gap)
			return false;
	}
	return f->sacked == sacked;
}

/* In any order. */
START_TEST(ranges_in_any_order)
{
	static bool told[1000];
	struct lab_pair p;
	struct in_flight *f;

	memset(told, 0, sizeof told);
	lab_pair_init(&p, (uint64_t)_i + 1, &near);
	warm_up(&p);
	f = &p.a->s->loss.in_flight;
	fill_flight(p.a->s, 1000);
	for (int n = 0; n < 300; n++) {
		uint32_t start = prng_below(&p.lab.rand, 1000);
		uint32_t end =
		    start + 1 + prng_below(&p.lab.rand, 1000 - start);

		if (end - start > 100 && n < 250)
			end = start + 1 + prng_below(&p.lab.rand, 20);
		end = end < 1000 ? end : 1000;
		take_ranges(p.a->s, start, 1000, end);
		for (uint32_t i = start; i < end; i++)
			told[i] = true;
		ck_assert(knows(f, told, 1000));
	}
	lab_pair_fini(&p);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_recovery", &tc);

	tcase_add_loop_test(tc, lost_comes_soon, 0, T_ROWS(losses));
	tcase_add_test(tc, clean_path_is_clean);
	tcase_add_test(tc, reordering_is_not_loss);
	tcase_add_test(tc, slow_path_is_learnt);
	tcase_add_test(tc, hint_saves_the_first);
	tcase_add_test(tc, a_second_try_spoils_nothing);
	tcase_add_test(tc, a_second_loss_is_probed);
	tcase_add_test(tc, a_wrong_hint_is_unlearnt);
	tcase_add_test(tc, gives_up);
	tcase_add_test(tc, waits_while_a_path_is_sought);
	tcase_add_test(tc, sleep_is_forgiven);
	tcase_add_loop_test(tc, finds_the_size, 0, T_ROWS(sizes));
	tcase_add_test(tc, black_hole);
	tcase_add_loop_test(tc, path_shrinks, 0, T_ROWS(shrinking));
	tcase_add_test(tc, path_shrinks_while_migrating);
	tcase_add_loop_test(tc, echo_goes_on, 0, 8);
	tcase_add_test(tc, skips_padding);
	tcase_add_test(tc, rtt_follows_rfc_6298);
	tcase_add_test(tc, known_ranges_are_stepped_over);
	tcase_add_loop_test(tc, ranges_in_any_order, 0, 10);
	return s;
}
