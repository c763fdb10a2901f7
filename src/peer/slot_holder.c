/* SPDX-License-Identifier: ISC */
#include "peer/slot_holder.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "peer/slot.h"

enum { HEAP_CAP_MIN = 16 };

size_t
slot_holders_bytes_max(void)
{
	size_t one = heap_bytes(sizeof(struct slot_holder)) + HASH_ENTRY_BYTES +
		     2 * sizeof(struct slot_holder *);

	return CONN_SLOT_LEVELS * CONN_SLOT_HOLDER_KINDS * one;
}

void
slot_holders_init(struct slot_holders *t, const struct hash_key *key)
{
	*t = (struct slot_holders){.hash_key = key};
}

void
slot_holders_fini(struct slot_holders *t)
{
	free(t->heap);
	t->heap = NULL;
}

struct slot_holder *
slot_holder_find(const struct slot_holders *t, const uint8_t id[KEY_LEN])
{
	uint32_t hash = hash_bytes(t->hash_key, id, KEY_LEN);
	struct slot_holder *h;

	HASH_FIND_BYHASHVALUE(hh, t->by_id, id, KEY_LEN, hash, h);
	return h;
}

struct slot_holder *
slot_holder_largest(const struct slot_holders *t)
{
	return t->heap_len > 0 ? t->heap[0] : NULL;
}

/* ---- the heap: no holder has more slots than its parent ---- */

static void
put_in_heap(struct slot_holders *t, struct slot_holder *h, uint32_t rank)
{
	t->heap[rank] = h;
	h->rank = rank;
}

static void
sift_up(struct slot_holders *t, struct slot_holder *h)
{
	uint32_t rank = h->rank;

	while (rank > 0 && t->heap[(rank - 1) / 2]->len < h->len) {
		put_in_heap(t, t->heap[(rank - 1) / 2], rank);
		rank = (rank - 1) / 2;
	}
	put_in_heap(t, h, rank);
}

static void
sift_down(struct slot_holders *t, struct slot_holder *h)
{
	uint32_t rank = h->rank;

	for (;;) {
		uint32_t child = 2 * rank + 1;

		if (child + 1 < t->heap_len &&
		    t->heap[child + 1]->len > t->heap[child]->len)
			child++;
		if (child >= t->heap_len || t->heap[child]->len <= h->len)
			break;
		put_in_heap(t, t->heap[child], rank);
		rank = child;
	}
	put_in_heap(t, h, rank);
}

static int
reserve_heap(struct slot_holders *t)
{
	uint32_t cap = t->heap_cap > 0 ? 2 * t->heap_cap : HEAP_CAP_MIN;
	struct slot_holder **heap;

	if (t->heap_len < t->heap_cap)
		return 0;
	heap = realloc(t->heap, cap * sizeof(struct slot_holder *));
	if (heap == NULL)
		return ERR_MEMORY;
	t->heap = heap;
	t->heap_cap = cap;
	return 0;
}

/* ---- holders ---- */

static struct slot_holder *
add_holder(struct slot_holders *t, const uint8_t id[KEY_LEN])
{
	uint32_t hash = hash_bytes(t->hash_key, id, KEY_LEN);
	struct slot_holder *h;

	if (reserve_heap(t) != 0 || (h = calloc(1, sizeof *h)) == NULL)
		return NULL;
	memcpy(h->id, id, KEY_LEN);
	TAILQ_INIT(&h->unclaimed);
	TAILQ_INIT(&h->claimed);
	TAILQ_INIT(&h->exempt);
	HASH_ADD_BYHASHVALUE(hh, t->by_id, id, KEY_LEN, hash, h);
	if (h->hh.tbl == NULL) {
		free(h);
		return NULL;
	}
	put_in_heap(t, h, t->heap_len++);
	return h;
}

static void
remove_holder(struct slot_holders *t, struct slot_holder *h)
{
	struct slot_holder *last = t->heap[--t->heap_len];

	/* It has no slots, so that its subtree has none either. */
	if (last != h) {
		put_in_heap(t, last, h->rank);
		sift_up(t, last);
	}
	HASH_DELETE(hh, t->by_id, h);
	free(h);
}

int
slot_holder_add(struct slot_holders *t, const uint8_t id[KEY_LEN],
    struct slot_link *link, struct slot *slot, bool claimed)
{
	struct slot_holder *h = slot_holder_find(t, id);

	if (h == NULL && (h = add_holder(t, id)) == NULL)
		return ERR_MEMORY;
	link->holder = h;
	link->slot = slot;
	if (slot->exempt) {
		TAILQ_INSERT_TAIL(&h->exempt, link, entry);
		h->exempt_len++;
		return 0;
	}
	if (claimed)
		TAILQ_INSERT_TAIL(&h->claimed, link, entry);
	else
		TAILQ_INSERT_TAIL(&h->unclaimed, link, entry);
	h->len++;
	sift_up(t, h);
	return 0;
}

void
slot_holder_remove(struct slot_holders *t, struct slot_link *link)
{
	struct slot_holder *h = link->holder;

	if (h == NULL)
		return;
	link->holder = NULL;
	if (link->slot->exempt) {
		TAILQ_REMOVE(&h->exempt, link, entry);
		h->exempt_len--;
	} else {
		if (link->slot->state == CONN_SLOT_CLAIMED)
			TAILQ_REMOVE(&h->claimed, link, entry);
		else
			TAILQ_REMOVE(&h->unclaimed, link, entry);
		h->len--;
		sift_down(t, h);
	}
	if (h->len + h->exempt_len == 0)
		remove_holder(t, h);
}

void
slot_holder_claim(struct slot_link *link)
{
	struct slot_holder *h = link->holder;

	if (h == NULL || link->slot->exempt)
		return;
	TAILQ_REMOVE(&h->unclaimed, link, entry);
	TAILQ_INSERT_TAIL(&h->claimed, link, entry);
}

void
slot_holder_touch(struct slot_link *link)
{
	struct slot_holder *h = link->holder;
	struct slot_links *list;

	if (h == NULL)
		return;
	list = link->slot->exempt ? &h->exempt : &h->claimed;
	TAILQ_REMOVE(list, link, entry);
	TAILQ_INSERT_TAIL(list, link, entry);
}
