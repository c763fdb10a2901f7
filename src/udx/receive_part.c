/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>

#include "base/err.h"
#include "udx/receive_part.h"
#include "udx/udx.h"

enum {
	/* The round trip assumed for tuning: where none is known, and at
	 * least. */
	TUNE_RTT_US = 100000,
	TUNE_RTT_US_MIN = 5000,
	/* How far ahead a packet may be: a full window of packets of this
	 * payload, and no fewer than that many. */
	SMALL_PAYLOAD = 64,
	AHEAD_PACKETS_MIN = 1024,
	/* From this packet behind a gap on, acknowledgements may be held. */
	GAP_PACKETS = 4,
};

void
receive_part_init(struct receive_part *r, struct chunk_pool *pool,
    const struct limits *limits)
{
	r->pool = pool;
	r->limits = limits;
	(void)receive_part_set_window(r, 0);
	r->advertised = r->window;
}

bool
receive_part_set_window(struct receive_part *r, uint32_t bytes)
{
	uint32_t before = r->window;

	r->window = bytes > 0 ? bytes : RECEIVE_WINDOW_FIRST;
	if (r->window > r->limits->stream_window_bytes)
		r->window = r->limits->stream_window_bytes;
	if (r->advertised >= before / 2 || r->window <= before ||
	    r->state == RECEIVE_ENDED)
		return false;
	r->ack_due = true;
	return true;
}

void
receive_part_fini(struct receive_part *r)
{
	r->pool->held -= reassembly_held(&r->reassembly);
	receive_buffer_fini(&r->data, r->pool);
	reassembly_fini(&r->reassembly);
}

void
receive_part_trim(struct receive_part *r)
{
	if (receive_part_is_empty(r))
		receive_buffer_fini(&r->data, r->pool);
	if (r->reassembly.ranges_len == 0) {
		r->pool->held -= reassembly_held(&r->reassembly);
		reassembly_fini(&r->reassembly);
	}
}

static void
set_state(struct receive_part *r, enum receive_state state)
{
	assert(state > r->state);
	r->state = state;
}

/* ---- the window ---- */

static uint64_t
memory_max(const struct receive_part *r)
{
	return r->limits->stream_memory_bytes / RECEIVE_MEMORY_PART;
}

/* Returns what the other streams leave of the memory for received data: half of
 * all. Our programs decide what is sent, strangers what is received. */
static uint64_t
memory_left(const struct receive_part *r)
{
	uint64_t own =
	    receive_buffer_held(&r->data) + reassembly_held(&r->reassembly);
	uint64_t others = r->pool->held - r->pool->to_send - own;
	uint64_t max = memory_max(r);

	return others < max ? max - others : 0;
}

/* Returns the window, or less where the buffers of all streams are full. */
static uint32_t
window_allowed(const struct receive_part *r)
{
	uint64_t left = memory_left(r) + RECEIVE_SHARE_BYTES;

	return left < r->window ? (uint32_t)left : r->window;
}

static uint64_t
bytes_held(const struct receive_part *r)
{
	return receive_buffer_cost(&r->data) + r->reassembly.cost;
}

uint32_t
receive_part_window(const struct receive_part *r)
{
	uint64_t held = bytes_held(r);
	uint32_t allowed = window_allowed(r);

	/* Avoids the silly window syndrome (RFC 9293 §3.8.6.2.2). */
	return held + UDX_MTU_MAX > allowed ? 0 : (uint32_t)(allowed - held);
}

/*
 * Doubles the window if the reader took half of it within two round trips:
 * then the window is what limits the rate.
 */
static void
tune_window(struct receive_part *r, size_t n, uint64_t rtt_us, uint64_t now_us)
{
	uint32_t max = r->limits->stream_window_bytes;

	if (rtt_us == 0)
		rtt_us = TUNE_RTT_US;
	if (rtt_us < TUNE_RTT_US_MIN)
		rtt_us = TUNE_RTT_US_MIN;
	r->tuned_bytes += n;
	if (r->tuned_bytes < r->window / 2)
		return;
	if (now_us - r->tuned_us < 2 * rtt_us)
		r->window = r->window > max / 2 ? max : r->window * 2;
	r->tuned_us = now_us;
	r->tuned_bytes = 0;
}

bool
receive_part_consumed(
    struct receive_part *r, size_t n, uint64_t rtt_us, uint64_t now_us)
{
	uint32_t window, allowed;

	/* An empty buffer is kept for a second, unless others may need it. */
	if (receive_part_is_empty(r) && memory_left(r) < memory_max(r) / 2)
		receive_buffer_fini(&r->data, r->pool);
	tune_window(r, n, rtt_us, now_us);
	window = receive_part_window(r);
	allowed = window_allowed(r);
	if (r->advertised >= allowed / 4 || window < allowed / 2 ||
	    r->state == RECEIVE_ENDED)
		return false;
	r->ack_due = true;
	return true;
}

/* ---- data ---- */

static bool
append_data(struct receive_part *r, const void *p, size_t len,
    struct receive_result *out)
{
	/* Payloads that follow are appended in chunks of their own. So are all
	 * where memory is short: a chunk for several has space to spare. */
	bool alone = r->reassembly.ranges_len > 0 || memory_left(r) == 0;

