/* SPDX-License-Identifier: ISC */
/*
 * Goal: a node finds its network through its bootstrap list and through no
 * other address, whatever is down. Method: one dht in a simulated world,
 * scripted peers and names; bind_order of the golden vectors.
 */
#include <string.h>

#include "base/err.h"
#include "dht_rig.h"
#include "t.h"

static struct rig r;
static struct dht_config config;
static struct bootstrap_entry list[4];

static void
setup(void)
{
	rig_config(&config, DHT_PERSISTENT);
	config.health_ms = HEALTH_PROBE_MS;
}

static void
teardown(void)
{
	rig_fini(&r);
}

static void
use_list(const char *a, const char *b, const char *c)
{
	const char *text[] = {a, b, c};

	config.bootstrap = list;
	for (; config.bootstrap_len < 3 && text[config.bootstrap_len] != NULL;
	     config.bootstrap_len++)
		ck_assert_int_eq(bootstrap_parse(&list[config.bootstrap_len],
				     text[config.bootstrap_len]),
		    0);
}

static struct addr
addr_of(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	return a;
}

static bool
bootstrapped(void)
{
	struct dht_status st;

	dht_status(r.d, &st);
	return st.bootstrapped;
}

/* Returns the number of requests sent to this address and not taken. */
static unsigned
sent_to(const struct addr *a)
{
	unsigned n = 0;

	for (size_t i = 0; i < r.host.world.sent_len; i++)
		n += addr_equal(&r.host.world.sent[i].meta.to, a);
	return n;
}

/* ---- sockets ---- */

/* The rest of the members of a row of bind_order is in its name. */
static const struct {
	uint16_t first, last, taken_first, taken_last;
	bool any, exact;
} binds[] = {
    {49737, 49741, 0, 0, true, false},
    {49737, 49741, 49737, 49738, true, false},
    {49737, 49741, 49737, 49741, true, false},
    {5000, 5000, 5000, 5000, false, true},
};

static uint16_t tried[16];
static unsigned tried_len;
static struct world_ops spying;
static const struct world_ops *original;

static int
spy_open(struct world *w, const struct addr *at, struct addr *bound)
{
	tried[tried_len++] = at->port;
	return original->open(w, at, bound);
}

START_TEST(binds_in_the_order_of_the_reference)
{
	const json_t *row = t_row("rpc.json", "bind_order", _i);
	const json_t *ports = t_get(row, "tried_ports");
	bool failed = t_bool(row, "failed");
	size_t i;
	const json_t *port;

	r = (struct rig){0};
	core_host_init(&r.host, NULL, 1);
	original = r.host.world.w.ops;
	spying = *original;
	spying.open = spy_open;
	r.host.world.w.ops = &spying;
	r.host.world.taken_first = binds[_i].taken_first;
	r.host.world.taken_last = binds[_i].taken_last;
	config.port_first = binds[_i].first;
	config.port_last = binds[_i].last;
	config.port_any = binds[_i].any;
	tried_len = 0;
	r.d = dht_new(&r.host.core, &config);
	ck_assert_int_eq(dht_start(r.d), failed ? ERR_ADDRESS_USED : 0);
	/* Pitfall L4: an exact port is bound, or the start fails. */
	ck_assert_uint_eq(tried_len, json_array_size(ports));
	json_array_foreach(ports, i, port)
	    ck_assert_int_eq(tried[i], (int)json_integer_value(port));
}
END_TEST

START_TEST(a_start_that_failed_can_be_freed)
{
	r = (struct rig){0};
	core_host_init(&r.host, NULL, 1);
	r.host.world.socks_max = 1; /* for the server */
	r.d = dht_new(&r.host.core, &config);
	ck_assert_int_eq(dht_start(r.d), ERR_SOCKET);
}
END_TEST

/* ---- the walk into the network ---- */

/* Pitfall T6: the bootstrap ends also without any node to query. */
START_TEST(a_lone_node_is_bootstrapped)
{
	rig_init(&r, &config);
	ck_assert(!bootstrapped());
	rig_pass_ms(&r, 1);
	ck_assert(bootstrapped());
	ck_assert(dht_events(r.d) & DHT_EV_BOOTSTRAPPED);
	ck_assert(!(dht_events(r.d) & DHT_EV_BOOTSTRAPPED));
	ck_assert_uint_eq(r.host.world.sent_len, 0);
}
END_TEST

