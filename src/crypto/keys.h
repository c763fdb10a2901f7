/* SPDX-License-Identifier: ISC */
/*
 * keys.h - Ed25519 key pairs and signatures, BLAKE2b hashes, and the signature
 * namespaces of the protocol; a thin layer over libsodium.
 *
 * Seeds come from the caller, never from the system. Uses: base, libsodium.
 */
#ifndef CRYPTO_KEYS_H
#define CRYPTO_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	KEY_LEN = 32,
	KEY_SEED_LEN = 32,
	KEY_SECRET_LEN = 64,
	SIGNATURE_LEN = 64,
	HASH_LEN = 32,
	NAMESPACE_LEN = 32,
};

struct key_pair {
	uint8_t public_key[KEY_LEN];
	uint8_t secret_key[KEY_SECRET_LEN]; /* seed, then public key */
};

/* Derives the key pair of a seed. The caller wipes it after use. */
void key_pair_from_seed(struct key_pair *k, const uint8_t seed[KEY_SEED_LEN]);

/* Computes BLAKE2b-256, the H of protocol 01. */
void hash_blake2b(uint8_t out[HASH_LEN], const void *p, size_t len);

/* Computes the DHT target of a peer: H(public key). */
static inline void
key_target(uint8_t out[HASH_LEN], const uint8_t key[KEY_LEN])
{
	hash_blake2b(out, key, KEY_LEN);
}

/* Signature namespaces, protocol 02 §4, numbered as their commands. */
enum key_namespace {
	NS_PEER_HANDSHAKE = 0,
	NS_PEER_HOLEPUNCH = 1,
	NS_ANNOUNCE = 4,
	NS_UNANNOUNCE = 5,
	NS_MUTABLE_PUT = 6,
	NS_PLUGIN = 10,
};

/* Returns H( H("hyperswarm/dht") || number ), NAMESPACE_LEN bytes. */
const uint8_t *key_namespace(enum key_namespace ns);

/* A borrowed part of the bytes that are signed. */
struct key_part {
	const void *p;
	size_t len;
};

/*
 * Sign and verify namespace || H(concatenated parts). key_verify() returns 0 or
 * ERR_SIGNATURE.
 */
void key_sign(uint8_t sig[SIGNATURE_LEN], const struct key_pair *k,
    enum key_namespace ns, const struct key_part *parts, size_t parts_len);
int key_verify(const uint8_t sig[SIGNATURE_LEN], const uint8_t key[KEY_LEN],
    enum key_namespace ns, const struct key_part *parts, size_t parts_len)
    __attribute__((warn_unused_result));

#endif
