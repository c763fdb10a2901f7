/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

enum {
	/* A round trip for tuning the window: where none is known, and at
	 * least. */
	TUNE_RTT_MS = 100,
	TUNE_RTT_MIN_MS = 5,
};

/* ---- the window ---- */

/* What may lie here in all: the window, but less where all hold too much. */
static uint32_t
allowance(const struct udx_stream *s)
{
	const struct udx *u = s->udx;
	uint64_t own = s->in.cap + reorder_held(&s->early);
	uint64_t others = u->stock.held - own;
	uint64_t max = u->limits->stream_memory, left = STREAM_SHARE;

	if (others < max)
		left += max - others;
	return left < s->window ? (uint32_t)left : s->window;
}

uint32_t
recv_window(const struct udx_stream *s)
{
	uint64_t held = fifo_len(&s->in) + s->early.cost;
	uint32_t all = allowance(s);

	/* Less than a packet is nothing: it would come in crumbs. */
	return held + UDX_MTU_MAX > all ? 0 : (uint32_t)(all - held);
}

/* A reader that empties half of the window in two round trips is kept waiting
 * by it. */
static void
tune(struct udx_stream *s, size_t n)
{
	uint64_t now = udx_now(s), rtt = s->rtt.srtt_us;
	uint32_t max = s->udx->limits->stream_window;

	if (rtt == 0)
		rtt = TUNE_RTT_MS * UDX_MS;
	if (rtt < TUNE_RTT_MIN_MS * UDX_MS)
		rtt = TUNE_RTT_MIN_MS * UDX_MS;
	s->tuned_bytes += n;
	if (s->tuned_bytes < s->window / 2)
		return;
	if (now - s->tuned_us < 2 * rtt)
		s->window = s->window > max / 2 ? max : s->window * 2;
	s->tuned_us = now;
	s->tuned_bytes = 0;
}

void
recv_consumed(struct udx_stream *s, size_t n)
{
	uint32_t free_now;

	if (s->closed)
		return;
	tune(s, n);
	free_now = recv_window(s);
	if (s->advertised < s->window / 4 && free_now >= s->window / 2 &&
	    !s->ended_there) {
		s->ack_due = true;
		turn_want(s);
	}
}

/* ---- data ---- */

static bool
append(struct udx_stream *s, const void *p, size_t len)
{
	size_t cap = s->in.cap;
	uint8_t *room;

	if (len == 0)
		return true;
	room = fifo_reserve(&s->in, len);
	if (room == NULL)
		return false;
	s->udx->stock.held += s->in.cap - cap;
	memcpy(room, p, len);
	fifo_commit(&s->in, len);
	s->touched = true;
	s->bytes_in += len;
	udx_tell(s, UDX_EV_READABLE);
	return true;
}

/* Takes out what is next now. */
static void
drain_early(struct udx_stream *s)
{
	size_t cost = s->early.cost;
	struct early *e;

	while (!(s->end_known && seq_diff(s->rcv_nxt, s->end_seq) > 0) &&
	       (e = reorder_take(&s->early, s->rcv_nxt)) != NULL) {
		bool kept = append(s, e->bytes, e->len);

		reorder_drop(e);
		if (!kept) {
			/* It was acknowledged: there is no way on. */
			stream_close(s, ERR_MEMORY);
			break;
		}
		s->rcv_nxt++;
	}
	s->udx->stock.held -= cost - s->early.cost;
}

/*
 * How far ahead a packet may be: so many small ones as fit the window, and more
 * than any number of full ones.
 */
static int32_t
reach(const struct udx_stream *s)
{
	enum { SMALL = 64, LEAST = 1024 };
	uint32_t packets = s->window / SMALL;

	if (packets < LEAST)
		return LEAST;
	return packets < REORDER_DISTANCE ? (int32_t)packets : REORDER_DISTANCE;
}

