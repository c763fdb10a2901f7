/* SPDX-License-Identifier: ISC */
/*
 * Goal: loss recovery decides by itself, from events and the time alone, which
 * packets are lost and when it waits for what (RFC 8985 RACK-TLP, RFC 6298,
 * protocol 05 §6). Method: a struct loss with its congestion controller and
 * path MTU; there is no stream, no timer and no network.
 */
#include "base/world.h"
#include "t.h"
#include "udx/ack.h"
#include "udx/loss.h"

enum { MS = 1000, RTT_US = 100 * MS, PAYLOAD = 1000 };

struct rig {
	struct loss loss;
	struct cc cc;
	struct mtu mtu;
	uint64_t now;
};

static void
rig_init(struct rig *r)
{
	*r = (struct rig){.now = 1000 * MS};
	mtu_init(&r->mtu, 1200, 1500, 28);
	cc_init(&r->cc, mtu_udp_payload(&r->mtu), r->now, 1);
	loss_init(&r->loss, &r->cc, &r->mtu);
	r->loss.path_new = true;
}

static void
rig_fini(struct rig *r)
{
	loss_fini(&r->loss);
}

/* Sends n packets, one each `gap_us`. */
static void
send_packets(struct rig *r, int n, uint64_t gap_us)
{
	for (int i = 0; i < n; i++) {
		r->now += i > 0 ? gap_us : 0;
		ck_assert_int_eq(in_flight_reserve(&r->loss.in_flight), 0);
		(void)loss_packet_sent(&r->loss, PAYLOAD, 0, r->now);
		loss_set_timer(&r->loss, r->now);
	}
}

/* Acknowledges cumulatively up to `ack`, and one packet beyond if sacked. */
static bool
receive_ack(struct rig *r, uint32_t ack, uint32_t sacked)
{
	uint8_t range[PACKET_RANGE];
	struct wr w = wr_init(range, sizeof range);
	struct packet p = {.ack = ack};
	struct ack_result result;

	if (sacked != 0) {
		wr_le32(&w, sacked);
		wr_le32(&w, sacked + 1);
		p.sacks = (struct bytes){range, sizeof range};
	}
	loss_peer_heard(&r->loss);
	ck_assert(ack_process(&r->loss, &p, r->now, &result));
	return loss_end_acks(&r->loss, r->now);
}

/* Takes a sample of RTT_US: one packet, acknowledged in time. */
static void
take_sample(struct rig *r)
{
	send_packets(r, 1, 0);
	r->now += RTT_US;
	ck_assert(receive_ack(r, r->loss.in_flight.nxt, 0));
	ck_assert_uint_eq(r->loss.rtt.srtt_us, RTT_US);
	ck_assert_uint_eq(r->loss.due_us, WORLD_NEVER);
}

/* Retransmits all that is lost. */
static uint32_t
resend_lost(struct rig *r)
{
	const struct sent_list *lost = &r->loss.in_flight.lost;
	uint32_t n = 0;

	for (; lost->len > 0; n++)
		(void)loss_packet_resent(&r->loss, lost->first, r->now);
	loss_set_timer(&r->loss, r->now);
	return n;
}

/* Moves the clock to the deadline of the timer and handles it. */
static enum loss_action
expire_timer(struct rig *r)
{
	ck_assert_uint_ne(r->loss.due_us, WORLD_NEVER);
	r->now = r->loss.due_us;
	return loss_timer_expired(&r->loss, false, r->now);
}

/* ---- RACK ---- */

/* RFC 8985 §6.2: a packet is lost once one sent later was acknowledged and the
 * reordering window, a quarter of the minimum round trip, has passed. */
