/* SPDX-License-Identifier: ISC */
/*
 * Goal: maintenance removes nodes that are down, keeps live ones, spreads its
 * work over time and lets an idle node sleep. Method: one dht in a simulated
 * world, virtual hours; the wakeup rows of the golden vectors.
 */
#include <string.h>

#include "base/err.h"
#include "dht_rig.h"
#include "t.h"

static struct rig r;

static void
teardown(void)
{
	rig_fini(&r);
}

static struct table_node *
node_of(unsigned i)
{
	struct addr a = rig_host(i);
	uint8_t id[ID_LEN];

	id_of_addr(id, &a);
	return table_at(&r.d->self.table, table_find(&r.d->self.table, id));
}

/* Counts the datagrams sent by kind; replies to them if requested. */
struct count {
	unsigned pings, walks, other;
};

static struct count
count(uint64_t ms, bool answer)
{
	struct rig_answer good = {.id = true};
	struct count c = {0};
	struct rpc_request m;
	struct sim_sent s;

	for (uint64_t t = 0; t < ms; t += 100) {
		rig_pass_ms(&r, 100);
		while (rig_take_request(&r, &s, &m)) {
			c.pings += m.internal && m.command == RPC_PING;
			c.walks += m.internal && m.command == RPC_FIND_NODE;
			c.other +=
			    !m.internal || (m.command != RPC_PING &&
					       m.command != RPC_FIND_NODE);
			if (answer)
				rig_answer(&r, &s, &good);
		}
	}
	return c;
}

/* ---- sleep (protocol 01 §15, pitfall T9) ---- */

START_TEST(wakes_as_the_vectors)
{
	const json_t *row = t_row("rpc.json", "wakeup", _i);

	rig_init_alone(&r, DHT_BOOTSTRAP);
	r.d->self.tick = (uint32_t)t_uint(row, "before");
	ck_assert_uint_eq(maintenance_tick_after_wakeup(r.d->self.tick),
	    t_uint(row, "after"));
	dht_wakeup(r.d);
	ck_assert_uint_eq(r.d->self.tick, t_uint(row, "after"));
	/* An explicit role stays. */
	ck_assert(r.d->self.ephemeral == t_bool(row, "ephemeral_after"));
	ck_assert_uint_eq(r.host.stats.wakeups, 1);
}
END_TEST

/* A refresh at once, pings in two ticks: all nodes look old. */
START_TEST(doubts_everybody_after_sleep)
{
	struct count c;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	ck_assert_uint_eq(count(4000, true).walks, 0);
	dht_wakeup(r.d);
	c = count(1000, true);
	ck_assert_uint_gt(c.walks, 0);
	ck_assert_uint_eq(c.pings, 0);
	c = count(2 * TICK_MS, true);
	ck_assert_uint_ge(c.pings, 3);
	ck_assert_uint_le(c.pings, 5);
}
END_TEST

/* ---- pinging some (protocol 01 §14.4) ---- */

START_TEST(leaves_those_alone_who_are_heard)
{
	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	/* Every node sends a request once a minute. */
	for (int minute = 0; minute < 9; minute++) {
		for (unsigned i = 0; i < 60; i++) {
			struct addr a = rig_host(i);

			if (rig_knows(&r, &a))
				rig_ping_with_id(&r, &a);
		}
		ck_assert_uint_eq(count(60000, true).pings, 0);
	}
	ck_assert_uint_eq(r.host.stats.table_removed, 0);
}
END_TEST

/* A node that is down is detected and removed; a live one stays. */
START_TEST(finds_the_dead_and_keeps_the_living)
{
	unsigned in, alive = 0;
	struct rpc_request m;
	struct sim_sent s;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	in = r.d->self.table.nodes.len;
	/* Every fourth has gone. */
	for (int ms = 0; ms < 60 * 60000; ms += 50) {
		struct rig_answer good = {.id = true};

		rig_pass_ms(&r, 50);
		while (rig_take_request(&r, &s, &m))
			if (s.meta.to.ip[2] % 4 != 0)
				rig_answer(&r, &s, &good);
	}
	for (unsigned i = 0; i < 60; i++) {
		struct addr a = rig_host(i);

		if (i % 4 == 0)
			ck_assert(!rig_knows(&r, &a));
		alive += rig_knows(&r, &a);
	}
	ck_assert_uint_eq(alive, r.d->self.table.nodes.len);
	ck_assert_uint_eq(alive + r.host.stats.table_removed, in);
	ck_assert_uint_ge(alive, 36);
}
END_TEST

/* No burst: at most five of them in 40 s. */
START_TEST(pings_a_few_at_a_time)
{
	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	for (unsigned i = 0; i < 60; i++) {
		struct addr a = rig_host(i);

		if (rig_knows(&r, &a))
			node_of(i)->seen = r.d->self.tick - 1000;
	}
	for (int round = 0; round < 4; round++) {
		unsigned n = count(8 * TICK_MS, true).pings;

		ck_assert_uint_ge(n, 3);
		ck_assert_uint_le(n, 5);
	}
}
END_TEST

