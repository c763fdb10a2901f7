/* SPDX-License-Identifier: ISC */
/*
 * tx_batch.h - datagrams on their way out, laid out as the kernel takes them.
 *
 * Filled with reserve and commit, as the world's orders are; emptied by an
 * tx_queue (tx_queue.h). Large (about 220 kB), but what has never been used of
 * it takes no memory. Knows no socket.
 */
#ifndef NET_TX_BATCH_H
#define NET_TX_BATCH_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/world.h"
#include "net/sockaddr.h"

enum {
	TX_BATCH_MAX = 64,
	/* As many as fit the real paths, and two bursts behind them. */
	TX_BATCH_BYTES = TX_BATCH_MAX * DGRAM_SAFE + 2 * WORLD_BURST_MAX,
	TX_BATCH_CONTROL = CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			   2 * CMSG_SPACE(sizeof(int)) +
			   CMSG_SPACE(sizeof(uint16_t)),
};

union tx_batch_control {
	struct cmsghdr align;
	uint8_t bytes[TX_BATCH_CONTROL];
};

struct tx_batch {
	unsigned len;
	size_t used, reserved;          /* bytes */
	int sock[TX_BATCH_MAX];         /* whose it is */
	uint16_t segment[TX_BATCH_MAX]; /* of a burst, else 0 */
	bool fragment[TX_BATCH_MAX];    /* may be cut on the way */
	struct mmsghdr msg[TX_BATCH_MAX];
	struct iovec iov[TX_BATCH_MAX];
	union sockaddr_any to[TX_BATCH_MAX];
	union tx_batch_control control[TX_BATCH_MAX];
	uint8_t bytes[TX_BATCH_BYTES];
};

/* A burst cut into its datagrams, for a kernel that does not. */
struct tx_batch_pieces {
	unsigned len;
	struct mmsghdr msg[WORLD_BURST_SEGMENTS];
	struct iovec iov[WORLD_BURST_SEGMENTS];
};

/* Of memory that is zero. */
void tx_batch_init(struct tx_batch *b);

/* Whether cap bytes to *meta fit any batch. */
bool tx_batch_takes(const struct dgram_meta *meta, size_t cap);

/* Room for cap bytes to *meta, or NULL: empty the batch first. */
uint8_t *tx_batch_reserve(
    struct tx_batch *b, const struct dgram_meta *meta, size_t cap);

/* The first len bytes of the room are the datagram. 0 or ERR_TOO_BIG. */
int tx_batch_commit(struct tx_batch *b, size_t len);

/* Adds the i-th of another batch; there must be room, as in an empty one. */
void tx_batch_copy(struct tx_batch *b, const struct tx_batch *from, unsigned i);

/* How many datagrams the i-th is. */
unsigned tx_batch_datagrams(const struct tx_batch *b, unsigned i);

/* The datagrams of the i-th, borrowed; and what is left without the first n. */
void tx_batch_cut(struct tx_batch *b, unsigned i, struct tx_batch_pieces *out);
void tx_batch_skip(struct tx_batch *b, unsigned i, unsigned n);

void tx_batch_clear(struct tx_batch *b);

#endif
