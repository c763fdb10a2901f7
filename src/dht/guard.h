/* SPDX-License-Identifier: ISC */
/*
 * guard.h - what each host may draw from us.
 *
 * A host is proven for ten minutes once it echoed one of our tokens or
 * answered a request of ours: then its requests are limited by rate alone.
 * Any other host may be the victim of a forged source address, so it is sent a
 * burst of bytes and then a trickle, whoever asks. Bounded: a host that drew
 * nothing for a while is the same as one never seen, and is forgotten first.
 */
#ifndef DHT_GUARD_H
#define DHT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bucket.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/pool.h"
#include "base/world.h"

/* Values of a source that are no budget in the table. */
#define GUARD_REFUSED UINT32_C(0) /* no budget can be had: send nothing */
#define GUARD_EXEMPT UINT32_MAX   /* the host needs none: send anything */

struct guard {
	struct pool pool;
	struct index index;
	const struct hash_key *key;
	const struct limits *limits;
	uint32_t cursor; /* of the search for somebody to forget */
};

void guard_init(
    struct guard *g, const struct hash_key *key, const struct limits *l);
void guard_fini(struct guard *g);

/* Returns the number of the host's budget, or GUARD_REFUSED; never exempts. */
__attribute__((warn_unused_result)) uint32_t guard_source(
    struct guard *g, struct world *w, const struct addr *a);

/* One request of this host: may it be looked at? */
bool guard_admit(struct guard *g, const struct world *w, uint32_t source);

/* len bytes are to go to this host: may they? */
bool guard_spend(
    struct guard *g, const struct world *w, uint32_t source, size_t len);

/* The host proved that it receives what we send to its address. */
void guard_prove(struct guard *g, struct world *w, const struct addr *a);
bool guard_is_proven(
    const struct guard *g, const struct world *w, uint32_t source);

/* True, once per candidate_seconds, if a new id of this host may be checked. */
bool guard_may_check(struct guard *g, const struct world *w, uint32_t source);

/* Forgets some hosts that have drawn nothing for long; now and then. */
void guard_sweep(struct guard *g, const struct world *w);

#endif
