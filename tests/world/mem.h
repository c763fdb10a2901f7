/* SPDX-License-Identifier: ISC */
/*
 * mem.h - memory for the simulator itself.
 *
 * A simulation that runs out of memory has nothing to say: it ends. The nodes
 * under test allocate for themselves. Uses: nothing.
 */
#ifndef WORLD_MEM_H
#define WORLD_MEM_H

#include <stddef.h>

/*
 * Asks for large pages, once and before anything is allocated: a simulation
 * jumps from node to node, and finding their pages takes an eighth of its time.
 * Where the system has none, nothing changes.
 */
void mem_prepare(void);

/* Zeroed; never NULL. */
void *mem_new(size_t n, size_t size);

/* As realloc, for n elements; never NULL. */
void *mem_grow(void *p, size_t n, size_t size);

#endif
