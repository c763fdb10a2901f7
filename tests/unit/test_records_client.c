/* SPDX-License-Identifier: ISC */
/*
 * Goal: our requests to other nodes equal those of the reference, and their
 * replies are verified before use.
 *
 * Method: a real DHT node with scripted nodes in its routing table; the test
 * answers each request. The flows of the reference are compared field by
 * field, then nodes forge, refuse and stop answering.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/records_client.h"
#include "relay_net.h"
#include "t.h"

#define VECTORS "records.json"

enum { NODES_MAX = 24, SEEN_MAX = 64, PENDING_MAX = 64 };

/* Another node and its replies. */
struct fake_node {
	struct addr addr;
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN];
	struct bytes value;    /* of its replies to the query */
	uint64_t commit_error; /* of its replies to requests with a token */
	bool silent, silent_at_commit, stale_token;
	uint32_t walked, committed;
	struct rpc_request last; /* with its fields in `held` */
	uint8_t held[DGRAM_MAX];
};

struct rig {
	struct relay_net n;
	struct fake_node nodes[NODES_MAX];
	size_t nodes_len;
	struct records_op *op;
	/* The events, with copies of the data that they borrow. */
	struct records_event events[SEEN_MAX];
	uint8_t keys[SEEN_MAX][KEY_LEN];
	uint8_t value[DGRAM_MAX];
	size_t events_len;
	bool cancel_at_first;
};

static void
on_event(void *owner, const struct records_event *e)
{
	struct rig *g = owner;

	ck_assert_uint_lt(g->events_len, SEEN_MAX);
	/* No event follows the end. */
	if (g->events_len > 0)
		ck_assert_int_ne(
		    g->events[g->events_len - 1].kind, RECORDS_EV_DONE);
	g->events[g->events_len] = *e;
	if (e->kind == RECORDS_EV_PEER)
		memcpy(g->keys[g->events_len], e->peer.key, KEY_LEN);
	if (e->kind == RECORDS_EV_VALUE)
		memcpy(g->value, e->value.p, e->value.len);
	g->events_len++;
	if (g->cancel_at_first && e->kind != RECORDS_EV_DONE) {
		g->cancel_at_first = false;
		records_client_cancel(g->op);
	}
}

static const struct records_event *
done(const struct rig *g)
{
	ck_assert_uint_gt(g->events_len, 0);
	ck_assert_int_eq(g->events[g->events_len - 1].kind, RECORDS_EV_DONE);
	return &g->events[g->events_len - 1];
}

static struct fake_node *
rig_add(struct rig *g, const char *address, uint8_t token)
{
	struct fake_node *f = &g->nodes[g->nodes_len++];

	f->addr = relay_addr(address);
	id_of_addr(f->id, &f->addr);
	memset(f->token, token, sizeof f->token);
	relay_learn(&g->n, &f->addr);
	return f;
}

static void
rig_init(struct rig *g)
{
	struct dht_config c;

	memset(g, 0, sizeof *g);
	relay_config(&c);
	relay_init(&g->n, &c, "203.0.113.10:49737");
}

static void
rig_fini(struct rig *g)
{
	relay_fini(&g->n);
}

static struct records_sink
sink(struct rig *g)
{
	g->events_len = 0;
	return (struct records_sink){on_event, g};
}

static void
answer(
    struct rig *g, struct fake_node *f, const struct rpc_request *m, int sock)
{
	bool commit = m->token != NULL;
	struct rpc_reply re = {
	    .tid = m->tid, .to = g->n.self, .id = f->id, .token = f->token};
	uint8_t buf[DGRAM_MAX];
	struct dgram dg = {.buf = buf, .sock = sock, .from = f->addr};
	struct dht_request rq;

	if (commit && f->stale_token) {
		f->stale_token = false;
		memset(f->token, 0x44, sizeof f->token);
		re.error = RPC_INVALID_TOKEN;
	} else if (commit) {
		re.token = NULL;
		re.error = f->commit_error;
	} else {
		re.value = f->value;
	}
	dg.len = rpc_reply_encode(&re, buf, sizeof buf);
	ck_assert_uint_gt(dg.len, 0);
	dht_recv(g->n.d, &dg, &rq);
}

/* Copies the last user command with all that it borrows. */
static void
keep(struct fake_node *f, const struct sim_sent *s)
{
	memcpy(f->held, s->buf, s->len);
	ck_assert_int_eq(rpc_request_decode(&f->last, f->held, s->len), 0);
}

