/* SPDX-License-Identifier: ISC */
/*
 * pool.h - cells of one size, with a limit, addressed by number.
 *
 * For tables that strangers can fill: they grow in steps to a limit that is
 * fixed at the start, never move a cell, and link cells by 4-byte numbers, so
 * that a cell costs what it holds (uthash alone would add 56 bytes to each).
 * Number 0 is no cell. On top: a hash index and a list, both over numbers.
 * Uses: base.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool {
	uint8_t **chunks;
	uint32_t chunks_len;
	uint32_t shift; /* a chunk holds 1 << shift cells */
	uint32_t cell;  /* bytes */
	uint32_t limit; /* cells */
	uint32_t top;   /* highest number ever handed out */
	uint32_t freed; /* first of the freed cells */
	uint32_t len;   /* cells in use */
};

/* Cells of `cell` bytes (at least 4), at most `limit` of them. No memory yet.
 */
void pool_init(struct pool *p, size_t cell, uint32_t limit);
void pool_fini(struct pool *p);

/* A zeroed cell, or 0 if the limit or the memory is reached. */
uint32_t pool_get(struct pool *p);
void pool_put(struct pool *p, uint32_t at);

/* The cell's bytes; `at` must be in use (or at least handed out before). */
static inline void *
pool_at(const struct pool *p, uint32_t at)
{
	uint32_t i = at - 1;

	return p->chunks[i >> p->shift] +
	       (size_t)(i & ((1U << p->shift) - 1)) * p->cell;
}

/* First member of a cell that an index finds. */
struct index_link {
	uint32_t hash, next;
};

/*
 * Finds cells of one pool by a 32-bit hash, which the caller keys (hash.h):
 *
 *	for (i = index_first(ix, h); i != 0; i = index_next(ix, i))
 *		if the cell's own key is the one wanted ...
 */
struct index {
	const struct pool *pool;
	uint32_t *heads;
	uint32_t heads_len; /* a power of two, or 0 */
	uint32_t len;
	uint32_t offset; /* of the link within the cell */
};

void index_init(struct index *ix, const struct pool *p, size_t link_offset);
void index_fini(struct index *ix);

/* 0 or ERR_MEMORY; the cell must not be in this index. */
int index_add(struct index *ix, uint32_t at, uint32_t hash);
void index_del(struct index *ix, uint32_t at);
uint32_t index_first(const struct index *ix, uint32_t hash);
uint32_t index_next(const struct index *ix, uint32_t at);

/* A doubly linked list of cells. */
struct chain_link {
	uint32_t prev, next;
};

struct chain {
	uint32_t first, last;
};

void chain_push(struct chain *c, const struct pool *p, size_t offset,
    uint32_t at); /* to the end */
void chain_del(
    struct chain *c, const struct pool *p, size_t offset, uint32_t at);

#endif
