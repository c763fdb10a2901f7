/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "udx/stream.h"
#include "udx/stream_timer.h"
#include "udx/stream_trace.h"
#include "udx/udx_relay.h"

enum {
	ID_DRAWS_MAX = 16,
	SEND_AHEAD_BYTES = 256 << 10, /* unsent, beyond the window of cc */
	/* A waiting writer is woken for so much, not for each packet. */
	WAKE_SPACE_BYTES = 64 << 10,
};

/* ---- life ---- */

/*
 * Changes the state of a stream. The stream leaves the table of those alive
 * as it closes.
 */
static void
set_state(struct udx_stream *s, enum stream_state state)
{
	assert(state > s->state);
	s->state = state;
}

void
stream_notify(struct udx_stream *s, unsigned events)
{
	if (s->events == 0)
		TAILQ_INSERT_TAIL(&s->udx->notified, s, notified_link);
	s->events |= events;
}

/* Draws an id. An off-path attacker has to guess it: it is from a CSPRNG. */
static int
draw_id(struct udx *u, uint32_t *id)
{
	for (int i = 0; i < ID_DRAWS_MAX; i++) {
		*id = world_random32(u->core->world);
		if (*id != 0 && udx_find_stream(u, *id) == NULL &&
		    !closing_has(u, *id))
			return 0;
	}
	return ERR_LIMIT;
}

/* Returns the bytes that IP and UDP headers add, protocol 05 §1. */
static uint16_t
header_overhead(const struct addr *to)
{
	return to->family == ADDR_V6 ? 48 : 28;
}

static void
init_stream(struct udx_stream *s, struct udx *u, void *owner)
{
	s->udx = u;
	s->owner = owner;
	receive_part_init(&s->receive, &u->chunks, u->core->limits);
	ack_delay_init(&s->ack_delay);
	send_part_init(&s->send);
	message_queues_init(&s->messages);
	heartbeat_init(&s->heartbeat);
	pacer_init(&s->pacer);
	loss_init(&s->loss, &s->cc, &s->mtu);
	mtu_init(&s->mtu, UDX_MTU_BASE, UDX_MTU_MAX,
	    header_overhead(&s->path.current.to));
	stream_timer_init(s);
	TAILQ_INSERT_TAIL(&u->all, s, all_link);
}

size_t
udx_stream_bytes_max(void)
{
	/* What we send is data of our programs. */
	return heap_bytes(sizeof(struct udx_stream)) + HASH_ENTRY_BYTES +
	       heap_bytes(IN_FLIGHT_PACKETS_MIN * sizeof(struct sent_packet)) +
	       RECEIVE_SHARE_BYTES;
}

struct udx_stream *
udx_stream_new(struct udx *u, void *owner, int *err)
{
	struct udx_stream *s = NULL;
	uint32_t id;

	*err = udx_streams(u) >= u->core->limits->streams ? ERR_LIMIT
							  : draw_id(u, &id);
	if (*err != 0)
		return NULL;
	s = calloc(1, sizeof *s);
	if (s != NULL) {
		s->id = id;
		HASH_ADD_BYHASHVALUE(hh, u->streams, id, sizeof s->id,
		    hash_u64(&u->core->hash_key, id), s);
	}
	if (s == NULL || s->hh.tbl == NULL) {
		free(s);
		*err = ERR_MEMORY;
		return NULL;
	}
	init_stream(s, u, owner);
	u->core->stats->streams_opened++;
	return s;
}

void
stream_trim(struct udx_stream *s)
{
	receive_part_trim(&s->receive);
	if (in_flight_len(&s->loss.in_flight) == 0)
		in_flight_fini(&s->loss.in_flight);
}

/* Sends the peer a DESTROY, or stays to acknowledge its END again. */
static void
begin_closing(struct udx_stream *s, int err)
{
	uint32_t seq = s->loss.in_flight.nxt, ack = s->receive.next_seq;

	if (s->relay != NULL)
		relay_half_close(s, err);
	else if (stream_path_is_set(&s->path) && err == 0)
		closing_add(s, CLOSING_ENDED, seq, ack);
	else if (stream_path_is_set(&s->path) && err != ERR_RESET)
		closing_add(s, CLOSING_DESTROYED, seq, ack);
}

