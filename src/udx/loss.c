/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "udx/inside.h"

/*
 * Which packets are lost: RACK-TLP, RFC 8985, and the timeout of RFC 6298 in
 * the words of protocol 05 §6. Names follow the RFC.
 */

enum {
	DUP_THRESH = 3,
	REORDER_MULT_MAX = 4, /* a whole min_rtt */
	/* Of a tail, on a path over which nothing was acknowledged yet: it may
	 * be a bad one, and the timeout is a second at least. */
	PROBES_NEW_PATH = 3,
	/* So few packets bring no answers that tell of what was sent again. */
	FEW = 8,
};

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* ---- what arrives ---- */

static bool
sent_after(uint64_t us_1, uint32_t seq_1, uint64_t us_2, uint32_t seq_2)
{
	return us_1 > us_2 || (us_1 == us_2 && seq_diff(seq_1, seq_2) > 0);
}

void
loss_arrived(struct udx_stream *s, uint32_t seq, const struct sent *p)
{
	uint64_t sent = p->cc.sent_us, rtt = udx_now(s) - sent;

	/* Karn: of a packet sent twice nobody knows which one is answered. */
	if (!p->again && !p->silent && sent >= s->sample_sent_us) {
		s->sample_sent_us = sent;
		s->sample_us = rtt > 0 ? rtt : 1;
	}
	/* RACK_update; an answer faster than the path is one to the original,
	 * not to the packet that was sent again. */
	if (!(p->again && rtt < s->rtt.min_us) &&
	    sent_after(sent, seq, s->rack_sent_us, s->rack_seq)) {
		s->rack_sent_us = sent;
		s->rack_seq = seq;
		s->rack_rtt_us = rtt;
	}
	/* RACK_detect_reordering */
	if (seq_diff(seq, s->highest) >= 0)
		s->highest = seq + 1;
	else if (!p->again)
		s->reordering = true;
	/* Called lost too early; without DSACK this is how we learn. */
	if (p->state == SENT_LOST && s->reorder_mult < REORDER_MULT_MAX)
		s->reorder_mult++;
}

/* ---- what does not ---- */

/* RACK_update_reo_wnd */
static uint64_t
reorder_window(const struct udx_stream *s)
{
	if (!s->reordering && (s->recovering || s->flight.sacked >= DUP_THRESH))
		return 0;
	return least(s->rtt.min_us / 4 * s->reorder_mult, s->rtt.srtt_us);
}

/* False if it was but an MTU probe, whose loss says nothing of the load. */
static bool
mark_lost(struct udx_stream *s, uint32_t seq)
{
	struct sent *p = flight_at(&s->flight, seq);
	uint16_t size = (uint16_t)(sent_bytes(p) + path_overhead(s));
	bool probe = p->pad > 0;

	if (!probe)
		cc_packet_lost(&s->cc, &p->cc, sent_bytes(p));
	flight_move(&s->flight, seq, SENT_LOST);
	if (probe) {
		mtu_probe_lost(&s->mtu, size, udx_now(s));
		p->pad = 0;
	}
	s->lost++;
	return !probe;
}

static void
begin_recovery(struct udx_stream *s)
{
	if (s->recovering)
		return;
	s->recovering = true;
	s->recover_seq = s->flight.nxt;
}

/* RACK_detect_loss: the packets out stand in the order of their sending. */
static void
detect(struct udx_stream *s)
{
	const struct sent_list *out = &s->flight.out;
	uint64_t now = udx_now(s);
	uint64_t wait = s->rack_rtt_us + reorder_window(s);
	bool lost = false;

	s->due[ALARM_REORDER] = WORLD_NEVER;
	while (out->len > 0) {
		const struct sent *p = flight_at(&s->flight, out->first);

		if (!sent_after(s->rack_sent_us, s->rack_seq, p->cc.sent_us,
			out->first))
			break;
		if (p->cc.sent_us + wait > now) {
			/* By then all of them are due. */
			alarm_set(s, ALARM_REORDER, s->rack_sent_us + wait);
			break;
		}
		lost |= mark_lost(s, out->first);
	}
	if (lost)
		begin_recovery(s);
	if (s->flight.lost.len > 0)
		turn_want(s);
}

void
loss_reordered(struct udx_stream *s)
{
	detect(s);
}

/* ---- the tail ---- */

static void
set_timer(struct udx_stream *s, bool timing, uint64_t wait_us)
{
	s->timing = timing;
	alarm_set(s, ALARM_LOSS, udx_now(s) + wait_us);
}

/*
 * The next probe, each wait twice the last, or the timeout after some. Of few
 * packets the first counts from the last one's sending, whatever was
 * acknowledged since.
 */
static void
set_next(struct udx_stream *s)
{
	const struct flight *f = &s->flight;
	uint64_t now = udx_now(s);
	uint64_t rto = rtt_timeout(&s->rtt);
	uint64_t pto = rtt_probe_timeout(&s->rtt) << s->probes;
	uint8_t max = s->new_path ? PROBES_NEW_PATH : 1;
	bool probe = s->probes < max && pto < rto;

	if (probe && s->probes == 0 && f->out.len > 0 && flight_len(f) <= FEW) {
		uint64_t due = flight_at(f, f->out.last)->cc.sent_us + pto;

		pto = due > now ? due - now : pto;
	}
	set_timer(s, !probe, probe ? pto : rto);
}

