/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "base/timer.h"
#include "base/world.h"

/* Four children per place: they share a cache line, and the heap is flat. */
enum { ARITY = 4, GROW = 64 };

void
timers_init(struct timers *ts)
{
	*ts = (struct timers){.next_us = WORLD_NEVER};
}

void
timers_fini(struct timers *ts)
{
	for (uint32_t i = 0; i < ts->len; i++)
		ts->heap[i].timer->place = 0;
	free(ts->heap);
	timers_init(ts);
}

int
timers_reserve(struct timers *ts, uint32_t n)
{
	struct timers_slot *heap;
	uint32_t cap = ts->cap;

	while (cap < n)
		cap = cap < GROW ? GROW : cap * 2;
	if (cap == ts->cap)
		return 0;
	heap = realloc(ts->heap, cap * sizeof *heap);
	if (heap == NULL)
		return ERR_MEMORY;
	ts->heap = heap;
	ts->cap = cap;
	return 0;
}

static bool
before(const struct timers_slot *a, const struct timers_slot *b)
{
	if (a->due_us != b->due_us)
		return a->due_us < b->due_us;
	return a->timer->order < b->timer->order;
}

static void
put(struct timers *ts, uint32_t i, struct timers_slot s)
{
	ts->heap[i] = s;
	s.timer->place = i + 1;
}

static void
sift_up(struct timers *ts, uint32_t i, struct timers_slot s)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / ARITY;

		if (!before(&s, &ts->heap[parent]))
			break;
		put(ts, i, ts->heap[parent]);
		i = parent;
	}
	put(ts, i, s);
}

static uint32_t
least_child(const struct timers *ts, uint32_t i)
{
	uint32_t first = i * ARITY + 1, best = first;

	for (uint32_t c = first + 1; c < first + ARITY && c < ts->len; c++)
		if (before(&ts->heap[c], &ts->heap[best]))
			best = c;
	return best;
}

static void
sift_down(struct timers *ts, uint32_t i, struct timers_slot s)
{
	while (i * ARITY + 1 < ts->len) {
		uint32_t child = least_child(ts, i);

		if (!before(&ts->heap[child], &s))
			break;
		put(ts, i, ts->heap[child]);
		i = child;
	}
	put(ts, i, s);
}

static void
note_next(struct timers *ts)
{
	ts->next_us = ts->len > 0 ? ts->heap[0].due_us : WORLD_NEVER;
}

int
timer_arm(struct timers *ts, struct timer *t, uint64_t due_us)
{
	timer_disarm(ts, t);
	if (ts->len == ts->cap && timers_reserve(ts, ts->len + 1) != 0)
		return ERR_MEMORY;
	t->due_us = due_us > ts->now_us ? due_us : ts->now_us + 1;
	t->order = ts->order++;
	sift_up(ts, ts->len++, (struct timers_slot){t->due_us, t});
	note_next(ts);
	return 0;
}

void
timer_disarm(struct timers *ts, struct timer *t)
{
	struct timers_slot gone, last;
	uint32_t i = t->place - 1;

	if (t->place == 0)
		return;
	gone = ts->heap[i];
	t->place = 0;
	last = ts->heap[--ts->len];
	if (last.timer != t && before(&last, &gone))
		sift_up(ts, i, last);
	else if (last.timer != t)
		sift_down(ts, i, last);
	note_next(ts);
}

void
timers_run(struct timers *ts, uint64_t now_us)
{
	ts->now_us = now_us;
	while (ts->next_us <= now_us) {
		struct timer *t = ts->heap[0].timer;

		timer_disarm(ts, t);
		t->fire(t);
	}
}
