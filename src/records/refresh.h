/* SPDX-License-Identifier: ISC */
/*
 * refresh.h - refresh tokens and the records that they renew, protocol 02
 * §6.1.
 *
 * A token is the hash of a secret and is used once: a request that shows the
 * secret renews the record, and the secret becomes the next token. Uses: base,
 * crypto.
 */
#ifndef RECORDS_REFRESH_H
#define RECORDS_REFRESH_H

#include "records/cache.h"
#include "records/record.h"
#include "records/stored.h"

struct refreshes {
	struct cache entries;
};

/* The record that a token renews. */
struct renewal {
	uint8_t target[HASH_LEN];
	struct stored_peer peer;
};

/* Returns what the table takes with these limits, at most. */
size_t refreshes_bytes_max(const struct limits *l);

/* Borrows key and stats. The table must not be moved afterwards. */
void refreshes_init(struct refreshes *rf, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void refreshes_fini(struct refreshes *rf);
void refreshes_set_limits(struct refreshes *rf, const struct limits *l);

/* Stores a token and its record. Returns 0 or ERR_MEMORY. */
int refreshes_set(struct refreshes *rf, const struct writer *w,
    const uint8_t token[HASH_LEN], const struct renewal *rn);

/*
 * Removes the token that is the hash of `shown` and returns its record in *rn.
 * Returns false if there is no such token.
 */
bool refreshes_take(struct refreshes *rf, uint32_t now_s,
    const uint8_t shown[HASH_LEN], struct renewal *rn);

#endif
