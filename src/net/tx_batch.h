/* SPDX-License-Identifier: ISC */
/*
 * tx_batch.h - transmit batch: datagrams laid out for sendmmsg(2).
 *
 * Filled by reserve and commit, as in world.h; sent by tx_queue.h. Large (about
 * 220 kB), but pages that were never used take no memory. Knows no socket.
 * Uses: base.
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
	/* Datagrams of the size that real paths carry, and two bursts. */
	TX_BATCH_BYTES = TX_BATCH_MAX * DGRAM_SAFE + 2 * WORLD_BURST_MAX,
	TX_BATCH_CONTROL = CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			   2 * CMSG_SPACE(sizeof(int)) +
			   CMSG_SPACE(sizeof(uint16_t)),
};

union tx_batch_control {
	struct cmsghdr align;
	uint8_t bytes[TX_BATCH_CONTROL];
};

/* Datagrams and bursts, one entry of each array per message. */
struct tx_batch {
	unsigned len;                   /* messages */
	size_t used, reserved;          /* bytes */
	int sock[TX_BATCH_MAX];         /* handle that sends it */
	uint16_t segment[TX_BATCH_MAX]; /* datagram size of a burst, or 0 */
	bool fragment[TX_BATCH_MAX];    /* routers may fragment it */
	struct mmsghdr msg[TX_BATCH_MAX];
	struct iovec iov[TX_BATCH_MAX];
	union sockaddr_any to[TX_BATCH_MAX];
	union tx_batch_control control[TX_BATCH_MAX];
	uint8_t bytes[TX_BATCH_BYTES];
};

/* A burst split into its datagrams, for a kernel without UDP_SEGMENT. */
struct tx_batch_split {
	unsigned len;
	struct mmsghdr msg[WORLD_BURST_SEGMENTS];
	struct iovec iov[WORLD_BURST_SEGMENTS];
};

/* Initialises a batch in memory that is zero. */
void tx_batch_init(struct tx_batch *b);

/* Returns true if an empty batch has space for cap bytes to *meta. */
bool tx_batch_fits(const struct dgram_meta *meta, size_t cap);

/* Returns space for cap bytes to *meta, or NULL if the batch must be sent
 * first. */
uint8_t *tx_batch_reserve(
    struct tx_batch *b, const struct dgram_meta *meta, size_t cap);

/* Adds the first len bytes of the reserved space. Returns 0 or ERR_TOO_BIG. */
int tx_batch_commit(struct tx_batch *b, size_t len)
    __attribute__((warn_unused_result));

/* Copies message i of another batch. The caller ensures that there is space. */
void tx_batch_copy(struct tx_batch *b, const struct tx_batch *from, unsigned i);

/* Returns the number of datagrams in message i. */
unsigned tx_batch_datagrams(const struct tx_batch *b, unsigned i);

/* Splits message i into datagrams, which borrow its bytes. */
void tx_batch_split(struct tx_batch *b, unsigned i, struct tx_batch_split *out);

/* Removes the first n datagrams of message i. */
void tx_batch_skip(struct tx_batch *b, unsigned i, unsigned n);

/* Removes all messages. */
void tx_batch_clear(struct tx_batch *b);

#endif
