/* SPDX-License-Identifier: ISC */
/*
 * text.h - text forms of keys, hashes, topics and bytes.
 *
 * Public keys are shown in z-base-32 (52 characters), as Hyperswarm programs
 * do, hashes and topics in hex. Uses: base, libsodium.
 */
#ifndef API_TEXT_H
#define API_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	TEXT_KEY_LEN = 32,
	TEXT_Z32_LEN = 52,
	TEXT_Z32_MAX = TEXT_Z32_LEN + 1, /* with the NUL */
	TEXT_HEX_LEN = 64,
	TEXT_HEX_MAX = TEXT_HEX_LEN + 1,
	TEXT_NODES_MAX = 8, /* API_ADDRS_MAX, the most that connect takes */
};

/* Each writes the text of key to out and returns out. */
const char *text_z32(char out[TEXT_Z32_MAX], const uint8_t key[TEXT_KEY_LEN]);
const char *text_hex(char out[TEXT_HEX_MAX], const uint8_t key[TEXT_KEY_LEN]);

/* Reads z-base-32, hex, or base32 (RFC 4648, any case, padding optional).
 * Returns 0, or ERR_MALFORMED and leaves key alone. */
int text_key_parse(uint8_t key[TEXT_KEY_LEN], const char *text);

enum { TEXT_PROBLEM_MAX = 96 };

/* Writes what is wrong with a text that text_key_parse() has rejected, to
 * follow "is not valid". Returns out. */
const char *text_key_problem(char out[TEXT_PROBLEM_MAX], const char *text);

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

/* Reads z-base-32 or hex; ignores nodes beyond TEXT_NODES_MAX. Returns 0 or
 * ERR_MALFORMED. */
int text_address_parse(struct text_address *a, const char *text);

/*
 * Reads 64 hex digits, and hashes any other text with BLAKE2b-256. Returns 0,
 * or ERR_MALFORMED if the text is empty.
 */
int text_topic_parse(uint8_t topic[TEXT_KEY_LEN], const char *text);

/* Returns base64 with padding, which the caller frees, or NULL if memory is
 * exhausted. */
char *text_b64(const void *p, size_t len);

/* Reads base64 into out and sets *len. Returns 0, ERR_MALFORMED, or ERR_SIZE if
 * there are more than cap bytes. */
int text_b64_parse(uint8_t *out, size_t cap, size_t *len, const char *text);

#endif
