/* SPDX-License-Identifier: ISC */
/*
 * Goal: a key stays reachable through three suitable relays, whatever these
 * and the network do, and no replaced relay keeps forwarding.
 *
 * Method: a real DHT node with scripted nodes in its routing table, which
 * store announces and report the address that they see. The test counts the
 * nodes that hold the key and drops single answers.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "relay_net.h"
#include "signal/announcer.h"
#include "t.h"

enum { NODES = 12, KEYS = 2 };

struct fake_node {
	struct addr addr;
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN];
	struct addr us; /* our address as it sees it */
	bool holds[KEYS];
	bool silent, refuses, hangs; /* hangs: ANNOUNCE is not answered */
	uint32_t pings, announces, withdrawals, queried;
	uint32_t relays_signed; /* relay addresses in the latest announce */
	int ping_sock, announce_sock;
};

struct rig {
	struct relay_net n;
	struct fake_node nodes[NODES];
	struct key_pair keys[KEYS];
	struct announcer *a;
	struct announced *k[KEYS];
	uint32_t changes, ends;
	int err;        /* the latest one reported */
	uint32_t asked; /* requests received so far */
	/* The number of the request that gets no answer; 0: none. */
	uint32_t drop;
};

static void
on_changed(void *owner, int err)
{
	struct rig *g = owner;

	g->changes++;
	g->err = err;
}

static void
on_ended(void *owner)
{
	struct rig *g = owner;

	g->ends++;
}

static void
rig_init(struct rig *g, size_t nodes)
{
	struct dht_config c;

	memset(g, 0, sizeof *g);
	relay_config(&c);
	relay_init(&g->n, &c, "203.0.113.10:49737");
	for (size_t i = 0; i < nodes; i++) {
		struct fake_node *f = &g->nodes[i];

		f->addr = addr_v4(20, 0, (uint8_t)i, 1, 49737);
		id_of_addr(f->id, &f->addr);
		memset(f->token, (int)i + 1, sizeof f->token);
		f->us = g->n.self;
		relay_learn(&g->n, &f->addr);
	}
	for (uint8_t i = 0; i < KEYS; i++) {
		uint8_t seed[KEY_SEED_LEN];

		memset(seed, i + 1, sizeof seed);
		key_pair_from_seed(&g->keys[i], seed);
	}
	g->a = announcer_new(&g->n.host.core, g->n.d);
	ck_assert_ptr_nonnull(g->a);
}

static void
rig_fini(struct rig *g)
{
	dht_end(g->n.d);
	announcer_free(g->a);
	relay_fini(&g->n);
}

static void
rig_add(struct rig *g, int key)
{
	struct announcer_sink sink = {on_changed, on_ended, g};

	ck_assert_int_eq(
	    announcer_add(g->a, &g->keys[key], sink, &g->k[key]), 0);
}

/* ---- the scripted nodes ---- */

static int
key_of(const struct rig *g, const uint8_t *target)
{
	for (int i = 0; i < KEYS; i++) {
		uint8_t t[HASH_LEN];

		key_target(t, g->keys[i].public_key);
		if (memcmp(t, target, HASH_LEN) == 0)
			return i;
	}
	return -1;
}

/* Checks that the request is signed by one of our keys for this node. */
static void
check_announce(const struct rig *g, struct fake_node *f,
    const struct rpc_request *m, enum key_namespace ns)
{
	struct announce_scope scope = {m->target, f->id, f->token};
	struct announce a;
	int key = key_of(g, m->target);

	ck_assert_mem_eq(m->token, f->token, sizeof f->token);
	ck_assert_int_eq(announce_decode(&a, m->value.p, m->value.len), 0);
	ck_assert_int_eq(announce_verify(&a, ns, &scope), 0);
	ck_assert_mem_eq(a.peer.key, g->keys[key].public_key, KEY_LEN);
	f->relays_signed = (uint32_t)peer_relays_len(&a.peer);
}

