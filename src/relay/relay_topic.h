/* SPDX-License-Identifier: ISC */
/*
 * relay_topic.h - the topics under which blind relays announce themselves.
 *
 * Protocol 10, "Relays are found". A topic is one shard of one level on one
 * day: level n has 1 << n shards, and the first n bits of a relay's public key
 * are the number of its shard. The day is part of the topic, so that no fixed
 * target can be surrounded for long. Uses: base, crypto.
 */
#ifndef RELAY_RELAY_TOPIC_H
#define RELAY_RELAY_TOPIC_H

#include <stddef.h>
#include <stdint.h>

#include "crypto/keys.h"

enum { RELAY_LEVELS = 3 };

/* Of each level, few shards first: 1, 8 and 64. */
extern const uint8_t relay_level_bits[RELAY_LEVELS];

struct relay_topic {
	uint8_t bits; /* of the level */
	uint8_t shard;
	uint32_t day; /* since 1970-01-01, UTC */
};

/* Writes the topic's 32 bytes. */
void relay_topic_hash(uint8_t out[HASH_LEN], const struct relay_topic *t);

/* Returns the shard of a key, of a level with that many bits (at most 8). */
uint8_t relay_topic_shard(const uint8_t key[KEY_LEN], uint8_t bits);

/* Returns the day of a time in milliseconds since 1970. */
uint32_t relay_topic_day(uint64_t unix_ms);

#endif
