/* SPDX-License-Identifier: ISC */
/*
 * Checks that a bucket grants its burst and then exactly its rate, also when it
 * is polled often and when the clock wraps. Compares sums over long runs with
 * the exact product.
 */
#include "base/bucket.h"
#include "t.h"

START_TEST(gives_its_burst_once)
{
	struct bucket b = bucket_full(100, 5);

	ck_assert(bucket_take(&b, 60));
	ck_assert(!bucket_take(&b, 41));
	ck_assert(bucket_take(&b, 40));
	ck_assert(!bucket_take(&b, 1));
	ck_assert(bucket_take(&b, 0));
	bucket_refill(&b, 100, 10, 5);
	ck_assert(!bucket_take(&b, 1));
}
END_TEST

static const struct {
	uint32_t rate, step_ms, start_ms;
} runs[] = {
    {4000, 1, 0},
    {4000, 7, 0},
    {3, 1, 0}, /* a unit takes 333 ms: the rest must not be lost */
    {1, 999, 0},
    {7, 13, 0},
    {1500, 1, 3}, /* one unit and a half each time */
    {3001, 1, 0},
    {100, 10, UINT32_MAX - 5000}, /* over the wrap of the clock */
    {1, 1, UINT32_MAX - 500},
    {16777216, 1, 0},
};

START_TEST(gives_its_rate)
{
	uint32_t rate = runs[_i].rate, burst = rate + 10;
	uint32_t now = runs[_i].start_ms, passed = 0;
	struct bucket b = bucket_full(0, now);
	uint64_t given = 0;

	while (passed < 10000) {
		uint64_t due;

		now += runs[_i].step_ms;
		passed += runs[_i].step_ms;
		bucket_refill(&b, burst, rate, now);
		given += b.left;
		ck_assert(bucket_take(&b, b.left));
		/* A second call at the same time grants nothing. */
		bucket_refill(&b, burst, rate, now);
		ck_assert_uint_eq(b.left, 0);

		/* One unit may be under way at the start, one at the end. */
		due = (uint64_t)passed * rate / 1000;
		ck_assert_uint_le(given, due + 1);
		ck_assert_uint_le(due, given + 1);
	}
}
END_TEST

START_TEST(never_exceeds_its_burst)
{
	struct bucket b = bucket_full(0, 0);

	bucket_refill(&b, 50, 10, 1000);
	ck_assert_uint_eq(b.left, 10);
	bucket_refill(&b, 50, 10, 100000);
	ck_assert_uint_eq(b.left, 50);
	/* The gain exceeds 32 bits. */
	b = bucket_full(0, 0);
	bucket_refill(&b, UINT32_MAX, 1u << 30, UINT32_MAX / 2);
	ck_assert_uint_eq(b.left, UINT32_MAX);
	/* A reload lowered the burst below what is left. */
	bucket_refill(&b, 50, 10, UINT32_MAX / 2);
	ck_assert_uint_eq(b.left, 50);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("bucket", &tc);

	tcase_add_test(tc, gives_its_burst_once);
	tcase_add_loop_test(tc, gives_its_rate, 0, T_ROWS(runs));
	tcase_add_test(tc, never_exceeds_its_burst);
	return s;
}
