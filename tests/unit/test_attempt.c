/* SPDX-License-Identifier: ISC */
/*
 * Goal: the last attempts can be looked at, bounded in number and length, and
 * their end is always among the steps. Method: more of both than there is
 * room for.
 */
#include "base/err.h"
#include "peer/attempt.h"
#include "t.h"

enum { KEPT = 3 };

static const uint8_t one[KEY_LEN] = {1}, two[KEY_LEN] = {2};

static void
note(struct attempts *as, uint32_t number, enum attempt_kind kind, int err,
    uint64_t now_us)
{
	attempts_note(as, number,
	    &(struct attempt_step){.kind = kind, .err = err}, now_us);
}

START_TEST(notes_in_order)
{
	struct attempts as;
	const struct attempt *a;
	uint32_t number;

	ck_assert_int_eq(attempts_init(&as, KEPT), 0);
	ck_assert_ptr_null(attempts_nth(&as, NULL, 0));
	number = attempts_begin(&as, one, 17, 1000);
	note(&as, number, ATTEMPT_FOUND, 0, 1500);
	a = attempts_nth(&as, one, 0);
	ck_assert_ptr_nonnull(a);
	ck_assert(a->under_way);
	note(&as, number, ATTEMPT_FAILED, ERR_NO_ANSWER, 3000);
	ck_assert(!a->under_way);
	ck_assert_int_eq(a->err, ERR_NO_ANSWER);
	ck_assert_uint_eq(a->conn, 17);
	ck_assert_uint_eq(a->steps_len, 3);
	ck_assert_int_eq(a->steps[0].kind, ATTEMPT_DIAL);
	ck_assert_uint_eq(a->steps[1].at_us, 500);
	ck_assert_uint_eq(a->steps[2].at_us, 2000);
	attempts_fini(&as);
}
END_TEST

START_TEST(the_end_finds_room)
{
	struct attempts as;
	const struct attempt *a;
	uint32_t number;

	ck_assert_int_eq(attempts_init(&as, KEPT), 0);
	number = attempts_begin(&as, one, 1, 0);
	for (int i = 0; i < 2 * ATTEMPT_STEPS_MAX; i++)
		note(&as, number, ATTEMPT_FOUND, 0, 1);
	note(&as, number, ATTEMPT_OPEN, 0, 2);
	a = attempts_nth(&as, NULL, 0);
	ck_assert_uint_eq(a->steps_len, ATTEMPT_STEPS_MAX);
	ck_assert_uint_eq(a->steps_lost, ATTEMPT_STEPS_MAX + 2);
	ck_assert_int_eq(a->steps[ATTEMPT_STEPS_MAX - 1].kind, ATTEMPT_OPEN);
	attempts_fini(&as);
}
END_TEST

START_TEST(latest_first_and_no_more)
{
	struct attempts as;
	uint32_t first;

	ck_assert_int_eq(attempts_init(&as, KEPT), 0);
	first = attempts_begin(&as, one, 1, 0);
	attempts_begin(&as, two, 2, 0);
	attempts_begin(&as, one, 3, 0);
	attempts_begin(&as, two, 4, 0);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 0)->conn, 4);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 2)->conn, 2);
	ck_assert_ptr_null(attempts_nth(&as, NULL, 3));
	ck_assert_uint_eq(attempts_nth(&as, one, 0)->conn, 3);
	ck_assert_ptr_null(attempts_nth(&as, one, 1));
	/* Its place is another's now. */
	note(&as, first, ATTEMPT_FAILED, ERR_TIMEOUT, 9);
	note(&as, 0, ATTEMPT_FAILED, ERR_TIMEOUT, 9);
	for (uint32_t i = 0; i < KEPT; i++)
		ck_assert(attempts_nth(&as, NULL, i)->under_way);
	attempts_fini(&as);
}
END_TEST

START_TEST(another_limit_holds_at_once)
{
	struct attempts as;
	uint32_t last = 0;

	ck_assert_int_eq(attempts_init(&as, KEPT), 0);
	for (uint32_t i = 1; i <= 10; i++)
		last = attempts_begin(&as, one, i, 0);
	attempts_set_max(&as, 7);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 0)->conn, 10);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 2)->conn, 8);
	ck_assert_ptr_null(attempts_nth(&as, NULL, 3));
	note(&as, last, ATTEMPT_FAILED, ERR_TIMEOUT, 9);
	ck_assert(!attempts_nth(&as, NULL, 0)->under_way);
	for (uint32_t i = 11; i <= 20; i++)
		attempts_begin(&as, one, i, 0);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 6)->conn, 14);
	attempts_set_max(&as, 2);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 1)->conn, 19);
	ck_assert_ptr_null(attempts_nth(&as, NULL, 2));
	attempts_begin(&as, one, 21, 0);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 0)->conn, 21);
	ck_assert_uint_eq(attempts_nth(&as, NULL, 1)->conn, 20);
	attempts_fini(&as);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("attempt", &tc);

	tcase_add_test(tc, notes_in_order);
	tcase_add_test(tc, the_end_finds_room);
	tcase_add_test(tc, latest_first_and_no_more);
	tcase_add_test(tc, another_limit_holds_at_once);
	return s;
}