/* A node that no other has answered has not joined, and keeps trying. */
START_TEST(a_silent_list_is_asked_again)
{
	use_list("20.0.0.1:1000", "20.0.1.1:1000", NULL);
	rig_init(&r, &config);
	rig_pass_ms(&r, 30000);
	ck_assert(!bootstrapped());
	rig_skip(&r);
	rig_pass_ms(&r, 600000);
	ck_assert_uint_gt(sent_to(&list[0].addr), 0);
	rig_answer_all(&r);
	rig_live_ms(&r, 15000);
	ck_assert(rig_knows(&r, &list[0].addr));
	ck_assert(bootstrapped());
}
END_TEST

/* Pitfall Q1: no address outside the list and the nodes in its replies. */
static void
forbid_query_reply(void *owner, const struct dht_answer *a)
{
	(void)owner;
	(void)a;
}

static unsigned query_done;

static void
on_query_done(void *owner, const struct query_result *q)
{
	(void)owner;
	(void)q;
	query_done++;
}

START_TEST(a_query_at_once_waits_for_the_list)
{
	struct query_spec spec = {.command = 3,
	    .target = {0x99},
	    .reply = forbid_query_reply,
	    .done = on_query_done};
	struct addr boot, other = rig_host(5);
	struct rig_answer a = {.id = true, .closer = &other, .closer_len = 1};
	struct rpc_request m;
	struct sim_sent s;
	unsigned walks = 0;

	query_done = 0;
	use_list("20.0.0.1:1000", NULL, NULL);
	boot = list[0].addr;
	rig_init(&r, &config);
	ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
	for (int ms = 0; ms < 20000; ms++) {
		while (rig_take_request(&r, &s, &m)) {
			ck_assert(addr_equal(&s.meta.to, &boot) ||
				  addr_equal(&s.meta.to, &other));
			if (!m.internal) {
				ck_assert(bootstrapped());
				walks++;
			}
			rig_answer(&r, &s, &a);
		}
		rig_pass_ms(&r, 1);
	}
	ck_assert_uint_eq(walks, 2);
	ck_assert_uint_eq(query_done, 1);
}
END_TEST

/* A held query ends with the node, before there is a network. */
START_TEST(a_held_query_ends_with_the_node)
{
	struct query_spec spec = {.done = on_query_done};
	struct query *q;

	query_done = 0;
	use_list("20.0.0.1:1000", NULL, NULL);
	rig_init(&r, &config);
	ck_assert_int_eq(query_start(r.d, &spec, &q), 0);
	ck_assert_int_eq(query_start(r.d, &spec, NULL), 0);
	query_cancel(q);
	ck_assert_uint_eq(query_done, 1);
	dht_end(r.d);
	ck_assert_uint_eq(query_done, 2);
}
END_TEST

/* Pitfall Q1: the first requests go to the nodes of the list. */
START_TEST(nothing_but_the_list_is_asked)
{
	struct rpc_request m;
	struct sim_sent s;
	unsigned n = 0;

	use_list("20.0.0.1:1000", "20.0.1.1:1001", NULL);
	rig_init(&r, &config);
	for (int s10 = 0; s10 < 60; s10++) {
		rig_pass_ms(&r, 10000);
		while (rig_take_request(&r, &s, &m)) {
			n++;
			ck_assert(addr_equal(&s.meta.to, &list[0].addr) ||
				  addr_equal(&s.meta.to, &list[1].addr));
		}
	}
	ck_assert_uint_gt(n, 4);
}
END_TEST

/* ---- names ---- */

START_TEST(names_are_looked_up_side_by_side)
{
	struct addr a = addr_of("20.0.0.1:7"), b = addr_of("20.0.1.1:7");
	struct sim_name first, second, third;

	use_list("one.example:1000", "20.0.2.1:1002", "two.example:1001");
	rig_init(&r, &config);
	ck_assert(sim_take_name(&r.host.world, &first));
	ck_assert(sim_take_name(&r.host.world, &second));
	ck_assert(!sim_take_name(&r.host.world, &third));
	ck_assert_str_eq(first.name, "one.example");
	rig_pass_ms(&r, 1500);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
	/* In any order; the port is the entry's. */
	dht_resolved(r.d, second.ticket, &b);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
	dht_resolved(r.d, first.ticket, &a);
	rig_pass_ms(&r, 1000);
	a.port = 1000;
	b.port = 1001;
	ck_assert_uint_ge(sent_to(&a), 1);
	ck_assert_uint_ge(sent_to(&b), 1);
	ck_assert_uint_ge(sent_to(&list[1].addr), 1);
}
END_TEST

