/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/pool.h"
#include "node/event_queue.h"

/* Returns the length of an event up to the last byte of its value. */
static size_t
event_size(const struct node_event *ev)
{
	return offsetof(struct node_event, value) + ev->value_len;
}

/*
 * Not inlined: where GCC knows the allocated size it warns of each access to an
 * item that is shorter than its type.
 */
__attribute__((noinline)) struct event_item *
event_item_new(const struct node_event *ev)
{
	struct event_item *item =
	    malloc(offsetof(struct event_item, ev) + event_size(ev));

	if (item != NULL)
		memcpy(&item->ev, ev, event_size(ev));
	return item;
}

size_t
event_queue_bytes_max(const struct limits *l)
{
	return l->events * heap_bytes(offsetof(struct event_item, ev) +
				      offsetof(struct node_event, value));
}

void
event_queue_init(struct event_queue *q, const struct core *core)
{
	*q = (struct event_queue){.core = core};
	STAILQ_INIT(&q->items);
}

void
event_queue_fini(struct event_queue *q)
{
	struct event_item *item;

	while ((item = STAILQ_FIRST(&q->items)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->items, link);
		free(item);
	}
	q->len = 0;
}

void
event_queue_push_item(struct event_queue *q, struct event_item *item)
{
	STAILQ_INSERT_TAIL(&q->items, item, link);
	q->len++;
}

bool
event_queue_push(struct event_queue *q, const struct node_event *ev)
{
	struct event_item *item = NULL;

	if (q->len < q->core->limits->events)
		item = event_item_new(ev);
	if (item == NULL) {
		q->core->stats->news_lost++;
		return false;
	}
	event_queue_push_item(q, item);
	return true;
}

bool
event_queue_pop(struct event_queue *q, struct node_event *out)
{
	struct event_item *item = STAILQ_FIRST(&q->items);

	if (item == NULL)
		return false;
	STAILQ_REMOVE_HEAD(&q->items, link);
	q->len--;
	memcpy(out, &item->ev, event_size(&item->ev));
	free(item);
	return true;
}
