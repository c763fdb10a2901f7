/* SPDX-License-Identifier: ISC */
/*
 * Goal: keys, hashes, namespaces and signatures are those of the reference, and
 * a signature holds for nothing else. Method: golden rows, each damaged bit by
 * bit in every part.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/keys.h"
#include "t.h"

static const char file[] = "records.json";

START_TEST(pair_of_seed)
{
	const json_t *row = t_row(file, "key_pairs", _i);
	struct key_pair k;
	uint8_t target[HASH_LEN];
	size_t len;
	uint8_t *seed = t_bytes(row, "seed", &len);

	ck_assert_uint_eq(len, KEY_SEED_LEN);
	key_pair_from_seed(&k, seed);
	t_assert_hex(k.public_key, KEY_LEN, t_string(row, "public_key"));
	t_assert_hex(k.secret_key, KEY_SECRET_LEN, t_string(row, "secret_key"));
	key_target(target, k.public_key);
	t_assert_hex(target, sizeof target, t_string(row, "target"));
	free(seed);
}
END_TEST

START_TEST(namespace_of_command)
{
	const json_t *row = t_row(file, "namespaces", _i);
	enum key_namespace ns = (enum key_namespace)t_uint(row, "command");
	uint8_t hash[HASH_LEN];
	size_t len;
	uint8_t *preimage = t_bytes(row, "preimage", &len);

	t_assert_hex(key_namespace(ns), NAMESPACE_LEN, t_string(row, "hex"));
	/* The constant is what protocol 02 §4 derives. */
	hash_blake2b(hash, preimage, len);
	t_assert_hex(hash, sizeof hash, t_string(row, "hex"));
	free(preimage);
}
END_TEST

/* The key pair of the vectors that has this public key. */
static struct key_pair
pair_of(const uint8_t *public_key)
{
	struct key_pair k;

	for (int i = 0; i < t_rows(file, "key_pairs"); i++) {
		size_t len;
		uint8_t *seed =
		    t_bytes(t_row(file, "key_pairs", i), "seed", &len);

		key_pair_from_seed(&k, seed);
		free(seed);
		if (memcmp(k.public_key, public_key, KEY_LEN) == 0)
			return k;
	}
	ck_abort_msg("no key pair of the vectors has this key");
}

static enum key_namespace
namespace_named(const char *name)
{
	for (int i = 0; i < t_rows(file, "namespaces"); i++) {
		const json_t *row = t_row(file, "namespaces", i);

		if (strcmp(t_string(row, "name"), name) == 0)
			return (enum key_namespace)t_uint(row, "command");
	}
	ck_abort_msg("no namespace is named %s", name);
}

struct signed_row {
	enum key_namespace ns;
	uint8_t *key, *hashed, *sig, *signed_bytes;
	size_t hashed_len, signed_len;
};

static void
signed_row_init(struct signed_row *s, const json_t *row)
{
	size_t len;

	s->ns = namespace_named(t_string(row, "namespace"));
	s->key = t_bytes(row, "public_key", &len);
	ck_assert_uint_eq(len, KEY_LEN);
	s->sig = t_bytes(row, "signature", &len);
	ck_assert_uint_eq(len, SIGNATURE_LEN);
	s->hashed = t_bytes(row, "hashed", &s->hashed_len);
	s->signed_bytes = t_bytes(row, "signed_bytes", &s->signed_len);
	ck_assert_uint_eq(s->signed_len, NAMESPACE_LEN + HASH_LEN);
}

static void
signed_row_fini(struct signed_row *s)
{
	free(s->key);
	free(s->sig);
	free(s->hashed);
	free(s->signed_bytes);
}

START_TEST(signs_as_the_reference)
{
	struct signed_row s;
	struct key_pair k;
	uint8_t sig[SIGNATURE_LEN], hash[HASH_LEN];

	signed_row_init(&s, t_row(file, "announce_signatures", _i));
	k = pair_of(s.key);
	hash_blake2b(hash, s.hashed, s.hashed_len);
	ck_assert_mem_eq(s.signed_bytes + NAMESPACE_LEN, hash, HASH_LEN);

	/* However the bytes are parted, it is the same signature. */
	for (size_t cut = 0; cut <= s.hashed_len; cut += 13) {
		struct key_part parts[] = {{s.hashed, cut}, {NULL, 0},
		    {s.hashed + cut, s.hashed_len - cut}};

		key_sign(sig, &k, s.ns, parts, 3);
		ck_assert_mem_eq(sig, s.sig, SIGNATURE_LEN);
		ck_assert_int_eq(key_verify(s.sig, s.key, s.ns, parts, 3), 0);
	}
	signed_row_fini(&s);
}
END_TEST

/* Every flipped bit of the bytes at p must break the signature. */
static void
assert_fragile(struct signed_row *s, uint8_t *p, size_t len)
{
	struct key_part part = {s->hashed, s->hashed_len};

	for (size_t bit = 0; bit < len * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_int_eq(
		    key_verify(s->sig, s->key, s->ns, &part, 1), ERR_SIGNATURE);
		p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	ck_assert_int_eq(key_verify(s->sig, s->key, s->ns, &part, 1), 0);
}

START_TEST(signature_holds_for_nothing_else)
{
	struct signed_row s;
	struct key_part part;

	signed_row_init(&s, t_row(file, "announce_signatures", _i));
	assert_fragile(&s, s.sig, SIGNATURE_LEN);
	assert_fragile(&s, s.key, KEY_LEN);
	assert_fragile(&s, s.hashed, s.hashed_len);
	part = (struct key_part){s.hashed, s.hashed_len};
	ck_assert_int_eq(
	    key_verify(s.sig, s.key, NS_MUTABLE_PUT, &part, 1), ERR_SIGNATURE);
	part.len--;
	ck_assert_int_eq(
	    key_verify(s.sig, s.key, s.ns, &part, 1), ERR_SIGNATURE);
	signed_row_fini(&s);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("keys", &tc);
	int signatures = t_rows(file, "announce_signatures");

	tcase_add_loop_test(tc, pair_of_seed, 0, t_rows(file, "key_pairs"));
	tcase_add_loop_test(
	    tc, namespace_of_command, 0, t_rows(file, "namespaces"));
	tcase_add_loop_test(tc, signs_as_the_reference, 0, signatures);
	tcase_add_loop_test(
	    tc, signature_holds_for_nothing_else, 0, signatures);
	return s;
}