/* Applies a request and fills in the reply. Returns false to send none. */
static bool
serve_request(struct rig *g, struct fake_node *f, const struct rpc_request *m,
    int sock, struct rpc_reply *re)
{
	static uint8_t buf[PEER_LEN_MAX];
	int key = m->target != NULL ? key_of(g, m->target) : -1;

	if (m->internal) {
		f->pings += m->command == RPC_PING;
		f->ping_sock = sock;
		return !f->silent;
	}
	ck_assert_int_ge(key, 0);
	switch (m->command) {
	case CMD_FIND_PEER:
		f->queried++;
		re->token = f->token;
		if (f->holds[key]) {
			struct peer_record p = {.key = g->keys[key].public_key};

			re->value.p = buf;
			re->value.len = peer_encode(&p, buf, sizeof buf);
		}
		return !f->silent;
	case CMD_ANNOUNCE:
		if (f->silent)
			return false;
		check_announce(g, f, m, NS_ANNOUNCE);
		f->announce_sock = sock;
		f->announces++;
		if (f->refuses)
			re->error = RPC_UNKNOWN_COMMAND;
		else
			f->holds[key] = true;
		return !f->hangs;
	case CMD_UNANNOUNCE:
		if (f->silent)
			return false;
		check_announce(g, f, m, NS_UNANNOUNCE);
		f->withdrawals++;
		f->holds[key] = false;
		return true;
	default:
		ck_abort_msg("the announcer never sends this command");
		return false;
	}
}

/* Delivers a request to the node it was sent to, and the reply. */
static void
deliver_request(struct rig *g, const struct sim_sent *s)
{
	struct rpc_request m;
	struct rpc_reply re;
	uint8_t buf[DGRAM_MAX];
	struct dht_request rq;

	if (rpc_kind(s->buf[0]) != RPC_REQUEST)
		return;
	ck_assert_int_eq(rpc_request_decode(&m, s->buf, s->len), 0);
	for (size_t i = 0; i < NODES; i++) {
		struct fake_node *f = &g->nodes[i];
		struct dgram dg = {
		    .buf = buf, .sock = s->meta.sock, .from = f->addr};

		if (!addr_equal(&f->addr, &s->meta.to))
			continue;
		re = (struct rpc_reply){.tid = m.tid, .to = f->us, .id = f->id};
		if (++g->asked == g->drop ||
		    !serve_request(g, f, &m, s->meta.sock, &re))
			return;
		dg.len = rpc_reply_encode(&re, buf, sizeof buf);
		dht_recv(g->n.d, &dg, &rq);
	}
}

static void
settle(struct rig *g)
{
	while (g->n.host.world.sent_len > 0) {
		size_t len = g->n.host.world.sent_len;
		struct sim_sent *sent = malloc(len * sizeof *sent);

		memcpy(sent, g->n.host.world.sent, len * sizeof *sent);
		sim_clear(&g->n.host.world);
		for (size_t i = 0; i < len; i++)
			deliver_request(g, &sent[i]);
		free(sent);
	}
}

static void
run(struct rig *g, uint64_t ms)
{
	settle(g);
	for (uint64_t t = 0; t < ms; t += 100) {
		relay_pass_ms(&g->n, 100);
		settle(g);
	}
}

static unsigned
holders(const struct rig *g, int key)
{
	unsigned n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += g->nodes[i].holds[key];
	return n;
}

static struct fake_node *
holder(struct rig *g, int key, unsigned nth)
{
	for (size_t i = 0; i < NODES; i++)
		if (g->nodes[i].holds[key] && nth-- == 0)
			return &g->nodes[i];
	ck_abort_msg("fewer nodes hold the key");
	return NULL;
}

static uint32_t
announces(const struct rig *g)
{
	uint32_t n = 0;

	for (size_t i = 0; i < NODES; i++)
		n += g->nodes[i].announces;
	return n;
}

/* Sets up a key that was announced some time ago. */
static void
rig_announced(struct rig *g)
{
	rig_init(g, NODES);
	rig_add(g, 0);
	run(g, 15000);
}

/* ---- the tests ---- */

