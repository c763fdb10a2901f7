/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "udx/receive_buffer.h"

enum {
	/*
	 * Chunks grow with what is held: the first one fits the header of a
	 * stream, or a keep-alive.
	 */
	FIRST_CHUNK_BYTES = 256 - sizeof(struct chunk),
	SECOND_CHUNK_BYTES = 4096 - sizeof(struct chunk),
	THIRD_CHUNK_BYTES = 12288 - sizeof(struct chunk),
};

static size_t
next_chunk_capacity(const struct receive_buffer *b, size_t n)
{
	if (b->cap < FIRST_CHUNK_BYTES && n <= FIRST_CHUNK_BYTES)
		return FIRST_CHUNK_BYTES;
	if (b->cap < SECOND_CHUNK_BYTES)
		return SECOND_CHUNK_BYTES;
	if (b->cap < THIRD_CHUNK_BYTES)
		return THIRD_CHUNK_BYTES;
	return CHUNK_BYTES;
}

/* Counts a chunk that holds one payload, whose overhead is a large part of its
 * memory, or with -1 one that is freed. */
static void
count_alone(struct receive_buffer *b, struct chunk_pool *pool, int n)
{
	b->own += (uint32_t)n;
	pool->held += (uint64_t)((int64_t)n * RECEIVE_CHUNK_OVERHEAD);
}

static void
free_first(struct receive_buffer *b, struct chunk_pool *pool)
{
	struct chunk *c = b->first;

	b->first = c->next;
	if (b->first == NULL)
		b->last = NULL;
	b->head = 0;
	b->cap -= c->cap;
	if (c->alone)
		count_alone(b, pool, -1);
	chunk_free(pool, c);
}

/* Frees the chunk that was kept for reuse if the buffer is empty. */
static void
free_empty(struct receive_buffer *b, struct chunk_pool *pool)
{
	if (b->len == 0 && b->first != NULL)
		free_first(b, pool);
}

static void
append_chunk(struct receive_buffer *b, struct chunk *c)
{
	if (b->last != NULL)
		b->last->next = c;
	else
		b->first = c;
	b->last = c;
	b->cap += c->cap;
}

/* Returns a chunk with space for one payload, or for further ones after it. */
static struct chunk *
new_chunk(
    struct receive_buffer *b, struct chunk_pool *pool, size_t n, bool alone)
{
	struct chunk *c =
	    chunk_new(pool, alone ? n : next_chunk_capacity(b, n));

	if (c == NULL)
		return NULL;
	c->alone = alone;
	if (alone)
		count_alone(b, pool, 1);
	return c;
}

static void
fill_chunk(struct chunk *c, const uint8_t *p, size_t n)
{
	if (n > 0)
		memcpy(c->bytes + c->len, p, n);
	c->len += (uint32_t)n;
}

int
receive_buffer_append(struct receive_buffer *b, struct chunk_pool *pool,
    const void *p, size_t len, bool alone)
{
	struct chunk *last = b->last, *c;
	size_t here = last != NULL && !alone ? last->cap - last->len : 0;

	if (here > len)
		here = len;
	if (here < len) {
		c = new_chunk(b, pool, len - here, alone);
		if (c == NULL)
			return ERR_MEMORY;
		if (alone)
			free_empty(b, pool);
		append_chunk(b, c);
		fill_chunk(c, (const uint8_t *)p + here, len - here);
	}
	if (here > 0)
		fill_chunk(last, p, here);
	b->len += len;
	return 0;
}

void
receive_buffer_link(
    struct receive_buffer *b, struct chunk_pool *pool, struct chunk *c)
{
	free_empty(b, pool);
	c->next = NULL;
	pool->held += c->cap;
	append_chunk(b, c);
	count_alone(b, pool, 1);
	b->len += c->len;
}

struct udx_bytes
receive_buffer_front(const struct receive_buffer *b)
{
	struct chunk *c = b->first;

	if (b->len == 0)
		return (struct udx_bytes){0};
	return (struct udx_bytes){c->bytes + b->head, c->len - b->head};
}

/* A place in the buffer, from which pieces are read one after another. */
struct buffer_place {
	const struct chunk *chunk;
	size_t at;
};

static struct buffer_place
find_place(const struct receive_buffer *b, size_t skip)
{
	struct buffer_place at = {b->first, b->head};

	while (at.chunk != NULL && skip >= at.chunk->len - at.at) {
		skip -= at.chunk->len - at.at;
		at = (struct buffer_place){at.chunk->next, 0};
	}
	at.at += skip;
	return at;
}

/* Returns the piece at the place, of n bytes at most, and moves on. */
static struct bytes
read_piece(struct buffer_place *at, size_t n)
{
	struct bytes piece = {
	    at->chunk->bytes + at->at, at->chunk->len - at->at};

	if (piece.len > n)
		piece.len = n;
	*at = (struct buffer_place){at->chunk->next, 0};
	return piece;
}

unsigned
receive_buffer_pieces(const struct receive_buffer *b, size_t skip, size_t n,
    struct bytes *out, unsigned max)
{
	struct buffer_place at = find_place(b, skip);
	unsigned len = 0;

	while (n > 0 && len < max) {
		out[len] = read_piece(&at, n);
		n -= out[len++].len;
	}
	return n == 0 ? len : 0;
}

void
receive_buffer_copy(
    const struct receive_buffer *b, size_t skip, uint8_t *out, size_t n)
{
	struct buffer_place at = find_place(b, skip);

	while (n > 0) {
		struct bytes piece = read_piece(&at, n);

		memcpy(out, piece.p, piece.len);
		out += piece.len;
		n -= piece.len;
	}
}

/* Removes n bytes that are not detached. The last chunk is kept for others. */
static void
remove_bytes(struct receive_buffer *b, struct chunk_pool *pool, size_t n)
{
	b->len -= n;
	while (n > 0 && n >= b->first->len - b->head) {
		n -= b->first->len - b->head;
		if (b->first == b->last && !b->first->alone) {
			b->head = b->first->len = 0;
			return;
		}
		free_first(b, pool);
	}
	b->head += (uint32_t)n;
}

void
receive_buffer_detach(
    struct receive_buffer *b, struct chunk_pool *pool, size_t n)
{
	remove_bytes(b, pool, n);
	b->detached += n;
	pool->held += n;
}

void
receive_buffer_consume(
    struct receive_buffer *b, struct chunk_pool *pool, size_t n)
{
	size_t detached = n < b->detached ? n : b->detached;

	b->detached -= detached;
	pool->held -= detached;
	remove_bytes(b, pool, n - detached);
}

void
receive_buffer_fini(struct receive_buffer *b, struct chunk_pool *pool)
{
	while (b->first != NULL)
		free_first(b, pool);
	pool->held -= b->detached;
	*b = (struct receive_buffer){0};
}
