/* SPDX-License-Identifier: ISC */
#include "udx/scheduler.h"
#include "udx/stream.h"
#include "udx/stream_send.h"

enum {
	/* Bytes sent in one run; then the node reads and serves others. */
	RUN_BYTES_MAX = 1 << 20,
};

/* Changes the state of a stream and moves it to the list of that state. */
static void
set_state(struct udx_stream *s, enum sched_state state)
{
	struct scheduler *sched = &s->udx->scheduler;

	if (s->sched.state == SCHED_READY)
		TAILQ_REMOVE(&sched->ready, s, sched.link);
	else if (s->sched.state == SCHED_BLOCKED)
		TAILQ_REMOVE(&sched->blocked, s, sched.link);
	s->sched.state = state;
	if (state == SCHED_READY)
		TAILQ_INSERT_TAIL(&sched->ready, s, sched.link);
	else if (state == SCHED_BLOCKED)
		TAILQ_INSERT_TAIL(&sched->blocked, s, sched.link);
}

static void
arm_timer(struct udx *u)
{
	if (!timer_armed(&u->scheduler.timer))
		timer_arm(u->core->timers, &u->scheduler.timer,
		    u->core->world->now_us);
}

/* Handles scheduler.timer: lets ready streams send in turn. */
static void
run_streams(struct timer *t)
{
	struct udx *u = container_of(t, struct udx, scheduler.timer);
	struct udx_stream *s;
	size_t sent = 0;

	while (sent < RUN_BYTES_MAX &&
	       (s = TAILQ_FIRST(&u->scheduler.ready)) != NULL) {
		set_state(s, SCHED_IDLE);
		if (stream_send_turn(s, &sent))
			scheduler_add(s);
	}
	if (!TAILQ_EMPTY(&u->scheduler.ready))
		arm_timer(u);
}

void
scheduler_init(struct udx *u)
{
	TAILQ_INIT(&u->scheduler.ready);
	TAILQ_INIT(&u->scheduler.blocked);
	u->scheduler.timer.fire = run_streams;
}

void
scheduler_fini(struct udx *u)
{
	timer_disarm(u->core->timers, &u->scheduler.timer);
}

void
scheduler_add(struct udx_stream *s)
{
	if (s->sched.state != SCHED_IDLE || stream_is_closed(s))
		return;
	set_state(s, SCHED_READY);
	arm_timer(s->udx);
}

void
scheduler_block(struct udx_stream *s)
{
	set_state(s, SCHED_BLOCKED);
}

bool
scheduler_is_blocked(const struct udx_stream *s)
{
	return s->sched.state == SCHED_BLOCKED;
}

void
scheduler_remove(struct udx_stream *s)
{
	set_state(s, SCHED_IDLE);
}

void
udx_writable(struct udx *u, int sock)
{
	struct udx_stream *s, *next;

	for (s = TAILQ_FIRST(&u->scheduler.blocked); s != NULL; s = next) {
		next = TAILQ_NEXT(s, sched.link);
		if (s->path.current.sock != sock)
			continue;
		scheduler_remove(s);
		scheduler_add(s);
	}
}
