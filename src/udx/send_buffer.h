/* SPDX-License-Identifier: ISC */
/*
 * send_buffer.h - bytes written to a stream and not yet acknowledged.
 *
 * A list of chunks. The writer fills space at the end in place. Each packet is
 * a segment taken from the unsent bytes, and is read again from the position
 * where it begins for as long as it may have to be retransmitted. Knows no
 * packet.
 */
#ifndef UDX_SEND_BUFFER_H
#define UDX_SEND_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/chunk_pool.h"

/* A position in the buffer: a chunk and an offset into it. */
struct segment_pos {
	struct chunk *chunk;
	uint32_t at;
};

struct send_buffer {
	struct chunk *first, *last;
	struct segment_pos next; /* first byte that was in no packet yet */
	uint64_t unsent;         /* bytes from there on */
	uint64_t len;            /* bytes in all */
};

/*
 * Returns contiguous space for n bytes at the end, or NULL if memory is short.
 */
uint8_t *send_buffer_reserve(
    struct send_buffer *b, struct chunk_pool *pool, size_t n);

/* Appends the first len bytes of the space that was reserved. */
void send_buffer_commit(struct send_buffer *b, size_t len);

/* Takes the next n unsent bytes (n <= unsent); returns where they begin. */
struct segment_pos send_buffer_take(struct send_buffer *b, size_t n);

/* Copies n bytes from a position on. */
void send_buffer_read(struct segment_pos from, uint8_t *out, size_t n);

/*
 * Removes the oldest n bytes, which are acknowledged. Frees the chunks before
 * `oldest`, in which the rest begins (NULL: nothing is left).
 */
void send_buffer_release(struct send_buffer *b, struct chunk_pool *pool,
    size_t n, const struct chunk *oldest);

/* Frees everything. */
void send_buffer_fini(struct send_buffer *b, struct chunk_pool *pool);

#endif
