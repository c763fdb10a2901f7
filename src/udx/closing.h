/* SPDX-License-Identifier: ISC */
/*
 * closing.h - what remains of a stream that is closed (as the closing and
 * draining states of RFC 9000 §10.2).
 *
 * A stream that ended in order acknowledges late retransmissions; of one that
 * was destroyed the peer is informed by a few copies of DESTROY. Both answer a
 * bounded number of packets and are forgotten after 14 s, or when there are
 * too many, the oldest first.
 */
#ifndef UDX_CLOSING_H
#define UDX_CLOSING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct closing_stream;
struct dgram;
struct udx;
struct udx_stream;

TAILQ_HEAD(closing_list, closing_stream);

struct closing_table {
	struct closing_stream *by_id;
	struct closing_list by_age; /* oldest first */
};

enum closing_kind {
	CLOSING_ENDED,     /* in order, by both sides */
	CLOSING_DESTROYED, /* by us, or by an error */
};

/* Returns what all of them take at most. */
size_t closing_bytes_max(void);

void closing_init(struct udx *u);
void closing_fini(struct udx *u);

/*
 * Adds a connected stream that is being closed; sends the first DESTROY. seq
 * and ack are those of the packets that will be sent for it.
 */
void closing_add(
    struct udx_stream *s, enum closing_kind kind, uint32_t seq, uint32_t ack);

/*
 * Handles a packet for an id of no stream. Returns 0, UDX_NOT_MINE if the id
 * is not here either, or why it was dropped (negative, counted).
 */
int closing_recv(struct udx *u, uint32_t id, const struct dgram *dg);

/* Returns true if the id is in use here. */
bool closing_has(const struct udx *u, uint32_t id);

/* Forgets the streams of a socket that is about to be closed. */
void closing_socket_closed(struct udx *u, int sock);

#endif
