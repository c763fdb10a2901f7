/* SPDX-License-Identifier: ISC */
/*
 * scenario.h - a story to be told to the network, and what must come of it.
 *
 * Uses: sim.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "sim/sim.h"

struct scenario {
	const char *name, *text;
	uint32_t nodes, minutes; /* unless the command line says otherwise */
	uint32_t amount;
	uint32_t
	    nodes_min; /* below this it means nothing: the hunter's floor */
	void (*setup)(struct sim_options *o); /* faults, or NULL */
	void (*run)(struct sim *s);
};

extern const struct scenario *const scenarios[];
extern const uint32_t scenarios_len;

const struct scenario *scenario_find(const char *name);

#endif
