/* SPDX-License-Identifier: ISC */
/*
 * rx_batch.h - up to 64 messages read by one system call.
 *
 * A message is a datagram, or where the kernel has UDP_GRO several of one
 * sender, joined; they are handed out one by one. Large (about 4 MB), but a
 * page of it is resident only once so much has come at once that it was
 * needed.
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
	/* While long messages come: as much as a cache holds. */
	RX_BATCH_FEW = 8,
	RX_BATCH_READ = 65535, /* no message is longer, udp(7) */
	/* Not a power of two, so that the buffers do not share cache sets. */
	RX_BATCH_STRIDE = 65536 + 64,
};

union rx_batch_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) +
		      CMSG_SPACE(sizeof(int))];
};

struct rx_batch {
	unsigned len; /* messages read */
	unsigned at;  /* the one being handed out ... */
	size_t done;  /* ... from this byte on */
	/* Of that one: */
	struct addr peer, local;
	size_t segment; /* bytes of each datagram, the last may be shorter */
	bool joined;    /* one of those read was more than one datagram */
	struct mmsghdr msg[RX_BATCH_MAX];
	struct iovec iov[RX_BATCH_MAX];
	union sockaddr_any from[RX_BATCH_MAX];
	union rx_batch_control control[RX_BATCH_MAX];
	uint8_t buf[RX_BATCH_MAX][RX_BATCH_STRIDE];
};

/* Of memory that is zero. */
void rx_batch_init(struct rx_batch *in);

/* Reads from fd. True if there may be more than was read. */
bool rx_batch_read(struct rx_batch *in, int fd);

/*
 * The next datagram of those read, borrowed until the next read; dg->sock is
 * left alone. One longer than DGRAM_MAX has len DGRAM_MAX + 1. The address it
 * was sent to, with local_port, if the kernel told.
 */
bool rx_batch_next(struct rx_batch *in, uint16_t local_port, struct dgram *dg);

#endif
