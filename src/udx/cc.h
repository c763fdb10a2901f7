/* SPDX-License-Identifier: ISC */
/*
 * cc.h - congestion control of one stream: how much may be in flight, and how
 * fast it leaves.
 *
 * Pure arithmetic on what the stream tells it: no packet, no timer, no floating
 * point. Bytes are UDX packets with their header; times are the world's
 * microseconds. The delivery rate is estimated as in
 * draft-cheng-iccrg-delivery-rate-estimation: each packet in flight carries a
 * struct cc_packet. For a batch of acknowledgements the stream calls
 * cc_packet_acked() and cc_packet_lost() for each packet and then cc_update()
 * once. It obeys cc_window(), cc_rate() and cc_burst(). Uses: base.
 */
#ifndef UDX_CC_H
#define UDX_CC_H

#include <stdbool.h>
#include <stdint.h>

struct cc_packet {
	uint64_t sent_us;
	uint64_t first_sent_us, delivered_us; /* of the connection, then */
	uint64_t delivered;                   /* bytes, then */
	bool app_limited;
};

/* Its fields are cc.c's. */
struct cc {
	uint64_t delivered; /* bytes in all */
};

/* mss: bytes of a full packet. seed: any number, for the phase of probing. */
void cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed);
void cc_set_mss(struct cc *c, uint32_t mss);

/* A packet leaves, first or again; in_flight: before it. Fills *p. */
void cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight);

void cc_packet_acked(
    struct cc *c, const struct cc_packet *p, uint32_t bytes, uint64_t now_us);
void cc_packet_lost(struct cc *c, const struct cc_packet *p, uint32_t bytes);

/* A packet called lost was acknowledged after all, unsent again. */
void cc_packet_found(struct cc *c, const struct cc_packet *p, uint32_t bytes);

/*
 * The end of a batch. rtt_us: of the newest packet acknowledged that was sent
 * once, 0 if there is none; in_flight: bytes after all of the batch.
 */
void cc_update(
    struct cc *c, uint64_t now_us, uint64_t rtt_us, uint64_t in_flight);

/* Loss recovery begins or ends (spec 05 §6), the RTO has expired. */
void cc_recovery(struct cc *c, bool on, uint64_t now_us, uint64_t in_flight);
void cc_timeout(struct cc *c, uint64_t now_us, uint64_t in_flight);

/* There was room to send, but nothing to send. */
void cc_app_limited(struct cc *c, uint64_t in_flight);

/* Another path: what was learnt of the old one counts no more. */
void cc_path_changed(struct cc *c, uint64_t now_us);

/* Bytes that may be in flight; bytes a second to leave (0: not yet known, as
 * fast as the window lets); bytes that may leave at once. */
uint64_t cc_window(const struct cc *c);
uint64_t cc_rate(const struct cc *c);
uint32_t cc_burst(const struct cc *c);

#endif
