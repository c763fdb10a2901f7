/* SPDX-License-Identifier: ISC */
/*
 * Goal: of the relays that records name, those are chosen that were proved,
 * near, and of different networks; what fails is not chosen, and is dialed
 * again later. The topics of relays are what other versions compute. Method: a
 * pool with made-up delays, thousands of choices, a moved clock.
 */
#include <string.h>

#include "relay/relay_pool.h"
#include "relay/relay_topic.h"
#include "t.h"

static struct prng prng;

static void
draw(struct world *w, void *out, size_t len)
{
	(void)w;
	prng_fill(&prng, out, len);
}

static const struct world_ops ops = {.random = draw};
static struct world world;
static struct relay_pool pool;
static const uint8_t nobody[KEY_LEN] = {0xff};

static void
setup(void)
{
	prng = prng_seeded(1);
	world = (struct world){.ops = &ops};
	relay_pool_init(&pool, &world);
}

/* Adds a relay and proves it. */
static void
prove(uint8_t n, struct addr addr, uint64_t rtt_us)
{
	relay_pool_add(&pool, t_key(n));
	relay_pool_proved(&pool, t_key(n), &addr, rtt_us);
}

/* Counts how often each relay is chosen, of 10,000 times. */
static void
count_choices(unsigned counts[256], const uint8_t *own, const uint8_t *peer)
{
	memset(counts, 0, 256 * sizeof *counts);
	for (int i = 0; i < 10000; i++) {
		const uint8_t *key = relay_pool_choose(&pool, own, peer);

		ck_assert_ptr_nonnull(key);
		counts[key[0]]++;
	}
}

START_TEST(chooses_among_the_near)
{
	unsigned counts[256];

	ck_assert_ptr_null(relay_pool_choose(&pool, nobody, nobody));
	relay_pool_add(&pool, t_key(9));
	ck_assert_ptr_null(relay_pool_choose(&pool, nobody, nobody));
	prove(1, addr_v4(203, 1, 0, 1, 1), 20000);
	prove(2, addr_v4(203, 2, 0, 1, 1), 30000);
	prove(3, addr_v4(203, 3, 0, 1, 1), 30001); /* too far */
	count_choices(counts, nobody, nobody);
	ck_assert_uint_eq(counts[1] + counts[2], 10000);
	ck_assert_uint_gt(counts[1], 4500);
	ck_assert_uint_gt(counts[2], 4500);
	/* Neither end can be its own relay. */
	count_choices(counts, t_key(1), nobody);
	ck_assert_uint_eq(counts[1], 0);
	count_choices(counts, nobody, t_key(1));
	ck_assert_uint_eq(counts[1], 0);
}
END_TEST

START_TEST(chooses_one_of_a_network)
{
	unsigned counts[256];

	/* Fifty relays of one operator count as the nearest of them. */
	for (uint8_t n = 1; n <= 50; n++)
		prove(n, addr_v4(203, 1, n, 1, 1), 20000 + n);
	prove(51, addr_v4(203, 2, 0, 1, 1), 25000);
	count_choices(counts, nobody, nobody);
	ck_assert_uint_gt(counts[1], 4500);
	ck_assert_uint_gt(counts[51], 4500);
	ck_assert_uint_eq(counts[1] + counts[51], 10000);
}
END_TEST

