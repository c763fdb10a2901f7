/* SPDX-License-Identifier: ISC */
/*
 * report.h - results of a run, as names and numbers.
 *
 * Keeps them in the order in which they were added; prints them as text or as
 * one JSON object. Numbers are whole, in thousandths where the name's unit
 * needs it. Uses: nothing.
 */
#ifndef SIM_REPORT_H
#define SIM_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { REPORT_MAX = 96 };

struct report_item {
	const char *name;
	int64_t thousandths;
};

struct report {
	struct report_item items[REPORT_MAX];
	uint32_t len;
};

/* Adds a whole number, or a share in thousandths. The name is borrowed. */
void report_add(struct report *r, const char *name, uint64_t value);
void report_milli(struct report *r, const char *name, int64_t thousandths);

struct sim;

/* Prints all results of the run to standard output. */
void report_print(struct sim *s);

#endif
