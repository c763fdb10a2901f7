/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that a flow uses the whole line whatever it loses at random,
 * shares it with flows of its own kind and with TCP, and recovers from any
 * state. Method: the real controller on a bottleneck in virtual time
 * (cc_rig.h); asserts shares of that time, which are the same on every machine.
 */
#include "cc_rig.h"
#include "t.h"

enum {
	ALL = 10000, /* cc_rig_use() of a line that is never idle */
	EIGHT = 8,
};

/* 50 ms, and a queue of one bandwidth-delay product. */
static struct rig_line
line(uint64_t mbit, uint32_t loss_percent)
{
	struct rig_line l = {.rate = mbit * 125000, .rtt_us = 50000};

	l.queue = l.rate * l.rtt_us / 1000000;
	l.loss_ppm = loss_percent * 10000;
	return l;
}

/* ---- alone ---- */

static const struct {
	uint64_t mbit;
	uint32_t loss_percent;
} lines[] = {{100, 0}, {100, 1}, {100, 5}, {1000, 0}, {1000, 1}, {1000, 5},
    {4, 5}, {10, 0}, {10, 1}, {10, 5}, {20, 5}};

START_TEST(uses_the_line)
{
	uint32_t loss = lines[_i].loss_percent;
	struct cc_rig *r = cc_rig_new(line(lines[_i].mbit, loss), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);
	uint64_t lost, delivered;

	cc_rig_tick(r, 1000);
	cc_rig_run(r, 1);
	cc_rig_use(r, f);
	lost = cc_rig_lost(r, f);
	delivered = cc_rig_delivered(r, f);
	cc_rig_run(r, 12);
	ck_assert_uint_ge(
	    cc_rig_use(r, f), (100 - loss) * (ALL / 100) * 99 / 100);
	/* Losses exceed the random ones by a tenth at most. */
	lost = cc_rig_lost(r, f) - lost;
	delivered = cc_rig_delivered(r, f) - delivered;
	ck_assert_uint_le(
	    lost * 1000 / (lost + delivered), (uint64_t)loss * 11 + 1);
	cc_rig_free(r);
}
END_TEST

START_TEST(keeps_the_queue_short)
{
	struct rig_line deep = line(100, 0);
	struct cc_rig *r;
	int f;

	deep.queue *= 10;
	r = cc_rig_new(deep, 1);
	f = cc_rig_flow(r, RIG_CC, 0);
	cc_rig_run(r, 2);
	for (int i = 0; i < 100; i++) {
		cc_rig_run(r, 0.1);
		ck_assert_uint_le(cc_rig_rtt_us(r, f), 90000);
	}
	cc_rig_free(r);
}
END_TEST

START_TEST(starts_fast)
{
	struct cc_rig *r = cc_rig_new(line(1000, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	/* 4200 packets in flight from 10: nine rounds, and one to see it. */
	cc_rig_run(r, 0.55);
	cc_rig_use(r, f);
	cc_rig_run(r, 0.5);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 95 / 100);
	cc_rig_free(r);
}
END_TEST

/* Packets are lost above the rate of the line, but only while probing. */
START_TEST(loses_little_before_a_short_queue)
{
	struct rig_line shallow = line(100, 0);
	struct cc_rig *r;
	int f;

	shallow.queue /= 20;
	r = cc_rig_new(shallow, 1);
	f = cc_rig_flow(r, RIG_CC, 0);
	cc_rig_run(r, 20);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 95 / 100);
	ck_assert_uint_le(cc_rig_lost(r, f) * 100 / cc_rig_delivered(r, f), 2);
	cc_rig_free(r);
}
END_TEST

static const struct {
	const char *name;
	struct rig_line line;
	double start, run;
} extremes[] = {
    {"64 kbit/s", {.rate = 8000, .rtt_us = 50000, .queue = 15000}, 15, 60},
    {"64 kbit/s, 1 s", {.rate = 8000, .rtt_us = 1000000, .queue = 15000}, 30,
	60},
    {"40 Gbit/s, 20 us", {.rate = 5000000000, .rtt_us = 20, .queue = 1000000},
	0.01, 0.1},
    {"10 Gbit/s, 20 ms",
	{.rate = 1250000000, .rtt_us = 20000, .queue = 25000000}, 0.5, 0.5},
};

