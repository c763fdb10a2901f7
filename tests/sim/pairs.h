/* SPDX-License-Identifier: ISC */
/*
 * pairs.h - pairs of parties that all do the same, and the results.
 *
 * One party of each pair is in group 0 and one in group 1, so that a partition
 * separates them. Uses: party, sim.
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

/* Creates n pairs; bytes_per_s: of the line of each party, 0: no limit. */
void pairs_init(
    struct pairs *c, struct sim *s, uint32_t n, uint32_t bytes_per_s);
void pairs_fini(struct pairs *c);

/* Starts one talk per pair. */
void pairs_talk(struct pairs *c, uint64_t first_writes, uint64_t second_writes);

/*
 * Checks that all talks are over and how they ended. A failure reports `when`
 * and `way`.
 */
void pairs_expect(
    const struct pairs *c, const char *when, int first_err, int second_err);

#endif
