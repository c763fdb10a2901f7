/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/mux_queue.h"

static size_t
entry_cost(size_t len)
{
	return sizeof(struct mux_queued) + len;
}

void
mux_queue_init(struct mux_queue *q)
{
	*q = (struct mux_queue){0};
	STAILQ_INIT(&q->list);
}

void
mux_queue_release(struct mux_queue *q)
{
	free(q->lent);
	q->lent = NULL;
}

int
mux_queue_push(struct mux_queue *q, uint32_t remote, bool close, uint64_t type,
    struct bytes body)
{
	struct mux_queued *entry;

	if (entry_cost(body.len) > MUX_QUEUED_MAX - q->cost)
		return ERR_FULL;
	entry = malloc(sizeof *entry + body.len);
	if (entry == NULL)
		return ERR_MEMORY;
	*entry = (struct mux_queued){
	    .remote = remote, .close = close, .type = type, .len = body.len};
	if (body.len > 0)
		memcpy(entry->bytes, body.p, body.len);
	STAILQ_INSERT_TAIL(&q->list, entry, link);
	q->cost += entry_cost(body.len);
	return 0;
}

void
mux_queue_lend(struct mux_queue *q, struct mux_queued *entry)
{
	STAILQ_REMOVE(&q->list, entry, mux_queued, link);
	q->cost -= entry_cost(entry->len);
	q->lent = entry;
}

void
mux_queue_drop(struct mux_queue *q, uint32_t remote)
{
	struct mux_queued_list others = STAILQ_HEAD_INITIALIZER(others);
	struct mux_queued *entry;

	while ((entry = STAILQ_FIRST(&q->list)) != NULL) {
		STAILQ_REMOVE_HEAD(&q->list, link);
		if (entry->remote != remote) {
			STAILQ_INSERT_TAIL(&others, entry, link);
			continue;
		}
		q->cost -= entry_cost(entry->len);
		free(entry);
	}
	STAILQ_CONCAT(&q->list, &others);
}
