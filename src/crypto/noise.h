/* SPDX-License-Identifier: ISC */
/*
 * noise.h - the Noise IK handshake over Ed25519 keys, protocol 03 §4.
 *
 * One struct serves one handshake: the initiator writes message 1 and reads
 * message 2, the responder the reverse. A rejected message changes nothing, so
 * a handshake survives any number of forged answers (pitfall S6). Ephemeral
 * keys come from the caller's random bytes. Allocates nothing. Uses: base,
 * libsodium.
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "crypto/keys.h"

enum {
	NOISE_HASH_LEN = 64,
	NOISE_1_OVERHEAD = 96, /* bytes that message 1 adds */
	NOISE_2_OVERHEAD = 48,
	/* The reference sends no more; forwarding nodes drop a longer
	 * message, protocol 03 §3.5. */
	NOISE_MESSAGE_MAX = 1100,
	/* Curve operations of the responder: two to read message 1, three to
	 * write message 2. */
	NOISE_OPERATIONS = 5,
	NOISE_2_OPERATIONS = 3,
};

/* Result of the handshake. The owner wipes it with noise_secrets_wipe(). */
struct noise_secrets {
	uint8_t tx[KEY_LEN], rx[KEY_LEN];
	uint8_t hash[NOISE_HASH_LEN];
};

/* State between the two messages. Wipe it with noise_wipe() on every path. */
struct noise {
	uint8_t h[NOISE_HASH_LEN], ck[NOISE_HASH_LEN];
	uint8_t s[KEY_LEN]; /* scalars: our static key ... */
	uint8_t e[KEY_LEN]; /* ... and, at the initiator, the ephemeral one */
	uint8_t rs[KEY_LEN], re[KEY_LEN]; /* the peer's public keys */
};

/*
 * Writes the initiator's message 1 to the key `remote` into out (payload.len +
 * NOISE_1_OVERHEAD bytes). `seed` is KEY_SEED_LEN random bytes that are used
 * once. Returns 0, or ERR_VALUE if the remote key is not a valid one.
 */
int noise_write1(struct noise *n, const struct key_pair *own,
    const uint8_t *remote, const uint8_t *seed, struct bytes payload,
    uint8_t *out);

/*
 * Reads message 1 at the responder. Writes the payload to out (m.len -
 * NOISE_1_OVERHEAD bytes) and sets n->rs to the peer's key. Returns 0, ERR_SIZE
 * or ERR_SIGNATURE (damaged, or addressed to another key); wipes *n on error.
 */
int noise_read1(
    struct noise *n, const struct key_pair *own, struct bytes m, uint8_t *out);

/*
 * Writes message 2 into out (payload.len + NOISE_2_OVERHEAD bytes) and the
 * secrets. Does not change *n, so it may be called again with another seed.
 * Returns 0, or ERR_VALUE if one of the peer's keys is not a valid one.
 */
int noise_write2(const struct noise *n, const uint8_t *seed,
    struct bytes payload, uint8_t *out, struct noise_secrets *secrets);

/*
 * Reads message 2 at the initiator. Writes the payload to out (m.len -
 * NOISE_2_OVERHEAD bytes). Returns 0, ERR_SIZE or ERR_SIGNATURE. Does not
 * change *n.
 */
int noise_read2(const struct noise *n, struct bytes m, uint8_t *out,
    struct noise_secrets *secrets);

void noise_wipe(struct noise *n);
void noise_secrets_wipe(struct noise_secrets *s);

/* Derives the key that encrypts holepunch payloads, protocol 03 §6. */
void noise_punch_key(uint8_t out[KEY_LEN], const uint8_t hash[NOISE_HASH_LEN]);

/*
 * Diffie-Hellman over Ed25519. noise_scalar() extracts the scalar of a key
 * pair; noise_dh() multiplies and compresses, and returns 0, or ERR_VALUE for a
 * point outside the prime-order group.
 */
void noise_scalar(uint8_t out[KEY_LEN], const struct key_pair *k);
int noise_dh(uint8_t out[KEY_LEN], const uint8_t scalar[KEY_LEN],
    const uint8_t point[KEY_LEN]);

#endif
