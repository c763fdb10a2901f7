/* SPDX-License-Identifier: ISC */
/*
 * Goal: the state of a node follows the network within 15 s, whatever its size,
 * and no operation waits long for a network that is not there. Method: one dht
 * in a fake world; scripted nodes, some of which are down at times.
 */
#include <string.h>

#include "base/err.h"
#include "dht_rig.h"
#include "t.h"

enum { NODES = 5, CHANGE_MS = 15000 };

static struct rig r;
static struct dht_config config;
static struct bootstrap_entry entries[2];
static unsigned live; /* hosts below this one answer */

static void
use_list(const char *a, const char *b)
{
	ck_assert_int_eq(bootstrap_parse(&entries[0], a), 0);
	config.bootstrap = entries;
	config.bootstrap_len = 1;
	if (b == NULL)
		return;
	ck_assert_int_eq(bootstrap_parse(&entries[1], b), 0);
	config.bootstrap_len = 2;
}

static void
setup(void)
{
	rig_config(&config, DHT_PERSISTENT);
	config.health_ms = HEALTH_PROBE_MS;
	live = NODES;
}

static void
teardown(void)
{
	rig_fini(&r);
}

/* Returns the number of the host, or NODES if it is none of them. */
static unsigned
number_of(const struct addr *a)
{
	unsigned i = 0;

	for (; i < NODES; i++) {
		struct addr host = rig_host(i);

		if (addr_equal(&host, a))
			break;
	}
	return i;
}

/* Answers the requests to live hosts, each of which lists all hosts. */
static void
answer_live(unsigned size)
{
	struct addr all[NODES];
	struct rig_answer good = {
	    .id = true, .closer = all, .closer_len = size};
	struct rpc_request m;
	struct sim_sent s;

	for (unsigned i = 0; i < size; i++)
		all[i] = rig_host(i);
	while (rig_take_request(&r, &s, &m))
		if (number_of(&s.meta.to) < live)
			rig_answer(&r, &s, &good);
}

/* Lets so much time pass in a network of this size. */
static void
pass(unsigned size, uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += 10) {
		answer_live(size);
		rig_pass_ms(&r, 10);
	}
}

static enum dht_state
state(void)
{
	struct dht_status st;

	dht_status(r.d, &st);
	return st.state;
}

/* Returns the time until the state is this one, and fails after 15 s. */
static uint64_t
reaches(unsigned size, enum dht_state want)
{
	for (uint64_t ms = 0; ms < CHANGE_MS; ms += 10) {
		if (state() == want)
			return ms;
		pass(size, 10);
	}
	ck_abort_msg("state %d instead of %d", state(), want);
}

/* Asserts that the state stays this one. */
static void
stays(unsigned size, enum dht_state want, uint64_t ms)
{
	for (uint64_t t = 0; t < ms; t += 100) {
		pass(size, 100);
		ck_assert_int_eq(state(), want);
	}
}

/* A node of a network of `size` others, the first of which is the bootstrap
 * node. */
static void
join(unsigned size)
{
	struct dht_status st;

	use_list("20.0.0.1:4000", NULL);
	rig_init(&r, &config);
	ck_assert_int_eq(state(), DHT_STARTING);
	reaches(size, DHT_ONLINE);
	dht_status(r.d, &st);
	ck_assert(st.bootstrapped && !st.alone);
	dht_events(r.d);
}

/* ---- changes, in both directions ---- */

/* The smallest network: the other node goes and comes back, at any moment. */
START_TEST(two_nodes)
{
	join(1);
	stays(1, DHT_ONLINE, 60000 + (uint64_t)_i * 700);
	live = 0;
	reaches(1, DHT_OFFLINE);
	ck_assert(dht_events(r.d) & DHT_EV_HEALTH);
	stays(1, DHT_OFFLINE, 120000 + (uint64_t)_i * 700);
	ck_assert(!(dht_events(r.d) & DHT_EV_HEALTH));
	live = 1;
	reaches(1, DHT_ONLINE);
	ck_assert_uint_eq(dht_events(r.d) & (DHT_EV_HEALTH | DHT_EV_BACK),
	    DHT_EV_HEALTH | DHT_EV_BACK);
	stays(1, DHT_ONLINE, 60000);
}
END_TEST

START_TEST(four_of_five_frozen)
{
	struct dht_status st;

	join(NODES);
	stays(NODES, DHT_ONLINE, 60000 + (uint64_t)_i * 700);
	live = 1;
	reaches(NODES, DHT_DEGRADED);
	dht_status(r.d, &st);
	ck_assert_uint_eq(st.answered, 1);
	ck_assert_uint_eq(st.asked, NODES);
	stays(NODES, DHT_DEGRADED, 120000);
	live = NODES;
	reaches(NODES, DHT_ONLINE);
	stays(NODES, DHT_ONLINE, 60000);
}
END_TEST