START_TEST(a_name_that_fails_is_skipped)
{
	struct addr six = {.family = ADDR_V6, .ip = {0x20, 1}, .port = 1};
	struct sim_name name;

	use_list("one.example:1000", "two.example:1000", NULL);
	rig_init(&r, &config);
	ck_assert(sim_take_name(&r.host.world, &name));
	dht_resolved(r.d, name.ticket, NULL);
	ck_assert(sim_take_name(&r.host.world, &name));
	dht_resolved(r.d, name.ticket, _i == 0 ? NULL : &six);
	/* No reply: the names are resolved once more. */
	rig_pass_ms(&r, 1);
	ck_assert(sim_take_name(&r.host.world, &name));
	dht_resolved(r.d, name.ticket, NULL);
	ck_assert(sim_take_name(&r.host.world, &name));
	dht_resolved(r.d, name.ticket, NULL);
	rig_pass_ms(&r, 1);
	ck_assert(!bootstrapped());
	/* Results without a lookup in progress are ignored. */
	dht_resolved(r.d, name.ticket, NULL);
	dht_resolved(r.d, 77, NULL);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
	/* The names are tried again and again. */
	rig_pass_ms(&r, 5000);
	ck_assert(sim_take_name(&r.host.world, &name));
}
END_TEST

/* "ip@name": the address first; if it is silent, the name. */
START_TEST(the_name_stands_in_for_its_address)
{
	struct addr now = addr_of("20.0.9.1:1000");
	struct sim_name name;

	use_list("20.0.0.1@one.example:1000", NULL, NULL);
	rig_init(&r, &config);
	ck_assert(!sim_take_name(&r.host.world, &name));
	if (_i == 0) {
		rig_live_ms(&r, 5000);
		ck_assert(rig_knows(&r, &list[0].addr));
		ck_assert(!sim_take_name(&r.host.world, &name));
		return;
	}
	rig_pass_ms(&r, 20000);
	ck_assert_uint_gt(sent_to(&list[0].addr), 0);
	ck_assert(sim_take_name(&r.host.world, &name));
	ck_assert(!bootstrapped());
	rig_skip(&r);
	dht_resolved(r.d, name.ticket, &now);
	rig_live_ms(&r, 5000);
	ck_assert(rig_knows(&r, &now));
	ck_assert(bootstrapped());
}
END_TEST

/* The world may refuse a lookup. */
static int
busy_resolve(struct world *w, const char *name, uint32_t ticket)
{
	(void)w;
	(void)name;
	(void)ticket;
	return ERR_BUSY;
}

/* The walk does not wait for a name that is not being resolved. */
START_TEST(a_busy_resolver_holds_nothing_up)
{
	static struct world_ops ops;

	use_list("one.example:1000", NULL, NULL);
	r = (struct rig){0};
	core_host_init(&r.host, NULL, 1);
	ops = *r.host.world.w.ops;
	ops.resolve = busy_resolve;
	r.host.world.w.ops = &ops;
	r.d = dht_new(&r.host.core, &config);
	ck_assert_int_eq(dht_start(r.d), 0);
	rig_pass_ms(&r, 1);
	ck_assert_uint_eq(r.d->joining.state, JOINING_WAIT);
	ck_assert(!bootstrapped());
}
END_TEST

/* ---- good nodes of an earlier run ---- */

