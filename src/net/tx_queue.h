/* SPDX-License-Identifier: ISC */
/*
 * tx_queue.h - transmit queue of one socket.
 *
 * Sends datagrams with as few system calls as possible, and bursts as one
 * message if the kernel splits them (UDP_SEGMENT). Datagrams that the kernel
 * does not accept now are queued in order. The owner reserves no space while a
 * queue waits, so that it holds at most one batch. Uses: base, log.
 */
#ifndef NET_TX_QUEUE_H
#define NET_TX_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/tx_batch.h"

/* Counts of datagrams; each datagram of a burst counts. */
struct tx_queue_counts {
	uint64_t lost;    /* refused by the kernel */
	uint64_t delayed; /* queued */
};

/* Why a transmit queue waits. */
enum tx_queue_wait {
	TX_QUEUE_READY,
	TX_QUEUE_FULL,   /* until the socket is writable */
	TX_QUEUE_STARVED /* for kernel memory, which no event signals */
};

/* The queue, and what is known of the kernel. */
struct tx_queue {
	int fd;
	uint16_t family; /* of its addresses */
	bool splits;     /* the kernel splits bursts, as far as is known */
	bool fragments;  /* the socket permits fragments now */
	enum tx_queue_wait wait;
	struct tx_batch *queued; /* NULL if nothing waits */
	unsigned queued_sent;    /* the first messages of it, already sent */
	struct tx_queue_counts *counts;
};

/* Detects UDP_SEGMENT and disables fragments. Borrows fd and counts. */
void tx_queue_init(struct tx_queue *o, int fd, uint16_t family,
    struct tx_queue_counts *counts);

/* Drops queued datagrams and counts them as lost. */
void tx_queue_fini(struct tx_queue *o);

/* Sends messages at to end - 1 of the batch, or queues them. */
void tx_queue_send(
    struct tx_queue *o, struct tx_batch *b, unsigned at, unsigned end);

/* Sends queued datagrams until the kernel accepts no more; o->wait is the new
 * state. */
void tx_queue_retry(struct tx_queue *o);

#endif
