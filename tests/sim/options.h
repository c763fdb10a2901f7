/* SPDX-License-Identifier: ISC */
/*
 * options.h - the complete description of a run, so that it can be repeated.
 *
 * Uses: net.
 */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "world/net.h"

struct scenario;

struct sim_options {
	const struct scenario *scenario;
	uint64_t seed;
	uint32_t nodes, minutes;
	uint32_t amount;        /* of what the scenario does */
	uint32_t full_permille; /* how often a batch is full */
	struct faults faults;
	bool json, quiet, list;
	bool stats; /* the counters of all nodes, summed */
};

/* Applies defaults, the scenario and the command line. Exits on errors. */
void options_read(struct sim_options *o, int argc, char **argv);

/* Sets the options of one more scenario of the same command line. */
void options_for(struct sim_options *o, const struct scenario *sc);

/* Prints the command that repeats the run. */
void options_print(const struct sim_options *o, FILE *to);

#endif
