/* SPDX-License-Identifier: ISC */
/*
 * relays.h - the nodes through which a key was reached, protocol 03 §8.1.
 *
 * A bounded cache by key: the server's own list, else the nodes that answered
 * for it, best first. The key used longest ago makes room; a node that fails
 * is forgotten (pitfall H8). Uses: base, crypto.
 */
#ifndef PEER_RELAYS_H
#define PEER_RELAYS_H

#include <stddef.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/pool.h"
#include "crypto/keys.h"

enum { RELAYS_KEPT = 4 }; /* of one key; servers name 3, and one for the way */

struct relays {
	struct pool pool;
	struct index index;
	struct chain used; /* longest ago first */
	const struct hash_key *hash_key;
};

/* Keeps at most max keys. Must not be moved afterwards. */
void relays_init(struct relays *r, uint32_t max, const struct hash_key *key);

/* Another number; what was used longest ago goes. */
void relays_set_max(struct relays *r, uint32_t max);
void relays_fini(struct relays *r);

/* Replaces what is known of the key, unless there are none to put. */
void relays_put(
    struct relays *r, const uint8_t *key, const struct addr *addrs, size_t len);

/* Copies what is known to out (RELAYS_KEPT places); returns how many. */
size_t relays_get(struct relays *r, const uint8_t *key, struct addr *out);

void relays_forget(
    struct relays *r, const uint8_t *key, const struct addr *addr);

#endif
