/* SPDX-License-Identifier: ISC */
/*
 * in_flight.h - packets that were sent and are not yet acknowledged
 * cumulatively.
 *
 * A ring indexed by sequence number. Each packet is in one state: in flight,
 * lost (to be retransmitted), or acknowledged selectively. Those in flight form
 * a list in the order of their last transmission, those lost one in the order
 * of their numbers. Knows no stream, no timer and no congestion control beyond
 * the record that each packet carries for it. Uses: base.
 */
#ifndef UDX_IN_FLIGHT_H
#define UDX_IN_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/cc_model.h"
#include "udx/packet.h"
#include "udx/send_buffer.h"

enum { IN_FLIGHT_PACKETS_MIN = 4 }; /* of the first ring */

enum sent_state { SENT_IN_FLIGHT, SENT_LOST, SENT_SACKED };

/* A packet sent; its sequence number is its place in the ring. */
struct sent_packet {
	struct cc_packet cc;
	struct segment_pos from; /* start of its payload in the send buffer */
	/* Sequence numbers of the neighbours in the list of its state. For a
	 * packet in SENT_SACKED, next is a number up to which all packets are
	 * known to be in that state. */
	uint32_t prev, next;
	uint16_t len; /* payload bytes */
	uint8_t type; /* PACKET_DATA, PACKET_END or both */
	uint8_t pad;  /* padding of an MTU probe, while it was sent only once */
	uint8_t state;
	bool resent;        /* transmitted more than once */
	bool no_rtt_sample; /* in flight while the machine slept */
};

struct sent_list {
	uint32_t first, last, len;
};

struct in_flight {
	struct sent_packet *ring; /* by number modulo cap */
	uint32_t cap;             /* a power of two, or 0 */
	uint32_t una, nxt;        /* oldest unacknowledged, next to be sent */
	struct sent_list out, lost;
	uint32_t sacked;  /* packets in SENT_SACKED */
	uint64_t bytes;   /* of packets in SENT_IN_FLIGHT, with header */
	uint64_t unacked; /* payload bytes in SENT_IN_FLIGHT or SENT_LOST */
};

static inline struct sent_packet *
in_flight_at(const struct in_flight *f, uint32_t seq)
{
	return &f->ring[seq & (f->cap - 1)];
}

/* Returns the number of packets that the ring holds, in any state. */
static inline uint32_t
in_flight_len(const struct in_flight *f)
{
	return f->nxt - f->una;
}

/* Returns the size of a packet as a UDP payload. */
static inline uint32_t
sent_packet_size(const struct sent_packet *p)
{
	return (uint32_t)PACKET_HEADER + p->pad + p->len;
}

/* Makes space for one more packet. Returns 0, ERR_LIMIT or ERR_MEMORY. */
int in_flight_reserve(struct in_flight *f);

/*
 * Appends the packet with number nxt in state SENT_IN_FLIGHT; all that is not
 * given here is zero. in_flight_reserve() must have succeeded before.
 */
struct sent_packet *in_flight_push(
    struct in_flight *f, uint16_t len, uint8_t pad);

/* Changes the state of a packet and moves it to the list of that state. */
void in_flight_set_state(struct in_flight *f, uint32_t seq, enum sent_state to);

/* Removes the oldest packet, which must be in SENT_SACKED. */
void in_flight_pop(struct in_flight *f);

/* Frees the ring and forgets its packets; the numbers go on from nxt. */
void in_flight_fini(struct in_flight *f);

#endif
