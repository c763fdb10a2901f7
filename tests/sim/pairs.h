/* SPDX-License-Identifier: ISC */
/*
 * pairs.h - pairs of parties that all do the same, and what came of it.
 *
 * Of each pair one is in group 0 and one in group 1, so that a partition cuts
 * them. Uses: party, sim.
 */
#ifndef SIM_PAIRS_H
#define SIM_PAIRS_H

#include "sim/party.h"

struct pairs {
	struct sim *sim;
	uint32_t len;
	struct party **first, **second;
	struct talk **talks; /* first's ends */
};

/* n pairs; bytes_per_s: of everybody's line, 0: no limit. */
void pairs_init(
    struct pairs *c, struct sim *s, uint32_t n, uint32_t bytes_per_s);
void pairs_fini(struct pairs *c);

/* One talk per pair. */
void pairs_talk(struct pairs *c, uint64_t first_writes, uint64_t second_writes);

/* That all talks are over, in these ways; when and on which way fails. */
void pairs_expect(
    const struct pairs *c, const char *when, int first_err, int second_err);

#endif
