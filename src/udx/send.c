/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

enum {
	LARGE = UDX_MTU_MAX,
	RETRY_MS = 100, /* when memory was short */
	/* A loop wakes up late, by the millisecond of its clock and by whoever
	 * else is at work. What the pace would have let go in that time may go
	 * after it, or the pace is slower than the rate it stands for. */
	LATE_MAX_US = 10000,
};

/* ---- pacing ---- */

static void
pace_refill(struct udx_stream *s, uint64_t rate, uint64_t most)
{
	uint64_t now = udx_now(s), elapsed = now - s->pace_us, gain;
	uint64_t enough = most * 1000000 / rate + 1;

	if (elapsed > enough)
		elapsed = enough;
	gain = elapsed * rate / 1000000;
	if (s->pace_left + gain >= most) {
		s->pace_left = most;
		s->pace_us = now;
	} else {
		s->pace_left += gain;
		s->pace_us += gain * 1000000 / rate;
	}
}

/* Bytes that the time is worth by which the alarm of the pace came late. */
static uint64_t
late_bytes(struct udx_stream *s, uint64_t rate)
{
	uint64_t now = udx_now(s), late = 0;

	if (s->pace_due_us != 0 && now > s->pace_due_us)
		late = now - s->pace_due_us;
	if (late > LATE_MAX_US)
		late = LATE_MAX_US;
	return late * rate / 1000000;
}

/* Bytes that may leave now, or 0; fewer than a burst wait for one. */
static uint64_t
paced(struct udx_stream *s, size_t size, uint64_t wanted)
{
	uint64_t rate = cc_rate(&s->cc), burst = cc_burst(&s->cc);

	if (rate == 0)
		return UINT64_MAX;
	if (burst < size)
		burst = size;
	if (wanted > burst)
		wanted = burst;
	if (wanted < size)
		wanted = size;
	pace_refill(s, rate, 2 * burst + late_bytes(s, rate));
	if (s->pace_left >= wanted) {
		s->pace_due_us = 0;
		return s->pace_left;
	}
	s->pace_due_us =
	    udx_now(s) + (wanted - s->pace_left) * 1000000 / rate + 1;
	alarm_set(s, ALARM_PACE, s->pace_due_us);
	return 0;
}

/* ---- one packet ---- */

static void
again(struct udx_stream *s, uint32_t seq, uint8_t *out)
{
	struct flight *f = &s->flight;
	struct sent *p = flight_at(f, seq);
	uint64_t before = f->bytes;

	flight_move(f, seq, SENT_OUT);
	cc_packet_sent(&s->cc, &p->cc, udx_now(s), before);
	p->again = true;
	p->silent = false;
	s->resent++;
	s->udx->stats->packets_resent++;
	burst_header(s, out, p->type, 0, seq);
	sendbuf_read(p->from, out + PACKET_HEADER, p->len);
}

static void
first_time(struct udx_stream *s, size_t len, uint8_t pad, uint8_t *out)
{
	struct flight *f = &s->flight;
	uint64_t before = f->bytes;
	uint32_t seq = f->nxt;
	struct sent *p = flight_push(f, (uint16_t)len, pad);

	p->from = sendbuf_cut(&s->out, len);
	p->type = len > 0 ? PACKET_DATA : 0;
	if (s->end_wanted && s->out.unsent == 0) {
		p->type |= PACKET_END;
		s->end_sent = true;
	}
	cc_packet_sent(&s->cc, &p->cc, udx_now(s), before);
	if (pad > 0)
		mtu_probe_sent(&s->mtu);
	burst_header(s, out, p->type, pad, seq);
	memset(out + PACKET_HEADER, 0, pad);
	sendbuf_read(p->from, out + PACKET_HEADER + pad, len);
}

/* ---- what is next ---- */

static bool
has_new(const struct udx_stream *s)
{
	return s->out.unsent > 0 || (s->end_wanted && !s->end_sent);
}

/* Payload of the next new packet. */
static size_t
new_len(const struct udx_stream *s)
{
	uint16_t max = max_payload(s);

	return s->out.unsent < max ? (size_t)s->out.unsent : max;
}

