/* SPDX-License-Identifier: ISC */
/*
 * Goal: waits adapt as the reference's do, protocol 01 §9.2, in bounded memory.
 * Method: the golden vectors; virtual time for the ten minutes.
 */
#include <string.h>

#include "dht/rtt_table.h"
#include "world/sim_world.h"
#include "t.h"

static struct sim_world fw;
static struct hash_key key;
static struct rtt_table rtt;

static void
setup(void)
{
	sim_world_init(&fw, NULL, 3);
	rtt_table_init(&rtt, &key);
}

static void
teardown(void)
{
	rtt_table_fini(&rtt);
	sim_world_fini(&fw);
}

static struct addr
node(unsigned i)
{
	return addr_v4(203, 0, (uint8_t)(i >> 8), (uint8_t)i, 4000);
}

START_TEST(follows_the_vectors)
{
	const json_t *v = t_get(t_vectors("rpc.json"), "adaptive_timeout");
	const json_t *step;
	struct addr a = node(1);
	size_t i;

	json_array_foreach(t_get(v, "steps"), i, step)
	{
		if (strcmp(t_string(step, "op"), "put") == 0)
			rtt_table_put(
			    &rtt, &fw.w, &a, (uint32_t)t_uint(step, "rtt"));
		else
			ck_assert_uint_eq(
			    rtt_table_timeout_ms(&rtt, &fw.w, &a,
				(unsigned)t_uint(step, "attempt")),
			    t_uint(step, "timeout_ms"));
	}
}
END_TEST

START_TEST(knows_each_port_by_itself)
{
	struct addr a = node(1), b = node(1);

	b.port++;
	rtt_table_put(&rtt, &fw.w, &a, 2000);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 4000);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &b, 1), 250);
}
END_TEST

START_TEST(forgets_after_ten_minutes)
{
	struct addr a = node(1);

	rtt_table_put(&rtt, &fw.w, &a, 2000);
	sim_advance_ms(&fw, 600 * 1000);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 4000);
	sim_advance_ms(&fw, 2 * 1000);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 250);
	/* What comes then is a first sample: nothing of the old is mixed in. */
	rtt_table_put(&rtt, &fw.w, &a, 200);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 400);
}
END_TEST

START_TEST(never_shrinks_below_zero)
{
	struct addr a = node(1);

	rtt_table_put(&rtt, &fw.w, &a, UINT32_MAX);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 4000);
	for (int i = 0; i < 200; i++)
		rtt_table_put(&rtt, &fw.w, &a, 0);
	ck_assert_uint_eq(rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 300);
}
END_TEST

START_TEST(is_bounded)
{
	unsigned known = 0;

	for (unsigned i = 0; i < 5 * DHT_RTT_ENTRIES_MAX; i++) {
		struct addr a = node(i);

		rtt_table_put(&rtt, &fw.w, &a, 1000);
		ck_assert_uint_eq(
		    rtt_table_timeout_ms(&rtt, &fw.w, &a, 1), 2000);
	}
	ck_assert_uint_eq(rtt.pool.len, DHT_RTT_ENTRIES_MAX);
	for (unsigned i = 0; i < 5 * DHT_RTT_ENTRIES_MAX; i++) {
		struct addr a = node(i);

		known += rtt_table_timeout_ms(&rtt, &fw.w, &a, 1) == 2000;
	}
	ck_assert_uint_eq(known, DHT_RTT_ENTRIES_MAX);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("rtt_table", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, follows_the_vectors);
	tcase_add_test(tc, knows_each_port_by_itself);
	tcase_add_test(tc, forgets_after_ten_minutes);
	tcase_add_test(tc, never_shrinks_below_zero);
	tcase_add_test(tc, is_bounded);
	return s;
}
