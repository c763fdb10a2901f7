/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "stream/mux_writer.h"

enum { WRITER_CAP_MIN = 256 };

void
mux_writer_fini(struct mux_writer *w)
{
	free(w->buf);
	*w = (struct mux_writer){0};
}

/* Moves the messages to the start of the buffer. */
static void
compact_buffer(struct mux_writer *w)
{
	memmove(w->buf, w->buf + w->head, mux_writer_len(w));
	w->tail -= w->head;
	w->head = 0;
}

uint8_t *
mux_writer_reserve(struct mux_writer *w, size_t max)
{
	size_t need = mux_writer_len(w) + sizeof(uint32_t) + max;
	size_t cap = w->cap > 0 ? w->cap : WRITER_CAP_MIN;
	uint8_t *buf;

	if (need > w->cap - w->head && w->head > 0)
		compact_buffer(w);
	while (cap < need)
		cap *= 2;
	if (cap > w->cap) {
		buf = realloc(w->buf, cap);
		if (buf == NULL)
			return NULL;
		w->buf = buf;
		w->cap = cap;
	}
	return w->buf + w->tail + sizeof(uint32_t);
}

void
mux_writer_commit(struct mux_writer *w, size_t len)
{
	uint32_t n = (uint32_t)len;

	memcpy(w->buf + w->tail, &n, sizeof n);
	w->tail += sizeof n + len;
}

struct bytes
mux_writer_peek(const struct mux_writer *w)
{
	uint32_t len;

	if (mux_writer_len(w) == 0)
		return (struct bytes){0};
	memcpy(&len, w->buf + w->head, sizeof len);
	return (struct bytes){w->buf + w->head + sizeof len, len};
}

void
mux_writer_consume(struct mux_writer *w)
{
	w->head += sizeof(uint32_t) + mux_writer_peek(w).len;
	if (w->head == w->tail)
		w->head = w->tail = 0;
}