/* Nodes that do not return are not missed for ever. */
START_TEST(a_smaller_network_is_no_degraded_one)
{
	join(NODES);
	live = 1;
	reaches(NODES, DHT_DEGRADED);
	pass(NODES, 6 * 60000);
	ck_assert_int_eq(state(), DHT_ONLINE);
}
END_TEST

/* One of many is no reason for a change of the state. */
START_TEST(one_of_five_gone)
{
	join(NODES);
	live = NODES - 1;
	stays(NODES, DHT_ONLINE, 10 * 60000);
	ck_assert(!(dht_events(r.d) & DHT_EV_HEALTH));
}
END_TEST

START_TEST(all_gone_and_back)
{
	join(NODES);
	live = 0;
	reaches(NODES, DHT_OFFLINE);
	stays(NODES, DHT_OFFLINE, 60 * 60000);
	live = NODES;
	reaches(NODES, DHT_ONLINE);
	pass(NODES, 5000);
	ck_assert_uint_eq(r.d->self.table.nodes.len, NODES);
}
END_TEST

/* The bootstrap node alone is gone: the others are the network. */
START_TEST(the_bootstrap_node_gone)
{
	struct dht_entry e;

	use_list("30.0.0.1:4000", "20.0.0.1:4000");
	rig_init(&r, &config);
	reaches(3, DHT_ONLINE);
	stays(3, DHT_ONLINE, 60000);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_SILENT);
	ck_assert(dht_entry(r.d, 1, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_ANSWERED);
	ck_assert(!dht_entry(r.d, 2, &e));
}
END_TEST

/* Nodes behind a bootstrap node that never answers are found by their address
 * of an earlier run. */
START_TEST(cached_nodes_are_network)
{
	struct addr known[] = {rig_host(2), rig_host(3)};

	use_list("30.0.0.1:4000", NULL);
	config.known = known;
	config.known_len = 2;
	live = 0;
	rig_init(&r, &config);
	reaches(NODES, DHT_OFFLINE);
	live = NODES;
	reaches(NODES, DHT_ONLINE);
	pass(NODES, 15000);
	ck_assert_uint_ge(r.d->self.table.nodes.len, NODES);
}
END_TEST

/* ---- the start ---- */

START_TEST(a_bootstrap_node_that_never_answers)
{
	struct dht_status st;
	struct dht_entry e;

	use_list("20.0.0.1:4000", NULL);
	live = 0;
	rig_init(&r, &config);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_UNTRIED);
	pass(1, 4900);
	ck_assert_int_eq(state(), DHT_STARTING);
	pass(1, 200);
	ck_assert_int_eq(state(), DHT_OFFLINE);
	dht_status(r.d, &st);
	ck_assert(!st.bootstrapped);
	ck_assert(!(dht_events(r.d) & DHT_EV_BOOTSTRAPPED));
	stays(1, DHT_OFFLINE, 10 * 60000);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_SILENT);
	ck_assert_uint_le(e.age_us, 15 * 1000000);
	live = 1;
	reaches(1, DHT_ONLINE);
	pass(1, 5000);
	dht_status(r.d, &st);
	ck_assert(st.bootstrapped);
	ck_assert(dht_events(r.d) & DHT_EV_BOOTSTRAPPED);
}
END_TEST

/* Without other nodes to ask a node is a network by itself. */
START_TEST(alone)
{
	struct dht_status st;

	rig_init(&r, &config);
	rig_pass_ms(&r, 1);
	dht_status(r.d, &st);
	ck_assert_int_eq(st.state, DHT_ONLINE);
	ck_assert(st.alone && st.bootstrapped);
	stays(1, DHT_ONLINE, 60000);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
}
END_TEST

/* A list that names only this node is none. */
START_TEST(the_only_entry_is_this_node)
{
	struct dht_entry e;

	rig_config(&config, DHT_BOOTSTRAP);
	config.health_ms = HEALTH_PROBE_MS;
	use_list("203.0.113.10:49737", NULL);
	rig_init(&r, &config);
	rig_pass_ms(&r, 1);
	ck_assert_int_eq(state(), DHT_ONLINE);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_SELF);
	stays(1, DHT_ONLINE, 60000);
}
END_TEST

/* ---- names ---- */

/* Ends the lookups in progress; a NULL: the name is not found. */
static void
resolve(const struct addr *a)
{
	struct sim_name name;

	while (sim_take_name(&r.host.world, &name))
		dht_resolved(r.d, name.ticket, a);
}

START_TEST(a_name_resolves_later)
{
	struct addr boot = rig_host(0);
	struct dht_entry e;

	use_list("boot.example:4000", NULL);
	rig_init(&r, &config);
	for (int i = 0; i < 600; i++) {
		resolve(NULL);
		pass(1, 100);
	}
	ck_assert_int_eq(state(), DHT_OFFLINE);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_str_eq(e.name, "boot.example");
	ck_assert_int_eq(e.result, DHT_ENTRY_NO_NAME);
	for (int i = 0; i < 150 && state() != DHT_ONLINE; i++) {
		resolve(&boot);
		pass(1, 100);
	}
	ck_assert_int_eq(state(), DHT_ONLINE);
	ck_assert(rig_knows(&r, &boot));
}
END_TEST

