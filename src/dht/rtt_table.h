/* SPDX-License-Identifier: ISC */
/*
 * rtt_table.h - adaptive timeouts of requests, protocol 01 §9.2.
 *
 * Keeps one smoothed round-trip time per destination for ten minutes, in a
 * bounded table that evicts a random entry when it is full. Uses: base.
 */
#ifndef DHT_RTT_TABLE_H
#define DHT_RTT_TABLE_H

#include <stdint.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/world.h"

enum { RTT_JITTER_MS = 256 };

struct rtt_table {
	struct pool pool;
	struct pool_index index;
	const struct hash_key *key;
};

/* Borrows key. */
void rtt_table_init(struct rtt_table *t, const struct hash_key *key);
void rtt_table_fini(struct rtt_table *t);

/* Adds a sample: a reply was received ms milliseconds after its request. */
void rtt_table_put(
    struct rtt_table *t, struct world *w, const struct addr *to, uint32_t ms);

/* Returns the timeout of the attempt-th send (from 1) in milliseconds, without
 * jitter. */
uint32_t rtt_table_timeout_ms(const struct rtt_table *t, const struct world *w,
    const struct addr *to, unsigned attempt);

#endif
