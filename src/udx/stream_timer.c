/* SPDX-License-Identifier: ISC */
#include "udx/stream.h"
#include "udx/stream_recv.h"
#include "udx/stream_send.h"
#include "udx/stream_timer.h"
#include "udx/stream_trace.h"

static uint64_t
min_deadline(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t
stream_timer_deadline(const struct udx_stream *s)
{
	uint64_t due = min_deadline(s->loss.due_us, s->loss.reorder_due_us);

	due = min_deadline(due, s->pacer.wake_us);
	due = min_deadline(due, s->ack_delay.due_us);
	due = min_deadline(due, s->heartbeat.window_due_us);
	return min_deadline(due, s->heartbeat.keepalive_due_us);
}

/* Returns true if the timer is armed and will not fire too late for `due`. */
static bool
fires_in_time(const struct udx_stream *s, uint64_t due)
{
	if (!timer_armed(&s->timer))
		return false;
	/* One that is due already fires in this wake-up, or in the next. */
	return s->timer.due_us <= due || s->timer.due_us <= stream_now(s);
}

/*
 * Most deadlines move with every packet, mostly away. The timer then stays: it
 * fires too early once and is armed anew.
 */
void
stream_timer_update(struct udx_stream *s)
{
	uint64_t due = stream_timer_deadline(s);

	if (!stream_is_closed(s) && due != WORLD_NEVER &&
	    !fires_in_time(s, due))
		timer_arm(s->udx->core->timers, &s->timer, due);
}

static void
expire_loss(struct udx_stream *s)
{
	bool window_closed = s->send.peer_window == 0;
	bool timeout = s->loss.timer == LOSS_TIMER_TIMEOUT;
	enum loss_action action;

	if (s->loss.trace != NULL && in_flight_len(&s->loss.in_flight) > 0)
		trace_timer(s->loss.trace, timeout);
	action = loss_timer_expired(&s->loss, window_closed, stream_now(s));
	if (s->loss.trace != NULL && action == LOSS_TIMED_OUT)
		trace_metrics(s->loss.trace);
	switch (action) {
	case LOSS_NOTHING:
		break;
	case LOSS_SEND_PROBE:
		stream_send_probe(s);
		break;
	case LOSS_TIMED_OUT:
		stream_notify(s, UDX_EV_STALLED);
		scheduler_add(s);
		break;
	case LOSS_GIVE_UP:
		s->udx->core->stats->streams_timed_out++;
		stream_close(s, ERR_TIMEOUT);
		break;
	}
}

static void
expire_reorder(struct udx_stream *s)
{
	loss_reorder_expired(&s->loss, stream_now(s));
	if (s->loss.in_flight.lost.len > 0)
		scheduler_add(s);
}

static void
expire_pacer(struct udx_stream *s)
{
	s->pacer.wake_us = WORLD_NEVER;
	scheduler_add(s);
}

static void
expire_ack_delay(struct udx_stream *s)
{
	ack_delay_expired(&s->ack_delay);
	s->receive.ack_due = true;
	scheduler_add(s);
}

static void
expire_window_probe(struct udx_stream *s)
{
	heartbeat_window_expired(
	    &s->heartbeat, rtt_timeout(&s->loss.rtt), stream_now(s));
	stream_request_heartbeat(s);
}

static void
expire_keepalive(struct udx_stream *s)
{
	uint64_t now = stream_now(s);
	bool all_acked = in_flight_len(&s->loss.in_flight) == 0;

	if (heartbeat_keepalive_expired(
		&s->heartbeat, now - s->sent_us, all_acked, now))
		stream_request_heartbeat(s);
}

/* Handles udx_stream.timer. */
static void
fire_timer(struct timer *t)
{
	struct udx_stream *s = container_of(t, struct udx_stream, timer);
	uint64_t now = stream_now(s);

	if (s->loss.due_us <= now)
		expire_loss(s);
	if (!stream_is_closed(s) && s->loss.reorder_due_us <= now)
		expire_reorder(s);
	if (!stream_is_closed(s) && s->pacer.wake_us <= now)
		expire_pacer(s);
	if (!stream_is_closed(s) && s->ack_delay.due_us <= now)
		expire_ack_delay(s);
	if (!stream_is_closed(s) && s->heartbeat.window_due_us <= now)
		expire_window_probe(s);
	if (!stream_is_closed(s) && s->heartbeat.keepalive_due_us <= now)
		expire_keepalive(s);
	stream_timer_update(s);
}

void
stream_timer_init(struct udx_stream *s)
{
	s->timer.fire = fire_timer;
}

void
stream_timer_stop(struct udx_stream *s)
{
	timer_disarm(s->udx->core->timers, &s->timer);
}