/* ---- refresh (protocol 01 §14.5, pitfall T10) ---- */

/* Pitfall T10: nodes started together do not act together. */
START_TEST(starts_at_a_random_offset)
{
	unsigned ticks[50] = {0}, refresh[TICKS_REFRESH + 1] = {0};
	unsigned distinct = 0;
	unsigned refreshes = 0;
	struct dht_config c;

	rig_config(&c, DHT_BOOTSTRAP);
	for (uint64_t seed = 1; seed <= 100; seed++) {
		uint32_t until;

		r = (struct rig){.self = rig_host(500)};
		core_host_init(&r.host, NULL, seed);
		rig_start(&r, &c);
		until = r.d->maintenance.refresh_at - r.d->self.tick;
		ck_assert_uint_ge(r.d->self.tick, 51);
		ck_assert_uint_le(r.d->self.tick, 100);
		ck_assert_uint_gt(until, TICKS_REFRESH * 3 / 4);
		ck_assert_uint_le(until, TICKS_REFRESH);
		ticks[r.d->self.tick - 51]++;
		refresh[until]++;
		if (seed < 100)
			rig_fini(&r);
	}
	for (int i = 0; i < 50; i++)
		distinct += ticks[i] > 0;
	for (int i = 0; i <= TICKS_REFRESH; i++)
		refreshes += refresh[i] > 0;
	ck_assert_uint_gt(distinct, 30);
	ck_assert_uint_gt(refreshes, 20);
}
END_TEST

START_TEST(refreshes_now_and_then)
{
	unsigned walks = 0, quiet = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	for (int minute = 0; minute < 60; minute++) {
		unsigned n = count(60000, true).walks;

		walks += n > 0;
		quiet += n == 0;
	}
	ck_assert_uint_ge(walks, 3);
	ck_assert_uint_le(walks, 13);
	ck_assert_uint_ge(quiet, 40);
}
END_TEST

/* Any query puts the refresh off. */
static void
on_done(void *owner, const struct query_result *q)
{
	(void)owner;
	(void)q;
}

START_TEST(queries_put_the_refresh_off)
{
	struct query_spec spec = {.command = 3, .target = {1}, .done = on_done};
	unsigned walks = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	for (int minute = 0; minute < 60; minute++) {
		ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
		walks += count(60000, true).walks;
	}
	ck_assert_uint_eq(walks, 0);
}
END_TEST

/* A small table is worth more effort, but not for ever. */
START_TEST(refreshes_a_small_table_more_often)
{
	unsigned first, later;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 5);
	first = count(5 * 60000, true).walks;
	later = count(30 * 60000, true).walks;
	ck_assert_uint_ge(first, 4 * 5);
	ck_assert_uint_ge(later, 4 * 5);
	ck_assert_uint_le(later, 12 * 5);
}
END_TEST

/* ---- cost ---- */

/* An idle node sleeps; no timer is ever in the past. */
START_TEST(an_idle_node_wakes_rarely)
{
	uint64_t end;
	unsigned wakeups = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 30);
	end = r.host.world.w.now_us + UINT64_C(600) * 1000000;
	for (;;) {
		uint64_t due = timers_deadline(&r.host.timers);

		ck_assert_uint_ge(due, r.host.world.w.now_us);
		if (due > end)
			break;
		r.host.world.w.now_us = due;
		timers_run(&r.host.timers, due);
		rig_answer_all(&r);
		wakeups++;
	}
	ck_assert_uint_le(wakeups, 130);
}
END_TEST

/* Time that jumps, as when the machine was stopped in a debugger. */
START_TEST(survives_a_jump_of_time)
{
	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 30);
	for (int i = 0; i < 20; i++) {
		r.host.world.w.now_us +=
		    UINT64_C(86400) * 1000000 * (uint64_t)i;
		timers_run(&r.host.timers, r.host.world.w.now_us);
		rig_answer_all(&r);
		ck_assert_uint_gt(
		    timers_deadline(&r.host.timers), r.host.world.w.now_us);
		ck_assert_uint_le(timers_deadline(&r.host.timers),
		    r.host.world.w.now_us + 8 * TICK_MS * UINT64_C(1000));
	}
	rig_live_ms(&r, 600000);
	ck_assert_uint_gt(r.d->self.table.nodes.len, 20);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dht_tick", &tc);

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(
	    tc, wakes_as_the_vectors, 0, t_rows("rpc.json", "wakeup"));
	tcase_add_test(tc, doubts_everybody_after_sleep);
	tcase_add_test(tc, leaves_those_alone_who_are_heard);
	tcase_add_test(tc, finds_the_dead_and_keeps_the_living);
	tcase_add_test(tc, pings_a_few_at_a_time);
	tcase_add_test(tc, starts_at_a_random_offset);
	tcase_add_test(tc, refreshes_now_and_then);
	tcase_add_test(tc, queries_put_the_refresh_off);
	tcase_add_test(tc, refreshes_a_small_table_more_often);
	tcase_add_test(tc, an_idle_node_wakes_rarely);
	tcase_add_test(tc, survives_a_jump_of_time);
	return s;
}
