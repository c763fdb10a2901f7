/* SPDX-License-Identifier: ISC */
/*
 * stream_timer.h - the timer of a stream, armed for the earliest deadline of
 * its parts:
 *
 *	loss.due_us                tail loss probe or retransmission timeout
 *	loss.reorder_due_us        packets count as lost (RACK)
 *	pacer.wake_us              more may leave
 *	heartbeat.window_due_us    the peer's window of 0 is probed
 *	heartbeat.keepalive_due_us the stream was idle for the interval
 */
#ifndef UDX_STREAM_TIMER_H
#define UDX_STREAM_TIMER_H

#include <stdint.h>

struct udx_stream;

void stream_timer_init(struct udx_stream *s);

/* Returns the earliest deadline, or WORLD_NEVER. */
uint64_t stream_timer_deadline(const struct udx_stream *s);

/* Arms the timer anew; called whenever a deadline may have come nearer. */
void stream_timer_update(struct udx_stream *s);
void stream_timer_stop(struct udx_stream *s);

#endif
