/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "udx/inside.h"

/* A packet arrived, wherever it was believed to be. */
static void
arrived(struct udx_stream *s, uint32_t seq)
{
	struct sent *p = flight_at(&s->flight, seq);
	uint16_t size = (uint16_t)(sent_bytes(p) + path_overhead(s));

	loss_arrived(s, seq, p);
	if (p->state == SENT_LOST)
		cc_packet_found(&s->cc, &p->cc, sent_bytes(p));
	else
		cc_packet_acked(&s->cc, &p->cc, sent_bytes(p));
	if (p->pad == 0)
		mtu_arrived(&s->mtu, size);
	else if (mtu_probe_arrived(&s->mtu, size))
		cc_set_mss(&s->cc, max_payload(s) + (uint32_t)PACKET_HEADER);
	flight_move(&s->flight, seq, SENT_SACKED);
	s->acked = true;
}

/*
 * Peers repeat their ranges with every packet, and on a long path with losses
 * these hold thousands: what is known already is stepped over as a whole, also
 * if a range begins within it.
 */
static void
take_range(struct udx_stream *s, struct packet_range range)
{
	const struct flight *f = &s->flight;
	uint32_t seq = range.start, end, next;

	while (seq_diff(seq, range.end) < 0) {
		if (flight_at(f, seq)->state != SENT_SACKED)
			arrived(s, seq);
		seq = flight_at(f, seq)->next;
	}
	end = seq;
	for (seq = range.start; seq != end; seq = next) {
		next = flight_at(f, seq)->next;
		flight_at(f, seq)->next = end;
	}
}

static void
selective(struct udx_stream *s, const struct packet *p)
{
	struct rd r = rd_init(p->sacks.p, p->sacks.len);
	const struct flight *f = &s->flight;
	struct packet_range range;

	while (packet_next_range(&r, &range)) {
		/* From una on, and not beyond what was sent. The sign of
		 * differences alone would let half the space pass. */
		uint32_t start = range.start - f->una;
		uint32_t end = range.end - f->una;

		if (start < end && end <= flight_len(f))
			take_range(s, range);
		else
			s->udx->stats->sacks_refused++;
	}
}

/* The oldest packet is acknowledged with all before it. */
static void
pop(struct udx_stream *s, size_t *bytes)
{
	struct flight *f = &s->flight;
	const struct sent *p = flight_at(f, f->una);

	if (p->state != SENT_SACKED)
		arrived(s, f->una);
	*bytes += p->len;
	if (p->type & PACKET_END) {
		s->ended_here = true;
		/* QUIRK: whose END is acknowledged answers once more while the
		 * peer goes on (protocol 05 §12). */
		s->ack_due |= !s->ended_there;
	}
	flight_pop(f);
}

static void
cumulative(struct udx_stream *s, uint32_t ack)
{
	struct flight *f = &s->flight;
	const struct chunk *oldest = NULL;
	size_t bytes = 0;

	while (f->una != ack)
		pop(s, &bytes);
	if (flight_len(f) > 0)
		oldest = flight_at(f, f->una)->from.chunk;
	else if (s->out.unsent > 0)
		oldest = s->out.cut.chunk;
	sendbuf_release(&s->out, &s->udx->stock, bytes, oldest);
	s->progressed = true;
	path_check_moved(s);
	stream_released(s);
}

bool
ack_packet(struct udx_stream *s, const struct packet *p)
{
	if (seq_diff(p->ack, s->flight.nxt) > 0)
		return false;
	if (p->ack != s->flight.una)
		cumulative(s, p->ack);
	if (p->sacks.len > 0)
		selective(s, p);
	return true;
}
