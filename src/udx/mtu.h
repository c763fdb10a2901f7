/* SPDX-License-Identifier: ISC */
/*
 * mtu.h - path MTU discovery, RFC 8899 and protocol 05 §8.
 *
 * Sizes are those of IP packets, in bytes. A probe is an ordinary packet with
 * padding. Its length is one byte on the wire, so a probe is at most 255 bytes
 * larger than the size known to work. That step is tried first; if it fails,
 * the gap is halved. The stream sends the probes and reports their outcome.
 */
#ifndef UDX_MTU_H
#define UDX_MTU_H

#include <stdbool.h>
#include <stdint.h>

struct mtu {
	uint16_t size;     /* known to work */
	uint16_t failed;   /* smallest known to fail; limit + 1: none */
	uint16_t base;     /* taken to work everywhere */
	uint16_t limit;    /* largest to be tried */
	uint16_t overhead; /* bytes of the IP and UDP headers */
	uint8_t tries;     /* of the present probe size */
	bool shrunk;       /* size has fallen: older packets may exceed it */
	bool probing;      /* a probe is in flight */
	uint64_t raise_us; /* when failures are forgotten */
};

/* Starts discovery, at the base size. */
void mtu_init(struct mtu *m, uint16_t base, uint16_t limit, uint16_t overhead);

/*
 * Starts discovery anew on another path. Packets sent before may be larger than
 * it takes.
 */
void mtu_restart(struct mtu *m, uint16_t overhead);

/* Returns the UDP payload that a packet may have now. */
static inline uint16_t
mtu_udp_payload(const struct mtu *m)
{
	return (uint16_t)(m->size - m->overhead);
}

/* Returns the size to be probed now, or 0. */
uint16_t mtu_wanted(struct mtu *m, uint64_t now_us);

/* Notes that a probe was sent. */
void mtu_probe_sent(struct mtu *m);

/*
 * Notes that a probe of this size was acknowledged. Returns true if the size
 * known to work has grown.
 */
bool mtu_probe_arrived(struct mtu *m, uint16_t size);

/* Notes that a probe of this size was lost. */
void mtu_probe_lost(struct mtu *m, uint16_t size, uint64_t now_us);

/*
 * Notes that the oldest packet, of this size, timed out. Unless it is of the
 * base size, the path may have become a black hole for it (RFC 8899 §4.3): the
 * size falls to the base and discovery starts anew, which costs a few round
 * trips if the timeout had another cause. Returns true if the size has fallen.
 */
bool mtu_stalled(struct mtu *m, uint16_t size);

/*
 * Returns true if a packet of this size, sent before, may be larger than the
 * path takes now. It has a sequence number, so it cannot be split; it may be
 * sent in IP fragments.
 */
bool mtu_exceeded(const struct mtu *m, uint16_t size);

#endif
