/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/hash.h"

uint32_t
hash_bytes(const struct hash_key *key, const void *p, size_t len)
{
	uint8_t out[crypto_shorthash_BYTES];
	uint32_t h;

	crypto_shorthash(out, p, len, key->k);
	memcpy(&h, out, sizeof h);
	return h;
}

uint32_t
hash_u64(const struct hash_key *key, uint64_t v)
{
	return hash_bytes(key, &v, sizeof v);
}
