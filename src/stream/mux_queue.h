/* SPDX-License-Identifier: ISC */
/*
 * mux_queue.h - messages that the peer sent on channels which it has offered
 * and we have not accepted yet. Bounded by MUX_QUEUED_MAX. Uses: base.
 */
#ifndef STREAM_MUX_QUEUE_H
#define STREAM_MUX_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/limits.h"
#include "base/wire.h"

/* A message for an offered channel, or the close of that channel. */
struct mux_queued {
	STAILQ_ENTRY(mux_queued) link;
	uint32_t remote; /* the peer's channel id */
	bool close;
	uint64_t type;
	size_t len;
	uint8_t bytes[];
};

struct mux_queue {
	STAILQ_HEAD(mux_queued_list, mux_queued) list;
	size_t cost;       /* bytes, each entry's own included */
	bool has_accepted; /* some may be for an accepted channel */
	struct mux_queued
	    *lent; /* handed to the reader, freed at its next call */
};

void mux_queue_init(struct mux_queue *q);

/* Frees the entry that is lent; mux_queue_drop() frees those of a channel. */
void mux_queue_release(struct mux_queue *q);

/*
 * Copies a message to the end. Returns 0, ERR_FULL (over MUX_QUEUED_MAX) or
 * ERR_MEMORY.
 */
int mux_queue_push(struct mux_queue *q, uint32_t remote, bool close,
    uint64_t type, struct bytes body) __attribute__((warn_unused_result));

/* Removes an entry of the list and lends it to the reader. */
void mux_queue_lend(struct mux_queue *q, struct mux_queued *entry);

/* Frees all entries of the peer's channel id. */
void mux_queue_drop(struct mux_queue *q, uint32_t remote);

#endif
