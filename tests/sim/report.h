/* SPDX-License-Identifier: ISC */
/*
 * report.h - what a run found out, as names and numbers.
 *
 * Kept in the order in which it was added; printed as text or as one JSON
 * object. Numbers are whole, in thousandths where the name's unit needs it.
 * Uses: nothing.
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

/* A whole number; or a part of a whole, in thousandths. Name is borrowed. */
void report_add(struct report *r, const char *name, uint64_t value);
void report_milli(struct report *r, const char *name, int64_t thousandths);

struct sim;

/* Everything about the run, to standard output. */
void report_print(struct sim *s);

#endif
