/* SPDX-License-Identifier: ISC */
/*
 * Goal: a stream of libsodium and one with a bulk cipher make the same bytes
 * and keep the same state, whatever is sent, damaged or fails. Method: both run
 * side by side, message by message; the bulk cipher is libcrypto's, in part
 * with operations that fail on purpose.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/secretstream.h"
#include "net/libcrypto_cipher.h"
#include "t.h"

enum {
	MESSAGES = 1000,
	LEN_MAX = 70000,
	CAP = LEN_MAX + SECRETSTREAM_SEAL_LEN,
};

static struct bulk_cipher *bulk;
static struct prng random_bytes;
static struct secretstream plain_tx, plain_rx, bulk_tx, bulk_rx;
static uint8_t text[LEN_MAX], a[CAP], b[CAP];

/* Initialises all four directions with the same key and header. */
static void
start_streams(void)
{
	uint8_t header[SECRETSTREAM_HEADER_LEN], key[BULK_KEY_LEN];

	prng_fill(&random_bytes, header, sizeof header);
	prng_fill(&random_bytes, key, sizeof key);
	secretstream_init(&plain_tx, NULL, header, key);
	secretstream_init(&plain_rx, NULL, header, key);
	secretstream_init(&bulk_tx, bulk, header, key);
	secretstream_init(&bulk_rx, bulk, header, key);
}

static void
set_up(void)
{
	random_bytes = prng_seeded(7);
	bulk = libcrypto_cipher_new();
	if (bulk != NULL)
		bulk->len_min = 0;
	start_streams();
}

static void
tear_down(void)
{
	libcrypto_cipher_free(bulk);
}

static void
assert_same_state(const struct secretstream *x, const struct secretstream *y)
{
	ck_assert_mem_eq(&x->state, &y->state, sizeof x->state);
}

/* Seals the text with both, and opens what the other has sealed. */
static void
exchange(size_t len)
{
	prng_fill(&random_bytes, text, len);
	secretstream_push(&plain_tx, a, text, len);
	secretstream_push(&bulk_tx, b, text, len);
	ck_assert_mem_eq(a, b, len + SECRETSTREAM_SEAL_LEN);
	assert_same_state(&plain_tx, &bulk_tx);
	ck_assert_int_eq(
	    secretstream_pull(&bulk_rx, a, len + SECRETSTREAM_SEAL_LEN), 0);
	ck_assert_int_eq(
	    secretstream_pull(&plain_rx, b, len + SECRETSTREAM_SEAL_LEN), 0);
	if (len > 0) {
		ck_assert_mem_eq(a + SECRETSTREAM_TAG_LEN, text, len);
		ck_assert_mem_eq(b + SECRETSTREAM_TAG_LEN, text, len);
	}
	assert_same_state(&plain_rx, &bulk_rx);
	assert_same_state(&plain_rx, &plain_tx);
}

START_TEST(both_make_the_same_bytes)
{
	exchange(LEN_MAX); /* loads the library */
	for (size_t len = 0; len < 300; len++)
		exchange(len);
	for (unsigned i = 0; i < MESSAGES; i++)
		exchange(prng_below(&random_bytes, LEN_MAX + 1));
}
END_TEST

/* The counter of the nonce is 32 bits, and its overflow changes the key. */
START_TEST(a_counter_that_overflows_changes_the_key)
{
	struct secretstream *all[] = {&plain_tx, &plain_rx, &bulk_tx, &bulk_rx};
	uint8_t before[BULK_KEY_LEN];

	exchange(LEN_MAX);
	for (unsigned i = 0; i < 4; i++)
		memset(all[i]->state.nonce, 0xff, 4);
	memcpy(before, bulk_tx.state.k, sizeof before);
	exchange(1000);
	ck_assert_mem_ne(before, bulk_tx.state.k, sizeof before);
	exchange(1000);
}
END_TEST

