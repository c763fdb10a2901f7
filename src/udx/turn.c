/* SPDX-License-Identifier: ISC */
#include "udx/inside.h"

/*
 * Streams send in turns, a quantum each, when the node's timers run next: so
 * all that one wake-up brings shares one acknowledgement and one burst, and
 * nobody with much to say keeps others waiting.
 */
static void
run(struct timer *t)
{
	struct udx *u = container_of(t, struct udx, turn);
	struct udx_stream *s;
	size_t sent = 0;

	while (sent < TURN_BYTES && (s = TAILQ_FIRST(&u->ready)) != NULL) {
		TAILQ_REMOVE(&u->ready, s, ready_link);
		s->is_ready = false;
		if (send_turn(s, &sent))
			turn_want(s);
	}
	if (!TAILQ_EMPTY(&u->ready) && !timer_armed(&u->turn))
		(void)timer_arm(u->timers, &u->turn, u->world->now_us);
}

void
turn_init(struct udx *u)
{
	TAILQ_INIT(&u->ready);
	TAILQ_INIT(&u->blocked);
	u->turn.fire = run;
}

void
turn_want(struct udx_stream *s)
{
	struct udx *u = s->udx;

	if (s->is_ready || s->blocked || s->closed)
		return;
	s->is_ready = true;
	TAILQ_INSERT_TAIL(&u->ready, s, ready_link);
	if (!timer_armed(&u->turn))
		(void)timer_arm(u->timers, &u->turn, u->world->now_us);
}

void
turn_block(struct udx_stream *s)
{
	turn_forget(s);
	s->blocked = true;
	TAILQ_INSERT_TAIL(&s->udx->blocked, s, ready_link);
}

void
turn_forget(struct udx_stream *s)
{
	if (s->is_ready)
		TAILQ_REMOVE(&s->udx->ready, s, ready_link);
	if (s->blocked)
		TAILQ_REMOVE(&s->udx->blocked, s, ready_link);
	s->is_ready = s->blocked = false;
}

void
udx_writable(struct udx *u, int sock)
{
	struct udx_stream *s, *next;

	for (s = TAILQ_FIRST(&u->blocked); s != NULL; s = next) {
		next = TAILQ_NEXT(s, ready_link);
		if (s->path.sock != sock)
			continue;
		turn_forget(s);
		turn_want(s);
	}
}
