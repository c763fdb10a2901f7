/* SPDX-License-Identifier: ISC */
#include "udx/reclaim.h"
#include "udx/stream.h"

enum { SWEEP_MS = 1000 };

static void
arm_timer(struct udx *u)
{
	timer_arm(u->core->timers, &u->reclaim.timer,
	    u->core->world->now_us + SWEEP_MS * UDX_MS);
}

/* Handles reclaim.timer. */
static void
sweep_streams(struct timer *t)
{
	struct udx *u = container_of(t, struct udx, reclaim.timer);
	struct udx_stream *s, *next;

	for (s = TAILQ_FIRST(&u->reclaim.list); s != NULL; s = next) {
		next = TAILQ_NEXT(s, reclaim.link);
		if (s->reclaim.state == RECLAIM_USED) {
			s->reclaim.state = RECLAIM_IDLE;
			continue;
		}
		reclaim_remove(s);
		stream_trim(s);
	}
	if (!TAILQ_EMPTY(&u->reclaim.list))
		arm_timer(u);
}

void
reclaim_init(struct udx *u)
{
	TAILQ_INIT(&u->reclaim.list);
	u->reclaim.timer.fire = sweep_streams;
}

void
reclaim_fini(struct udx *u)
{
	timer_disarm(u->core->timers, &u->reclaim.timer);
}

void
reclaim_add(struct udx_stream *s)
{
	struct udx *u = s->udx;

	if (s->reclaim.state == RECLAIM_NONE)
		TAILQ_INSERT_TAIL(&u->reclaim.list, s, reclaim.link);
	s->reclaim.state = RECLAIM_USED;
	if (!timer_armed(&u->reclaim.timer))
		arm_timer(u);
}

void
reclaim_note_use(struct udx_stream *s)
{
	if (s->reclaim.state == RECLAIM_IDLE)
		s->reclaim.state = RECLAIM_USED;
}

void
reclaim_remove(struct udx_stream *s)
{
	if (s->reclaim.state == RECLAIM_NONE)
		return;
	TAILQ_REMOVE(&s->udx->reclaim.list, s, reclaim.link);
	s->reclaim.state = RECLAIM_NONE;
}
