/* SPDX-License-Identifier: ISC */
/*
 * alloc.h - counts allocations and makes a chosen one fail, in programs that
 * are linked with -Wl,--wrap for malloc, calloc, realloc, reallocarray
 * and strdup.
 *
 * A site is a chain of return addresses, innermost first; a call from elsewhere
 * to the same function is another site. The chain is read from frame pointers,
 * which builds with sanitizers have, and ends outside the program, for instance
 * in libevent. Environment variables control it, see tests/faults/alloc.py:
 *
 *	ALLOC_LOG=FILE   appends the sites, the test and the number of uses
 *	ALLOC_FAIL=S:N   makes the N-th use of site S return NULL
 *
 * Uses: nothing.
 */
#ifndef WORLD_ALLOC_H
#define WORLD_ALLOC_H

#include <stdbool.h>

/* Counts while it is set; switch it on around the code under test. */
extern bool alloc_counting;
extern unsigned long alloc_count;

#endif
