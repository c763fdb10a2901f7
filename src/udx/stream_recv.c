/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "udx/ack.h"
#include "udx/stream.h"
#include "udx/stream_recv.h"
#include "udx/stream_timer.h"
#include "udx/stream_trace.h"

static void
receive_data(struct udx_stream *s, const struct packet *p)
{
	struct receive_result result;

	receive_part_data(&s->receive, p, &result);
	if (ack_delay_packet(&s->ack_delay, result.urgency, s->loss.rtt.srtt_us,
		stream_now(s)))
		s->receive.ack_due = true;
	if (result.err != 0 && result.err != ERR_EXISTS)
		(void)stats_drop(s->udx->core->stats, result.err);
	s->count.bytes_in += result.bytes;
	s->udx->core->stats->stream_bytes_moved += result.bytes;
	s->udx->core->stats->stream_bytes_copied += result.copied;
	if (result.bytes > 0)
		reclaim_note_use(s);
	if (result.bytes > 0 || result.ended)
		stream_notify(s, UDX_EV_READABLE);
	if (result.held)
		reclaim_add(s);
}

/* Applies what the cumulative acknowledgement has released. */
static void
release_acked(struct udx_stream *s, const struct ack_result *acked)
{
	const struct in_flight *f = &s->loss.in_flight;
	struct send_buffer *b = &s->send.buffer;
	const struct chunk *oldest = NULL;

	if (acked->end) {
		send_part_set_state(&s->send, SEND_END_ACKED);
		/* QUIRK: the acknowledgement of our END is answered once more
		 * while the peer has not ended (protocol 05 §12). */
		s->receive.ack_due |= s->receive.state != RECEIVE_ENDED;
	}
	if (in_flight_len(f) > 0)
		oldest = in_flight_at(f, f->una)->from.chunk;
	else if (b->unsent > 0)
		oldest = b->next.chunk;
	send_buffer_release(b, &s->udx->chunks, acked->bytes, oldest);
	if (stream_path_check_migrated(&s->path, f->una))
		stream_notify(s, UDX_EV_MIGRATED);
	stream_notify_writer(s);
}

/* Returns false if the packet acknowledges what was never sent. */
static bool
receive_acks(struct udx_stream *s, const struct packet *p)
{
	struct ack_result acked;

	if (!ack_process(&s->loss, p, stream_now(s), &acked))
		return false;
	s->udx->core->stats->sacks_refused += acked.ranges_refused;
	if (acked.advanced)
		release_acked(s, &acked);
	return true;
}

static void
receive_packet(struct udx_stream *s, const struct packet *p)
{
	bool ack_due = s->receive.ack_due;

	s->heartbeat.unanswered = 0;
	loss_peer_heard(&s->loss);
	if (stream_path_is_set(&s->path))
		scheduler_add(s);
	if (p->type & PACKET_HEARTBEAT) {
		s->receive.ack_due = true;
		return;
	}
	if (p->type & PACKET_DESTROY &&
	    receive_part_is_ahead(&s->receive, p->seq)) {
		s->udx->core->stats->streams_reset++;
		stream_close(s, ERR_RESET);
		return;
	}
	if (p->type & (PACKET_DATA | PACKET_END))
		receive_data(s, p);
	if (stream_is_closed(s))
		return;
	if (seq_diff(p->ack, s->loss.in_flight.una) < 0)
		return;
	if (!receive_acks(s, p)) {
		/* QUIRK: a packet that acknowledges the future is not
		 * answered, though its data is accepted (libudx,
		 * process_packet). */
		s->receive.ack_due = ack_due;
		return;
	}
	/*
	 * What the peer dropped for lack of space need not wait for a timeout.
	 */
	if (send_part_update_window(&s->send, p)) {
		loss_probe_now(&s->loss, stream_now(s));
		stream_timer_update(s);
	}
}

int
stream_recv(struct udx_stream *s, const struct dgram *dg)
{
	struct stats *st = s->udx->core->stats;
	enum path_source source = stream_path_classify(&s->path, dg);
	struct packet p;
	int err;

	if (source != SOURCE_CURRENT)
		stream_notify(s, UDX_EV_SOURCE);
	err = packet_decode(&p, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(st, err);
	if (p.type & PACKET_MESSAGE)
		message_receive(s, &p, dg,
		    stream_path_is_set(&s->path) && source != SOURCE_UNKNOWN);
	if (source == SOURCE_UNKNOWN)
		return stats_drop(st, ERR_SPOOFED);
	s->count.packets_in++;
	s->count.path_packets_in += source == SOURCE_CURRENT;
	if (s->loss.trace != NULL)
		trace_received(s->loss.trace, &p, dg->len);
	receive_packet(s, &p);
	return 0;
}
