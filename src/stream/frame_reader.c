/* SPDX-License-Identifier: ISC */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/timer.h"
#include "stream/frame_reader.h"

enum {
	GATHER_CAP_MIN = 65536, /* bytes; doubled as they fill */
};

/* What read_frame() and its parts return besides an error. */
enum { FRAME_INCOMPLETE, FRAME_READY, FRAME_CONTINUE };

static void
free_gathered(struct frame_reader *r)
{
	frame_account_return(&r->account, r->gather.cap);
	free(r->gather.buf);
	r->gather = (struct frame_gather){0};
}

static void
free_plain(struct frame_reader *r)
{
	free(r->plain.own);
	r->plain = (struct frame_plain){0};
}

/* Fails the reader and drops what it holds of a frame. */
static void
fail_reader(struct frame_reader *r, int err)
{
	r->err = err;
	free_plain(r);
	free_gathered(r);
}

static void
evict_frame(struct frame_account *a)
{
	fail_reader(container_of(a, struct frame_reader, account), ERR_LIMIT);
}

void
frame_reader_init(struct frame_reader *r, struct udx_stream *udx,
    struct bulk_cipher *bulk, const uint8_t peer_id[SECRET_ID_LEN],
    const uint8_t key[SECRET_KEY_LEN])
{
	r->udx = udx;
	r->rx.bulk = bulk;
	r->frame_max = FRAME_MAX;
	r->account.evict = evict_frame;
	memcpy(r->peer_id, peer_id, SECRET_ID_LEN);
	memcpy(r->rx_key, key, SECRET_KEY_LEN);
}

void
frame_reader_fini(struct frame_reader *r)
{
	free_plain(r);
	free_gathered(r);
}

/* Returns the first n bytes received, copied to buf if they are in pieces. */
static const uint8_t *
read_front(struct frame_reader *r, size_t n, uint8_t *buf)
{
	struct udx_bytes in = udx_peek(r->udx);

	if (in.len >= n)
		return in.p;
	udx_copy(r->udx, 0, buf, n);
	return buf;
}

/*
 * Reads the peer's header, protocol 06 §A.1. Its id differs by direction, so
 * it proves that the header is no reflection of our own.
 */
static int
read_header(struct frame_reader *r, size_t have)
{
	uint8_t buf[FRAME_LENGTH_LEN + HEADER_LEN];
	const uint8_t *id;

	if (frame_get_length(read_front(r, FRAME_LENGTH_LEN, buf)) !=
	    HEADER_LEN)
		return ERR_MALFORMED;
	if (have < FRAME_LENGTH_LEN + HEADER_LEN)
		return FRAME_INCOMPLETE;
	id = read_front(r, sizeof buf, buf) + FRAME_LENGTH_LEN;
	if (sodium_memcmp(id, r->peer_id, SECRET_ID_LEN) != 0)
		return ERR_SIGNATURE;
	secretstream_init(&r->rx, r->rx.bulk, id + SECRET_ID_LEN, r->rx_key);
	sodium_memzero(r->rx_key, sizeof r->rx_key);
	udx_consume(r->udx, FRAME_LENGTH_LEN + HEADER_LEN);
	r->opened = true;
	return FRAME_CONTINUE;
}

/* Decrypts a body in place. Ignores its tag, protocol 06 §A.3. */
static int
decrypt_body(struct frame_reader *r, uint8_t *body, uint32_t len)
{
	int err = secretstream_pull(&r->rx, body, len);

	if (err != 0)
		return err;
	r->plain.present = true;
	r->plain.len = len - FRAME_SEAL_LEN;
	return FRAME_READY;
}

/*
 * Decrypts the body that lies in pieces after its length. Joins them only for
 * libsodium, which cannot read pieces, and if there are many small ones.
 */
static int
decrypt_pieces(struct frame_reader *r, uint32_t len)
{
	struct bytes pieces[SECRETSTREAM_PIECES_MAX];
	unsigned n = udx_pieces(
	    r->udx, FRAME_LENGTH_LEN, len, pieces, SECRETSTREAM_PIECES_MAX);
	uint8_t *own = malloc(len);
	int err;

	if (own == NULL)
		return ERR_MEMORY;
	r->plain.own = own;
	err = secretstream_pull_pieces(&r->rx, own, pieces, n, len);
	if (err == ERR_BUSY) {
		udx_copy(r->udx, FRAME_LENGTH_LEN, own, len);
		err = secretstream_pull(&r->rx, own, len);
	}
	if (err != 0) {
		free_plain(r);
		return err;
	}
	udx_detach(r->udx, FRAME_LENGTH_LEN + len);
	r->plain.present = true;
	r->plain.len = len - FRAME_SEAL_LEN;
	return FRAME_READY;
}

/* ---- frames that do not fit the receive buffer ---- */

static int
charge_budget(struct frame_reader *r, uint64_t n)
{
	struct udx_status st;

	udx_status(r->udx, &st);
	return frame_account_take(&r->account, &st.path.to, n);
}

