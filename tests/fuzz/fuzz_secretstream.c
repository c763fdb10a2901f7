/* SPDX-License-Identifier: ISC */
/*
 * Runs two directions of a secret stream with the same key side by side, one
 * with libsodium and one with libcrypto's bulk cipher: whatever is sealed, or
 * damaged and opened, both must give the same bytes and keep the same state.
 */
#include <sodium.h>

#include "base/err.h"
#include "crypto/secretstream.h"
#include "fuzz.h"
#include "net/libcrypto_cipher.h"

enum {
	LEN_MAX = 65536,
	MESSAGES_MAX = 32,
	CAP = LEN_MAX + SECRETSTREAM_SEAL_LEN,
};

/* The same direction twice. */
struct twins {
	struct secretstream plain, bulk;
};

static struct twins tx, rx;
static uint8_t text[LEN_MAX], a[CAP], b[CAP];

static void
must_agree(const struct twins *t)
{
	MUST(
	    memcmp(&t->plain.state, &t->bulk.state, sizeof t->bulk.state) == 0);
}

static void
start_twins(struct twins *t, struct bulk_cipher *bulk, const uint8_t *header,
    const uint8_t *key)
{
	secretstream_init(&t->plain, NULL, header, key);
	secretstream_init(&t->bulk, bulk, header, key);
}

/* Seals a message, with any tag or as we do. */
static size_t
seal(struct fuzz_script *s, size_t len)
{
	uint8_t tag = fuzz_next(s);

	if (tag % 4 == 0) {
		secretstream_push(&tx.plain, a, text, len);
		secretstream_push(&tx.bulk, b, text, len);
		MUST(memcmp(a, b, len + SECRETSTREAM_SEAL_LEN) == 0);
		must_agree(&tx);
	} else {
		crypto_secretstream_xchacha20poly1305_push(
		    &tx.plain.state, a, NULL, text, len, NULL, 0, tag);
		tx.bulk.state = tx.plain.state;
		memcpy(b, a, len + SECRETSTREAM_SEAL_LEN);
	}
	return len + SECRETSTREAM_SEAL_LEN;
}

static int
open_both(size_t sealed)
{
	int plain = secretstream_pull(&rx.plain, a, sealed);
	int bulk = secretstream_pull(&rx.bulk, b, sealed);

	MUST(plain == bulk);
	must_agree(&rx);
	/* libsodium may have written where it fails. */
	MUST(plain != 0 || memcmp(a, b, sealed) == 0);
	return plain;
}

static void
exchange(struct fuzz_script *s)
{
	size_t len = (size_t)(fuzz_next(s) << 8 | fuzz_next(s));
	uint8_t first = fuzz_next(s), damage = fuzz_next(s);
	size_t sealed, at;

	for (size_t i = 0; i < len; i++)
		text[i] = (uint8_t)(first + i * 7);
	sealed = seal(s, len);
	if (damage != 0) {
		at = (size_t)(fuzz_next(s) << 8 | fuzz_next(s)) % sealed;
		a[at] ^= damage;
		b[at] ^= damage;
		MUST(open_both(sealed) == ERR_SIGNATURE);
		rx = tx; /* as if it had arrived */
		return;
	}
	MUST(open_both(sealed) == 0);
	MUST(len == 0 || memcmp(b + SECRETSTREAM_TAG_LEN, text, len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_script s = {data, data + size};
	static struct bulk_cipher *bulk;
	uint8_t header[SECRETSTREAM_HEADER_LEN], key[BULK_KEY_LEN] = {5};

	if (bulk == NULL && (bulk = libcrypto_cipher_new()) == NULL)
		return 0;
	/* Any length, once a long frame has loaded the library. */
	bulk->len_min = 0;
	memset(header, fuzz_next(&s), sizeof header);
	start_twins(&tx, bulk, header, key);
	start_twins(&rx, bulk, header, key);
	if (fuzz_next(&s) % 2 == 1) {
		/* The next message overflows the counter. */
		memset(tx.plain.state.nonce, 0xff, 4);
		memset(tx.bulk.state.nonce, 0xff, 4);
		rx = tx;
	}
	for (unsigned i = 0; i < MESSAGES_MAX && s.p < s.end; i++)
		exchange(&s);
	return 0;
}
