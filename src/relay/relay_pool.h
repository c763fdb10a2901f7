/* SPDX-License-Identifier: ISC */
/*
 * relay_pool.h - the blind relays that a node has found, and the choice of one.
 *
 * A relay is found in a record, which proves nothing; it counts once it has
 * been reached by its key and has opened its channel, and until it fails. The
 * choice is random among those whose delay is within half of the least delay,
 * at most one of a /16 (IPv6: /32), so that neither one relay nor one operator
 * is chosen always. Does no I/O. Uses: base, crypto.
 */
#ifndef RELAY_RELAY_POOL_H
#define RELAY_RELAY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/world.h"
#include "crypto/keys.h"

enum {
	RELAY_POOL_MAX = 64,
	RELAY_FAILURES_MAX = 3, /* in a row, then a relay is forgotten */
	RELAY_PROVED_S = 600,   /* then it is dialed again */
};

enum known_relay_state {
	KNOWN_RELAY_FOUND,   /* in a record */
	KNOWN_RELAY_PROVING, /* being dialed */
	KNOWN_RELAY_PROVED,
	KNOWN_RELAY_FAILED,
};

struct known_relay {
	uint8_t key[KEY_LEN];
	enum known_relay_state state;
	uint8_t failures; /* since it was last proved */
	struct addr addr; /* where it was last reached; none: not usable */
	uint64_t rtt_us;
	uint64_t due_us; /* when it may be dialed again */
};

struct relay_pool {
	struct world *world;
	struct known_relay entries[RELAY_POOL_MAX];
	uint32_t len;
};

/* Borrows the world. */
void relay_pool_init(struct relay_pool *p, struct world *w);

/*
 * Adds a relay of a record. If the pool is full, it replaces a random one that
 * is not proved. Returns true if it is new.
 */
bool relay_pool_add(struct relay_pool *p, const uint8_t key[KEY_LEN]);

/* Returns a random relay that is to be dialed now, and marks it
 * KNOWN_RELAY_PROVING; NULL: there is none. It stays usable meanwhile if it was
 * proved before. Borrowed until the next change. */
const uint8_t *relay_pool_take(struct relay_pool *p);

/* Undoes relay_pool_take() for a relay that could not be dialed by our fault.
 */
void relay_pool_put_back(struct relay_pool *p, const uint8_t key[KEY_LEN]);

/* Each records a result; does nothing for a relay that the pool lacks. */
void relay_pool_proved(struct relay_pool *p, const uint8_t key[KEY_LEN],
    const struct addr *addr, uint64_t rtt_us);
void relay_pool_failed(struct relay_pool *p, const uint8_t key[KEY_LEN]);

/* Records a relay that refuses for now: it is not dialed again until then, at
 * the earliest in a minute and at the latest in a day. */
void relay_pool_refused(
    struct relay_pool *p, const uint8_t key[KEY_LEN], uint64_t retry_s);

/* Return how many relays are being dialed, and how many are proved and need not
 * be dialed now. */
uint32_t relay_pool_proving(const struct relay_pool *p);
uint32_t relay_pool_fresh(const struct relay_pool *p);

/*
 * Returns the key of a proved relay, other than the keys of both ends; NULL:
 * there is none. Borrowed until the next change.
 */
const uint8_t *relay_pool_choose(struct relay_pool *p,
    const uint8_t own[KEY_LEN], const uint8_t peer[KEY_LEN]);

#endif
