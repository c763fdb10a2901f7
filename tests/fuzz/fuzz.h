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

#endif
