/* SPDX-License-Identifier: ISC */
/*
 * sockets.h - UDP in and out, many datagrams for each system call.
 *
 * Sockets are handles, 0 to SOCKETS_MAX - 1. What arrives is given to the
 * owner, one datagram after the other; what leaves is collected in a batch,
 * which goes when it is full and when the owner flushes it. A socket that the
 * kernel holds up gets no more room until it has sent what it was given; the
 * others go on. Knows no message.
 */
#ifndef NET_SOCKETS_H
#define NET_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/world.h"
#include "net/tx_queue.h"

enum {
	/* Several hole punches behind random NATs, of 256 sockets each. */
	SOCKETS_MAX = 1024,
	/* Descriptors left to control clients, files and logs (pitfall P20). */
	SOCKETS_SPARE = 64,
};

struct event_base;

/* Who is told. Each wake-up begins with wake and ends with settle. */
struct sockets_owner {
	void (*wake)(void *owner);
	/* A datagram; one longer than DGRAM_MAX has len DGRAM_MAX + 1. */
	void (*recv)(void *owner, const struct dgram *dg);
	/* The socket's queue had been full, and is empty. */
	void (*writable)(void *owner, int sock);
	void (*settle)(void *owner);
	void *owner;
};

struct sockets;

/* NULL if memory is short. */
struct sockets *sockets_new(
    struct event_base *base, const struct sockets_owner *owner);
void sockets_free(struct sockets *s);

/* As in world_ops; a socket of IPv6 takes that alone, too. */
int sockets_open(struct sockets *s, const struct addr *at, struct addr *bound);
void sockets_close(struct sockets *s, int sock);
uint8_t *sockets_reserve(
    struct sockets *s, const struct dgram_meta *meta, size_t cap);
int sockets_commit(struct sockets *s, size_t len);

/* Sends what is in the batch. */
void sockets_flush(struct sockets *s);

/*
 * Whether the host has several addresses of a family: sockets bound to all of
 * them then ask to which one each datagram was sent, so that the answer leaves
 * from it.
 */
void sockets_several_addresses(struct sockets *s, bool v4, bool v6);

/* Datagrams that the kernel did not take, or not at once. */
const struct tx_queue_counts *sockets_counts(const struct sockets *s);

#endif
