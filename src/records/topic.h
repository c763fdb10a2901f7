/* SPDX-License-Identifier: ISC */
/*
 * topic.h - the record cache: who announced under which topic, protocol 02 §6.
 *
 * One record per key and topic, on the account of the address that announced
 * it. A full topic takes from the source that holds most of it; a reply draws
 * at random, with few of one source while others are there. Uses: base, crypto.
 */
#ifndef RECORDS_TOPIC_H
#define RECORDS_TOPIC_H

#include "base/limits.h"
#include "base/world.h"
#include "records/cache.h"
#include "records/record.h"

struct topics {
	struct cache records; /* first, so that a record leads back here */
	struct pool cells;
	struct index index;
	const struct hash_key *key;
	uint32_t records_max; /* of one topic */
	uint32_t serve_host, serve_prefix;
};

/* Borrows key and stats. Must not be moved afterwards. */
void topics_init(struct topics *t, const struct limits *l,
    const struct hash_key *key, struct stats *st);
void topics_fini(struct topics *t);
void topics_set_limits(struct topics *t, const struct limits *l);

/* 0 or ERR_MEMORY. What the same key announced before is replaced. */
int topics_add(struct topics *t, const struct writer *w, const uint8_t *target,
    const struct peer_record *p);

/* Nothing happens if it is not there. */
void topics_del(
    struct topics *t, const uint8_t *target, const uint8_t key[KEY_LEN]);

/* Takes the bump if it is newer and not of the future; protocol 02 §6.2. */
void topics_bump(
    struct topics *t, const uint8_t *target, uint64_t bump, uint64_t unix_ms);

struct topic_pick {
	struct peer_record peers[LOOKUP_PEERS_MAX];
	size_t len;
	uint64_t bump;
};

/*
 * Up to LOOKUP_PEERS_MAX records of the topic, at random and each once; they
 * are borrowed until the next change. Without shares all are alike.
 */
void topics_pick(struct topics *t, struct world *world, bool shares,
    uint32_t now_s, const uint8_t *target, struct topic_pick *out);

static inline uint32_t
topics_len(const struct topics *t)
{
	return t->cells.len;
}

#endif
