/* SPDX-License-Identifier: ISC */
#include "peer/event_source.h"

void
event_source_queue(struct event_source_list *l, struct event_source *s)
{
	if (s->queued)
		return;
	s->queued = true;
	TAILQ_INSERT_TAIL(l, s, link);
}

void
event_source_remove(struct event_source_list *l, struct event_source *s)
{
	if (!s->queued)
		return;
	s->queued = false;
	TAILQ_REMOVE(l, s, link);
}

bool
event_source_poll(struct event_source_list *l, struct peer_event *out)
{
	struct event_source *s;

	while ((s = TAILQ_FIRST(l)) != NULL) {
		event_source_remove(l, s);
		if (s->take(s, out))
			return true;
	}
	return false;
}