static void
meet(struct rig *g, const struct sim_sent *s)
{
	struct rpc_request m;

	if (rpc_kind(s->buf[0]) != RPC_REQUEST)
		return;
	ck_assert_int_eq(rpc_request_decode(&m, s->buf, s->len), 0);
	for (size_t i = 0; i < g->nodes_len; i++) {
		struct fake_node *f = &g->nodes[i];

		if (!addr_equal(&f->addr, &s->meta.to))
			continue;
		if (!m.internal)
			keep(f, s);
		f->walked += m.token == NULL && !m.internal;
		f->committed += m.token != NULL;
		if (!f->silent && !(f->silent_at_commit && m.token != NULL))
			answer(g, f, &m, s->meta.sock);
	}
}

/* Answers until no request is left; a silent node times out. */
static void
run(struct rig *g, uint64_t ms)
{
	struct sim_sent *sent;
	size_t len;

	for (uint64_t t = 0; t <= ms; t += 100) {
		relay_pass_ms(&g->n, t == 0 ? 1 : 100);
		while ((len = g->n.host.world.sent_len) > 0) {
			sent = malloc(len * sizeof *sent);
			memcpy(sent, g->n.host.world.sent, len * sizeof *sent);
			sim_clear(&g->n.host.world);
			for (size_t i = 0; i < len; i++)
				meet(g, &sent[i]);
			free(sent);
		}
	}
}

static void
seed_keys(struct key_pair *k, uint8_t seed)
{
	uint8_t bytes[KEY_SEED_LEN];

	memset(bytes, seed, sizeof bytes);
	key_pair_from_seed(k, bytes);
}

/* ---- the flows of the reference ---- */

static int
start_unannounce(
    struct rig *g, const struct key_pair *keys, const uint8_t *target)
{
	struct announce_spec a = {.target = target, .keys = keys};

	return records_client_unannounce(g->n.d, &a, sink(g), &g->op);
}

static int
start_announce(struct rig *g, const struct key_pair *keys,
    const uint8_t *target, size_t relays, uint64_t bump)
{
	static const struct addr relay[2] = {
	    {{198, 51, 100, 1}, 20001, ADDR_V4},
	    {{198, 51, 100, 2}, 20002, ADDR_V4}};
	struct announce_spec a = {.target = target,
	    .keys = keys,
	    .relays = relay,
	    .relays_len = relays,
	    .bump = bump};

	return records_client_announce(g->n.d, &a, sink(g), &g->op);
}

/* Starts the i-th flow with the call that makes it. */
static int
start_flow(struct rig *g, int i, const uint8_t *target, uint64_t bump,
    const struct key_pair *keys)
{
	static const uint8_t hello[] = "hello";
	struct bytes value = {hello, 5};

	switch (i) {
	case 0:
		return start_announce(g, keys, target, 2, 0);
	case 1:
		return start_announce(g, keys, target, 0, bump);
	case 2:
	case 3:
		return start_unannounce(g, keys, target);
	case 4:
		return records_client_find(
		    g->n.d, CMD_FIND_PEER, keys->public_key, sink(g), &g->op);
	case 5:
		return records_client_find(
		    g->n.d, CMD_LOOKUP, target, sink(g), &g->op);
	case 6:
		return records_client_put_mutable(g->n.d, keys,
		    (struct records_seq){.value = 3}, value, sink(g), &g->op);
	case 7:
	case 8:
		return records_client_get_mutable(
		    g->n.d, keys->public_key, i == 7 ? 0 : 7, sink(g), &g->op);
	case 9:
		return records_client_put_immutable(
		    g->n.d, value, sink(g), &g->op);
	default:
		return records_client_get_immutable(
		    g->n.d, target, sink(g), &g->op);
	}
}

/* The expected end of each flow; the node stores what it receives. */
static const struct {
	const char *name;
	int err;
	size_t events;
	uint32_t stored;
} flows[] = {
    {"announce(topic, key 1, 2 relays)", 0, 2, 1},
    {"announce(topic, key 1, no relays, bump)", 0, 2, 1},
    {"lookupAndUnannounce(topic, key 1), key is listed", 0, 1, 1},
    {"lookupAndUnannounce(topic, key 1), key is not listed", 0, 1, 0},
    {"findPeer(key 1)", 0, 2, 0},
    {"lookup(topic)", ERR_NOT_FOUND, 1, 0},
    {"mutablePut(key 1, \"hello\", seq 3)", 0, 1, 1},
    {"mutableGet(key 1), default", ERR_NOT_FOUND, 1, 0},
    {"mutableGet(key 1, seq 7)", ERR_NOT_FOUND, 1, 0},
    {"immutablePut(\"hello\")", 0, 1, 1},
    {"immutableGet(hash(\"hello\"))", ERR_NOT_FOUND, 1, 0},
};