/* Frees what only a stream that sends needs, and takes it out of the table. */
static void
stop_sending(struct udx_stream *s)
{
	struct udx *u = s->udx;

	stream_timer_stop(s);
	scheduler_remove(s);
	send_buffer_fini(&s->send.buffer, &u->chunks);
	loss_fini(&s->loss);
	if (u->recent == s)
		u->recent = NULL;
	HASH_DEL(u->streams, s);
}

void
stream_close(struct udx_stream *s, int err)
{
	if (stream_is_closed(s))
		return;
	set_state(s, STREAM_CLOSED);
	s->err = err;
	if (s->loss.trace != NULL)
		trace_closed(s->loss.trace, err);
	begin_closing(s, err);
	stop_sending(s);
	stream_notify(s, UDX_EV_CLOSED);
}

void
udx_stream_free(struct udx_stream *s)
{
	struct udx *u = s->udx;

	stream_close(s, ERR_CANCELLED);
	if (s->events != 0)
		TAILQ_REMOVE(&u->notified, s, notified_link);
	if (s->loss.trace != NULL)
		trace_detach(s->loss.trace);
	reclaim_remove(s);
	TAILQ_REMOVE(&u->all, s, all_link);
	message_queues_fini(s);
	relay_half_free(s);
	receive_part_fini(&s->receive);
	free(s);
}

void
udx_end(struct udx_stream *s)
{
	if (stream_is_closed(s) || s->send.state != SEND_OPEN)
		return;
	send_part_set_state(&s->send, SEND_ENDING);
	scheduler_add(s);
}

void
stream_check_end(struct udx_stream *s)
{
	if (s->send.state == SEND_END_ACKED &&
	    s->receive.state == RECEIVE_ENDED)
		stream_close(s, 0);
}

/* ---- path ---- */

static void
use_path(struct udx_stream *s)
{
	mtu_restart(&s->mtu, header_overhead(&s->path.current.to));
	/* If a socket was full, it was that of the old path. */
	scheduler_remove(s);
	scheduler_add(s);
	if (s->loss.trace != NULL)
		trace_path(s->loss.trace);
}

int
udx_connect(struct udx_stream *s, const struct udx_path *path)
{
	struct udx *u = s->udx;

	if (stream_path_is_set(&s->path))
		return ERR_EXISTS;
	if (path->to.port == 0)
		return ERR_PORT;
	if (stream_is_closed(s))
		return ERR_CLOSED;
	stream_path_set(&s->path, path);
	use_path(s);
	set_state(s, STREAM_OPEN);
	s->loss.path_new = true;
	cc_init(&s->cc, mtu_udp_payload(&s->mtu), u->core->world->now_us,
	    world_random32(u->core->world));
	s->sent_us = u->core->world->now_us;
	heartbeat_restart_keepalive(&s->heartbeat, s->sent_us);
	stream_timer_update(s);
	relay_half_connected(s);
	return 0;
}

int
udx_migrate(struct udx_stream *s, const struct udx_path *path)
{
	uint64_t now = stream_now(s);

	if (s->state != STREAM_OPEN)
		return ERR_CLOSED;
	if (path->to.port == 0)
		return ERR_PORT;
	stream_path_migrate(&s->path, path, s->loss.in_flight.nxt);
	s->count.path_packets_in = 0;
	use_path(s);
	cc_path_changed(&s->cc, now);
	cc_set_mss(&s->cc, mtu_udp_payload(&s->mtu));
	/* Whether the old path still delivers is not known: the answer to one
	 * packet on the new path shows what of the rest is lost. */
	loss_path_changed(&s->loss, now);
	s->heartbeat.unanswered = 0;
	stream_timer_update(s);
	if (stream_path_check_migrated(&s->path, s->loss.in_flight.una))
		stream_notify(s, UDX_EV_MIGRATED);
	return 0;
}

void
udx_allow_source(struct udx_stream *s, const struct addr *a)
{
	stream_path_allow(&s->path, a);
}

void
udx_allow_host(struct udx_stream *s, const struct addr *host)
{
	stream_path_allow_host(&s->path, host);
}

void
udx_forget_hosts(struct udx_stream *s)
{
	stream_path_forget_hosts(&s->path);
}

bool
udx_source(const struct udx_stream *s, struct udx_source *out)
{
	if (s->path.source_seen)
		*out = s->path.source;
	return s->path.source_seen;
}

