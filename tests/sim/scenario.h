/* SPDX-License-Identifier: ISC */
/*
 * scenario.h - what happens in a network, and what must be true then.
 *
 * Uses: sim.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim/sim.h"

struct scenario {
	const char *name, *text;
	uint32_t nodes, minutes; /* unless the command line sets others */
	uint32_t amount;
	uint32_t nodes_min; /* fewer are refused */
	/* Of each dial, unless its call sets another; 0: the default. */
	struct dial_bound bound;
	void (*setup)(struct sim_options *o); /* faults, or NULL */
	void (*run)(struct sim *s);
};

extern const struct scenario *const scenarios[];
extern const uint32_t scenarios_len;

const struct scenario *scenario_find(const char *name);

#endif