static void
assert_request(const struct sim_sent *s, const json_t *f)
{
	struct addr to = t_addr(t_get(f, "to"));
	struct rpc_request m;
	size_t len;
	uint8_t *value = t_bytes(f, "value", &len);

	ck_assert_int_eq(rpc_request_decode(&m, s->buf, s->len), 0);
	ck_assert(addr_equal(&s->meta.to, &to));
	ck_assert(addr_equal(&m.to, &to));
	ck_assert(!m.internal);
	ck_assert_uint_eq(m.command, t_uint(f, "command"));
	t_assert_hex(m.target, RPC_TARGET_LEN, t_string(f, "target"));
	ck_assert((m.token == NULL) == json_is_null(t_get(f, "token")));
	if (m.token != NULL)
		t_assert_hex(m.token, RPC_TOKEN_LEN, t_string(f, "token"));
	ck_assert((m.value.p == NULL) == (value == NULL));
	if (value != NULL)
		t_assert_hex(m.value.p, m.value.len, t_string(f, "value"));
	free(value);
}

/* Sends the reply of the reference's fake node with the tid of our request. */
static void
send_reply(struct rig *g, const json_t *step)
{
	struct sim_sent s = g->n.host.world.sent[0];
	struct rpc_request m;
	struct rpc_reply re;
	struct dht_request rq;
	uint8_t out[DGRAM_MAX];
	size_t len;
	uint8_t *buf = t_bytes(t_get(step, "answered_with"), "hex", &len);
	struct dgram dg = {.buf = out, .sock = s.meta.sock, .from = s.meta.to};

	ck_assert_int_eq(rpc_request_decode(&m, s.buf, s.len), 0);
	ck_assert_int_eq(rpc_reply_decode(&re, buf, len), 0);
	re.tid = m.tid;
	dg.len = rpc_reply_encode(&re, out, sizeof out);
	sim_clear(&g->n.host.world);
	ck_assert_int_eq(dht_recv(g->n.d, &dg, &rq), 0);
	free(buf);
}

START_TEST(flow)
{
	const json_t *row = t_row(VECTORS, "client_flows", _i);
	const json_t *steps = t_get(row, "steps"), *step, *first, *last;
	struct addr node = t_addr(t_get(row, "fake_node"));
	struct announce an = {0};
	struct key_pair keys;
	struct rig g;
	size_t i, len;
	uint8_t *target, *value;

	ck_assert_str_eq(t_string(row, "name"), flows[_i].name);
	rig_init(&g);
	relay_learn(&g.n, &node);
	seed_keys(&keys, 1);
	first = t_get(json_array_get(steps, 0), "fields");
	target = t_bytes(first, "target", &len);
	last =
	    t_get(json_array_get(steps, json_array_size(steps) - 1), "fields");
	value = t_bytes(last, "value", &len);
	if (_i == 1)
		ck_assert_int_eq(announce_decode(&an, value, len), 0);
	ck_assert_int_eq(start_flow(&g, _i, target, an.bump, &keys), 0);
	ck_assert_uint_eq(g.n.host.world.sent_len, 0);
	relay_pass_ms(&g.n, 1);
	json_array_foreach(steps, i, step)
	{
		ck_assert_uint_eq(g.n.host.world.sent_len, 1);
		assert_request(&g.n.host.world.sent[0], t_get(step, "fields"));
		send_reply(&g, step);
	}
	ck_assert_uint_eq(g.n.host.world.sent_len, 0);
	ck_assert_int_eq(done(&g)->err, flows[_i].err);
	ck_assert_uint_eq(g.events_len, flows[_i].events);
	ck_assert_uint_eq(done(&g)->stored, flows[_i].stored);
	ck_assert_uint_eq(done(&g)->replies, 1);
	if (_i == 4)
		ck_assert_mem_eq(g.keys[0], keys.public_key, KEY_LEN);
	free(target);
	free(value);
	rig_fini(&g);
}
END_TEST

/* ---- many nodes ---- */

static void
rig_nodes(struct rig *g, int n)
{
	char address[ADDR_TEXT_MAX];

	for (int i = 0; i < n; i++) {
		struct addr a =
		    addr_v4(80, (uint8_t)i, 1, 1, (uint16_t)(1000 + i));

		rig_add(g, addr_format(&a, address), (uint8_t)(0x70 + i));
	}
}

/*
 * Pitfall Q2: each commit is signed for its node, with the id and the token of
 * that node.
 */
