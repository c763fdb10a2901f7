/* SPDX-License-Identifier: ISC */
/*
 * mux_inside.h - a mux as its two files see it: mux.c (channels and what is
 * sent) and mux_in.c (what is read).
 */
#ifndef STREAM_MUX_INSIDE_H
#define STREAM_MUX_INSIDE_H

#include <sys/queue.h>

#include "stream/mux.h"

enum mux_control {
	MUX_CONTROL_BATCH = 0,
	MUX_CONTROL_OPEN = 1,
	MUX_CONTROL_REJECT = 2,
	MUX_CONTROL_CLOSE = 3,
};

enum mux_state {
	MUX_OFFERED, /* the peer's open came: accepted or rejected by us */
	MUX_OPENING, /* ours was sent: the peer opens or rejects it */
	MUX_OPEN,    /* both were: either closes it */
	/* We closed before the peer had answered, so that our id is not free
	 * until it opens or rejects. */
	MUX_CLOSING,
};

struct mux_channel {
	TAILQ_ENTRY(mux_channel) link; /* oldest first */
	enum mux_state state;
	uint32_t local, remote; /* ids; 0: none yet */
	bool closed_there;      /* while offered: the end of what waits */
	uint8_t protocol_len, id_len;
	uint8_t name[]; /* protocol, id */
};

/* A message for a channel that is offered, or the end of it. */
struct mux_queued {
	STAILQ_ENTRY(mux_queued) link;
	uint32_t remote;
	bool close;
	uint64_t type;
	size_t len;
	uint8_t bytes[];
};

/* A batch that is being read: offsets in the message. */
struct mux_batch {
	uint32_t at, end;
	uint64_t channel;
};

struct mux {
	int err; /* why nothing more is read */

	TAILQ_HEAD(, mux_channel) channels;
	uint32_t channels_len;
	uint32_t remote_top; /* the highest id that the peer has used */

	STAILQ_HEAD(, mux_queued) queue;
	size_t queued;           /* bytes, with what each entry costs */
	bool accepted;           /* some of it may be for an open channel */
	struct mux_queued *lent; /* to the reader */

	bool begun; /* the message's first step was done */
	struct mux_batch batches[MUX_DEPTH_MAX];
	uint32_t depth;

	/* Messages to be sent: length (4, of the machine) and bytes each. */
	uint8_t *out;
	size_t out_head, out_tail, out_cap;
};

struct mux_channel *mux_by_local(struct mux *m, uint64_t id);
struct mux_channel *mux_by_remote(struct mux *m, uint64_t id);

/* The oldest of that name in one of two states, which may be the same. */
struct mux_channel *mux_by_name(struct mux *m, const struct mux_name *name,
    enum mux_state a, enum mux_state b);

/* ERR_LIMIT, ERR_SIZE, ERR_MEMORY, or 0 and a new one at the end. */
int mux_channel_new(struct mux *m, const struct mux_name *name,
    enum mux_state state, struct mux_channel **out);

/* Forgets it and what waits for it. */
void mux_channel_free(struct mux *m, struct mux_channel *c);

static inline size_t
mux_queued_cost(size_t len)
{
	return sizeof(struct mux_queued) + len;
}

/* Bytes to be sent, with what each message costs. */
static inline size_t
mux_out_len(const struct mux *m)
{
	return m->out_tail - m->out_head;
}

/* A control message of one id. Without memory the mux is broken. */
void mux_control(struct mux *m, enum mux_control type, uint32_t id);

#endif
