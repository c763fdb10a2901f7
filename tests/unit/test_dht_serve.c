/* SPDX-License-Identifier: ISC */
/*
 * Goal: requests are answered from the right socket, with the right fields and
 * within budgets; what must stay silent does. Method: one dht in a simulated
 * world; the golden exchanges run in test_node.c.
 */
#include <stdlib.h>
#include <string.h>

#include "world/alloc.h"
#include "base/err.h"
#include "dht_rig.h"
#include "t.h"

static struct rig r;
static const struct addr peer = {
    .ip = {192, 0, 2, 7}, .port = 50001, .family = ADDR_V4};

/* ---- helpers ---- */

static void
teardown(void)
{
	rig_fini(&r);
}

static int
request(int sock, const struct addr *from, bool internal, uint64_t command,
    const uint8_t *target, struct bytes value)
{
	struct rpc_request m = {
	    .tid = 4660,
	    .internal = internal,
	    .command = command,
	    .target = target,
	    .value = value,
	};

	return rig_request(&r, sock, from, &m);
}

/* As dht_recv(), with its allocations counted. */
static int
counted(const struct dgram *dg)
{
	int err;

	alloc_counting = true;
	err = dht_recv(r.d, dg, &r.rq);
	if (err == DHT_HANDED_UP)
		rig_answer_up(&r, &r.rq);
	alloc_counting = false;
	return err;
}

static int
ping(int sock, const struct addr *from)
{
	return request(sock, from, true, RPC_PING, NULL, (struct bytes){0});
}

static const uint8_t target[RPC_TARGET_LEN] = {0x55};

static int
find_node(const struct addr *from)
{
	return request(
	    r.server, from, true, RPC_FIND_NODE, target, (struct bytes){0});
}

static int
delayed_ping(const struct addr *from, uint32_t ms)
{
	uint8_t value[4];
	struct wr w = wr_init(value, sizeof value);

	wr_le32(&w, ms);
	return request(r.server, from, true, RPC_DELAYED_PING, NULL,
	    (struct bytes){value, sizeof value});
}

/* The one reply that must have left. */
static struct rpc_reply
the_reply(struct sim_sent *s)
{
	struct rpc_reply m = {0};
	struct sim_sent more;

	ck_assert(rig_take_reply(&r, s, &m));
	ck_assert(!rig_take(&r, &more));
	return m;
}

/* ---- which socket, which id ---- */

/* Pitfalls R2, R5: replies leave from the socket asked; the id only when
 * persistent and from the server socket. All four cases. */
static const struct {
	enum dht_role role;
	bool server, id;
} ids[] = {
    {DHT_AUTO, false, false},
    {DHT_AUTO, true, false},
    {DHT_BOOTSTRAP, false, false},
    {DHT_BOOTSTRAP, true, true},
};

START_TEST(replies_carry_the_id_only_where_it_is_true)
{
	struct sim_sent s;
	struct rpc_reply m;
	uint8_t id[ID_LEN];
	int sock;

	rig_init_alone(&r, ids[_i].role);
	id_of_addr(id, &r.self);
	sock = ids[_i].server ? r.server : r.client;
	ping(sock, &peer);
	m = the_reply(&s);
	ck_assert_int_eq(s.meta.sock, sock);
	ck_assert(addr_equal(&s.meta.to, &peer));
	ck_assert((m.id != NULL) == ids[_i].id);
	if (m.id != NULL)
		ck_assert_mem_eq(m.id, id, ID_LEN);
	ck_assert_ptr_null(m.token);
}
END_TEST

START_TEST(replies_from_the_address_that_was_asked)
{
	uint8_t buf[64];
	struct rpc_request m = {.internal = true, .to = peer};
	struct dgram dg = {.buf = buf, .from = peer};
	struct sim_sent s;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	dg.len = rpc_request_encode(&m, buf, sizeof buf);
	dg.sock = r.server;
	dg.local = addr_v4(203, 0, 113, 99, 0);
	ck_assert_int_eq(dht_recv(r.d, &dg, &r.rq), 0);
	the_reply(&s);
	ck_assert(addr_equal(&s.meta.local, &dg.local));
}
END_TEST

/*
 * Pitfall R10: error 1 with closer nodes, never silence, also while ephemeral.
 */
