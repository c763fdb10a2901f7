/* SPDX-License-Identifier: ISC */
/*
 * boxes.h - every kind of NAT box, and what two hosts behind two of them may
 * hope for.
 *
 * The kinds are all combinations of a mapping rule, a filtering rule and a way
 * to choose ports. Uses: nat.
 */
#ifndef SIM_BOXES_H
#define SIM_BOXES_H

#include "world/nat.h"

enum { BOXES = 3 * 3 * 3 };

/* The kind of that number; remembers for 60 s. */
struct nat_config box_kind(uint32_t i);

/* Written as mapping/filtering/ports; a static string. */
const char *box_name(const struct nat_config *c);

enum hope {
	HOPE_KNOWN,    /* both use one address for everybody */
	HOPE_LET_IN,   /* one does, and lets in any port of a host it knows */
	HOPE_FORETOLD, /* addresses that change, but in steps */
	HOPE_GUESSED,  /* one does, the other draws ports: by many guesses */
	HOPE_MIXED,    /* one changes in steps, the other draws */
	HOPE_NONE,     /* both draw */
	HOPES,
};

enum hope box_hope(const struct nat_config *a, const struct nat_config *b);
const char *hope_name(enum hope h);

#endif
