/* SPDX-License-Identifier: ISC */
#include "peer/dial_record.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int
dial_records_init(struct dial_records *rs, uint32_t max)
{
	*rs = (struct dial_records){.max = max};
	rs->ring = calloc(max, sizeof *rs->ring);
	return rs->ring != NULL ? 0 : ERR_MEMORY;
}

void
dial_records_set_max(struct dial_records *rs, uint32_t max)
{
	struct dial_records next = {.max = max, .count = rs->count};

	if (max == rs->max ||
	    (next.ring = calloc(max, sizeof *next.ring)) == NULL)
		return;
	for (uint32_t i = 0; i < max && i < rs->max && i < rs->count; i++) {
		struct dial_record **at = &rs->ring[(rs->count - i) % rs->max];

		next.ring[(rs->count - i) % max] = *at;
		*at = NULL;
	}
	dial_records_fini(rs);
	*rs = next;
}

void
dial_records_fini(struct dial_records *rs)
{
	for (uint32_t i = 0; rs->ring != NULL && i < rs->max; i++)
		free(rs->ring[i]);
	free(rs->ring);
}

uint32_t
dial_records_begin(
    struct dial_records *rs, const uint8_t *key, uint32_t conn, uint64_t now_us)
{
	uint32_t number = rs->count + 1;
	struct dial_record **at = &rs->ring[number % rs->max];

	if (*at == NULL && (*at = calloc(1, sizeof **at)) == NULL)
		return 0;
	rs->count = number;
	**at = (struct dial_record){
	    .number = number,
	    .conn = conn,
	    .began_us = now_us,
	    .under_way = true,
	};
	memcpy((*at)->key, key, KEY_LEN);
	dial_records_note(
	    rs, number, &(struct dial_step){.kind = DIAL_STEP_BEGIN}, now_us);
	return number;
}

void
dial_records_note(struct dial_records *rs, uint32_t number,
    const struct dial_step *step, uint64_t now_us)
{
	struct dial_record *a = rs->ring[number % rs->max];
	bool last =
	    step->kind == DIAL_STEP_OPEN || step->kind == DIAL_STEP_FAILED;

	if (a == NULL || number == 0 || a->number != number)
		return;
	/* A full record loses a step for its last one. */
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
dial_records_before(
    const struct dial_records *rs, const uint8_t *key, uint32_t before)
{
	bool any = before == 0 || before > rs->count;

	for (uint32_t back = any ? 0 : rs->count - before + 1;
	     back < rs->max && back < rs->count; back++) {
		const struct dial_record *a =
		    rs->ring[(rs->count - back) % rs->max];

		if (a == NULL) /* the older ones were evicted */
			break;
		if (key == NULL || memcmp(a->key, key, KEY_LEN) == 0)
			return a;
	}
	return NULL;
}