/* Tags of the peer: none, end of a group, new key, end of the stream. */
START_TEST(every_tag_is_accepted)
{
	size_t len = 1000;

	exchange(LEN_MAX);
	for (uint8_t tag = 0; tag < 4; tag++) {
		crypto_secretstream_xchacha20poly1305_push(
		    &plain_tx.state, a, NULL, text, len, NULL, 0, tag);
		ck_assert_int_eq(
		    secretstream_pull(&bulk_rx, a, len + SECRETSTREAM_SEAL_LEN),
		    0);
		ck_assert_mem_eq(a + SECRETSTREAM_TAG_LEN, text, len);
		assert_same_state(&plain_tx, &bulk_rx);
	}
}
END_TEST

/* Nothing is decrypted of a message that was changed, cut or repeated. */
START_TEST(damage_changes_nothing)
{
	size_t len = 600, sealed = len + SECRETSTREAM_SEAL_LEN;
	struct secretstream before;

	exchange(LEN_MAX);
	prng_fill(&random_bytes, text, len);
	secretstream_push(&plain_tx, a, text, len);
	before = bulk_rx;
	for (size_t bit = 0; bit < 8 * sealed; bit++) {
		memcpy(b, a, sealed);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(
		    secretstream_pull(&bulk_rx, b, sealed), ERR_SIGNATURE);
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_mem_eq(a, b, sealed);
		assert_same_state(&bulk_rx, &before);
	}
	for (size_t cut = 0; cut < sealed; cut++)
		ck_assert_int_eq(
		    secretstream_pull(&bulk_rx, b, cut), ERR_SIGNATURE);
	ck_assert_int_eq(secretstream_pull(&bulk_rx, a, sealed), 0);
	memcpy(a, b, sealed);
	ck_assert_int_eq(secretstream_pull(&bulk_rx, a, sealed), ERR_SIGNATURE);
}
END_TEST

/* ---- messages in pieces ---- */

/* Cuts len bytes at p into pieces, of `size` bytes or of random ones (0). */
static unsigned
cut(struct bytes *pieces, const uint8_t *p, size_t len, size_t size)
{
	unsigned n = 0;

	while (len > 0 && n < SECRETSTREAM_PIECES_MAX) {
		size_t here = size;

		if (here == 0)
			here = 1 + prng_below(&random_bytes, 2000);
		if (here > len)
			here = len;
		pieces[n++] = (struct bytes){p, here};
		p += here;
		len -= here;
	}
	ck_assert_uint_eq(len, 0);
	return n;
}

static void
pull_pieces(size_t len, size_t size)
{
	struct bytes pieces[SECRETSTREAM_PIECES_MAX];
	size_t sealed = len + SECRETSTREAM_SEAL_LEN;
	struct secretstream before;
	unsigned n;

	prng_fill(&random_bytes, text, len);
	secretstream_push(&plain_tx, a, text, len);
	n = cut(pieces, a, sealed, size);
	before = bulk_rx;
	a[len / 2] ^= 1;
	ck_assert_int_eq(
	    secretstream_pull_pieces(&bulk_rx, b, pieces, n, sealed),
	    ERR_SIGNATURE);
	assert_same_state(&bulk_rx, &before);
	a[len / 2] ^= 1;
	ck_assert_int_eq(
	    secretstream_pull_pieces(&bulk_rx, b, pieces, n, sealed), 0);
	if (len > 0)
		ck_assert_mem_eq(b + SECRETSTREAM_TAG_LEN, text, len);
	assert_same_state(&bulk_rx, &plain_tx);
}

START_TEST(pieces_are_as_good_as_a_whole)
{
	static const size_t sizes[] = {1, 2, 15, 16, 17, 64};

	exchange(LEN_MAX);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (size_t len = 0; len < 160; len++)
			pull_pieces(len, sizes[i]);
	for (size_t len = 1000; len < LEN_MAX; len += 997)
		pull_pieces(len, 0);
	pull_pieces(65519, 1432);
}
END_TEST

START_TEST(libsodium_refuses_pieces)
{
	struct bytes piece = {a, 100};

	ck_assert_int_eq(
	    secretstream_pull_pieces(&plain_rx, b, &piece, 1, 100), ERR_BUSY);
	bulk->len_min = 1000;
	ck_assert_int_eq(
	    secretstream_pull_pieces(&bulk_rx, b, &piece, 1, 100), ERR_BUSY);
	bulk->len_min = 0;
	ck_assert_int_eq(
	    secretstream_pull_pieces(&bulk_rx, b, &piece, 0, 100), ERR_BUSY);
}
END_TEST