START_TEST(forgets_what_fails)
{
	const uint8_t *key;

	prove(1, addr_v4(203, 1, 0, 1, 1), 20000);
	ck_assert_uint_eq(relay_pool_fresh(&pool), 1);
	ck_assert_ptr_null(relay_pool_take(&pool));
	/* It is dialed again while it can still be chosen. */
	world.now_us += RELAY_PROVED_S * UINT64_C(1000000);
	ck_assert_uint_eq(relay_pool_fresh(&pool), 0);
	key = relay_pool_take(&pool);
	ck_assert_mem_eq(key, t_key(1), KEY_LEN);
	ck_assert_uint_eq(relay_pool_proving(&pool), 1);
	ck_assert_ptr_nonnull(relay_pool_choose(&pool, nobody, nobody));
	relay_pool_failed(&pool, t_key(1));
	ck_assert_ptr_null(relay_pool_choose(&pool, nobody, nobody));
	/* After one minute, after four, and then no more. */
	ck_assert_ptr_null(relay_pool_take(&pool));
	world.now_us += UINT64_C(60000000);
	ck_assert_ptr_nonnull(relay_pool_take(&pool));
	relay_pool_failed(&pool, t_key(1));
	world.now_us += UINT64_C(239999999);
	ck_assert_ptr_null(relay_pool_take(&pool));
	world.now_us++;
	ck_assert_ptr_nonnull(relay_pool_take(&pool));
	relay_pool_failed(&pool, t_key(1));
	ck_assert_uint_eq(pool.len, 0);
	/* Many connections that end in one outage are one failure, and a dial
	 * that did not start is none. */
	prove(2, addr_v4(203, 2, 0, 1, 1), 20000);
	for (int i = 0; i < 10; i++)
		relay_pool_failed(&pool, t_key(2));
	world.now_us += UINT64_C(60000000);
	for (int i = 0; i < 10; i++) {
		ck_assert_ptr_nonnull(relay_pool_take(&pool));
		relay_pool_put_back(&pool, t_key(2));
	}
	prove(2, addr_v4(203, 2, 0, 1, 1), 20000);
	world.now_us += RELAY_PROVED_S * UINT64_C(1000000);
	ck_assert_ptr_nonnull(relay_pool_take(&pool));
	relay_pool_put_back(&pool, t_key(2));
	ck_assert_ptr_nonnull(relay_pool_choose(&pool, nobody, nobody));
	pool.len = 0;
	/* Results of relays that the pool lacks change nothing. */
	relay_pool_failed(&pool, t_key(1));
	ck_assert_uint_eq(pool.len, 0);
}
END_TEST

START_TEST(keeps_the_proved_in_a_flood)
{
	for (uint8_t n = 1; n <= 8; n++)
		prove(n, addr_v4(203, n, 0, 1, 1), 20000);
	for (unsigned n = 9; n < 256; n++)
		ck_assert(relay_pool_add(&pool, t_key((uint8_t)n)));
	ck_assert_uint_eq(pool.len, RELAY_POOL_MAX);
	ck_assert_uint_eq(relay_pool_fresh(&pool), 8);
	ck_assert(!relay_pool_add(&pool, t_key(3)));
	/* With nothing to replace, it refuses. */
	while (relay_pool_take(&pool) != NULL)
		;
	ck_assert(!relay_pool_add(&pool, nobody));
}
END_TEST

START_TEST(topics_are_stable)
{
	const struct relay_topic t = {.bits = 6, .shard = 33, .day = 20787};
	uint8_t hash[HASH_LEN];

	/* 2026-11-30T00:00:00Z is day 20787. */
	ck_assert_uint_eq(relay_topic_day(UINT64_C(1795996800000)), t.day);
	ck_assert_uint_eq(relay_topic_day(UINT64_C(1795996799999)), t.day - 1);
	relay_topic_hash(hash, &t);
	t_assert_hex(hash, sizeof hash,
	    "26949ef7e9a5b0c8ebb3ac6e35dd3537"
	    "b8b6b54e618a9696d64e3a016e71d12e");
	ck_assert_uint_eq(relay_topic_shard(t_key(0xb7), 0), 0);
	ck_assert_uint_eq(relay_topic_shard(t_key(0xb7), 3), 5);
	ck_assert_uint_eq(relay_topic_shard(t_key(0xb7), 6), 45);
}
END_TEST

/* A relay that refuses is asked when it says so, within a minute and a day,
 * and is not forgotten. */
START_TEST(heeds_the_time_of_a_refusal)
{
	static const struct {
		uint64_t retry_s, waits_s;
	} rows[] = {{600, 600}, {0, 60}, {UINT64_MAX, 86400}};
	const uint8_t key[KEY_LEN] = {77};

	ck_assert(relay_pool_add(&pool, key));
	ck_assert_ptr_nonnull(relay_pool_take(&pool));
	for (int i = 0; i < 5; i++) {
		relay_pool_refused(&pool, key, rows[_i].retry_s);
		relay_pool_failed(&pool, key); /* its connection ends */
		ck_assert_ptr_null(relay_pool_take(&pool));
		world.now_us += rows[_i].waits_s * 1000000 - 1;
		ck_assert_ptr_null(relay_pool_take(&pool));
		world.now_us++;
		ck_assert_ptr_nonnull(relay_pool_take(&pool));
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_pool", &tc);

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, chooses_among_the_near);
	tcase_add_test(tc, chooses_one_of_a_network);
	tcase_add_test(tc, forgets_what_fails);
	tcase_add_loop_test(tc, heeds_the_time_of_a_refusal, 0, 3);
	tcase_add_test(tc, keeps_the_proved_in_a_flood);
	tcase_add_test(tc, topics_are_stable);
	return s;
}
