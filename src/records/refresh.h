/* SPDX-License-Identifier: ISC */
/*
 * refresh.h - refresh tokens and what they renew, protocol 02 §6.1.
 *
 * A token is good once: whoever shows what hashes to it has its record
 * renewed, and what was shown takes the token's place. Uses: base, crypto.
 */
#ifndef RECORDS_REFRESH_H
#define RECORDS_REFRESH_H

#include "records/cache.h"
#include "records/record.h"
#include "records/stored.h"

struct refreshes {
	struct cache entries;
};

/* What a token renews. */
struct renewal {
	uint8_t target[HASH_LEN];
	struct stored_peer peer;
};

/* Borrows key and stats. Must not be moved afterwards. */
void refreshes_init(struct refreshes *rf, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void refreshes_fini(struct refreshes *rf);
void refreshes_set_limits(struct refreshes *rf, const struct limits *l);

/* 0 or ERR_MEMORY. */
int refreshes_set(struct refreshes *rf, const struct writer *w,
    const uint8_t token[HASH_LEN], const struct renewal *rn);

/* What `shown` renews, now that its token is used up; false: nothing. */
bool refreshes_take(struct refreshes *rf, uint32_t now_s,
    const uint8_t shown[HASH_LEN], struct renewal *rn);

#endif
