/* SPDX-License-Identifier: ISC */
/*
 * trace.h - one number for all events of a run (SipHash-1-3, running).
 *
 * Hashes every delivered datagram with its time and both addresses. Two runs
 * with the same number were the same run. Uses: nothing.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stddef.h>
#include <stdint.h>

struct trace {
	uint64_t v0, v1, v2, v3;
	uint64_t count;
};

void trace_init(struct trace *t);

void trace_word(struct trace *t, uint64_t word);

void trace_bytes(struct trace *t, const uint8_t *p, size_t len);

/* Returns the hash so far. */
uint64_t trace_value(const struct trace *t);

#endif
