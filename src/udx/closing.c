/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/pool.h"
#include "udx/stream.h"

enum {
	/* Peers retransmit their END after 1, 3 ... 11 s, then give up. */
	STAY_MS = 14000,
};

/* Waits before further copies of a DESTROY, protocol 05 §14. */
static const uint16_t copy_waits_ms[] = {300, 700};

enum { COPIES = sizeof copy_waits_ms / sizeof *copy_waits_ms };

struct closing_stream {
	UT_hash_handle hh;
	TAILQ_ENTRY(closing_stream) link;
	struct udx *udx;
	struct timer timer; /* the next copy, or the end */
	enum closing_kind kind;
	uint32_t id, seq, ack;
	struct udx_path path;
	struct addr others[UDX_SOURCES_MAX + 1]; /* accepted besides path.to */
	uint8_t others_len;
	uint8_t copies; /* sent after the first */
	uint8_t answers;
	uint64_t until_us;
};

static struct closing_stream *
find_closing(const struct udx *u, uint32_t id)
{
	struct closing_stream *c;

	HASH_FIND_BYHASHVALUE(hh, u->closing.by_id, &id, sizeof id,
	    hash_u64(&u->core->hash_key, id), c);
	return c;
}

static void
free_closing(struct closing_stream *c)
{
	struct udx *u = c->udx;

	timer_disarm(u->core->timers, &c->timer);
	HASH_DEL(u->closing.by_id, c);
	TAILQ_REMOVE(&u->closing.by_age, c, link);
	free(c);
}

/* Sends the acknowledgement, or a DESTROY. */
static void
send_last(const struct closing_stream *c)
{
	struct world *w = c->udx->core->world;
	struct dgram_meta meta = {.sock = c->path.sock, .to = c->path.to};
	struct packet p = {
	    .type = c->kind == CLOSING_ENDED ? PACKET_ACK : PACKET_DESTROY,
	    .id = c->path.id,
	    .rwnd = RECEIVE_WINDOW_FIRST,
	    .seq = c->seq,
	    .ack = c->ack,
	};
	uint8_t *out = w->ops->reserve(w, &meta, PACKET_HEADER);

	if (out == NULL)
		return;
	packet_encode(out, &p);
	if (w->ops->commit(w, PACKET_HEADER) != 0)
		return;
	c->udx->core->stats->tx_datagrams++;
	c->udx->core->stats->tx_bytes += PACKET_HEADER;
}

static void
arm_timer(struct closing_stream *c)
{
	uint64_t due = c->until_us;

	if (c->kind == CLOSING_DESTROYED && c->copies < COPIES)
		due = c->udx->core->world->now_us +
		      copy_waits_ms[c->copies] * UDX_MS;
	timer_arm(c->udx->core->timers, &c->timer, due);
}

/* Handles closing_stream.timer. */
static void
handle_timer(struct timer *t)
{
	struct closing_stream *c =
	    container_of(t, struct closing_stream, timer);

	if (c->udx->core->world->now_us >= c->until_us) {
		free_closing(c);
		return;
	}
	c->copies++;
	send_last(c);
	arm_timer(c);
}

size_t
closing_bytes_max(void)
{
	return UDX_CLOSING_STREAMS_MAX *
	       (heap_bytes(sizeof(struct closing_stream)) + HASH_ENTRY_BYTES);
}

void
closing_init(struct udx *u)
{
	TAILQ_INIT(&u->closing.by_age);
}

static struct closing_stream
describe_stream(const struct udx_stream *s, enum closing_kind kind)
{
	struct closing_stream c = {
	    .udx = s->udx,
	    .timer.fire = handle_timer,
	    .kind = kind,
	    .id = s->id,
	    .path = s->path.current,
	    .until_us = stream_now(s) + STAY_MS * UDX_MS,
	};

	c.others_len = stream_path_other_sources(&s->path, c.others);
	return c;
}

void
closing_add(
    struct udx_stream *s, enum closing_kind kind, uint32_t seq, uint32_t ack)
{
	struct udx *u = s->udx;
	struct closing_stream *c, first = describe_stream(s, kind);

	first.seq = seq;
	first.ack = ack;
	if (kind == CLOSING_DESTROYED)
		send_last(&first);
	if (HASH_COUNT(u->closing.by_id) >= UDX_CLOSING_STREAMS_MAX)
		free_closing(TAILQ_FIRST(&u->closing.by_age));
	c = malloc(sizeof *c);
	if (c == NULL)
		return;
	*c = first;
	HASH_ADD_BYHASHVALUE(hh, u->closing.by_id, id, sizeof c->id,
	    hash_u64(&u->core->hash_key, c->id), c);
	if (c->hh.tbl == NULL) {
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&u->closing.by_age, c, link);
	arm_timer(c);
}

static bool
is_accepted(const struct closing_stream *c, const struct addr *from)
{
	if (addr_equal(from, &c->path.to))
		return true;
	for (int i = 0; i < c->others_len; i++)
		if (addr_equal(from, &c->others[i]))
			return true;
	return false;
}

bool
closing_has(const struct udx *u, uint32_t id)
{
	return find_closing(u, id) != NULL;
}

int
closing_recv(struct udx *u, uint32_t id, const struct dgram *dg)
{
	struct closing_stream *c = find_closing(u, id);
	struct packet p;
	int err;

	if (c == NULL)
		return UDX_NOT_MINE;
	err = packet_decode(&p, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(u->core->stats, err);
	if (!is_accepted(c, &dg->from))
		return stats_drop(u->core->stats, ERR_SPOOFED);
	/* Answers only what needs an answer, or two such ends would answer each
	 * other for ever. */
	if (!(p.type & (PACKET_DATA | PACKET_END | PACKET_HEARTBEAT)) ||
	    p.type & PACKET_DESTROY)
		return 0;
	if (c->answers == UDX_CLOSING_REPLIES_MAX)
		return stats_drop(u->core->stats, ERR_BUDGET);
	c->answers++;
	send_last(c);
	return 0;
}

void
closing_socket_closed(struct udx *u, int sock)
{
	struct closing_stream *c, *next;

	for (c = TAILQ_FIRST(&u->closing.by_age); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->path.sock == sock)
			free_closing(c);
	}
}

void
closing_fini(struct udx *u)
{
	while (!TAILQ_EMPTY(&u->closing.by_age))
		free_closing(TAILQ_FIRST(&u->closing.by_age));
}
