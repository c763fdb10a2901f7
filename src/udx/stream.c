/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "udx/inside.h"

enum {
	IDS_TRIED = 16,
	SEND_FIRST = 256 << 10, /* unsent, beyond the window of congestion */
	WAKE_ROOM = 64 << 10,   /* a writer wakes up for a good piece of work */
};

/* ---- life ---- */

/* Drawn by a CSPRNG: the id is all that an off-path attacker has to guess. */
static int
draw_id(struct udx *u, uint32_t *id)
{
	for (int i = 0; i < IDS_TRIED; i++) {
		*id = world_random32(u->world);
		if (*id != 0 && udx_find(u, *id) == NULL && !linger_has(u, *id))
			return 0;
	}
	return ERR_LIMIT;
}

static void
init(struct udx_stream *s, struct udx *u, void *owner)
{
	s->udx = u;
	s->owner = owner;
	s->window = s->advertised = WINDOW_FIRST;
	if (s->window > u->limits->stream_window)
		s->window = s->advertised = u->limits->stream_window;
	s->rwnd = PEER_WINDOW_FIRST;
	s->reorder_mult = 1;
	STAILQ_INIT(&s->in_messages);
	STAILQ_INIT(&s->out_messages);
	mtu_init(&s->mtu, UDX_MTU_BASE, UDX_MTU_MAX);
	alarm_init(s);
	TAILQ_INSERT_TAIL(&u->all, s, all_link);
}

struct udx_stream *
udx_stream_new(struct udx *u, void *owner, int *err)
{
	struct udx_stream *s = NULL;
	uint32_t id;

	*err =
	    udx_streams(u) >= u->limits->streams ? ERR_LIMIT : draw_id(u, &id);
	if (*err != 0)
		return NULL;
	s = calloc(1, sizeof *s);
	if (s != NULL) {
		s->id = id;
		HASH_ADD_BYHASHVALUE(
		    hh, u->streams, id, sizeof s->id, hash_u64(u->key, id), s);
	}
	if (s == NULL || s->hh.tbl == NULL) {
		free(s);
		*err = ERR_MEMORY;
		return NULL;
	}
	init(s, u, owner);
	u->stats->streams_opened++;
	return s;
}

void
stream_cool(struct udx_stream *s)
{
	if (fifo_len(&s->in) == 0) {
		s->udx->stock.held -= s->in.cap;
		fifo_fini(&s->in);
	}
	if (s->early.ranges_len == 0) {
		s->udx->stock.held -= reorder_held(&s->early);
		reorder_fini(&s->early);
	}
	if (flight_len(&s->flight) == 0)
		flight_fini(&s->flight);
}

/* Nothing goes out any more. */
static void
drop_out(struct udx_stream *s)
{
	struct udx *u = s->udx;

	alarm_stop(s);
	turn_forget(s);
	sendbuf_fini(&s->out, &u->stock);
	flight_fini(&s->flight);
	if (u->recent == s)
		u->recent = NULL;
	HASH_DEL(u->streams, s);
}

void
stream_close(struct udx_stream *s, int err)
{
	if (s->closed)
		return;
	s->closed = true;
	s->err = err;
	if (s->relay != NULL)
		relay_part(s, err);
	else if (s->connected && err == 0)
		linger_add(s, LINGER_ENDED, s->flight.nxt, s->rcv_nxt);
	else if (s->connected && err != ERR_RESET)
		linger_add(s, LINGER_DESTROYED, s->flight.nxt, s->rcv_nxt);
	drop_out(s);
	udx_tell(s, UDX_EV_CLOSED);
}

void
udx_stream_free(struct udx_stream *s)
{
	struct udx *u = s->udx;

	stream_close(s, ERR_CANCELLED);
	if (s->is_told)
		TAILQ_REMOVE(&u->told, s, told_link);
	if (s->is_warm)
		TAILQ_REMOVE(&u->warm, s, warm_link);
	TAILQ_REMOVE(&u->all, s, all_link);
	messages_fini(s);
	relay_free(s);
	u->stock.held -= s->in.cap + reorder_held(&s->early);
	fifo_fini(&s->in);
	reorder_fini(&s->early);
	free(s);
}

void
udx_end(struct udx_stream *s)
{
	if (s->closed || s->end_wanted)
		return;
	s->end_wanted = true;
	turn_want(s);
}

void
stream_check_end(struct udx_stream *s)
{
	if (s->ended_here && s->ended_there)
		stream_close(s, 0);
}

