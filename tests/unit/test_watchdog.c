/* SPDX-License-Identifier: ISC */
/*
 * Checks when the watchdog of the service manager is fed: while the timer of
 * the loop is run when it is due and the tick of the node advances.
 */
#include "daemon/watchdog.h"
#include "t.h"

#define SECONDS(n) ((uint64_t)(n)*1000000)

START_TEST(is_fed_while_the_tick_advances)
{
	struct watchdog w;
	uint64_t now = SECONDS(1000);

	watchdog_init(&w, now);
	ck_assert(watchdog_is_alive(&w, now, 0, UINT64_MAX));
	for (uint32_t tick = 1; tick < 100; tick++) {
		now += SECONDS(5);
		ck_assert(watchdog_is_alive(&w, now, tick, now + SECONDS(1)));
	}
}
END_TEST

START_TEST(is_not_fed_without_a_tick)
{
	struct watchdog w;
	uint64_t now = SECONDS(1000);

	watchdog_init(&w, now);
	ck_assert(watchdog_is_alive(&w, now, 7, UINT64_MAX));
	ck_assert(watchdog_is_alive(&w, now + SECONDS(20), 7, UINT64_MAX));
	ck_assert(!watchdog_is_alive(&w, now + SECONDS(21), 7, UINT64_MAX));
	ck_assert(watchdog_is_alive(&w, now + SECONDS(22), 8, UINT64_MAX));
}
END_TEST

/* A node may have ticked on its way to a loop that hangs. */
START_TEST(is_not_fed_with_a_late_timer)
{
	struct watchdog w;
	uint64_t now = SECONDS(1000);

	watchdog_init(&w, now);
	ck_assert(watchdog_is_alive(&w, now, 1, now - SECONDS(9)));
	ck_assert(!watchdog_is_alive(&w, now, 2, now - SECONDS(10)));
	ck_assert(watchdog_is_alive(&w, now, 3, now));
	ck_assert(watchdog_is_alive(&w, now, 4, now + SECONDS(1)));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("watchdog", &tc);

	tcase_add_test(tc, is_fed_while_the_tick_advances);
	tcase_add_test(tc, is_not_fed_without_a_tick);
	tcase_add_test(tc, is_not_fed_with_a_late_timer);
	return s;
}
