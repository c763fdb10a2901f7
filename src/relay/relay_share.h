/* SPDX-License-Identifier: ISC */
/*
 * relay_share.h - how much of a relay one key, one address and one prefix use.
 *
 * Counts units: one for each session, one for each pairing of it beyond the
 * first. A unit is refused if the key, the address, the /24 (IPv6: /56) or all
 * of them together have reached their limit. Uses: base.
 */
#ifndef RELAY_RELAY_SHARE_H
#define RELAY_RELAY_SHARE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"

enum relay_share_kind {
	RELAY_SHARE_KEY,
	RELAY_SHARE_HOST,
	RELAY_SHARE_PREFIX,
	RELAY_SHARE_KINDS
};

struct relay_share;

struct relay_shares {
	const struct core *core;
	struct relay_share *by_id[RELAY_SHARE_KINDS]; /* hash tables */
	uint32_t len;                                 /* units in all */
};

/* One session, in the three shares that it is counted in. */
struct relay_holder {
	struct relay_share *of[RELAY_SHARE_KINDS];
	uint32_t units;
	bool exempt; /* only the limit of all of them binds it */
};

void relay_shares_init(struct relay_shares *t, const struct core *core);
void relay_shares_fini(struct relay_shares *t);

/* Takes the first unit of a session. Returns 0, ERR_LIMIT or ERR_MEMORY. */
int relay_holder_init(struct relay_shares *t, struct relay_holder *h,
    const uint8_t *key, const struct addr *addr, bool exempt)
    __attribute__((warn_unused_result));

/* Returns all units that are left. */
void relay_holder_fini(struct relay_shares *t, struct relay_holder *h);

/* Take one more unit (0 or ERR_LIMIT), and return one. */
int relay_holder_take(struct relay_shares *t, struct relay_holder *h)
    __attribute__((warn_unused_result));
void relay_holder_give(struct relay_shares *t, struct relay_holder *h);

#endif