START_TEST(neither_starves_nor_overflows)
{
	struct cc_rig *r = cc_rig_new(extremes[_i].line, 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	cc_rig_run(r, extremes[_i].start);
	cc_rig_use(r, f);
	cc_rig_run(r, extremes[_i].run);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 90 / 100);
	cc_rig_free(r);
}
END_TEST

/* ---- shared lines ---- */

static const struct {
	uint64_t mbit;
	uint32_t loss_percent;
	int late_s;
} pairs[] = {
    {100, 0, 0},
    {100, 5, 0},
    {100, 0, 5},
    {100, 1, 10},
    {100, 5, 8},
    {1000, 0, 5},
    {1000, 5, 0},
};

START_TEST(two_share)
{
	uint32_t loss = pairs[_i].loss_percent;
	struct cc_rig *r = cc_rig_new(line(pairs[_i].mbit, loss), 1);
	int first = cc_rig_flow(r, RIG_CC, 0);
	int second = cc_rig_flow(r, RIG_CC, pairs[_i].late_s);
	uint64_t a, b;

	cc_rig_run(r, pairs[_i].late_s + 5);
	cc_rig_use(r, first);
	cc_rig_use(r, second);
	cc_rig_run(r, 20);
	a = cc_rig_use(r, first);
	b = cc_rig_use(r, second);
	ck_assert_uint_ge(a + b, (100 - loss) * (ALL / 100) * 97 / 100);
	ck_assert_uint_ge(a * 10, (a + b) * 4);
	ck_assert_uint_ge(b * 10, (a + b) * 4);
	cc_rig_free(r);
}
END_TEST

START_TEST(eight_share)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	uint64_t all = 0, use[EIGHT];

	for (int i = 0; i < EIGHT; i++)
		cc_rig_flow(r, RIG_CC, i * 0.3);
	cc_rig_run(r, 10);
	for (int i = 0; i < EIGHT; i++)
		cc_rig_use(r, i);
	cc_rig_run(r, 30);
	for (int i = 0; i < EIGHT; i++)
		all += use[i] = cc_rig_use(r, i);
	ck_assert_uint_ge(all, ALL * 97 / 100);
	for (int i = 0; i < EIGHT; i++)
		ck_assert_uint_ge(use[i] * 3, all / EIGHT);
	cc_rig_free(r);
}
END_TEST

/* So many that each has a few packets in flight: what it loses of them counts,
 * though it is never much at a time. */
START_TEST(a_crowd_loses_less_than_a_fifth)
{
	struct rig_line slow = {
	    .rate = 2000000, .rtt_us = 40000, .queue = 200000};
	struct cc_rig *r = cc_rig_new(slow, (uint64_t)_i + 1);
	uint64_t all = 0, lost = 0, least = UINT64_MAX;

	for (int i = 0; i < RIG_FLOWS; i++)
		cc_rig_flow(r, RIG_CC, i * 0.001);
	cc_rig_run(r, 60);
	for (int i = 0; i < RIG_FLOWS; i++) {
		uint64_t got = cc_rig_delivered(r, i);

		all += got;
		lost += cc_rig_lost(r, i);
		least = got < least ? got : least;
	}
	ck_assert_uint_ge(least * RIG_FLOWS * 2, all);
	ck_assert_uint_le(lost * 100, (all + lost) * 20);
	cc_rig_free(r);
}
END_TEST

/* With TCP (CUBIC) on the same line: started together, before, and after. */
static const struct {
	uint64_t mbit;
	int ours_s, tcp_s;
} contests[] = {
    {100, 0, 0}, {100, 0, 5}, {100, 5, 0}, {1000, 0, 0}, {1000, 5, 0}};

START_TEST(shares_with_tcp)
{
	struct cc_rig *r = cc_rig_new(line(contests[_i].mbit, 0), 1);
	int ours = cc_rig_flow(r, RIG_CC, contests[_i].ours_s);
	int tcp = cc_rig_flow(r, RIG_TCP, contests[_i].tcp_s);
	uint64_t a, b;

	cc_rig_run(r, 10);
	cc_rig_use(r, ours);
	cc_rig_use(r, tcp);
	cc_rig_run(r, 60);
	a = cc_rig_use(r, ours);
	b = cc_rig_use(r, tcp);
	ck_assert_uint_ge(a * 100, (a + b) * 35);
	ck_assert_uint_ge(b * 100, (a + b) * 35);
	cc_rig_free(r);
}
END_TEST

