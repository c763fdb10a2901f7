/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "udx/burst.h"
#include "udx/stream.h"
#include "udx/stream_send.h"
#include "udx/stream_timer.h"
#include "udx/stream_trace.h"

enum {
	QUANTUM_BYTES = 64 << 10, /* in one turn of a stream */
};

/* ---- one packet ---- */

/* Copies the payload of a packet into the transmit batch. */
static void
copy_payload(struct udx_stream *s, const struct sent_packet *p, uint8_t *out)
{
	struct stats *st = s->udx->core->stats;

	st->stream_bytes_moved += p->len;
	st->stream_bytes_copied += p->len;
	send_buffer_read(p->from, out, p->len);
}

static void
write_retransmission(struct udx_stream *s, uint32_t seq, uint8_t *out)
{
	struct sent_packet *p =
	    loss_packet_resent(&s->loss, seq, stream_now(s));

	s->udx->core->stats->packets_resent++;
	burst_header(s, out, p->type, 0, seq, sent_packet_size(p));
	copy_payload(s, p, out + PACKET_HEADER);
}

static void
write_new_packet(struct udx_stream *s, size_t len, uint8_t pad, uint8_t *out)
{
	uint32_t seq = s->loss.in_flight.nxt;
	struct sent_packet *p =
	    loss_packet_sent(&s->loss, (uint16_t)len, pad, stream_now(s));

	p->from = send_buffer_take(&s->send.buffer, len);
	p->type = len > 0 ? PACKET_DATA : 0;
	if (s->send.state == SEND_ENDING && s->send.buffer.unsent == 0) {
		p->type |= PACKET_END;
		send_part_set_state(&s->send, SEND_END_SENT);
	}
	burst_header(s, out, p->type, pad, seq, sent_packet_size(p));
	memset(out + PACKET_HEADER, 0, pad);
	copy_payload(s, p, out + PACKET_HEADER + pad);
}

/* ---- what is next ---- */

/* Returns the payload bytes of the next new packet. */
static size_t
new_payload_len(const struct udx_stream *s)
{
	uint16_t max = stream_payload_max(s);
	uint64_t unsent = s->send.buffer.unsent;

	return unsent < max ? (size_t)unsent : max;
}

/* Returns true if there is new data, or END, and the peer has space for it. */
static bool
may_send_new(const struct udx_stream *s)
{
	return send_part_has_new(&s->send) &&
	       send_part_peer_accepts(
		   &s->send, s->loss.in_flight.unacked, new_payload_len(s));
}

/* Returns the padding that makes the next new packet an MTU probe, or 0. */
static uint8_t
probe_padding(struct udx_stream *s, size_t len)
{
	uint16_t wanted;

	if (len < stream_payload_max(s) || s->path.state == PATH_MIGRATING ||
	    s->loss.in_recovery || s->loss.rtt.min_at_us == 0)
		return 0;
	wanted = mtu_wanted(&s->mtu, stream_now(s));
	return wanted > s->mtu.size ? (uint8_t)(wanted - s->mtu.size) : 0;
}

/*
 * Returns the size of the packet that waits, or 0 if there is none or the peer
 * has no space.
 */
static size_t
waiting_size(const struct udx_stream *s)
{
	const struct in_flight *f = &s->loss.in_flight;

	if (f->lost.len > 0)
		return PACKET_HEADER + in_flight_at(f, f->lost.first)->len;
	return may_send_new(s) ? PACKET_HEADER + new_payload_len(s) : 0;
}

/*
 * Returns the size of the packet that is next, or 0 if none may leave. With
 * nothing in flight one always may: it can be larger than the window, which
 * counts packets of the present size.
 */
static size_t
next_size(const struct udx_stream *s)
{
	uint64_t out = s->loss.in_flight.bytes;
	size_t size = waiting_size(s);

	return out == 0 || out + size <= cc_window(&s->cc) ? size : 0;
}

/* Returns true if a packet sent before is larger than the path takes now. */
static bool
exceeds_mtu(const struct udx_stream *s, uint32_t seq)
{
	const struct sent_packet *p = in_flight_at(&s->loss.in_flight, seq);

	return mtu_exceeded(
	    &s->mtu, (uint16_t)(PACKET_HEADER + p->len + s->mtu.overhead));
}

/*
 * Sends one packet: the first lost one, or a new one. Returns false if the
 * socket is full or memory is short.
 */
static bool
send_next(struct udx_stream *s, struct burst *b, size_t size, size_t expected)
{
	struct in_flight *f = &s->loss.in_flight;
	bool resend = f->lost.len > 0;
	size_t len = size - PACKET_HEADER;
	uint8_t pad = 0, *out;

	if (!resend) {
		int err = in_flight_reserve(f);

		if (err == ERR_MEMORY)
			pacer_retry(&s->pacer, stream_now(s));
		if (err != 0)
			return false;
		pad = probe_padding(s, len);
	}
	b->fragment = resend && exceeds_mtu(s, f->lost.first);
	out = burst_reserve(b, size + pad, pad > 0 ? 1 : expected);
	if (out == NULL)
		return false;
	if (resend)
		write_retransmission(s, f->lost.first, out);
	else
		write_new_packet(s, len, pad, out);
	return true;
}

/* ---- heartbeats ---- */

void
stream_request_heartbeat(struct udx_stream *s)
{
	if (!heartbeat_request(&s->heartbeat)) {
		s->udx->core->stats->streams_timed_out++;
		stream_close(s, ERR_TIMEOUT);
		return;
	}
	scheduler_add(s);
}

