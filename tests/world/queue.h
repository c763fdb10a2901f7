/* SPDX-License-Identifier: ISC */
/*
 * queue.h - events in the order of time, then of sending.
 *
 * An event is a time and 24 bits that its owner interprets. Implements a heap
 * of four children: the few thousand events of a thousand nodes stay in the
 * cache. Uses: mem.
 */
#ifndef WORLD_QUEUE_H
#define WORLD_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

enum { QUEUE_WHAT_BITS = 24 };

struct queue_event {
	uint64_t at_us;
	uint64_t order; /* and, in the low bits, what */
};

struct queue {
	struct queue_event *heap;
	uint32_t len, cap;
	uint64_t order;
};

void queue_init(struct queue *q);
void queue_fini(struct queue *q);

/* Adds an event; `what` is below 2^24. */
void queue_push(struct queue *q, uint64_t at_us, uint32_t what);

/* Removes the next event unless it is later than until_us; false then. */
bool queue_pop(
    struct queue *q, uint64_t until_us, uint64_t *at_us, uint32_t *what);

/* Returns the time of the next event, or UINT64_MAX. */
static inline uint64_t
queue_next(const struct queue *q)
{
	return q->len > 0 ? q->heap[0].at_us : UINT64_MAX;
}

#endif
