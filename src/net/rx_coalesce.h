/* SPDX-License-Identifier: ISC */
/*
 * rx_coalesce.h - when a socket had better be read a little later.
 *
 * A stream that comes over a real line brings a packet each tenth of a
 * millisecond, and to wake up for each costs several times what the packet
 * itself does. Who only receives, in bulk, loses nothing by reading each one
 * and a half, as a network card gathers its interrupts; the acknowledgements
 * are then late by that much, which peers allow for (protocol 05 §14). Whoever
 * answers what comes in is not made to wait: of a socket that rests, what goes
 * out is a small part of what comes in.
 */
#ifndef NET_RX_COALESCE_H
#define NET_RX_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RX_COALESCE_US = 1500 };

/* Zero at first. */
struct rx_coalesce {
	uint64_t last_us;
	uint64_t in, out; /* bytes of late */
	uint32_t wakes;   /* of late */
	bool resting;
};

/* So many bytes were given to the socket. */
static inline void
rx_coalesce_sent(struct rx_coalesce *r, size_t bytes)
{
	r->out += bytes;
}

/*
 * A wake-up has read so much. True: the next reading is due in RX_COALESCE_US,
 * and the socket need not be watched until then.
 */
bool rx_coalesce_after(
    struct rx_coalesce *r, uint64_t now_us, unsigned datagrams, size_t bytes);

#endif
