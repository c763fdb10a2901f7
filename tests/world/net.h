/* SPDX-License-Identifier: ISC */
/*
 * net.h - the network between hosts: which endpoint has which address, and what
 * happens to a datagram between two.
 *
 * Drops, delays, reorders, duplicates and queues datagrams, splits the network,
 * and delivers to the endpoint that has the address then. Knows no node and no
 * RPC. Uses: place, prng, queue, mem.
 */
#ifndef WORLD_NET_H
#define WORLD_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "world/place.h"
#include "world/prng.h"
#include "world/queue.h"

/* An IPv4 address, first byte highest, and a port. */
struct spot {
	uint32_t ip;
	uint16_t port;
};

static inline struct addr
spot_addr(struct spot s)
{
	return addr_v4((uint8_t)(s.ip >> 24), (uint8_t)(s.ip >> 16),
	    (uint8_t)(s.ip >> 8), (uint8_t)s.ip, s.port);
}

static inline struct spot
addr_spot(const struct addr *a)
{
	return (struct spot){(uint32_t)a->ip[0] << 24 |
				 (uint32_t)a->ip[1] << 16 |
				 (uint32_t)a->ip[2] << 8 | a->ip[3],
	    a->port};
}

static inline bool
spot_equal(struct spot a, struct spot b)
{
	return a.ip == b.ip && a.port == b.port;
}

/* One direction of an access line. */
struct net_line {
	uint32_t bytes_per_s; /* 0: no limit */
	uint32_t queue_bytes; /* more than this waiting: dropped */
	uint64_t free_at_us;
};

enum endpoint_kind { ENDPOINT_HOST, ENDPOINT_NAT, ENDPOINT_ACTOR };

/* The owner of an address; embedded in a host, a NAT box or an actor. */
struct endpoint {
	uint8_t kind;
	uint8_t group;  /* side of a partition */
	bool slow;      /* its own faults apply on top */
	bool watched;   /* never validates its address: what it receives is
			   counted */
	uint32_t ip;    /* the first, if it has several */
	uint32_t index; /* of the host or actor */
	struct place place;
	struct net_line up, down;
};

/* What happens to datagrams in flight. */
struct faults {
	uint32_t loss_ppm, double_ppm, overtake_ppm;
	uint32_t overtake_us; /* how much later an overtaken one is, at most */
	uint32_t jitter_us;   /* mean */
	uint32_t flat_us;     /* one-way delay of every path; 0: by places */
	bool no_distance;     /* 0 is a delay of 0, whatever the places */
	uint32_t slow_us;     /* added at each slow endpoint */
	uint32_t slow_loss_ppm;
};

/* A datagram in flight. */
struct net_packet {
	struct net_packet *next; /* free list */
	struct endpoint *src, *dst;
	struct spot from, to;
	uint16_t len;
	uint8_t size_class;
	bool queued; /* has passed the receiver's line */
	bool lan;    /* stays behind a box: dst is not looked up */
	uint8_t bytes[];
};

enum { PACKET_CLASSES = 4 };

struct net_counts {
	uint64_t sent, bytes, lost, cut, full, nowhere, doubled, delivered;
};

struct net {
	struct faults faults;
	bool split;            /* groups do not reach each other */
	uint32_t header_bytes; /* per datagram, on lines with a limit */
	/* Called for each datagram that is sent; true drops it. Or NULL. */
	bool (*lose)(void *arg, const struct endpoint *src,
	    const struct endpoint *dst, const uint8_t *buf, size_t len);
	void *lose_arg;
	struct prng rand;
	struct queue *queue;
	uint32_t event;          /* or'ed to the packet's number in the queue */
	struct endpoint **by_ip; /* open addressing */
	uint32_t *ips;
	bool *bound; /* false: the address has been given up */
	uint32_t table_len, table_used;
	struct net_packet **packets;
	uint32_t *free_numbers;
	uint32_t packets_len, free_len;
	struct net_packet *free[PACKET_CLASSES];
	struct net_counts counts;
};

void net_init(struct net *n, struct queue *q, uint32_t event, uint64_t seed);
void net_fini(struct net *n);

/* Assigns an address to an endpoint, or removes it. */
void net_bind(struct net *n, uint32_t ip, struct endpoint *e);
void net_unbind(struct net *n, uint32_t ip);

/*
 * Return the endpoint that has the address, or NULL; and the last that had it.
 */
struct endpoint *net_find(const struct net *n, uint32_t ip);
struct endpoint *net_owner(const struct net *n, uint32_t ip);

/*
 * Sends a datagram at now_us; copies the bytes. The source address is what the
 * sender claims; src is the real sender. Returns false if no endpoint has the
 * destination.
 */
bool net_send(struct net *n, uint64_t now_us, struct endpoint *src,
    struct spot from, struct spot to, const void *buf, size_t len);

/* Sends between two endpoints behind one box. */
void net_send_lan(struct net *n, uint64_t now_us, struct endpoint *src,
    struct endpoint *dst, struct spot from, struct spot to, const void *buf,
    size_t len);

/*
 * Returns the packet of an event whose time has come. Returns NULL if it was
 * lost on the receiver's line, or is queued there for a later event. Otherwise
 * the caller frees it with net_done().
 */
struct net_packet *net_arrived(struct net *n, uint64_t now_us, uint32_t number);
void net_done(struct net *n, uint32_t number);

/* Drops all datagrams of an endpoint that are in flight. */
void net_drop_from(struct net *n, const struct endpoint *src);

#endif
