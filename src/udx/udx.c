/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "udx/stream.h"
#include "udx/stream_recv.h"
#include "udx/stream_timer.h"
#include "udx/udx_relay.h"

enum {
	SLEPT_MIN_MS = 1000, /* no timeout is shorter */
};

struct udx *
udx_new(const struct core *core)
{
	struct udx *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	u->core = core;
	TAILQ_INIT(&u->all);
	TAILQ_INIT(&u->notified);
	scheduler_init(u);
	reclaim_init(u);
	closing_init(u);
	return u;
}

void
udx_free(struct udx *u)
{
	struct udx_stream *s, *next;

	if (u == NULL)
		return;
	for (s = TAILQ_FIRST(&u->all); s != NULL; s = next) {
		next = TAILQ_NEXT(s, all_link);
		udx_stream_free(s);
	}
	closing_fini(u);
	scheduler_fini(u);
	reclaim_fini(u);
	chunk_pool_fini(&u->chunks);
	free(u);
}

/* ---- input from the world ---- */

struct udx_stream *
udx_find_stream(struct udx *u, uint32_t id)
{
	struct udx_stream *s = u->recent;

	/* Packets of one stream arrive in runs. */
	if (s != NULL && s->id == id)
		return s;
	HASH_FIND_BYHASHVALUE(hh, u->streams, &id, sizeof id,
	    hash_u64(&u->core->hash_key, id), s);
	if (s != NULL)
		u->recent = s;
	return s;
}

int
udx_recv(struct udx *u, const struct dgram *dg)
{
	struct udx_stream *s;
	uint32_t id;

	if (!packet_is(dg->buf, dg->len, &id))
		return UDX_NOT_MINE;
	if (dg->from.port == 0)
		return stats_drop(u->core->stats, ERR_PORT);
	s = udx_find_stream(u, id);
	if (s == NULL)
		return closing_recv(u, id, dg);
	if (s->relay != NULL)
		return relay_half_recv(s, dg);
	return stream_recv(s, dg);
}

void
udx_slept(struct udx *u, uint64_t us)
{
	struct udx_stream *s, *next;

	if (us < SLEPT_MIN_MS * UDX_MS)
		return;
	HASH_ITER (hh, u->streams, s, next) {
		loss_restart_waits(&s->loss, u->core->world->now_us);
		s->heartbeat.unanswered = 0;
		stream_timer_update(s);
	}
}

void
udx_socket_closed(struct udx *u, int sock)
{
	struct udx_stream *s, *next;

	HASH_ITER (hh, u->streams, s, next)
		if (stream_path_is_set(&s->path) &&
		    s->path.current.sock == sock)
			stream_close(s, ERR_SOCKET);
	closing_socket_closed(u, sock);
}

/* ---- events ---- */

struct udx_stream *
udx_poll(struct udx *u, unsigned *events)
{
	struct udx_stream *s = TAILQ_FIRST(&u->notified);

	*events = 0;
	if (s == NULL)
		return NULL;
	TAILQ_REMOVE(&u->notified, s, notified_link);
	*events = s->events;
	s->events = 0;
	return s;
}

uint32_t
udx_streams(const struct udx *u)
{
	return HASH_COUNT(u->streams);
}

size_t
udx_bytes_max(const struct limits *l)
{
	/* The stream that reaches the limit may exceed it by a chunk, and by
	 * the tables for packets out of order. */
	size_t tables = UDX_REASSEMBLY_DISTANCE_PACKETS_MAX * sizeof(void *) +
			UDX_REASSEMBLY_RANGES_MAX * sizeof(struct packet_range);

	return l->stream_memory_bytes / RECEIVE_MEMORY_PART +
	       closing_bytes_max() + tables +
	       (SPARE_CHUNKS_MAX + 1) *
		   heap_bytes(sizeof(struct chunk) + CHUNK_BYTES);
}

uint64_t
udx_buffered(const struct udx *u)
{
	return u->chunks.held;
}