/* ---- bytes out ---- */

/* How much more may lie in the send buffer. */
static uint64_t
send_room(const struct udx_stream *s)
{
	const struct udx *u = s->udx;
	uint64_t max = u->limits->stream_send;
	/* One window more than is under way: it never runs dry between two
	 * turns, and no more waits here than the path takes in a round. */
	uint64_t ahead = SEND_FIRST;

	if (s->connected)
		ahead += cc_window(&s->cc);
	if (udx_buffered(u) >= u->limits->stream_memory)
		max = STREAM_SHARE;
	if (s->out.len >= max || s->out.unsent >= ahead)
		return 0;
	max -= s->out.len;
	ahead -= s->out.unsent;
	return max < ahead ? max : ahead;
}

size_t
udx_space(struct udx_stream *s)
{
	uint64_t room = send_room(s);

	if (s->closed || s->end_wanted)
		return 0;
	/* The limit also falls without a write, with the window or by others'
	 * buffers: whoever is told that there is no room is woken later. */
	if (room < UDX_SPACE_MIN)
		s->full = true;
	return s->full ? 0 : (size_t)room;
}

uint8_t *
udx_reserve(struct udx_stream *s, size_t n)
{
	return s->closed ? NULL : sendbuf_reserve(&s->out, &s->udx->stock, n);
}

void
udx_commit(struct udx_stream *s, size_t len)
{
	if (len == 0)
		return;
	sendbuf_commit(&s->out, len);
	s->bytes_out += len;
	s->undrained = true;
	(void)udx_space(s); /* the last of it may be used up */
	if (s->connected)
		turn_want(s);
}

void
stream_released(struct udx_stream *s)
{
	uint64_t room = s->full ? send_room(s) : 0;

	if (room >= WAKE_ROOM || (room >= UDX_SPACE_MIN && s->out.unsent == 0)) {
		s->full = false;
		udx_tell(s, UDX_EV_WRITABLE);
	}
	if (s->undrained && s->out.len == 0) {
		s->undrained = false;
		udx_tell(s, UDX_EV_DRAINED);
	}
	if (flight_len(&s->flight) == 0)
		udx_cools(s);
}

/* ---- bytes in ---- */

struct udx_bytes
udx_peek(struct udx_stream *s)
{
	struct udx_bytes b = {.len = fifo_len(&s->in)};

	if (b.len > 0)
		b.p = s->in.p + s->in.head;
	return b;
}

void
udx_consume(struct udx_stream *s, size_t n)
{
	fifo_consume(&s->in, n);
	recv_consumed(s, n);
	if (fifo_len(&s->in) == 0)
		udx_cools(s);
}

size_t
udx_window(const struct udx_stream *s)
{
	return recv_window(s);
}

bool
udx_ended(const struct udx_stream *s)
{
	return s->ended_there && fifo_len(&s->in) == 0;
}

/* ---- what may be asked ---- */

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
	rtt_hint(&s->rtt, rtt_us);
}

void
udx_ignore_timeouts(struct udx_stream *s, bool on)
{
	s->patient = on;
}

void
udx_set_keepalive(struct udx_stream *s, uint32_t ms)
{
	s->keep_us = ms * UDX_MS;
	if (ms == 0 || s->closed)
		s->due[ALARM_KEEP] = WORLD_NEVER;
	else if (s->connected)
		alarm_set(s, ALARM_KEEP, udx_now(s) + s->keep_us);
}

void
udx_status(const struct udx_stream *s, struct udx_status *out)
{
	*out = (struct udx_status){
	    .connected = s->connected,
	    .ended_here = s->ended_here,
	    .ended_there = s->ended_there,
	    .closed = s->closed,
	    .err = s->err,
	    .path = s->path,
	    .mtu = s->mtu.size,
	    .srtt_us = s->rtt.srtt_us,
	    .rttvar_us = s->rtt.rttvar_us,
	    .min_rtt_us = s->rtt.min_us,
	    .rto_us = rtt_timeout(&s->rtt),
	    .in_flight = s->flight.bytes,
	    .waiting = s->out.len,
	    .bytes_out = s->bytes_out,
	    .bytes_in = s->bytes_in,
	    .packets_out = s->packets_out,
	    .packets_in = s->packets_in,
	    .lost = s->lost,
	    .resent = s->resent,
	};
	if (s->connected) {
		out->cwnd = cc_window(&s->cc);
		out->rate = cc_rate(&s->cc);
	}
}
