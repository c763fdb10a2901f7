/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "udx/send_buffer.h"

enum {
	/*
	 * Most idle streams never hold more than their header and a keep-alive,
	 * and a node may have thousands of them: their first chunks are small.
	 */
	FIRST_CHUNK_BYTES = 256 - sizeof(struct chunk),
	SECOND_CHUNK_BYTES = 4096 - sizeof(struct chunk),
};

/* Returns the capacity of the next chunk, for at least n bytes. */
static size_t
next_chunk_capacity(const struct send_buffer *b, size_t n)
{
	size_t before = b->last == NULL ? 0 : b->last->cap;

	if (before < FIRST_CHUNK_BYTES && n <= FIRST_CHUNK_BYTES)
		return FIRST_CHUNK_BYTES;
	if (before < SECOND_CHUNK_BYTES && n <= SECOND_CHUNK_BYTES)
		return SECOND_CHUNK_BYTES;
	return n > CHUNK_BYTES ? n : CHUNK_BYTES;
}

uint8_t *
send_buffer_reserve(struct send_buffer *b, struct chunk_pool *pool, size_t n)
{
	struct chunk *c = b->last;

	if (c != NULL && n <= c->cap - c->len)
		return c->bytes + c->len;
	c = chunk_new(pool, next_chunk_capacity(b, n));
	if (c == NULL)
		return NULL;
	pool->to_send += c->cap;
	if (b->last != NULL)
		b->last->next = c;
	else
		b->first = c;
	b->last = c;
	if (b->next.chunk == NULL)
		b->next = (struct segment_pos){c, 0};
	return c->bytes;
}

void
send_buffer_commit(struct send_buffer *b, size_t len)
{
	b->last->len += (uint32_t)len;
	b->len += len;
	b->unsent += len;
}

/* Moves a position at the end of a chunk to the start of the next one. */
static void
normalize_position(struct segment_pos *at)
{
	while (at->at == at->chunk->len && at->chunk->next != NULL)
		*at = (struct segment_pos){at->chunk->next, 0};
}

struct segment_pos
send_buffer_take(struct send_buffer *b, size_t n)
{
	struct segment_pos start;

	if (b->next.chunk == NULL)
		return b->next;
	normalize_position(&b->next);
	start = b->next;
	b->unsent -= n;
	while (n > 0) {
		size_t here = b->next.chunk->len - b->next.at;

		if (n <= here) {
			b->next.at += (uint32_t)n;
			break;
		}
		n -= here;
		b->next = (struct segment_pos){b->next.chunk->next, 0};
	}
	return start;
}

void
send_buffer_read(struct segment_pos from, uint8_t *out, size_t n)
{
	while (n > 0) {
		size_t here = from.chunk->len - from.at;

		if (here > n)
			here = n;
		memcpy(out, from.chunk->bytes + from.at, here);
		out += here;
		n -= here;
		from = (struct segment_pos){from.chunk->next, 0};
	}
}

void
send_buffer_release(struct send_buffer *b, struct chunk_pool *pool, size_t n,
    const struct chunk *oldest)
{
	b->len -= n;
	while (b->first != NULL && b->first != oldest) {
		struct chunk *c = b->first;

		b->first = c->next;
		pool->to_send -= c->cap;
		chunk_free(pool, c);
	}
	if (b->first == NULL) {
		b->last = NULL;
		b->next.chunk = NULL;
	}
}

void
send_buffer_fini(struct send_buffer *b, struct chunk_pool *pool)
{
	send_buffer_release(b, pool, b->len, NULL);
	b->unsent = 0;
}
