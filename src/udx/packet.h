/* SPDX-License-Identifier: ISC */
/*
 * packet.h - the UDX packet on the wire, protocol 05 §1.
 *
 * Knows no stream. A decoded packet borrows the datagram. Sequence numbers
 * wrap at 2^32: they are compared by the sign of their difference. Uses: base.
 */
#ifndef UDX_PACKET_H
#define UDX_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

enum {
	PACKET_MAGIC = 0xff,
	PACKET_VERSION = 1,
	PACKET_HEADER = 20,
	PACKET_RANGE = 8,
	PACKET_RANGES_MAX = 50, /* what peers expect, protocol 05 §14 */
};

/* What a packet is; other bits are ignored. */
enum packet_type {
	PACKET_ACK = 0,
	PACKET_DATA = 0x01,
	PACKET_END = 0x02,
	PACKET_SACK = 0x04,
	PACKET_MESSAGE = 0x08,
	PACKET_DESTROY = 0x10,
	PACKET_HEARTBEAT = 0x20,
};

struct packet {
	uint8_t type;
	uint8_t offset; /* bytes between header and payload */
	uint32_t id;    /* of the receiver */
	uint32_t rwnd, seq, ack;
	struct bytes payload;
	struct bytes sacks; /* ranges; empty unless PACKET_SACK is set */
};

/* Received beyond the cumulative ack: from start to before end. */
struct packet_range {
	uint32_t start, end;
};

/* True if the datagram is UDX's, whoever it is for; and the stream's id. */
bool packet_is(const uint8_t *buf, size_t len, uint32_t *id);

/* For a datagram that packet_is(): 0, or ERR_MALFORMED. */
int packet_decode(struct packet *p, const uint8_t *buf, size_t len);

/* Writes the header (PACKET_HEADER bytes). */
void packet_encode(uint8_t *out, const struct packet *p);

/* The next whole range of p->sacks; false at the end. */
bool packet_next_range(struct rd *r, struct packet_range *out);

static inline int32_t
seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

#endif
