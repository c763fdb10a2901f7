/* SPDX-License-Identifier: ISC */
/*
 * text.h - keys, hashes, topics and bytes as people read and type them.
 *
 * Public keys are shown in z-base-32 (52 characters), as in the Hyperswarm
 * world, hashes and topics in hex. Uses: base, libsodium.
 */
#ifndef API_TEXT_H
#define API_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	TEXT_KEY_LEN = 32,
	TEXT_Z32_LEN = 52,
	TEXT_Z32_MAX = TEXT_Z32_LEN + 1, /* with NUL, as the others */
	TEXT_HEX_LEN = 64,
	TEXT_HEX_MAX = TEXT_HEX_LEN + 1,
	TEXT_NODES_MAX = 8, /* as many as connect takes */
};

/* Each fills out and returns it. */
const char *text_z32(char out[TEXT_Z32_MAX], const uint8_t key[TEXT_KEY_LEN]);
const char *text_hex(char out[TEXT_HEX_MAX], const uint8_t key[TEXT_KEY_LEN]);

/* Reads z-base-32 or hex: 0 or ERR_MALFORMED, and then key is untouched. */
int text_key_parse(uint8_t key[TEXT_KEY_LEN], const char *text);

/*
 * Where a peer is: its key and, if the text goes on behind it, nodes that may
 * know the peer, protocol 03 §8.1. Beyond TEXT_NODES_MAX they are left out. 0
 * or ERR_MALFORMED.
 */
struct text_address {
	uint8_t key[TEXT_KEY_LEN];
	struct addr nodes[TEXT_NODES_MAX];
	size_t nodes_len;
};

int text_address_parse(struct text_address *a, const char *text);

/*
 * Reads 64 hex digits; any other text is hashed with BLAKE2b-256. 0, or
 * ERR_MALFORMED if there is no text at all.
 */
int text_topic_parse(uint8_t topic[TEXT_KEY_LEN], const char *text);

/* Base64 with padding, in memory of the caller's to free; NULL if short. */
char *text_b64(const void *p, size_t len);

/* At most cap bytes: 0 and their number, ERR_MALFORMED or ERR_SIZE. */
int text_b64_parse(uint8_t *out, size_t cap, size_t *len, const char *text);

#endif
