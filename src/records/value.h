/* SPDX-License-Identifier: ISC */
/*
 * value.h - mutable or immutable values, protocol 02 §5.
 *
 * Bytes by target with a sequence number; what the bytes mean, and whether
 * they may be stored, is decided above. A budget of bytes and a number of
 * values in one: each weighs as much as it is long, and at least the average
 * that fits. Uses: base, crypto.
 */
#ifndef RECORDS_VALUE_H
#define RECORDS_VALUE_H

#include "base/wire.h"
#include "records/cache.h"

struct values {
	struct cache entries; /* first, so that an entry leads back here */
	uint32_t bytes;       /* of all values */
};

/* Borrows key and stats. Must not be moved afterwards. */
void values_init(struct values *v, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void values_fini(struct values *v);
void values_set_limits(struct values *v, const struct limits *l);

/* 0 or ERR_MEMORY. Copies the bytes; replaces what is there. */
int values_set(struct values *v, const struct writer *w, const uint8_t *target,
    uint64_t seq, struct bytes value);

/* True if there is one; it is borrowed until the next change. */
bool values_find(const struct values *v, uint32_t now_s, const uint8_t *target,
    uint64_t *seq, struct bytes *value);

#endif