static const struct {
	enum dht_role role;
	bool internal;
	uint64_t command;
} unknown[] = {
    {DHT_BOOTSTRAP, true, 9},
    {DHT_AUTO, true, 9},
    {DHT_AUTO, true, UINT64_C(0x1fffffffffffff)},
    {DHT_AUTO, false, 77},
    {DHT_AUTO, false, 3},
};

START_TEST(unknown_commands_get_error_1)
{
	for (int with_target = 0; with_target < 2; with_target++) {
		struct sim_sent s;
		struct rpc_reply m;

		rig_init_alone(&r, unknown[_i].role);
		rig_fill_table(&r, 5);
		request(r.server, &peer, unknown[_i].internal,
		    unknown[_i].command, with_target ? target : NULL,
		    (struct bytes){0});
		m = the_reply(&s);
		ck_assert_uint_eq(m.error, RPC_UNKNOWN_COMMAND);
		ck_assert_ptr_null(m.token);
		ck_assert_uint_eq(
		    m.closer.len / ADDR_WIRE4_LEN, with_target ? 5 : 0);
		if (with_target == 0)
			rig_fini(&r);
	}
}
END_TEST

/* Pitfall R8: before anything else, for any command, with a fresh token. */
START_TEST(a_bad_token_is_refused_by_every_command)
{
	static const uint8_t bad[RPC_TOKEN_LEN];
	struct addr from = peer;
	uint8_t id[ID_LEN], fresh[RPC_TOKEN_LEN];
	struct rpc_request m = {.token = bad, .id = id};

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 3);
	id_of_addr(id, &peer);
	dht_token(r.d, &peer, fresh);
	for (unsigned command = 0; command < 12; command++)
		for (int k = 0; k < 4; k++) {
			struct sim_sent s;
			struct rpc_reply re;

			m.command = command;
			m.internal = k & 1;
			m.target = k & 2 ? target : NULL;
			rig_request(&r, r.server, &from, &m);
			re = the_reply(&s);
			ck_assert_uint_eq(re.error, RPC_INVALID_TOKEN);
			ck_assert_ptr_nonnull(re.token);
			ck_assert_mem_eq(re.token, fresh, sizeof fresh);
			ck_assert_uint_eq(
			    re.closer.len / ADDR_WIRE4_LEN, k & 2 ? 3 : 0);
		}
	ck_assert_uint_eq(r.handed_up, 0);
	/* And the sender is not even a candidate. */
	ck_assert_uint_eq(r.host.stats.candidates, 0);
	ck_assert(!rig_knows(&r, &peer));
	/* The one just given is good, from another port too. */
	m.token = fresh;
	m.internal = true;
	m.command = RPC_PING;
	from.port++;
	m.id = NULL;
	ck_assert_int_eq(rig_request(&r, r.server, &from, &m), 0);
	ck_assert_uint_eq(r.host.stats.drop[-ERR_TOKEN], 48);
}
END_TEST

/* Pitfall C2: what the reference accepts. */
static const char *const tolerated[] = {
    "0324341200000000000000",           /* an unknown flag bit */
    "03043412000000000000001122334455", /* five bytes more */
    "03043412000000000000fd0000",       /* the command in three bytes */
    "03fd0400341200000000000000",       /* flags in three bytes */
};

START_TEST(tolerates_what_the_reference_does)
{
	struct sim_sent s;
	size_t len;
	uint8_t *buf = t_hex(tolerated[_i], &len);

	rig_init_alone(&r, DHT_BOOTSTRAP);
	ck_assert_int_eq(rig_deliver(&r, r.server, &peer, buf, len), 0);
	the_reply(&s);
	free(buf);
}
END_TEST

/* ---- what is not answered ---- */

START_TEST(ignores_impossible_sources)
{
	struct addr a = peer;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	a.port = 0;
	ck_assert_int_eq(ping(r.server, &a), ERR_PORT);
	a = addr_v4(255, 255, 255, 255, 5);
	ck_assert_int_eq(ping(r.server, &a), ERR_PRIVATE);
	a = addr_v4(224, 0, 0, 1, 5);
	ck_assert_int_eq(ping(r.server, &a), ERR_PRIVATE);
	ck_assert_uint_eq(r.host.world.sent_len, 0);
}
END_TEST