/* Pitfalls A6, A13: chooses the three closest of equal nodes, and no others. */
START_TEST(three_hold_it)
{
	struct rig g;
	const struct relay_set *s;
	uint8_t target[HASH_LEN];

	rig_init(&g, NODES);
	rig_add(&g, 0);
	run(&g, 1000);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_uint_eq(g.changes, 1);
	ck_assert_int_eq(g.err, 0);
	s = announced_relays(g.k[0]);
	ck_assert_uint_eq(s->len, 3);
	key_target(target, g.keys[0].public_key);
	for (unsigned i = 0; i < 3; i++) {
		struct fake_node *f = holder(&g, 0, i);
		unsigned nearer = 0;

		ck_assert_ptr_nonnull(relay_set_find(s, &f->addr));
		ck_assert(announced_through(g.k[0], &f->addr));
		ck_assert_uint_eq(f->relays_signed, 0);
		for (size_t j = 0; j < NODES; j++)
			nearer += id_compare(target, g.nodes[j].id, f->id) < 0;
		ck_assert_uint_lt(nearer, 3);
		ck_assert(addr_equal(&s->at[i].us, &g.n.self));
	}
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall A6: a replaced relay gets an UNANNOUNCE. Pitfall A8: no relay is
 * replaced without need.
 */
START_TEST(lost_relay_is_replaced)
{
	struct rig g;
	struct fake_node *dead;

	rig_announced(&g);
	dead = holder(&g, 0, 1);
	dead->silent = true;
	run(&g, 12000);
	ck_assert_uint_eq(holders(&g, 0), 4); /* the dead one too */
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 3);
	ck_assert_ptr_null(
	    relay_set_find(announced_relays(g.k[0]), &dead->addr));
	/* A packet that this relay has just forwarded counts as relayed. */
	ck_assert(announced_through(g.k[0], &dead->addr));
	ck_assert_uint_eq(announces(&g), 6);
	rig_fini(&g);
}
END_TEST

START_TEST(replaced_relay_gets_unannounce)
{
	struct rig g;
	struct fake_node *f;

	rig_announced(&g);
	f = holder(&g, 0, 1);
	f->refuses = true; /* it holds the key but refuses to renew it */
	run(&g, 320000);
	ck_assert_uint_eq(f->withdrawals, 1);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert(!f->holds[0]);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall A8: ten cycles keep the same relays while the network is unchanged.
 */
START_TEST(same_relays_in_later_cycles)
{
	struct rig g;

	rig_init(&g, NODES);
	rig_add(&g, 0);
	run(&g, 10 * 300 * 1000);
	ck_assert_uint_ge(announces(&g), 30);
	ck_assert_uint_le(announces(&g), 36);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_uint_eq(g.changes, 1);
	rig_fini(&g);
}
END_TEST

/* Pitfall A7: returns the old set or the new one, never a part of one. */
START_TEST(list_changes_as_a_whole)
{
	struct rig g;
	struct fake_node *slow, *dead;
	struct relay_set before;

	rig_init(&g, NODES);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].hangs = true;
	rig_add(&g, 0);
	run(&g, 2000);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 0);
	rig_fini(&g);

	rig_announced(&g);
	before = *announced_relays(g.k[0]);
	slow = holder(&g, 0, 0);
	dead = holder(&g, 0, 2);
	slow->hangs = true;
	dead->silent = true;
	for (int i = 0; i < 100; i++) {
		const struct relay_set *s = announced_relays(g.k[0]);

		run(&g, 100);
		ck_assert(relay_set_same(s, &before) ||
			  relay_set_find(s, &dead->addr) == NULL);
		ck_assert_uint_ge(s->len, 2);
	}
	rig_fini(&g);
}
END_TEST

/* Pitfall A9: the key is announced and renewed whichever answer is lost. */
START_TEST(any_answer_may_be_lost)
{
	struct rig g;

	rig_init(&g, 5);
	g.drop = (uint32_t)_i + 1;
	rig_add(&g, 0);
	run(&g, 320000);
	ck_assert_uint_ge(holders(&g, 0), 3);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 3);
	ck_assert_uint_ge(announces(&g), 6);
	rig_fini(&g);
}
END_TEST

/* Pitfall A9: a request that cannot be sent does not stop the cycles. */
START_TEST(refused_requests)
{
	struct rig g;
	struct limits l;

	rig_init(&g, NODES);
	l = g.n.host.limits;
	l.requests = 0;
	g.n.host.limits = l;
	dht_limits_changed(g.n.d);
	rig_add(&g, 0);
	run(&g, 30000);
	ck_assert_int_ne(g.err, 0);
	ck_assert_uint_eq(g.changes, 1);
	limits_init(&l);
	g.n.host.limits = l;
	dht_limits_changed(g.n.d);
	run(&g, 33000);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_int_eq(g.err, 0);
	rig_fini(&g);
}
END_TEST