/* After TCP has left, the queue becomes short again. */
START_TEST(is_calm_again_after_tcp)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int ours = cc_rig_flow(r, RIG_CC, 0);
	int tcp = cc_rig_flow(r, RIG_TCP, 0);

	cc_rig_run(r, 30);
	cc_rig_supply(r, tcp, 1);
	cc_rig_run(r, 22);
	for (int i = 0; i < 50; i++) {
		cc_rig_run(r, 0.1);
		ck_assert_uint_le(cc_rig_rtt_us(r, ours), 90000);
	}
	cc_rig_use(r, ours);
	cc_rig_run(r, 10);
	ck_assert_uint_ge(cc_rig_use(r, ours), ALL * 98 / 100);
	cc_rig_free(r);
}
END_TEST

/* ---- when the line changes ---- */

static const struct {
	const char *name;
	struct rig_line before, after;
} changes[] = {
    {"slower", {.rate = 12500000, .rtt_us = 50000, .queue = 625000},
	{.rate = 2500000, .rtt_us = 50000, .queue = 125000}},
    {"faster", {.rate = 2500000, .rtt_us = 50000, .queue = 125000},
	{.rate = 12500000, .rtt_us = 50000, .queue = 625000}},
    {"longer", {.rate = 12500000, .rtt_us = 50000, .queue = 625000},
	{.rate = 12500000, .rtt_us = 120000, .queue = 1500000}},
    {"shorter", {.rate = 12500000, .rtt_us = 120000, .queue = 1500000},
	{.rate = 12500000, .rtt_us = 50000, .queue = 625000}},
};

START_TEST(follows_the_line)
{
	struct cc_rig *r = cc_rig_new(changes[_i].before, 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	cc_rig_run(r, 12);
	cc_rig_line(r, changes[_i].after);
	cc_rig_run(r, 15);
	cc_rig_use(r, f);
	cc_rig_run(r, 10);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 95 / 100);
	cc_rig_free(r);
}
END_TEST

/* Most packets of less than half a second are lost, as where a radio fades. */
static const struct {
	uint64_t mbit;
	uint32_t loss_percent, burst_ppm;
} fades[] = {
    {20, 0, 900000},
    {20, 1, 900000},
    {20, 3, 500000},
    {20, 5, 500000},
    {100, 5, 900000},
};

START_TEST(a_burst_of_losses_is_forgotten)
{
	uint32_t loss = fades[_i].loss_percent;
	struct rig_line usual = line(fades[_i].mbit, loss), bad = usual;
	struct cc_rig *r = cc_rig_new(usual, (uint64_t)_i + 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	bad.loss_ppm = fades[_i].burst_ppm;
	cc_rig_tick(r, 1000);
	cc_rig_run(r, 5);
	cc_rig_line(r, bad);
	cc_rig_run(r, 0.4);
	cc_rig_line(r, usual);
	cc_rig_run(r, 2);
	cc_rig_use(r, f);
	cc_rig_run(r, 10);
	ck_assert_uint_ge(
	    cc_rig_use(r, f), (100 - loss) * (ALL / 100) * 98 / 100);
	cc_rig_free(r);
}
END_TEST

/* The line is down for so long that the RTO expires again and again. */
START_TEST(survives_a_blackout)
{
	struct rig_line dead = line(100, 0);
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	dead.loss_ppm = 1000000;
	cc_rig_run(r, 5);
	cc_rig_line(r, dead);
	cc_rig_run(r, 8);
	cc_rig_line(r, line(100, 0));
	cc_rig_run(r, 2);
	cc_rig_use(r, f);
	cc_rig_run(r, 3);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 95 / 100);
	cc_rig_free(r);
}
END_TEST

/* The same, and the line is shared with TCP, which begins again where it was:
 * so do we, and take no more of it for long. */