/* The peer has room for it; one packet always, if there is any at all. */
static bool
peer_takes(const struct udx_stream *s, size_t len)
{
	uint64_t unacked = s->flight.unacked;

	return len == 0 || unacked + len <= s->rwnd ||
	       (unacked == 0 && s->rwnd > 0);
}

static uint8_t
padding(struct udx_stream *s, size_t len)
{
	uint16_t wanted;

	if (len < max_payload(s) || s->moving || s->recovering ||
	    s->rtt.min_at_us == 0)
		return 0;
	wanted = mtu_wanted(&s->mtu, udx_now(s));
	return wanted > s->mtu.size ? (uint8_t)(wanted - s->mtu.size) : 0;
}

/* Size of the packet that waits, or 0: there is none, or the peer is full. */
static size_t
waiting_size(const struct udx_stream *s)
{
	const struct flight *f = &s->flight;

	if (f->lost.len > 0)
		return PACKET_HEADER + flight_at(f, f->lost.first)->len;
	if (has_new(s) && peer_takes(s, new_len(s)))
		return PACKET_HEADER + new_len(s);
	return 0;
}

/*
 * Size of the packet that is next, or 0: none may leave. One may always: it can
 * be larger than the window, which counts in packets of today's size.
 */
static size_t
next_size(const struct udx_stream *s)
{
	uint64_t out = s->flight.bytes;
	size_t size = waiting_size(s);

	return out == 0 || out + size <= cc_window(&s->cc) ? size : 0;
}

/* The packet was sent before, and the path took more than now. */
static bool
is_too_large(const struct udx_stream *s, uint32_t seq)
{
	const struct sent *p = flight_at(&s->flight, seq);

	return mtu_exceeded(
	    &s->mtu, (uint16_t)(PACKET_HEADER + p->len + path_overhead(s)));
}

/* False: the socket is full, or memory is. */
static bool
send_next(struct udx_stream *s, struct burst *b, size_t size, size_t expected)
{
	struct flight *f = &s->flight;
	size_t len = size - PACKET_HEADER;
	uint8_t pad = 0, *out;

	if (f->lost.len == 0) {
		int err = flight_reserve(f);

		if (err == ERR_MEMORY)
			alarm_set(
			    s, ALARM_PACE, udx_now(s) + RETRY_MS * UDX_MS);
		if (err != 0)
			return false;
		pad = padding(s, len);
	}
	b->fragment = f->lost.len > 0 && is_too_large(s, f->lost.first);
	out = burst_room(b, size + pad, pad > 0 ? 1 : expected);
	if (out == NULL)
		return false;
	if (f->lost.len > 0)
		again(s, f->lost.first, out);
	else
		first_time(s, len, pad, out);
	return true;
}

/* ---- a closed window, and silence ---- */

static void
heartbeat(struct udx_stream *s)
{
	if (s->unanswered >= EXPIRIES_MAX) {
		s->udx->stats->streams_timed_out++;
		stream_close(s, ERR_TIMEOUT);
		return;
	}
	s->unanswered++;
	s->heartbeat_due = true;
	turn_want(s);
}

/* Data waits for the peer's window; answered: the peer has just told it. */
static void
check_window(struct udx_stream *s, bool answered)
{
	bool shut =
	    flight_len(&s->flight) == 0 && s->out.unsent > 0 && s->rwnd == 0;

	if (!shut) {
		s->due[ALARM_WINDOW] = WORLD_NEVER;
		return;
	}
	if (s->due[ALARM_WINDOW] != WORLD_NEVER)
		return;
	alarm_set(s, ALARM_WINDOW, udx_now(s) + rtt_timeout(&s->rtt));
	if (!answered)
		heartbeat(s);
}

void
send_window_probe(struct udx_stream *s)
{
	heartbeat(s);
	if (!s->closed)
		alarm_set(
		    s, ALARM_WINDOW, udx_now(s) + 2 * rtt_timeout(&s->rtt));
}