/*
 * Probes a window of 0 while data waits for it. answered: an acknowledgement
 * in this wake-up has just announced it, so the first probe can wait.
 */
static void
watch_window(struct udx_stream *s, bool answered)
{
	bool closed = in_flight_len(&s->loss.in_flight) == 0 &&
		      s->send.buffer.unsent > 0 && s->send.peer_window == 0;

	if (heartbeat_watch_window(&s->heartbeat, closed,
		rtt_timeout(&s->loss.rtt), stream_now(s)) &&
	    !answered)
		stream_request_heartbeat(s);
}

/* ---- a turn ---- */

static void
end_acks(struct udx_stream *s)
{
	uint64_t now = stream_now(s);
	const struct in_flight *f = &s->loss.in_flight;

	if (!s->loss.batch.any)
		return;
	if (loss_end_acks(&s->loss, now) && in_flight_len(f) == 0)
		heartbeat_restart_keepalive(&s->heartbeat, now);
	if (s->loss.trace != NULL)
		trace_metrics(s->loss.trace);
	if (f->lost.len > 0)
		scheduler_add(s);
}

/* Returns the bytes that would leave if only the window limited them. */
static uint64_t
wanted_bytes(const struct udx_stream *s)
{
	const struct in_flight *f = &s->loss.in_flight;
	uint64_t window = cc_window(&s->cc), out = f->bytes;
	uint64_t n =
	    s->send.buffer.unsent + (uint64_t)f->lost.len * UDX_MTU_MAX;

	if (out + n > window)
		n = window > out ? window - out : 0;
	return n;
}

static uint64_t
paced_bytes(struct udx_stream *s, size_t size)
{
	struct pacer_demand d = {
	    .rate = cc_rate(&s->cc),
	    .burst = cc_burst(&s->cc),
	    .size = size,
	    .wanted = wanted_bytes(s),
	};

	return pacer_budget(&s->pacer, &d, stream_now(s));
}

/* Returns true if the writer is what limits the rate. */
static bool
is_app_limited(const struct udx_stream *s)
{
	const struct in_flight *f = &s->loss.in_flight;

	return f->lost.len == 0 && !send_part_has_new(&s->send) &&
	       !s->send.writer_waits && f->bytes < cc_window(&s->cc);
}

/* Records that all received packets were acknowledged to the peer. */
static void
note_ack_sent(struct udx_stream *s)
{
	s->receive.ack_due = false;
	ack_delay_sent(&s->ack_delay);
}

/* Returns true if more data could leave at once. */
static bool
send_data(struct udx_stream *s, struct burst *b, size_t *sent)
{
	size_t size = next_size(s);
	uint64_t budget = size > 0 ? paced_bytes(s, size) : 0;
	uint64_t left = budget < QUANTUM_BYTES ? budget : QUANTUM_BYTES;
	uint64_t total = 0;

	while (size > 0 && size <= left && send_next(s, b, size, left / size)) {
		left -= size;
		total += size;
		size = next_size(s);
	}
	if (budget != UINT64_MAX)
		pacer_spend(&s->pacer, total);
	if (total > 0) {
		loss_set_timer(&s->loss, stream_now(s));
		/* Each header has carried the cumulative acknowledgement. */
		if (s->receive.reassembly.ranges_len == 0)
			note_ack_sent(s);
	}
	*sent += total;
	if (is_app_limited(s))
		cc_app_limited(&s->cc, s->loss.in_flight.bytes);
	return size > 0 && total > 0 && !scheduler_is_blocked(s);
}

/* Sends packets without data. Returns false if the socket is full. */
static bool
send_control(struct udx_stream *s)
{
	if (s->receive.ack_due) {
		if (!burst_ack(s))
			return false;
		note_ack_sent(s);
	}
	if (s->heartbeat.pending) {
		if (!burst_heartbeat(s))
			return false;
		s->heartbeat.pending = false;
	}
	return true;
}

static bool
send_all(struct udx_stream *s, size_t *sent)
{
	struct burst b = {.stream = s};
	bool more = false, answered = s->loss.batch.any;

	end_acks(s);
	if (message_flush(s, &b))
		more = send_data(s, &b, sent);
	burst_end(&b);
	if (scheduler_is_blocked(s) || !send_control(s))
		return false;
	watch_window(s, answered);
	stream_check_end(s);
	return more;
}

bool
stream_send_turn(struct udx_stream *s, size_t *sent)
{
	bool more;

	if (s->state != STREAM_OPEN)
		return false;
	more = send_all(s, sent);
	stream_timer_update(s);
	return more;
}

static void
resend_last(struct udx_stream *s)
{
	const struct in_flight *f = &s->loss.in_flight;
	struct burst b = {.stream = s};
	uint32_t seq = f->nxt - 1;
	uint8_t *out;

	/* All packets may be acknowledged selectively, but not cumulatively. */
	if (f->out.len == 0)
		return;
	while (in_flight_at(f, seq)->state == SENT_SACKED)
		seq--;
	b.fragment = exceeds_mtu(s, seq);
	out = burst_reserve(&b, PACKET_HEADER + in_flight_at(f, seq)->len, 1);
	if (out == NULL)
		return;
	write_retransmission(s, seq, out);
	burst_end(&b);
}

void
stream_send_probe(struct udx_stream *s)
{
	struct burst b = {.stream = s};
	size_t size = waiting_size(s);

	if (size == 0) {
		resend_last(s);
		return;
	}
	(void)send_next(s, &b, size, 1);
	burst_end(&b);
}
