/* SPDX-License-Identifier: ISC */
/*
 * token.h - round-trip tokens: proof that a host receives what we send to it.
 *
 * Protocol 01 §6. A token is a SipHash of the host under a secret that turns
 * every 30 s; the one before still verifies, so a token lives 30 to 60 s. The
 * port is not bound. Secrets are fresh random bytes, never derived from each
 * other.
 */
#ifndef DHT_TOKEN_H
#define DHT_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/world.h"
#include "dht/rpc.h"

enum { TOKEN_SECRET_LEN = 32, TOKEN_TURN_US = 30 * 1000000 };

struct tokens {
	uint8_t now[TOKEN_SECRET_LEN], before[TOKEN_SECRET_LEN];
	uint64_t turned_us;
};

void tokens_init(struct tokens *t, struct world *w);
void tokens_fini(struct tokens *t);

/* The token of this host; turns the secrets first if it is time. */
void token_make(struct tokens *t, struct world *w, const struct addr *host,
    uint8_t out[RPC_TOKEN_LEN]);
bool token_check(struct tokens *t, struct world *w, const struct addr *host,
    const uint8_t token[RPC_TOKEN_LEN]);

#endif
