/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "udx/fifo.h"

enum {
	CAP_MIN = 256, /* fits the header of a stream, or a keep-alive */
	CAP_STEP = 65536,
};

static size_t
round_capacity(size_t n)
{
	size_t cap = CAP_MIN;

	while (cap < n && cap < CAP_STEP)
		cap *= 2;
	return n <= cap ? cap : (n + CAP_STEP - 1) / CAP_STEP * CAP_STEP;
}

static void
move_to_front(struct fifo *f)
{
	memmove(f->p, f->p + f->head, fifo_len(f));
	f->tail -= f->head;
	f->head = 0;
}

static int
grow_fifo(struct fifo *f, size_t need)
{
	size_t cap = round_capacity(2 * need), len = fifo_len(f);
	uint8_t *p = malloc(cap);

	if (p == NULL)
		return -1;
	if (len > 0)
		memcpy(p, f->p + f->head, len);
	free(f->p);
	*f = (struct fifo){.p = p, .cap = cap, .tail = len};
	return 0;
}

uint8_t *
fifo_reserve(struct fifo *f, size_t n)
{
	size_t need = fifo_len(f) + n;

	if (n > f->cap - f->tail) {
		/* Amortises the move: at least as many bytes were read as are
		 * moved, or will be written before the next move. */
		if (need <= f->cap &&
		    (f->head >= need - n || 2 * need <= f->cap))
			move_to_front(f);
		else if (grow_fifo(f, need) != 0)
			return NULL;
	}
	return f->p + f->tail;
}

void
fifo_commit(struct fifo *f, size_t n)
{
	f->tail += n;
}

void
fifo_consume(struct fifo *f, size_t n)
{
	f->head += n;
	if (f->head == f->tail)
		f->head = f->tail = 0;
}

void
fifo_fini(struct fifo *f)
{
	free(f->p);
	*f = (struct fifo){0};
}
