/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "udx/inside.h"

enum {
	SWEEP_MS = 1000,
	SLEPT_MIN_MS = 1000, /* the least timeout: nothing is due by less */
};

/* Empty buffers that were not used since the last time go back. */
static void
sweep(struct timer *t)
{
	struct udx *u = container_of(t, struct udx, sweep);
	struct udx_stream *s, *next;

	for (s = TAILQ_FIRST(&u->warm); s != NULL; s = next) {
		next = TAILQ_NEXT(s, warm_link);
		if (s->touched) {
			s->touched = false;
			continue;
		}
		TAILQ_REMOVE(&u->warm, s, warm_link);
		s->is_warm = false;
		stream_cool(s);
	}
	if (!TAILQ_EMPTY(&u->warm))
		(void)timer_arm(
		    u->timers, &u->sweep, u->world->now_us + SWEEP_MS * UDX_MS);
}

void
udx_cools(struct udx_stream *s)
{
	struct udx *u = s->udx;

	s->touched = true;
	if (s->is_warm)
		return;
	s->is_warm = true;
	TAILQ_INSERT_TAIL(&u->warm, s, warm_link);
	if (!timer_armed(&u->sweep))
		(void)timer_arm(
		    u->timers, &u->sweep, u->world->now_us + SWEEP_MS * UDX_MS);
}

struct udx *
udx_new(const struct core *core)
{
	struct udx *u = calloc(1, sizeof *u);

	if (u == NULL)
		return NULL;
	u->world = core->world;
	u->timers = core->timers;
	u->stats = core->stats;
	u->limits = core->limits;
	u->key = &core->hash_key;
	TAILQ_INIT(&u->all);
	TAILQ_INIT(&u->told);
	TAILQ_INIT(&u->warm);
	u->sweep.fire = sweep;
	turn_init(u);
	linger_init(u);
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
	linger_fini(u);
	timer_disarm(u->timers, &u->turn);
	timer_disarm(u->timers, &u->sweep);
	stock_fini(&u->stock);
	free(u);
}

/* ---- what the world tells ---- */

struct udx_stream *
udx_find(struct udx *u, uint32_t id)
{
	struct udx_stream *s = u->recent;

	/* Packets come in runs. */
	if (s != NULL && s->id == id)
		return s;
	HASH_FIND_BYHASHVALUE(
	    hh, u->streams, &id, sizeof id, hash_u64(u->key, id), s);
	if (s != NULL)
		u->recent = s;
	return s;
}

static int
stream_recv(struct udx_stream *s, const struct dgram *dg)
{
	struct stats *st = s->udx->stats;
	enum path_verdict verdict = path_judge(s, dg);
	struct packet p;
	int err;

	err = packet_decode(&p, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(st, err);
	if (p.type & PACKET_MESSAGE)
		message_in(s, &p, dg, s->connected && verdict != PATH_STRANGER);
	if (verdict == PATH_STRANGER)
		return stats_drop(st, ERR_SPOOFED);
	s->packets_in++;
	recv_packet(s, &p);
	return 0;
}

int
udx_recv(struct udx *u, const struct dgram *dg)
{
	struct udx_stream *s;
	uint32_t id;

	if (!packet_is(dg->buf, dg->len, &id))
		return UDX_NOT_MINE;
	if (dg->from.port == 0)
		return stats_drop(u->stats, ERR_PORT);
	s = udx_find(u, id);
	if (s == NULL)
		return linger_recv(u, id, dg);
	if (s->relay != NULL)
		return relay_recv(s, dg);
	return stream_recv(s, dg);
}

void
udx_slept(struct udx *u, uint64_t us)
{
	struct udx_stream *s, *next;

	if (us < SLEPT_MIN_MS * UDX_MS)
		return;
	HASH_ITER (hh, u->streams, s, next)
		loss_forgive(s);
}

void
udx_socket_closed(struct udx *u, int sock)
{
	struct udx_stream *s, *next;

	HASH_ITER (hh, u->streams, s, next)
		if (s->connected && s->path.sock == sock)
			stream_close(s, ERR_SOCKET);
	linger_socket_closed(u, sock);
}

/* ---- what is told ---- */

void
udx_tell(struct udx_stream *s, unsigned events)
{
	s->events |= events;
	if (s->is_told)
		return;
	s->is_told = true;
	TAILQ_INSERT_TAIL(&s->udx->told, s, told_link);
}

struct udx_stream *
udx_poll(struct udx *u, unsigned *events)
{
	struct udx_stream *s = TAILQ_FIRST(&u->told);

	*events = 0;
	if (s == NULL)
		return NULL;
	TAILQ_REMOVE(&u->told, s, told_link);
	s->is_told = false;
	*events = s->events;
	s->events = 0;
	return s;
}

uint32_t
udx_streams(const struct udx *u)
{
	return HASH_COUNT(u->streams);
}

uint64_t
udx_buffered(const struct udx *u)
{
	return u->stock.held;
}
