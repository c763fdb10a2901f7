/* SPDX-License-Identifier: ISC */
/*
 * cc.h - congestion control of one stream: how many bytes may be in flight, and
 * at which rate they are sent.
 *
 * Pure arithmetic on events and the time: no stream, no timer, no floating
 * point. Bytes are those of UDX packets with header, times the world's
 * microseconds. Each packet in flight carries a struct cc_packet. For a batch
 * of acknowledgements the owner calls cc_packet_acked() and cc_packet_lost()
 * for each packet and then cc_update() once. It obeys cc_window(), cc_rate()
 * and cc_burst(). Uses: base.
 *
 * The model is that of BBR: the maximum delivery rate of ten rounds and the
 * minimum round-trip time, from which window and pacing rate are made. It
 * differs from the reference's version (protocol 05 §10) in this:
 *
 * - Random loss is distinguished from queue overflow by the loss rate of
 *   packets that were sent while the queue was being drained. Random losses are
 *   made up for; to overflow the answer is TCP's. Otherwise a line that loses
 *   5 % would run at 95 %, and one with a short queue would lose as much as is
 *   requested above its rate.
 * - The queue that a flow keeps grows slower than its rate, so that the rates
 *   of flows converge within seconds.
 * - Where the queue stays full whatever this flow does, another flow fills it:
 *   then the window is that of CUBIC (CC_COMPETE), until the queue is found
 *   empty again.
 * - The minimum round trip is measured whenever the queue is drained.
 *   CC_PROBE_RTT is needed only on lines shared with flows that fill it
 *   meanwhile.
 */
#ifndef UDX_CC_H
#define UDX_CC_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/cc_model.h"
#include "udx/cubic.h"

enum cc_state {
	CC_STARTUP,   /* doubles each round until the rate stops growing */
	CC_DRAIN,     /* drains the queue that startup has built */
	CC_PROBE_BW,  /* cruises; probes for bandwidth and drains in cycles */
	CC_COMPETE,   /* another flow fills the queue: behaves as CUBIC */
	CC_PROBE_RTT, /* sends little to measure the minimum round trip */
};

/* The owner reads and writes none of these. */
struct cc {
	struct cc_model model;
	enum cc_state state;
	enum cc_state resume_state; /* that CC_PROBE_RTT was entered from */
	uint32_t random;
	uint64_t since_us; /* of the state, or of its phase */

	/* CC_STARTUP: the rate at the last growth, and rounds since. */
	uint64_t full_bw;
	uint32_t full_rounds;

	/* CC_PROBE_BW: the present phase, and how many this cycle has. */
	uint32_t phase, phases;
	/* Cycles in a row in which a queue was detected, and a deep one; more
	 * than random loss was seen meanwhile. */
	uint32_t queue_cycles, deep_cycles;
	bool queue_lost;

	/* The window of CUBIC, a bound once more than random loss was seen. */
	struct cubic cubic;
	uint64_t lost_sent_us;  /* when the newest lost packet was sent */
	uint64_t reduced_us;    /* when the window was last reduced */
	uint64_t hold_until_us; /* CC_COMPETE is entered again at once */

	uint64_t kept_window; /* restored after CC_PROBE_RTT */
	uint64_t window, rate;
};

/* Initialises the state. mss: bytes of a full packet. seed: any number, which
 * shifts the probing phases. */
void cc_init(struct cc *c, uint32_t mss, uint64_t now_us, uint32_t seed);
void cc_set_mss(struct cc *c, uint32_t mss);

/*
 * Records that a packet is sent, for the first time or again, and fills in *p.
 * in_flight: bytes before it.
 */
void cc_packet_sent(
    struct cc *c, struct cc_packet *p, uint64_t now_us, uint64_t in_flight);

void cc_packet_acked(struct cc *c, const struct cc_packet *p, uint32_t bytes);
void cc_packet_lost(struct cc *c, const struct cc_packet *p, uint32_t bytes);

/* Records that a packet taken for lost was acknowledged before it was sent
 * again. */
void cc_packet_found(struct cc *c, const struct cc_packet *p, uint32_t bytes);

/*
 * Ends a batch. rtt_us: of the newest packet acknowledged that was sent once,
 * 0 if there is none; in_flight: bytes after the whole batch.
 */
void cc_update(
    struct cc *c, uint64_t now_us, uint64_t rtt_us, uint64_t in_flight);

/* Handles a retransmission timeout; in_flight: bytes without those it lost. */
void cc_timeout(struct cc *c, uint64_t now_us, uint64_t in_flight);

/* Records that the window was open but the application had nothing to send. */
void cc_app_limited(struct cc *c, uint64_t in_flight);

/* Forgets what was learned about the old path. */
void cc_path_changed(struct cc *c, uint64_t now_us);

/* Returns the bytes that may be in flight. */
uint64_t cc_window(const struct cc *c);

/* Returns the pacing rate in bytes a second; 0: not yet known, unlimited. */
uint64_t cc_rate(const struct cc *c);

/* Returns the name of the present state and phase, a constant. */
const char *cc_state_name(const struct cc *c);

/* Returns the bytes that may be sent at once. */
uint32_t cc_burst(const struct cc *c);

#endif
