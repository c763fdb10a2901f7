/* SPDX-License-Identifier: ISC */
/*
 * loss.h - loss recovery of one stream: RACK-TLP (RFC 8985) and the
 * retransmission timeout of RFC 6298 with the bounds of protocol 05 §6.
 *
 * Owns the packets in flight and the round-trip time; borrows the congestion
 * controller and the path MTU, which it informs of each packet. Knows no
 * stream, no timer and no socket: its owner
 *
 *	- reports what it sends, what is acknowledged and what time it is,
 *	- calls loss_end_acks() once for the acknowledgements of a wake-up,
 *	- calls loss_timer_expired() and loss_reorder_expired() once due_us and
 *	  reorder_due_us have passed, and reads both after any call here,
 *	- retransmits what in_flight.lost lists.
 *
 * Times are the world's microseconds. Names follow RFC 8985.
 */
#ifndef UDX_LOSS_H
#define UDX_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "udx/cc.h"
#include "udx/in_flight.h"
#include "udx/mtu.h"
#include "udx/rtt.h"
#include "udx/udx_trace.h"

/* The most recently sent packet that was acknowledged, RFC 8985 §5.2. */
struct rack {
	uint64_t sent_us, rtt_us;
	uint32_t seq;
	uint32_t fack;        /* one after the highest acknowledged number */
	uint8_t reo_wnd_mult; /* quarters of the minimum round-trip time */
	bool reordering_seen;
};

/* What the acknowledgements of one wake-up brought. */
struct ack_batch {
	bool any;      /* a packet was acknowledged */
	bool advanced; /* and the oldest among them */
	/* Round-trip time of the newest packet transmitted only once, 0: none;
	 * and when that packet was sent. */
	uint64_t sample_us, sample_sent_us;
};

enum loss_timer {
	LOSS_TIMER_NONE,
	LOSS_TIMER_PROBE,   /* tail loss probe */
	LOSS_TIMER_TIMEOUT, /* retransmission timeout */
};

struct loss {
	struct in_flight in_flight;
	struct rtt rtt;
	struct cc *cc;           /* borrowed */
	struct mtu *mtu;         /* borrowed */
	struct udx_trace *trace; /* borrowed; NULL: not traced */

	struct rack rack;
	struct ack_batch batch;
	uint64_t reorder_due_us; /* RACK reordering timer, or WORLD_NEVER */

	enum loss_timer timer;
	uint64_t due_us;  /* of that timer, or WORLD_NEVER */
	uint8_t probes;   /* tail loss probes since the last progress */
	uint8_t timeouts; /* in a row that count towards the limit */

	uint32_t recovery_end; /* una at which the recovery episode ends */
	bool in_recovery;
	bool path_new;   /* nothing was acknowledged over it yet */
	bool backed_off; /* the timeout is doubled until there is progress */
	bool ambiguous;  /* the last answer was to a retransmission */
	bool peer_heard; /* a packet arrived since the last timeout */
	bool ignore_timeouts; /* the owner decides when to give up */

	uint64_t lost_packets, resent_packets; /* counters */
};

/* What the owner has to do after loss_timer_expired(). */
enum loss_action {
	LOSS_NOTHING,
	LOSS_SEND_PROBE, /* new data, or the last packet again */
	LOSS_TIMED_OUT,  /* the peer is silent; retransmit what is lost */
	LOSS_GIVE_UP,    /* LOSS_TIMEOUTS_MAX timeouts in a row */
};

enum {
	LOSS_TIMEOUTS_MAX = 7, /* protocol 05 §6 */
};

/* Initialises *l, which is zero; borrows cc and mtu for its life. */
void loss_init(struct loss *l, struct cc *cc, struct mtu *mtu);

/* Frees the packets in flight and stops both timers. */
void loss_fini(struct loss *l);

/* ---- what is sent ---- */

/*
 * Records a new packet; in_flight_reserve() must have succeeded. The caller
 * fills in its type and its position in the send buffer.
 */
struct sent_packet *loss_packet_sent(
    struct loss *l, uint16_t len, uint8_t pad, uint64_t now_us);

/* Records that a packet in flight or lost was sent again. */
struct sent_packet *loss_packet_resent(
    struct loss *l, uint32_t seq, uint64_t now_us);

/* Sets the timer after one or more packets were sent. */
void loss_set_timer(struct loss *l, uint64_t now_us);

/* ---- what arrives ---- */

/* Records that any packet of the peer arrived. */
static inline void
loss_peer_heard(struct loss *l)
{
	l->peer_heard = true;
}

/* Acknowledges a packet that is not in SENT_SACKED yet. */
void loss_packet_acked(struct loss *l, uint32_t seq, uint64_t now_us);

/*
 * Ends a batch of acknowledgements: samples the round-trip time, detects
 * losses, updates congestion control. Returns true if there was one and the
 * oldest packet was among them.
 */
bool loss_end_acks(struct loss *l, uint64_t now_us);

/* ---- timers ---- */

/* Detects the losses for which the reordering window has passed. */
void loss_reorder_expired(struct loss *l, uint64_t now_us);

/*
 * Handles the tail loss probe or the retransmission timeout. window_closed:
 * the peer has no space for what it dropped, so an answer of any kind shows
 * that it is alive.
 */
enum loss_action loss_timer_expired(struct loss *l, bool window_closed,
    uint64_t now_us) __attribute__((warn_unused_result));

/* ---- what the owner knows of the path ---- */

/* Makes the probe timer expire at once, if anything is in flight. */
void loss_probe_now(struct loss *l, uint64_t now_us);

/* Forgets timeouts and backoff of the old path, and probes the new one. */
void loss_path_changed(struct loss *l, uint64_t now_us);

/*
 * Declares all packets in flight lost: the path did not exist when they were
 * sent. Returns false if there were none.
 */
bool loss_declare_all(struct loss *l, uint64_t now_us);

/*
 * Restarts all waits after the machine slept: what expired meanwhile is no
 * sign of loss, and what is in flight gives no round-trip time.
 */
void loss_restart_waits(struct loss *l, uint64_t now_us);

#endif
