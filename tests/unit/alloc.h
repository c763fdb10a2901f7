/* SPDX-License-Identifier: ISC */
/*
 * alloc.h - counts allocations, in programs that are linked with
 * -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc.
 */
#ifndef TEST_ALLOC_H
#define TEST_ALLOC_H

#include <stdbool.h>

/* Counts while it is set; switch it on around the code under test. */
extern bool alloc_counting;
extern unsigned long alloc_count;

#endif
