/* SPDX-License-Identifier: ISC */
/*
 * relay_memory.h - the nodes through which a key was reached, protocol 03 §8.1.
 *
 * A bounded cache by key: the server's own list, or else the nodes that
 * answered for it, best first. When it is full it evicts the key used longest
 * ago; a node that fails is removed (pitfall H8). Uses: base, crypto.
 */
#ifndef PEER_RELAY_MEMORY_H
#define PEER_RELAY_MEMORY_H

#include <stddef.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/pool.h"
#include "crypto/keys.h"

/* Nodes of one key: servers list 3; one more is for the node that answered. */
enum { RELAY_MEMORY_PER_KEY = 4 };

struct relay_memory {
	struct pool pool;
	struct pool_index index;
	struct chain used; /* longest ago first */
	const struct hash_key *hash_key;
};

/* Keeps at most max keys. Borrows the hash key. *r must not be moved. */
void relay_memory_init(
    struct relay_memory *r, uint32_t max, const struct hash_key *key);

/* Changes the limit and evicts down to it. */
void relay_memory_set_max(struct relay_memory *r, uint32_t max);
void relay_memory_fini(struct relay_memory *r);

/* Replaces the nodes of the key, unless len is 0. Copies the addresses. */
void relay_memory_put(struct relay_memory *r, const uint8_t *key,
    const struct addr *addrs, size_t len);

/* Copies the nodes of the key to out, which has RELAY_MEMORY_PER_KEY elements.
 * Returns how many. */
size_t relay_memory_get(
    struct relay_memory *r, const uint8_t *key, struct addr *out);

/* Removes one node of the key. */
void relay_memory_forget(
    struct relay_memory *r, const uint8_t *key, const struct addr *addr);

#endif
