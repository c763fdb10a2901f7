/* SPDX-License-Identifier: ISC */
/*
 * event_queue.h - the events of a node that its owner has not yet polled.
 *
 * Each item holds its event up to the last byte of the value. An operation
 * allocates the item of its end when it starts, so that reporting the end
 * cannot fail. Knows no node.
 */
#ifndef NODE_EVENT_QUEUE_H
#define NODE_EVENT_QUEUE_H

#include <sys/queue.h>

#include "base/core.h"
#include "node/node.h"

struct event_item {
	STAILQ_ENTRY(event_item) link;
	struct node_event ev; /* allocated up to the end of its value */
};

struct event_queue {
	const struct core *core; /* borrowed: the limit and the counter */
	STAILQ_HEAD(, event_item) items;
	uint32_t len;
};

/* Returns what the events that peers cause take with these limits, at most:
 * they carry no value. */
size_t event_queue_bytes_max(const struct limits *l);

void event_queue_init(struct event_queue *q, const struct core *core);
void event_queue_fini(struct event_queue *q);

/* Queues a copy. Returns false, and counts the loss, if the queue is full. */
bool event_queue_push(struct event_queue *q, const struct node_event *ev);

/* Queues an item and takes ownership of it; the limit does not apply. */
void event_queue_push_item(struct event_queue *q, struct event_item *item);

/* Moves the oldest event to *out; returns false if there is none. */
bool event_queue_pop(struct event_queue *q, struct node_event *out);

/* Returns an item with a copy of the event, to be freed with free(), or NULL if
 * memory is short. */
struct event_item *event_item_new(const struct node_event *ev);

#endif
