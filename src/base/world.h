/* SPDX-License-Identifier: ISC */
/*
 * world.h - the operations that the core requests of its environment.
 *
 * A world never calls the core from inside an operation. Datagrams, deadlines
 * and other input enter through node.h. The daemon implements a world on
 * libevent, the simulator on virtual time. Uses: base.
 */
#ifndef BASE_WORLD_H
#define BASE_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* The deadline while no timer is armed. */
#define WORLD_NEVER UINT64_MAX

enum {
	WORLD_NO_SOCK = -1,
	/* Bytes of a datagram that the reference reads, protocol 01 §1. */
	DGRAM_MAX = 2048,
	/* Bytes that real paths carry with DF set, protocol 01 §1. */
	DGRAM_SAFE = 1200,
	/* Bytes, and datagrams, of one burst (see `segment`). */
	WORLD_BURST_MAX = 64000,
	WORLD_BURST_SEGMENTS = 64,
};

/* A received datagram; buf is borrowed for the length of the call. */
struct dgram {
	const uint8_t *buf;
	size_t len;
	int sock; /* as given by open */
	struct addr from;
	struct addr local; /* where it arrived; family ADDR_NONE if not known */
};

/* How to send a datagram; zero means the default of the socket. */
struct dgram_meta {
	int sock;
	struct addr to;
	struct addr local; /* source to use on a host with several */
	uint8_t ttl;
	/*
	 * Two bits, RFC 3168. Streams leave it 0: UDX has no field to echo a
	 * congestion mark to the sender.
	 */
	uint8_t ecn;
	/*
	 * Not 0: a burst. The committed bytes are sent as datagrams of this
	 * size each, the last of which may be shorter (UDP_SEGMENT).
	 */
	uint16_t segment;
	/*
	 * Allows IP fragmentation, for a datagram that is known to exceed the
	 * path MTU. Without it such a datagram is lost, which lets the MTU be
	 * probed.
	 */
	bool fragment;
};

struct world;
struct bulk_cipher;

struct world_ops {
	/*
	 * Opens a UDP socket at *at (port 0: any) and stores what it was bound
	 * to in *bound. Returns a handle >= 0, ERR_ADDRESS_USED or ERR_SOCKET.
	 */
	int (*open)(struct world *w, const struct addr *at, struct addr *bound);
	void (*close)(struct world *w, int sock);

	/*
	 * Starts to look up the IPv4 address of a name. The result, also a
	 * failure, is passed to node_resolved(ticket) in a later wake-up.
	 * Returns 0, or ERR_BUSY if no result will follow.
	 */
	int (*resolve)(struct world *w, const char *name, uint32_t ticket);

	/* Fills out with unpredictable bytes. Never fails. */
	void (*random)(struct world *w, void *out, size_t len);

	/*
	 * Returns space for one datagram of at most cap bytes in the transmit
	 * batch, or for a burst, or NULL if the socket's queue is full, until
	 * node_writable() is called. The space is given up unless commit is the
	 * next call. commit returns 0, ERR_FULL or ERR_TOO_BIG; a datagram that
	 * the network loses counts as sent.
	 */
	uint8_t *(*reserve)(
	    struct world *w, const struct dgram_meta *meta, size_t cap);
	int (*commit)(struct world *w, size_t len);
};

struct world {
	const struct world_ops *ops;
	struct bulk_cipher *bulk_cipher; /* crypto/bulk_cipher.h, or NULL */
	uint64_t now_us;  /* monotonic, not counting sleep; set per wake-up */
	uint64_t unix_ms; /* wall clock; only for bumps and topics of relays */
};

/* Returns 32 random bits. */
static inline uint32_t
world_random32(struct world *w)
{
	uint32_t v;

	w->ops->random(w, &v, sizeof v);
	return v;
}

/* Returns a random number below n (n > 0), with a bias of at most n/2^32. */
static inline uint32_t
world_below(struct world *w, uint32_t n)
{
	return (uint32_t)((uint64_t)world_random32(w) * n >> 32);
}

#endif
