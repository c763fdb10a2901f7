/* SPDX-License-Identifier: ISC */
/*
 * mux.h - channels over a stream of messages: protomux, protocol 06 §B.
 *
 * Does no I/O: reads step by step in a message that its caller holds, and
 * queues what is to be sent until the caller takes it. Knows no stream, timer
 * or protocol. A channel works once both ends have opened one of the same name,
 * a protocol and an id. What the peer sends before that is queued here; when
 * the queue is full, reading pauses. Uses: base.
 */
#ifndef STREAM_MUX_H
#define STREAM_MUX_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "stream/mux_channel.h"
#include "stream/mux_queue.h"
#include "stream/mux_reader.h"
#include "stream/mux_writer.h"

enum mux_control {
	MUX_CONTROL_BATCH = 0,
	MUX_CONTROL_OPEN = 1,
	MUX_CONTROL_REJECT = 2,
	MUX_CONTROL_CLOSE = 3,
};

/* One session. Its parts are read by the files of the mux and by tests. */
struct mux {
	int err; /* why nothing more is read */
	struct mux_channels channels;
	struct mux_queue queue;
	struct mux_reader reader;
	struct mux_writer writer;
};

/* Returns NULL if memory is short. Free with mux_free(). */
struct mux *mux_new(void);
void mux_free(struct mux *m);

/* ---- receiving ---- */

enum mux_kind {
	MUX_OFFER,   /* the peer opened a channel that we have not opened */
	MUX_OPENED,  /* the peer opened what we had opened */
	MUX_MESSAGE, /* of an open channel */
	MUX_CLOSED,  /* by the peer, or rejected by it; the channel is freed */
};

struct mux_event {
	enum mux_kind kind;
	uint32_t channel;     /* ours; of MUX_OFFER its number as an offer */
	uint64_t type;        /* of MUX_MESSAGE; unknown ones are ignored */
	struct mux_name name; /* of MUX_OFFER */
	struct bytes body;    /* of MUX_MESSAGE; else the peer's handshake */
};

/*
 * Reads the next step of the message. The caller holds the message and passes
 * it again, at any address, until MUX_DONE; an empty message reads what was
 * queued. What *ev points to is borrowed until the next call. Returns one of
 * these, or the reason why the connection must be destroyed: ERR_MALFORMED or
 * ERR_MEMORY.
 */
enum {
	MUX_DONE,  /* consume the message */
	MUX_EVENT, /* *ev is filled; call again */
	/* Too much is queued: call again after an offer was answered or a
	 * queued message was sent. */
	MUX_WAIT,
};

int mux_read(struct mux *m, struct bytes message, struct mux_event *ev)
    __attribute__((warn_unused_result));

/* ---- channels ---- */

/*
 * Opens a channel, or accepts the oldest offer of that name; what was queued
 * for the offer is read next. The channel may be used at once. Copies its
 * arguments. Returns 0 and the channel's number, unique while it lives, or
 * ERR_EXISTS, ERR_SIZE (of a name), ERR_LIMIT, ERR_FULL or ERR_MEMORY.
 */
int mux_open(struct mux *m, const struct mux_name *name, struct bytes handshake,
    uint32_t *channel) __attribute__((warn_unused_result));

/* Rejects an offer. An offer stays until it is accepted or rejected. */
void mux_reject(struct mux *m, uint32_t offer);

/* Closes a channel; no event of it follows. */
void mux_close(struct mux *m, uint32_t channel);

/*
 * Queues a message. Returns 0, ERR_FULL (until queued messages are sent),
 * ERR_SIZE, ERR_UNKNOWN or ERR_MEMORY.
 */
int mux_send(struct mux *m, uint32_t channel, uint64_t type, const void *p,
    size_t len) __attribute__((warn_unused_result));

/* ---- sending ---- */

/*
 * Returns the next message to send, borrowed until any other call; p is NULL
 * if there is none.
 */
struct bytes mux_peek(const struct mux *m);

/* Removes the message that mux_peek() returned, after it was sent. */
void mux_consume(struct mux *m);

/* ---- used by the reader ---- */

/* Frees a channel and the messages queued for it. */
void mux_forget(struct mux *m, struct mux_channel *c);

/* Queues a control message with one id. Fails the mux if memory is short. */
void mux_control(struct mux *m, enum mux_control type, uint32_t id);

#endif
