/* SPDX-License-Identifier: ISC */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "world/mem.h"

static void *
checked(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "hyperdht-sim: out of memory\n");
		exit(2);
	}
	return p;
}

/* The heap grows by this much at a time; what is not used costs no memory. */
enum { HEAP_STEP = 1 << 28, LARGE_PAGE = 1 << 21 };

void
mem_prepare(void)
{
	uintptr_t start = (uintptr_t)sbrk(0);

	if (mallopt(M_TOP_PAD, HEAP_STEP) == 0)
		return;
	free(checked(malloc(1)));
	start = (start + LARGE_PAGE - 1) & ~(uintptr_t)(LARGE_PAGE - 1);
	madvise((void *)start, HEAP_STEP - LARGE_PAGE, MADV_HUGEPAGE);
}

void *
mem_new(size_t n, size_t size)
{
	return checked(calloc(n, size));
}

void *
mem_grow(void *p, size_t n, size_t size)
{
	return checked(n > SIZE_MAX / size ? NULL : realloc(p, n * size));
}