/* Pitfall A9: the watchdog cancels a cycle that does not end. */
START_TEST(watchdog)
{
	struct rig g;

	rig_init(&g, NODES);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].silent = true;
	rig_add(&g, 0);
	run(&g, 200000);
	ck_assert_int_ne(g.err, 0);
	for (size_t i = 0; i < NODES; i++) {
		g.nodes[i].silent = false;
		relay_learn(&g.n, &g.nodes[i].addr);
	}
	run(&g, 65000);
	ck_assert_uint_eq(holders(&g, 0), 3);
	rig_fini(&g);
}
END_TEST

/* The first pong after an outage starts a cycle. */
START_TEST(back_online)
{
	struct rig g;
	uint32_t before;

	rig_announced(&g);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].silent = true;
	run(&g, 400000);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 3);
	before = announces(&g);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].silent = false;
	run(&g, 12000);
	ck_assert_uint_eq(announces(&g), before + 3);
	/* The relays are the same as before. */
	ck_assert_uint_eq(holders(&g, 0), 3);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall A10: pings every 3 s from the socket that announced, shared by keys.
 */
START_TEST(pings)
{
	struct rig g;

	rig_init(&g, 3);
	rig_add(&g, 0);
	rig_add(&g, 1);
	run(&g, 1000);
	for (int i = 0; i < 3; i++)
		g.nodes[i].pings = 0;
	run(&g, 60000);
	for (int i = 0; i < 3; i++) {
		ck_assert(g.nodes[i].holds[0] && g.nodes[i].holds[1]);
		ck_assert_uint_ge(g.nodes[i].pings, 19);
		ck_assert_uint_le(g.nodes[i].pings, 21);
		ck_assert_int_eq(
		    g.nodes[i].ping_sock, g.nodes[i].announce_sock);
	}
	rig_fini(&g);
}
END_TEST

/* Pitfall A11: a pong that shows a new mapping starts a cycle at once. */
START_TEST(drift)
{
	struct rig g;
	struct addr moved = relay_addr("203.0.113.10:1024");
	uint32_t before;

	rig_announced(&g);
	before = announces(&g);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].us = moved;
	run(&g, 4000);
	ck_assert_uint_eq(announces(&g), before + 3);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(
		    addr_equal(&announced_relays(g.k[0])->at[i].us, &moved));
	rig_fini(&g);
}
END_TEST

static void
learn(struct rig *g, uint32_t at_least_s)
{
	mapping_learn(
	    dht_mapping(g->n.d), at_least_s, 0, g->n.host.world.w.now_us);
	announcer_interval_changed(g->a);
}

/*
 * The interval is as long as the NAT allows, within the time that relays wait.
 * If a mapping is lost nevertheless, the interval becomes shorter.
 */
START_TEST(pings_follow_the_nat)
{
	struct rig g;
	struct mapping *m;
	uint32_t before;

	rig_announced(&g);
	m = dht_mapping(g.n.d);
	learn(&g, 295);
	run(&g, 30000);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].pings = 0;
	run(&g, 100000);
	for (size_t i = 0; i < NODES; i++)
		if (g.nodes[i].holds[0])
			ck_assert_uint_eq(g.nodes[i].pings, 4);
	/* One of three relays soon sees that the port has changed. */
	before = announces(&g);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].us.port ^= 1;
	run(&g, 10000);
	ck_assert_uint_eq(announces(&g), before + 3);
	ck_assert_uint_eq(m->changes, 1);
	ck_assert_uint_eq(m->keep_s, 59);
	/* The other two see it as well: that is the same change. */
	run(&g, 60000);
	ck_assert_uint_eq(m->changes, 1);
	/* A change of the host is a change of network. */
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].us.ip[3] ^= 1;
	run(&g, 30000);
	ck_assert_uint_eq(m->changes, 2);
	ck_assert_uint_eq(m->keep_s, 59);
	/* The mapping returns to its first address. */
	mapping_void(m);
	announcer_interval_changed(g.a);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].pings = 0;
	run(&g, 30000);
	for (size_t i = 0; i < NODES; i++)
		if (g.nodes[i].holds[0])
			ck_assert_uint_ge(g.nodes[i].pings, 9);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall A11: a mapping that keeps changing does not cause endless announces.
 */
START_TEST(drift_is_rationed)
{
	struct rig g;
	uint32_t before;

	rig_announced(&g);
	before = announces(&g);
	for (uint16_t i = 0; i < 600; i++) {
		for (size_t j = 0; j < NODES; j++)
			g.nodes[j].us.port = (uint16_t)(1024 + i);
		run(&g, 100);
	}
	ck_assert_uint_ge(announces(&g) - before, 3 * 5);
	ck_assert_uint_le(announces(&g) - before, 3 * 7);
	rig_fini(&g);
}
END_TEST

