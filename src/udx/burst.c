/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

static bool
fits(const struct burst *b, size_t size)
{
	/* A shorter one ends the burst: only the last may be shorter. */
	return b->buf != NULL && size <= b->segment &&
	       b->used % b->segment == 0 && b->used + size <= b->cap;
}

static size_t
count(size_t size, size_t expected)
{
	if (expected > WORLD_BURST_SEGMENTS)
		expected = WORLD_BURST_SEGMENTS;
	if (expected > WORLD_BURST_MAX / size)
		expected = WORLD_BURST_MAX / size;
	return expected > 0 ? expected : 1;
}

uint8_t *
burst_room(struct burst *b, size_t size, size_t expected)
{
	struct udx_stream *s = b->stream;
	struct world *w = s->udx->world;
	struct dgram_meta meta = {.sock = s->path.sock, .to = s->path.to};
	uint8_t *room;

	if (!fits(b, size)) {
		burst_end(b);
		meta.fragment = b->fragment;
		expected = b->fragment ? 1 : count(size, expected);
		meta.segment = expected > 1 ? (uint16_t)size : 0;
		b->cap = size * expected;
		b->segment = (uint16_t)size;
		b->buf = w->ops->reserve(w, &meta, b->cap);
		if (b->buf == NULL) {
			turn_block(s);
			return NULL;
		}
	}
	room = b->buf + b->used;
	b->used += size;
	s->udx->stats->tx_datagrams++;
	s->udx->stats->tx_bytes += size;
	s->packets_out++;
	s->sent_us = w->now_us;
	return room;
}

void
burst_end(struct burst *b)
{
	struct world *w = b->stream->udx->world;

	/* What the batch refuses after all counts as lost on the way. */
	if (b->buf != NULL && w->ops->commit(w, b->used) != 0)
		b->stream->udx->stats->tx_refused++;
	b->buf = NULL;
	b->used = 0;
}

void
burst_header(struct udx_stream *s, uint8_t *out, uint8_t type, uint8_t offset,
    uint32_t seq)
{
	struct packet p = {
	    .type = type,
	    .offset = offset,
	    .id = s->path.id,
	    .rwnd = recv_window(s),
	    .seq = seq,
	    .ack = s->rcv_nxt,
	};

	s->advertised = p.rwnd;
	packet_encode(out, &p);
}

/* n ranges from one on, after the header. */
static void
put_ranges(const struct reorder *r, uint8_t *out, uint32_t from, uint32_t n)
{
	struct wr w = wr_init(out, (size_t)n * PACKET_RANGE);

	for (uint32_t i = from; i < from + n; i++) {
		wr_le32(&w, r->ranges[i].start);
		wr_le32(&w, r->ranges[i].end);
	}
}

static bool
put_ack(struct udx_stream *s, uint32_t from, uint32_t n)
{
	struct burst b = {.stream = s};
	uint8_t *out =
	    burst_room(&b, PACKET_HEADER + (size_t)n * PACKET_RANGE, 1);

	if (out == NULL)
		return false;
	burst_header(
	    s, out, n > 0 ? PACKET_SACK : PACKET_ACK, 0, s->flight.nxt);
	put_ranges(&s->early, out + PACKET_HEADER, from, n);
	burst_end(&b);
	return true;
}

bool
burst_ack(struct udx_stream *s)
{
	const uint32_t max = PACKET_RANGES_MAX;
	uint32_t n = s->early.ranges_len;

	if (n <= max)
		return put_ack(s, 0, n);
	/*
	 * The lowest, as peers expect; and in a packet of their own the
	 * highest, where what is new arrives: on a long path with losses the
	 * sender would otherwise not hear of it before all gaps below are
	 * closed, and stand still.
	 */
	return put_ack(s, 0, max) && put_ack(s, n - max, max);
}

bool
burst_heartbeat(struct udx_stream *s)
{
	struct burst b = {.stream = s};
	uint8_t *out = burst_room(&b, PACKET_HEADER, 1);

	if (out == NULL)
		return false;
	burst_header(s, out, PACKET_HEARTBEAT, 0, s->flight.nxt);
	burst_end(&b);
	return true;
}