void
udx_probe_now(struct udx_stream *s)
{
	if (s->state != STREAM_OPEN)
		return;
	loss_probe_now(&s->loss, stream_now(s));
	stream_timer_update(s);
}

void
udx_retransmit(struct udx_stream *s)
{
	if (s->state == STREAM_OPEN &&
	    loss_declare_all(&s->loss, stream_now(s)))
		scheduler_add(s);
}

/* ---- bytes out ---- */

static uint64_t
send_space(const struct udx_stream *s)
{
	const struct udx *u = s->udx;
	uint64_t max = u->core->limits->stream_send_bytes;
	/* One window more than is in flight: the stream never runs dry between
	 * two turns, and no more waits here than the path takes in a round. */
	uint64_t ahead = SEND_AHEAD_BYTES;

	if (stream_path_is_set(&s->path))
		ahead += cc_window(&s->cc);
	if (udx_buffered(u) >= u->core->limits->stream_memory_bytes)
		max = STREAM_SHARE_BYTES;
	return send_part_space(&s->send, max, ahead);
}

size_t
udx_space(struct udx_stream *s)
{
	uint64_t space = send_space(s);

	if (stream_is_closed(s) || s->send.state != SEND_OPEN)
		return 0;
	/* The space can also shrink without a write, with the window or by the
	 * buffers of other streams: a writer that got 0 is notified later. */
	if (space < UDX_SPACE_MIN)
		s->send.writer_waits = true;
	return s->send.writer_waits ? 0 : (size_t)space;
}

uint8_t *
udx_reserve(struct udx_stream *s, size_t n)
{
	if (stream_is_closed(s))
		return NULL;
	return send_buffer_reserve(&s->send.buffer, &s->udx->chunks, n);
}

void
udx_commit(struct udx_stream *s, size_t len)
{
	if (len == 0)
		return;
	send_buffer_commit(&s->send.buffer, len);
	s->count.bytes_out += len;
	s->send.undrained = true;
	(void)udx_space(s); /* notes a writer that has to wait from now on */
	if (stream_path_is_set(&s->path))
		scheduler_add(s);
}

void
stream_notify_writer(struct udx_stream *s)
{
	struct send_part *p = &s->send;
	uint64_t space = p->writer_waits ? send_space(s) : 0;

	if (space >= WAKE_SPACE_BYTES ||
	    (space >= UDX_SPACE_MIN && p->buffer.unsent == 0)) {
		p->writer_waits = false;
		stream_notify(s, UDX_EV_WRITABLE);
	}
	if (p->undrained && p->buffer.len == 0) {
		p->undrained = false;
		stream_notify(s, UDX_EV_DRAINED);
	}
	if (in_flight_len(&s->loss.in_flight) == 0)
		reclaim_add(s);
}

/* ---- bytes in ---- */

struct udx_bytes
udx_peek(struct udx_stream *s)
{
	return receive_buffer_front(&s->receive.data);
}

size_t
udx_readable(const struct udx_stream *s)
{
	return s->receive.data.len;
}

unsigned
udx_pieces(const struct udx_stream *s, size_t skip, size_t n, struct bytes *out,
    unsigned max)
{
	return receive_buffer_pieces(&s->receive.data, skip, n, out, max);
}

void
udx_copy(struct udx_stream *s, size_t skip, uint8_t *out, size_t n)
{
	s->udx->core->stats->stream_bytes_copied += n;
	receive_buffer_copy(&s->receive.data, skip, out, n);
}

void
udx_detach(struct udx_stream *s, size_t n)
{
	receive_buffer_detach(&s->receive.data, &s->udx->chunks, n);
}

void
udx_consume(struct udx_stream *s, size_t n)
{
	struct receive_part *r = &s->receive;

	receive_buffer_consume(&r->data, r->pool, n);
	if (!stream_is_closed(s) &&
	    receive_part_consumed(r, n, s->loss.rtt.srtt_us, stream_now(s)))
		scheduler_add(s);
	if (receive_part_is_empty(r))
		reclaim_add(s);
}

void
udx_set_window(struct udx_stream *s, uint32_t bytes)
{
	if (!stream_is_closed(s) && receive_part_set_window(&s->receive, bytes))
		scheduler_add(s);
}

size_t
udx_window(const struct udx_stream *s)
{
	return receive_part_window(&s->receive);
}