START_TEST(waits_for_reordering_window)
{
	struct rig r;
	uint32_t first;

	rig_init(&r);
	take_sample(&r);
	first = r.loss.in_flight.nxt;
	send_packets(&r, 4, MS);
	r.now += RTT_US - 3 * MS + MS;
	ck_assert(!receive_ack(&r, first, first + 1));
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 0);
	ck_assert(!r.loss.in_recovery);
	/* Sent a round trip and a quarter before. */
	ck_assert_uint_eq(
	    r.loss.reorder_due_us, r.loss.rack.sent_us + RTT_US + RTT_US / 4);
	loss_reorder_expired(&r.loss, r.loss.reorder_due_us - 2 * MS);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 0);
	loss_reorder_expired(&r.loss, r.loss.reorder_due_us);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 1);
	ck_assert_uint_eq(r.loss.in_flight.lost.first, first);
	ck_assert_uint_eq(r.loss.lost_packets, 1);
	ck_assert(r.loss.in_recovery);
	/* Those sent after the one acknowledged are not judged. */
	ck_assert_uint_eq(r.loss.in_flight.out.len, 2);
	ck_assert_uint_eq(r.loss.reorder_due_us, WORLD_NEVER);
	rig_fini(&r);
}
END_TEST

/* RFC 8985 §6.2.1: three acknowledged beyond a gap, and no reordering seen:
 * the window is 0. */
START_TEST(three_beyond_a_gap)
{
	struct rig r;
	uint32_t first;

	rig_init(&r);
	take_sample(&r);
	first = r.loss.in_flight.nxt;
	send_packets(&r, 5, 0);
	r.now += RTT_US;
	(void)receive_ack(&r, first, first + 1);
	(void)receive_ack(&r, first, first + 2);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 0);
	(void)receive_ack(&r, first, first + 3);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 1);
	/* Recovery ends with the acknowledgement of all sent before it. */
	ck_assert_uint_eq(resend_lost(&r), 1);
	r.now += RTT_US;
	ck_assert(receive_ack(&r, first + 4, 0));
	ck_assert(r.loss.in_recovery);
	ck_assert(receive_ack(&r, first + 5, 0));
	ck_assert(!r.loss.in_recovery);
	ck_assert_uint_eq(r.loss.resent_packets, 1);
	rig_fini(&r);
}
END_TEST

/* RFC 8985 §6.2.1: after reordering was seen, three are not enough; a packet
 * declared lost too early widens the window. */
START_TEST(reordering_widens_the_window)
{
	struct rig r;
	uint32_t first;

	rig_init(&r);
	take_sample(&r);
	first = r.loss.in_flight.nxt;
	send_packets(&r, 5, 0);
	r.now += RTT_US;
	for (uint32_t i = 1; i < 4; i++)
		(void)receive_ack(&r, first, first + i);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 1);
	ck_assert_uint_eq(r.loss.rack.reo_wnd_mult, 1);
	r.now += MS;
	ck_assert(receive_ack(&r, first + 5, 0)); /* none was lost */
	ck_assert(r.loss.rack.reordering_seen);
	ck_assert_uint_eq(r.loss.rack.reo_wnd_mult, 2);

	first = r.loss.in_flight.nxt;
	send_packets(&r, 5, 0);
	r.now += RTT_US;
	for (uint32_t i = 1; i < 4; i++)
		(void)receive_ack(&r, first, first + i);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 0);
	ck_assert_uint_eq(
	    r.loss.reorder_due_us, r.loss.rack.sent_us + RTT_US + RTT_US / 2);
	rig_fini(&r);
}
END_TEST

/* Karn's rule: the acknowledgement of a retransmission is no sample, and one
 * faster than the path does not make it the latest packet delivered. */
START_TEST(retransmission_gives_no_sample)
{
	struct rig r;
	uint64_t sent;

	rig_init(&r);
	take_sample(&r);
	send_packets(&r, 1, 0);
	sent = r.now;
	ck_assert_int_eq(expire_timer(&r), LOSS_SEND_PROBE);
	(void)loss_packet_resent(&r.loss, r.loss.in_flight.una, r.now);
	r.now += MS;
	ck_assert(receive_ack(&r, r.loss.in_flight.nxt, 0));
	ck_assert_uint_eq(r.loss.rtt.srtt_us, RTT_US);
	ck_assert_uint_lt(r.loss.rack.sent_us, sent);
	rig_fini(&r);
}
END_TEST

