/* SPDX-License-Identifier: ISC */
/*
 * Checks that sleep is distinguished from a step of the wall clock (pitfall
 * T9). Replaces the system's clocks by ones that the test sets.
 */
#include <time.h>

#include "net/wakeup_clock.h"
#include "t.h"

static uint64_t mono_us, boot_us, wall_us;

/* Replaces the function of the C library. */
int
clock_gettime(clockid_t id, struct timespec *ts)
{
	uint64_t us = id == CLOCK_BOOTTIME   ? boot_us
		      : id == CLOCK_REALTIME ? wall_us
					     : mono_us;

	ts->tv_sec = (time_t)(us / 1000000);
	ts->tv_nsec = (long)(us % 1000000) * 1000;
	return 0;
}

/* Advances all clocks, as while the machine is awake. */
static void
pass(uint64_t us)
{
	mono_us += us;
	boot_us += us;
	wall_us += us;
}

static struct wakeup_clock
start(void)
{
	struct wakeup_clock c;

	/* Sleep before the start, which is not reported. */
	mono_us = 1000000000;
	boot_us = 5000000000;
	wall_us = 1800000000000000;
	wakeup_clock_init(&c);
	return c;
}

START_TEST(runs)
{
	struct wakeup_clock c = start();

	ck_assert_uint_eq(c.now_us, 1000000000);
	ck_assert_uint_eq(c.unix_ms, 1800000000000);
	for (int i = 0; i < 50; i++) {
		pass(100000);
		ck_assert_uint_eq(wakeup_clock_update(&c), 0);
		ck_assert_uint_eq(c.now_us, mono_us);
		ck_assert_uint_eq(c.unix_ms, wall_us / 1000);
	}
}
END_TEST

START_TEST(wall_clock_step_is_no_sleep)
{
	struct wakeup_clock c = start();

	pass(2000000);
	wall_us += UINT64_C(3600000000);
	ck_assert_uint_eq(wakeup_clock_update(&c), 0);
	ck_assert_uint_eq(c.unix_ms, wall_us / 1000);
	pass(2000000);
	wall_us -= UINT64_C(7200000000);
	ck_assert_uint_eq(wakeup_clock_update(&c), 0);
	ck_assert_uint_eq(c.unix_ms, wall_us / 1000);
}
END_TEST

START_TEST(sleep_is_told_once)
{
	struct wakeup_clock c = start();

	boot_us += 60000000; /* sleep: the monotonic clock does not advance */
	wall_us += 60000000;
	pass(1000000);
	ck_assert_uint_eq(wakeup_clock_update(&c), 60000000);
	ck_assert_uint_eq(c.now_us, mono_us);
	pass(1000000);
	ck_assert_uint_eq(wakeup_clock_update(&c), 0);
	boot_us += 20000000;
	pass(1000000);
	ck_assert_uint_eq(wakeup_clock_update(&c), 20000000);
}
END_TEST

/* The two clocks are read one after the other. */
START_TEST(jitter_is_no_sleep)
{
	struct wakeup_clock c = start();

	for (int i = 0; i < 100; i++) {
		pass(1000000);
		boot_us += 100;
		ck_assert_uint_eq(wakeup_clock_update(&c), 0);
		boot_us -= 100;
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("clock", &tc);

	tcase_add_test(tc, runs);
	tcase_add_test(tc, wall_clock_step_is_no_sleep);
	tcase_add_test(tc, sleep_is_told_once);
	tcase_add_test(tc, jitter_is_no_sleep);
	return s;
}
