/* SPDX-License-Identifier: ISC */
/*
 * Goal: a relay never spends more than its volume, however often it is
 * restarted or crashes, and a few greedy prefixes leave the others their part.
 * Method: months in virtual time, in which a client takes all that it is
 * given; sums are compared with the exact product.
 */
#include "relay/relay_volume.h"
#include "t.h"
#include "world/core_host.h"

#define MONTH_BYTES UINT64_C(30000000000)
#define DAY_US UINT64_C(86400000000)
#define FULL (MONTH_BYTES / 10)

enum { PACKET = 1200, RESTARTS = 1000 };

static struct core_host host;
static struct relay_volume volume;
static struct relay_volume_saved stored; /* on disk */
static uint64_t now_us, unix_ms;

static void
pass_us(uint64_t us)
{
	now_us += us;
	unix_ms += us / 1000;
}

static void
setup(void)
{
	core_host_init(&host, NULL, 1);
	now_us = 5000000;
	unix_ms = 1700000000000;
	relay_volume_init(&volume, &host.core);
	relay_volume_set(&volume, MONTH_BYTES, now_us);
	stored = (struct relay_volume_saved){0};
}

static void
teardown(void)
{
	relay_volume_fini(&volume);
	core_host_fini(&host);
}

static void
store_if_due(void)
{
	if (!relay_volume_is_due(&volume, now_us))
		return;
	stored = relay_volume_save(&volume, unix_ms, now_us, false);
	relay_volume_stored(&volume, &stored);
}

static void
fill(void)
{
	stored = (struct relay_volume_saved){
	    .month = MONTH_BYTES, .left = FULL, .unix_ms = unix_ms};
	relay_volume_restore(&volume, &stored, unix_ms, now_us);
	store_if_due();
}

/* Starts again with what is on disk; the monotonic clock starts anew. */
static void
restart(bool crash)
{
	if (!crash)
		stored = relay_volume_save(&volume, unix_ms, now_us, true);
	relay_volume_fini(&volume);
	now_us = 1000;
	relay_volume_init(&volume, &host.core);
	relay_volume_set(&volume, MONTH_BYTES, now_us);
	relay_volume_restore(&volume, &stored, unix_ms, now_us);
}

/* Spends all that a payer may, at most max. Returns the bytes. */
static uint64_t
spend_all(struct relay_payer *p, uint64_t max)
{
	struct relay_transfer t = {p, p, PACKET / 2, PACKET / 2};
	uint64_t sum = 0;

	store_if_due();
	while (sum < max && relay_volume_spend(&volume, &t, now_us)) {
		sum += PACKET;
		store_if_due();
	}
	return sum;
}

static uint64_t
left(void)
{
	struct relay_volume_status st;

	relay_volume_status(&volume, now_us, &st);
	return st.left;
}

/* Spends all for a month with restarts at odd moments. */
static uint64_t
spend_month(bool crash)
{
	uint64_t sum = 0, step_us = 30 * DAY_US / RESTARTS / 20;

	for (int i = 0; i < RESTARTS; i++) {
		for (int k = 0; k < 20; k++) {
			pass_us(step_us);
			sum += spend_all(NULL, UINT64_MAX);
		}
		restart(crash);
	}
	return sum + left();
}

START_TEST(gives_its_volume_in_a_month_of_restarts)
{
	uint64_t sum = spend_month(false);

	ck_assert_uint_le(sum, MONTH_BYTES);
	ck_assert_uint_ge(sum, MONTH_BYTES / 100 * 99);
}
END_TEST

START_TEST(gives_no_more_in_a_month_of_crashes)
{
	uint64_t sum = spend_month(true);

	ck_assert_uint_le(sum, MONTH_BYTES);
	ck_assert_uint_ge(sum, MONTH_BYTES / 100 * 99);
}
END_TEST

/* The piece that is lost in a crash is a small part of what was there. */
START_TEST(a_crash_gives_nothing_back)
{
	fill();
	for (int i = 0; i < 200; i++) {
		uint64_t spent = spend_all(NULL, 10000000);
		uint64_t before = left();

		restart(true);
		ck_assert_uint_le(left(), before);
		ck_assert_uint_ge(left() + before / 64 + FULL / 16384, before);
		if (before > FULL / 100)
			ck_assert_uint_ge(spent, 10000000);
	}
}
END_TEST

START_TEST(a_full_bucket_loses_nothing_to_a_crash_that_was_idle)
{
	fill();
	for (int i = 0; i < 1000; i++) {
		pass_us(600 * 1000000);
		store_if_due();
	}
	ck_assert_uint_eq(spend_all(NULL, 1000 * PACKET), 1000 * PACKET);
	restart(true);
	ck_assert_uint_le(left(), FULL - 1000 * PACKET);
}
END_TEST

