/* SPDX-License-Identifier: ISC */
/*
 * reclaim.h - frees the empty buffers of streams that have been idle for a
 * second. Freeing them at once would allocate anew for every packet.
 */
#ifndef UDX_RECLAIM_H
#define UDX_RECLAIM_H

#include <sys/queue.h>

#include "base/timer.h"

struct udx;
struct udx_stream;

TAILQ_HEAD(reclaim_list, udx_stream);

enum reclaim_state {
	RECLAIM_NONE, /* in no list */
	RECLAIM_IDLE, /* its buffers were not used since the last sweep */
	RECLAIM_USED, /* they were: it stays for another second */
};

/* Membership of a stream. */
struct reclaim_entry {
	TAILQ_ENTRY(udx_stream) link;
	enum reclaim_state state;
};

struct reclaim {
	struct reclaim_list list;
	struct timer
	    timer; /* the next sweep; armed while the list is not empty */
};

void reclaim_init(struct udx *u);
void reclaim_fini(struct udx *u);

/* Adds a stream that has an empty buffer, or will have one. */
void reclaim_add(struct udx_stream *s);

/* Notes that the buffers of a stream are in use. */
void reclaim_note_use(struct udx_stream *s);
void reclaim_remove(struct udx_stream *s);

#endif
