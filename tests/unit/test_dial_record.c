/* SPDX-License-Identifier: ISC */
/*
 * Goal: the records of the last dials are bounded in number and length, and the
 * last step is always recorded. Method: exceed both limits.
 */
#include "base/err.h"
#include "peer/dial_record.h"
#include "t.h"

enum { KEPT = 3 };

static const uint8_t one[KEY_LEN] = {1}, two[KEY_LEN] = {2};

static void
note_step(struct dial_records *rs, uint32_t number, enum dial_step_kind kind,
    int err, uint64_t now_us)
{
	dial_records_note(
	    rs, number, &(struct dial_step){.kind = kind, .err = err}, now_us);
}

/* Returns the i-th record, latest first, or NULL. */
static const struct dial_record *
nth_record(const struct dial_records *rs, const uint8_t *key, unsigned i)
{
	const struct dial_record *a = dial_records_before(rs, key, 0);

	while (a != NULL && i-- > 0)
		a = dial_records_before(rs, key, a->number);
	return a;
}

START_TEST(notes_in_order)
{
	struct dial_records rs;
	const struct dial_record *a;
	uint32_t number;

	ck_assert_int_eq(dial_records_init(&rs, KEPT), 0);
	ck_assert_ptr_null(nth_record(&rs, NULL, 0));
	number = dial_records_begin(&rs, one, 17, 1000);
	note_step(&rs, number, DIAL_STEP_FOUND, 0, 1500);
	a = nth_record(&rs, one, 0);
	ck_assert_ptr_nonnull(a);
	ck_assert(a->under_way);
	note_step(&rs, number, DIAL_STEP_FAILED, ERR_NO_ANSWER, 3000);
	ck_assert(!a->under_way);
	ck_assert_int_eq(a->err, ERR_NO_ANSWER);
	ck_assert_uint_eq(a->conn, 17);
	ck_assert_uint_eq(a->steps_len, 3);
	ck_assert_int_eq(a->steps[0].kind, DIAL_STEP_BEGIN);
	ck_assert_uint_eq(a->steps[1].at_us, 500);
	ck_assert_uint_eq(a->steps[2].at_us, 2000);
	dial_records_fini(&rs);
}
END_TEST

START_TEST(records_the_last_step)
{
	struct dial_records rs;
	const struct dial_record *a;
	uint32_t number;

	ck_assert_int_eq(dial_records_init(&rs, KEPT), 0);
	number = dial_records_begin(&rs, one, 1, 0);
	for (int i = 0; i < 2 * DIAL_STEPS_MAX; i++)
		note_step(&rs, number, DIAL_STEP_FOUND, 0, 1);
	note_step(&rs, number, DIAL_STEP_OPEN, 0, 2);
	a = nth_record(&rs, NULL, 0);
	ck_assert_uint_eq(a->steps_len, DIAL_STEPS_MAX);
	ck_assert_uint_eq(a->steps_lost, DIAL_STEPS_MAX + 2);
	ck_assert_int_eq(a->steps[DIAL_STEPS_MAX - 1].kind, DIAL_STEP_OPEN);
	dial_records_fini(&rs);
}
END_TEST

START_TEST(latest_first_and_no_more)
{
	struct dial_records rs;
	uint32_t first;

	ck_assert_int_eq(dial_records_init(&rs, KEPT), 0);
	first = dial_records_begin(&rs, one, 1, 0);
	dial_records_begin(&rs, two, 2, 0);
	dial_records_begin(&rs, one, 3, 0);
	dial_records_begin(&rs, two, 4, 0);
	ck_assert_uint_eq(nth_record(&rs, NULL, 0)->conn, 4);
	ck_assert_uint_eq(nth_record(&rs, NULL, 2)->conn, 2);
	ck_assert_ptr_null(nth_record(&rs, NULL, 3));
	ck_assert_uint_eq(nth_record(&rs, one, 0)->conn, 3);
	ck_assert_ptr_null(nth_record(&rs, one, 1));
	/* Numbers of records that do not exist are valid. */
	ck_assert_uint_eq(dial_records_before(&rs, NULL, UINT32_MAX)->conn, 4);
	ck_assert_uint_eq(dial_records_before(&rs, NULL, 5)->conn, 4);
	ck_assert_ptr_null(dial_records_before(&rs, NULL, first));
	ck_assert_ptr_null(dial_records_before(&rs, NULL, first + 1));
	/* The evicted record takes no more steps. */
	note_step(&rs, first, DIAL_STEP_FAILED, ERR_TIMEOUT, 9);
	note_step(&rs, 0, DIAL_STEP_FAILED, ERR_TIMEOUT, 9);
	for (uint32_t i = 0; i < KEPT; i++)
		ck_assert(nth_record(&rs, NULL, i)->under_way);
	dial_records_fini(&rs);
}
END_TEST

START_TEST(another_limit_holds_at_once)
{
	struct dial_records rs;
	uint32_t last = 0;

	ck_assert_int_eq(dial_records_init(&rs, KEPT), 0);
	for (uint32_t i = 1; i <= 10; i++)
		last = dial_records_begin(&rs, one, i, 0);
	dial_records_set_max(&rs, 7);
	ck_assert_uint_eq(nth_record(&rs, NULL, 0)->conn, 10);
	ck_assert_uint_eq(nth_record(&rs, NULL, 2)->conn, 8);
	ck_assert_ptr_null(nth_record(&rs, NULL, 3));
	note_step(&rs, last, DIAL_STEP_FAILED, ERR_TIMEOUT, 9);
	ck_assert(!nth_record(&rs, NULL, 0)->under_way);
	for (uint32_t i = 11; i <= 20; i++)
		dial_records_begin(&rs, one, i, 0);
	ck_assert_uint_eq(nth_record(&rs, NULL, 6)->conn, 14);
	dial_records_set_max(&rs, 2);
	ck_assert_uint_eq(nth_record(&rs, NULL, 1)->conn, 19);
	ck_assert_ptr_null(nth_record(&rs, NULL, 2));
	dial_records_begin(&rs, one, 21, 0);
	ck_assert_uint_eq(nth_record(&rs, NULL, 0)->conn, 21);
	ck_assert_uint_eq(nth_record(&rs, NULL, 1)->conn, 20);
	dial_records_fini(&rs);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dial_record", &tc);

	tcase_add_test(tc, notes_in_order);
	tcase_add_test(tc, records_the_last_step);
	tcase_add_test(tc, latest_first_and_no_more);
	tcase_add_test(tc, another_limit_holds_at_once);
	return s;
}
