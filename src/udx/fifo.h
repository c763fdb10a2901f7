/* SPDX-License-Identifier: ISC */
/*
 * fifo.h - what has arrived in order and was not read yet, in one piece.
 *
 * Grows with what lies in it; moving the bytes costs at most one copy of each.
 * How much may lie in it is its owner's affair. Knows no packet.
 */
#ifndef UDX_FIFO_H
#define UDX_FIFO_H

#include <stddef.h>
#include <stdint.h>

struct fifo {
	uint8_t *p;
	size_t cap, head, tail; /* bytes from head to tail are there */
};

static inline size_t
fifo_len(const struct fifo *f)
{
	return f->tail - f->head;
}

/* Room for n bytes at the end, or NULL: memory. Moves what is there. */
uint8_t *fifo_reserve(struct fifo *f, size_t n);

/* n bytes of the room are filled; the first n bytes were read. */
void fifo_commit(struct fifo *f, size_t n);
void fifo_consume(struct fifo *f, size_t n);

/* Gives the memory back. */
void fifo_fini(struct fifo *f);

#endif
