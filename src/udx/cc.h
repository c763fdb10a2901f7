/* SPDX-License-Identifier: ISC */
/*
 * cc.h - congestion control of one stream: how much may be in flight, and how
 * fast it leaves.
 *
 * Pure arithmetic on what the stream tells it: no packet, no timer, no floating
 * point. Bytes are UDX packets with their header; times are the world's
 * microseconds. Each packet in flight carries a struct cc_packet. For a batch
 * of acknowledgements the stream calls cc_packet_acked() and cc_packet_lost()
 * for each packet and then cc_update() once. It obeys cc_window(), cc_rate()
 * and cc_burst(). Uses: base.
 *
 * The model is BBR's: the most that was delivered a second in ten rounds, the
 * least round-trip time, and a window and a pace made from both. It differs
 * from the reference's version (protocol 05 §10) in this:
 *
 * - What is lost by chance is told from what a full queue drops, by the losses
 *   of packets sent while calm. The former is made up for, to the latter the
 *   answer is TCP's: otherwise a line that loses 5 % runs at 95 %, and one
 *   with a short queue loses as much as is asked for above its rate.
 * - The queue that a flow keeps grows slower than its rate, so that flows
 *   become equal within seconds.
 * - Where a queue stays full whatever we do, somebody fills it: then the window
 *   is CUBIC's (CC_CONTEST), until the queue is seen empty again.
 * - The path's length is seen whenever we are calm; CC_PROBE_RTT is only for
 *   lines shared with others, who use them meanwhile.
 */
#ifndef UDX_CC_H
#define UDX_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/cc_model.h"
#include "udx/cubic.h"

enum cc_state {
	CC_STARTUP,   /* doubles each round until the rate grows no more */
	CC_DRAIN,     /* gives the queue of that back */
	CC_PROBE_BW,  /* cruises, asks for more now and then, and calms down */
	CC_CONTEST,   /* somebody fills the queue: what TCP would do */
	CC_PROBE_RTT, /* gives way to see how long the path is */
};

/* Its fields are cc.c's. */
struct cc {
	struct cc_model model;
	enum cc_state state, before;
	uint32_t random;
	uint64_t since_us; /* of the state, or of its phase */

	/* CC_STARTUP: the rate that was last a growth, and rounds without */
	uint64_t full_bw;
	uint32_t full_rounds;

	/* CC_PROBE_BW: how far through, of how many; cycles in which the queue
	 * was never empty, and was deep; more was lost then than by chance */
	uint32_t phase, phases, crowded, deep;
	bool crowded_lost;

	/* No more than TCP would have, once more was lost than by chance. */
	struct cubic tcp;
	uint64_t lost_sent_us, backed_off_us, wary_us;

	uint64_t kept_window; /* during CC_PROBE_RTT */
	uint64_t window, rate;
};

/* mss: bytes of a full packet. seed: any number, for the phase of probing. */
void cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed);
void cc_set_mss(struct cc *c, uint32_t mss);

/* A packet leaves, first or again; in_flight: before it. Fills *p. */
void cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight);

void cc_packet_acked(struct cc *c, const struct cc_packet *p, uint32_t bytes);
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
