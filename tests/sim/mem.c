/* SPDX-License-Identifier: ISC */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/mem.h"

static void *
checked(void *p)
{
	if (p == NULL) {
		fprintf(stderr, "hyperdht-sim: out of memory\n");
		exit(2);
	}
	return p;
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