/* A relay that alone reports another address again and again is replaced. */
START_TEST(lying_relay_is_replaced)
{
	struct rig g;
	struct fake_node *liar;

	rig_announced(&g);
	liar = holder(&g, 0, 0);
	for (uint16_t i = 0; i < 600; i++) {
		liar->us.port = (uint16_t)(1024 + i);
		run(&g, 100);
	}
	ck_assert_ptr_null(
	    relay_set_find(announced_relays(g.k[0]), &liar->addr));
	ck_assert(!liar->holds[0]);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 3);
	ck_assert_uint_le(announces(&g), 3 * 4);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall T5: a running cycle is cancelled when the socket changes, and the
 * relays that have confirmed in it do not count (pitfall A7).
 */
START_TEST(renew_in_the_middle)
{
	struct rig g;

	rig_init(&g, NODES);
	rig_add(&g, 1);
	run(&g, 1000); /* shows the choice, which is the same for both keys */
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].hangs = i % 2 == 0;
	announcer_del(g.k[1]);
	run(&g, 1000);
	rig_add(&g, 0);
	run(&g, 500);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 0);
	for (size_t i = 0; i < NODES; i++)
		g.nodes[i].hangs = false;
	announcer_renew(g.a);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 0);
	run(&g, 500);
	ck_assert_uint_ge(announces(&g), 6);
	ck_assert_uint_eq(holders(&g, 0), 3);
	ck_assert_uint_eq(announced_relays(g.k[0])->len, 3);
	rig_fini(&g);
}
END_TEST

START_TEST(del_withdraws)
{
	struct rig g;

	rig_init(&g, NODES);
	rig_add(&g, 0);
	rig_add(&g, 1);
	run(&g, 1000);
	announcer_del(g.k[0]);
	ck_assert_uint_eq(g.ends, 0);
	run(&g, 1000);
	ck_assert_uint_eq(g.ends, 1);
	ck_assert_uint_eq(holders(&g, 0), 0);
	ck_assert_uint_eq(holders(&g, 1), 3);
	rig_fini(&g);
}
END_TEST

/* A key can be deleted at any time, and ended() is called once. */
START_TEST(del_at_any_time)
{
	struct rig g;

	rig_init(&g, 4);
	g.drop = (uint32_t)_i;
	rig_add(&g, 0);
	run(&g, (uint64_t)_i * 100);
	announcer_del(g.k[0]);
	run(&g, 15000);
	ck_assert_uint_eq(g.ends, 1);
	ck_assert_uint_eq(holders(&g, 0), 0);
	rig_fini(&g);
}
END_TEST

START_TEST(alone)
{
	struct rig g;
	struct addr out[RELAYS_MAX];

	rig_init(&g, 0);
	rig_add(&g, 0);
	run(&g, 5000);
	ck_assert_uint_eq(g.changes, 1);
	ck_assert_int_eq(g.err, ERR_UNREACHABLE);
	/* This node is open and needs no relay. */
	ck_assert_uint_eq(announced_addresses(g.k[0], out), 1);
	ck_assert(addr_equal(&out[0], &g.n.self));
	rig_fini(&g);
}
END_TEST

/* ---- the choice ---- */

/*
 * Nodes in order of distance: network, delay in ms, and whether it is chosen.
 */
enum mark { PLAIN, HELD, SHUNNED, MUTE };

