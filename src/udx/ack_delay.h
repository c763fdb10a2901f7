/* SPDX-License-Identifier: ISC */
/*
 * ack_delay.h - decides when a packet of bulk data is acknowledged.
 *
 * A peer that sends ACK_BULK_PACKETS or more in a round trip is sent one
 * acknowledgement for ACK_HELD_PACKETS packets, or after a part of the round
 * trip (as RFC 9002 §6.2.1 and draft-ietf-quic-ack-frequency do). All others
 * are acknowledged at once, and so is every packet whose acknowledgement
 * reports more than its arrival. While the peer recovers from a loss it may
 * send little, so that none is held for longer than its probe timeout allows
 * for. If a held group is not completed in time, the peer may be waiting for
 * the acknowledgement, and none is held for a while. Knows no stream and no
 * timer.
 */
#ifndef UDX_ACK_DELAY_H
#define UDX_ACK_DELAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ACK_HELD_PACKETS = 32,
	/* Four acknowledgements in a round trip, at least. */
	ACK_BULK_PACKETS = 4 * ACK_HELD_PACKETS,
};

/* What the acknowledgement of a packet reports besides its arrival. */
enum ack_urgency {
	ACK_NOTHING_NEW,
	ACK_BEHIND_GAP, /* the peer is recovering from a loss */
	ACK_URGENT,     /* of a loss, of its end, of a duplicate and so on */
};

struct ack_delay {
	uint64_t epoch_us; /* when the present round trip began */
	uint64_t due_us;   /* of those held, or WORLD_NEVER */
	uint32_t packets;  /* in the present round trip */
	uint32_t held;     /* received since the last acknowledgement */
	uint32_t pause;    /* round trips until one may be held */
	uint32_t last_pause, groups; /* acknowledged as a whole since then */
	bool bulk; /* the last round trip had enough packets */
	bool gap;  /* due_us was set behind a gap */
};

void ack_delay_init(struct ack_delay *d);

/*
 * Counts a packet with data. rtt_us: 0 if not known. Returns true if an
 * acknowledgement must be sent now; otherwise due_us is set.
 */
bool ack_delay_packet(struct ack_delay *d, enum ack_urgency urgency,
    uint64_t rtt_us, uint64_t now_us);

/* Handles that due_us has passed: an acknowledgement must be sent. */
void ack_delay_expired(struct ack_delay *d);

/* Records that all received packets were acknowledged. */
void ack_delay_sent(struct ack_delay *d);

#endif
