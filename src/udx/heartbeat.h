/* SPDX-License-Identifier: ISC */
/*
 * heartbeat.h - when a stream sends HEARTBEAT packets: as keep-alives
 * (protocol 05 §11) and to probe a receive window of 0 (protocol 05 §7).
 *
 * A peer acknowledges each at once; too many in a row without any packet from
 * it mean that it is gone. Knows no stream and no timer: the owner calls the
 * functions for the two deadlines once they have passed. Times are in
 * microseconds.
 */
#ifndef UDX_HEARTBEAT_H
#define UDX_HEARTBEAT_H

#include <stdbool.h>
#include <stdint.h>

struct heartbeat {
	bool pending;         /* one is to be sent */
	uint8_t unanswered;   /* since the last packet of the peer */
	uint64_t interval_us; /* of keep-alives; 0: none */
	uint64_t keepalive_due_us, window_due_us; /* or WORLD_NEVER */
};

void heartbeat_init(struct heartbeat *h);

/* Stops both deadlines. */
void heartbeat_stop(struct heartbeat *h);

/*
 * Asks for a heartbeat to be sent. Returns false if too many are unanswered:
 * the peer is gone.
 */
bool heartbeat_request(struct heartbeat *h) __attribute__((warn_unused_result));

/* Counts the keep-alive interval from now, if there is one. */
void heartbeat_restart_keepalive(struct heartbeat *h, uint64_t now_us);

/*
 * Handles the keep-alive deadline. idle_us: since the last packet sent, of
 * which none is unacknowledged if `all_acked`. Returns true if a heartbeat is
 * to be requested.
 */
bool heartbeat_keepalive_expired(
    struct heartbeat *h, uint64_t idle_us, bool all_acked, uint64_t now_us);

/*
 * Starts or stops the window probe. closed: data waits for a window of 0.
 * Returns true if it was started.
 */
bool heartbeat_watch_window(
    struct heartbeat *h, bool closed, uint64_t rto_us, uint64_t now_us);

/* Handles the deadline of the window probe and sets the next one. */
void heartbeat_window_expired(
    struct heartbeat *h, uint64_t rto_us, uint64_t now_us);

#endif
