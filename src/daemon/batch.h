/* SPDX-License-Identifier: ISC */
/*
 * batch.h - datagrams on their way out, laid out as the kernel takes them.
 *
 * Filled with reserve and commit, as the world's orders are; emptied by an
 * outlet (outlet.h). Large (about 220 kB), but what has never been used of it
 * takes no memory. Knows no socket.
 */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/world.h"
#include "daemon/sockaddr.h"

enum {
	BATCH_MAX = 64,
	/* As many as fit the real paths, and two bursts behind them. */
	BATCH_BYTES = BATCH_MAX * DGRAM_SAFE + 2 * WORLD_BURST_MAX,
	BATCH_CONTROL = CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			2 * CMSG_SPACE(sizeof(int)) +
			CMSG_SPACE(sizeof(uint16_t)),
};

union batch_control {
	struct cmsghdr align;
	uint8_t bytes[BATCH_CONTROL];
};

struct batch {
	unsigned len;
	size_t used, reserved;       /* bytes */
	int sock[BATCH_MAX];         /* whose it is */
	uint16_t segment[BATCH_MAX]; /* of a burst, else 0 */
	bool fragment[BATCH_MAX];    /* may be cut on the way */
	struct mmsghdr msg[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	union sockaddr_any to[BATCH_MAX];
	union batch_control control[BATCH_MAX];
	uint8_t bytes[BATCH_BYTES];
};

/* A burst cut into its datagrams, for a kernel that does not. */
struct batch_pieces {
	unsigned len;
	struct mmsghdr msg[WORLD_BURST_SEGMENTS];
	struct iovec iov[WORLD_BURST_SEGMENTS];
};

/* Of memory that is zero. */
void batch_init(struct batch *b);

/* Whether cap bytes to *meta fit any batch. */
bool batch_takes(const struct dgram_meta *meta, size_t cap);

/* Room for cap bytes to *meta, or NULL: empty the batch first. */
uint8_t *batch_reserve(
    struct batch *b, const struct dgram_meta *meta, size_t cap);

/* The first len bytes of the room are the datagram. 0 or ERR_TOO_BIG. */
int batch_commit(struct batch *b, size_t len);

/* Adds the i-th of another batch; there must be room, as in an empty one. */
void batch_copy(struct batch *b, const struct batch *from, unsigned i);

/* How many datagrams the i-th is. */
unsigned batch_datagrams(const struct batch *b, unsigned i);

/* The datagrams of the i-th, borrowed; and what is left without the first n. */
void batch_cut(struct batch *b, unsigned i, struct batch_pieces *out);
void batch_skip(struct batch *b, unsigned i, unsigned n);

void batch_clear(struct batch *b);

#endif
