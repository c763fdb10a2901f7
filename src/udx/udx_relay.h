/* SPDX-License-Identifier: ISC */
/*
 * udx_relay.h - two streams of a blind relay that forward each other's
 * packets, protocol 05 §13.
 */
#ifndef UDX_UDX_RELAY_H
#define UDX_UDX_RELAY_H

#include <sys/queue.h>

#include "udx/udx.h"

/* A packet kept for a partner that is not connected yet. */
struct early_packet {
	STAILQ_ENTRY(early_packet) link;
	uint16_t len;
	uint8_t bytes[];
};

struct relay_half {
	struct udx_stream *partner;        /* NULL once untied */
	STAILQ_HEAD(, early_packet) early; /* oldest first */
	struct udx_meter *meter;           /* or NULL */
	uint8_t early_len;
	bool bound;    /* packets are accepted from this host alone */
	uint64_t host; /* addr_host_key() */
	/* Of the packets received for this half: the number that its own peer
	 * expects next, and the one that it sends next. */
	uint32_t seen_ack, seen_seq;
};

/* Handles a datagram for a stream that is half of a relay; as udx_recv(). */
int relay_half_recv(struct udx_stream *s, const struct dgram *dg);

/* Forwards what was kept until this stream was connected. */
void relay_half_connected(struct udx_stream *s);

/*
 * Unties a stream that is being closed, and closes its partner. Both peers are
 * sent a DESTROY, unless err is ERR_RESET: then one came from a peer and was
 * forwarded to the other.
 */
void relay_half_close(struct udx_stream *s, int err);
void relay_half_free(struct udx_stream *s);

#endif
