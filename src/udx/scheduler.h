/* SPDX-License-Identifier: ISC */
/*
 * scheduler.h - which stream sends next.
 *
 * Streams send in turn, a quantum each, when the node's timers run next. So
 * everything received in one wake-up shares one acknowledgement and one burst,
 * and a stream with much data does not delay the others. If its socket is full,
 * a stream waits until udx_writable().
 */
#ifndef UDX_SCHEDULER_H
#define UDX_SCHEDULER_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/timer.h"

struct udx;
struct udx_stream;

TAILQ_HEAD(sched_list, udx_stream);

enum sched_state {
	SCHED_IDLE,
	SCHED_READY,   /* it has, or may have, something to send */
	SCHED_BLOCKED, /* its socket is full */
};

/* Membership of a stream. */
struct sched_entry {
	TAILQ_ENTRY(udx_stream) link; /* in the list of its state */
	enum sched_state state;
};

struct scheduler {
	struct sched_list ready, blocked;
	struct timer timer; /* armed for at once while a stream is ready */
};

void scheduler_init(struct udx *u);
void scheduler_fini(struct udx *u);

/* Makes a stream ready to send, unless it is blocked or closed. */
void scheduler_add(struct udx_stream *s);

/* Makes a stream wait for its socket. */
void scheduler_block(struct udx_stream *s);

/* Returns true if the stream waits for its socket. */
bool scheduler_is_blocked(const struct udx_stream *s);

/* Removes a stream, in whatever state. */
void scheduler_remove(struct udx_stream *s);

#endif
