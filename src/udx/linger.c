/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/inside.h"

enum {
	LINGERS_MAX = 4096, /* the oldest goes */
	/* Peers send their END again after 1, 3 ... 11 s, and then give up. */
	STAY_MS = 14000,
	ANSWERS_MAX = 16, /* to packets that come late */
};

/* Copies of a DESTROY, protocol 05 §14: when, after the one before. */
static const uint16_t copies_ms[] = {300, 700};

enum { COPIES = sizeof copies_ms / sizeof *copies_ms };

struct linger {
	UT_hash_handle hh;
	TAILQ_ENTRY(linger) link;
	struct udx *udx;
	struct timer timer;
	enum linger_kind kind;
	uint32_t id, seq, ack;
	struct udx_path path;
	struct addr others[UDX_SOURCES_MAX + 1]; /* who may speak, too */
	uint8_t others_len;
	uint8_t copies; /* sent after the first */
	uint8_t answers;
	uint64_t until_us;
};

static struct linger *
find(const struct udx *u, uint32_t id)
{
	struct linger *l;

	HASH_FIND_BYHASHVALUE(
	    hh, u->lingering, &id, sizeof id, hash_u64(u->key, id), l);
	return l;
}

static void
forget(struct linger *l)
{
	struct udx *u = l->udx;

	timer_disarm(u->timers, &l->timer);
	HASH_DEL(u->lingering, l);
	TAILQ_REMOVE(&u->lingers, l, link);
	free(l);
}

static void
say(const struct linger *l)
{
	struct world *w = l->udx->world;
	struct dgram_meta meta = {.sock = l->path.sock, .to = l->path.to};
	struct packet p = {
	    .type = l->kind == LINGER_ENDED ? PACKET_ACK : PACKET_DESTROY,
	    .id = l->path.id,
	    .rwnd = WINDOW_FIRST,
	    .seq = l->seq,
	    .ack = l->ack,
	};
	uint8_t *out = w->ops->reserve(w, &meta, PACKET_HEADER);

	if (out == NULL)
		return;
	packet_encode(out, &p);
	if (w->ops->commit(w, PACKET_HEADER) != 0)
		return;
	l->udx->stats->tx_datagrams++;
	l->udx->stats->tx_bytes += PACKET_HEADER;
}

static void
arm(struct linger *l)
{
	uint64_t due = l->until_us;

	if (l->kind == LINGER_DESTROYED && l->copies < COPIES)
		due = l->udx->world->now_us + copies_ms[l->copies] * UDX_MS;
	/* Without memory for the timer it stays until others push it out. */
	(void)timer_arm(l->udx->timers, &l->timer, due);
}

static void
step(struct timer *t)
{
	struct linger *l = container_of(t, struct linger, timer);

	if (l->udx->world->now_us >= l->until_us) {
		forget(l);
		return;
	}
	l->copies++;
	say(l);
	arm(l);
}

void
linger_init(struct udx *u)
{
	TAILQ_INIT(&u->lingers);
}

static struct linger
made_of(const struct udx_stream *s, enum linger_kind kind)
{
	struct linger l = {
	    .udx = s->udx,
	    .timer.fire = step,
	    .kind = kind,
	    .id = s->id,
	    .path = s->path,
	    .others_len = s->allowed_len,
	    .until_us = udx_now(s) + STAY_MS * UDX_MS,
	};

	memcpy(l.others, s->allowed, s->allowed_len * sizeof *l.others);
	if (s->moving)
		l.others[l.others_len++] = s->old_to;
	return l;
}

void
linger_add(
    struct udx_stream *s, enum linger_kind kind, uint32_t seq, uint32_t ack)
{
	struct udx *u = s->udx;
	struct linger *l, first = made_of(s, kind);

	first.seq = seq;
	first.ack = ack;
	if (kind == LINGER_DESTROYED)
		say(&first);
	if (HASH_COUNT(u->lingering) >= LINGERS_MAX)
		forget(TAILQ_FIRST(&u->lingers));
	l = malloc(sizeof *l);
	if (l == NULL)
		return;
	*l = first;
	HASH_ADD_BYHASHVALUE(
	    hh, u->lingering, id, sizeof l->id, hash_u64(u->key, l->id), l);
	if (l->hh.tbl == NULL) {
		free(l);
		return;
	}
	TAILQ_INSERT_TAIL(&u->lingers, l, link);
	arm(l);
}

static bool
may_speak(const struct linger *l, const struct addr *from)
{
	if (addr_equal(from, &l->path.to))
		return true;
	for (int i = 0; i < l->others_len; i++)
		if (addr_equal(from, &l->others[i]))
			return true;
	return false;
}

bool
linger_has(const struct udx *u, uint32_t id)
{
	return find(u, id) != NULL;
}

int
linger_recv(struct udx *u, uint32_t id, const struct dgram *dg)
{
	struct linger *l = find(u, id);
	struct packet p;
	int err;

	if (l == NULL)
		return UDX_NOT_MINE;
	err = packet_decode(&p, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(u->stats, err);
	if (!may_speak(l, &dg->from))
		return stats_drop(u->stats, ERR_SPOOFED);
	/* Only what wants an answer gets one: two such ends fall silent. */
	if (!(p.type & (PACKET_DATA | PACKET_END | PACKET_HEARTBEAT)) ||
	    p.type & PACKET_DESTROY)
		return 0;
	if (l->answers == ANSWERS_MAX)
		return stats_drop(u->stats, ERR_BUDGET);
	l->answers++;
	say(l);
	return 0;
}

void
linger_socket_closed(struct udx *u, int sock)
{
	struct linger *l, *next;

	for (l = TAILQ_FIRST(&u->lingers); l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->path.sock == sock)
			forget(l);
	}
}

void
linger_fini(struct udx *u)
{
	while (!TAILQ_EMPTY(&u->lingers))
		forget(TAILQ_FIRST(&u->lingers));
}
