/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"

/* Bytes of a chunk; small, because one process may run thousands of nodes. */
enum { CHUNK_BYTES = 4096, HEADS_MIN = 16 };

static size_t
cells_size(const struct pool *p)
{
	return (size_t)p->cell << p->shift;
}

/* A bit for each cell, behind the cells of a chunk: set if it is in use. */
static size_t
marks_size(const struct pool *p)
{
	return ((1U << p->shift) + 7) / 8;
}

/* ---- what it costs ---- */

enum {
	/* Of an allocator: its header, its alignment, its smallest block. */
	HEAP_HEADER_BYTES = 8,
	HEAP_ALIGN_BYTES = 16,
	HEAP_BYTES_MIN = 32,
};

size_t
heap_bytes(size_t n)
{
	size_t all = (n + HEAP_HEADER_BYTES + HEAP_ALIGN_BYTES - 1) /
		     HEAP_ALIGN_BYTES * HEAP_ALIGN_BYTES;

	return all > HEAP_BYTES_MIN ? all : HEAP_BYTES_MIN;
}

/* Returns the smallest power of two that is not below n. */
static size_t
round_to_power(size_t n)
{
	size_t power = 1;

	while (power < n)
		power *= 2;
	return power;
}

size_t
pool_bytes_max(size_t cell, uint32_t cells)
{
	struct pool p;
	size_t chunks;

	pool_init(&p, cell, cells);
	chunks = ((size_t)cells + (1U << p.shift) - 1) >> p.shift;
	return chunks * heap_bytes(cells_size(&p) + marks_size(&p)) +
	       heap_bytes(round_to_power(chunks) * sizeof *p.chunks);
}

size_t
pool_index_bytes_max(uint32_t cells)
{
	return heap_bytes(round_to_power(cells) * sizeof(uint32_t));
}

/* ---- cells ---- */

void
pool_init(struct pool *p, size_t cell, uint32_t limit)
{
	uint32_t shift = 0;

	while (cell << (shift + 1) <= CHUNK_BYTES)
		shift++;
	*p = (struct pool){
	    .cell = (uint32_t)cell, .limit = limit, .shift = shift};
}

void
pool_fini(struct pool *p)
{
	for (uint32_t i = 0; i < p->chunks_len; i++)
		free(p->chunks[i]);
	free(p->chunks);
	p->chunks = NULL;
	p->chunks_len = p->top = p->freed = p->len = 0;
}

static uint32_t
place_in_chunk(const struct pool *p, uint32_t at)
{
	return (at - 1) & ((1U << p->shift) - 1);
}

static uint8_t *
mark_of(const struct pool *p, uint32_t at)
{
	return p->chunks[(at - 1) >> p->shift] + cells_size(p) +
	       place_in_chunk(p, at) / 8;
}

static uint8_t
mark_bit(const struct pool *p, uint32_t at)
{
	return (uint8_t)(1U << place_in_chunk(p, at) % 8);
}

void
pool_fault(void)
{
	abort();
}

bool
pool_in_use(const struct pool *p, uint32_t at)
{
	return at != 0 && at <= p->top &&
	       (*mark_of(p, at) & mark_bit(p, at)) != 0;
}

uint32_t
pool_next(const struct pool *p, uint32_t *cursor)
{
	for (uint32_t n = 0; n < POOL_SCAN_MAX && n < p->top; n++) {
		*cursor = *cursor < p->top ? *cursor + 1 : 1;
		if (pool_in_use(p, *cursor))
			return *cursor;
	}
	return 0;
}

/* Allocates a chunk. The table of chunks doubles at each power of two. */
static int
add_chunk(struct pool *p)
{
	uint32_t n = p->chunks_len;
	uint8_t **chunks = p->chunks;

	if ((n & (n - 1)) == 0) {
		chunks = realloc(chunks, (n > 0 ? 2 * n : 1) * sizeof *chunks);
		if (chunks == NULL)
			return ERR_MEMORY;
		p->chunks = chunks;
	}
	chunks[n] = malloc(cells_size(p) + marks_size(p));
	if (chunks[n] == NULL)
		return ERR_MEMORY;
	memset(chunks[n] + cells_size(p), 0, marks_size(p));
	p->chunks_len++;
	return 0;
}