/*
 * A probe while all goes well, the timeout when not. Of few packets the one
 * that is sent again is the tail, which may be lost like any other.
 */
static void
arm(struct udx_stream *s)
{
	const struct flight *f = &s->flight;
	bool calm = !s->recovering && f->sacked == 0;
	bool well = f->lost.len == 0 && (calm || flight_len(f) <= FEW);

	if (flight_len(f) == 0)
		s->due[ALARM_LOSS] = WORLD_NEVER;
	else if (well)
		set_next(s);
	else
		set_timer(s, true, rtt_timeout(&s->rtt));
}

void
loss_sent(struct udx_stream *s)
{
	if (s->due[ALARM_LOSS] == WORLD_NEVER || !s->timing)
		arm(s);
}

static void
timed_out(struct udx_stream *s)
{
	struct flight *f = &s->flight;
	uint64_t now = udx_now(s);
	uint64_t young = s->rack_rtt_us + reorder_window(s);

	/* Who answers, but has no room for what it dropped, is alive. */
	if ((s->rwnd > 0 || !s->heard) && !s->patient)
		s->expiries++;
	s->heard = false;
	if (s->expiries >= EXPIRIES_MAX) {
		s->udx->stats->streams_timed_out++;
		stream_close(s, ERR_TIMEOUT);
		return;
	}
	udx_tell(s, UDX_EV_STALLED);
	/* Protocol 05 §6: RTO, then twice that each time, also where samples of
	 * later packets came between. */
	if (!s->backed_off || s->rtt.backoff == 0)
		rtt_back_off(&s->rtt);
	s->backed_off = true;
	if (mtu_stalled(&s->mtu,
		(uint16_t)(sent_bytes(flight_at(f, f->una)) + path_overhead(s)),
		UDX_MTU_BASE, now))
		cc_set_mss(&s->cc, max_payload(s) + (uint32_t)PACKET_HEADER);
	if (flight_at(f, f->una)->state == SENT_OUT)
		(void)mark_lost(s, f->una);
	while (f->out.len > 0 &&
	       flight_at(f, f->out.first)->cc.sent_us + young <= now)
		(void)mark_lost(s, f->out.first);
	begin_recovery(s);
	cc_timeout(&s->cc, now, f->bytes);
	set_timer(s, true, rtt_timeout(&s->rtt));
	turn_want(s);
}

void
loss_timer(struct udx_stream *s)
{
	if (flight_len(&s->flight) == 0)
		return;
	if (s->timing) {
		timed_out(s);
		return;
	}
	/* TLP_send_probe */
	s->probes++;
	send_probe(s);
	set_next(s);
}

void
loss_probe(struct udx_stream *s)
{
	s->probes = 0;
	if (flight_len(&s->flight) > 0)
		set_timer(s, false, 0);
}

void
loss_new_path(struct udx_stream *s)
{
	s->rtt.backoff = 0;
	s->expiries = s->unanswered = 0;
	s->backed_off = false;
	s->recovering = false;
	s->new_path = true;
	loss_probe(s);
}

void
udx_retransmit(struct udx_stream *s)
{
	if (s->closed || !s->connected || s->flight.out.len == 0)
		return;
	while (s->flight.out.len > 0)
		(void)mark_lost(s, s->flight.out.first);
	begin_recovery(s);
	turn_want(s);
}

void
loss_forgive(struct udx_stream *s)
{
	struct flight *f = &s->flight;

	for (uint32_t seq = f->una; seq != f->nxt; seq++)
		flight_at(f, seq)->silent = true;
	s->expiries = s->unanswered = 0;
	s->due[ALARM_REORDER] = WORLD_NEVER;
	s->probes = 0;
	arm(s);
}

/* ---- once a wake-up ---- */

void
loss_settle(struct udx_stream *s)
{
	const struct flight *f = &s->flight;
	uint64_t now = udx_now(s), sample = s->sample_us;

	if (!s->acked)
		return;
	s->acked = false;
	s->new_path = false;
	if (sample != 0) {
		rtt_sample(&s->rtt, sample, now);
		s->sample_us = 0;
		s->unsure = false;
	} else if (s->probes > 0) {
		/* One may have been lost. Of two in a row the path is longer
		 * than believed, or each would be sent twice for ever. */
		if (s->unsure)
			rtt_hint(&s->rtt, rtt_probe_timeout(&s->rtt));
		s->unsure = true;
	}
	if (s->recovering && seq_diff(f->una, s->recover_seq) >= 0)
		s->recovering = false;
	detect(s);
	cc_update(&s->cc, now, sample, f->bytes);
	if (s->progressed) {
		s->progressed = false;
		s->expiries = s->probes = 0;
		s->backed_off = false;
		arm(s);
		if (flight_len(f) == 0 && s->keep_us != 0)
			alarm_set(s, ALARM_KEEP, now + s->keep_us);
	}
}
