/* SPDX-License-Identifier: ISC */
/*
 * Goal: no host receives more than the threat model allows, and honest hosts
 * receive what they need: 40 kB and 4 kB/s if unvalidated, 200 requests and
 * 100/s if validated, in bounded memory. Method: virtual time, sums.
 */
#include "dht/rate_limiter.h"
#include "world/sim_world.h"
#include "t.h"

static struct sim_world fw;
static struct hash_key key;
static struct limits limits;
static struct rate_limiter limiter;

static void
setup(void)
{
	sim_world_init(&fw, NULL, 5);
	limits_init(&limits);
	limits.sources = 256;
	rate_limiter_init(&limiter, &key, &limits);
}

static void
teardown(void)
{
	rate_limiter_fini(&limiter);
	sim_world_fini(&fw);
}

static struct addr
host(unsigned i)
{
	return addr_v4(
	    20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i, 4000);
}

static uint32_t
source(unsigned i)
{
	struct addr a = host(i);

	return rate_limiter_source(&limiter, &fw.w, &a);
}

static void
prove(unsigned i)
{
	struct addr a = host(i);

	rate_limiter_validate(&limiter, &fw.w, &a);
}

/*
 * Returns the bytes sent to a host that keeps sending requests for this time.
 */
static uint64_t
drain(unsigned i, uint64_t ms, size_t reply)
{
	uint64_t end = fw.w.now_us + ms * 1000, bytes = 0;

	for (;;) {
		uint32_t s = source(i);

		while (s != 0 &&
		       rate_limiter_admit(&limiter, &fw.w, s, false) &&
		       rate_limiter_charge(&limiter, &fw.w, s, reply))
			bytes += reply;
		if (fw.w.now_us >= end)
			return bytes;
		sim_advance_ms(&fw, 50);
	}
}

static uint64_t
requests(unsigned i, uint64_t ms)
{
	uint64_t end = fw.w.now_us + ms * 1000, n = 0;

	for (;;) {
		uint32_t s = source(i);

		while (rate_limiter_admit(&limiter, &fw.w, s, false))
			n++;
		if (fw.w.now_us >= end)
			return n;
		sim_advance_ms(&fw, 50);
	}
}

START_TEST(an_unvalidated_host_gets_a_burst_and_a_trickle)
{
	uint64_t bytes = drain(1, 0, 100);

	ck_assert_uint_eq(bytes, 40000);
	bytes = drain(1, 10000, 100);
	ck_assert_uint_ge(bytes, 10 * 4000 - 100);
	ck_assert_uint_le(bytes, 10 * 4000);
	/* A reply that does not fit is not sent in part. */
	ck_assert(!rate_limiter_charge(&limiter, &fw.w, source(1), 1200));
	/* The budgets of other hosts are unaffected. */
	ck_assert_uint_eq(drain(2, 0, 100), 40000);
	/* The burst comes back, once. */
	sim_advance_ms(&fw, 60000);
	ck_assert_uint_eq(drain(1, 0, 100), 40000);
}
END_TEST

START_TEST(all_ports_of_a_host_share_one_budget)
{
	struct addr a = host(1);
	uint32_t s = source(1);

	for (uint32_t port = 1; port < 1000; port++) {
		a.port = (uint16_t)port;
		ck_assert_uint_eq(rate_limiter_source(&limiter, &fw.w, &a), s);
	}
	ck_assert_uint_eq(limiter.pool.len, 1);
}
END_TEST

/*
 * Pitfall R15: 200 at once, so that a network behind one address can bootstrap.
 */
START_TEST(a_proven_host_gets_requests)
{
	uint64_t n;

	drain(1, 0, 100);
	prove(1);
	ck_assert(rate_limiter_is_validated(&limiter, &fw.w, source(1)));
	ck_assert_uint_eq(requests(1, 0), 200);
	/* Their bytes are not counted. */
	ck_assert(rate_limiter_charge(&limiter, &fw.w, source(1), 1 << 20));
	n = requests(1, 10000);
	ck_assert_uint_ge(n, 999);
	ck_assert_uint_le(n, 1000);
	/* Validating it again gives no second burst. */
	prove(1);
	ck_assert(!rate_limiter_admit(&limiter, &fw.w, source(1), false));
}
END_TEST

/* A request without a token may be forged even if its source is validated. */
START_TEST(large_replies_without_a_token_have_a_budget)
{
	uint32_t s;
	uint64_t bytes = 0;

	prove(1);
	s = source(1);
	while (rate_limiter_charge_reply(&limiter, &fw.w, s, 100, 1000))
		bytes += 1000;
	ck_assert_uint_eq(bytes, 65000);
	ck_assert(rate_limiter_charge_reply(&limiter, &fw.w, s, 100, 300));
	ck_assert(!rate_limiter_charge_reply(&limiter, &fw.w, s, 100, 1001));
	for (int i = 0; i < 1000; i++) {
		sim_advance_ms(&fw, 10);
		while (rate_limiter_charge_reply(&limiter, &fw.w, s, 100, 1000))
			bytes += 1000;
	}
	ck_assert_uint_le(bytes, 65536 + 10 * 16384);
	ck_assert_uint_ge(bytes, 65536 + 9 * 16384);
	/* An unvalidated host pays for small replies too. */
	bytes = 0;
	while (rate_limiter_charge_reply(&limiter, &fw.w, source(2), 100, 100))
		bytes += 100;
	ck_assert_uint_eq(bytes, 40000);
}
END_TEST

