/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "crypto/noise.h"

enum {
	BLOCK_LEN = 128, /* of BLAKE2b, for HMAC */
	MAC_LEN = 16,
	SEALED_KEY_LEN = KEY_LEN + MAC_LEN,
};

/*
 * The symmetric state: hash, chaining key, cipher key. In IK each encryption
 * directly follows a MixKey, so the nonce is always 0 and is not kept.
 */
struct symmetric {
	uint8_t h[NOISE_HASH_LEN], ck[NOISE_HASH_LEN], k[KEY_LEN];
};

static const uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

/* ---- Diffie-Hellman, protocol 03 §4.2 ---- */

void
noise_scalar(uint8_t out[KEY_LEN], const struct key_pair *k)
{
	uint8_t h[crypto_hash_sha512_BYTES];

	crypto_hash_sha512(h, k->secret_key, KEY_SEED_LEN);
	h[0] &= 248;
	h[31] = (uint8_t)((h[31] & 127) | 64);
	memcpy(out, h, KEY_LEN);
	sodium_memzero(h, sizeof h);
}

int
noise_dh(uint8_t out[KEY_LEN], const uint8_t scalar[KEY_LEN],
    const uint8_t point[KEY_LEN])
{
	return crypto_scalarmult_ed25519_noclamp(out, scalar, point) == 0
		   ? 0
		   : ERR_VALUE;
}

/* ---- the symmetric state, protocol 03 §4.3 ---- */

static void
hash2(uint8_t out[NOISE_HASH_LEN], const void *a, size_t a_len, const void *b,
    size_t b_len)
{
	crypto_generichash_state st;

	crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
	crypto_generichash_update(&st, a, a_len);
	crypto_generichash_update(&st, b, b_len);
	crypto_generichash_final(&st, out, NOISE_HASH_LEN);
	sodium_memzero(&st, sizeof st);
}

/* HMAC (RFC 2104) over unkeyed BLAKE2b-512: not keyed BLAKE2b. */
static void
hmac(uint8_t out[NOISE_HASH_LEN], const uint8_t key[NOISE_HASH_LEN],
    const void *p, size_t len)
{
	uint8_t pad[BLOCK_LEN] = {0}, inner[NOISE_HASH_LEN];

	memcpy(pad, key, NOISE_HASH_LEN);
	for (size_t i = 0; i < BLOCK_LEN; i++)
		pad[i] ^= 0x36;
	hash2(inner, pad, sizeof pad, p, len);
	for (size_t i = 0; i < BLOCK_LEN; i++)
		pad[i] ^= 0x36 ^ 0x5c;
	hash2(out, pad, sizeof pad, inner, sizeof inner);
	sodium_memzero(pad, sizeof pad);
	sodium_memzero(inner, sizeof inner);
}

/* t1 and t2 may alias the chaining key. */
static void
hkdf(uint8_t t1[NOISE_HASH_LEN], uint8_t t2[NOISE_HASH_LEN],
    const uint8_t ck[NOISE_HASH_LEN], const void *ikm, size_t len)
{
	uint8_t prk[NOISE_HASH_LEN], next[NOISE_HASH_LEN + 1];

	hmac(prk, ck, ikm, len);
	hmac(next, prk, "\1", 1);
	memcpy(t1, next, NOISE_HASH_LEN);
	next[NOISE_HASH_LEN] = 2;
	hmac(t2, prk, next, sizeof next);
	sodium_memzero(prk, sizeof prk);
	sodium_memzero(next, sizeof next);
}

static void
mix_hash(struct symmetric *y, const void *p, size_t len)
{
	hash2(y->h, y->h, sizeof y->h, p, len);
}

/*
 * MixKey(dh(scalar, point)). Returns 0, or ERR_VALUE if the point is invalid;
 * then the state is unchanged.
 */
static int
mix_dh(struct symmetric *y, const uint8_t *scalar, const uint8_t *point)
{
	uint8_t dh[KEY_LEN], t[NOISE_HASH_LEN];
	int err = noise_dh(dh, scalar, point);

	if (err == 0) {
		hkdf(y->ck, t, y->ck, dh, sizeof dh);
		memcpy(y->k, t, sizeof y->k);
	}
	sodium_memzero(dh, sizeof dh);
	sodium_memzero(t, sizeof t);
	return err;
}

