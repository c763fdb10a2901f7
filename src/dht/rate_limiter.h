/* SPDX-License-Identifier: ISC */
/*
 * rate_limiter.h - what each host may make us send, by address validation.
 *
 * A host is validated for ten minutes once it has returned one of our tokens or
 * answered one of our requests: then only the rate of its requests is limited.
 * A request without a token may have a forged source nevertheless: replies that
 * are much larger than the request have a budget of bytes, and such requests
 * never use up what those with a token have.
 * Any other host may be the victim of a forged source address (RFC 9000 §8), so
 * it is sent a burst of bytes and then a trickle, whatever arrives from there.
 * The table is bounded: a host that has drawn nothing lately has the same
 * budget as one that is not in the table, and is evicted first. Uses: base.
 */
#ifndef DHT_RATE_LIMITER_H
#define DHT_RATE_LIMITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/world.h"

/* A source is the number of a host's budget, or one of these. */
#define RATE_LIMITER_REFUSED UINT32_C(0) /* table full: send nothing */
#define RATE_LIMITER_EXEMPT UINT32_MAX   /* no budget applies */

struct rate_limiter {
	struct pool pool;
	struct pool_index index;
	const struct hash_key *key;
	const struct limits *limits;
	uint32_t cursor; /* where the search for an idle host continues */
};

/* Returns what the table takes with these limits, at most. */
size_t rate_limiter_bytes_max(const struct limits *l);

/* Borrows key and limits. */
void rate_limiter_init(struct rate_limiter *rl, const struct hash_key *key,
    const struct limits *l);
void rate_limiter_fini(struct rate_limiter *rl);

/* Applies limits that have changed. */
void rate_limiter_limits_changed(struct rate_limiter *rl);

/* Returns the number of the host's budget, which is created if needed, or
 * RATE_LIMITER_REFUSED. */
__attribute__((warn_unused_result)) uint32_t rate_limiter_source(
    struct rate_limiter *rl, struct world *w, const struct addr *a);

/* Charges one request of this source. has_token: it carries a valid token.
 * Returns false if it must be dropped. */
__attribute__((warn_unused_result)) bool rate_limiter_admit(
    struct rate_limiter *rl, const struct world *w, uint32_t source,
    bool has_token);

/* Charges len bytes to be sent to this source. Returns false if they must not
 * be sent. */
__attribute__((warn_unused_result)) bool rate_limiter_charge(
    struct rate_limiter *rl, const struct world *w, uint32_t source,
    size_t len);

/* Charges a reply of len bytes to a request of request_len bytes that carried
 * no token. Returns false if it must not be sent. */
__attribute__((warn_unused_result)) bool rate_limiter_charge_reply(
    struct rate_limiter *rl, const struct world *w, uint32_t source,
    size_t request_len, size_t len);

/* Marks the host as validated: it receives what we send to its address. */
void rate_limiter_validate(
    struct rate_limiter *rl, struct world *w, const struct addr *a);
bool rate_limiter_is_validated(
    const struct rate_limiter *rl, const struct world *w, uint32_t source);

/* The same by address; creates no budget. */
bool rate_limiter_is_host_validated(
    const struct rate_limiter *rl, const struct world *w, const struct addr *a);

/* Returns true, once per candidate_seconds, if a new id of this source may be
 * checked. */
__attribute__((warn_unused_result)) bool rate_limiter_permit_check(
    struct rate_limiter *rl, const struct world *w, uint32_t source);

/* Evicts some hosts that have drawn nothing lately; called periodically. */
void rate_limiter_sweep(struct rate_limiter *rl, const struct world *w);

#endif
