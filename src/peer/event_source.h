/* SPDX-License-Identifier: ISC */
/*
 * event_source.h - the queue of objects that have an event for the caller.
 *
 * Each connection and each listener embeds one source. An event is a bit of
 * its object until the caller takes it, so the queue cannot overflow and no
 * event is lost. The list borrows a source while it is queued. Uses: peer.h.
 */
#ifndef PEER_EVENT_SOURCE_H
#define PEER_EVENT_SOURCE_H

#include <sys/queue.h>

#include "peer/peer.h"

struct event_source {
	TAILQ_ENTRY(event_source) link;
	bool queued;
	/*
	 * Writes one event to *out, or returns false if there is none. It is
	 * called with the source removed from the list; it queues the source
	 * again if more events are pending, or frees the object that embeds it.
	 */
	bool (*take)(struct event_source *s, struct peer_event *out);
};

TAILQ_HEAD(event_source_list, event_source);

/* Appends a source, unless it is queued already. */
void event_source_queue(struct event_source_list *l, struct event_source *s);

/* Removes a source; call it before its object is freed. */
void event_source_remove(struct event_source_list *l, struct event_source *s);

/* Takes the next event of all sources, or returns false if there is none. */
bool event_source_poll(struct event_source_list *l, struct peer_event *out);

#endif
