/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "world/mem.h"
#include "world/queue.h"

enum { CHILDREN = 4, FIRST_ROOM = 1024 };

void
queue_init(struct queue *q)
{
	*q = (struct queue){.cap = FIRST_ROOM};
	q->heap = mem_new(q->cap, sizeof *q->heap);
}

void
queue_fini(struct queue *q)
{
	free(q->heap);
}

static bool
before(const struct queue_event *a, const struct queue_event *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	return a->order < b->order;
}

void
queue_push(struct queue *q, uint64_t at_us, uint32_t what)
{
	struct queue_event e = {at_us, q->order++ << QUEUE_WHAT_BITS | what};
	uint32_t i = q->len++;

	if (q->len > q->cap) {
		q->cap *= 2;
		q->heap = mem_grow(q->heap, q->cap, sizeof *q->heap);
	}
	while (i > 0) {
		uint32_t up = (i - 1) / CHILDREN;

		if (!before(&e, &q->heap[up]))
			break;
		q->heap[i] = q->heap[up];
		i = up;
	}
	q->heap[i] = e;
}

/* Returns the smallest child of i, or len if it has none. */
static uint32_t
first_child(const struct queue *q, uint32_t i)
{
	uint32_t c = i * CHILDREN + 1;
	uint32_t end = c + CHILDREN < q->len ? c + CHILDREN : q->len;
	uint32_t best = c;

	if (c >= q->len)
		return q->len;
	while (++c < end)
		if (before(&q->heap[c], &q->heap[best]))
			best = c;
	return best;
}

bool
queue_pop(struct queue *q, uint64_t until_us, uint64_t *at_us, uint32_t *what)
{
	struct queue_event last;
	uint32_t i = 0, c;

	if (q->len == 0 || q->heap[0].at_us > until_us)
		return false;
	*at_us = q->heap[0].at_us;
	*what = q->heap[0].order & ((1u << QUEUE_WHAT_BITS) - 1);
	last = q->heap[--q->len];
	while ((c = first_child(q, i)) < q->len && before(&q->heap[c], &last)) {
		q->heap[i] = q->heap[c];
		i = c;
	}
	q->heap[i] = last;
	return true;
}
