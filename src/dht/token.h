/* SPDX-License-Identifier: ISC */
/*
 * token.h - round-trip tokens, which validate the address of a host.
 *
 * Protocol 01 §6; compare RFC 9000 §8.1. A token is a SipHash of the host under
 * a secret that is replaced every 30 s; the previous one still verifies, so a
 * token is valid for 30 to 60 s. The port is not included. Secrets are random
 * bytes, never derived from each other. Uses: base, libsodium.
 */
#ifndef DHT_TOKEN_H
#define DHT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/world.h"
#include "dht/rpc.h"

enum { TOKEN_SECRET_LEN = 32, TOKEN_ROTATE_US = 30 * 1000000 };

struct tokens {
	uint8_t now[TOKEN_SECRET_LEN], previous[TOKEN_SECRET_LEN];
	uint64_t rotated_us; /* when `now` became due */
};

void tokens_init(struct tokens *t, struct world *w);

/* Wipes the secrets. */
void tokens_fini(struct tokens *t);

/* Writes the token of this host; rotates the secrets first if it is time. */
void token_make(struct tokens *t, struct world *w, const struct addr *host,
    uint8_t out[RPC_TOKEN_LEN]);

/* Returns true if this is a token of this host that is still valid. */
__attribute__((warn_unused_result)) bool token_check(struct tokens *t,
    struct world *w, const struct addr *host,
    const uint8_t token[RPC_TOKEN_LEN]);

#endif
