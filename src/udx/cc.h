/* SPDX-License-Identifier: ISC */
/*
 * cc.h - congestion control of one stream: how much may be in flight, and how
 * fast it leaves.
 *
 * Pure arithmetic on what the stream tells it: no packet, no timer, no floating
 * point. Bytes are UDP payloads; times are the world's microseconds. The
 * stream calls cc_on_sent() for each packet, then, for each batch of
 * acknowledgements, cc_on_ack() once with a rate sample (the delivery rate
 * estimation of draft-cheng-iccrg-delivery-rate-estimation), and obeys
 * cc_window() and cc_rate(). Uses: base.
 */
#ifndef UDX_CC_H
#define UDX_CC_H

#include <stdbool.h>
#include <stdint.h>

/* What each packet in flight carries for the rate sample. */
struct cc_packet {
	uint64_t sent_us, first_sent_us, delivered_us;
	uint64_t delivered; /* bytes, at the time it was sent */
	bool app_limited;
};

struct cc_ack {
	uint64_t now_us;
	uint64_t rtt_us; /* of the newest packet acknowledged, sent once; 0: no
			    sample */
	uint64_t acked;  /* bytes newly acknowledged */
	uint64_t lost;   /* bytes newly marked lost */
	uint64_t in_flight; /* after both */
	const struct cc_packet
	    *newest; /* latest sent of those acknowledged, or NULL */
	bool in_recovery;
};

#endif
