/* SPDX-License-Identifier: ISC */
/*
 * mux.h - channels over a stream of messages: protomux, protocol 06 §B.
 *
 * Does no I/O: reads step by step in a message that its caller holds, and
 * keeps what is to be sent until the caller has taken it. Knows no stream, no
 * timer and no protocol. A channel works when both ends have opened one of the
 * same name, a protocol and an id; until then what the peer sends for it waits
 * here, and when too much waits, so does the reader. Uses: base.
 */
#ifndef STREAM_MUX_H
#define STREAM_MUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

enum {
	MUX_CHANNELS_MAX = 64,  /* ours and offered; more offers are rejected */
	MUX_NAME_MAX = 64,      /* of a protocol, and of an id */
	MUX_QUEUED_MAX = 32768, /* for offers not answered, as the reference */
	MUX_OUT_MAX = 65536,    /* to be taken by the caller */
	MUX_DEPTH_MAX = 4, /* of batches within batches, which nobody sends */
};

struct mux;

struct mux_name {
	struct bytes protocol, id; /* an absent id is an empty one */
};

struct mux *mux_new(void);
void mux_free(struct mux *m);

/* ---- in ---- */

enum mux_kind {
	MUX_OFFER,   /* the peer opened one that we have not: see mux_open() */
	MUX_OPENED,  /* the peer opened what we had opened */
	MUX_MESSAGE, /* of an open channel */
	MUX_CLOSED,  /* by the peer, or it rejects it; the channel is gone */
};

struct mux_event {
	enum mux_kind kind;
	uint32_t channel;     /* ours; of MUX_OFFER its number as an offer */
	uint64_t type;        /* of MUX_MESSAGE; unknown ones are ignored */
	struct mux_name name; /* of MUX_OFFER */
	struct bytes body;    /* of MUX_MESSAGE; else the peer's handshake */
};

/*
 * Reads on in the message, which the caller holds and hands in again (it may
 * have moved) until it is done with; an absent one is done with when all that
 * has waited was read. What *ev points to is lent until the next
 * call. Returns one of these, or the reason why the connection must be
 * destroyed: ERR_MALFORMED, ERR_MEMORY.
 */
enum {
	MUX_DONE,  /* consume the message */
	MUX_EVENT, /* *ev is filled; read on */
	/* Too much waits: read on when an offer was answered, or when what is
	 * to be sent was taken. */
	MUX_WAIT,
};

int mux_read(struct mux *m, struct bytes message, struct mux_event *ev);

/* ---- channels ---- */

/*
 * Opens a channel, or accepts the oldest offer of that name, of which what has
 * waited is read next. May be used at once. 0 and its number, unique while it
 * lives; ERR_EXISTS (there is one), ERR_SIZE (of a name), ERR_LIMIT, ERR_FULL,
 * ERR_MEMORY. All is copied.
 */
int mux_open(struct mux *m, const struct mux_name *name, struct bytes handshake,
    uint32_t *channel);

/* Refuses an offer. It stays until it is accepted or refused. */
void mux_reject(struct mux *m, uint32_t offer);

/* Nothing more is heard of it. */
void mux_close(struct mux *m, uint32_t channel);

/* 0; ERR_FULL: take what is to be sent; ERR_SIZE, ERR_UNKNOWN, ERR_MEMORY. */
int mux_send(
    struct mux *m, uint32_t channel, uint64_t type, const void *p, size_t len);

/* ---- out ---- */

/* The next message to be sent, lent until any other call; p NULL: none. */
struct bytes mux_peek(const struct mux *m);

/* It was sent. */
void mux_consume(struct mux *m);

#endif
