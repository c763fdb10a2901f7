/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "dht/steps.h"

enum { STEPS_FIRST = 64 };

void
steps_fini(struct steps *s)
{
	for (uint32_t i = 0; i < s->len; i++)
		free(s->at[i]);
	free(s->at);
}

/* Whoever makes addresses meet here gains that they are hashed, no more. */
static uint32_t
memo_place(const struct addr *a)
{
	uint64_t key = addr_host_key(a) << 16 | a->port;

	return (uint32_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 56);
}

struct step *
steps_recall(const struct steps *s, const struct addr *a)
{
	struct step *step = s->memo[memo_place(a)];

	return step != NULL && addr_equal(&step->addr, a) ? step : NULL;
}

/* Place of this id; *found if it is there. */
static uint32_t
search(const struct steps *s, const uint8_t *id, bool *found)
{
	uint32_t low = 0, high = s->len;

	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (id_compare(s->target, s->at[mid]->id, id) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = low < s->len && id_equal(s->at[low]->id, id);
	return low;
}

static bool
grow(struct steps *s, uint32_t limit)
{
	uint32_t cap = s->cap > 0 ? s->cap * 2 : STEPS_FIRST;
	struct step **at;

	if (s->len >= limit)
		return false;
	if (s->len < s->cap)
		return true;
	at = realloc(s->at, cap * sizeof(struct step *));
	if (at == NULL)
		return false;
	s->at = at;
	s->cap = cap;
	return true;
}

/* One address cannot send us after its other ports without end. */
static bool
has_share(const struct steps *s, const struct addr *a, const struct limits *l)
{
	uint32_t host = 0, prefix = 0;

	for (uint32_t i = 0; i < s->len; i++) {
		if (s->at[i]->state == STEP_FAILED)
			continue;
		host += addr_same_host(&s->at[i]->addr, a);
		prefix += addr_same_prefix(&s->at[i]->addr, a);
	}
	return host < l->table_host && prefix < l->table_prefix;
}

struct step *
steps_add(struct steps *s, const uint8_t id[ID_LEN], const struct addr *a,
    const struct limits *l, bool shares)
{
	struct step *step;
	bool found;
	uint32_t i = search(s, id, &found);

	if (found)
		return s->at[i];
	if ((shares && !has_share(s, a, l)) || !grow(s, l->query_candidates) ||
	    (step = calloc(1, sizeof *step)) == NULL)
		return NULL;
	step->addr = *a;
	memcpy(step->id, id, ID_LEN);
	memmove(&s->at[i + 1], &s->at[i], (s->len - i) * sizeof *s->at);
	s->at[i] = step;
	s->len++;
	s->memo[memo_place(a)] = step;
	return step;
}

struct step *
steps_next(const struct steps *s)
{
	for (uint32_t i = 0; i < s->len; i++)
		if (s->at[i]->state == STEP_NEW)
			return s->at[i];
	return NULL;
}

bool
steps_all_missed(const struct steps *s, unsigned sends)
{
	for (uint32_t i = 0; i < s->len; i++)
		if (s->at[i]->state == STEP_ASKED && s->at[i]->missed < sends)
			return false;
	return true;
}