void
send_keepalive(struct udx_stream *s)
{
	uint64_t idle = udx_now(s) - s->sent_us;

	if (s->keep_us == 0)
		return;
	if (idle >= s->keep_us && flight_len(&s->flight) == 0) {
		heartbeat(s);
		idle = 0;
	}
	if (!s->closed)
		alarm_set(s, ALARM_KEEP,
		    udx_now(s) +
			(idle < s->keep_us ? s->keep_us - idle : s->keep_us));
}

/* ---- a turn ---- */

/* Bytes that would leave if nothing but the window held them. */
static uint64_t
wanted(const struct udx_stream *s)
{
	uint64_t window = cc_window(&s->cc), out = s->flight.bytes;
	uint64_t n = s->out.unsent + (uint64_t)s->flight.lost.len * LARGE;

	if (out + n > window)
		n = window > out ? window - out : 0;
	return n;
}

/* The writer is what it waits for, neither a full buffer nor the peer. */
static bool
lacks_data(const struct udx_stream *s)
{
	return s->flight.lost.len == 0 && !has_new(s) && !s->full;
}

/* True if more could leave at once. */
static bool
send_data(struct udx_stream *s, struct burst *b, size_t *sent)
{
	size_t size = next_size(s);
	uint64_t may = size > 0 ? paced(s, size, wanted(s)) : 0;
	uint64_t left = may < QUANTUM ? may : QUANTUM, total = 0;

	while (size > 0 && size <= left && send_next(s, b, size, left / size)) {
		left -= size;
		total += size;
		size = next_size(s);
	}
	if (may != UINT64_MAX)
		s->pace_left -= total;
	if (total > 0) {
		loss_sent(s);
		s->ack_due &= s->early.ranges_len > 0;
	}
	*sent += total;
	if (lacks_data(s) && s->flight.bytes < cc_window(&s->cc))
		cc_app_limited(&s->cc, s->flight.bytes);
	return size > 0 && total > 0 && !s->blocked;
}

/* What is not data; false: the socket is full. */
static bool
send_words(struct udx_stream *s)
{
	if (s->ack_due) {
		if (!burst_ack(s))
			return false;
		s->ack_due = false;
	}
	if (s->heartbeat_due) {
		if (!burst_heartbeat(s))
			return false;
		s->heartbeat_due = false;
	}
	return true;
}

bool
send_turn(struct udx_stream *s, size_t *sent)
{
	struct burst b = {.stream = s};
	bool more = false, answered = s->acked;

	if (!s->connected || s->closed)
		return false;
	loss_settle(s);
	if (message_flush(s, &b))
		more = send_data(s, &b, sent);
	burst_end(&b);
	if (s->blocked || !send_words(s))
		return false;
	check_window(s, answered);
	stream_check_end(s);
	return more;
}

void
send_probe(struct udx_stream *s)
{
	struct burst b = {.stream = s};
	struct flight *f = &s->flight;
	uint32_t seq = f->nxt - 1;
	uint8_t *out;

	if (f->lost.len > 0 || (has_new(s) && peer_takes(s, new_len(s)))) {
		size_t len = f->lost.len > 0 ? flight_at(f, f->lost.first)->len
					     : new_len(s);

		(void)send_next(s, &b, PACKET_HEADER + len, 1);
		burst_end(&b);
		return;
	}
	/* A peer that has all, and does not say so in turn: nothing to send. */
	if (f->out.len == 0)
		return;
	while (flight_at(f, seq)->state == SENT_SACKED)
		seq--;
	b.fragment = is_too_large(s, seq);
	out = burst_room(&b, PACKET_HEADER + flight_at(f, seq)->len, 1);
	if (out == NULL)
		return;
	if (flight_at(f, seq)->pad > 0) {
		flight_move(f, seq, SENT_LOST);
		mtu_probe_lost(&s->mtu,
		    (uint16_t)(sent_bytes(flight_at(f, seq)) +
			       path_overhead(s)),
		    udx_now(s));
		flight_at(f, seq)->pad = 0;
	}
	again(s, seq, out);
	burst_end(&b);
}
