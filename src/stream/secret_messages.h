/* SPDX-License-Identifier: ISC */
/*
 * secret_messages.h - encryption of unordered messages, protocol 06 §A.7:
 *
 *	counter (8, little-endian) | MAC (16) | ciphertext
 *
 * The reference delivers replayed messages; here a replay window drops them.
 * Uses: base, libsodium.
 */
#ifndef STREAM_SECRET_MESSAGES_H
#define STREAM_SECRET_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/wire.h"
#include "stream/replay_window.h"
#include "stream/secret_derive.h"

enum {
	SECRET_MESSAGE_OVERHEAD = 24, /* counter and MAC */
};

struct secret_messages {
	uint8_t tx_key[SECRET_KEY_LEN], rx_key[SECRET_KEY_LEN];
	uint64_t counter; /* of the latest message sent; starts anywhere */
	struct replay_window window;
};

/*
 * Encrypts a message into out (len + SECRET_MESSAGE_OVERHEAD bytes). The
 * counter is used up whether the message is sent or not.
 */
void secret_messages_seal(
    struct secret_messages *m, const void *p, size_t len, uint8_t *out);

/*
 * Decrypts a message of the peer into out (sealed.len bytes are enough) and
 * marks its counter. Returns the length of the plaintext, ERR_SIZE, ERR_EXISTS
 * (a replay, or older than the window) or ERR_SIGNATURE.
 */
ptrdiff_t secret_messages_open(
    struct secret_messages *m, struct bytes sealed, uint8_t *out);

#endif
