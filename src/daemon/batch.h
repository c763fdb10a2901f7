/* SPDX-License-Identifier: ISC */
/*
 * batch.h - datagrams on their way out, sent by as few calls as possible.
 *
 * Filled with reserve and commit, as the world's orders are; sends itself when
 * it is full. Neighbours for the same socket share a system call.
 */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/world.h"

enum {
	BATCH_MAX = 64,
	/* As many as fit the real paths, and room for the largest. */
	BATCH_BYTES = BATCH_MAX * DGRAM_SAFE + DGRAM_MAX,
	BATCH_CONTROL =
	    CMSG_SPACE(sizeof(struct in_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)),
};

union batch_control {
	struct cmsghdr align;
	uint8_t bytes[BATCH_CONTROL];
};

struct batch {
	unsigned len;
	size_t used, reserved; /* bytes */
	uint64_t lost;         /* datagrams that the kernel did not take */
	int fd[BATCH_MAX];
	struct mmsghdr msg[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	struct sockaddr_in to[BATCH_MAX];
	union batch_control control[BATCH_MAX];
	uint8_t bytes[BATCH_BYTES];
};

void batch_init(struct batch *b);

/* Room for cap bytes to *meta through fd, or NULL if cap is over DGRAM_MAX. */
uint8_t *batch_reserve(
    struct batch *b, int fd, const struct dgram_meta *meta, size_t cap);

/* The first len bytes of the room are the datagram. 0 or ERR_TOO_BIG. */
int batch_commit(struct batch *b, size_t len);

void batch_flush(struct batch *b);

#endif
