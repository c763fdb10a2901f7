/* SPDX-License-Identifier: ISC */
/*
 * rx_coalesce.h - delays reads of a bulk socket so that one wake-up reads many
 * packets.
 *
 * A stream over a fast line delivers a packet every tenth of a millisecond, and
 * a wake-up for each costs several times as much as the packet. A socket that
 * only receives bulk data is read every 1.5 ms instead, as a network card
 * coalesces interrupts; acknowledgements are delayed by that time, which peers
 * allow for (protocol 05 §14). A socket that sends more than a small part of
 * what it receives is not delayed. Uses: nothing.
 */
#ifndef NET_RX_COALESCE_H
#define NET_RX_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RX_COALESCE_US = 1500 };

/* Traffic of one socket, zero at first. */
struct rx_coalesce {
	uint64_t last_us;
	uint64_t in, out; /* recent bytes */
	uint32_t wakes;   /* recent wake-ups */
	bool delayed;     /* the last read was followed by a delay */
};

/* Adds bytes that the socket sends. */
static inline void
rx_coalesce_sent(struct rx_coalesce *r, size_t bytes)
{
	r->out += bytes;
}

/*
 * Adds what one wake-up has read. Returns true if the next read is due in
 * RX_COALESCE_US and the socket need not be watched until then.
 */
bool rx_coalesce_after(
    struct rx_coalesce *r, uint64_t now_us, unsigned datagrams, size_t bytes);

#endif
