/* SPDX-License-Identifier: ISC */
/*
 * pinned.h - the keys that listen on this node, protocol 02 §7.
 *
 * A pinned key takes precedence over the forward table: no ANNOUNCE replaces it
 * and no UNANNOUNCE removes it (pitfall A4), and it does not expire. The limit
 * is that of the listeners. Uses: base, crypto.
 */
#ifndef RECORDS_PINNED_H
#define RECORDS_PINNED_H

#include "base/hash.h"
#include "crypto/keys.h"

struct pin {
	UT_hash_handle hh; /* by target */
	uint8_t target[HASH_LEN];
	uint8_t key[KEY_LEN];
	void *owner;
};

struct pinned {
	struct pin *pins;
	const struct hash_key *hash_key;
};

/* Pins a key, which is copied. Returns 0, ERR_EXISTS or ERR_MEMORY. */
int pinned_add(struct pinned *p, const uint8_t key[KEY_LEN], void *owner);
void pinned_del(struct pinned *p, const uint8_t key[KEY_LEN]);

/* Returns the pin with this target, or NULL. */
const struct pin *pinned_find(const struct pinned *p, const uint8_t *target);
void pinned_fini(struct pinned *p);

#endif
