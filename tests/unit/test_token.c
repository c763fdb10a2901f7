/* SPDX-License-Identifier: ISC */
/*
 * Goal: a token validates its host, is valid for 30 to 60 s and reveals no
 * other token. The derivation is our own, so there are no golden bytes: its
 * properties are tested, over many ages in virtual time.
 */
#include <string.h>

#include "dht/token.h"
#include "world/sim_world.h"
#include "t.h"

enum { SECOND_US = 1000000 };

static struct sim_world fw;
static struct tokens tokens;
static const struct addr host = {
    .ip = {192, 0, 2, 7}, .port = 50001, .family = ADDR_V4};

static void
setup(void)
{
	sim_world_init(&fw, NULL, 1);
	tokens_init(&tokens, &fw.w);
}

static void
teardown(void)
{
	tokens_fini(&tokens);
	sim_world_fini(&fw);
}

static bool
good(const struct addr *a, const uint8_t *token)
{
	return token_check(&tokens, &fw.w, a, token);
}

/* Pitfall R9: the writer may come from another port of the same host. */
START_TEST(binds_the_host_and_not_the_port)
{
	uint8_t token[RPC_TOKEN_LEN];
	struct addr a = host;

	token_make(&tokens, &fw.w, &host, token);
	ck_assert(good(&a, token));
	a.port = 1;
	ck_assert(good(&a, token));
	a.ip[3]++;
	ck_assert(!good(&a, token));
}
END_TEST

START_TEST(holds_in_every_bit)
{
	uint8_t token[RPC_TOKEN_LEN];

	token_make(&tokens, &fw.w, &host, token);
	for (unsigned bit = 0; bit < RPC_TOKEN_LEN * 8; bit++) {
		token[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert(!good(&host, token));
		token[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert(good(&host, token));
}
END_TEST

/* Pitfall R9, protocol 01 §6: the current secret and the previous one verify,
 * the third rotation refuses. */
START_TEST(verifies_under_two_secrets)
{
	uint8_t first[RPC_TOKEN_LEN], second[RPC_TOKEN_LEN];

	token_make(&tokens, &fw.w, &host, first);
	fw.w.now_us += TOKEN_ROTATE_US;
	token_make(&tokens, &fw.w, &host, second);
	ck_assert_mem_ne(first, second, sizeof first);
	ck_assert(good(&host, first));
	ck_assert(good(&host, second));
	fw.w.now_us += TOKEN_ROTATE_US;
	ck_assert(!good(&host, first));
	ck_assert(good(&host, second));
}
END_TEST

/* Whenever it was made and however often others were looked at meanwhile. */
START_TEST(lives_30_to_60_seconds)
{
	static const uint32_t rest_ms[] = {90, 700, 7500, 29999, 30000, 59999};
	uint32_t rest = rest_ms[_i % 6];
	uint64_t made;
	uint8_t token[RPC_TOKEN_LEN], other[RPC_TOKEN_LEN];

	sim_advance_ms(&fw, (uint64_t)_i / 6 * 1999);
	token_make(&tokens, &fw.w, &host, token);
	made = fw.w.now_us;
	/* With gaps between the requests. */
	while (good(&host, token)) {
		ck_assert_uint_le(fw.w.now_us - made, 60 * SECOND_US);
		sim_advance_ms(&fw, rest);
		token_make(&tokens, &fw.w, &host, other);
	}
	ck_assert_uint_gt(fw.w.now_us - made, 30 * SECOND_US);
}
END_TEST

/* Secrets are independent: those of two nodes, and of two rotations, have
 * nothing in common. */
START_TEST(secrets_are_fresh)
{
	uint8_t a[RPC_TOKEN_LEN], b[RPC_TOKEN_LEN];
	struct tokens twin;

	tokens_init(&twin, &fw.w);
	token_make(&tokens, &fw.w, &host, a);
	token_make(&twin, &fw.w, &host, b);
	ck_assert_mem_ne(a, b, sizeof a);
	ck_assert(!token_check(&twin, &fw.w, &host, a));
	ck_assert_mem_ne(tokens.now, tokens.previous, sizeof tokens.now);

	/* No token is valid after an hour without requests. */
	sim_advance_ms(&fw, 3600000);
	ck_assert(!good(&host, a));
	ck_assert_mem_ne(tokens.now, tokens.previous, sizeof tokens.now);
	tokens_fini(&twin);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("token", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, binds_the_host_and_not_the_port);
	tcase_add_test(tc, holds_in_every_bit);
	tcase_add_test(tc, verifies_under_two_secrets);
	tcase_add_loop_test(tc, lives_30_to_60_seconds, 0, 6 * 16);
	tcase_add_test(tc, secrets_are_fresh);
	return s;
}
