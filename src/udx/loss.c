/* SPDX-License-Identifier: ISC */
#include "base/world.h"
#include "udx/loss.h"
#include "udx/stream_trace.h"

enum {
	DUP_THRESH = 3,
	REO_WND_MULT_MAX = 4, /* a whole minimum round-trip time */
	/* Tail loss probes on a path over which nothing was acknowledged yet:
	 * it may be a lossy one, and the timeout is a second at least. */
	PROBES_NEW_PATH_MAX = 3,
	/* So few packets in flight yield no further acknowledgements from which
	 * RACK could detect that a retransmission was lost. */
	SMALL_FLIGHT_PACKETS = 8,
};

static uint64_t
min_us(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

void
loss_init(struct loss *l, struct cc *cc, struct mtu *mtu)
{
	l->cc = cc;
	l->mtu = mtu;
	l->rack.reo_wnd_mult = 1;
	l->due_us = l->reorder_due_us = WORLD_NEVER;
}

static void
clear_timer(struct loss *l)
{
	l->timer = LOSS_TIMER_NONE;
	l->due_us = WORLD_NEVER;
}

void
loss_fini(struct loss *l)
{
	clear_timer(l);
	l->reorder_due_us = WORLD_NEVER;
	in_flight_fini(&l->in_flight);
}

/* Returns the size of the IP packet. */
static uint16_t
ip_size(const struct loss *l, const struct sent_packet *p)
{
	return (uint16_t)(sent_packet_size(p) + l->mtu->overhead);
}

/* ---- what is acknowledged ---- */

/* RACK_sent_after */
static bool
was_sent_after(uint64_t us_1, uint32_t seq_1, uint64_t us_2, uint32_t seq_2)
{
	return us_1 > us_2 || (us_1 == us_2 && seq_diff(seq_1, seq_2) > 0);
}

static void
update_rack(
    struct loss *l, uint32_t seq, const struct sent_packet *p, uint64_t now_us)
{
	struct rack *rack = &l->rack;
	uint64_t sent = p->cc.sent_us, rtt = now_us - sent;

	/* RACK_update. An answer faster than the path is one to the original
	 * transmission, not to the retransmission. */
	if (!(p->resent && rtt < l->rtt.min_us) &&
	    was_sent_after(sent, seq, rack->sent_us, rack->seq)) {
		rack->sent_us = sent;
		rack->seq = seq;
		rack->rtt_us = rtt;
	}
	/* RACK_detect_reordering */
	if (seq_diff(seq, rack->fack) >= 0)
		rack->fack = seq + 1;
	else if (!p->resent)
		rack->reordering_seen = true;
	/* A spurious loss; without DSACK there is no other sign of one. */
	if (p->state == SENT_LOST && rack->reo_wnd_mult < REO_WND_MULT_MAX)
		rack->reo_wnd_mult++;
}

static void
take_rtt_sample(struct loss *l, const struct sent_packet *p, uint64_t now_us)
{
	struct ack_batch *batch = &l->batch;
	uint64_t sent = p->cc.sent_us, rtt = now_us - sent;

	/* Karn: it is not known which transmission is acknowledged. */
	if (p->resent || p->no_rtt_sample || sent < batch->sample_sent_us)
		return;
	batch->sample_sent_us = sent;
	batch->sample_us = rtt > 0 ? rtt : 1;
}

void
loss_packet_acked(struct loss *l, uint32_t seq, uint64_t now_us)
{
	struct sent_packet *p = in_flight_at(&l->in_flight, seq);
	uint32_t size = sent_packet_size(p);

	take_rtt_sample(l, p, now_us);
	update_rack(l, seq, p, now_us);
	if (p->state == SENT_LOST)
		cc_packet_found(l->cc, &p->cc, size);
	else
		cc_packet_acked(l->cc, &p->cc, size);
	if (p->pad > 0 && mtu_probe_arrived(l->mtu, ip_size(l, p)))
		cc_set_mss(l->cc, mtu_udp_payload(l->mtu));
	in_flight_set_state(&l->in_flight, seq, SENT_SACKED);
	l->batch.any = true;
	if (l->trace != NULL)
		trace_acked(l->trace, seq);
}

/* ---- what is lost ---- */

/* RACK_update_reo_wnd */
static uint64_t
reordering_window(const struct loss *l)
{
	const struct rack *rack = &l->rack;

	if (!rack->reordering_seen &&
	    (l->in_recovery || l->in_flight.sacked >= DUP_THRESH))
		return 0;
	return min_us(l->rtt.min_us / 4 * rack->reo_wnd_mult, l->rtt.srtt_us);
}

/* Takes a packet that was an MTU probe for lost, and its padding off. */
static void
withdraw_mtu_probe(struct loss *l, uint32_t seq, uint64_t now_us)
{
	struct sent_packet *p = in_flight_at(&l->in_flight, seq);

	in_flight_set_state(&l->in_flight, seq, SENT_LOST);
	mtu_probe_lost(l->mtu, ip_size(l, p), now_us);
	p->pad = 0;
}

static void
record_lost(struct loss *l, uint32_t seq, enum udx_loss_reason reason)
{
	const struct sent_packet *p = in_flight_at(&l->in_flight, seq);
	const struct udx_trace_lost lost = {.seq = seq,
	    .size = (uint16_t)sent_packet_size(p),
	    .mtu_probe = p->pad > 0,
	    .reason = reason};

	trace_lost(l->trace, &lost);
}

/* Returns false for an MTU probe: its loss is not a congestion signal. */
static bool
mark_lost(
    struct loss *l, uint32_t seq, enum udx_loss_reason reason, uint64_t now_us)
{
	struct sent_packet *p = in_flight_at(&l->in_flight, seq);

	l->lost_packets++;
	if (l->trace != NULL)
		record_lost(l, seq, reason);
	if (p->pad > 0) {
		withdraw_mtu_probe(l, seq, now_us);
		return false;
	}
	cc_packet_lost(l->cc, &p->cc, sent_packet_size(p));
	in_flight_set_state(&l->in_flight, seq, SENT_LOST);
	return true;
}

static void
enter_recovery(struct loss *l)
{
	if (l->in_recovery)
		return;
	l->in_recovery = true;
	l->recovery_end = l->in_flight.nxt;
}

/* RACK_detect_loss; the list of packets in flight is in order of sending. */
static void
detect_loss(struct loss *l, uint64_t now_us)
{
	const struct sent_list *out = &l->in_flight.out;
	const struct rack *rack = &l->rack;
	uint64_t wait = rack->rtt_us + reordering_window(l);
	bool congestion = false;

	l->reorder_due_us = WORLD_NEVER;
	while (out->len > 0) {
		uint32_t seq = out->first;
		uint64_t sent = in_flight_at(&l->in_flight, seq)->cc.sent_us;

		if (!was_sent_after(rack->sent_us, rack->seq, sent, seq))
			break;
		if (sent + wait > now_us) {
			/* By then all that were sent before are lost. */
			l->reorder_due_us = rack->sent_us + wait;
			break;
		}
		congestion |= mark_lost(l, seq, UDX_LOSS_REORDERING, now_us);
	}
	if (congestion)
		enter_recovery(l);
}

void
loss_reorder_expired(struct loss *l, uint64_t now_us)
{
	detect_loss(l, now_us);
}

bool
loss_declare_all(struct loss *l, uint64_t now_us)
{
	const struct sent_list *out = &l->in_flight.out;

	if (out->len == 0)
		return false;
	while (out->len > 0)
		(void)mark_lost(l, out->first, UDX_LOSS_PATH, now_us);
	enter_recovery(l);
	return true;
}

/* ---- tail loss probe and retransmission timeout ---- */

static void
start_timer(
    struct loss *l, enum loss_timer timer, uint64_t wait_us, uint64_t now_us)
{
	l->timer = timer;
	l->due_us = now_us + wait_us;
}

/* Packets that were acknowledged selectively yield no further acknowledgements,
 * however many lie between the oldest packet and the next. */
static bool
is_small_flight(const struct in_flight *f)
{
	return in_flight_len(f) - f->sacked <= SMALL_FLIGHT_PACKETS;
}

/*
 * Sets the timer for the next tail loss probe, each wait twice the last, or
 * for the timeout after the last probe. In a small flight the first wait
 * counts from when the last packet was sent, whatever was acknowledged since.
 */
static void
set_probe_timer(struct loss *l, uint64_t now_us)
{
	const struct in_flight *f = &l->in_flight;
	uint64_t rto = rtt_timeout(&l->rtt);
	uint64_t pto = rtt_probe_timeout(&l->rtt) << l->probes;
	uint8_t max = l->path_new ? PROBES_NEW_PATH_MAX : 1;
	bool small_flight = is_small_flight(f);
	bool probe = l->probes < max && pto < rto;

	if (probe && l->probes == 0 && f->out.len > 0 && small_flight) {
		uint64_t due = in_flight_at(f, f->out.last)->cc.sent_us + pto;

		pto = due > now_us ? due - now_us : pto;
	}
	if (probe)
		start_timer(l, LOSS_TIMER_PROBE, pto, now_us);
	else
		start_timer(l, LOSS_TIMER_TIMEOUT, rto, now_us);
}

/*
 * Sets the timer: a probe while there is no sign of loss, else the timeout. In
 * a small flight a retransmission is the tail, and may be lost like any other.
 */
static void
restart_timer(struct loss *l, uint64_t now_us)
{
	const struct in_flight *f = &l->in_flight;
	bool small_flight = is_small_flight(f);
	bool no_loss = !l->in_recovery && f->sacked == 0;

	if (in_flight_len(f) == 0)
		clear_timer(l);
	else if (f->lost.len == 0 && (no_loss || small_flight))
		set_probe_timer(l, now_us);
	else
		start_timer(
		    l, LOSS_TIMER_TIMEOUT, rtt_timeout(&l->rtt), now_us);
}

void
loss_set_timer(struct loss *l, uint64_t now_us)
{
	/* A running timeout counts from the oldest packet: it goes on. */
	if (l->timer != LOSS_TIMER_TIMEOUT)
		restart_timer(l, now_us);
}

/* The oldest packet may be larger than the path takes now. */
static void
check_black_hole(struct loss *l)
{
	const struct in_flight *f = &l->in_flight;

	if (mtu_stalled(l->mtu, ip_size(l, in_flight_at(f, f->una))))
		cc_set_mss(l->cc, mtu_udp_payload(l->mtu));
}

static enum loss_action
handle_timeout(struct loss *l, bool window_closed, uint64_t now_us)
{
	struct in_flight *f = &l->in_flight;
	uint64_t rack_age = l->rack.rtt_us + reordering_window(l);

	/* A peer that answers, but has no space, is alive. */
	if ((!window_closed || !l->peer_heard) && !l->ignore_timeouts)
		l->timeouts++;
	l->peer_heard = false;
	if (l->timeouts >= LOSS_TIMEOUTS_MAX)
		return LOSS_GIVE_UP;
	/* Protocol 05 §6: the wait is the RTO once and then twice the RTO,
	 * also where samples of later packets came between. */
	if (!l->backed_off || l->rtt.backoff == 0)
		rtt_back_off(&l->rtt);
	l->backed_off = true;
	check_black_hole(l);
	if (in_flight_at(f, f->una)->state == SENT_IN_FLIGHT)
		(void)mark_lost(l, f->una, UDX_LOSS_TIMEOUT, now_us);
	while (f->out.len > 0 &&
	       in_flight_at(f, f->out.first)->cc.sent_us + rack_age <= now_us)
		(void)mark_lost(l, f->out.first, UDX_LOSS_TIMEOUT, now_us);
	enter_recovery(l);
	cc_timeout(l->cc, now_us, f->bytes);
	start_timer(l, LOSS_TIMER_TIMEOUT, rtt_timeout(&l->rtt), now_us);
	return LOSS_TIMED_OUT;
}

enum loss_action
loss_timer_expired(struct loss *l, bool window_closed, uint64_t now_us)
{
	enum loss_timer timer = l->timer;

	clear_timer(l);
	if (in_flight_len(&l->in_flight) == 0)
		return LOSS_NOTHING;
	if (timer == LOSS_TIMER_TIMEOUT)
		return handle_timeout(l, window_closed, now_us);
	/* TLP_send_probe */
	l->probes++;
	set_probe_timer(l, now_us);
	return LOSS_SEND_PROBE;
}

/* ---- what is sent ---- */

struct sent_packet *
loss_packet_sent(struct loss *l, uint16_t len, uint8_t pad, uint64_t now_us)
{
	uint64_t before = l->in_flight.bytes;
	struct sent_packet *p = in_flight_push(&l->in_flight, len, pad);

	cc_packet_sent(l->cc, &p->cc, now_us, before);
	if (pad > 0)
		mtu_probe_sent(l->mtu);
	return p;
}

struct sent_packet *
loss_packet_resent(struct loss *l, uint32_t seq, uint64_t now_us)
{
	struct in_flight *f = &l->in_flight;
	struct sent_packet *p = in_flight_at(f, seq);
	uint64_t before;

	if (p->pad > 0)
		withdraw_mtu_probe(l, seq, now_us);
	before = f->bytes;
	in_flight_set_state(f, seq, SENT_IN_FLIGHT);
	cc_packet_sent(l->cc, &p->cc, now_us, before);
	p->resent = true;
	p->no_rtt_sample = false;
	l->resent_packets++;
	return p;
}

/* ---- what the owner knows of the path ---- */

void
loss_probe_now(struct loss *l, uint64_t now_us)
{
	l->probes = 0;
	if (in_flight_len(&l->in_flight) > 0)
		start_timer(l, LOSS_TIMER_PROBE, 0, now_us);
}

void
loss_path_changed(struct loss *l, uint64_t now_us)
{
	l->rtt.backoff = 0;
	l->timeouts = 0;
	l->backed_off = false;
	l->in_recovery = false;
	l->path_new = true;
	loss_probe_now(l, now_us);
}

void
loss_restart_waits(struct loss *l, uint64_t now_us)
{
	struct in_flight *f = &l->in_flight;

	for (uint32_t seq = f->una; seq != f->nxt; seq++)
		in_flight_at(f, seq)->no_rtt_sample = true;
	l->timeouts = 0;
	l->probes = 0;
	l->reorder_due_us = WORLD_NEVER;
	restart_timer(l, now_us);
}

/* ---- once a wake-up ---- */

static void
use_rtt_sample(struct loss *l, uint64_t sample_us, uint64_t now_us)
{
	if (sample_us != 0) {
		rtt_sample(&l->rtt, sample_us, now_us);
		l->ambiguous = false;
	} else if (l->probes > 0) {
		/* After one probe a packet may have been lost. After two in a
		 * row the path is longer than estimated: without a larger
		 * estimate each packet would be sent twice for ever. */
		if (l->ambiguous)
			rtt_hint(&l->rtt, rtt_probe_timeout(&l->rtt));
		l->ambiguous = true;
	}
}

bool
loss_end_acks(struct loss *l, uint64_t now_us)
{
	const struct in_flight *f = &l->in_flight;
	uint64_t sample_us = l->batch.sample_us;
	bool advanced = l->batch.advanced;

	if (!l->batch.any)
		return false;
	l->batch.any = l->batch.advanced = false;
	l->batch.sample_us = 0;
	l->path_new = false;
	use_rtt_sample(l, sample_us, now_us);
	if (l->in_recovery && seq_diff(f->una, l->recovery_end) >= 0)
		l->in_recovery = false;
	detect_loss(l, now_us);
	cc_update(l->cc, now_us, sample_us, f->bytes);
	if (!advanced)
		return false;
	l->timeouts = l->probes = 0;
	l->backed_off = false;
	restart_timer(l, now_us);
	return true;
}
