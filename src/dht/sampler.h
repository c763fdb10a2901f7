/* SPDX-License-Identifier: ISC */
/*
 * sampler.h - what others see as our address, protocol 01 §11.2.
 *
 * The last 16 samples vote. Enough equal ones make host and port known
 * ("consistent"); enough of one host with different ports make the port 0
 * ("randomized"); else nothing is known.
 */
#ifndef DHT_SAMPLER_H
#define DHT_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum { SAMPLER_MAX = 16 };

/* Votes for one address or one host; a slot of the ring refers to it. */
struct sampler_vote {
	struct addr addr; /* port 0 in votes for a host */
	uint8_t hits;     /* slots that refer to it; 0: free */
};

struct sampler {
	uint8_t full[SAMPLER_MAX], host[SAMPLER_MAX];  /* votes, by slot */
	struct sampler_vote votes[2][SAMPLER_MAX + 1]; /* full, host */
	uint8_t len, top;   /* samples held, next slot to overwrite */
	uint8_t best[2];    /* vote + 1; 0: none */
	struct addr result; /* family none: unknown; port 0: randomized */
};

void sampler_init(struct sampler *s);

/* True if the result changed. */
bool sampler_add(struct sampler *s, const struct addr *seen);

/* The address if host and port are known, else NULL. */
const struct addr *sampler_address(const struct sampler *s);

#endif
