/* SPDX-License-Identifier: ISC */
/*
 * reassembly.h - packets received out of order.
 *
 * Holds a copy of each payload by sequence number, and the ranges that
 * selective acknowledgements report (protocol 05 §4). `base` is the number
 * that is expected next and is never held here. The owner bounds the bytes;
 * the distance from base and the number of ranges are bounded here.
 */
#ifndef UDX_REASSEMBLY_H
#define UDX_REASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "udx/chunk_pool.h"
#include "udx/packet.h"

struct reassembly {
	struct chunk **slots;        /* payloads, by number modulo cap */
	uint32_t cap;                /* a power of two, or 0 */
	struct packet_range *ranges; /* ascending, with gaps between */
	uint32_t ranges_len, ranges_cap;
	size_t cost; /* bytes of payloads and their allocations */
};

/*
 * Returns the bytes held in all: the slot table and the ranges count too, since
 * a payload far ahead of base, and one after each gap, make them grow.
 */
static inline size_t
reassembly_held(const struct reassembly *r)
{
	return r->cost + r->cap * sizeof(struct chunk *) +
	       r->ranges_cap * sizeof(struct packet_range);
}

/*
 * Copies the payload of a packet that comes after base. Returns 0, ERR_EXISTS
 * if it is held already, ERR_LIMIT or ERR_MEMORY.
 */
int reassembly_add(struct reassembly *r, uint32_t base, uint32_t seq,
    const void *p, size_t len);

/* Returns true if the packet is held. */
bool reassembly_has(const struct reassembly *r, uint32_t seq);

/*
 * Removes and returns the packet with number base, or returns NULL. The caller
 * owns the chunk, which the pool does not count yet.
 */
struct chunk *reassembly_take(struct reassembly *r, uint32_t base);

/* Frees everything. */
void reassembly_fini(struct reassembly *r);

#endif