START_TEST(requests_with_a_token_have_their_own_budget)
{
	unsigned n = 0;

	prove(1);
	ck_assert_uint_eq(requests(1, 0), 200);
	while (rate_limiter_admit(&limiter, &fw.w, source(1), true))
		n++;
	ck_assert_uint_eq(n, 200);
}
END_TEST

START_TEST(a_proof_holds_ten_minutes)
{
	prove(1);
	sim_advance_ms(&fw, 599 * 1000);
	ck_assert(rate_limiter_is_validated(&limiter, &fw.w, source(1)));
	sim_advance_ms(&fw, 2 * 1000);
	ck_assert(!rate_limiter_is_validated(&limiter, &fw.w, source(1)));
	ck_assert_uint_eq(drain(1, 0, 100), 40000);
	prove(1);
	sim_advance_ms(&fw, 300 * 1000);
	prove(1); /* renewed */
	sim_advance_ms(&fw, 599 * 1000);
	ck_assert(rate_limiter_is_validated(&limiter, &fw.w, source(1)));
}
END_TEST

START_TEST(a_host_is_checked_once_a_minute)
{
	uint32_t s = source(1);

	ck_assert(rate_limiter_permit_check(&limiter, &fw.w, s));
	ck_assert(!rate_limiter_permit_check(&limiter, &fw.w, s));
	sim_advance_ms(&fw, 59000);
	ck_assert(!rate_limiter_permit_check(&limiter, &fw.w, s));
	sim_advance_ms(&fw, 1000);
	ck_assert(rate_limiter_permit_check(&limiter, &fw.w, s));
	ck_assert(rate_limiter_permit_check(&limiter, &fw.w, source(2)));
}
END_TEST

/* A flood of forged sources must not evict a victim with a budget that is used
 * up. */
START_TEST(a_flood_of_sources_renews_no_budget)
{
	uint64_t before = 0, during;
	unsigned charged = 0;

	for (unsigned i = 0; i < 8; i++)
		before += drain(i, 0, 100);
	ck_assert_uint_eq(before, 8 * 40000);
	/* Six seconds: less than what refills a burst. */
	for (unsigned i = 0; i < 60000; i++) {
		uint32_t s = source(1000 + i);

		if (s != 0)
			charged +=
			    rate_limiter_charge(&limiter, &fw.w, s, 1200);
		if (i % 10000 == 9999) {
			sim_advance_ms(&fw, 1000);
			rate_limiter_sweep(&limiter, &fw.w);
		}
		ck_assert_uint_le(limiter.pool.len, limits.sources);
	}
	ck_assert_uint_gt(charged, 0);
	during = 0;
	for (unsigned i = 0; i < 8; i++)
		during += drain(i, 0, 100);
	ck_assert_uint_le(during, 8 * 6 * 4000);
}
END_TEST

/* A table full of used budgets refuses new hosts; it recovers by itself. */
START_TEST(recovers_from_a_flood)
{
	unsigned refused = 0, charged = 0;

	prove(99999);
	for (unsigned i = 0; i < 1000; i++) {
		uint32_t s = source(i);

		refused += s == 0;
		if (s != 0)
			charged +=
			    rate_limiter_charge(&limiter, &fw.w, s, 40000);
	}
	ck_assert_uint_eq(refused, 1000 - (limits.sources - 1));
	ck_assert_uint_eq(charged, limits.sources - 1);
	/* A validated host is served all the same. */
	ck_assert(rate_limiter_admit(&limiter, &fw.w, source(99999), false));
	sim_advance_ms(&fw, 11000);
	for (unsigned i = 0; i < 100; i++)
		ck_assert_uint_ne(source(5000 + i), 0);
	for (int i = 0; i < 200; i++)
		rate_limiter_sweep(&limiter, &fw.w);
	ck_assert_uint_le(limiter.pool.len, 1);
	ck_assert(rate_limiter_is_validated(&limiter, &fw.w, source(99999)));
}
END_TEST

/* A reload may lower any limit under what is in use. */
START_TEST(obeys_lowered_limits)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < 256; i++)
		source(i);
	prove(1);
	limits.unvalidated_burst_bytes = 2048;
	limits.unvalidated_rate_bytes = 1;
	limits.validated_burst_requests = 3;
	limits.validated_rate_requests = 1;
	ck_assert_uint_eq(requests(1, 0), 3);
	ck_assert_uint_eq(drain(2, 0, 1), 2048);
	limiter.pool.limit = 16;
	for (unsigned i = 0; i < 600; i++)
		refused += source(1000 + i) == 0;
	/* Budgets are evicted one by one until the table fits again. */
	ck_assert_uint_le(limiter.pool.len, 20);
	ck_assert_uint_gt(refused, 0);
	/* And nothing breaks when time goes on for months. */
	for (int i = 0; i < 200; i++) {
		sim_advance_ms(&fw, 6 * 3600 * 1000);
		rate_limiter_sweep(&limiter, &fw.w);
		ck_assert_uint_eq(drain(3, 0, 1), 2048);
	}
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("rate_limiter", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, an_unvalidated_host_gets_a_burst_and_a_trickle);
	tcase_add_test(tc, all_ports_of_a_host_share_one_budget);
	tcase_add_test(tc, a_proven_host_gets_requests);
	tcase_add_test(tc, large_replies_without_a_token_have_a_budget);
	tcase_add_test(tc, requests_with_a_token_have_their_own_budget);
	tcase_add_test(tc, a_proof_holds_ten_minutes);
	tcase_add_test(tc, a_host_is_checked_once_a_minute);
	tcase_add_test(tc, a_flood_of_sources_renews_no_budget);
	tcase_add_test(tc, recovers_from_a_flood);
	tcase_add_test(tc, obeys_lowered_limits);
	return s;
}
