/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "udx/sendbuf.h"

enum {
	/* One encrypted frame of ours and a little. */
	CHUNK_BYTES = 66560,
	/* The first words of a stream, and all that one ever says that only
	 * keeps itself alive: thousands may do so at the same time. */
	CHUNK_FIRST = 256 - sizeof(struct chunk),
	CHUNK_SECOND = 4096 - sizeof(struct chunk),
	STOCK_MAX = 16,
};

void
stock_fini(struct stock *st)
{
	while (st->chunks != NULL) {
		struct chunk *c = st->chunks;

		st->chunks = c->next;
		free(c);
	}
}

static struct chunk *
chunk_new(struct stock *st, size_t cap)
{
	struct chunk *c = st->chunks;

	if (cap == CHUNK_BYTES && c != NULL) {
		st->chunks = c->next;
		st->chunks_len--;
	} else if ((c = malloc(sizeof *c + cap)) == NULL) {
		return NULL;
	}
	c->next = NULL;
	c->len = 0;
	c->cap = (uint32_t)cap;
	st->held += cap;
	return c;
}

static void
chunk_free(struct stock *st, struct chunk *c)
{
	st->held -= c->cap;
	if (c->cap != CHUNK_BYTES || st->chunks_len == STOCK_MAX) {
		free(c);
		return;
	}
	c->next = st->chunks;
	st->chunks = c;
	st->chunks_len++;
}

/* Small for the first words of a stream, soon as large as it gets. */
static size_t
next_cap(const struct sendbuf *b, size_t n)
{
	size_t before = b->last == NULL ? 0 : b->last->cap;

	if (before < CHUNK_FIRST && n <= CHUNK_FIRST)
		return CHUNK_FIRST;
	if (before < CHUNK_SECOND && n <= CHUNK_SECOND)
		return CHUNK_SECOND;
	return n > CHUNK_BYTES ? n : CHUNK_BYTES;
}

uint8_t *
sendbuf_reserve(struct sendbuf *b, struct stock *st, size_t n)
{
	struct chunk *c = b->last;

	if (c != NULL && n <= c->cap - c->len)
		return c->bytes + c->len;
	c = chunk_new(st, next_cap(b, n));
	if (c == NULL)
		return NULL;
	if (b->last != NULL)
		b->last->next = c;
	else
		b->first = c;
	b->last = c;
	if (b->cut.chunk == NULL)
		b->cut = (struct cut){c, 0};
	return c->bytes;
}

void
sendbuf_commit(struct sendbuf *b, size_t len)
{
	b->last->len += (uint32_t)len;
	b->len += len;
	b->unsent += len;
}

/* To the chunk in which the byte at this place lies. */
static void
step_over(struct cut *at)
{
	while (at->at == at->chunk->len && at->chunk->next != NULL)
		*at = (struct cut){at->chunk->next, 0};
}

struct cut
sendbuf_cut(struct sendbuf *b, size_t n)
{
	struct cut start;

	if (b->cut.chunk == NULL)
		return b->cut;
	step_over(&b->cut);
	start = b->cut;
	b->unsent -= n;
	while (n > 0) {
		size_t here = b->cut.chunk->len - b->cut.at;

		if (n <= here) {
			b->cut.at += (uint32_t)n;
			break;
		}
		n -= here;
		b->cut = (struct cut){b->cut.chunk->next, 0};
	}
	return start;
}

void
sendbuf_read(struct cut from, uint8_t *out, size_t n)
{
	while (n > 0) {
		size_t here = from.chunk->len - from.at;

		if (here > n)
			here = n;
		memcpy(out, from.chunk->bytes + from.at, here);
		out += here;
		n -= here;
		from = (struct cut){from.chunk->next, 0};
	}
}

void
sendbuf_release(
    struct sendbuf *b, struct stock *st, size_t n, const struct chunk *oldest)
{
	b->len -= n;
	while (b->first != NULL && b->first != oldest) {
		struct chunk *c = b->first;

		b->first = c->next;
		chunk_free(st, c);
	}
	if (b->first == NULL) {
		b->last = NULL;
		b->cut.chunk = NULL;
	}
}

void
sendbuf_fini(struct sendbuf *b, struct stock *st)
{
	sendbuf_release(b, st, b->len, NULL);
	b->unsent = 0;
}