/* The other entry is asked even if a resolver never answers. */
START_TEST(a_silent_resolver_delays_nobody)
{
	struct dht_entry e;

	use_list("boot.example:4000", "20.0.0.1:4000");
	rig_init(&r, &config);
	ck_assert_uint_le(reaches(1, DHT_ONLINE), 5000);
	use_list("boot.example:4000", NULL);
	rig_fini(&r);
	rig_init(&r, &config);
	pass(1, 5100);
	ck_assert_int_eq(state(), DHT_OFFLINE);
	ck_assert(dht_entry(r.d, 0, &e));
	ck_assert_int_eq(e.result, DHT_ENTRY_NO_RESOLVER);
}
END_TEST

/* ---- operations ---- */

static unsigned done;
static int done_err;

static void
on_done(void *owner, const struct query_result *q)
{
	(void)owner;
	done++;
	done_err = q->err;
}

/* Returns after how many milliseconds a query ends with this error. */
static uint64_t
query_takes(unsigned size, int err)
{
	struct query_spec spec = {
	    .command = 3, .target = {0x99}, .done = on_done};
	uint64_t ms = 0;

	done = 0;
	ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
	for (; done == 0 && ms < 60000; ms += 10)
		pass(size, 10);
	ck_assert_uint_eq(done, 1);
	ck_assert_int_eq(done_err, err);
	return ms;
}

START_TEST(queries_of_a_starting_node_wait_five_seconds)
{
	use_list("20.0.0.1:4000", NULL);
	live = 0;
	rig_init(&r, &config);
	ck_assert_uint_le(query_takes(1, ERR_UNREACHABLE), 5100);
}
END_TEST

/* They ask the bootstrap list once more, and go on if it answers. */
START_TEST(queries_of_an_offline_node_wait_two_seconds)
{
	join(1);
	live = 0;
	reaches(1, DHT_OFFLINE);
	for (int i = 0; i < 5; i++) {
		ck_assert_uint_le(query_takes(1, ERR_UNREACHABLE), 2100);
		pass(1, 1300);
	}
	live = 1;
	ck_assert_uint_le(query_takes(1, 0), 2100);
}
END_TEST

/* A query that is under way when the network goes ends with the news. */
START_TEST(a_query_ends_when_the_node_is_offline)
{
	join(NODES);
	live = 0;
	ck_assert_uint_le(query_takes(NODES, ERR_UNREACHABLE), 12000);
}
END_TEST

/* ---- other causes of a poll ---- */

START_TEST(a_wakeup_starts_a_poll)
{
	join(NODES);
	live = 0;
	dht_wakeup(r.d);
	pass(NODES, 5200);
	ck_assert_int_eq(state(), DHT_OFFLINE);
	live = NODES;
	dht_network_changed(r.d);
	pass(NODES, 1200);
	ck_assert_int_eq(state(), DHT_ONLINE);
}
END_TEST

/* Half of the datagrams are lost: that is a bad network, but not none. */
START_TEST(loss_is_no_outage)
{
	struct addr all[NODES];
	struct rig_answer good = {
	    .id = true, .closer = all, .closer_len = NODES};
	unsigned offline = 0;
	struct rpc_request m;
	struct sim_sent s;

	join(NODES);
	for (unsigned i = 0; i < NODES; i++)
		all[i] = rig_host(i);
	for (int ms = 0; ms < 30 * 60000; ms += 10) {
		while (rig_take_request(&r, &s, &m))
			if (number_of(&s.meta.to) < live &&
			    world_below(&r.host.world.w, 2) == 0)
				rig_answer(&r, &s, &good);
		rig_pass_ms(&r, 10);
		offline += state() == DHT_OFFLINE;
	}
	ck_assert_uint_eq(offline, 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("health", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, two_nodes, 0, 8);
	tcase_add_loop_test(tc, four_of_five_frozen, 0, 8);
	tcase_add_test(tc, a_smaller_network_is_no_degraded_one);
	tcase_add_test(tc, one_of_five_gone);
	tcase_add_test(tc, all_gone_and_back);
	tcase_add_test(tc, the_bootstrap_node_gone);
	tcase_add_test(tc, cached_nodes_are_network);
	tcase_add_test(tc, a_bootstrap_node_that_never_answers);
	tcase_add_test(tc, alone);
	tcase_add_test(tc, the_only_entry_is_this_node);
	tcase_add_test(tc, a_name_resolves_later);
	tcase_add_test(tc, a_silent_resolver_delays_nobody);
	tcase_add_test(tc, queries_of_a_starting_node_wait_five_seconds);
	tcase_add_test(tc, queries_of_an_offline_node_wait_two_seconds);
	tcase_add_test(tc, a_query_ends_when_the_node_is_offline);
	tcase_add_test(tc, a_wakeup_starts_a_poll);
	tcase_add_test(tc, loss_is_no_outage);
	return s;
}