/* A public node sends nothing into a private network. */
START_TEST(a_public_node_ignores_private_sources)
{
	static const uint8_t hosts[][4] = {{127, 0, 0, 1}, {10, 1, 1, 1},
	    {172, 16, 0, 1}, {192, 168, 1, 1}, {169, 254, 1, 1},
	    {100, 64, 0, 1}};

	rig_init_alone(&r, DHT_BOOTSTRAP);
	for (int i = 0; i < T_ROWS(hosts); i++) {
		const uint8_t *h = hosts[i];
		struct addr a = addr_v4(h[0], h[1], h[2], h[3], 4000);

		ck_assert_int_eq(ping(r.server, &a), ERR_PRIVATE);
		/* Nor does it do so at the request of another node. */
		ck_assert(!dht_may_send(r.d, &a));
	}
	ck_assert_uint_eq(r.host.world.sent_len, 0);
	ck_assert_uint_eq(r.host.stats.drop[-ERR_PRIVATE], T_ROWS(hosts));
}
END_TEST

START_TEST(a_private_network_serves_its_own)
{
	struct addr a = addr_v4(10, 1, 1, 1, 4000);
	struct dht_config c;
	struct sim_sent s;

	rig_config(&c, DHT_BOOTSTRAP);
	c.private_network = true;
	rig_init(&r, &c);
	rig_pass_ms(&r, 1);
	rig_skip(&r);
	ck_assert_int_eq(ping(r.server, &a), 0);
	the_reply(&s);
	/* Without budgets: 5000 answers to one host in one instant. */
	rig_fill_table(&r, 40);
	for (int i = 0; i < 5000; i++) {
		ck_assert_int_eq(find_node(&a), 0);
		rig_skip(&r);
	}
	ck_assert_uint_eq(r.host.stats.replies_lean, 0);
}
END_TEST

START_TEST(a_full_batch_loses_only_the_reply)
{
	rig_init_alone(&r, DHT_BOOTSTRAP);
	r.host.world.batch_max = 1;
	ck_assert_int_eq(ping(r.server, &peer), 0);
	ck_assert_int_eq(ping(r.server, &peer), ERR_FULL);
	ck_assert_uint_eq(r.host.stats.tx_refused, 1);
	rig_skip(&r);
	ck_assert_int_eq(ping(r.server, &peer), 0);
}
END_TEST

/* ---- PING_NAT, DOWN_HINT ---- */

START_TEST(ping_nat_answers_at_the_port_named)
{
	static const uint8_t value[] = {0x34, 0x12, 0xff};
	struct sim_sent s;
	struct rpc_reply m;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	request(r.server, &peer, true, RPC_PING_NAT, NULL,
	    (struct bytes){value, sizeof value});
	m = the_reply(&s);
	ck_assert_uint_eq(s.meta.to.port, 0x1234);
	ck_assert(addr_same_host(&s.meta.to, &peer));
	ck_assert(addr_equal(&m.to, &s.meta.to));
	ck_assert_int_eq(s.meta.sock, r.server);
}
END_TEST

static unsigned
hint_and_count_pings(const struct addr *down)
{
	uint8_t value[ADDR_WIRE4_LEN];
	struct wr w = wr_init(value, sizeof value);
	struct rpc_request m;
	struct sim_sent s;
	unsigned pings = 0;

	wr_addr4(&w, down);
	ck_assert_int_eq(request(r.server, &peer, true, RPC_DOWN_HINT, NULL,
			     (struct bytes){value, sizeof value}),
	    0);
	while (rig_take_request(&r, &s, &m)) {
		ck_assert(addr_equal(&s.meta.to, down));
		pings++;
	}
	return pings;
}

/*
 * Pitfall T3: a hint causes a check, never a removal; at most three at a time.
 */
START_TEST(down_hints_are_checked_and_bounded)
{
	struct addr a = rig_host(0);
	unsigned pings = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	ck_assert_uint_eq(hint_and_count_pings(&a), 0);
	rig_fill_table(&r, 20);
	/* The first hint: checked even if it was active in this tick. */
	ck_assert_uint_eq(hint_and_count_pings(&a), 1);
	ck_assert_uint_eq(hint_and_count_pings(&a), 0);
	ck_assert(rig_knows(&r, &a));
	for (unsigned i = 1; i < 20; i++) {
		struct addr b = rig_host(i);

		pings += hint_and_count_pings(&b);
	}
	ck_assert_uint_eq(pings, 2);
}
END_TEST

