/* SPDX-License-Identifier: ISC */
/*
 * packet.h - codec of the UDX packet, protocol 05 §1.
 *
 * A decoded packet borrows the datagram that it was decoded from. Integers on
 * the wire are little-endian. Sequence numbers wrap at 2^32, so they are
 * compared by the sign of their difference. Knows no stream. Uses: base.
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
	PACKET_HEADER = 20,     /* bytes */
	PACKET_RANGE = 8,       /* bytes of one range in a SACK */
	PACKET_RANGES_MAX = 50, /* which peers accept, protocol 05 §14 */
};

/* Bits of the type field; the decoder ignores all others. */
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
	uint32_t id;    /* stream id of the receiver */
	uint32_t rwnd;  /* receive window of the sender, in bytes */
	uint32_t seq, ack;
	struct bytes payload;
	struct bytes sacks; /* ranges; empty unless PACKET_SACK is set */
};

/* Packets received beyond the cumulative acknowledgement: [start, end). */
struct packet_range {
	uint32_t start, end;
};

/*
 * Returns true if the datagram carries the magic and version of UDX, and
 * stores the stream id in *id.
 */
bool packet_is(const uint8_t *buf, size_t len, uint32_t *id);

/*
 * Decodes a datagram for which packet_is() returned true. Returns 0 or
 * ERR_MALFORMED.
 */
int packet_decode(struct packet *p, const uint8_t *buf, size_t len);

/* Writes the header of *p into PACKET_HEADER bytes at out. */
void packet_encode(uint8_t *out, const struct packet *p);

/*
 * Reads the next whole range from a cursor over p->sacks. Returns false at
 * the end.
 */
bool packet_next_range(struct rd *r, struct packet_range *out);

/* Returns a - b in sequence number space: negative if a comes before b. */
static inline int32_t
seq_diff(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

#endif
