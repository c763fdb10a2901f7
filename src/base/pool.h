/* SPDX-License-Identifier: ISC */
/*
 * pool.h - allocates cells of one size, up to a limit, addressed by number.
 *
 * For tables that unvalidated sources can fill. A pool grows in steps, never
 * moves a cell, and its cells refer to each other by 4-byte numbers instead of
 * pointers (a uthash handle alone takes 56 bytes). Number 0 is no cell. A hash
 * index and a list over numbers stand beside it. Uses: base.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
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

/* Returns what an allocation of n bytes takes of the heap, at most. */
size_t heap_bytes(size_t n);

/* Returns what a pool of so many cells takes, and an index of them, at most. */
size_t pool_bytes_max(size_t cell, uint32_t cells);
size_t pool_index_bytes_max(uint32_t cells);

/* Initialises a pool of at most `limit` cells of `cell` bytes (at least 4).
 * Allocates nothing yet. */
void pool_init(struct pool *p, size_t cell, uint32_t limit);
/* Frees all cells. */
void pool_fini(struct pool *p);

/* Allocates a zeroed cell. Returns 0 at the limit or if memory is short. */
uint32_t pool_get(struct pool *p) __attribute__((warn_unused_result));

/* Frees a cell, which must be in use: anything else ends the process. */
void pool_put(struct pool *p, uint32_t at);

/* Returns whether a number, of whatever origin, is that of a cell in use. */
bool pool_in_use(const struct pool *p, uint32_t at);

enum { POOL_SCAN_MAX = 256 }; /* cells */

/*
 * Returns the next cell in use after *cursor, which starts at 0, and moves the
 * cursor there; the first cell follows the last. Skips free cells, but at most
 * POOL_SCAN_MAX of them: returns 0 then, and the next call continues there.
 * Every search for a cell to evict uses this, because free cells lie between
 * those in use once a limit has been lowered.
 */
uint32_t pool_next(const struct pool *p, uint32_t *cursor);

/* Ends the process: a cell that does not exist or is free was accessed. */
_Noreturn void pool_fault(void);

/*
 * Returns a cell, which must be in use. A number that was never handed out ends
 * the process, in every build; one that was freed is not noticed here.
 */
static inline void *
pool_at(const struct pool *p, uint32_t at)
{
	uint32_t i = at - 1;

	if (i >= p->top)
		pool_fault();
	return p->chunks[i >> p->shift] +
	       (size_t)(i & ((1U << p->shift) - 1)) * p->cell;
}

/* Link of a cell in an index. */
struct pool_index_link {
	uint32_t hash, next;
};

/*
 * Finds cells of one pool by a 32-bit hash, which the caller keys (hash.h):
 *
 *	for (i = pool_index_first(ix, h); i != 0; i = pool_index_next(ix, i))
 *		if the cell's own key is the one wanted ...
 */
struct pool_index {
	const struct pool *pool;
	uint32_t *heads;
	uint32_t heads_len; /* a power of two, or 0 */
	uint32_t len;
	uint32_t offset; /* of the link within the cell */
};

void pool_index_init(
    struct pool_index *ix, const struct pool *p, size_t link_offset);
void pool_index_fini(struct pool_index *ix);

/* Adds a cell that is not in this index. Returns 0 or ERR_MEMORY. */
int pool_index_add(struct pool_index *ix, uint32_t at, uint32_t hash)
    __attribute__((warn_unused_result));
void pool_index_del(struct pool_index *ix, uint32_t at);
uint32_t pool_index_first(const struct pool_index *ix, uint32_t hash);
uint32_t pool_index_next(const struct pool_index *ix, uint32_t at);

/* A doubly linked list of cells. */
struct chain_link {
	uint32_t prev, next;
};

struct chain {
	uint32_t first, last;
};

void chain_push(struct chain *c, const struct pool *p, size_t offset,
    uint32_t at); /* appends */
void chain_del(
    struct chain *c, const struct pool *p, size_t offset, uint32_t at);

#endif