/* Protocol 01 §8.5: a reply with an id keeps a node, though it was active in
 * this tick. */
START_TEST(a_hinted_node_that_answers_stays)
{
	struct addr a = rig_host(1);
	uint8_t value[ADDR_WIRE4_LEN];
	struct wr w = wr_init(value, sizeof value);

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_learn(&r, &a);
	wr_addr4(&w, &a);
	request(r.server, &peer, true, RPC_DOWN_HINT, NULL,
	    (struct bytes){value, sizeof value});
	rig_live_ms(&r, 20000);
	ck_assert(rig_knows(&r, &a));
}
END_TEST

/* ---- DELAYED_PING (pitfall R16) ---- */

START_TEST(a_delayed_ping_is_answered_when_it_said)
{
	struct sim_sent s;
	struct rpc_reply m;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	ck_assert_int_eq(delayed_ping(&peer, 10001), ERR_LIMIT);
	ck_assert_int_eq(delayed_ping(&peer, UINT32_MAX), ERR_LIMIT);
	ck_assert_int_eq(delayed_ping(&peer, 10000), 0);
	rig_pass_ms(&r, 9999);
	ck_assert(!rig_take_reply(&r, &s, &m));
	rig_pass_ms(&r, 1);
	ck_assert(rig_take_reply(&r, &s, &m));
	ck_assert(addr_equal(&s.meta.to, &peer));
	ck_assert_uint_eq(m.tid, 4660);
	ck_assert_ptr_nonnull(m.id);
	ck_assert(!rig_take_reply(&r, &s, &m));
	ck_assert_uint_eq(r.host.stats.delayed_served, 1);
	ck_assert_uint_eq(r.host.stats.delayed_refused, 2);
}
END_TEST

/* Returns how many timers of the heap are armed below and beside t. */
static size_t
count_timers(const struct timer *t)
{
	size_t n = 0;

	for (; t != NULL; t = t->next)
		n += 1 + count_timers(t->child);
	return n;
}

/* Pitfall R16: 100,000 of them: flat memory, bounded timers, and all are gone
 * after. */
START_TEST(delayed_pings_are_bounded)
{
	static uint8_t buf[64];
	struct rpc_request m = {.internal = true,
	    .command = RPC_DELAYED_PING,
	    .value = {(const uint8_t *)"\x28\x23\0", 4}}; /* 9000 ms */
	struct dgram dg = {.buf = buf};
	unsigned prefix = 0;
	size_t timers;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	for (unsigned i = 0; i < 17; i++) {
		struct addr a = addr_v4(20, 0, 0, (uint8_t)i, 4000);

		prefix += delayed_ping(&a, 9000) == 0;
	}
	ck_assert_uint_eq(prefix, 16);
	for (unsigned i = 0; i < 2000; i++) {
		struct addr a = rig_host(i);

		delayed_ping(&a, 9000);
	}
	ck_assert_uint_eq(r.d->responder.delayed_pool.len, 1024);
	timers = count_timers(r.host.timers.root);
	m.to = r.self;
	dg.sock = r.server;
	dg.len = rpc_request_encode(&m, buf, sizeof buf);
	for (unsigned i = 0; i < 100000; i++) {
		/* Of hosts already seen, so that budgets add no memory. */
		dg.from = rig_host(i % 2000);
		counted(&dg);
		if (r.d->responder.delayed_pool.len > 1024)
			ck_abort_msg("at %u", i);
	}
	ck_assert_uint_eq(alloc_count, 0);
	ck_assert_uint_eq(count_timers(r.host.timers.root), timers);
	rig_pass_ms(&r, 9001);
	ck_assert_uint_eq(r.d->responder.delayed_pool.len, 0);
	ck_assert(TAILQ_EMPTY(&r.d->responder.delayed));
	ck_assert_uint_eq(r.host.stats.delayed_served, 1024);
}
END_TEST

