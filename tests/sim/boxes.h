/* SPDX-License-Identifier: ISC */
/*
 * boxes.h - every kind of NAT box, and what two hosts behind two of them may
 * expect.
 *
 * The kinds are all combinations of a mapping rule, a filtering rule and a way
 * to choose ports. Uses: nat, dial_cost.
 */
#ifndef SIM_BOXES_H
#define SIM_BOXES_H

#include "sim/dial_cost.h"
#include "world/nat.h"

enum { BOXES = 3 * 3 * 3 };

/* Returns the kind of that number. Its mappings expire after 60 s. */
struct nat_config box_kind(uint32_t i);

/* Formats a kind as mapping/filtering/ports. Returns a static string. */
const char *box_name(const struct nat_config *c);

enum hope {
	HOPE_KNOWN,    /* both use one address for all destinations */
	HOPE_LET_IN,   /* one does, and accepts any port of a known host */
	HOPE_FORETOLD, /* addresses that change, but in steps */
	HOPE_GUESSED,  /* one does, the other draws ports: many guesses are
			  needed */
	HOPE_MIXED,    /* one changes in steps, the other draws */
	HOPE_NONE,     /* both draw */
	HOPES,
};

enum hope box_hope(const struct nat_config *a, const struct nat_config *b);
const char *hope_name(enum hope h);

/* Returns what a dial between two such hosts may take: the probes of many
 * guesses are the price of a path. */
struct dial_bound hope_bound(enum hope h);

#endif
