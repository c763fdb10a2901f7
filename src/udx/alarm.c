/* SPDX-License-Identifier: ISC */
#include "udx/inside.h"

/*
 * A stream has many deadlines, most of which move with every packet. The timer
 * is armed for the earliest and left alone when that moves away: it then comes
 * too early once, and is armed anew.
 */
static void
arm(struct udx_stream *s)
{
	uint64_t due = WORLD_NEVER;

	for (int k = 0; k < ALARM_KINDS; k++)
		if (s->due[k] < due)
			due = s->due[k];
	if (due == WORLD_NEVER ||
	    (timer_armed(&s->alarm) && s->alarm.due_us <= due))
		return;
	(void)timer_arm(s->udx->timers, &s->alarm, due);
}

static void
pace_due(struct udx_stream *s)
{
	turn_want(s);
}

static void
fire(struct timer *t)
{
	static void (*const what[ALARM_KINDS])(struct udx_stream * s) = {
	    [ALARM_LOSS] = loss_timer,
	    [ALARM_REORDER] = loss_reordered,
	    [ALARM_PACE] = pace_due,
	    [ALARM_WINDOW] = send_window_probe,
	    [ALARM_KEEP] = send_keepalive,
	};
	struct udx_stream *s = container_of(t, struct udx_stream, alarm);
	uint64_t now = udx_now(s);

	for (int k = 0; k < ALARM_KINDS && !s->closed; k++) {
		if (s->due[k] > now)
			continue;
		s->due[k] = WORLD_NEVER;
		what[k](s);
	}
	arm(s);
}

void
alarm_init(struct udx_stream *s)
{
	s->alarm.fire = fire;
	for (int k = 0; k < ALARM_KINDS; k++)
		s->due[k] = WORLD_NEVER;
}

void
alarm_set(struct udx_stream *s, enum alarm_kind kind, uint64_t due_us)
{
	s->due[kind] = due_us;
	if (due_us != WORLD_NEVER &&
	    !(timer_armed(&s->alarm) && s->alarm.due_us <= due_us))
		arm(s);
}

void
alarm_stop(struct udx_stream *s)
{
	for (int k = 0; k < ALARM_KINDS; k++)
		s->due[k] = WORLD_NEVER;
	timer_disarm(s->udx->timers, &s->alarm);
}
