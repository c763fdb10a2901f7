/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "dht/token.h"

void
tokens_init(struct tokens *t, struct world *w)
{
	w->ops->random(w, t->now, sizeof t->now);
	w->ops->random(w, t->previous, sizeof t->previous);
	t->rotated_us = w->now_us;
}

void
tokens_fini(struct tokens *t)
{
	sodium_memzero(t, sizeof *t);
}

static void
rotate_secrets(struct tokens *t, struct world *w)
{
	uint64_t age = w->now_us - t->rotated_us;

	if (age < TOKEN_ROTATE_US)
		return;
	if (age < 2 * (uint64_t)TOKEN_ROTATE_US)
		memcpy(t->previous, t->now, sizeof t->previous);
	else
		w->ops->random(w, t->previous, sizeof t->previous);
	w->ops->random(w, t->now, sizeof t->now);
	/* The time at which it was due, or a token could be valid for 90 s. */
	t->rotated_us += age - age % TOKEN_ROTATE_US;
}

/* Writes a token: 128 bits from each half of the secret. */
static void
derive_token(const uint8_t secret[TOKEN_SECRET_LEN], uint64_t host,
    uint8_t out[RPC_TOKEN_LEN])
{
	const size_t half = crypto_shorthash_siphashx24_BYTES;

	crypto_shorthash_siphashx24(
	    out, (const uint8_t *)&host, sizeof host, secret);
	crypto_shorthash_siphashx24(out + half, (const uint8_t *)&host,
	    sizeof host, secret + crypto_shorthash_siphashx24_KEYBYTES);
}

void
token_make(struct tokens *t, struct world *w, const struct addr *host,
    uint8_t out[RPC_TOKEN_LEN])
{
	rotate_secrets(t, w);
	derive_token(t->now, addr_host_key(host), out);
}

bool
token_check(struct tokens *t, struct world *w, const struct addr *host,
    const uint8_t token[RPC_TOKEN_LEN])
{
	uint8_t want[RPC_TOKEN_LEN];

	rotate_secrets(t, w);
	derive_token(t->now, addr_host_key(host), want);
	if (sodium_memcmp(want, token, sizeof want) == 0)
		return true;
	derive_token(t->previous, addr_host_key(host), want);
	return sodium_memcmp(want, token, sizeof want) == 0;
}