/* ---- operations that fail ---- */

static unsigned calls_left;

static bool
next_call_works(void)
{
	return calls_left > 0 && calls_left-- > 0;
}

static bool
weak_start(
    struct bulk_cipher *w, const uint8_t *key, const uint8_t *nonce, size_t len)
{
	(void)w;
	return next_call_works() && bulk->ops->start(bulk, key, nonce, len);
}

static bool
weak_encrypt(struct bulk_cipher *w, uint8_t *out, const uint8_t *in, size_t len)
{
	(void)w;
	return next_call_works() && bulk->ops->encrypt(bulk, out, in, len);
}

static bool
weak_authenticate(struct bulk_cipher *w, const uint8_t *key,
    const struct bytes *parts, unsigned n, uint8_t *mac)
{
	(void)w;
	return next_call_works() &&
	       bulk->ops->authenticate(bulk, key, parts, n, mac);
}

static const struct bulk_cipher_ops weak_ops = {
    .start = weak_start,
    .encrypt = weak_encrypt,
    .authenticate = weak_authenticate,
};

/*
 * Of the four calls for a message, call _i fails. libsodium then does the work;
 * only what is half decrypted cannot be saved.
 */
START_TEST(a_failure_is_made_up_for)
{
	struct bulk_cipher weak = {.ops = &weak_ops};
	size_t len = 5000, sealed = len + SECRETSTREAM_SEAL_LEN;

	exchange(LEN_MAX);
	bulk_tx.bulk = bulk_rx.bulk = &weak;
	secretstream_push(&plain_tx, a, text, len);
	calls_left = (unsigned)_i;
	secretstream_push(&bulk_tx, b, text, len);
	ck_assert_mem_eq(a, b, sealed);
	assert_same_state(&plain_tx, &bulk_tx);
	calls_left = (unsigned)_i;
	if (_i == 3) {
		ck_assert_int_eq(
		    secretstream_pull(&bulk_rx, b, sealed), ERR_MEMORY);
		return;
	}
	ck_assert_int_eq(secretstream_pull(&bulk_rx, b, sealed), 0);
	ck_assert_mem_eq(b + SECRETSTREAM_TAG_LEN, text, len);
	assert_same_state(&plain_tx, &bulk_rx);
}
END_TEST

/* ---- loading ---- */

static bool
is_mapped(const char *library)
{
	FILE *f = fopen("/proc/self/maps", "r");
	char line[512];
	bool found = false;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof line, f) != NULL)
		found = found || strstr(line, library) != NULL;
	fclose(f);
	return found;
}

START_TEST(short_frames_do_not_load_the_library)
{
	bulk->len_min = LIBCRYPTO_LEN_MIN;
	for (size_t len = 0; len < LIBCRYPTO_LOAD_MIN; len += 100)
		exchange(len);
	ck_assert(!is_mapped("libcrypto"));
	exchange(LIBCRYPTO_LOAD_MIN);
	ck_assert(is_mapped("libcrypto"));
	bulk->ops->wipe(bulk);
	exchange(LIBCRYPTO_LEN_MIN);
	bulk->ops->wipe(bulk);
	bulk->ops->wipe(bulk);
	exchange(LIBCRYPTO_LOAD_MIN);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("secretstream", &tc);
	struct bulk_cipher *probe = libcrypto_cipher_new();

	libcrypto_cipher_free(probe);
	if (probe == NULL) {
		puts("skipped: built --without-openssl");
		return s;
	}
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, both_make_the_same_bytes);
	tcase_add_test(tc, a_counter_that_overflows_changes_the_key);
	tcase_add_test(tc, every_tag_is_accepted);
	tcase_add_test(tc, damage_changes_nothing);
	tcase_add_test(tc, pieces_are_as_good_as_a_whole);
	tcase_add_test(tc, libsodium_refuses_pieces);
	tcase_add_loop_test(tc, a_failure_is_made_up_for, 0, 4);
	tcase_add_test(tc, short_frames_do_not_load_the_library);
	return s;
}
