/* SPDX-License-Identifier: ISC */
/*
 * topic.h - the record cache: the keys announced for each topic, protocol 02
 * §6.
 *
 * One record per key and topic, charged to the address that announced it. A
 * full topic evicts from the source that holds most of it. A reply is a random
 * sample that limits the records of one source while others are available.
 * Uses: base, crypto.
 */
#ifndef RECORDS_TOPIC_H
#define RECORDS_TOPIC_H

#include "base/limits.h"
#include "base/world.h"
#include "records/cache.h"
#include "records/record.h"

struct topics {
	struct cache records; /* first member: a cast leads back here */
	struct pool cells;
	struct pool_index index;
	const struct hash_key *key;
	uint32_t records_max; /* of one topic */
	uint32_t serve_host, serve_prefix;
};

/* Returns what the records and their topics take with these limits, at most. */
size_t topics_bytes_max(const struct limits *l);

/* Borrows key and stats. The struct must not be moved afterwards. */
void topics_init(struct topics *t, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void topics_fini(struct topics *t);
void topics_set_limits(struct topics *t, const struct limits *l);

/*
 * Stores a record in place of an older one of the key. Returns 0 or ERR_MEMORY.
 */
int topics_add(struct topics *t, const struct writer *w, const uint8_t *target,
    const struct peer_record *p);

/* Deletes the record of a key, if there is one. */
void topics_del(
    struct topics *t, const uint8_t *target, const uint8_t key[KEY_LEN]);

/* Stores a bump if it is newer and not in the future, protocol 02 §6.2. */
void topics_bump(
    struct topics *t, const uint8_t *target, uint64_t bump, uint64_t unix_ms);

struct topic_pick {
	struct peer_record peers[LOOKUP_PEERS_MAX];
	size_t len;
	uint64_t bump;
};

/*
 * Picks up to LOOKUP_PEERS_MAX distinct records of a topic at random. They are
 * borrowed until the next change. With shares, records of sources that already
 * have several are picked last.
 */
void topics_pick(struct topics *t, struct world *world, bool shares,
    uint32_t now_s, const uint8_t *target, struct topic_pick *out);

static inline uint32_t
topics_len(const struct topics *t)
{
	return t->cells.len;
}

#endif
