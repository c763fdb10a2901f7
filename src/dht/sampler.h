/* SPDX-License-Identifier: ISC */
/*
 * sampler.h - our address, as other nodes see it, protocol 01 §11.2.
 *
 * The last 16 samples vote. If enough are equal, host and port are known
 * (CONSISTENT, RFC 4787 endpoint-independent mapping); if enough agree on the
 * host alone, the port is 0 (RANDOM); else the address is not known. Uses:
 * base.
 */
#ifndef DHT_SAMPLER_H
#define DHT_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum { SAMPLER_MAX = 16 };

/* Votes for one address or one host; slots of the ring refer to it. */
struct sampler_vote {
	struct addr addr; /* port 0 in votes for a host */
	uint8_t hits;     /* slots that refer to this vote; 0: free */
};

struct sampler {
	uint8_t full[SAMPLER_MAX], host[SAMPLER_MAX];  /* votes, by slot */
	struct sampler_vote votes[2][SAMPLER_MAX + 1]; /* full, host */
	uint8_t len, top;   /* samples held, next slot to overwrite */
	uint8_t best[2];    /* vote + 1; 0: none */
	struct addr result; /* family none: unknown; port 0: randomized */
};

void sampler_init(struct sampler *s);

/* Adds a sample, which replaces the oldest of 16. Returns true if the result
 * changed. */
bool sampler_add(struct sampler *s, const struct addr *seen);

/* Returns the address if host and port are known, else NULL. */
const struct addr *sampler_address(const struct sampler *s);

#endif
