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
 *
 * The model is BBR's: the most that was delivered a second in ten rounds, the
 * least round-trip time, and a window and a pace made from both. It differs
 * where the reference's version (spec 05 §10) wastes or starves; cc.c says
 * where and why.
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

enum { CC_BW_ROUNDS = 10 };

enum cc_state {
	CC_STARTUP,  /* doubles each round until the rate grows no more */
	CC_DRAIN,    /* gives the queue of that back */
	CC_PROBE_BW, /* cruises, asking for more now and then */
	CC_CONTEST, /* somebody fills the queue: grows and backs off as CUBIC */
	CC_PROBE_RTT, /* empties the queue to see how long the path is */
};

/* Its fields are cc.c's. */
struct cc {
	enum cc_state state;
	uint32_t mss, random;

	/* what was delivered, and when; for samples of the rate */
	uint64_t delivered, delivered_us, first_sent_us;
	uint64_t app_limited; /* until so much is delivered; 0: it is not */

	/* the batch of acknowledgements under way */
	struct cc_packet newest;
	uint64_t acked;
	bool any;

	/* rounds: from a packet's leaving to its acknowledgement */
	uint64_t round_end, round_lost, round_start;
	uint64_t round_bw;
	bool round_app_limited;

	/* the model */
	uint64_t bw, bw_of[CC_BW_ROUNDS]; /* bytes a second */
	uint32_t bw_at;
	uint64_t min_rtt_us, seen_us; /* and when it was last seen */
	uint64_t srtt_us;

	/* acknowledgements that come in lumps */
	uint64_t lump_us, lump_acked, lump, lump_before, lump_turn_us;

	/* the state */
	uint64_t since_us, low_rtt_us;
	uint64_t full_bw;
	uint64_t kept_window; /* during CC_PROBE_RTT */
	enum cc_state before;
	uint32_t full_rounds, phase, phases, contested;

	/* CC_CONTEST: the window at the last loss, from when it grows again */
	uint64_t top, own, epoch_us, reached_us;
	uint64_t reduced_us, lost_sent_us;

	uint64_t window, rate;
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

/* The RTO has expired; in_flight: without what is lost by that. */
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
