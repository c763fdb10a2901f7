/* SPDX-License-Identifier: ISC */
/*
 * hash.h - keyed hashing for tables, and the use of uthash.
 *
 * Attackers choose our table keys (addresses, ids, topics), so every hash is
 * SipHash under a random key of the node. uthash is used by hash value:
 * HASH_ADD_BYHASHVALUE and HASH_FIND_BYHASHVALUE. It does not exit when memory
 * is short; after an ADD the caller checks `hh.tbl`. Uses: base, libsodium.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum {
	HASH_KEY_LEN = 16,
	/* Of the buckets of a uthash table, for each entry: there is one bucket
	 * or less for each, and two tables while it grows. */
	HASH_ENTRY_BYTES = 2 * sizeof(struct UT_hash_bucket),
};

struct hash_key {
	uint8_t k[HASH_KEY_LEN];
};

/* Return the keyed hash of some bytes, and of a number. */
uint32_t hash_bytes(const struct hash_key *key, const void *p, size_t len);
uint32_t hash_u64(const struct hash_key *key, uint64_t v);

#endif