/* A reload may lower the limit below what waits. */
START_TEST(delayed_pings_obey_lowered_limits)
{
	struct limits l;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	for (unsigned i = 0; i < 100; i++) {
		struct addr a = rig_host(i);

		delayed_ping(&a, 9000);
	}
	limits_init(&l);
	l.delayed_pings = 0;
	r.host.limits = l;
	dht_limits_changed(r.d);
	for (unsigned i = 100; i < 300; i++) {
		struct addr a = rig_host(i);

		ck_assert_int_eq(delayed_ping(&a, 9000), ERR_LIMIT);
	}
	ck_assert_uint_eq(r.d->responder.delayed_pool.len, 0);
	/* Some may wait still when the node ends. */
	limits_init(&l);
	r.host.limits = l;
	dht_limits_changed(r.d);
	ck_assert_int_eq(delayed_ping(&peer, 9000), 0);
}
END_TEST

/* ---- budgets ---- */

/* 40 kB, then 4 kB/s: full replies, then lean ones, then silence. */
START_TEST(an_unvalidated_host_draws_no_more_than_its_budget)
{
	uint64_t bytes = 0, lean = 0, full = 0;
	bool silent = false;
	struct sim_sent s;
	struct rpc_reply m;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 40);
	for (int i = 0; i < 2000; i++) {
		int err = find_node(&peer);

		if (err == ERR_BUDGET) {
			silent = true;
			continue;
		}
		/* No full reply after the first lean one in an instant. */
		ck_assert_int_eq(err, 0);
		ck_assert(rig_take_reply(&r, &s, &m));
		bytes += s.len;
		if (m.closer.len > 0) {
			ck_assert_uint_eq(lean, 0);
			full++;
		} else {
			lean++;
		}
	}
	ck_assert(silent);
	ck_assert_uint_gt(full, 200);
	ck_assert_uint_gt(lean, 0);
	ck_assert_uint_eq(
	    r.host.stats.replies_lean, lean + r.host.stats.drop[-ERR_BUDGET]);
	ck_assert_uint_le(bytes, 40000);
	ck_assert_uint_gt(bytes, 39950);

	/* Ten seconds of it, from any port: 4 kB each. */
	bytes = 0;
	for (int step = 0; step < 1000; step++) {
		struct addr a = peer;

		rig_pass_ms(&r, 10);
		for (int i = 0; i < 5; i++) {
			a.port = (uint16_t)(1 + i);
			find_node(&a);
		}
		while (rig_take_reply(&r, &s, &m))
			bytes += s.len;
	}
	ck_assert_uint_gt(bytes, 9 * 4000);
	ck_assert_uint_le(bytes, 10 * 4000 + 50);
}
END_TEST

/* A PING_NAT reply at a third port is charged to the budget of its host as
 * well. */
START_TEST(no_command_escapes_the_budget)
{
	static const uint8_t port[] = {0x34, 0x12}, bad[RPC_TOKEN_LEN];
	static uint8_t id[ID_LEN];
	struct rpc_request m[] = {
	    {.internal = true, .command = RPC_PING},
	    {.internal = true,
		.command = RPC_PING_NAT,
		.value = {port, sizeof port}},
	    {.internal = true, .command = RPC_FIND_NODE, .target = target},
	    {.internal = true, .command = 9, .target = target},
	    {.internal = true, .command = RPC_PING, .token = bad},
	    {.internal = false, .command = 3, .target = target},
	    {.internal = true, .command = RPC_PING, .id = id},
	};
	uint64_t bytes = 0;
	struct sim_sent s;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 40);
	id_of_addr(id, &peer);
	for (int i = 0; i < 3000; i++)
		rig_request(&r, r.server, &peer, &m[i % T_ROWS(m)]);
	for (unsigned i = 0; i < 20; i++)
		delayed_ping(&peer, 100);
	while (rig_take(&r, &s)) {
		ck_assert(addr_same_host(&s.meta.to, &peer));
		bytes += s.len;
	}
	ck_assert_uint_le(bytes, 40000);
	/* A delayed reply is charged when it is sent. */
	rig_pass_ms(&r, 200);
	while (rig_take(&r, &s))
		bytes += s.len;
	ck_assert_uint_le(bytes, 40000 + 800);
}
END_TEST

static void
prove(const struct addr *from)
{
	uint8_t token[RPC_TOKEN_LEN];
	struct rpc_request m = {
	    .internal = true, .command = RPC_PING, .token = token};

	dht_token(r.d, from, token);
	ck_assert_int_eq(rig_request(&r, r.server, from, &m), 0);
	rig_skip(&r);
}

/* Pitfall R15: a whole network behind one address may bootstrap: 200, then
 * 100/s. */