/* EncryptAndHash: writes len + MAC_LEN bytes to out. */
static void
encrypt_and_hash(
    struct symmetric *y, uint8_t *out, const uint8_t *p, size_t len)
{
	crypto_aead_chacha20poly1305_ietf_encrypt(
	    out, NULL, p, len, y->h, sizeof y->h, NULL, nonce, y->k);
	mix_hash(y, out, len + MAC_LEN);
}

/* DecryptAndHash: len counts the sealed bytes and is at least MAC_LEN. */
static int
decrypt_and_hash(
    struct symmetric *y, uint8_t *out, const uint8_t *p, size_t len)
{
	if (crypto_aead_chacha20poly1305_ietf_decrypt(
		out, NULL, NULL, p, len, y->h, sizeof y->h, nonce, y->k) != 0)
		return ERR_SIGNATURE;
	mix_hash(y, p, len);
	return 0;
}

static void
init_symmetric(struct symmetric *y, const uint8_t responder[KEY_LEN])
{
	static const char name[] = "Noise_IK_Ed25519_ChaChaPoly_BLAKE2b";

	memset(y, 0, sizeof *y);
	memcpy(y->h, name, sizeof name - 1);
	memcpy(y->ck, y->h, sizeof y->ck);
	mix_hash(y, key_namespace(NS_PEER_HANDSHAKE), NAMESPACE_LEN);
	mix_hash(y, responder, KEY_LEN);
}

/* Save the symmetric state between the messages, and restore it. */
static void
save_symmetric(struct noise *n, const struct symmetric *y)
{
	memcpy(n->h, y->h, sizeof n->h);
	memcpy(n->ck, y->ck, sizeof n->ck);
}

static void
restore_symmetric(struct symmetric *y, const struct noise *n)
{
	memcpy(y->h, n->h, sizeof y->h);
	memcpy(y->ck, n->ck, sizeof y->ck);
	memset(y->k, 0, sizeof y->k);
}

/* Split: k1 is the sending key of the initiator. */
static void
split_keys(uint8_t k1[KEY_LEN], uint8_t k2[KEY_LEN],
    uint8_t hash[NOISE_HASH_LEN], const struct symmetric *y)
{
	uint8_t t1[NOISE_HASH_LEN], t2[NOISE_HASH_LEN];

	hkdf(t1, t2, y->ck, "", 0);
	memcpy(k1, t1, KEY_LEN);
	memcpy(k2, t2, KEY_LEN);
	memcpy(hash, y->h, NOISE_HASH_LEN);
	sodium_memzero(t1, sizeof t1);
	sodium_memzero(t2, sizeof t2);
}

/* Derives an ephemeral key: returns its scalar, writes its public key. */
static void
derive_ephemeral(
    uint8_t scalar[KEY_LEN], uint8_t *public_key, const uint8_t *seed)
{
	struct key_pair e;

	key_pair_from_seed(&e, seed);
	noise_scalar(scalar, &e);
	memcpy(public_key, e.public_key, KEY_LEN);
	sodium_memzero(&e, sizeof e);
}

/* ---- message 1: e, es, s, ss ---- */

int
noise_write1(struct noise *n, const struct key_pair *own, const uint8_t *remote,
    const uint8_t *seed, struct bytes payload, uint8_t *out)
{
	struct symmetric y;
	int err;

	memset(n, 0, sizeof *n);
	memcpy(n->rs, remote, KEY_LEN);
	noise_scalar(n->s, own);
	derive_ephemeral(n->e, out, seed);
	init_symmetric(&y, remote);
	mix_hash(&y, out, KEY_LEN);               /* e */
	if ((err = mix_dh(&y, n->e, n->rs)) != 0) /* es */
		goto out;
	encrypt_and_hash(&y, out + KEY_LEN, own->public_key, KEY_LEN); /* s */
	if ((err = mix_dh(&y, n->s, n->rs)) != 0)                      /* ss */
		goto out;
	encrypt_and_hash(
	    &y, out + KEY_LEN + SEALED_KEY_LEN, payload.p, payload.len);
	save_symmetric(n, &y);
out:
	if (err != 0)
		noise_wipe(n);
	sodium_memzero(&y, sizeof y);
	return err;
}

