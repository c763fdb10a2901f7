/* SPDX-License-Identifier: ISC */
/*
 * mtu.h - how large a packet the path takes, RFC 8899 and protocol 05 §8.
 *
 * Sizes are those of IP packets. A probe is an ordinary packet made longer by
 * padding, so it can be tried only PAD_MAX above what is known to work; that is
 * done at once, and where it fails the gap is halved. The stream sends the
 * probes and tells what became of them.
 */
#ifndef UDX_MTU_H
#define UDX_MTU_H

#include <stdbool.h>
#include <stdint.h>

struct mtu {
	uint16_t size;   /* works */
	uint16_t failed; /* the least that does not; limit + 1: none known */
	uint16_t limit;
	uint8_t tries;  /* of the present size */
	uint8_t stalls; /* timeouts in a row of a packet of this size */
	uint16_t stalled;
	bool shrunk;       /* what was sent before may be too large now */
	bool probing;      /* a probe is in flight */
	uint64_t raise_us; /* when failures are forgotten */
};

void mtu_init(struct mtu *m, uint16_t base, uint16_t limit);

/* The size to be tried now, or 0. */
uint16_t mtu_wanted(struct mtu *m, uint64_t now_us);
void mtu_probe_sent(struct mtu *m);

/* size: of the probe. True if the path takes more than was known. */
bool mtu_probe_arrived(struct mtu *m, uint16_t size);
void mtu_probe_lost(struct mtu *m, uint16_t size, uint64_t now_us);

/*
 * The oldest packet was not acknowledged in time; size is its own. After a few
 * of them the path is believed to take UDX_MTU_BASE only. True if new packets
 * were larger till now.
 */
bool mtu_stalled(struct mtu *m, uint16_t size, uint16_t base, uint64_t now_us);

/* A packet of this size arrived. */
void mtu_arrived(struct mtu *m, uint16_t size);

/*
 * A packet that was sent before, of this size, may not come through in one
 * piece any more. It has its number, so it cannot be sent as two.
 */
bool mtu_exceeded(const struct mtu *m, uint16_t size);

#endif
