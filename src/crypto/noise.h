/* SPDX-License-Identifier: ISC */
/*
 * noise.h - the Noise IK handshake over Ed25519 keys, protocol 03 §4.
 *
 * One struct serves one handshake: the initiator writes message 1 and reads
 * message 2, the responder the reverse. A message that is refused changes
 * nothing, so that any number of bogus answers is survived (pitfall S6).
 * Ephemeral keys come from the caller's random bytes. Knows no payload and no
 * network; keeps no memory. Uses: base, libsodium.
 */
#ifndef CRYPTO_NOISE_H
#define CRYPTO_NOISE_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "crypto/keys.h"

enum {
	NOISE_HASH_LEN = 64,
	NOISE_1_OVERHEAD = 96, /* what message 1 adds to its payload */
	NOISE_2_OVERHEAD = 48,
	/* Nobody sends more; forwarding nodes drop it, protocol 03 §3.5. */
	NOISE_MESSAGE_MAX = 1100,
};

/* What both sides hold in the end; wiped by whoever owns it. */
struct noise_secrets {
	uint8_t tx[KEY_LEN], rx[KEY_LEN];
	uint8_t hash[NOISE_HASH_LEN];
};

/* Between the two messages. To be wiped on every path. */
struct noise {
	uint8_t h[NOISE_HASH_LEN], ck[NOISE_HASH_LEN];
	uint8_t s[KEY_LEN]; /* scalars: our static key ... */
	uint8_t e[KEY_LEN]; /* ... and, at the initiator, the ephemeral one */
	uint8_t rs[KEY_LEN], re[KEY_LEN]; /* the peer's public keys */
};

/*
 * The initiator's message 1 to the key `remote`, into out (payload.len +
 * NOISE_1_OVERHEAD bytes). `seed` are KEY_SEED_LEN random bytes, never used
 * before. 0, or ERR_VALUE: the remote key is none.
 */
int noise_write1(struct noise *n, const struct key_pair *own,
    const uint8_t *remote, const uint8_t *seed, struct bytes payload,
    uint8_t *out);

/*
 * The responder reads message 1; the payload goes to out (m.len -
 * NOISE_1_OVERHEAD bytes), the peer's key is n->rs. 0, ERR_SIZE or
 * ERR_SIGNATURE: not for us, or damaged; *n is wiped then.
 */
int noise_read1(
    struct noise *n, const struct key_pair *own, struct bytes m, uint8_t *out);

/*
 * Message 2 into out (payload.len + NOISE_2_OVERHEAD bytes), and the secrets.
 * May be called again, with another seed, as *n does not change. 0 or
 * ERR_VALUE: the peer's keys are none.
 */
int noise_write2(const struct noise *n, const uint8_t *seed,
    struct bytes payload, uint8_t *out, struct noise_secrets *secrets);

/*
 * The initiator reads message 2; the payload goes to out (m.len -
 * NOISE_2_OVERHEAD bytes). 0, ERR_SIZE or ERR_SIGNATURE; *n does not change.
 */
int noise_read2(const struct noise *n, struct bytes m, uint8_t *out,
    struct noise_secrets *secrets);

void noise_wipe(struct noise *n);
void noise_secrets_wipe(struct noise_secrets *s);

/* The key that seals hole-punch messages, protocol 03 §6. */
void noise_punch_key(uint8_t out[KEY_LEN], const uint8_t hash[NOISE_HASH_LEN]);

/*
 * Ed25519 as Diffie-Hellman. The scalar of a key pair as the handshake uses
 * it, and the product, a compressed point: 0, or ERR_VALUE for what is no
 * point of the prime-order group.
 */
void noise_scalar(uint8_t out[KEY_LEN], const struct key_pair *k);
int noise_dh(uint8_t out[KEY_LEN], const uint8_t scalar[KEY_LEN],
    const uint8_t point[KEY_LEN]);

#endif
