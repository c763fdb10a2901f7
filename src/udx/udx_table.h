/* SPDX-License-Identifier: ISC */
/*
 * udx_table.h - all streams of a node, and what they share.
 *
 * Timers:
 *	scheduler.timer    a stream is ready to send; armed for at once
 *	reclaim.timer      sweeps empty buffers, each second while there are any
 *	closing_stream.timer  the next step of a stream that is gone
 *	udx_stream.timer   the earliest deadline of a stream
 */
#ifndef UDX_UDX_TABLE_H
#define UDX_UDX_TABLE_H

#include <sys/queue.h>

#include "udx/chunk_pool.h"
#include "udx/closing.h"
#include "udx/reclaim.h"
#include "udx/scheduler.h"
#include "udx/udx.h"

#define UDX_MS UINT64_C(1000)

TAILQ_HEAD(stream_list, udx_stream);

struct udx {
	const struct core *core;     /* borrowed */
	struct udx_stream *streams;  /* not closed, by id */
	struct udx_stream *recent;   /* the last one found, or NULL */
	struct stream_list all;      /* closed ones included */
	struct stream_list notified; /* those with events, oldest first */
	struct scheduler scheduler;
	struct reclaim reclaim;
	struct chunk_pool chunks;
	struct closing_table closing;
	uint32_t traces_len; /* streams that are traced, gone ones included */
};

/* Returns the stream with this id that is not closed, or NULL. */
struct udx_stream *udx_find_stream(struct udx *u, uint32_t id);

#endif
