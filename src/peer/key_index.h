/* SPDX-License-Identifier: ISC */
/*
 * key_index.h - the connections to each key.
 *
 * A hash table of keys, so that finding a connection to a key does not depend
 * on how many connections there are to others. The index borrows the
 * connections and owns its entries. Uses: base, crypto.
 */
#ifndef PEER_KEY_INDEX_H
#define PEER_KEY_INDEX_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "crypto/keys.h"

struct conn;

TAILQ_HEAD(conn_list, conn);

struct key_entry {
	UT_hash_handle hh;
	uint8_t key[KEY_LEN];
	struct conn_list conns; /* oldest first, never empty */
};

struct key_index {
	struct key_entry *entries;
	const struct hash_key *hash_key;
};

/* Borrows the hash key. */
void key_index_init(struct key_index *x, const struct hash_key *hash_key);

/* Appends a connection to those of its key. Returns 0 or ERR_MEMORY. */
int key_index_add(struct key_index *x, struct conn *c);

/* Removes a connection; an entry ends with its last one. */
void key_index_remove(struct key_index *x, struct conn *c);

/* Returns the oldest connection to the key, or NULL; TAILQ_NEXT(c, same_key) is
 * the next one. */
struct conn *key_index_first(const struct key_index *x, const uint8_t *key);

#endif
