/* SPDX-License-Identifier: ISC */
/*
 * rtt.h - round-trip time estimator and retransmission timeout, RFC 6298 with
 * the bounds of protocol 05 §5.
 *
 * Pure arithmetic in microseconds. The backoff is cleared by the next sample,
 * not by the next acknowledgement: by Karn's rule a path slower than the
 * timeout would otherwise never yield a sample.
 */
#ifndef UDX_RTT_H
#define UDX_RTT_H

#include <stdbool.h>
#include <stdint.h>

struct rtt {
	uint64_t srtt_us, rttvar_us; /* 0: not known */
	uint64_t min_us, min_at_us;  /* minimum of the last 300 s, its time */
	uint8_t backoff;             /* doublings since the last sample */
};

/* Sets an estimate that holds until the first sample. */
void rtt_hint(struct rtt *r, uint64_t us);

/* Adds a sample. */
void rtt_sample(struct rtt *r, uint64_t us, uint64_t now_us);

/* Doubles the timeout, up to its maximum. */
void rtt_back_off(struct rtt *r);

/* Returns the retransmission timeout (RTO). */
uint64_t rtt_timeout(const struct rtt *r);

/* Returns the tail loss probe timeout (PTO), RFC 8985 §7.2. */
uint64_t rtt_probe_timeout(const struct rtt *r);

#endif