/* Makes space for n more bytes, all of which have arrived already. */
static int
grow_gathered(struct frame_reader *r, size_t n)
{
	struct frame_gather *g = &r->gather;
	uint64_t cap = g->cap > 0 ? g->cap : GATHER_CAP_MIN;
	uint8_t *buf;
	int err;

	while (cap < g->len + n)
		cap *= 2;
	if (cap > g->want)
		cap = g->want;
	if (cap == g->cap)
		return 0;
	err = charge_budget(r, cap - g->cap);
	if (err != 0)
		return err;
	buf = realloc(g->buf, cap);
	if (buf == NULL) {
		frame_account_return(&r->account, cap - g->cap);
		return ERR_MEMORY;
	}
	g->buf = buf;
	g->cap = (uint32_t)cap;
	return 0;
}

static int
gather_bytes(struct frame_reader *r)
{
	struct frame_gather *g = &r->gather;
	size_t readable = udx_readable(r->udx);
	size_t n = readable < g->want - g->len ? readable : g->want - g->len;
	int err;

	if (n == 0)
		return FRAME_INCOMPLETE;
	err = grow_gathered(r, n);
	if (err != 0)
		return err;
	udx_copy(r->udx, 0, g->buf + g->len, n);
	g->len += (uint32_t)n;
	udx_consume(r->udx, n);
	return g->len == g->want ? decrypt_body(r, g->buf, g->want)
				 : FRAME_INCOMPLETE;
}

/* ---- frames one by one ---- */

/* Starts a frame: its length is at the front of the receive buffer. */
static int
start_frame(struct frame_reader *r, size_t readable)
{
	uint8_t buf[FRAME_LENGTH_LEN];
	uint32_t len = frame_get_length(read_front(r, sizeof buf, buf));
	size_t have = readable - FRAME_LENGTH_LEN;
	struct udx_bytes in = udx_peek(r->udx);

	if (len < FRAME_SEAL_LEN)
		return ERR_MALFORMED;
	if (len > r->frame_max)
		return ERR_SIZE;
	if (in.len >= FRAME_LENGTH_LEN + (size_t)len)
		return decrypt_body(r, in.p + FRAME_LENGTH_LEN, len);
	if (len <= have)
		return decrypt_pieces(r, len);
	if (len - have <= udx_window(r->udx))
		return FRAME_INCOMPLETE;
	udx_consume(r->udx, FRAME_LENGTH_LEN);
	r->gather.want = len;
	return FRAME_CONTINUE;
}

static int
read_frame(struct frame_reader *r)
{
	int result = FRAME_CONTINUE;

	while (result == FRAME_CONTINUE) {
		size_t readable = udx_readable(r->udx);

		if (r->gather.want > 0)
			result = gather_bytes(r);
		else if (readable < FRAME_LENGTH_LEN)
			result = FRAME_INCOMPLETE;
		else if (r->opened)
			result = start_frame(r, readable);
		else
			result = read_header(r, readable);
	}
	return result;
}

/* Returns true if the peer has ended its stream inside a frame. */
static bool
is_truncated(const struct frame_reader *r)
{
	struct udx_status st;

	if (udx_readable(r->udx) == 0)
		return r->gather.want > 0 && udx_ended(r->udx);
	udx_status(r->udx, &st);
	return st.ended_there;
}

static void
end_frame(struct frame_reader *r)
{
	if (r->gather.want > 0)
		free_gathered(r);
	else
		udx_consume(r->udx, r->plain.len + FRAME_OVERHEAD);
	free_plain(r);
}

static struct bytes
unread_plaintext(const struct frame_reader *r, bool *whole)
{
	const struct frame_plain *f = &r->plain;
	const uint8_t *body = f->own != NULL ? f->own : r->gather.buf;

	if (body == NULL)
		body = udx_peek(r->udx).p + FRAME_LENGTH_LEN;
	if (whole != NULL)
		*whole = f->pos == 0;
	return (struct bytes){body + FRAME_TAG_LEN + f->pos, f->len - f->pos};
}

struct bytes
frame_reader_peek(
    struct frame_reader *r, bool skip_empty, bool *whole, int *err)
{
	while (r->err == 0 && !r->plain.present) {
		int result = read_frame(r);

		if (result == FRAME_INCOMPLETE && !is_truncated(r))
			break;
		if (result != FRAME_READY)
			r->err =
			    result == FRAME_INCOMPLETE ? ERR_MALFORMED : result;
		else if (r->plain.len == 0 && skip_empty)
			end_frame(r);
	}
	*err = r->err;
	if (r->plain.present)
		return unread_plaintext(r, whole);
	if (r->err != 0)
		free_gathered(r);
	return (struct bytes){0};
}

void
frame_reader_consume(struct frame_reader *r, size_t n)
{
	struct frame_plain *f = &r->plain;

	assert(f->present && n <= f->len - f->pos);
	f->pos += (uint32_t)n;
	if (f->pos == f->len)
		end_frame(r);
}

bool
frame_reader_ended(const struct frame_reader *r)
{
	return r->err == 0 && !r->plain.present && r->gather.want == 0 &&
	       udx_ended(r->udx);
}