START_TEST(leaves_tcp_its_share_after_a_blackout)
{
	struct rig_line dead = line(100, 0);
	struct cc_rig *r = cc_rig_new(line(100, 0), (uint64_t)_i + 1);
	int ours = cc_rig_flow(r, RIG_CC, 0);

	cc_rig_flow(r, RIG_TCP, 0);
	dead.loss_ppm = 1000000;
	cc_rig_run(r, 20);
	cc_rig_line(r, dead);
	cc_rig_run(r, 8);
	cc_rig_line(r, line(100, 0));
	cc_rig_run(r, 2);
	cc_rig_use(r, ours);
	cc_rig_run(r, 3);
	ck_assert_uint_le(cc_rig_use(r, ours), ALL * 65 / 100);
	cc_rig_free(r);
}
END_TEST

/* ---- with little to send ---- */

START_TEST(does_not_forget_the_rate_while_it_has_little_to_send)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	cc_rig_run(r, 3);
	cc_rig_supply(r, f, 100000); /* a hundredth */
	cc_rig_run(r, 60);
	cc_rig_supply(r, f, 0);
	cc_rig_use(r, f);
	cc_rig_run(r, 0.5);
	/* Allows a round-trip time for the first acknowledgement. */
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 80 / 100);
	cc_rig_free(r);
}
END_TEST

START_TEST(starts_on_what_it_learns_from_little)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);

	cc_rig_supply(r, f, 100000);
	cc_rig_run(r, 20);
	cc_rig_supply(r, f, 0);
	cc_rig_run(r, 0.7);
	cc_rig_use(r, f);
	cc_rig_run(r, 1);
	ck_assert_uint_ge(cc_rig_use(r, f), ALL * 95 / 100);
	cc_rig_free(r);
}
END_TEST

START_TEST(begins_anew_on_another_path)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);
	struct cc c;

	cc_rig_run(r, 3);
	c = *cc_rig_cc(r, f);
	ck_assert_uint_gt(cc_window(&c), 100 * RIG_PACKET);
	ck_assert_uint_gt(cc_rate(&c), 0);
	cc_path_changed(&c, 4000000);
	ck_assert_uint_eq(cc_window(&c), 10 * RIG_PACKET);
	ck_assert_uint_eq(cc_rate(&c), 0);
	cc_rig_free(r);
}
END_TEST

START_TEST(a_timeout_leaves_one_packet)
{
	struct cc_rig *r = cc_rig_new(line(100, 0), 1);
	int f = cc_rig_flow(r, RIG_CC, 0);
	struct cc c;

	cc_rig_run(r, 3);
	c = *cc_rig_cc(r, f);
	cc_timeout(&c, 4000000, 5000);
	ck_assert_uint_eq(cc_window(&c), 5000 + RIG_PACKET);
	cc_rig_free(r);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("cc", &tc);

	tcase_add_loop_test(tc, uses_the_line, 0, T_ROWS(lines));
	tcase_add_test(tc, keeps_the_queue_short);
	tcase_add_test(tc, starts_fast);
	tcase_add_test(tc, loses_little_before_a_short_queue);
	tcase_add_loop_test(
	    tc, neither_starves_nor_overflows, 0, T_ROWS(extremes));
	tcase_add_loop_test(tc, two_share, 0, T_ROWS(pairs));
	tcase_add_test(tc, eight_share);
	tcase_add_loop_test(tc, a_crowd_loses_less_than_a_fifth, 0, 3);
	tcase_add_loop_test(tc, shares_with_tcp, 0, T_ROWS(contests));
	tcase_add_test(tc, is_calm_again_after_tcp);
	tcase_add_loop_test(tc, follows_the_line, 0, T_ROWS(changes));
	tcase_add_test(tc, survives_a_blackout);
	tcase_add_loop_test(
	    tc, a_burst_of_losses_is_forgotten, 0, T_ROWS(fades));
	tcase_add_loop_test(tc, leaves_tcp_its_share_after_a_blackout, 0, 3);
	tcase_add_test(
	    tc, does_not_forget_the_rate_while_it_has_little_to_send);
	tcase_add_test(tc, starts_on_what_it_learns_from_little);
	tcase_add_test(tc, begins_anew_on_another_path);
	tcase_add_test(tc, a_timeout_leaves_one_packet);
	return s;
}
