/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "udx/reassembly.h"

enum {
	SLOTS_MIN = 64,
	RANGES_MIN = 8,
	/* Bytes of an allocation: struct chunk, the header and the alignment.
	 */
	OVERHEAD = 40,
};

static struct chunk **
slot_at(const struct reassembly *r, uint32_t seq)
{
	return &r->slots[seq & (r->cap - 1)];
}

/* ---- slots ---- */

/*
 * Makes the table large enough for seq. All packets held lie within cap of
 * base, so that no two share a slot.
 */
static int
grow_slots(struct reassembly *r, uint32_t base, uint32_t seq)
{
	uint32_t distance = seq - base, cap = r->cap == 0 ? SLOTS_MIN : r->cap;
	struct chunk **slots;

	while (cap <= distance)
		cap *= 2;
	if (cap == r->cap)
		return 0;
	slots = calloc(cap, sizeof *slots);
	if (slots == NULL)
		return ERR_MEMORY;
	for (uint32_t i = 0; i < r->cap; i++) {
		uint32_t at = base + i;

		slots[at & (cap - 1)] = *slot_at(r, at);
	}
	free(r->slots);
	r->slots = slots;
	r->cap = cap;
	return 0;
}

/* ---- ranges ---- */

/* Returns the first range that ends at seq or later. */
static uint32_t
find_range(const struct reassembly *r, uint32_t seq)
{
	uint32_t low = 0, high = r->ranges_len;

	/* The common case: the packet extends the last range. */
	if (high > 0 && seq_diff(r->ranges[high - 1].start, seq) < 0)
		low = seq_diff(r->ranges[high - 1].end, seq) < 0 ? high
								 : high - 1;
	while (low < high) {
		uint32_t mid = (low + high) / 2;

		if (seq_diff(r->ranges[mid].end, seq) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int
insert_range(struct reassembly *r, uint32_t at, uint32_t seq)
{
	if (r->ranges_len == UDX_REASSEMBLY_RANGES_MAX)
		return ERR_LIMIT;
	if (r->ranges_len == r->ranges_cap) {
		uint32_t cap =
		    r->ranges_cap == 0 ? RANGES_MIN : r->ranges_cap * 2;
		struct packet_range *ranges =
		    reallocarray(r->ranges, cap, sizeof *ranges);

		if (ranges == NULL)
			return ERR_MEMORY;
		r->ranges = ranges;
		r->ranges_cap = cap;
	}
	memmove(&r->ranges[at + 1], &r->ranges[at],
	    (r->ranges_len - at) * sizeof *r->ranges);
	r->ranges[at] = (struct packet_range){seq, seq + 1};
	r->ranges_len++;
	return 0;
}

static void
remove_range(struct reassembly *r, uint32_t at)
{
	r->ranges_len--;
	memmove(r->ranges + at, r->ranges + at + 1,
	    (r->ranges_len - at) * sizeof *r->ranges);
}

static int
add_to_ranges(struct reassembly *r, uint32_t seq)
{
	uint32_t i = find_range(r, seq);
	struct packet_range *at;

	if (i == r->ranges_len)
		return insert_range(r, i, seq);
	at = &r->ranges[i];
	if (at->end == seq) {
		at->end++;
		if (i + 1 < r->ranges_len && at[1].start == at->end) {
			at->end = at[1].end;
			remove_range(r, i + 1);
		}
		return 0;
	}
	if (at->start == seq + 1) {
		at->start--;
		return 0;
	}
	return insert_range(r, i, seq);
}

/* ---- payloads ---- */

bool
reassembly_has(const struct reassembly *r, uint32_t seq)
{
	uint32_t i = find_range(r, seq);

	/* A range that ends at seq does not include it; the next may. */
	if (i < r->ranges_len && r->ranges[i].end == seq)
		i++;
	return i < r->ranges_len && seq_diff(r->ranges[i].start, seq) <= 0;
}

int
reassembly_add(struct reassembly *r, uint32_t base, uint32_t seq, const void *p,
    size_t len)
{
	struct chunk *e;
	int err;

	if (seq - base >= UDX_REASSEMBLY_DISTANCE_PACKETS_MAX)
		return ERR_LIMIT;
	if (reassembly_has(r, seq))
		return ERR_EXISTS;
	if (grow_slots(r, base, seq) != 0)
		return ERR_MEMORY;
	e = malloc(sizeof *e + len);
	if (e == NULL)
		return ERR_MEMORY;
	err = add_to_ranges(r, seq);
	if (err != 0) {
		free(e);
		return err;
	}
	e->next = NULL;
	e->len = (uint32_t)len;
	e->cap = len & CHUNK_CAP_MAX;
	e->alone = true;
	if (len > 0)
		memcpy(e->bytes, p, len);
	*slot_at(r, seq) = e;
	r->cost += len + OVERHEAD;
	return 0;
}

struct chunk *
reassembly_take(struct reassembly *r, uint32_t base)
{
	struct chunk *e;

	if (r->ranges_len == 0 || r->ranges[0].start != base)
		return NULL;
	e = *slot_at(r, base);
	*slot_at(r, base) = NULL;
	r->cost -= e->len + OVERHEAD;
	if (++r->ranges[0].start == r->ranges[0].end)
		remove_range(r, 0);
	return e;
}

void
reassembly_fini(struct reassembly *r)
{
	for (uint32_t i = 0; i < r->cap; i++)
		free(r->slots[i]);
	free(r->slots);
	free(r->ranges);
	*r = (struct reassembly){0};
}
