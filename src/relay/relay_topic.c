/* SPDX-License-Identifier: ISC */
#include "relay/relay_topic.h"

#include "base/wire.h"

#define TOPIC_NAME "hyperdht-relay/1"

enum {
	NAME_LEN = sizeof TOPIC_NAME - 1,
	TOPIC_LEN = NAME_LEN + 1 + 4 + 1,
	DAY_MS = 24 * 60 * 60 * 1000,
};

const uint8_t relay_level_bits[RELAY_LEVELS] = {0, 3, 6};

void
relay_topic_hash(uint8_t out[HASH_LEN], const struct relay_topic *t)
{
	uint8_t buf[TOPIC_LEN];
	struct wr w = wr_init(buf, sizeof buf);

	wr_raw(&w, TOPIC_NAME, NAME_LEN);
	wr_u8(&w, t->bits);
	wr_le32(&w, t->day);
	wr_u8(&w, t->shard);
	hash_blake2b(out, buf, wr_len(&w));
}

uint8_t
relay_topic_shard(const uint8_t key[KEY_LEN], uint8_t bits)
{
	return (uint8_t)(key[0] >> (8 - bits));
}

uint32_t
relay_topic_day(uint64_t unix_ms)
{
	return (uint32_t)(unix_ms / DAY_MS);
}
