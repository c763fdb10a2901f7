/* SPDX-License-Identifier: ISC */
/*
 * mem.h - memory for the simulated environment itself.
 *
 * Ends the process if memory runs out. The nodes under test allocate for
 * themselves. Uses: nothing.
 */
#ifndef WORLD_MEM_H
#define WORLD_MEM_H

#include <stddef.h>

/*
 * Requests large pages, once and before anything is allocated: a simulation
 * jumps from node to node, and page table walks take an eighth of its time. Has
 * no effect where the system provides none.
 */
void mem_prepare(void);

/* Allocates zeroed memory; never returns NULL. */
void *mem_new(size_t n, size_t size);

/* Does the same as realloc() for n elements; never returns NULL. */
void *mem_grow(void *p, size_t n, size_t size);

#endif
