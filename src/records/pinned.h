/* SPDX-License-Identifier: ISC */
/*
 * pinned.h - the keys that listen on this node itself, protocol 02 §7.
 *
 * They stand above the forward table: no ANNOUNCE replaces and no UNANNOUNCE
 * removes them (pitfall A4), and they do not age. As few as this node's
 * operator wants. Uses: base, crypto.
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

/* 0, ERR_EXISTS or ERR_MEMORY. The key is copied. */
int pinned_add(struct pinned *p, const uint8_t key[KEY_LEN], void *owner);
void pinned_del(struct pinned *p, const uint8_t key[KEY_LEN]);

/* The pin under this target, or NULL. */
const struct pin *pinned_find(const struct pinned *p, const uint8_t *target);
void pinned_fini(struct pinned *p);

#endif
