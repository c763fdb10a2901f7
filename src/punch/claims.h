/* SPDX-License-Identifier: ISC */
/*
 * claims.h - what the two sides of a hole punch tell each other, protocol 04
 * §5.
 *
 * The plaintext of a PEER_HOLEPUNCH payload, the box around it, and the tokens
 * by which a side proves that it gets what is sent to its host (protocol 04
 * §6). Pure codec: takes the nonce from the caller, judges nothing.
 */
#ifndef PUNCH_CLAIMS_H
#define PUNCH_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"

enum {
	CLAIMS_ADDRS_MAX = 16,  /* of a list; more are not looked at */
	CLAIMS_ROUND_MAX = 252, /* the reference writes one byte */
	CLAIMS_TOKEN_LEN = 32,
	CLAIMS_SECRET_LEN = 32,
	CLAIMS_NONCE_LEN = 24,
	CLAIMS_BOX_OVERHEAD = 40, /* nonce and tag */
	/* Flags, three numbers, addresses and two tokens of ours. */
	CLAIMS_MAX = 8 + 1 + (CLAIMS_ADDRS_MAX + 1) * ADDR_WIRE4_LEN +
		     2 * CLAIMS_TOKEN_LEN,
	CLAIMS_BOX_MAX = CLAIMS_BOX_OVERHEAD + CLAIMS_MAX,
};

enum claims_error {
	CLAIMS_OK = 0,
	CLAIMS_ABORTED = 1,
	CLAIMS_TRY_LATER = 3,
};

struct claims {
	uint64_t error;    /* enum claims_error; any other number decodes too */
	uint64_t firewall; /* see verdict_of() */
	uint64_t round;
	bool connected, punching;
	bool has_addrs; /* the list is there, though it may be empty */
	uint8_t addrs_len;
	struct addr addrs[CLAIMS_ADDRS_MAX];
	struct addr remote; /* family none: absent */
	bool has_token, has_remote_token;
	uint8_t token[CLAIMS_TOKEN_LEN];
	uint8_t remote_token[CLAIMS_TOKEN_LEN];
};

/* 0 or ERR_MALFORMED. */
int claims_decode(struct claims *c, const uint8_t *buf, size_t len);

/* Bytes written; 0 if cap is too small or a number does not fit. */
size_t claims_encode(const struct claims *c, uint8_t *buf, size_t cap);

/*
 * Encodes and seals into box (at least CLAIMS_BOX_MAX bytes). Returns the
 * length, or 0 if the claims cannot be encoded.
 */
size_t claims_seal(const struct claims *c,
    const uint8_t secret[CLAIMS_SECRET_LEN],
    const uint8_t nonce[CLAIMS_NONCE_LEN], uint8_t *box);

/* 0, ERR_SIZE, ERR_SIGNATURE (it does not open) or ERR_MALFORMED. */
int claims_open(struct claims *c, const uint8_t secret[CLAIMS_SECRET_LEN],
    struct bytes box);

/* The token for the host of an address; its port does not matter. */
void claims_token(uint8_t token[CLAIMS_TOKEN_LEN],
    const uint8_t secret[CLAIMS_SECRET_LEN], const struct addr *host);

/* Does the claims' remoteToken name the token for that host? */
bool claims_echo(const struct claims *c,
    const uint8_t secret[CLAIMS_SECRET_LEN], const struct addr *host);

#endif
