/* SPDX-License-Identifier: ISC */
/*
 * Goal: online and degraded follow what happened, protocol 01 §16. Method: the
 * golden vectors. Where the reference never recovers (js_bug) the right end is
 * asserted instead.
 */
#include "dht/health.h"
#include "t.h"

static bool
is_js_bug(const json_t *row)
{
	return json_is_true(json_object_get(row, "js_bug"));
}

/* The last ticks of that row are all healthy, so it must end so. */
static void
assert_recovers(const json_t *row)
{
	const json_t *ticks = t_get(row, "ticks"), *tick;
	bool was_degraded = false;
	struct health h;
	size_t i;

	health_init(&h);
	json_array_foreach(ticks, i, tick)
	{
		health_tick(&h, (uint32_t)t_uint(tick, "responses"),
		    (uint32_t)t_uint(tick, "timeouts"));
		ck_assert(h.online == t_bool(tick, "online"));
		was_degraded = was_degraded || h.degraded;
	}
	ck_assert(was_degraded);
	ck_assert(!h.degraded);
}

START_TEST(follows_the_vectors)
{
	const json_t *row = t_row("rpc.json", "health", _i), *tick;
	struct health h;
	size_t i;

	if (is_js_bug(row)) {
		assert_recovers(row);
		return;
	}
	health_init(&h);
	json_array_foreach(t_get(row, "ticks"), i, tick)
	{
		bool online = h.online, degraded = h.degraded;
		bool changed =
		    health_tick(&h, (uint32_t)t_uint(tick, "responses"),
			(uint32_t)t_uint(tick, "timeouts"));

		if (h.online != t_bool(tick, "online") ||
		    h.degraded != t_bool(tick, "degraded"))
			ck_abort_msg("%s, tick %zu", t_string(row, "name"), i);
		ck_assert(
		    changed == (online != h.online || degraded != h.degraded));
	}
}
END_TEST

/* "Idle ticks between do not break the row." */
START_TEST(counts_offline_ticks_across_idle_ones)
{
	struct health h;

	health_init(&h);
	for (int i = 0; i < HEALTH_TICKS; i++)
		ck_assert(!health_tick(&h, 10, 0));
	ck_assert(!health_tick(&h, 0, 8));
	ck_assert(!health_tick(&h, 0, 3)); /* too few to decide */
	ck_assert(!health_tick(&h, 0, 0));
	ck_assert(h.online);
	ck_assert(health_tick(&h, 0, 8));
	ck_assert(!h.online);
	ck_assert(health_tick(&h, 4, 0));
	ck_assert(h.online);
}
END_TEST

START_TEST(says_nothing_at_first)
{
	struct health h;

	health_init(&h);
	ck_assert(h.online && !h.degraded);
	for (int i = 0; i < HEALTH_TICKS - 1; i++)
		ck_assert(!health_tick(&h, 0, 100));
	ck_assert(h.online);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("health", &tc);

	tcase_add_loop_test(
	    tc, follows_the_vectors, 0, t_rows("rpc.json", "health"));
	tcase_add_test(tc, counts_offline_ticks_across_idle_ones);
	tcase_add_test(tc, says_nothing_at_first);
	return s;
}