START_TEST(good_nodes_of_an_earlier_run_are_taken_in)
{
	struct addr known[100];
	unsigned in = 0, asked = 0;

	for (unsigned i = 0; i < 100; i++)
		known[i] = rig_host(i);
	known[5] = addr_v4(0, 0, 0, 0, 0); /* a damaged entry */
	known[6] = known[7];
	config.known = known;
	config.known_len = 100;
	use_list("30.0.0.1:1000", NULL, NULL); /* down */
	rig_init(&r, &config);
	memset(known, 0, sizeof known); /* they were copied */
	rig_pass_ms(&r, 1);
	for (unsigned i = 0; i < 100; i++) {
		struct addr a = rig_host(i);

		asked += sent_to(&a) > 0;
	}
	ck_assert_uint_ge(asked, 60);
	ck_assert_uint_le(asked, 64);
	/* No node is added before it has replied. */
	ck_assert_uint_eq(r.d->self.table.nodes.len, 0);
	/* One of three is still there. */
	for (int ms = 0; ms < 30000; ms += 10) {
		struct rig_answer good = {.id = true};
		struct rpc_request m;
		struct sim_sent s;

		while (rig_take_request(&r, &s, &m))
			if (s.meta.to.ip[0] == 20 && s.meta.to.ip[2] % 3 == 0)
				rig_answer(&r, &s, &good);
		rig_pass_ms(&r, 10);
	}
	ck_assert(bootstrapped());
	for (unsigned i = 0; i < 64; i++) {
		struct addr a = rig_host(i);

		in += rig_knows(&r, &a);
		ck_assert(i % 3 == 0 || !rig_knows(&r, &a));
	}
	ck_assert_uint_ge(in, 18);
}
END_TEST

/* ---- two rounds (protocol 01 §13, §12.4) ---- */

/* The NAT check may take a round trip longer than the walk. */
START_TEST(waits_for_the_quick_check)
{
	struct rig_answer good = {.id = true}, nat = {.id = true};
	struct sim_sent s, check = {0};
	struct rpc_request m;

	config.role = DHT_AUTO;
	use_list("20.0.0.1:1000", NULL, NULL);
	rig_init(&r, &config);
	rig_pass_ms(&r, 1);
	ck_assert(rig_take_request(&r, &s, &m));
	ck_assert_int_eq(s.meta.sock, r.client);
	rig_answer(&r, &s, &good);
	while (rig_take_request(&r, &s, &m))
		if (m.command == RPC_PING_NAT)
			check = s;
	ck_assert_uint_gt(check.len, 0);
	ck_assert_int_eq(check.meta.sock, r.client);
	rig_pass_ms(&r, 200);
	ck_assert(!bootstrapped());
	/* The reply arrives on the server socket: we are not firewalled. */
	ck_assert(r.d->self.firewalled);
	nat.sock = r.server + 1;
	nat.us = &r.self;
	if (_i == 0)
		rig_answer(&r, &check, &nat);
	while (!bootstrapped()) {
		rig_pass_ms(&r, 1);
		while (rig_take_request(&r, &s, &m)) {
			if (m.command == RPC_PING_NAT && _i == 0)
				rig_answer(&r, &s, &nat);
			else if (m.command != RPC_PING_NAT)
				rig_answer(&r, &s, &good);
		}
	}
	ck_assert(r.d->self.firewalled == (_i != 0));
	/* Still ephemeral: the id is sent only after the stable time. */
	ck_assert(!dht_is_persistent(r.d));
	ck_assert_uint_eq(r.d->joining.walks, _i == 0 ? 2 : 1);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dht_join", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(
	    tc, binds_in_the_order_of_the_reference, 0, T_ROWS(binds));
	tcase_add_test(tc, a_start_that_failed_can_be_freed);
	tcase_add_test(tc, a_lone_node_is_bootstrapped);
	tcase_add_test(tc, a_silent_list_is_asked_again);
	tcase_add_test(tc, a_query_at_once_waits_for_the_list);
	tcase_add_test(tc, a_held_query_ends_with_the_node);
	tcase_add_test(tc, nothing_but_the_list_is_asked);
	tcase_add_test(tc, names_are_looked_up_side_by_side);
	tcase_add_loop_test(tc, a_name_that_fails_is_skipped, 0, 2);
	tcase_add_loop_test(tc, the_name_stands_in_for_its_address, 0, 2);
	tcase_add_test(tc, a_busy_resolver_holds_nothing_up);
	tcase_add_test(tc, good_nodes_of_an_earlier_run_are_taken_in);
	tcase_add_loop_test(tc, waits_for_the_quick_check, 0, 2);
	return s;
}
