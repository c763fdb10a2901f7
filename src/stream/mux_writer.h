/* SPDX-License-Identifier: ISC */
/*
 * mux_writer.h - a FIFO of encoded messages that are to be sent.
 *
 * One buffer that grows; each message is preceded by its length. The callers
 * bound it: MUX_OUT_MAX for what the application sends. Uses: base.
 */
#ifndef STREAM_MUX_WRITER_H
#define STREAM_MUX_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/wire.h"

/* All zero: empty. */
struct mux_writer {
	uint8_t *buf;
	size_t head, tail, cap;
};

void mux_writer_fini(struct mux_writer *w);

/* Returns the bytes queued, the length of each message included. */
static inline size_t
mux_writer_len(const struct mux_writer *w)
{
	return w->tail - w->head;
}

/* Returns space for a message of at most max bytes; NULL if memory is short. */
uint8_t *mux_writer_reserve(struct mux_writer *w, size_t max);

/* Appends the message of len bytes that was written into that space. */
void mux_writer_commit(struct mux_writer *w, size_t len);

/* Returns the first message, borrowed until any other call; p NULL: none. */
struct bytes mux_writer_peek(const struct mux_writer *w);

/* Removes the first message. */
void mux_writer_consume(struct mux_writer *w);

#endif
