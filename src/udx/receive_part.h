/* SPDX-License-Identifier: ISC */
/*
 * receive_part.h - the receiving part of a stream (as in RFC 9000 §3.2): data
 * in order and out of order, the peer's end, our receive window.
 *
 * The window is limited by the configuration and by what the buffers of all
 * streams hold. Knows no stream, no source address and no acknowledgement of
 * what we sent. Windows are in bytes.
 */
#ifndef UDX_RECEIVE_PART_H
#define UDX_RECEIVE_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "udx/ack_delay.h"
#include "udx/chunk_pool.h"
#include "udx/packet.h"
#include "udx/reassembly.h"
#include "udx/receive_buffer.h"

enum receive_state {
	RECEIVE_OPEN,
	RECEIVE_END_KNOWN, /* a packet with END arrived; earlier ones are due */
	RECEIVE_ENDED,     /* all data has arrived */
};

enum {
	RECEIVE_WINDOW_FIRST = 256 << 10, /* until tuned */
	/* Divisor: received data may use this part of the memory of streams. */
	RECEIVE_MEMORY_PART = 2,
	/* What may wait in a stream to be sent if all of them hold too much. */
	STREAM_SHARE_BYTES = 8 << 10,
	/* What it may have received and hold then: one packet, because each of
	 * thousands of streams may hold it beyond the memory of all streams. */
	RECEIVE_SHARE_BYTES = UDX_MTU_MAX + RECEIVE_CHUNK_OVERHEAD,
};

struct receive_part {
	struct chunk_pool *pool;     /* borrowed */
	const struct limits *limits; /* borrowed */
	enum receive_state state;
	bool ack_due;
	uint8_t gap_packets; /* received since a gap was found */
	uint32_t next_seq;   /* the cumulative acknowledgement */
	uint32_t end_seq;    /* of the packet with END, once known */
	struct receive_buffer data;
	struct reassembly reassembly;
	uint32_t window;     /* bytes that may be held */
	uint32_t advertised; /* last one sent to the peer */
	uint64_t tuned_us, tuned_bytes;
};

/* What became of a packet. */
struct receive_result {
	int err;       /* 0, or why its data was dropped (ERR_EXISTS: known) */
	size_t bytes;  /* that have become readable */
	size_t copied; /* bytes that were copied to a buffer */
	bool ended;    /* the state is RECEIVE_ENDED since this packet */
	enum ack_urgency urgency; /* of its acknowledgement */
	bool held;                /* it was put into the reassembly queue */
};

/* Initialises *r, which is zero; borrows pool and limits for its life. */
void receive_part_init(struct receive_part *r, struct chunk_pool *pool,
    const struct limits *limits);
void receive_part_fini(struct receive_part *r);

/*
 * Sets how many bytes may be held; 0: as many as at the start. Returns true if
 * an acknowledgement should report the window at once, as the peer has used
 * most of the former one.
 */
bool receive_part_set_window(struct receive_part *r, uint32_t bytes);

/* Returns true if all that was received in order was consumed. */
static inline bool
receive_part_is_empty(const struct receive_part *r)
{
	return r->data.len + r->data.detached == 0;
}

/* Frees the buffers in which nothing lies. */
void receive_part_trim(struct receive_part *r);

/* Takes a packet with DATA or END. */
void receive_part_data(
    struct receive_part *r, const struct packet *p, struct receive_result *out);

/* Returns true if seq is expected next, or later and within reach. */
bool receive_part_is_ahead(const struct receive_part *r, uint32_t seq);

/* Returns how many more bytes the peer may send. */
uint32_t receive_part_window(const struct receive_part *r);

/*
 * Tunes the window after the reader took n bytes. rtt_us: 0 if not known.
 * Returns true if the peer should be sent the new window now.
 */
bool receive_part_consumed(
    struct receive_part *r, size_t n, uint64_t rtt_us, uint64_t now_us);

#endif
