/* SPDX-License-Identifier: ISC */
/*
 * rtt.h - round-trip time and the retransmission timeout it asks for,
 * RFC 6298 with the bounds of protocol 05 §5.
 *
 * Pure arithmetic in microseconds. The backoff persists: it is forgotten with
 * the next sample, not with the next acknowledgement, because by Karn's rule a
 * path slower than the timeout would otherwise never yield a sample.
 */
#ifndef UDX_RTT_H
#define UDX_RTT_H

#include <stdbool.h>
#include <stdint.h>

struct rtt {
	uint64_t srtt_us, rttvar_us; /* 0: not known */
	uint64_t min_us, min_at_us;  /* least of the last 300 s */
	uint8_t backoff;             /* doublings since the last sample */
};

/* A time known from elsewhere: good until the first sample. */
void rtt_hint(struct rtt *r, uint64_t us);
void rtt_sample(struct rtt *r, uint64_t us, uint64_t now_us);

/* The timeout expired, so whatever comes next waits longer. */
void rtt_back_off(struct rtt *r);

uint64_t rtt_timeout(const struct rtt *r);

/* After so long a tail is worth a probe, RFC 8985 §7.2. */
uint64_t rtt_probe_timeout(const struct rtt *r);

#endif