bool
udx_ended(const struct udx_stream *s)
{
	return s->receive.state == RECEIVE_ENDED &&
	       receive_part_is_empty(&s->receive);
}

/* ---- attributes ---- */

void *
udx_owner(const struct udx_stream *s)
{
	return s->owner;
}

void
udx_set_owner(struct udx_stream *s, void *owner)
{
	s->owner = owner;
}

uint32_t
udx_id(const struct udx_stream *s)
{
	return s->id;
}

void
udx_set_rtt(struct udx_stream *s, uint64_t rtt_us)
{
	rtt_hint(&s->loss.rtt, rtt_us);
}

void
udx_ignore_timeouts(struct udx_stream *s, bool on)
{
	s->loss.ignore_timeouts = on;
}

void
udx_set_keepalive(struct udx_stream *s, uint32_t ms)
{
	s->heartbeat.interval_us = ms * UDX_MS;
	if (ms == 0 || stream_is_closed(s))
		s->heartbeat.keepalive_due_us = WORLD_NEVER;
	else if (stream_path_is_set(&s->path))
		heartbeat_restart_keepalive(&s->heartbeat, stream_now(s));
	stream_timer_update(s);
}

void
udx_status(const struct udx_stream *s, struct udx_status *out)
{
	const struct loss *l = &s->loss;

	*out = (struct udx_status){
	    .connected = stream_path_is_set(&s->path),
	    .ended_here = s->send.state == SEND_END_ACKED,
	    .ended_there = s->receive.state == RECEIVE_ENDED,
	    .closed = stream_is_closed(s),
	    .err = s->err,
	    .path = s->path.current,
	    .mtu = s->mtu.size,
	    .srtt_us = l->rtt.srtt_us,
	    .rttvar_us = l->rtt.rttvar_us,
	    .min_rtt_us = l->rtt.min_us,
	    .rto_us = rtt_timeout(&l->rtt),
	    .in_flight = l->in_flight.bytes,
	    .waiting = s->send.buffer.len,
	    .unacked = in_flight_len(&l->in_flight) > 0,
	    .bytes_out = s->count.bytes_out,
	    .bytes_in = s->count.bytes_in,
	    .packets_out = s->count.packets_out,
	    .packets_in = s->count.packets_in,
	    .path_packets_in = s->count.path_packets_in,
	    .lost = l->lost_packets,
	    .resent = l->resent_packets,
	};
	if (stream_path_is_set(&s->path)) {
		out->cwnd = cc_window(&s->cc);
		out->rate = cc_rate(&s->cc);
	}
}

/* ---- packets on other paths ---- */

/* Sends one packet on another path than the stream's. */
static int
send_on_path(struct udx_stream *s, const struct udx_path *path, uint8_t type,
    struct bytes payload)
{
	struct udx *u = s->udx;
	struct dgram_meta meta = {.sock = path->sock, .to = path->to};
	struct packet p = {
	    .type = type,
	    .id = path->id,
	    .rwnd = receive_part_window(&s->receive),
	    .seq = s->loss.in_flight.nxt,
	    .ack = s->receive.next_seq,
	};
	size_t len = PACKET_HEADER + payload.len;
	uint8_t *out;

	if (stream_is_closed(s))
		return ERR_CLOSED;
	out = u->core->world->ops->reserve(u->core->world, &meta, len);
	if (out == NULL)
		return ERR_FULL;
	packet_encode(out, &p);
	if (payload.len > 0)
		memcpy(out + PACKET_HEADER, payload.p, payload.len);
	if (u->core->world->ops->commit(u->core->world, len) != 0)
		return ERR_FULL;
	u->core->stats->tx_datagrams++;
	u->core->stats->tx_bytes += len;
	return 0;
}

void
udx_probe_path(struct udx_stream *s, const struct udx_path *path)
{
	(void)send_on_path(s, path, PACKET_HEARTBEAT, (struct bytes){0});
}

int
udx_send_message_via(struct udx_stream *s, const struct udx_path *path,
    const void *p, size_t len)
{
	if (len >
	    UDX_MTU_BASE - header_overhead(&path->to) - (size_t)PACKET_HEADER)
		return ERR_TOO_BIG;
	return send_on_path(s, path, PACKET_MESSAGE, (struct bytes){p, len});
}
