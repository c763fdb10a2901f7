/* SPDX-License-Identifier: ISC */
/*
 * A pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986) made of the timers
 * themselves: arming takes constant time and no memory, so it cannot fail.
 *
 * Each timer heads a list of children that fire after it. `prev` is the timer
 * before it in its parent's list, or the parent if it is the first there.
 */
#include "base/timer.h"
#include "base/world.h"

void
timers_init(struct timers *ts)
{
	*ts = (struct timers){.next_us = WORLD_NEVER};
}

void
timers_fini(struct timers *ts)
{
	while (ts->root != NULL)
		timer_disarm(ts, ts->root);
	timers_init(ts);
}

static bool
fires_before(const struct timer *a, const struct timer *b)
{
	if (a->due_us != b->due_us)
		return a->due_us < b->due_us;
	return a->order < b->order;
}

/* Makes the later of two roots a child of the earlier, which is returned. */
static struct timer *
merge_heaps(struct timer *a, struct timer *b)
{
	struct timer *first = a, *second = b;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (fires_before(b, a)) {
		first = b;
		second = a;
	}
	second->prev = first;
	second->next = first->child;
	if (first->child != NULL)
		first->child->prev = second;
	first->child = second;
	return first;
}

/* Takes the first timer off a list of siblings and makes it a root. */
static struct timer *
pop_sibling(struct timer **list)
{
	struct timer *t = *list;

	if (t == NULL)
		return NULL;
	*list = t->next;
	t->next = t->prev = NULL;
	return t;
}

/* Merges a list of siblings into one heap, in pairs and then from the end. */
static struct timer *
merge_siblings(struct timer *list)
{
	struct timer *pairs = NULL, *root = NULL;

	while (list != NULL) {
		struct timer *a = pop_sibling(&list);
		struct timer *b = pop_sibling(&list);
		struct timer *pair = merge_heaps(a, b);

		pair->next = pairs;
		pairs = pair;
	}
	while (pairs != NULL)
		root = merge_heaps(root, pop_sibling(&pairs));
	return root;
}

/* Removes a timer that is not the root from its parent's list. */
static void
unlink_sibling(struct timer *t)
{
	if (t->prev->child == t)
		t->prev->child = t->next;
	else
		t->prev->next = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
}

static void
set_root(struct timers *ts, struct timer *root)
{
	ts->root = root;
	ts->next_us = root != NULL ? root->due_us : WORLD_NEVER;
}

void
timer_arm(struct timers *ts, struct timer *t, uint64_t due_us)
{
	timer_disarm(ts, t);
	t->due_us = due_us > ts->now_us ? due_us : ts->now_us + 1;
	t->order = ts->order++;
	t->armed = true;
	set_root(ts, merge_heaps(ts->root, t));
}

void
timer_disarm(struct timers *ts, struct timer *t)
{
	struct timer *children;

	if (!t->armed)
		return;
	children = merge_siblings(t->child);
	t->child = NULL;
	t->armed = false;
	if (t == ts->root) {
		set_root(ts, children);
		return;
	}
	unlink_sibling(t);
	set_root(ts, merge_heaps(ts->root, children));
}

void
timers_run(struct timers *ts, uint64_t now_us)
{
	ts->now_us = now_us;
	while (ts->next_us <= now_us) {
		struct timer *t = ts->root;

		timer_disarm(ts, t);
		t->fire(t);
	}
}
