/* SPDX-License-Identifier: ISC */
/*
 * A frame is opened where it lies in the receive buffer as soon as it is there
 * whole, and given back when it was read:
 *
 *	length (3) | tag (1) | plaintext | MAC (16)
 *
 * Until then it waits there, unless its rest is more than the peer may send
 * before something is read: then it is gathered in a buffer of its own.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "stream/inside.h"

enum {
	GATHER_FIRST = 65536, /* bytes; doubled as they fill */
	TAG_LEN = 1,
};

/* What next_frame() and its parts return besides an error. */
enum { MORE, FRAME, AGAIN };

static uint32_t
get_length(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
}

/* The peer's header, protocol 06 §A.1: its id proves that it is no reflection.
 */
static int
read_header(struct secret *s, struct udx_bytes in)
{
	const uint8_t *id = in.p + SECRET_LENGTH_LEN;

	if (get_length(in.p) != SECRET_HEADER_LEN)
		return ERR_MALFORMED;
	if (in.len < SECRET_LENGTH_LEN + SECRET_HEADER_LEN)
		return MORE;
	if (sodium_memcmp(id, s->peer_id, SECRET_ID_LEN) != 0)
		return ERR_SIGNATURE;
	crypto_secretstream_xchacha20poly1305_init_pull(
	    &s->rx, id + SECRET_ID_LEN, s->rx_key);
	sodium_memzero(s->rx_key, sizeof s->rx_key);
	udx_consume(s->udx, SECRET_LENGTH_LEN + SECRET_HEADER_LEN);
	s->opened = true;
	return AGAIN;
}

/* Opens a body in place; its tag is not looked at, protocol 06 §A.3. */
static int
open_body(struct secret *s, uint8_t *body, uint32_t len)
{
	if (crypto_secretstream_xchacha20poly1305_pull(
		&s->rx, body + TAG_LEN, NULL, NULL, body, len, NULL, 0) != 0)
		return ERR_SIGNATURE;
	s->plain = (struct secret_plain){true, len - SECRET_MAC_LEN, 0};
	return FRAME;
}

/* ---- frames that do not fit ---- */

void
secret_gather_fini(struct secret *s)
{
	secret_budget_give(s, s->gather.cap);
	free(s->gather.buf);
	s->gather = (struct secret_gather){0};
}

void
secret_break(struct secret *s, int err)
{
	s->err = err;
	s->plain = (struct secret_plain){0};
	secret_gather_fini(s);
}

/* Room for n more bytes, of which the peer has sent as many already. */
static int
gather_grow(struct secret *s, size_t n)
{
	struct secret_gather *g = &s->gather;
	uint64_t cap = g->cap > 0 ? g->cap : GATHER_FIRST;
	uint8_t *buf;
	int err;

	while (cap < g->len + n)
		cap *= 2;
	if (cap > g->want)
		cap = g->want;
	if (cap == g->cap)
		return 0;
	err = secret_budget_take(s, cap - g->cap);
	if (err != 0)
		return err;
	buf = realloc(g->buf, cap);
	if (buf == NULL) {
		secret_budget_give(s, cap - g->cap);
		return ERR_MEMORY;
	}
	g->buf = buf;
	g->cap = (uint32_t)cap;
	return 0;
}

static int
gather(struct secret *s, struct udx_bytes in)
{
	struct secret_gather *g = &s->gather;
	size_t n = in.len < g->want - g->len ? in.len : g->want - g->len;
	int err;

	if (n == 0)
		return MORE;
	err = gather_grow(s, n);
	if (err != 0)
		return err;
	memcpy(g->buf + g->len, in.p, n);
	g->len += (uint32_t)n;
	udx_consume(s->udx, n);
	return g->len == g->want ? open_body(s, g->buf, g->want) : MORE;
}

/* ---- frames one by one ---- */

/* The length of the next frame lies at the start of the receive buffer. */
static int
begin_frame(struct secret *s, struct udx_bytes in)
{
	uint32_t len = get_length(in.p);
	size_t have = in.len - SECRET_LENGTH_LEN;

	if (len < SECRET_MAC_LEN)
		return ERR_MALFORMED;
	if (len > s->frame_max)
		return ERR_SIZE;
	if (len <= have)
		return open_body(s, in.p + SECRET_LENGTH_LEN, len);
	if (len - have <= udx_window(s->udx))
		return MORE;
	udx_consume(s->udx, SECRET_LENGTH_LEN);
	s->gather.want = len;
	return AGAIN;
}

static int
next_frame(struct secret *s)
{
	int r = AGAIN;

	while (r == AGAIN) {
		struct udx_bytes in = udx_peek(s->udx);

		if (s->gather.want > 0)
			r = gather(s, in);
		else if (in.len < SECRET_LENGTH_LEN)
			r = MORE;
		else if (s->opened)
			r = begin_frame(s, in);
		else
			r = read_header(s, in);
	}
	return r;
}

/* Something of a frame is there of which the rest will never come. */
static bool
is_cut(struct secret *s)
{
	struct udx_status st;

	if (udx_peek(s->udx).len == 0)
		return s->gather.want > 0 && udx_ended(s->udx);
	udx_status(s->udx, &st);
	return st.ended_there;
}

static void
end_frame(struct secret *s)
{
	if (s->gather.want > 0)
		secret_gather_fini(s);
	else
		udx_consume(s->udx, s->plain.len + SECRET_OVERHEAD);
	s->plain = (struct secret_plain){0};
}

static struct bytes
rest_of_frame(struct secret *s, bool *whole)
{
	const struct secret_plain *f = &s->plain;
	const uint8_t *body = s->gather.buf;

	if (s->gather.want == 0)
		body = udx_peek(s->udx).p + SECRET_LENGTH_LEN;
	if (whole != NULL)
		*whole = f->pos == 0;
	return (struct bytes){body + TAG_LEN + f->pos, f->len - f->pos};
}

struct bytes
secret_peek(struct secret *s, bool *whole, int *err)
{
	bool skip_empty = whole == NULL || s->keepalive_us != 0;

	while (s->err == 0 && !s->plain.here) {
		int r = next_frame(s);

		if (r == MORE && !is_cut(s))
			break;
		if (r != FRAME)
			s->err = r == MORE ? ERR_MALFORMED : r;
		else if (s->plain.len == 0 && skip_empty)
			end_frame(s);
	}
	*err = s->err;
	if (s->plain.here)
		return rest_of_frame(s, whole);
	if (s->err != 0)
		secret_gather_fini(s);
	return (struct bytes){0};
}

void
secret_consume(struct secret *s, size_t n)
{
	struct secret_plain *f = &s->plain;

	assert(f->here && n <= f->len - f->pos);
	f->pos += (uint32_t)n;
	if (f->pos == f->len)
		end_frame(s);
}

bool
secret_opened(const struct secret *s)
{
	return s->opened;
}

bool
secret_ended(const struct secret *s)
{
	return s->err == 0 && !s->plain.here && s->gather.want == 0 &&
	       udx_ended(s->udx);
}
