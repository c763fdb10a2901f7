/* SPDX-License-Identifier: ISC */
/*
 * inbox.h - up to 64 datagrams read by one system call.
 *
 * Large (about 140 kB), but a page of it is resident only once so many
 * datagrams have come at once that it was needed.
 */
#ifndef DAEMON_INBOX_H
#define DAEMON_INBOX_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/world.h"

enum {
	INBOX_MAX = 64,
	/* One byte more than may be used tells a datagram that was longer. */
	INBOX_READ = DGRAM_MAX + 1,
	/* Not a power of two, so that the buffers do not share cache sets. */
	INBOX_STRIDE = DGRAM_MAX + 64,
};

union inbox_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
};

struct inbox {
	struct mmsghdr msg[INBOX_MAX];
	struct iovec iov[INBOX_MAX];
	struct sockaddr_in from[INBOX_MAX];
	union inbox_control control[INBOX_MAX];
	uint8_t buf[INBOX_MAX][INBOX_STRIDE];
};

void inbox_init(struct inbox *in);

/* The number of datagrams read from fd; 0 if none are there. */
unsigned inbox_read(struct inbox *in, int fd, bool want_local);

/*
 * The i-th of those just read, borrowed until the next read; dg->sock is left
 * alone. With local_port, the address it was sent to, if the kernel told.
 */
void inbox_get(
    const struct inbox *in, unsigned i, uint16_t local_port, struct dgram *dg);

#endif
