/* SPDX-License-Identifier: ISC */
/*
 * Goal: the nodes of a key are remembered up to a limit, and removed when they
 * fail (pitfall H8). Method: exceed the limit of a small cache.
 */
#include <string.h>

#include "peer/relay_memory.h"
#include "t.h"

enum { KEYS = 4 };

static const struct hash_key hash_key = {{7}};

static void
put_nodes(struct relay_memory *r, uint8_t n, uint8_t nodes)
{
	struct addr a[8];

	for (uint8_t i = 0; i < nodes; i++)
		a[i] = addr_v4(10, 0, n, i, 49737);
	relay_memory_put(r, t_key(n), a, nodes);
}

START_TEST(remembers_in_order)
{
	struct relay_memory r;
	struct addr out[RELAY_MEMORY_PER_KEY];

	relay_memory_init(&r, KEYS, &hash_key);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 0);
	put_nodes(&r, 1, 3);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 3);
	for (uint8_t i = 0; i < 3; i++)
		ck_assert_uint_eq(out[i].ip[3], i);
	/* Replaces the earlier ones. */
	put_nodes(&r, 1, 1);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 1);
	put_nodes(&r, 1, 0);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 1);
	put_nodes(&r, 1, 8);
	ck_assert_uint_eq(
	    relay_memory_get(&r, t_key(1), out), RELAY_MEMORY_PER_KEY);
	relay_memory_fini(&r);
}
END_TEST

START_TEST(forgets_what_fails)
{
	struct relay_memory r;
	struct addr out[RELAY_MEMORY_PER_KEY], a = addr_v4(10, 0, 1, 1, 49737);

	relay_memory_init(&r, KEYS, &hash_key);
	put_nodes(&r, 1, 3);
	relay_memory_forget(&r, t_key(1), &a);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 2);
	ck_assert_uint_eq(out[0].ip[3], 0);
	ck_assert_uint_eq(out[1].ip[3], 2);
	relay_memory_forget(&r, t_key(1), &out[0]);
	relay_memory_forget(&r, t_key(1), &out[1]);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 0);
	ck_assert_uint_eq(r.pool.len, 0);
	relay_memory_forget(&r, t_key(2), &a);
	relay_memory_fini(&r);
}
END_TEST

START_TEST(longest_unused_goes_first)
{
	struct relay_memory r;
	struct addr out[RELAY_MEMORY_PER_KEY];

	relay_memory_init(&r, KEYS, &hash_key);
	for (uint8_t n = 0; n < KEYS; n++)
		put_nodes(&r, n, 1);
	relay_memory_get(&r, t_key(0), out);
	put_nodes(&r, 100, 1);
	ck_assert_uint_eq(r.pool.len, KEYS);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(0), out), 1);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 0);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(100), out), 1);
	relay_memory_fini(&r);
}
END_TEST

START_TEST(another_limit_holds_at_once)
{
	struct relay_memory r;
	struct addr out[RELAY_MEMORY_PER_KEY];

	relay_memory_init(&r, KEYS, &hash_key);
	for (uint8_t n = 0; n < KEYS; n++)
		put_nodes(&r, n, 1);
	relay_memory_set_max(&r, 2);
	ck_assert_uint_eq(r.pool.len, 2);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(1), out), 0);
	ck_assert_uint_eq(relay_memory_get(&r, t_key(3), out), 1);
	relay_memory_set_max(&r, 100);
	for (uint8_t n = 0; n < 100; n++)
		put_nodes(&r, n, 1);
	ck_assert_uint_eq(r.pool.len, 100);
	relay_memory_fini(&r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_memory", &tc);

	tcase_add_test(tc, remembers_in_order);
	tcase_add_test(tc, forgets_what_fails);
	tcase_add_test(tc, longest_unused_goes_first);
	tcase_add_test(tc, another_limit_holds_at_once);
	return s;
}
