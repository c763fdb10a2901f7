/* SPDX-License-Identifier: ISC */
/*
 * value.h - a cache of mutable or immutable values, protocol 02 §5.
 *
 * Stores bytes and a sequence number by target; the caller decides what the
 * bytes mean and whether they may be stored. One weight limits both the bytes
 * and the number of values: a value counts as its length, but at least as the
 * limit of bytes divided by that of values. Uses: base, crypto.
 */
#ifndef RECORDS_VALUE_H
#define RECORDS_VALUE_H

#include "base/wire.h"
#include "records/cache.h"

struct values {
	struct cache entries; /* first member: a cast leads back here */
	uint32_t bytes;       /* of all values */
};

/* Returns what one kind of values takes with these limits, at most. */
size_t values_bytes_max(const struct limits *l);

/* Borrows key and stats. The struct must not be moved afterwards. */
void values_init(struct values *v, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void values_fini(struct values *v);
void values_set_limits(struct values *v, const struct limits *l);

/* Stores a copy in place of an older value. Returns 0 or ERR_MEMORY. */
int values_set(struct values *v, const struct writer *w, const uint8_t *target,
    uint64_t seq, struct bytes value);

/* Finds a value, which is borrowed until the next change. Returns false if
 * there is none or it has expired. */
bool values_find(const struct values *v, uint32_t now_s, const uint8_t *target,
    uint64_t *seq, struct bytes *value);

#endif
