/* SPDX-License-Identifier: ISC */
/*
 * Unordered messages, protocol 06 §A.7: counter (8) | MAC (16) | ciphertext.
 * The reference hands out replays; here the latest SECRET_WINDOW counters are
 * remembered as in RFC 6479, and what is older is refused.
 */
#include <string.h>

#include "base/err.h"
#include "stream/inside.h"

enum {
	COUNTER_LEN = 8,
	WORD = 64, /* bits */
};

_Static_assert(
    SECRET_MESSAGE_OVERHEAD == COUNTER_LEN + crypto_secretbox_MACBYTES,
    "what a message costs");

/* ---- the window ---- */

static uint64_t *
word_of(struct secret_window *w, uint64_t counter)
{
	return &w->seen[counter % SECRET_WINDOW / WORD];
}

static uint64_t
bit_of(uint64_t counter)
{
	return UINT64_C(1) << counter % WORD;
}

/* How far the counter is ahead of all others; they wrap, protocol 06 §A.7. */
static int64_t
ahead(const struct secret_window *w, uint64_t counter)
{
	return (int64_t)(counter - w->top);
}

/*
 * A word is cleared whole when its first counter comes, so that up to WORD - 1
 * of the oldest in the window are no longer known: they count as too old.
 */
static bool
is_fresh(struct secret_window *w, uint64_t counter)
{
	int64_t lead = ahead(w, counter);

	if (!w->begun || lead > 0)
		return true;
	if (lead <= -(SECRET_WINDOW - WORD + 1))
		return false;
	return (*word_of(w, counter) & bit_of(counter)) == 0;
}

static void
mark(struct secret_window *w, uint64_t counter)
{
	uint64_t words = (counter - (w->top - w->top % WORD)) / WORD;

	if (!w->begun || ahead(w, counter) > 0) {
		if (!w->begun || words > SECRET_WINDOW / WORD)
			words = SECRET_WINDOW / WORD;
		for (uint64_t i = 0; i < words; i++)
			*word_of(w, counter - i * WORD) = 0;
		w->top = counter;
		w->begun = true;
	}
	*word_of(w, counter) |= bit_of(counter);
}

/* ---- the wire ---- */

static void
put_counter(uint8_t out[COUNTER_LEN], uint64_t v)
{
	for (int i = 0; i < COUNTER_LEN; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t
get_counter(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < COUNTER_LEN; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

static void
seal(struct secret *s, const void *p, size_t len, uint8_t *out)
{
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = {0};

	/* A counter that was not sent is not used again: nothing counts them.
	 */
	put_counter(out, ++s->counter);
	memcpy(nonce, out, COUNTER_LEN);
	crypto_secretbox_easy(
	    out + COUNTER_LEN, p, len, nonce, s->message_tx_key);
}

int
secret_send_message(struct secret *s, const void *p, size_t len)
{
	uint8_t buf[UDX_MTU_MAX];

	if (s->ended)
		return ERR_CLOSED;
	if (len > sizeof buf - SECRET_MESSAGE_OVERHEAD)
		return ERR_TOO_BIG;
	seal(s, p, len, buf);
	return udx_send_message(s->udx, buf, len + SECRET_MESSAGE_OVERHEAD);
}

int
secret_send_message_by(
    struct secret *s, const struct udx_path *path, const void *p, size_t len)
{
	uint8_t buf[UDX_MTU_MAX];

	if (len > sizeof buf - SECRET_MESSAGE_OVERHEAD)
		return ERR_TOO_BIG;
	seal(s, p, len, buf);
	return udx_send_message_via(
	    s->udx, path, buf, len + SECRET_MESSAGE_OVERHEAD);
}

ptrdiff_t
secret_open_message(struct secret *s, const struct udx_message *m, uint8_t *out)
{
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = {0};
	const uint8_t *p = m->payload.p;
	uint64_t counter;

	if (m->payload.len < SECRET_MESSAGE_OVERHEAD)
		return ERR_SIZE;
	counter = get_counter(p);
	if (!is_fresh(&s->window, counter))
		return ERR_EXISTS;
	memcpy(nonce, p, COUNTER_LEN);
	if (crypto_secretbox_open_easy(out, p + COUNTER_LEN,
		m->payload.len - COUNTER_LEN, nonce, s->message_rx_key) != 0)
		return ERR_SIGNATURE;
	/* Only now: a forged counter must not move the window. */
	mark(&s->window, counter);
	return (ptrdiff_t)(m->payload.len - SECRET_MESSAGE_OVERHEAD);
}
