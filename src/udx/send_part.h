/* SPDX-License-Identifier: ISC */
/*
 * send_part.h - the sending part of a stream (as in RFC 9000 §3.1): what was
 * written, whether our side has ended, and the peer's receive window.
 *
 * Knows no stream and no packet in flight.
 */
#ifndef UDX_SEND_PART_H
#define UDX_SEND_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/packet.h"
#include "udx/send_buffer.h"

enum send_state {
	SEND_OPEN,
	SEND_ENDING,    /* the owner called udx_end(): END is to be sent */
	SEND_END_SENT,  /* after the last byte */
	SEND_END_ACKED, /* with all before it */
};

struct send_part {
	struct send_buffer buffer;
	enum send_state state;
	uint32_t peer_window; /* bytes */
	/* Numbers of the packet that announced it. */
	uint32_t window_seq, window_ack;
	bool writer_waits; /* for UDX_EV_WRITABLE */
	bool undrained;    /* UDX_EV_DRAINED is due once all is acknowledged */
};

void send_part_init(struct send_part *p);

/* Moves to a later state. */
void send_part_set_state(struct send_part *p, enum send_state state);

/* Returns true if data or END was in no packet yet. */
static inline bool
send_part_has_new(const struct send_part *p)
{
	return p->buffer.unsent > 0 || p->state == SEND_ENDING;
}

/*
 * Returns how many more bytes may be written: the buffer holds `max` at most,
 * `ahead` of them unsent.
 */
uint64_t send_part_space(
    const struct send_part *p, uint64_t max, uint64_t ahead);

/*
 * Returns true if the peer has space for len bytes more than the unacked ones.
 * One packet is always allowed unless the window is 0.
 */
bool send_part_peer_accepts(
    const struct send_part *p, uint64_t unacked, size_t len);

/*
 * Takes the window that a packet announces, unless it was overtaken by a later
 * one. Returns true if the window was 0 and has opened.
 */
bool send_part_update_window(struct send_part *p, const struct packet *packet);

#endif