/* ---- tail loss probe and timeout ---- */

/* RFC 8985 §7: one probe after two round trips, then the timeout; on a path
 * over which nothing was acknowledged yet up to three. */
START_TEST(probes_before_the_timeout)
{
	struct rig r;
	uint64_t start;

	rig_init(&r);
	take_sample(&r);
	send_packets(&r, 3, 0);
	start = r.now;
	ck_assert_int_eq(r.loss.timer, LOSS_TIMER_PROBE);
	ck_assert_uint_eq(r.loss.due_us, start + 2 * RTT_US + 2 * MS);
	ck_assert_int_eq(expire_timer(&r), LOSS_SEND_PROBE);
	ck_assert_int_eq(r.loss.timer, LOSS_TIMER_TIMEOUT);
	ck_assert_uint_eq(r.loss.due_us, r.now + rtt_timeout(&r.loss.rtt));
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 0);

	loss_path_changed(&r.loss, r.now);
	ck_assert_uint_eq(r.loss.due_us, r.now);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(expire_timer(&r), LOSS_SEND_PROBE);
	ck_assert_int_eq(r.loss.timer, LOSS_TIMER_TIMEOUT);
	rig_fini(&r);
}
END_TEST

/* Protocol 05 §6: the wait is the timeout, then twice that each time, and the
 * seventh in a row is the last. All packets that old are lost with each. */
START_TEST(seventh_timeout_gives_up)
{
	struct rig r;
	uint64_t rto;

	rig_init(&r);
	take_sample(&r);
	send_packets(&r, 3, 0);
	rto = rtt_timeout(&r.loss.rtt);
	ck_assert_int_eq(expire_timer(&r), LOSS_SEND_PROBE);
	for (int i = 1; i < LOSS_TIMEOUTS_MAX; i++) {
		ck_assert_int_eq(expire_timer(&r), LOSS_TIMED_OUT);
		ck_assert_uint_eq(resend_lost(&r), 3);
		ck_assert_uint_eq(r.loss.due_us, r.now + 2 * rto);
		ck_assert_int_eq(r.loss.timeouts, i);
		ck_assert_uint_le(cc_window(&r.cc), 4 * UINT64_C(1172));
	}
	ck_assert_int_eq(expire_timer(&r), LOSS_GIVE_UP);
	rig_fini(&r);
}
END_TEST

/* Timeouts do not count while the owner decides, nor of a peer that answers
 * but has no space. */
START_TEST(timeouts_that_do_not_count)
{
	struct rig r;

	rig_init(&r);
	take_sample(&r);
	send_packets(&r, 1, 0);
	r.loss.ignore_timeouts = _i == 0;
	ck_assert_int_eq(expire_timer(&r), LOSS_SEND_PROBE);
	for (int i = 0; i < 2 * LOSS_TIMEOUTS_MAX; i++) {
		loss_peer_heard(&r.loss);
		r.now = r.loss.due_us;
		ck_assert_int_eq(loss_timer_expired(&r.loss, _i == 1, r.now),
		    LOSS_TIMED_OUT);
		ck_assert_uint_eq(r.loss.timeouts, 0);
		(void)resend_lost(&r);
	}
	/* Progress begins anew. */
	ck_assert(receive_ack(&r, r.loss.in_flight.nxt, 0));
	ck_assert_uint_eq(r.loss.due_us, WORLD_NEVER);
	rig_fini(&r);
}
END_TEST

/* The timer does nothing once all packets are acknowledged. */
START_TEST(nothing_in_flight)
{
	struct rig r;

	rig_init(&r);
	take_sample(&r);
	ck_assert_int_eq(
	    loss_timer_expired(&r.loss, false, r.now), LOSS_NOTHING);
	ck_assert(!loss_declare_all(&r.loss, r.now));
	loss_probe_now(&r.loss, r.now);
	ck_assert_uint_eq(r.loss.due_us, WORLD_NEVER);
	rig_fini(&r);
}
END_TEST

