/* SPDX-License-Identifier: ISC */
/*
 * Goal: the nodes behind a key are remembered, bounded, and forgotten when
 * they fail (pitfall H8). Method: a small cache, filled beyond its limit.
 */
#include <string.h>

#include "peer/relays.h"
#include "t.h"

enum { KEYS = 4 };

static const struct hash_key hash_key = {{7}};

static const uint8_t *
key(uint8_t n)
{
	static uint8_t k[256][KEY_LEN];

	k[n][0] = n;
	return k[n];
}

static void
put(struct relays *r, uint8_t n, uint8_t nodes)
{
	struct addr a[8];

	for (uint8_t i = 0; i < nodes; i++)
		a[i] = addr_v4(10, 0, n, i, 49737);
	relays_put(r, key(n), a, nodes);
}

START_TEST(remembers_in_order)
{
	struct relays r;
	struct addr out[RELAYS_KEPT];

	relays_init(&r, KEYS, &hash_key);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 0);
	put(&r, 1, 3);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 3);
	for (uint8_t i = 0; i < 3; i++)
		ck_assert_uint_eq(out[i].ip[3], i);
	/* Anew: the old ones are gone. */
	put(&r, 1, 1);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 1);
	put(&r, 1, 0);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 1);
	put(&r, 1, 8);
	ck_assert_uint_eq(relays_get(&r, key(1), out), RELAYS_KEPT);
	relays_fini(&r);
}
END_TEST

START_TEST(forgets_what_fails)
{
	struct relays r;
	struct addr out[RELAYS_KEPT], a = addr_v4(10, 0, 1, 1, 49737);

	relays_init(&r, KEYS, &hash_key);
	put(&r, 1, 3);
	relays_forget(&r, key(1), &a);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 2);
	ck_assert_uint_eq(out[0].ip[3], 0);
	ck_assert_uint_eq(out[1].ip[3], 2);
	relays_forget(&r, key(1), &out[0]);
	relays_forget(&r, key(1), &out[1]);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 0);
	ck_assert_uint_eq(r.pool.len, 0);
	relays_forget(&r, key(2), &a);
	relays_fini(&r);
}
END_TEST

START_TEST(longest_unused_goes_first)
{
	struct relays r;
	struct addr out[RELAYS_KEPT];

	relays_init(&r, KEYS, &hash_key);
	for (uint8_t n = 0; n < KEYS; n++)
		put(&r, n, 1);
	relays_get(&r, key(0), out);
	put(&r, 100, 1);
	ck_assert_uint_eq(r.pool.len, KEYS);
	ck_assert_uint_eq(relays_get(&r, key(0), out), 1);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 0);
	ck_assert_uint_eq(relays_get(&r, key(100), out), 1);
	relays_fini(&r);
}
END_TEST

START_TEST(another_limit_holds_at_once)
{
	struct relays r;
	struct addr out[RELAYS_KEPT];

	relays_init(&r, KEYS, &hash_key);
	for (uint8_t n = 0; n < KEYS; n++)
		put(&r, n, 1);
	relays_set_max(&r, 2);
	ck_assert_uint_eq(r.pool.len, 2);
	ck_assert_uint_eq(relays_get(&r, key(1), out), 0);
	ck_assert_uint_eq(relays_get(&r, key(3), out), 1);
	relays_set_max(&r, 100);
	for (uint8_t n = 0; n < 100; n++)
		put(&r, n, 1);
	ck_assert_uint_eq(r.pool.len, 100);
	relays_fini(&r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relays", &tc);

	tcase_add_test(tc, remembers_in_order);
	tcase_add_test(tc, forgets_what_fails);
	tcase_add_test(tc, longest_unused_goes_first);
	tcase_add_test(tc, another_limit_holds_at_once);
	return s;
}