START_TEST(a_proven_host_gets_all_it_needs)
{
	unsigned answered = 0;
	struct sim_sent s;
	struct rpc_reply m;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 40);
	/* Its budget may be used up: a valid token suffices. */
	while (find_node(&peer) == 0)
		;
	rig_pass_ms(&r, 100);
	prove(&peer);
	for (int i = 0; i < 1000; i++) {
		struct addr a = peer;

		a.port = (uint16_t)(1 + i);
		if (find_node(&a) == 0)
			answered++;
	}
	ck_assert_uint_ge(answered, 199);
	ck_assert_uint_le(answered, 200);
	while (rig_take_reply(&r, &s, &m))
		ck_assert_uint_eq(m.closer.len / ADDR_WIRE4_LEN, RPC_K);
	answered = 0;
	for (int i = 0; i < 1000; i++) {
		rig_pass_ms(&r, 5);
		answered += find_node(&peer) == 0;
	}
	ck_assert_uint_ge(answered, 499);
	ck_assert_uint_le(answered, 501);
}
END_TEST

/* A reply to a request of ours validates a host as well. */
START_TEST(an_answer_proves_its_host)
{
	struct addr a = rig_host(3);
	unsigned answered = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_learn(&r, &a);
	rig_fill_table(&r, 40);
	for (int i = 0; i < 200; i++)
		answered += find_node(&a) == 0;
	ck_assert_uint_eq(answered, 200);
	ck_assert_uint_eq(r.host.stats.replies_lean, 0);
}
END_TEST

/* Replies to a user command: a value of 1,000 bytes, a token, closer nodes. */
static void
reply_with_value(struct rig *rig, const struct dht_request *rq)
{
	static const uint8_t value[1000];
	struct dht_reply re = {
	    .token = true, .closer = true, .value = {value, sizeof value}};

	dht_reply(rig->d, rq, &re);
}

static int
get_value(const struct addr *from, const uint8_t *token)
{
	struct rpc_request m = {
	    .tid = 7, .command = 3, .target = target, .token = token};

	return rig_request(&r, r.server, from, &m);
}

/* A validated address may be forged in requests without a token: these draw a
 * bounded number of bytes, and those with a token still get what they ask for.
 */
START_TEST(requests_without_a_token_draw_a_budget)
{
	uint64_t received = 0, bytes = 0, bare = 0;
	uint8_t token[RPC_TOKEN_LEN];
	struct sim_sent s;
	struct rpc_reply m;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 40);
	r.serve = reply_with_value;
	prove(&peer);
	for (int i = 0; i < 2000; i++) {
		rig_pass_ms(&r, 5);
		get_value(&peer, NULL);
		received += 43;
		while (rig_take_reply(&r, &s, &m)) {
			bytes += s.len;
			bare += m.value.p == NULL;
		}
	}
	ck_assert_uint_gt(bytes, 10 * 16384);
	ck_assert_uint_le(bytes, 65536 + 10 * 16384 + 3 * received);
	ck_assert_uint_gt(bare, 0);
	dht_token(r.d, &peer, token);
	for (int i = 0; i < 150; i++) {
		get_value(&peer, token);
		ck_assert(rig_take_reply(&r, &s, &m));
		ck_assert_uint_eq(m.value.len, 1000);
	}
}
END_TEST

/* Thirty nodes behind one address: five queries each, none with a token. */
START_TEST(nodes_behind_one_address_bootstrap_at_once)
{
	struct sim_sent s;
	struct rpc_reply m;
	unsigned full = 0;

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 40);
	prove(&peer);
	for (int i = 0; i < 150; i++) {
		struct addr a = peer;

		a.port = (uint16_t)(1000 + i % 30);
		ck_assert_int_eq(find_node(&a), 0);
	}
	while (rig_take_reply(&r, &s, &m))
		full += m.closer.len / ADDR_WIRE4_LEN == RPC_K;
	ck_assert_uint_eq(full, 150);
}
END_TEST

