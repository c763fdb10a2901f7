/* SPDX-License-Identifier: ISC */
/*
 * Goal: a flow uses the line it has, whatever the line loses by chance, shares
 * it with its like and with TCP, and finds its way from any state. Method: the
 * real controller on a bottleneck in virtual time (cc_rig.h); what is asserted
 * is a share of that time, the same on every machine.
 */
#include "cc_rig.h"
#include "t.h"

static struct rig_line
line(uint64_t mbit, uint32_t loss_percent)
{
	struct rig_line l = {.rate = mbit * 125000, .rtt_us = 50000};

	l.queue = l.rate * l.rtt_us / 1000000;
	l.loss_ppm = loss_percent * 10000;
	return l;
}

/* A flow must reach nearly link x (1 - loss) on each. */
static const struct {
	uint64_t mbit;
	uint32_t loss_percent;
} lines[] = {{100, 0}, {100, 1}, {100, 5}, {1000, 0}, {1000, 1}, {1000, 5}};

START_TEST(uses_the_line)
{
	uint32_t loss = lines[_i].loss_percent;
	struct rig *r = rig_new(line(lines[_i].mbit, loss), 1);
	int f = rig_flow(r, RIG_CC, 0);
	uint64_t sent;

	rig_tick(r, 1000);
	rig_run(r, 1);
	rig_use(r, f);
	sent = rig_lost(r, f);
	rig_run(r, 12);
	/* Of 10,000: nothing idle but what PROBE_RTT costs, once. */
	ck_assert_uint_ge(rig_use(r, f), (100 - loss) * 99);
	/* All that was lost was lost by chance: no more than a half above. */
	sent = rig_lost(r, f) - sent;
	ck_assert_uint_le(sent * 1000 / rig_delivered(r, f),
	    loss * 1000 / (100 - loss) * 3 / 2 + 1);
	rig_free(r);
}
END_TEST

START_TEST(starts_fast)
{
	struct rig *r = rig_new(line(1000, 0), 1);
	int f = rig_flow(r, RIG_CC, 0);

	/* 4200 packets in flight from 10: nine rounds, and one to see it. */
	rig_run(r, 0.55);
	rig_use(r, f);
	rig_run(r, 0.5);
	ck_assert_uint_ge(rig_use(r, f), 9500);
	rig_free(r);
}
END_TEST

START_TEST(never_starves_on_a_thin_line)
{
	struct rig_line thin = {.rate = 8000, .rtt_us = 50000, .queue = 15000};
	struct rig *r = rig_new(thin, 1);
	int f = rig_flow(r, RIG_CC, 0);

	rig_run(r, 10);
	rig_use(r, f);
	rig_run(r, 60);
	ck_assert_uint_ge(rig_use(r, f), 9500);
	rig_free(r);
}
END_TEST

START_TEST(fills_a_line_of_forty_gigabits)
{
	struct rig_line fat = {
	    .rate = 5000000000, .rtt_us = 20, .queue = 1000000};
	struct rig *r = rig_new(fat, 1);
	int f = rig_flow(r, RIG_CC, 0);

	rig_run(r, 0.01);
	rig_use(r, f);
	rig_run(r, 0.1);
	ck_assert_uint_ge(rig_use(r, f), 9500);
	rig_free(r);
}
END_TEST

START_TEST(two_share)
{
	uint64_t a, b;
	struct rig *r = rig_new(line(100, 0), (uint64_t)_i + 1);
	int first = rig_flow(r, RIG_CC, 0);
	int second = rig_flow(r, RIG_CC, _i);

	rig_run(r, _i + 10);
	rig_use(r, first);
	rig_use(r, second);
	rig_run(r, 10);
	a = rig_use(r, first);
	b = rig_use(r, second);
	ck_assert_uint_ge(a + b, 9800);
	ck_assert_uint_ge(a, 4000);
	ck_assert_uint_ge(b, 4000);
	rig_free(r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("cc", &tc);

	tcase_add_loop_test(tc, uses_the_line, 0, T_ROWS(lines));
	tcase_add_test(tc, starts_fast);
	tcase_add_test(tc, never_starves_on_a_thin_line);
	tcase_add_test(tc, fills_a_line_of_forty_gigabits);
	tcase_add_loop_test(tc, two_share, 0, 10);
	return s;
}
