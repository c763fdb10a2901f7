/* SPDX-License-Identifier: ISC */
/*
 * burst.h - writes packets of a stream into the world's transmit batch, packets
 * of one size in one burst (UDP_SEGMENT).
 */
#ifndef UDX_BURST_H
#define UDX_BURST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udx_stream;

struct burst {
	struct udx_stream *stream;
	uint8_t *buf; /* reserved in the batch, or NULL */
	size_t cap, used;
	uint16_t segment; /* bytes of each packet but the last */
	bool fragment;    /* the next packet is larger than the path takes */
};

/*
 * Returns space for a packet of size bytes. expected: how many of this size
 * are about to follow. Returns NULL if the socket is full; the stream then
 * waits for it in the scheduler.
 */
uint8_t *burst_reserve(struct burst *b, size_t size, size_t expected);

/* Commits what was reserved. */
void burst_end(struct burst *b);

/* Writes the header of a packet of this stream, with id, window and ack. size:
 * of the whole packet. */
void burst_header(struct udx_stream *s, uint8_t *out, uint8_t type,
    uint8_t offset, uint32_t seq, size_t size);

/*
 * Sends an acknowledgement with the ranges received, or a HEARTBEAT. Both
 * return false if the socket is full.
 */
bool burst_ack(struct udx_stream *s);
bool burst_heartbeat(struct udx_stream *s);

#endif
