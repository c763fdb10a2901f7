/* SPDX-License-Identifier: ISC */
/*
 * fuzz.h - the interface of every fuzz target.
 *
 * A target is one function that takes any bytes and returns 0, or aborts on a
 * violation. With libFuzzer (configure --enable-fuzzing) the fuzzer calls it,
 * otherwise replay.c with the corpus.
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

/* Aborts unless the condition holds; unlike assert(), in every build. */
#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: does not hold: %s\n",          \
			    __FILE__, __LINE__, #condition);                   \
			abort();                                               \
		}                                                              \
	} while (0)

/* Returns whether both are absent or equal. */
static inline bool
fuzz_same(const uint8_t *a, const uint8_t *b, size_t len)
{
	return (a == NULL) == (b == NULL) &&
	       (a == NULL || memcmp(a, b, len) == 0);
}

/* An input that selects the steps; past its end all bytes are zero. */
struct fuzz_script {
	const uint8_t *p, *end;
};

static inline uint8_t
fuzz_next(struct fuzz_script *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

/* Returns the i-th node of the network, each in a /24 of its own. */
static inline struct addr
fuzz_node(uint8_t i)
{
	return addr_v4(11, 1, i, 1, 49737);
}

#endif
