/* SPDX-License-Identifier: ISC */
/*
 * tx_queue.h - one socket's way out.
 *
 * Sends datagrams by as few system calls as possible, bursts uncut where the
 * kernel cuts them. What it does not take now is kept, in order, until it
 * does; whoever collects datagrams holds back while a transmit queue waits, so
 * that no more is ever kept than the one batch which found it clogged.
 */
#ifndef NET_TX_QUEUE_H
#define NET_TX_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/tx_batch.h"

/* Of datagrams; a burst is as many as it is cut into. */
struct tx_queue_counts {
	uint64_t lost;    /* the kernel would not take them */
	uint64_t delayed; /* it took them later */
};

/* Why a transmit queue waits. */
enum tx_queue_wait {
	TX_QUEUE_READY,
	TX_QUEUE_FULL,   /* until the socket is writable */
	TX_QUEUE_STARVED /* of kernel memory: the socket will not tell when */
};

struct tx_queue {
	int fd;
	uint16_t family; /* of its addresses */
	bool cuts;       /* the kernel cuts bursts, as far as is known */
	bool fragments;  /* the socket lets routers cut datagrams, for now */
	enum tx_queue_wait wait;
	struct tx_batch *kept;
	unsigned kept_sent; /* of those kept, the first so many */
	struct tx_queue_counts *counts;
};

/* Asks the kernel what it can do, and forbids fragments; fd and counts are
 * borrowed. */
void tx_queue_init(struct tx_queue *o, int fd, uint16_t family,
    struct tx_queue_counts *counts);

/* Drops what is kept, and counts it. */
void tx_queue_fini(struct tx_queue *o);

/* Sends those from at to end, or keeps them. */
void tx_queue_send(
    struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end);

/* Sends what is kept, as far as possible; o->wait tells how it went. */
void tx_queue_again(struct tx_queue *o);

#endif