/* A second of refill is not rounded at each of a million calls. */
START_TEST(refills_without_drift)
{
	relay_volume_set(&volume, 1234567, now_us);
	for (int i = 0; i < 1000000; i++) {
		pass_us(13000);
		(void)left();
	}
	ck_assert_uint_eq(left(), UINT64_C(1234567) * 13000000 / 2592000000);
}
END_TEST

START_TEST(holds_three_days)
{
	pass_us(40 * DAY_US);
	ck_assert_uint_eq(left(), FULL);
	restart(false);
	unix_ms += 40 * DAY_US / 1000;
	restart(false);
	ck_assert_uint_eq(left(), FULL);
}
END_TEST

START_TEST(a_clock_set_back_refills_nothing)
{
	pass_us(DAY_US);
	stored = relay_volume_save(&volume, unix_ms, now_us, true);
	unix_ms -= 10 * DAY_US / 1000;
	restart(true);
	ck_assert_uint_eq(left(), FULL / 3);
}
END_TEST

START_TEST(nothing_is_spent_before_it_is_stored)
{
	struct relay_transfer t = {.received = PACKET, .sent = PACKET};

	stored = (struct relay_volume_saved){
	    .month = MONTH_BYTES, .left = FULL, .unix_ms = unix_ms};
	relay_volume_restore(&volume, &stored, unix_ms, now_us);
	ck_assert(!relay_volume_spend(&volume, &t, now_us));
	ck_assert(relay_volume_is_due(&volume, now_us));
	stored = relay_volume_save(&volume, unix_ms, now_us, false);
	ck_assert_uint_eq(stored.left, FULL - FULL / 64);
	ck_assert(!relay_volume_spend(&volume, &t, now_us));
	relay_volume_stored(&volume, &stored);
	ck_assert(relay_volume_spend(&volume, &t, now_us));
}
END_TEST

static struct relay_payer *
join(const char *text)
{
	struct relay_payer *p;
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	p = relay_volume_join(&volume, &a, now_us);
	ck_assert_ptr_nonnull(p);
	return p;
}

static struct relay_payer *
join_net(unsigned i)
{
	char text[32];

	snprintf(text, sizeof text, "20.0.%u.1:1000", i);
	return join(text);
}

START_TEST(twenty_greedy_prefixes_leave_half_for_the_next)
{
	struct relay_payer *greedy[20], *other;
	uint64_t first = 0, sum;

	fill();
	for (unsigned i = 0; i < 20; i++)
		greedy[i] = join_net(i);
	for (int minute = 0; minute < 24 * 60 - 1; minute++) {
		for (unsigned i = 0; i < 20; i++) {
			sum = spend_all(greedy[i], UINT64_MAX);
			if (minute == 0 && i == 0)
				first = sum;
			ck_assert_uint_le(sum, FULL / 16);
		}
		pass_us(60 * 1000000);
	}
	ck_assert_uint_gt(first, FULL / 33);
	ck_assert_uint_ge(left(), FULL / 2);
	other = join_net(20);
	ck_assert_uint_ge(spend_all(other, UINT64_MAX), first / 2);
}
END_TEST

/* After its share, a prefix has a part of the refill and no more. */
START_TEST(a_share_that_is_spent_refills_slowly)
{
	struct relay_payer *p;
	uint64_t sum = 0;

	fill();
	p = join_net(1);
	(void)spend_all(p, UINT64_MAX);
	ck_assert_uint_gt(relay_volume_wait_s(&volume, p, now_us), 0);
	for (int s = 0; s < 3600; s++) {
		pass_us(1000000);
		sum += spend_all(p, UINT64_MAX);
	}
	ck_assert_uint_le(sum, MONTH_BYTES / 30 / 24 / 16);
	ck_assert_uint_ge(sum, MONTH_BYTES / 30 / 24 / 40);
	/* Nor does it get a new share by leaving. */
	relay_volume_leave(&volume, p);
	p = join_net(1);
	ck_assert_uint_le(spend_all(p, UINT64_MAX), 2 * PACKET);
	pass_us(DAY_US);
	ck_assert_uint_gt(spend_all(p, UINT64_MAX), FULL / 40);
}
END_TEST

