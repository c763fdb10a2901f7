/* SPDX-License-Identifier: ISC */
/*
 * secret_derive.h - what both ends derive from the handshake hash: the ids
 * that open each direction and the keys of unordered messages, protocol 06
 * §A.2 and §A.7. Uses: libsodium.
 */
#ifndef STREAM_SECRET_DERIVE_H
#define STREAM_SECRET_DERIVE_H

#include <stdint.h>

enum {
	SECRET_KEY_LEN = 32,
	SECRET_HASH_LEN = 64,
	SECRET_ID_LEN = 32,
};

/* Namespaces of the directions, protocol 06 §A.2. */
enum secret_namespace {
	SECRET_NS_INITIATOR,
	SECRET_NS_RESPONDER,
	SECRET_NS_SEND,
};

/* Derives the id in the header that the end in this role sends. */
void secret_stream_id(uint8_t out[SECRET_ID_LEN],
    const uint8_t hash[SECRET_HASH_LEN], enum secret_namespace role);

/* Derives the key of the unordered messages that this role sends. */
void secret_message_key(uint8_t out[SECRET_KEY_LEN],
    const uint8_t hash[SECRET_HASH_LEN], enum secret_namespace role);

#endif