static const struct {
	const char *name;
	struct {
		uint8_t net;
		uint16_t ms;
		enum mark mark;
	} nodes[6];
	int chosen[3];
} choices[] = {
    {"equals: the nearest",
	{{1, 20, PLAIN}, {2, 20, PLAIN}, {3, 20, PLAIN}, {4, 20, PLAIN},
	    {5, 20, PLAIN}},
	{0, 1, 2}},
    {"quick ones",
	{{1, 200, PLAIN}, {2, 20, PLAIN}, {3, 150, PLAIN}, {4, 30, PLAIN},
	    {5, 40, PLAIN}},
	{1, 3, 4}},
    {"other networks",
	{{1, 20, PLAIN}, {1, 20, PLAIN}, {1, 20, PLAIN}, {2, 60, PLAIN},
	    {3, 90, PLAIN}},
	{0, 3, 4}},
    {"one network alone",
	{{1, 20, PLAIN}, {1, 20, PLAIN}, {1, 20, PLAIN}, {1, 20, PLAIN}},
	{0, 1, 2}},
    {"held ones stay",
	{{1, 20, PLAIN}, {2, 20, PLAIN}, {3, 40, HELD}, {4, 40, HELD},
	    {5, 50, HELD}},
	{2, 3, 4}},
    {"unless others are clearly better",
	{{1, 20, PLAIN}, {2, 20, PLAIN}, {3, 40, HELD}, {4, 400, HELD},
	    {5, 50, HELD}},
	{2, 4, 0}},
    {"shunned ones last",
	{{1, 20, SHUNNED}, {2, 20, PLAIN}, {3, 20, PLAIN}, {4, 20, PLAIN}},
	{1, 2, 3}},
    {"shunned in a network of its own",
	{{1, 20, SHUNNED}, {2, 20, PLAIN}, {2, 20, PLAIN}, {2, 20, PLAIN}},
	{1, 2, 3}},
    {"better than none", {{1, 20, SHUNNED}, {2, 20, PLAIN}, {3, 20, PLAIN}},
	{1, 2, 0}},
    {"without token",
	{{1, 20, MUTE}, {2, 20, PLAIN}, {3, 20, PLAIN}, {4, 20, PLAIN}},
	{1, 2, 3}},
};

static bool
net_is_shunned(const void *owner, const struct addr *node)
{
	const int *row = owner;

	return choices[*row].nodes[node->ip[3]].mark == SHUNNED;
}

START_TEST(choice)
{
	struct query_node n[6];
	struct relay_set held = {.len = 0};
	size_t len = 0;

	for (; len < 6 && choices[_i].nodes[len].net != 0; len++) {
		n[len] = (struct query_node){
		    .addr = addr_v4(
			20, 0, choices[_i].nodes[len].net, (uint8_t)len, 1),
		    .rtt_us = choices[_i].nodes[len].ms * UINT64_C(1000),
		    .has_token = choices[_i].nodes[len].mark != MUTE,
		};
		if (choices[_i].nodes[len].mark == HELD)
			held.at[held.len++].relay = n[len].addr;
	}
	relay_rank(n, len, &held, net_is_shunned, &_i);
	for (int i = 0; i < 3; i++)
		ck_assert_msg(n[i].addr.ip[3] == choices[_i].chosen[i],
		    "%s: place %d", choices[_i].name, i);
}
END_TEST

/*
 * Nodes at the end of the closest set are fast, but may not be in that of a
 * client.
 */
START_TEST(edge)
{
	static const int none = 0;
	struct query_node n[RPC_K];
	struct relay_set held = {.len = 0};

	for (uint8_t i = 0; i < RPC_K; i++)
		n[i] = (struct query_node){.addr = addr_v4(20, i, 0, 0, 1),
		    .rtt_us = i < 15 ? 150000 : 5000,
		    .has_token = true};
	n[8].rtt_us = 5000;
	relay_rank(n, RPC_K, &held, net_is_shunned, &none);
	ck_assert_uint_eq(n[0].addr.ip[1], 8);
	for (int i = 1; i < RELAYS_MAX; i++)
		ck_assert_uint_lt(n[i].addr.ip[1], 10);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("announcer", &tc);

	tcase_add_test(tc, three_hold_it);
	tcase_add_test(tc, lost_relay_is_replaced);
	tcase_add_test(tc, replaced_relay_gets_unannounce);
	tcase_add_test(tc, same_relays_in_later_cycles);
	tcase_add_test(tc, list_changes_as_a_whole);
	tcase_add_loop_test(tc, any_answer_may_be_lost, 0, 30);
	tcase_add_test(tc, refused_requests);
	tcase_add_test(tc, watchdog);
	tcase_add_test(tc, back_online);
	tcase_add_test(tc, pings);
	tcase_add_test(tc, pings_follow_the_nat);
	tcase_add_test(tc, drift);
	tcase_add_test(tc, drift_is_rationed);
	tcase_add_test(tc, lying_relay_is_replaced);
	tcase_add_test(tc, renew_in_the_middle);
	tcase_add_test(tc, del_withdraws);
	tcase_add_loop_test(tc, del_at_any_time, 0, 20);
	tcase_add_test(tc, alone);
	tcase_add_loop_test(tc, choice, 0, T_ROWS(choices));
	tcase_add_test(tc, edge);
	return s;
}
