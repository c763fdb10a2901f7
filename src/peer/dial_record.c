/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/dial_record.h"

int
dial_records_init(struct dial_records *as, uint32_t max)
{
	*as = (struct dial_records){.max = max};
	as->ring = calloc(max, sizeof *as->ring);
	return as->ring != NULL ? 0 : ERR_MEMORY;
}

void
dial_records_set_max(struct dial_records *as, uint32_t max)
{
	struct dial_records next = {.max = max, .count = as->count};

	if (max == as->max ||
	    (next.ring = calloc(max, sizeof *next.ring)) == NULL)
		return;
	for (uint32_t i = 0; i < max && i < as->max && i < as->count; i++) {
		struct dial_record **at = &as->ring[(as->count - i) % as->max];

		next.ring[(as->count - i) % max] = *at;
		*at = NULL;
	}
	dial_records_fini(as);
	*as = next;
}

void
dial_records_fini(struct dial_records *as)
{
	for (uint32_t i = 0; as->ring != NULL && i < as->max; i++)
		free(as->ring[i]);
	free(as->ring);
}

uint32_t
dial_records_begin(
    struct dial_records *as, const uint8_t *key, uint32_t conn, uint64_t now_us)
{
	uint32_t number = as->count + 1;
	struct dial_record **at = &as->ring[number % as->max];

	if (*at == NULL && (*at = calloc(1, sizeof **at)) == NULL)
		return 0;
	as->count = number;
	**at = (struct dial_record){
	    .number = number,
	    .conn = conn,
	    .began_us = now_us,
	    .under_way = true,
	};
	memcpy((*at)->key, key, KEY_LEN);
	dial_records_note(
	    as, number, &(struct dial_step){.kind = DIAL_STEP_BEGIN}, now_us);
	return number;
}

void
dial_records_note(struct dial_records *as, uint32_t number,
    const struct dial_step *step, uint64_t now_us)
{
	struct dial_record *a = as->ring[number % as->max];
	bool last = step->kind == DIAL_STEP_OPEN || step->kind == DIAL_STEP_FAILED;

	if (a == NULL || number == 0 || a->number != number)
		return;
	/* The end is always told: it takes the last place if none is left. */
	if (a->steps_len == DIAL_STEPS_MAX) {
		a->steps_lost++;
		if (!last)
			return;
		a->steps_len--;
	}
	a->steps[a->steps_len] = *step;
	a->steps[a->steps_len++].at_us = now_us - a->began_us;
	if (last) {
		a->under_way = false;
		a->err = step->err;
	}
}

const struct dial_record *
dial_records_nth(const struct dial_records *as, const uint8_t *key, uint32_t i)
{
	for (uint32_t back = 0; back < as->max && back < as->count; back++) {
		const struct dial_record *a =
		    as->ring[(as->count - back) % as->max];

		if (a == NULL) /* none as old as that was kept */
			break;
		if (key != NULL && memcmp(a->key, key, KEY_LEN) != 0)
			continue;
		if (i-- == 0)
			return a;
	}
	return NULL;
}