int
noise_read1(
    struct noise *n, const struct key_pair *own, struct bytes m, uint8_t *out)
{
	struct rd r = rd_init(m.p, m.len);
	const uint8_t *e = rd_take(&r, KEY_LEN);
	const uint8_t *s = rd_take(&r, SEALED_KEY_LEN);
	struct symmetric y;
	int err;

	memset(n, 0, sizeof *n);
	if (m.len < NOISE_1_OVERHEAD)
		return ERR_SIZE;
	memcpy(n->re, e, KEY_LEN);
	noise_scalar(n->s, own);
	init_symmetric(&y, own->public_key);
	mix_hash(&y, e, KEY_LEN); /* e */
	err = ERR_SIGNATURE;
	if (mix_dh(&y, n->s, e) != 0) /* es */
		goto out;
	if (decrypt_and_hash(&y, n->rs, s, SEALED_KEY_LEN) != 0) /* s */
		goto out;
	if (mix_dh(&y, n->s, n->rs) != 0) /* ss */
		goto out;
	if (decrypt_and_hash(&y, out, r.p, rd_left(&r)) != 0)
		goto out;
	save_symmetric(n, &y);
	err = 0;
out:
	if (err != 0)
		noise_wipe(n);
	sodium_memzero(&y, sizeof y);
	return err;
}

/* ---- message 2: e, ee, se ---- */

int
noise_write2(const struct noise *n, const uint8_t *seed, struct bytes payload,
    uint8_t *out, struct noise_secrets *secrets)
{
	struct symmetric y;
	uint8_t e[KEY_LEN];
	int err = ERR_VALUE;

	restore_symmetric(&y, n);
	derive_ephemeral(e, out, seed);
	mix_hash(&y, out, KEY_LEN);      /* e */
	if (mix_dh(&y, e, n->re) != 0 || /* ee */
	    mix_dh(&y, e, n->rs) != 0)   /* se */
		goto out;
	encrypt_and_hash(&y, out + KEY_LEN, payload.p, payload.len);
	split_keys(secrets->rx, secrets->tx, secrets->hash, &y);
	err = 0;
out:
	sodium_memzero(e, sizeof e);
	sodium_memzero(&y, sizeof y);
	return err;
}

int
noise_read2(const struct noise *n, struct bytes m, uint8_t *out,
    struct noise_secrets *secrets)
{
	struct rd r = rd_init(m.p, m.len);
	const uint8_t *e = rd_take(&r, KEY_LEN);
	struct symmetric y;
	int err = ERR_SIGNATURE;

	if (m.len < NOISE_2_OVERHEAD)
		return ERR_SIZE;
	restore_symmetric(&y, n);
	mix_hash(&y, e, KEY_LEN);       /* e */
	if (mix_dh(&y, n->e, e) != 0 || /* ee */
	    mix_dh(&y, n->s, e) != 0)   /* se */
		goto out;
	if (decrypt_and_hash(&y, out, r.p, rd_left(&r)) != 0)
		goto out;
	split_keys(secrets->tx, secrets->rx, secrets->hash, &y);
	err = 0;
out:
	sodium_memzero(&y, sizeof y);
	return err;
}

/* ---- after the handshake ---- */

void
noise_wipe(struct noise *n)
{
	sodium_memzero(n, sizeof *n);
}

void
noise_secrets_wipe(struct noise_secrets *s)
{
	sodium_memzero(s, sizeof *s);
}

void
noise_punch_key(uint8_t out[KEY_LEN], const uint8_t hash[NOISE_HASH_LEN])
{
	crypto_generichash(out, KEY_LEN, key_namespace(NS_PEER_HOLEPUNCH),
	    NAMESPACE_LEN, hash, NOISE_HASH_LEN);
}
