/* SPDX-License-Identifier: ISC */
/*
 * rx_batch.h - receive batch: up to 64 messages read by one recvmmsg(2).
 *
 * A message is one datagram, or several of one sender that UDP_GRO has joined;
 * they are returned one by one. Large (about 4 MB), but its pages are resident
 * only after so much was received at once. Uses: base.
 */
#ifndef NET_RX_BATCH_H
#define NET_RX_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/world.h"
#include "net/sockaddr.h"

enum {
	RX_BATCH_MAX = 64,
	/* Messages while they are long: as many as fit the CPU's cache. */
	RX_BATCH_FEW = 8,
	RX_BATCH_READ = 65535, /* the longest message, udp(7) */
	/* Not a power of two, so that the buffers do not share cache sets. */
	RX_BATCH_STRIDE = 65536 + 64,
};

union rx_batch_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		      CMSG_SPACE(sizeof(int))];
};

/* The messages read last, and how far they are processed. */
struct rx_batch {
	unsigned len; /* messages read */
	unsigned at;  /* current message ... */
	size_t done;  /* ... and its bytes that were returned */
	/* Of the current message: */
	struct addr peer, local;
	size_t segment; /* bytes of each datagram, the last may be shorter */
	bool joined;    /* a message read has more than one datagram */
	struct mmsghdr msg[RX_BATCH_MAX];
	struct iovec iov[RX_BATCH_MAX];
	union sockaddr_any from[RX_BATCH_MAX];
	union rx_batch_control control[RX_BATCH_MAX];
	uint8_t buf[RX_BATCH_MAX][RX_BATCH_STRIDE];
};

/* Initialises a batch in memory that is zero. */
void rx_batch_init(struct rx_batch *in);

/* Reads from fd. Returns true if there may be more to read. */
bool rx_batch_read(struct rx_batch *in, int fd);

/*
 * Returns the next datagram that was read, borrowed until the next read, or
 * false if there is none. Does not set dg->sock. A datagram longer than
 * DGRAM_MAX has len DGRAM_MAX + 1. dg->local is the destination address with
 * local_port if the kernel reported it.
 */
bool rx_batch_next(struct rx_batch *in, uint16_t local_port, struct dgram *dg);

#endif
