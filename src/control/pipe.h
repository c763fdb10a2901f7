/* SPDX-License-Identifier: ISC */
/*
 * pipe.h - a local program's socket and a connection of the node, joined.
 *
 * Bytes go both ways as far as the other side takes them: what the program
 * does not read stays in the connection, what the peer does not take stays in
 * the socket, so nothing here grows. Each side may end and still receive. A
 * peer that is lost is told by closing the socket, its regular end by closing
 * one direction. Uses the daemon's loop.
 */
#ifndef CONTROL_PIPE_H
#define CONTROL_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct control;
struct evbuffer;
struct pipe;

struct pipe_spec {
	struct control *control;
	int fd;                 /* taken, also on failure */
	uint32_t conn;          /* open */
	struct evbuffer *early; /* what the program has sent already; drained */
	bool heard_all;         /* and it will send no more */
	/*
	 * The pipe has nothing more to do: whoever made it frees it at once.
	 * err is how it ended: 0 if both sides had.
	 */
	void (*over)(void *owner, int err);
	void *owner;
};

/* NULL if memory is short; over() is not called then. */
struct pipe *pipe_new(const struct pipe_spec *spec);

/* The connection, if it is left, is reset. */
void pipe_free(struct pipe *p);

/* Between control_wake() and control_settle(); may end in over(). */
void pipe_ready(struct pipe *p);           /* NEWS_READY, and to begin with */
void pipe_closed(struct pipe *p, int err); /* NEWS_CLOSED */

#endif
