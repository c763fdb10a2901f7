/* SPDX-License-Identifier: ISC */
#include <stddef.h>

#include "alloc.h"

bool alloc_counting;
unsigned long alloc_count;

void *__real_malloc(size_t len);
void *__real_calloc(size_t n, size_t len);
void *__real_realloc(void *p, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t n, size_t len);
void *__wrap_realloc(void *p, size_t len);

void *
__wrap_malloc(size_t len)
{
	alloc_count += alloc_counting;
	return __real_malloc(len);
}

void *
__wrap_calloc(size_t n, size_t len)
{
	alloc_count += alloc_counting;
	return __real_calloc(n, len);
}

void *
__wrap_realloc(void *p, size_t len)
{
	alloc_count += alloc_counting;
	return __real_realloc(p, len);
}
