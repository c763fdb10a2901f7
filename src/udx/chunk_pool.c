/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "udx/chunk_pool.h"

struct chunk *
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

void
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

void
chunk_pool_fini(struct chunk_pool *pool)
{
	while (pool->spare != NULL) {
		struct chunk *c = pool->spare;

		pool->spare = c->next;
		free(c);
	}
}