	if (len == 0)
		return true;
	if (receive_buffer_append(&r->data, r->pool, p, len, alone) != 0)
		return false;
	out->bytes += len;
	out->copied += len;
	return true;
}

static bool
is_past_end(const struct receive_part *r, uint32_t seq)
{
	return r->state != RECEIVE_OPEN && seq_diff(seq, r->end_seq) > 0;
}

/* Moves what has come into order from the reassembly queue to the data. */
static void
drain_reassembly(struct receive_part *r, struct receive_result *out)
{
	size_t cost = r->reassembly.cost;
	struct chunk *c;

	while (!is_past_end(r, r->next_seq) &&
	       (c = reassembly_take(&r->reassembly, r->next_seq)) != NULL) {
		r->next_seq++;
		out->bytes += c->len;
		if (c->len > 0)
			receive_buffer_link(&r->data, r->pool, c);
		else
			free(c);
	}
	r->pool->held -= cost - r->reassembly.cost;
}

static int32_t
packets_ahead_max(const struct receive_part *r)
{
	const uint32_t max = UDX_REASSEMBLY_DISTANCE_PACKETS_MAX;
	uint32_t packets = r->window / SMALL_PAYLOAD;

	if (packets < AHEAD_PACKETS_MIN)
		return AHEAD_PACKETS_MIN;
	return (int32_t)(packets < max ? packets : max);
}

static int
hold_packet(struct receive_part *r, const struct packet *p)
{
	size_t held = reassembly_held(&r->reassembly);
	uint64_t allowed = window_allowed(r);
	int err;

	/* Without memory there is a window of a packet or two: what is out of
	 * order is not worth its place. Otherwise some more than the window is
	 * held, as the peer does not know what a packet costs. */
	if (memory_left(r) == 0 || bytes_held(r) > allowed + allowed / 16 ||
	    seq_diff(p->seq, r->next_seq) >= packets_ahead_max(r))
		return ERR_LIMIT;
	err = reassembly_add(
	    &r->reassembly, r->next_seq, p->seq, p->payload.p, p->payload.len);
	r->pool->held += reassembly_held(&r->reassembly) - held;
	return err;
}

static int
accept_packet(
    struct receive_part *r, const struct packet *p, struct receive_result *out)
{
	if (is_past_end(r, p->seq))
		return ERR_MALFORMED;
	if (p->seq != r->next_seq) {
		int err = hold_packet(r, p);

		out->held = err != ERR_LIMIT;
		out->copied += err == 0 ? p->payload.len : 0;
		return err;
	}
	/* One packet may exceed the window, protocol 05 §7; without memory only
	 * if it is the first. */
	if (receive_buffer_cost(&r->data) > window_allowed(r) ||
	    (memory_left(r) == 0 && bytes_held(r) > 0))
		return ERR_LIMIT;
	if (!append_data(r, p->payload.p, p->payload.len, out))
		return ERR_MEMORY;
	r->next_seq++;
	return 0;
}

bool
receive_part_is_ahead(const struct receive_part *r, uint32_t seq)
{
	int32_t ahead = seq_diff(seq, r->next_seq);

	return ahead >= 0 && ahead < UDX_REASSEMBLY_DISTANCE_PACKETS_MAX;
}

static void
check_ended(struct receive_part *r, struct receive_result *out)
{
	if (r->state != RECEIVE_END_KNOWN ||
	    seq_diff(r->next_seq, r->end_seq) <= 0)
		return;
	set_state(r, RECEIVE_ENDED);
	out->ended = true;
}

/*
 * Returns what the acknowledgement of a packet reports besides its arrival. The
 * peer declares a packet lost once three packets behind the gap are
 * acknowledged (protocol 05 §6).
 */
static enum ack_urgency
get_urgency(struct receive_part *r, const struct receive_result *out,
    uint32_t ranges_before)
{
	uint32_t ranges = r->reassembly.ranges_len;

	if (ranges > ranges_before)
		r->gap_packets = 0;
	if (r->gap_packets < GAP_PACKETS)
		r->gap_packets++;
	if (out->err != 0 || r->state != RECEIVE_OPEN ||
	    ranges != ranges_before)
		return ACK_URGENT;
	if (ranges == 0)
		return ACK_NOTHING_NEW;
	return out->held && r->gap_packets == GAP_PACKETS ? ACK_BEHIND_GAP
							  : ACK_URGENT;
}

void
receive_part_data(
    struct receive_part *r, const struct packet *p, struct receive_result *out)
{
	bool ended = r->state == RECEIVE_ENDED;
	uint32_t ranges = r->reassembly.ranges_len;

	*out = (struct receive_result){.err = ERR_EXISTS};
	if (receive_part_is_ahead(r, p->seq) && !ended)
		out->err = accept_packet(r, p, out);
	else if (seq_diff(p->seq, r->next_seq) > 0)
		out->err = ended ? ERR_MALFORMED : ERR_LIMIT;
	if (out->err == 0 && p->type & PACKET_END && r->state == RECEIVE_OPEN) {
		r->end_seq = p->seq;
		set_state(r, RECEIVE_END_KNOWN);
	}
	if (r->reassembly.ranges_len > 0)
		drain_reassembly(r, out);
	check_ended(r, out);
	/* Protocol 05 §12: acknowledged before the stream is gone. */
	out->urgency = get_urgency(r, out, ranges);
}