START_TEST(a_prefix_is_a_24_or_a_48)
{
	ck_assert_ptr_eq(join("20.1.2.3:1000"), join("20.1.2.200:1000"));
	ck_assert_ptr_ne(join("20.1.2.3:1000"), join("20.1.3.3:1000"));
	ck_assert_ptr_eq(
	    join("[2001:db8:1:1::1]:1000"), join("[2001:db8:1:ff00::2]:1000"));
	ck_assert_ptr_ne(
	    join("[2001:db8:1:1::1]:1000"), join("[2001:db8:2:1::1]:1000"));
}
END_TEST

START_TEST(a_new_prefix_evicts_one_without_holders)
{
	struct relay_payer *p[4];
	struct addr a = addr_v4(20, 9, 9, 9, 1);

	host.limits.relay_prefixes = 4;
	fill();
	for (unsigned i = 0; i < 4; i++)
		p[i] = join_net(i);
	ck_assert_ptr_null(relay_volume_join(&volume, &a, now_us));
	relay_volume_leave(&volume, p[2]);
	relay_volume_leave(&volume, p[1]);
	ck_assert_ptr_nonnull(relay_volume_join(&volume, &a, now_us));
	ck_assert_ptr_eq(join_net(1), p[1]); /* the other one was evicted */
	a.ip[2]++;
	ck_assert_ptr_null(relay_volume_join(&volume, &a, now_us));
}
END_TEST

/* Shares that were not spent return to the bucket after their day. */
START_TEST(prefixes_that_left_keep_nothing_after_their_day)
{
	struct relay_payer *p;

	fill();
	for (unsigned i = 0; i < 200; i++)
		relay_volume_leave(&volume, join_net(i));
	pass_us(2 * DAY_US);
	p = join_net(200);
	ck_assert_uint_eq(left(), FULL);
	ck_assert_uint_ge(spend_all(p, UINT64_MAX), FULL / 32 - PACKET);
}
END_TEST

/* Each side of a packet pays for its own. */
START_TEST(both_sides_pay)
{
	struct relay_payer *a, *b;
	struct relay_transfer t = {.received = PACKET, .sent = PACKET};
	uint64_t before;

	fill();
	a = join_net(1);
	b = join_net(2);
	(void)spend_all(b, UINT64_MAX);
	before = left();
	t.from = a;
	t.to = b;
	ck_assert(!relay_volume_spend(&volume, &t, now_us));
	t.to = NULL;
	ck_assert(relay_volume_spend(&volume, &t, now_us));
	ck_assert_uint_eq(before - left(), 2 * PACKET);
}
END_TEST

START_TEST(without_a_volume_nothing_is_refused)
{
	struct relay_transfer t = {.received = PACKET, .sent = PACKET};

	relay_volume_set(&volume, 0, now_us);
	ck_assert(relay_volume_spend(&volume, &t, now_us));
	ck_assert(!relay_volume_is_due(&volume, now_us));
	ck_assert_uint_eq(relay_volume_wait_s(&volume, NULL, now_us), 0);
}
END_TEST

START_TEST(what_was_received_is_charged_at_once)
{
	relay_volume_charge(&volume, NULL, 1000000, now_us);
	ck_assert_uint_eq(left(), 0);
	pass_us(80 * 1000000); /* 11574 bytes per second */
	ck_assert_uint_eq(left(), 0);
	ck_assert_uint_gt(relay_volume_wait_s(&volume, NULL, now_us), 0);
	pass_us(20 * 1000000);
	ck_assert_uint_gt(left(), 0);
}
END_TEST

Suite *
t_suite(void)
{
	Suite *s = suite_create("relay_volume");
	TCase *tc = tcase_create("volume");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, gives_its_volume_in_a_month_of_restarts);
	tcase_add_test(tc, gives_no_more_in_a_month_of_crashes);
	tcase_add_test(tc, a_crash_gives_nothing_back);
	tcase_add_test(
	    tc, a_full_bucket_loses_nothing_to_a_crash_that_was_idle);
	tcase_add_test(tc, refills_without_drift);
	tcase_add_test(tc, holds_three_days);
	tcase_add_test(tc, a_clock_set_back_refills_nothing);
	tcase_add_test(tc, nothing_is_spent_before_it_is_stored);
	tcase_add_test(tc, twenty_greedy_prefixes_leave_half_for_the_next);
	tcase_add_test(tc, a_share_that_is_spent_refills_slowly);
	tcase_add_test(tc, a_prefix_is_a_24_or_a_48);
	tcase_add_test(tc, a_new_prefix_evicts_one_without_holders);
	tcase_add_test(tc, prefixes_that_left_keep_nothing_after_their_day);
	tcase_add_test(tc, both_sides_pay);
	tcase_add_test(tc, without_a_volume_nothing_is_refused);
	tcase_add_test(tc, what_was_received_is_charged_at_once);
	suite_add_tcase(s, tc);
	return s;
}