static int
keep_early(struct udx_stream *s, const struct packet *p)
{
	size_t held = reorder_held(&s->early);
	uint64_t all = allowance(s);
	int err;

	/* What a packet costs beyond its bytes is not in the window. */
	if (fifo_len(&s->in) + s->early.cost > all + all / 16 ||
	    seq_diff(p->seq, s->rcv_nxt) >= reach(s))
		return ERR_LIMIT;
	err = reorder_add(
	    &s->early, s->rcv_nxt, p->seq, p->payload.p, p->payload.len);
	s->udx->stock.held += reorder_held(&s->early) - held;
	udx_cools(s);
	return err;
}

static int
take(struct udx_stream *s, const struct packet *p)
{
	/* After the end there is nothing; what came before it counts. */
	if (s->end_known && seq_diff(p->seq, s->end_seq) > 0)
		return ERR_MALFORMED;
	if (p->seq != s->rcv_nxt)
		return keep_early(s, p);
	/* One packet may go beyond the window, protocol 05 §7. */
	if (fifo_len(&s->in) > allowance(s))
		return ERR_LIMIT;
	if (!append(s, p->payload.p, p->payload.len))
		return ERR_MEMORY;
	s->rcv_nxt++;
	return 0;
}

static void
note_end(struct udx_stream *s)
{
	if (s->ended_there || !s->end_known ||
	    seq_diff(s->rcv_nxt, s->end_seq) <= 0)
		return;
	s->ended_there = true;
	udx_tell(s, UDX_EV_READABLE);
	/* Protocol 05 §12: the peer hears of it before it is gone. */
	s->ack_due = true;
}

/* True if the packet's number says that it is new and near. */
static bool
is_ahead(const struct udx_stream *s, uint32_t seq)
{
	int32_t ahead = seq_diff(seq, s->rcv_nxt);

	return ahead >= 0 && ahead < REORDER_DISTANCE;
}

static void
take_data(struct udx_stream *s, const struct packet *p)
{
	int err = ERR_EXISTS;

	s->ack_due = true;
	if (is_ahead(s, p->seq) && !s->ended_there)
		err = take(s, p);
	else if (seq_diff(p->seq, s->rcv_nxt) > 0)
		err = s->ended_there ? ERR_MALFORMED : ERR_LIMIT;
	if (err == 0 && p->type & PACKET_END && !s->end_known) {
		s->end_known = true;
		s->end_seq = p->seq;
	}
	if (err != 0 && err != ERR_EXISTS)
		(void)stats_drop(s->udx->stats, err);
	if (s->early.ranges_len > 0)
		drain_early(s);
	note_end(s);
}

/* ---- a packet ---- */

static void
update_window(struct udx_stream *s, const struct packet *p)
{
	int32_t seq = seq_diff(p->seq, s->wnd_seq);

	/* As in TCP: not from a packet that was overtaken. */
	if (seq < 0 || (seq == 0 && seq_diff(p->ack, s->wnd_ack) < 0))
		return;
	s->wnd_seq = p->seq;
	s->wnd_ack = p->ack;
	/* What it dropped for want of room need not wait for a timeout. */
	if (s->rwnd == 0 && p->rwnd > 0)
		loss_probe(s);
	s->rwnd = p->rwnd;
}

void
recv_packet(struct udx_stream *s, const struct packet *p)
{
	bool due = s->ack_due;

	s->unanswered = 0;
	s->heard = true;
	if (s->connected)
		turn_want(s);
	if (p->type & PACKET_HEARTBEAT) {
		s->ack_due = true;
		return;
	}
	if (p->type & PACKET_DESTROY && is_ahead(s, p->seq)) {
		s->udx->stats->streams_reset++;
		stream_close(s, ERR_RESET);
		return;
	}
	if (p->type & (PACKET_DATA | PACKET_END))
		take_data(s, p);
	if (s->closed)
		return;
	if (seq_diff(p->ack, s->flight.una) < 0)
		return;
	if (!ack_packet(s, p)) {
		/* QUIRK: what acknowledges the future is not answered, though
		 * its data is taken (libudx, process_packet). */
		s->ack_due = due;
		return;
	}
	update_window(s, p);
}
