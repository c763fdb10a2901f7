/* SPDX-License-Identifier: ISC */
/*
 * holepunch_payload.h - the encrypted payload of PEER_HOLEPUNCH, protocol 04
 * §5.
 *
 * Encodes and decodes the plaintext, encrypts it, and derives the tokens by
 * which a side proves that it receives what is sent to its host (protocol 04
 * §6). A pure codec: the caller provides the nonce and interprets the values.
 * Numbers are compact uints, addresses big-endian.
 */
#ifndef PUNCH_HOLEPUNCH_PAYLOAD_H
#define PUNCH_HOLEPUNCH_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"

enum {
	HOLEPUNCH_ADDRS_MAX = 16,  /* of a list; further ones are ignored */
	HOLEPUNCH_ROUND_MAX = 252, /* the reference writes one byte */
	HOLEPUNCH_TOKEN_LEN = 32,
	HOLEPUNCH_SECRET_LEN = 32,
	HOLEPUNCH_NONCE_LEN = 24,
	HOLEPUNCH_BOX_OVERHEAD = 40, /* nonce and tag */
	/* Flags, three numbers, addresses and two tokens of ours. */
	HOLEPUNCH_PLAIN_MAX = 8 + 1 +
			      (HOLEPUNCH_ADDRS_MAX + 1) * ADDR_WIRE4_LEN +
			      2 * HOLEPUNCH_TOKEN_LEN,
	HOLEPUNCH_BOX_MAX = HOLEPUNCH_BOX_OVERHEAD + HOLEPUNCH_PLAIN_MAX,
};

enum holepunch_error {
	HOLEPUNCH_OK = 0,
	HOLEPUNCH_ABORTED = 1,
	HOLEPUNCH_TRY_LATER = 3,
};

struct holepunch_payload {
	uint64_t error;    /* enum holepunch_error; others decode as well */
	uint64_t firewall; /* see nat_type_decode() */
	uint64_t round;
	bool connected, punching;
	bool has_addrs; /* the list is present, though it may be empty */
	uint8_t addrs_len;
	struct addr addrs[HOLEPUNCH_ADDRS_MAX];
	struct addr remote; /* family none: absent */
	bool has_token, has_remote_token;
	uint8_t token[HOLEPUNCH_TOKEN_LEN];
	uint8_t remote_token[HOLEPUNCH_TOKEN_LEN];
};

/* Decodes a plaintext. Returns 0 or ERR_MALFORMED. */
int holepunch_payload_decode(struct holepunch_payload *c, const uint8_t *buf,
    size_t len) __attribute__((warn_unused_result));

/* Encodes a plaintext. Returns its length, or 0 if cap is too small or a number
 * does not fit. */
size_t holepunch_payload_encode(
    const struct holepunch_payload *c, uint8_t *buf, size_t cap);

/*
 * Encodes and encrypts into box (at least HOLEPUNCH_BOX_MAX bytes). Returns the
 * length, or 0 if the payload cannot be encoded.
 */
size_t holepunch_payload_seal(const struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN],
    const uint8_t nonce[HOLEPUNCH_NONCE_LEN], uint8_t *box);

/* Decrypts and decodes. Returns 0, ERR_SIZE, ERR_SIGNATURE (authentication
 * failed) or ERR_MALFORMED. */
int holepunch_payload_open(struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], struct bytes box)
    __attribute__((warn_unused_result));

/* Derives the token for the host of an address, whatever its port. */
void holepunch_token_derive(uint8_t token[HOLEPUNCH_TOKEN_LEN],
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], const struct addr *host);

/* Returns whether the payload's remote token is the one for that host. */
bool holepunch_payload_echoes_token(const struct holepunch_payload *c,
    const uint8_t secret[HOLEPUNCH_SECRET_LEN], const struct addr *host);

#endif