/* ---- what is not congestion ---- */

/* RFC 8899 §3: the loss of an MTU probe is no congestion signal, and what is
 * sent again has no padding. */
START_TEST(mtu_probe_is_no_congestion)
{
	struct rig r;
	uint32_t first;

	rig_init(&r);
	take_sample(&r);
	first = r.loss.in_flight.nxt;
	ck_assert_int_eq(in_flight_reserve(&r.loss.in_flight), 0);
	(void)loss_packet_sent(&r.loss, PAYLOAD, 100, r.now);
	ck_assert(r.mtu.probing);
	send_packets(&r, 4, 0);
	r.now += RTT_US;
	for (uint32_t i = 1; i < 4; i++)
		(void)receive_ack(&r, first, first + i);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 1);
	ck_assert(!r.loss.in_recovery && !r.mtu.probing);
	ck_assert_uint_eq(in_flight_at(&r.loss.in_flight, first)->pad, 0);
	ck_assert_uint_eq(r.cc.model.round_lost, 0);
	rig_fini(&r);
}
END_TEST

/* What expired while the machine slept is no loss, and gives no sample. */
START_TEST(sleep_is_no_loss)
{
	struct rig r;

	rig_init(&r);
	take_sample(&r);
	send_packets(&r, 2, 0);
	r.now += UINT64_C(3600000) * MS;
	loss_restart_waits(&r.loss, r.now);
	ck_assert_uint_gt(r.loss.due_us, r.now);
	ck_assert(receive_ack(&r, r.loss.in_flight.nxt, 0));
	ck_assert_uint_eq(r.loss.rtt.srtt_us, RTT_US);
	ck_assert_uint_eq(r.loss.lost_packets, 0);
	rig_fini(&r);
}
END_TEST

/* Two losses are repaired; the retransmission of the third is the only packet
 * without an acknowledgement. It is the tail, though many packets that were
 * acknowledged selectively follow it. */
START_TEST(last_retransmission_is_probed)
{
	struct rig r;
	uint32_t base;

	rig_init(&r);
	take_sample(&r);
	base = r.loss.in_flight.nxt;
	send_packets(&r, 20, 0);
	r.now += RTT_US;
	for (uint32_t i = 2; i < 20; i++)
		if (i != 10)
			receive_ack(&r, base, base + i);
	ck_assert_uint_eq(r.loss.in_flight.lost.len, 3);
	(void)loss_packet_resent(&r.loss, base, r.now);
	(void)loss_packet_resent(&r.loss, base + 1, r.now);
	(void)loss_packet_resent(&r.loss, base + 10, r.now);
	r.now += RTT_US;
	receive_ack(&r, base + 10, 0);
	ck_assert_uint_eq(r.loss.in_flight.out.len, 1);
	ck_assert_int_eq(r.loss.timer, LOSS_TIMER_PROBE);
	ck_assert_uint_lt(r.loss.due_us, r.now + 3 * RTT_US);
	rig_fini(&r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_loss", &tc);

	tcase_add_test(tc, waits_for_reordering_window);
	tcase_add_test(tc, three_beyond_a_gap);
	tcase_add_test(tc, reordering_widens_the_window);
	tcase_add_test(tc, retransmission_gives_no_sample);
	tcase_add_test(tc, probes_before_the_timeout);
	tcase_add_test(tc, seventh_timeout_gives_up);
	tcase_add_loop_test(tc, timeouts_that_do_not_count, 0, 2);
	tcase_add_test(tc, nothing_in_flight);
	tcase_add_test(tc, mtu_probe_is_no_congestion);
	tcase_add_test(tc, sleep_is_no_loss);
	tcase_add_test(tc, last_retransmission_is_probed);
	return s;
}
