/* SPDX-License-Identifier: ISC */
/*
 * sockets.h - UDP sockets that receive and send many datagrams per system call.
 *
 * Sockets are handles from 0 to SOCKETS_MAX - 1. Received datagrams are passed
 * to the owner one by one; datagrams to send are collected in a transmit batch,
 * which is sent when it is full and when the owner flushes it. A socket with a
 * transmit queue that waits for the kernel accepts no datagram until the queue
 * is empty; the others continue. Knows no message. Uses: base, log, libevent.
 */
#ifndef NET_SOCKETS_H
#define NET_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/world.h"
#include "net/tx_queue.h"

struct event_base;

/* Callbacks. Each wake-up starts with wake and ends with settle. */
struct sockets_owner {
	void (*wake)(void *owner);
	/* Receives a datagram; one longer than DGRAM_MAX has len
	 * DGRAM_MAX + 1. */
	void (*recv)(void *owner, const struct dgram *dg);
	/* The transmit queue of the socket has become empty. */
	void (*writable)(void *owner, int sock);
	void (*settle)(void *owner);
	void *owner;
};

struct sockets;

/* Returns NULL if memory is short. */
struct sockets *sockets_new(
    struct event_base *base, const struct sockets_owner *owner);
/* Closes all sockets; s may be NULL. */
void sockets_free(struct sockets *s);

/* Implement world_ops. An IPv6 socket does not receive IPv4. */
int sockets_open(struct sockets *s, const struct addr *at, struct addr *bound)
    __attribute__((warn_unused_result));
void sockets_close(struct sockets *s, int sock);

/*
 * Replaces a socket that has received nothing for that long by a new one under
 * the same handle, at the same port if that stays free, or at another. Returns
 * 0 with *bound set, ERR_BUSY if it has received something, or ERR_SOCKET; then
 * the old socket stays.
 */
int sockets_reopen(struct sockets *s, int sock, uint64_t silent_us,
    bool same_port, struct addr *bound) __attribute__((warn_unused_result));
uint8_t *sockets_reserve(
    struct sockets *s, const struct dgram_meta *meta, size_t cap);
int sockets_commit(struct sockets *s, size_t len);

/* Sends the transmit batch. */
void sockets_flush(struct sockets *s);

/*
 * Sets whether the host has several addresses of a family. Sockets bound to all
 * of them then read the destination address of each datagram, so that the reply
 * is sent from it.
 */
void sockets_several_addresses(struct sockets *s, bool v4, bool v6);

/* Returns the datagrams that were lost or delayed. */
const struct tx_queue_counts *sockets_counts(const struct sockets *s);

#endif
