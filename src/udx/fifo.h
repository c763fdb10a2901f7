/* SPDX-License-Identifier: ISC */
/*
 * fifo.h - bytes received in order and not yet read, in one piece.
 *
 * Grows with its contents; on average each byte is moved at most once. The
 * owner bounds how much it puts in. Knows no packet.
 */
#ifndef UDX_FIFO_H
#define UDX_FIFO_H

#include <stddef.h>
#include <stdint.h>

struct fifo {
	uint8_t *p;
	size_t cap, head, tail; /* contents: [head, tail) */
};

static inline size_t
fifo_len(const struct fifo *f)
{
	return f->tail - f->head;
}

/*
 * Returns space for n bytes at the end, or NULL if memory is short. May move
 * the contents.
 */
uint8_t *fifo_reserve(struct fifo *f, size_t n);

/* Appends the first n bytes of the space that was reserved. */
void fifo_commit(struct fifo *f, size_t n);

/* Removes the first n bytes. */
void fifo_consume(struct fifo *f, size_t n);

/* Frees the memory and empties the FIFO. */
void fifo_fini(struct fifo *f);

#endif
