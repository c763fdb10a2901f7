/* SPDX-License-Identifier: ISC */
/*
 * alloc.h - counts allocations, in programs that are linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 */
#ifndef TEST_ALLOC_H
#define TEST_ALLOC_H

#include <stdbool.h>

/* Only what the code under test does is of interest: switch it on around it. */
extern bool alloc_counting;
extern unsigned long alloc_count;

#endif
