/* SPDX-License-Identifier: ISC */
#include "fake_udx.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

enum { SPACE = 262144, WINDOW = 262144 };

/* Returns a copy of the n bytes at p, of exactly their size; frees old. */
static uint8_t *
moved(uint8_t *old, const uint8_t *p, size_t n, size_t more)
{
	uint8_t *place = malloc(n + more > 0 ? n + more : 1);

	if (place == NULL)
		abort();
	if (n > 0)
		memcpy(place, p, n);
	free(old);
	return place;
}

void
fake_udx_init(struct udx_stream *s)
{
	*s = (struct udx_stream){.space = SPACE, .window = WINDOW};
}

void
fake_udx_fini(struct udx_stream *s)
{
	free(s->out);
	free(s->in);
	free(s->message);
	fake_udx_init(s);
}

void
fake_udx_feed(struct udx_stream *s, const void *p, size_t len)
{
	s->in = moved(s->in, s->in, s->in_len, len);
	if (len > 0)
		memcpy(s->in + s->in_len, p, len);
	s->in_len += len;
}

void
fake_udx_sent(struct udx_stream *s)
{
	s->space += (ptrdiff_t)s->out_len;
	s->out_len = 0;
}

void
fake_udx_carry(struct udx_stream *from, struct udx_stream *to)
{
	fake_udx_feed(to, from->out, from->out_len);
	fake_udx_sent(from);
	to->ended_there = from->ended_here;
}

/* ---- the functions of udx.h ---- */

size_t
udx_space(struct udx_stream *s)
{
	return s->space >= UDX_SPACE_MIN ? (size_t)s->space : 0;
}

uint8_t *
udx_reserve(struct udx_stream *s, size_t n)
{
	if (s->reserved != 0 || udx_space(s) == 0 || s->ended_here)
		abort(); /* forbidden by udx.h */
	if (s->no_memory)
		return NULL;
	s->out = moved(s->out, s->out, s->out_len, n);
	s->reserved = n;
	return s->out + s->out_len;
}

void
udx_commit(struct udx_stream *s, size_t len)
{
	if (len > s->reserved)
		abort();
	s->out_len += len;
	s->space -= (ptrdiff_t)len;
	s->reserved = 0;
}

void
udx_end(struct udx_stream *s)
{
	s->ended_here = true;
}

struct udx_bytes
udx_peek(struct udx_stream *s)
{
	bool whole = s->piece == 0 || s->in_len < s->piece;

	return (struct udx_bytes){s->in, whole ? s->in_len : s->piece};
}

size_t
udx_readable(const struct udx_stream *s)
{
	return s->in_len;
}

unsigned
udx_pieces(const struct udx_stream *s, size_t skip, size_t n, struct bytes *out,
    unsigned max)
{
	unsigned len = 0;

	if (skip + n > s->in_len)
		abort();
	while (n > 0 && len < max) {
		size_t here = n;

		if (s->piece != 0 && here > s->piece - skip % s->piece)
			here = s->piece - skip % s->piece;
		out[len++] = (struct bytes){s->in + skip, here};
		skip += here;
		n -= here;
	}
	return n == 0 ? len : 0;
}

void
udx_copy(struct udx_stream *s, size_t skip, uint8_t *out, size_t n)
{
	if (skip + n > s->in_len)
		abort();
	s->copied += n;
	memcpy(out, s->in + skip, n);
}

void
udx_detach(struct udx_stream *s, size_t n)
{
	if (s->detached != 0)
		abort();
	udx_consume(s, n);
	s->detached = n;
}

void
udx_consume(struct udx_stream *s, size_t n)
{
	size_t detached = n < s->detached ? n : s->detached;

	s->detached -= detached;
	n -= detached;
	if (n > s->in_len)
		abort();
	s->in = moved(s->in, s->in + n, s->in_len - n, 0);
	s->in_len -= n;
}

size_t
udx_window(const struct udx_stream *s)
{
	size_t held = s->in_len + s->detached;

	return held < s->window ? s->window - held : 0;
}

bool
udx_ended(const struct udx_stream *s)
{
	return s->ended_there && s->in_len + s->detached == 0;
}

void
udx_status(const struct udx_stream *s, struct udx_status *out)
{
	*out = (struct udx_status){.ended_here = s->ended_here,
	    .ended_there = s->ended_there,
	    .path.to = s->to};
}

int
udx_send_message(struct udx_stream *s, const void *p, size_t len)
{
	s->message = moved(s->message, p, len, 0);
	s->message_len = len;
	return 0;
}

int
udx_send_message_via(struct udx_stream *s, const struct udx_path *path,
    const void *p, size_t len)
{
	(void)path;
	return udx_send_message(s, p, len);
}