START_TEST(signed_per_node)
{
	struct rig g;
	struct key_pair keys;
	uint8_t topic[HASH_LEN] = {5};
	struct announce an;

	rig_init(&g);
	rig_nodes(&g, 5);
	g.nodes[2].stale_token = true;
	seed_keys(&keys, 1);
	ck_assert_int_eq(start_announce(&g, &keys, topic, 1, 0), 0);
	run(&g, 500);
	ck_assert_int_eq(done(&g)->err, 0);
	ck_assert_uint_eq(done(&g)->stored, 5);
	ck_assert_uint_eq(done(&g)->refused, 0);
	for (int i = 0; i < 5; i++) {
		struct fake_node *f = &g.nodes[i];
		struct announce_scope s = {topic, f->id, f->token};

		/* Pitfall Q3: a token that is too old is renewed once. */
		ck_assert_uint_eq(f->committed, i == 2 ? 2 : 1);
		ck_assert_int_eq(
		    announce_decode(&an, f->last.value.p, f->last.value.len),
		    0);
		ck_assert_int_eq(announce_verify(&an, NS_ANNOUNCE, &s), 0);
	}
	rig_fini(&g);
}
END_TEST

/* Without relays of its own, a record names the closest nodes. */
START_TEST(closest_nodes_are_named)
{
	struct rig g;
	struct key_pair keys;
	uint8_t topic[HASH_LEN] = {3};
	struct announce_spec a = {
	    .target = topic, .keys = &keys, .closest_relays = true};
	struct announce an;
	size_t named = 0;

	rig_init(&g);
	rig_nodes(&g, 5);
	seed_keys(&keys, 1);
	ck_assert_int_eq(
	    records_client_announce(g.n.d, &a, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(done(&g)->stored, 5);
	for (int i = 0; i < 5; i++) {
		struct fake_node *f = &g.nodes[i];
		struct announce_scope s = {topic, f->id, f->token};
		const struct records_event *closest = g.events;

		ck_assert_int_eq(
		    announce_decode(&an, f->last.value.p, f->last.value.len),
		    0);
		ck_assert_int_eq(announce_verify(&an, NS_ANNOUNCE, &s), 0);
		ck_assert_uint_eq(peer_relays_len(&an.peer), PEER_RELAYS_MAX);
		for (size_t k = 0; k < PEER_RELAYS_MAX; k++) {
			struct addr relay = peer_relay(&an.peer, k);

			/* The nodes are reported nearest first. */
			ck_assert(addr_equal(&relay, &closest[k].node));
			named++;
		}
	}
	ck_assert_uint_eq(named, 5 * PEER_RELAYS_MAX);
	rig_fini(&g);
}
END_TEST

/* Starts a put of the next number, at least `from`, with two nodes that store
 * values of these numbers; the last of them signed by another key. */
static uint64_t
put_next(uint64_t from, uint64_t first, uint64_t second, bool forged)
{
	static const uint8_t hello[] = "hello";
	uint8_t signature[SIGNATURE_LEN], values[2][64 + DGRAM_MAX];
	uint64_t seqs[2] = {first, second}, seq;
	struct key_pair keys, other;
	struct mutable_value m = {.value = {hello, 5}, .signature = signature};
	struct rig g;

	rig_init(&g);
	rig_nodes(&g, 3);
	seed_keys(&keys, 1);
	seed_keys(&other, 2);
	for (int i = 0; i < 2; i++) {
		m.seq = seqs[i];
		mutable_sign(signature, i == 1 && forged ? &other : &keys,
		    m.seq, m.value);
		g.nodes[i].value = (struct bytes){values[i],
		    mutable_value_encode(&m, values[i], sizeof values[i])};
	}
	ck_assert_int_eq(records_client_put_mutable(g.n.d, &keys,
			     (struct records_seq){.value = from, .next = true},
			     m.value, sink(&g), &g.op),
	    0);
	run(&g, 500);
	ck_assert_int_eq(done(&g)->err, 0);
	ck_assert_uint_eq(done(&g)->stored, 3);
	seq = done(&g)->seq;
	for (int i = 0; i < 3; i++) {
		const struct bytes *v = &g.nodes[i].last.value;

		ck_assert_int_eq(mutable_put_decode(&m, v->p, v->len), 0);
		ck_assert_int_eq(mutable_verify(&m, keys.public_key), 0);
		ck_assert_uint_eq(m.seq, seq);
		ck_assert_uint_eq(m.value.len, 5);
	}
	rig_fini(&g);
	return seq;
}

START_TEST(next_number_is_found)
{
	ck_assert_uint_eq(put_next(0, 4, 7, false), 8);
	ck_assert_uint_eq(put_next(0, 7, 4, false), 8);
	ck_assert_uint_eq(put_next(0, 4, 7, true), 5);
	ck_assert_uint_eq(put_next(20, 4, 7, false), 20);
	/* There is none after the highest: what nodes store stays. */
	ck_assert_uint_eq(put_next(0, 4, WIRE_UINT_MAX, false), 5);
}
END_TEST

START_TEST(commit_to_some)
{
	struct rig g;
	struct key_pair keys;
	uint8_t target[HASH_LEN];
	struct announce_spec a = {
	    .target = target, .keys = &keys, .commit_max = 3};
	uint32_t committed = 0;

	rig_init(&g);
	rig_nodes(&g, 8);
	seed_keys(&keys, 1);
	key_target(target, keys.public_key);
	ck_assert_int_eq(
	    records_client_announce(g.n.d, &a, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(done(&g)->stored, 3);
	for (int i = 0; i < 8; i++)
		committed += g.nodes[i].committed;
	ck_assert_uint_eq(committed, 3);
	rig_fini(&g);
}
END_TEST

/*
 * Pitfall Q3: a value that no node stored is reported as an error with its
 * reason.
 */
START_TEST(commit_failures)
{
	static const struct {
		uint64_t error;
		bool silent, silent_at_commit;
		int err;
	} rows[] = {
	    {1, false, false, ERR_REFUSED},
	    {RPC_SEQ_REUSED, false, false, ERR_SEQ_REUSED},
	    {RPC_SEQ_TOO_LOW, false, false, ERR_SEQ_LOW},
	    {0, true, false, ERR_UNREACHABLE},
	    {0, false, true, ERR_TIMEOUT},
	};
	static const uint8_t hello[] = "hello";
	struct rig g;
	struct key_pair keys;

	rig_init(&g);
	rig_nodes(&g, 3);
	for (int i = 0; i < 3; i++) {
		g.nodes[i].commit_error = rows[_i].error;
		g.nodes[i].silent = rows[_i].silent;
		g.nodes[i].silent_at_commit = rows[_i].silent_at_commit;
	}
	seed_keys(&keys, 1);
	ck_assert_int_eq(records_client_put_mutable(g.n.d, &keys,
			     (struct records_seq){.value = 1},
			     (struct bytes){hello, 5}, sink(&g), &g.op),
	    0);
	run(&g, 15000);
	ck_assert_int_eq(done(&g)->err, rows[_i].err);
	ck_assert_uint_eq(done(&g)->stored, 0);
	ck_assert_uint_eq(done(&g)->refused, rows[_i].silent ? 0 : 3);
	rig_fini(&g);
}
END_TEST

/*
 * One node has a newer value: the others store ours, and the error is
 * reported.
 */
START_TEST(seq_error_is_reported)
{
	static const uint8_t hello[] = "hello";
	struct rig g;
	struct key_pair keys;

	rig_init(&g);
	rig_nodes(&g, 3);
	g.nodes[1].commit_error = RPC_SEQ_TOO_LOW;
	seed_keys(&keys, 1);
	ck_assert_int_eq(records_client_put_mutable(g.n.d, &keys,
			     (struct records_seq){.value = 1},
			     (struct bytes){hello, 5}, sink(&g), &g.op),
	    0);
	run(&g, 500);
	ck_assert_int_eq(done(&g)->err, 0);
	ck_assert_uint_eq(done(&g)->stored, 2);
	ck_assert_uint_eq(done(&g)->refused, 1);
	ck_assert_int_eq(done(&g)->commit_err, ERR_SEQ_LOW);
	rig_fini(&g);
}
END_TEST

/* Pitfall C6 and the sizes: refused at once, without any event. */
START_TEST(refused_locally)
{
	static const uint8_t bytes[VALUE_PUT_MAX + 1];
	struct addr six = {.family = ADDR_V6, .port = 1};
	struct addr four[4] = {0};
	struct rig g;
	struct key_pair keys;
	struct announce_spec a = {
	    .target = bytes, .keys = &keys, .relays = &six, .relays_len = 1};
	struct records_op *op;

	rig_init(&g);
	seed_keys(&keys, 1);
	ck_assert_int_eq(records_client_put_immutable(
			     g.n.d, (struct bytes){bytes, 0}, sink(&g), &op),
	    ERR_VALUE);
	ck_assert_int_eq(
	    records_client_put_immutable(
		g.n.d, (struct bytes){bytes, VALUE_PUT_MAX + 1}, sink(&g), &op),
	    ERR_SIZE);
	ck_assert_int_eq(records_client_put_mutable(g.n.d, &keys,
			     (struct records_seq){.value = 0},
			     (struct bytes){bytes, 0}, sink(&g), &op),
	    ERR_VALUE);
	ck_assert_int_eq(records_client_put_mutable(g.n.d, &keys,
			     (struct records_seq){.value = WIRE_UINT_MAX + 1},
			     (struct bytes){bytes, 1}, sink(&g), &op),
	    ERR_VALUE);
	ck_assert_int_eq(records_client_get_mutable(
			     g.n.d, bytes, WIRE_UINT_MAX + 1, sink(&g), &op),
	    ERR_VALUE);
	ck_assert_int_eq(
	    records_client_announce(g.n.d, &a, sink(&g), &op), ERR_VALUE);
	a.relays = four;
	a.relays_len = 4;
	for (int i = 0; i < 4; i++)
		four[i] = addr_v4(10, 0, 0, 1, 1);
	ck_assert_int_eq(
	    records_client_announce(g.n.d, &a, sink(&g), &op), ERR_VALUE);
	run(&g, 200);
	ck_assert_uint_eq(g.events_len, 0);
	rig_fini(&g);
}
END_TEST

/* ---- verification of replies ---- */

static struct bytes
mutable_reply(uint8_t *out, size_t cap, const struct key_pair *keys,
    uint64_t seq, const char *text)
{
	uint8_t sig[SIGNATURE_LEN];
	struct bytes value = {(const uint8_t *)text, strlen(text)};
	struct mutable_value m = {.seq = seq, .value = value, .signature = sig};

	mutable_sign(sig, keys, seq, value);
	return (struct bytes){out, mutable_value_encode(&m, out, cap)};
}

/* The highest valid seq is returned; forged and lower ones are ignored. */
START_TEST(highest_valid_seq)
{
	struct rig g;
	struct key_pair keys, other;
	uint8_t buf[5][256];

	rig_init(&g);
	rig_nodes(&g, 5);
	seed_keys(&keys, 1);
	seed_keys(&other, 2);
	g.nodes[0].value = mutable_reply(buf[0], 256, &keys, 4, "four");
	g.nodes[1].value = mutable_reply(buf[1], 256, &keys, 6, "six");
	g.nodes[2].value = mutable_reply(buf[2], 256, &other, 9, "forged");
	g.nodes[3].value = (struct bytes){buf[3], 1};
	buf[3][0] = 0xff;
	ck_assert_int_eq(records_client_get_mutable(
			     g.n.d, keys.public_key, 5, sink(&g), &g.op),
	    0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 2);
	ck_assert_int_eq(g.events[0].kind, RECORDS_EV_VALUE);
	ck_assert_uint_eq(g.events[0].seq, 6);
	ck_assert_uint_eq(g.events[0].value.len, 3);
	ck_assert_mem_eq(g.value, "six", 3);
	ck_assert(addr_equal(&g.events[0].node, &g.nodes[1].addr));
	ck_assert_int_eq(done(&g)->err, 0);
	ck_assert_uint_eq(done(&g)->replies, 5);
	/* All values are below the wanted seq: not found. */
	ck_assert_int_eq(records_client_get_mutable(
			     g.n.d, keys.public_key, 7, sink(&g), &g.op),
	    0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 1);
	ck_assert_int_eq(done(&g)->err, ERR_NOT_FOUND);
	rig_fini(&g);
}
END_TEST

START_TEST(first_value_that_hashes)
{
	struct rig g;
	uint8_t hash[HASH_LEN];
	uint32_t walked = 0;

	rig_init(&g);
	rig_nodes(&g, 20);
	hash_blake2b(hash, "hello", 5);
	for (int i = 0; i < 20; i++)
		g.nodes[i].value = (struct bytes){
		    (const uint8_t *)(i % 2 ? "hello" : "hellO"), 5};
	ck_assert_int_eq(
	    records_client_get_immutable(g.n.d, hash, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 2);
	ck_assert_int_eq(g.events[0].kind, RECORDS_EV_VALUE);
	ck_assert_mem_eq(g.value, "hello", 5);
	ck_assert_int_eq(done(&g)->err, 0);
	for (int i = 0; i < 20; i++)
		walked += g.nodes[i].walked;
	ck_assert_uint_lt(walked, 20);
	rig_fini(&g);
}
END_TEST

static struct bytes
peers_reply(uint8_t *out, size_t cap, int first, int n)
{
	struct key_pair keys[NODES_MAX];
	struct peer_record peers[NODES_MAX];

	for (int i = 0; i < n; i++) {
		seed_keys(&keys[i], (uint8_t)(first + i));
		peers[i] = (struct peer_record){.key = keys[i].public_key};
	}
	return (struct bytes){
	    out, lookup_encode(peers, (size_t)n, 7, out, cap)};
}

/*
 * Pitfall C3: peers follow each other without padding; each is reported with
 * the node that returned it.
 */
START_TEST(lookup_tells_each)
{
	struct rig g;
	uint8_t topic[HASH_LEN] = {1}, buf[2][1200];
	struct key_pair k;

	rig_init(&g);
	rig_nodes(&g, 3);
	g.nodes[0].value = peers_reply(buf[0], 1200, 1, 2);
	g.nodes[1].value = peers_reply(buf[1], 1200, 2, 2);
	g.nodes[2].value = (struct bytes){buf[0], g.nodes[0].value.len - 9};
	ck_assert_int_eq(
	    records_client_find(g.n.d, CMD_LOOKUP, topic, sink(&g), &g.op), 0);
	run(&g, 500);
	/* Nothing of the truncated reply is used. */
	ck_assert_uint_eq(g.events_len, 5);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(g.events[i].kind, RECORDS_EV_PEER);
		ck_assert_uint_eq(g.events[i].bump, 7);
		ck_assert_ptr_nonnull(g.events[i].id);
	}
	seed_keys(&k, g.events[0].node.port == 1000 ? 1 : 2);
	ck_assert_mem_eq(g.keys[0], k.public_key, KEY_LEN);
	ck_assert_int_eq(done(&g)->err, 0);
	rig_fini(&g);
}
END_TEST

/* A record of another key or a malformed one is not a result. */
START_TEST(find_peer_checks_the_key)
{
	struct rig g;
	struct key_pair keys, other;
	uint8_t buf[2][64];
	struct peer_record p = {0};

	rig_init(&g);
	rig_nodes(&g, 3);
	seed_keys(&keys, 1);
	seed_keys(&other, 2);
	p.key = other.public_key;
	g.nodes[0].value = (struct bytes){buf[0], peer_encode(&p, buf[0], 64)};
	memcpy(buf[1], keys.public_key, KEY_LEN);
	g.nodes[1].value = (struct bytes){buf[1], KEY_LEN};
	ck_assert_int_eq(records_client_find(g.n.d, CMD_FIND_PEER,
			     keys.public_key, sink(&g), &g.op),
	    0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 1);
	ck_assert_int_eq(done(&g)->err, ERR_NOT_FOUND);
	rig_fini(&g);
}
END_TEST

START_TEST(find_node_nearest_first)
{
	struct rig g;
	uint8_t target[HASH_LEN] = {0x55};

	rig_init(&g);
	rig_nodes(&g, 6);
	ck_assert_int_eq(
	    records_client_find_node(g.n.d, target, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 7);
	for (int i = 1; i < 6; i++) {
		uint8_t a[ID_LEN], b[ID_LEN];

		id_of_addr(a, &g.events[i - 1].node);
		id_of_addr(b, &g.events[i].node);
		ck_assert_int_lt(id_compare(target, a, b), 0);
	}
	rig_fini(&g);
}
END_TEST

/*
 * Withdraws from nodes that list the key or may have omitted it, and from no
 * others.
 */
START_TEST(unannounce_where_listed)
{
	struct rig g;
	uint8_t topic[HASH_LEN] = {1}, buf[3][1200];
	struct key_pair keys;
	struct announce an;

	rig_init(&g);
	rig_nodes(&g, 4);
	seed_keys(&keys, 1);
	g.nodes[0].value = peers_reply(buf[0], 1200, 1, 2);
	g.nodes[1].value = peers_reply(buf[1], 1200, 2, 19);
	g.nodes[2].value = peers_reply(buf[2], 1200, 2, 20);
	g.nodes[2].silent_at_commit = true;
	ck_assert_int_eq(start_unannounce(&g, &keys, topic), 0);
	run(&g, 500);
	/* The operation waits for the node that does not answer. */
	ck_assert_uint_eq(g.events_len, 0);
	run(&g, 15000);
	ck_assert_int_eq(done(&g)->err, 0);
	ck_assert_uint_eq(done(&g)->stored, 1);
	ck_assert_uint_eq(done(&g)->refused, 1);
	ck_assert_uint_eq(g.nodes[0].committed, 1);
	ck_assert_uint_eq(g.nodes[1].committed, 0);
	ck_assert_uint_gt(g.nodes[2].committed, 0);
	ck_assert_uint_eq(g.nodes[3].committed, 0);
	ck_assert_int_eq(announce_decode(&an, g.nodes[0].last.value.p,
			     g.nodes[0].last.value.len),
	    0);
	ck_assert_int_eq(announce_verify(&an, NS_UNANNOUNCE,
			     &(struct announce_scope){
				 topic, g.nodes[0].id, g.nodes[0].token}),
	    0);
	rig_fini(&g);
}
END_TEST

/* ---- cancelling ---- */

static int
start_any(
    struct rig *g, int kind, const struct key_pair *keys, const uint8_t *topic)
{
	static const uint8_t hello[] = "hello";

	switch (kind) {
	case 0:
		return records_client_find_node(g->n.d, topic, sink(g), &g->op);
	case 1:
		return records_client_find(
		    g->n.d, CMD_LOOKUP, topic, sink(g), &g->op);
	case 2:
		return start_announce(g, keys, topic, 0, 0);
	case 3:
		return start_unannounce(g, keys, topic);
	default:
		return records_client_put_immutable(
		    g->n.d, (struct bytes){hello, 5}, sink(g), &g->op);
	}
}

/* Cancels at any time: exactly one end, at once, and no memory leaks. */
START_TEST(cancel_any_time)
{
	static const uint64_t after_ms[] = {0, 1, 300, 2000};
	struct rig g;
	uint8_t topic[HASH_LEN] = {1}, buf[1200];
	struct key_pair keys;
	int kind = _i / 4;

	rig_init(&g);
	rig_nodes(&g, 4);
	seed_keys(&keys, 1);
	for (int i = 0; i < 4; i++) {
		g.nodes[i].value = peers_reply(buf, 1200, 1, 3);
		g.nodes[i].silent = i == 3;
		g.nodes[i].silent_at_commit = true;
	}
	ck_assert_int_eq(start_any(&g, kind, &keys, topic), 0);
	if (after_ms[_i % 4] > 0)
		run(&g, after_ms[_i % 4]);
	if (g.events_len == 0 ||
	    g.events[g.events_len - 1].kind != RECORDS_EV_DONE) {
		records_client_cancel(g.op);
		ck_assert_int_eq(done(&g)->err, ERR_CANCELLED);
	}
	run(&g, 10000);
	done(&g);
	rig_fini(&g);
}
END_TEST

START_TEST(cancel_in_own_event)
{
	struct rig g;
	uint8_t topic[HASH_LEN] = {1}, buf[1200];

	rig_init(&g);
	rig_nodes(&g, 4);
	for (int i = 0; i < 4; i++)
		g.nodes[i].value = peers_reply(buf, 1200, 1, 3);
	g.cancel_at_first = true;
	ck_assert_int_eq(
	    records_client_find(g.n.d, CMD_LOOKUP, topic, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 2);
	ck_assert_int_eq(done(&g)->err, ERR_CANCELLED);
	/* Cancels at the end of a query as well. */
	g.cancel_at_first = true;
	ck_assert_int_eq(
	    records_client_find_node(g.n.d, topic, sink(&g), &g.op), 0);
	run(&g, 500);
	ck_assert_uint_eq(g.events_len, 2);
	ck_assert_int_eq(done(&g)->err, ERR_CANCELLED);
	rig_fini(&g);
}
END_TEST

/* A node that stops ends operations in progress, withdrawals included. */
START_TEST(closed)
{
	struct rig g;
	uint8_t topic[HASH_LEN] = {1}, buf[1200];
	struct key_pair keys;

	rig_init(&g);
	rig_nodes(&g, 2);
	seed_keys(&keys, 1);
	for (int i = 0; i < 2; i++) {
		g.nodes[i].value = peers_reply(buf, 1200, 1, 3);
		g.nodes[i].silent_at_commit = true;
	}
	g.nodes[1].silent = true;
	ck_assert_int_eq(start_any(&g, _i, &keys, topic), 0);
	run(&g, 200);
	rig_fini(&g);
	ck_assert_int_eq(done(&g)->err, ERR_CLOSED);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("records_client", &tc);

	tcase_add_loop_test(tc, flow, 0, T_ROWS(flows));
	tcase_add_test(tc, signed_per_node);
	tcase_add_test(tc, closest_nodes_are_named);
	tcase_add_test(tc, next_number_is_found);
	tcase_add_test(tc, commit_to_some);
	tcase_add_loop_test(tc, commit_failures, 0, 5);
	tcase_add_test(tc, seq_error_is_reported);
	tcase_add_test(tc, refused_locally);
	tcase_add_test(tc, highest_valid_seq);
	tcase_add_test(tc, first_value_that_hashes);
	tcase_add_test(tc, lookup_tells_each);
	tcase_add_test(tc, find_peer_checks_the_key);
	tcase_add_test(tc, find_node_nearest_first);
	tcase_add_test(tc, unannounce_where_listed);
	tcase_add_loop_test(tc, cancel_any_time, 0, 20);
	tcase_add_test(tc, cancel_in_own_event);
	tcase_add_loop_test(tc, closed, 1, 5);
	return s;
}
