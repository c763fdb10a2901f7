/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/err.h"
#include "stream/secret_messages.h"

enum { COUNTER_LEN = 8 };

_Static_assert(
    SECRET_MESSAGE_OVERHEAD == COUNTER_LEN + crypto_secretbox_MACBYTES,
    "overhead of an unordered message");

static void
put_counter(uint8_t out[COUNTER_LEN], uint64_t v)
{
	for (int i = 0; i < COUNTER_LEN; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t
get_counter(const uint8_t p[COUNTER_LEN])
{
	uint64_t v = 0;

	for (int i = 0; i < COUNTER_LEN; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

void
secret_messages_seal(
    struct secret_messages *m, const void *p, size_t len, uint8_t *out)
{
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = {0};

	put_counter(out, ++m->counter);
	memcpy(nonce, out, COUNTER_LEN);
	crypto_secretbox_easy(out + COUNTER_LEN, p, len, nonce, m->tx_key);
}

ptrdiff_t
secret_messages_open(
    struct secret_messages *m, struct bytes sealed, uint8_t *out)
{
	uint8_t nonce[crypto_secretbox_NONCEBYTES] = {0};
	uint64_t counter;

	if (sealed.len < SECRET_MESSAGE_OVERHEAD)
		return ERR_SIZE;
	counter = get_counter(sealed.p);
	if (!replay_window_is_fresh(&m->window, counter))
		return ERR_EXISTS;
	memcpy(nonce, sealed.p, COUNTER_LEN);
	if (crypto_secretbox_open_easy(out, sealed.p + COUNTER_LEN,
		sealed.len - COUNTER_LEN, nonce, m->rx_key) != 0)
		return ERR_SIGNATURE;
	replay_window_mark(&m->window, counter);
	return (ptrdiff_t)(sealed.len - SECRET_MESSAGE_OVERHEAD);
}
