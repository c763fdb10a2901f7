/* SPDX-License-Identifier: ISC */
/*
 * receive_buffer.h - bytes received in order and not yet read.
 *
 * A list of chunks, in which no byte is ever moved: a packet is copied once, to
 * the end of the last chunk, or its payload is appended as a chunk of its own.
 * The owner bounds how much it puts in. Knows no packet.
 */
#ifndef UDX_RECEIVE_BUFFER_H
#define UDX_RECEIVE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/chunk_pool.h"
#include "udx/udx.h"

enum {
	/* What a payload with a chunk of its own costs beyond its bytes: struct
	 * chunk, the header of the allocation and its alignment. */
	RECEIVE_CHUNK_OVERHEAD = 40,
};

struct receive_buffer {
	struct chunk *first, *last;
	uint32_t head; /* bytes of the first chunk that were consumed */
	uint32_t own;  /* chunks that hold one payload each */
	size_t len;    /* bytes not yet consumed, those detached not counted */
	size_t cap;    /* bytes of all chunks */
	/* Bytes that the reader has taken to memory of its own, and of which it
	 * has not read the rest yet. */
	size_t detached;
};

/* Returns the bytes that are not consumed, with what their chunks cost. */
static inline size_t
receive_buffer_cost(const struct receive_buffer *b)
{
	return b->len + b->detached + (size_t)b->own * RECEIVE_CHUNK_OVERHEAD;
}

/* Returns the bytes of memory that are held, also by the reader. */
static inline size_t
receive_buffer_held(const struct receive_buffer *b)
{
	return b->cap + b->detached + (size_t)b->own * RECEIVE_CHUNK_OVERHEAD;
}

/*
 * Appends a copy of len bytes, in a chunk of their own if `alone`. Returns 0 or
 * ERR_MEMORY.
 */
int receive_buffer_append(struct receive_buffer *b, struct chunk_pool *pool,
    const void *p, size_t len, bool alone);

/* Appends a chunk that holds one payload, and takes it. */
void receive_buffer_link(
    struct receive_buffer *b, struct chunk_pool *pool, struct chunk *c);

/* Returns the first unread bytes, as many as are contiguous. */
struct udx_bytes receive_buffer_front(const struct receive_buffer *b);

/*
 * Stores the pieces that make up n bytes from `skip` on. Returns their number,
 * or 0 if they are more than max.
 */
unsigned receive_buffer_pieces(const struct receive_buffer *b, size_t skip,
    size_t n, struct bytes *out, unsigned max);

/* Copies n bytes from `skip` on, which must be there. */
void receive_buffer_copy(
    const struct receive_buffer *b, size_t skip, uint8_t *out, size_t n);

/* Frees the first n bytes, which count as held until they are consumed. */
void receive_buffer_detach(
    struct receive_buffer *b, struct chunk_pool *pool, size_t n);

/* Consumes the first n bytes, those detached before all others. */
void receive_buffer_consume(
    struct receive_buffer *b, struct chunk_pool *pool, size_t n);

/* Frees the memory and empties the buffer. */
void receive_buffer_fini(struct receive_buffer *b, struct chunk_pool *pool);

#endif