uint32_t
pool_get(struct pool *p)
{
	uint32_t at = p->freed;

	if (p->len >= p->limit)
		return 0;
	if (at != 0) {
		memcpy(&p->freed, pool_at(p, at), sizeof p->freed);
	} else {
		if (p->top == p->chunks_len << p->shift && add_chunk(p) != 0)
			return 0;
		at = ++p->top;
	}
	p->len++;
	*mark_of(p, at) |= mark_bit(p, at);
	memset(pool_at(p, at), 0, p->cell);
	return at;
}

void
pool_put(struct pool *p, uint32_t at)
{
	if (!pool_in_use(p, at))
		pool_fault();
	*mark_of(p, at) &= (uint8_t)~mark_bit(p, at);
	memcpy(pool_at(p, at), &p->freed, sizeof p->freed);
	p->freed = at;
	p->len--;
}

static struct pool_index_link *
link_of(const struct pool_index *ix, uint32_t at)
{
	return (void *)((uint8_t *)pool_at(ix->pool, at) + ix->offset);
}

void
pool_index_init(struct pool_index *ix, const struct pool *p, size_t link_offset)
{
	*ix = (struct pool_index){.pool = p, .offset = (uint32_t)link_offset};
}

void
pool_index_fini(struct pool_index *ix)
{
	free(ix->heads);
	ix->heads = NULL;
	ix->heads_len = ix->len = 0;
}

static int
resize_heads(struct pool_index *ix, uint32_t heads_len)
{
	uint32_t *heads = calloc(heads_len, sizeof *heads);

	if (heads == NULL)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < ix->heads_len; i++) {
		uint32_t at = ix->heads[i];

		while (at != 0) {
			struct pool_index_link *l = link_of(ix, at);
			uint32_t next = l->next;
			uint32_t *head = &heads[l->hash & (heads_len - 1)];

			l->next = *head;
			*head = at;
			at = next;
		}
	}
	free(ix->heads);
	ix->heads = heads;
	ix->heads_len = heads_len;
	return 0;
}

int
pool_index_add(struct pool_index *ix, uint32_t at, uint32_t hash)
{
	struct pool_index_link *l = link_of(ix, at);
	uint32_t *head;

	if (ix->len >= ix->heads_len &&
	    resize_heads(
		ix, ix->heads_len > 0 ? ix->heads_len * 2 : HEADS_MIN) != 0 &&
	    ix->heads_len == 0)
		return ERR_MEMORY;
	head = &ix->heads[hash & (ix->heads_len - 1)];
	*l = (struct pool_index_link){.hash = hash, .next = *head};
	*head = at;
	ix->len++;
	return 0;
}

void
pool_index_del(struct pool_index *ix, uint32_t at)
{
	struct pool_index_link *l = link_of(ix, at);
	uint32_t *from = &ix->heads[l->hash & (ix->heads_len - 1)];

	while (*from != at)
		from = &link_of(ix, *from)->next;
	*from = l->next;
	ix->len--;
}

/* Returns the first cell from `at` on that has this hash, or 0. */
static uint32_t
find_hash(const struct pool_index *ix, uint32_t at, uint32_t hash)
{
	while (at != 0 && link_of(ix, at)->hash != hash)
		at = link_of(ix, at)->next;
	return at;
}

uint32_t
pool_index_first(const struct pool_index *ix, uint32_t hash)
{
	if (ix->heads_len == 0)
		return 0;
	return find_hash(ix, ix->heads[hash & (ix->heads_len - 1)], hash);
}

uint32_t
pool_index_next(const struct pool_index *ix, uint32_t at)
{
	const struct pool_index_link *l = link_of(ix, at);

	return find_hash(ix, l->next, l->hash);
}

static struct chain_link *
chain_at(const struct pool *p, size_t offset, uint32_t at)
{
	return (void *)((uint8_t *)pool_at(p, at) + offset);
}

void
chain_push(struct chain *c, const struct pool *p, size_t offset, uint32_t at)
{
	struct chain_link *l = chain_at(p, offset, at);

	*l = (struct chain_link){.prev = c->last};
	if (c->last != 0)
		chain_at(p, offset, c->last)->next = at;
	else
		c->first = at;
	c->last = at;
}

void
chain_del(struct chain *c, const struct pool *p, size_t offset, uint32_t at)
{
	struct chain_link *l = chain_at(p, offset, at);

	if (l->prev != 0)
		chain_at(p, offset, l->prev)->next = l->next;
	else
		c->first = l->next;
	if (l->next != 0)
		chain_at(p, offset, l->next)->prev = l->prev;
	else
		c->last = l->prev;
}