/* Thousands of forged sources do not renew the budget of a victim. */
START_TEST(a_spoofed_flood_renews_no_budget)
{
	uint64_t bytes = 0;
	struct dht_config c;
	struct sim_sent s;

	rig_config(&c, DHT_BOOTSTRAP);
	rig_init(&r, &c);
	r.host.limits.sources = 256;
	dht_limits_changed(r.d);
	rig_pass_ms(&r, 1);
	rig_skip(&r);
	rig_fill_table(&r, 40);
	while (find_node(&peer) == 0)
		;
	rig_skip(&r);
	for (unsigned i = 0; i < 20000; i++) {
		struct addr a = rig_host(i);

		find_node(&a);
		if (i % 20 == 0) {
			rig_pass_ms(&r, 5);
			find_node(&peer);
		}
		while (rig_take(&r, &s))
			if (addr_same_host(&s.meta.to, &peer))
				bytes += s.len;
	}
	/* Five seconds, no more than 4 kB each. */
	ck_assert_uint_le(bytes, 5 * 4000);
	ck_assert_uint_le(r.d->limiter.pool.len, 256);
}
END_TEST

/* ---- speed: nothing is allocated on the way of a request ---- */

START_TEST(answers_without_allocating)
{
	static uint8_t buf[3][DGRAM_MAX];
	struct rpc_request m[] = {
	    {.internal = true, .command = RPC_PING},
	    {.internal = true, .command = RPC_FIND_NODE, .target = target},
	    {.internal = false, .command = 3, .target = target},
	};
	struct dgram dg[3];
	struct addr from[100];

	rig_init_alone(&r, DHT_BOOTSTRAP);
	rig_fill_table(&r, 60);
	for (int i = 0; i < 3; i++) {
		m[i].to = r.self;
		dg[i] = (struct dgram){.buf = buf[i], .sock = r.server};
		dg[i].len = rpc_request_encode(&m[i], buf[i], DGRAM_MAX);
	}
	for (unsigned i = 0; i < 100; i++) {
		from[i] = rig_host(1000 + i);
		prove(&from[i]);
	}
	for (unsigned i = 0; i < 30000; i++) {
		struct dgram *g = &dg[i % 3];

		g->from = from[i / 3 % 100];
		if (counted(g) < 0)
			ck_abort_msg("not answered: %u", i);
		rig_skip(&r);
		r.host.world.w.now_us += 1000;
	}
	ck_assert_uint_eq(alloc_count, 0);
	ck_assert_uint_ge(r.host.stats.requests_served, 30000);
	/* The counter counts: a host never seen needs a budget. */
	for (unsigned i = 0; i < 1000; i++) {
		dg[0].from = rig_host(2000 + i);
		counted(&dg[0]);
		rig_skip(&r);
	}
	ck_assert_uint_gt(alloc_count, 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("dht_serve", &tc);

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_loop_test(
	    tc, replies_carry_the_id_only_where_it_is_true, 0, T_ROWS(ids));
	tcase_add_test(tc, replies_from_the_address_that_was_asked);
	tcase_add_loop_test(
	    tc, unknown_commands_get_error_1, 0, T_ROWS(unknown));
	tcase_add_test(tc, a_bad_token_is_refused_by_every_command);
	tcase_add_loop_test(
	    tc, tolerates_what_the_reference_does, 0, T_ROWS(tolerated));
	tcase_add_test(tc, ignores_impossible_sources);
	tcase_add_test(tc, a_public_node_ignores_private_sources);
	tcase_add_test(tc, a_private_network_serves_its_own);
	tcase_add_test(tc, a_full_batch_loses_only_the_reply);
	tcase_add_test(tc, ping_nat_answers_at_the_port_named);
	tcase_add_test(tc, down_hints_are_checked_and_bounded);
	tcase_add_test(tc, a_hinted_node_that_answers_stays);
	tcase_add_test(tc, a_delayed_ping_is_answered_when_it_said);
	tcase_add_test(tc, delayed_pings_are_bounded);
	tcase_add_test(tc, delayed_pings_obey_lowered_limits);
	tcase_add_test(tc, an_unvalidated_host_draws_no_more_than_its_budget);
	tcase_add_test(tc, no_command_escapes_the_budget);
	tcase_add_test(tc, a_proven_host_gets_all_it_needs);
	tcase_add_test(tc, an_answer_proves_its_host);
	tcase_add_test(tc, requests_without_a_token_draw_a_budget);
	tcase_add_test(tc, nodes_behind_one_address_bootstrap_at_once);
	tcase_add_test(tc, a_spoofed_flood_renews_no_budget);
	tcase_add_test(tc, answers_without_allocating);
	return s;
}
