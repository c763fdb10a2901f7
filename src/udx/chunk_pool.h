/* SPDX-License-Identifier: ISC */
/*
 * chunk_pool.h - memory of the stream buffers of one node.
 *
 * Keeps a few freed chunks of the standard size for the next stream, and
 * counts the bytes that all buffers of all streams hold, those that are no
 * chunks included: their owners add to `held` and subtract from it.
 */
#ifndef UDX_CHUNK_POOL_H
#define UDX_CHUNK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct chunk {
	struct chunk *next;
	uint32_t len;      /* bytes used */
	uint32_t cap : 31; /* bytes allocated */
	bool alone : 1;    /* receive_buffer.h: it holds one payload */
	uint8_t bytes[];
};

struct chunk_pool {
	struct chunk *spare;
	uint32_t spare_len;
	uint64_t held;    /* bytes in use by all buffers */
	uint64_t to_send; /* of these, in the send buffers */
};

enum {
	/* One encrypted frame of ours, and a little more. */
	CHUNK_BYTES = 66560,
	CHUNK_CAP_MAX = 0x7fffffff,
	SPARE_CHUNKS_MAX = 4, /* kept for the next stream */
};

/*
 * Returns an empty chunk of this capacity, or NULL if memory is short. Those
 * of CHUNK_BYTES come from the spare ones first.
 */
static inline struct chunk *
chunk_new(struct chunk_pool *pool, size_t cap)
{
	struct chunk *c = pool->spare;

	if (cap == CHUNK_BYTES && c != NULL) {
		pool->spare = c->next;
		pool->spare_len--;
	} else if ((c = malloc(sizeof *c + cap)) == NULL) {
		return NULL;
	}
	c->next = NULL;
	c->len = 0;
	c->alone = false;
	c->cap = cap & CHUNK_CAP_MAX;
	pool->held += cap;
	return c;
}

/* Frees a chunk, or keeps it as a spare one. */
static inline void
chunk_free(struct chunk_pool *pool, struct chunk *c)
{
	pool->held -= c->cap;
	if (c->cap != CHUNK_BYTES || pool->spare_len == SPARE_CHUNKS_MAX) {
		free(c);
		return;
	}
	c->next = pool->spare;
	pool->spare = c;
	pool->spare_len++;
}

/* Frees the spare chunks. */
static inline void
chunk_pool_fini(struct chunk_pool *pool)
{
	while (pool->spare != NULL) {
		struct chunk *c = pool->spare;

		pool->spare = c->next;
		free(c);
	}
}

#endif
