/* SPDX-License-Identifier: ISC */
/*
 * rtt.h - how long to wait for whom: adaptive timeouts, protocol 01 §9.2.
 *
 * One smoothed round trip per destination, kept for ten minutes, in a bounded
 * table that overwrites at random when it is full.
 */
#ifndef DHT_RTT_H
#define DHT_RTT_H

#include <stdint.h>

#include "base/hash.h"
#include "base/pool.h"
#include "base/world.h"

enum { RTT_ENTRIES = 1024, RTT_JITTER_MS = 256 };

struct rtt {
	struct pool pool;
	struct index index;
	const struct hash_key *key;
};

void rtt_init(struct rtt *r, const struct hash_key *key);
void rtt_fini(struct rtt *r);

/* A reply came this long after the send it answers; in milliseconds. */
void rtt_put(
    struct rtt *r, struct world *w, const struct addr *to, uint32_t ms);

/* The wait after the attempt-th send (from 1), without jitter. */
uint32_t rtt_wait_ms(const struct rtt *r, const struct world *w,
    const struct addr *to, unsigned attempt);

#endif
