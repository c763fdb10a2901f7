/* SPDX-License-Identifier: ISC */
/*
 * control_trace.h - the method `trace`: sends the events of streams to a
 * client.
 *
 * A timer reads the traces a few times per second of loop time, a bounded
 * number of events each time, and reads none for a client whose queue is long:
 * neither a fast stream nor a slow reader delays others. What the ring of a
 * trace cannot hold meanwhile is dropped and counted (udx/udx_trace.h).
 */
#ifndef CONTROL_CONTROL_TRACE_H
#define CONTROL_CONTROL_TRACE_H

#include <sys/queue.h>

struct control;
struct control_trace;
struct event;

TAILQ_HEAD(control_trace_list, control_trace);

/* The traces in progress, one for each request. */
struct control_traces {
	struct control_trace_list all;
	struct event *timer; /* armed while there are any */
};

/* Returns 0 or ERR_MEMORY. */
int control_traces_init(struct control *c);

/* To be called when all operations have ended. */
void control_traces_fini(struct control *c);

#endif
