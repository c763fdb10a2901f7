/* SPDX-License-Identifier: ISC */
/*
 * world.h - all that the core may ask of what surrounds it.
 *
 * Orders go down through this struct; a world never calls the core back from
 * inside one. What happens outside comes in through node.h as datagrams,
 * deadlines and events. The daemon implements a world on libevent, the
 * simulator on virtual time. Uses: base.
 */
#ifndef BASE_WORLD_H
#define BASE_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* No timer is armed: the deadline of a core at rest. */
#define WORLD_NEVER UINT64_MAX

enum {
	WORLD_NO_SOCK = -1,
	/* The reference reads no more than this of a datagram, protocol 01 §1.
	 */
	DGRAM_MAX = 2048,
	/* What crosses real paths with DF set, protocol 01 §1. */
	DGRAM_SAFE = 1200,
	/* The most that one reserve with a segment size may ask for. */
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

/* Where and how a datagram leaves; zero means the socket's default. */
struct dgram_meta {
	int sock;
	struct addr to;
	struct addr local; /* source to use on a host with several */
	uint8_t ttl;
	/*
	 * Two bits, RFC 3168. Streams leave it 0: UDX has no field in which a
	 * receiver could tell that a mark arrived, so marks would be lost.
	 */
	uint8_t ecn;
	/*
	 * Not 0: what is committed leaves as datagrams of so many bytes each,
	 * the last of which may be shorter (UDP_SEGMENT where there is one).
	 */
	uint16_t segment;
	/*
	 * Known to be larger than its path takes: it may be cut into fragments
	 * on the way, which costs the world a call of its own. Else it is lost
	 * there, so that sizes can be probed.
	 */
	bool fragment;
};

struct world;

struct world_ops {
	/*
	 * Opens a UDP socket at *at (port 0: any) and stores what it was bound
	 * to in *bound. Returns a handle >= 0, ERR_ADDRESS_USED or ERR_SOCKET.
	 */
	int (*open)(struct world *w, const struct addr *at, struct addr *bound);
	void (*close)(struct world *w, int sock);

	/*
	 * Starts to look up the IPv4 address of a name. The answer comes as
	 * node_resolved(ticket) in a later wake-up, also on failure. Returns 0
	 * or ERR_BUSY, in which case no answer comes.
	 */
	int (*resolve)(struct world *w, const char *name, uint32_t ticket);

	/* Fills out with bytes that nobody can predict. Never fails. */
	void (*random)(struct world *w, void *out, size_t len);

	/*
	 * Room for one datagram of at most cap bytes in the outgoing batch, or
	 * for a burst of them (see segment), or NULL if the socket's queue is
	 * full: node_writable() tells when that is over. The room is lost
	 * unless commit is the next call. commit returns 0, ERR_FULL or
	 * ERR_TOO_BIG; a datagram that is lost on the way counts as sent.
	 */
	uint8_t *(*reserve)(
	    struct world *w, const struct dgram_meta *meta, size_t cap);
	int (*commit)(struct world *w, size_t len);
};

struct world {
	const struct world_ops *ops;
	uint64_t now_us;  /* monotonic, not counting sleep; set per wake-up */
	uint64_t unix_ms; /* wall clock, for the bumps of topics alone */
};

static inline uint32_t
world_random32(struct world *w)
{
	uint32_t v;

	w->ops->random(w, &v, sizeof v);
	return v;
}

/* A number below n (n > 0); the bias of n/2^32 is harmless where this serves.
 */
static inline uint32_t
world_below(struct world *w, uint32_t n)
{
	return (uint32_t)((uint64_t)world_random32(w) * n >> 32);
}

#endif
