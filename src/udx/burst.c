/* SPDX-License-Identifier: ISC */
#include "udx/burst.h"
#include "udx/scheduler.h"
#include "udx/stream.h"
#include "udx/stream_trace.h"

static bool
fits_burst(const struct burst *b, size_t size)
{
	/* Only the last packet of a burst may be shorter. */
	return b->buf != NULL && size <= b->segment &&
	       b->used % b->segment == 0 && b->used + size <= b->cap;
}

static size_t
burst_packets(size_t size, size_t expected)
{
	if (expected > WORLD_BURST_SEGMENTS)
		expected = WORLD_BURST_SEGMENTS;
	if (expected > WORLD_BURST_MAX / size)
		expected = WORLD_BURST_MAX / size;
	return expected > 0 ? expected : 1;
}

uint8_t *
burst_reserve(struct burst *b, size_t size, size_t expected)
{
	struct udx_stream *s = b->stream;
	struct world *w = s->udx->core->world;
	struct dgram_meta meta = {
	    .sock = s->path.current.sock, .to = s->path.current.to};
	uint8_t *space;

	if (!fits_burst(b, size)) {
		burst_end(b);
		meta.fragment = b->fragment;
		expected = b->fragment ? 1 : burst_packets(size, expected);
		meta.segment = expected > 1 ? (uint16_t)size : 0;
		b->cap = size * expected;
		b->segment = (uint16_t)size;
		b->buf = w->ops->reserve(w, &meta, b->cap);
		if (b->buf == NULL) {
			scheduler_block(s);
			return NULL;
		}
	}
	space = b->buf + b->used;
	b->used += size;
	s->udx->core->stats->tx_datagrams++;
	s->udx->core->stats->tx_bytes += size;
	s->count.packets_out++;
	s->sent_us = w->now_us;
	return space;
}

void
burst_end(struct burst *b)
{
	struct world *w = b->stream->udx->core->world;

	/* A burst that the batch refuses is treated as lost by the network. */
	if (b->buf != NULL && w->ops->commit(w, b->used) != 0)
		b->stream->udx->core->stats->tx_refused++;
	b->buf = NULL;
	b->used = 0;
}

void
burst_header(struct udx_stream *s, uint8_t *out, uint8_t type, uint8_t offset,
    uint32_t seq, size_t size)
{
	struct packet p = {
	    .type = type,
	    .offset = offset,
	    .id = s->path.current.id,
	    .rwnd = receive_part_window(&s->receive),
	    .seq = seq,
	    .ack = s->receive.next_seq,
	};

	s->receive.advertised = p.rwnd;
	packet_encode(out, &p);
	if (s->loss.trace != NULL)
		trace_sent(s->loss.trace, &p, size);
}

/* Writes n ranges, beginning with the one at index `from`. */
static void
write_ranges(
    const struct reassembly *r, uint8_t *out, uint32_t from, uint32_t n)
{
	struct wr w = wr_init(out, (size_t)n * PACKET_RANGE);

	for (uint32_t i = from; i < from + n; i++) {
		wr_le32(&w, r->ranges[i].start);
		wr_le32(&w, r->ranges[i].end);
	}
}

static bool
send_ack(struct udx_stream *s, uint32_t from, uint32_t n)
{
	struct burst b = {.stream = s};
	size_t size = PACKET_HEADER + (size_t)n * PACKET_RANGE;
	uint8_t *out = burst_reserve(&b, size, 1);

	if (out == NULL)
		return false;
	burst_header(s, out, n > 0 ? PACKET_SACK : PACKET_ACK, 0,
	    s->loss.in_flight.nxt, size);
	write_ranges(&s->receive.reassembly, out + PACKET_HEADER, from, n);
	burst_end(&b);
	return true;
}

bool
burst_ack(struct udx_stream *s)
{
	const uint32_t max = PACKET_RANGES_MAX;
	uint32_t n = s->receive.reassembly.ranges_len;

	if (n <= max)
		return send_ack(s, 0, n);
	/*
	 * Sends the lowest ranges, as peers expect, and in a packet of their
	 * own the highest, where new packets arrive: on a long path with
	 * losses the sender would otherwise learn nothing of those, and stall,
	 * until all gaps below are closed.
	 */
	return send_ack(s, 0, max) && send_ack(s, n - max, max);
}

bool
burst_heartbeat(struct udx_stream *s)
{
	struct burst b = {.stream = s};
	uint8_t *out = burst_reserve(&b, PACKET_HEADER, 1);

	if (out == NULL)
		return false;
	burst_header(
	    s, out, PACKET_HEARTBEAT, 0, s->loss.in_flight.nxt, PACKET_HEADER);
	burst_end(&b);
	return true;
}
