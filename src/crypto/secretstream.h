/* SPDX-License-Identifier: ISC */
/*
 * secretstream.h - libsodium's secretstream with a faster cipher for long
 * messages.
 *
 * Makes and accepts the same bytes, and keeps the same state, whether a message
 * is processed by libsodium or by a bulk cipher. There is no additional data.
 * Uses: base, libsodium.
 */
#ifndef CRYPTO_SECRETSTREAM_H
#define CRYPTO_SECRETSTREAM_H

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/bulk_cipher.h"

enum {
	/* What a message is longer by: the tag in front, the MAC behind. */
	SECRETSTREAM_TAG_LEN = 1,
	SECRETSTREAM_SEAL_LEN = crypto_secretstream_xchacha20poly1305_ABYTES,
	SECRETSTREAM_HEADER_LEN =
	    crypto_secretstream_xchacha20poly1305_HEADERBYTES,
};

/* One direction. Contains a key: wiped by the owner. */
struct secretstream {
	crypto_secretstream_xchacha20poly1305_state state;
	struct bulk_cipher *bulk; /* borrowed, may be NULL */
};

/* Starts a direction, of either end. bulk may be NULL. */
void secretstream_init(struct secretstream *s, struct bulk_cipher *bulk,
    const uint8_t header[SECRETSTREAM_HEADER_LEN],
    const uint8_t key[BULK_KEY_LEN]);

/*
 * Encrypts a message with the tag MESSAGE into out, which has
 * SECRETSTREAM_SEAL_LEN bytes more and does not overlap p.
 */
void secretstream_push(
    struct secretstream *s, uint8_t *out, const uint8_t *p, size_t len);

/*
 * Decrypts a sealed message in place; the plaintext follows the byte of the
 * tag. Any tag is accepted. Returns 0, ERR_SIGNATURE with the message and the
 * state unchanged, or ERR_MEMORY if the bulk cipher has failed, after which the
 * direction must not be used.
 */
int secretstream_pull(struct secretstream *s, uint8_t *sealed, size_t len)
    __attribute__((warn_unused_result));

enum { SECRETSTREAM_PIECES_MAX = 192 };

/*
 * Decrypts a sealed message of len bytes that lies in n pieces, which stay as
 * they are, into len bytes at out; the plaintext follows the byte of the tag.
 * Only the bulk cipher can. Returns ERR_BUSY if nothing was done, so that the
 * pieces must be joined for secretstream_pull(), whose other results it shares.
 */
int secretstream_pull_pieces(struct secretstream *s, uint8_t *out,
    const struct bytes *pieces, unsigned n, size_t len)
    __attribute__((warn_unused_result));

#endif
