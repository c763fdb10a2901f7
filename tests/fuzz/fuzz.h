/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h - what every fuzz target is.
 *
 * One function that takes any bytes and returns 0, or ends the process if
 * something does not hold. Built with libFuzzer (configure --enable-fuzzing)
 * it is fed by the fuzzer, otherwise by replay.c with the corpus.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), is there in every build. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: does not hold: %s\n",          \
			    __FILE__, __LINE__, #condition);                   \
			abort();                                               \
		}                                                              \
	} while (0)

/* Both absent, or the same. */
static inline bool
fuzz_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return (a == NULL) == (b == NULL) &&
	       (a == NULL || memcmp(a, b, len) == 0);
}

/* An input that says what happens; past its end all bytes are zero. */
struct fuzz_script {
	const uint8_t *p, *end;
};

static inline uint8_t
fuzz_next(struct fuzz_script *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

/* The i-th node of the network, each in a /24 of its own. */
static inline struct addr
fuzz_node(uint8_t i)
{
	return addr_v4(11, 1, i, 1, 49737);
}

#endif
