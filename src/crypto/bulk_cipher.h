/* SPDX-License-Identifier: ISC */
/*
 * bulk_cipher.h - ChaCha20 and Poly1305 of a faster library than libsodium.
 *
 * The shell may hand this table of functions to the core (world.h), which then
 * encrypts long frames with it. Without it, and for everything else, the core
 * uses libsodium. The implementation keeps one state of its own between the
 * calls, so that frames are processed one after another. Uses: base.
 */
#ifndef CRYPTO_BULK_CIPHER_H
#define CRYPTO_BULK_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"

enum {
	BULK_KEY_LEN = 32,
	BULK_NONCE_LEN = 12,
	BULK_BLOCK_LEN = 64, /* of the key stream */
	BULK_MAC_LEN = 16,
};

struct bulk_cipher;

struct bulk_cipher_ops {
	/*
	 * Starts the key stream of ChaCha20 at block 0 (RFC 8439 §2.4), for a
	 * frame of len bytes. Returns false to leave the frame to libsodium.
	 */
	bool (*start)(struct bulk_cipher *b, const uint8_t key[BULK_KEY_LEN],
	    const uint8_t nonce[BULK_NONCE_LEN], size_t len);

	/*
	 * XORs len bytes with the part of the key stream that follows the last
	 * call. out equals in or does not overlap it. Returns false on failure.
	 */
	bool (*encrypt)(
	    struct bulk_cipher *b, uint8_t *out, const uint8_t *in, size_t len);

	/*
	 * Computes the Poly1305 tag (RFC 8439 §2.5) of n parts that follow each
	 * other. Returns false on failure.
	 */
	bool (*authenticate)(struct bulk_cipher *b,
	    const uint8_t key[BULK_KEY_LEN], const struct bytes *parts,
	    unsigned n, uint8_t mac[BULK_MAC_LEN]);

	/* Wipes the keys of the latest frames. */
	void (*wipe)(struct bulk_cipher *b);
};

struct bulk_cipher {
	const struct bulk_cipher_ops *ops;
	size_t len_min; /* plaintext bytes from which on it is used */
};

#endif
