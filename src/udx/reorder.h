/* SPDX-License-Identifier: ISC */
/*
 * reorder.h - packets that came before their turn.
 *
 * Holds a copy of each payload by sequence number, and the ranges of them that
 * acknowledgements tell (protocol 05 §4). Numbers count from `base`, the next
 * one expected, which is never in here. How many bytes may lie here is the
 * owner's affair; the distance and the number of ranges are bounded.
 */
#ifndef UDX_REORDER_H
#define UDX_REORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/packet.h"

enum {
	REORDER_DISTANCE = 1 << 16, /* packets ahead of base, at most */
	REORDER_RANGES = 1024,      /* more would need as many losses */
};

/* A payload kept. */
struct early {
	size_t len;
	uint8_t bytes[];
};

struct reorder {
	struct early **slots; /* by number modulo cap, a power of two */
	uint32_t cap;
	struct packet_range *ranges; /* ascending, never touching */
	uint32_t ranges_len, ranges_cap;
	size_t cost; /* bytes of payloads, and what each takes beyond */
};

/* All that it takes: a payload far ahead makes the table of places grow. */
static inline size_t
reorder_held(const struct reorder *r)
{
	return r->cost + r->cap * sizeof(struct early *);
}

/*
 * Copies a payload with a number after base. 0, ERR_EXISTS if it is there
 * already, ERR_LIMIT, ERR_MEMORY.
 */
int reorder_add(
    struct reorder *r, uint32_t base, uint32_t seq, const void *p, size_t len);

/* True if the packet is here. */
bool reorder_has(const struct reorder *r, uint32_t seq);

/*
 * Takes the packet with number base out, if it is there: its payload, to be
 * freed by the caller with reorder_drop().
 */
struct early *reorder_take(struct reorder *r, uint32_t base);
void reorder_drop(struct early *e);

void reorder_fini(struct reorder *r);

#endif
