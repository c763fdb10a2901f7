/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "crypto/keys.h"

enum { SIGNED_LEN = NAMESPACE_LEN + HASH_LEN };

void
key_pair_from_seed(struct key_pair *k, const uint8_t seed[KEY_SEED_LEN])
{
	crypto_sign_seed_keypair(k->public_key, k->secret_key, seed);
}

void
hash_blake2b(uint8_t out[HASH_LEN], const void *p, size_t len)
{
	crypto_generichash(out, HASH_LEN, p, len, NULL, 0);
}

void
key_namespace(uint8_t out[NAMESPACE_LEN], enum key_namespace ns)
{
	static const char name[] = "hyperswarm/dht";
	uint8_t in[HASH_LEN + 1];

	hash_blake2b(in, name, sizeof name - 1);
	in[HASH_LEN] = (uint8_t)ns;
	hash_blake2b(out, in, sizeof in);
}

static void
signed_bytes(uint8_t out[SIGNED_LEN], enum key_namespace ns,
    const struct key_part *parts, size_t parts_len)
{
	crypto_generichash_state h;

	key_namespace(out, ns);
	crypto_generichash_init(&h, NULL, 0, HASH_LEN);
	for (size_t i = 0; i < parts_len; i++)
		crypto_generichash_update(&h, parts[i].p, parts[i].len);
	crypto_generichash_final(&h, out + NAMESPACE_LEN, HASH_LEN);
}

void
key_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    enum key_namespace ns, const struct key_part *parts, size_t parts_len)
{
	uint8_t m[SIGNED_LEN];

	signed_bytes(m, ns, parts, parts_len);
	crypto_sign_detached(sig, NULL, m, sizeof m, k->secret_key);
}

int
key_verify(const uint8_t sig[SIGNATURE_LEN], const uint8_t key[KEY_LEN],
    enum key_namespace ns, const struct key_part *parts, size_t parts_len)
{
	uint8_t m[SIGNED_LEN];

	signed_bytes(m, ns, parts, parts_len);
	if (crypto_sign_verify_detached(sig, m, sizeof m, key) != 0)
		return ERR_SIGNATURE;
	return 0;
}
