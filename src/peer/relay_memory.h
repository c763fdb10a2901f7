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

enum { RELAY_MEMORY_PER_KEY = 4 }; /* of one key; servers name 3, and one for the way */

struct relay_memory {
	struct pool pool;
	struct index index;
	struct chain used; /* longest ago first */
	const struct hash_key *hash_key;
};

/* Keeps at most max keys. Must not be moved afterwards. */
void relay_memory_init(struct relay_memory *r, uint32_t max, const struct hash_key *key);

/* Another number; what was used longest ago goes. */
void relay_memory_set_max(struct relay_memory *r, uint32_t max);
void relay_memory_fini(struct relay_memory *r);

/* Replaces what is known of the key, unless there are none to put. */
void relay_memory_put(
    struct relay_memory *r, const uint8_t *key, const struct addr *addrs, size_t len);

/* Copies what is known to out (RELAY_MEMORY_PER_KEY places); returns how many. */
size_t relay_memory_get(struct relay_memory *r, const uint8_t *key, struct addr *out);

void relay_memory_forget(
    struct relay_memory *r, const uint8_t *key, const struct addr *addr);

#endif
