/* SPDX-License-Identifier: ISC */
/*
 * Goal: a whole node answers datagrams as the golden vectors do, demultiplexes
 * them, ends every operation exactly once and leaves within two seconds.
 * Method: a node in a simulated world, put into the state that a vector
 * describes; virtual time.
 */
#include <stdlib.h>
#include <string.h>

#include "world/alloc.h"
#include "base/err.h"
#include "dht/dht_struct.h"
#include "world/sim_world.h"
#include "node/node_conn.h"
#include "node/node_struct.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"
#include "punch/punch_context.h"
#include "t.h"

static const char file[] = "rpc.json";

static struct sim_world fw;
static struct key_pair identity;
static struct node *node;
static struct dht *d;
static int server, client;

static void
make(enum dht_role role)
{
	static const uint8_t seed[KEY_SEED_LEN] = {1};
	struct node_config c;

	sim_world_init(&fw, NULL, 42);
	key_pair_from_seed(&identity, seed);
	node_config_init(&c);
	c.identity = &identity;
	c.dht.role = role;
	c.dht.port_last = c.dht.port_first;
	c.dht.health_ms = 0;
	c.dht.public_address = addr_v4(203, 0, 113, 10, 49737);
	node = node_new(&fw.w, &c);
	ck_assert_ptr_nonnull(node);
	ck_assert_int_eq(node_start(node), 0);
	d = node_dht(node);
	server = d->self.server.handle;
	client = d->self.client.handle;
	sim_advance_ms(&fw, 1);
	node_tick(node);
	ck_assert(d->self.bootstrapped);
	sim_clear(&fw);
}

static void
teardown(void)
{
	node_free(node);
	node = NULL;
	sim_world_fini(&fw);
}

static void
pass_ms(uint64_t ms)
{
	uint64_t end = fw.w.now_us + ms * 1000;

	while (node_deadline(node) <= end) {
		if (node_deadline(node) > fw.w.now_us)
			fw.w.now_us = node_deadline(node);
		node_tick(node);
	}
	fw.w.now_us = end;
}

static int
deliver(int sock, const struct addr *from, const uint8_t *buf, size_t len)
{
	uint8_t *copy = t_copy(buf, len);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};
	int err;

	/* Tests let time pass without timers: that is no stall. */
	node->stalled_us = fw.w.now_us;
	err = node_recv(node, &dg);
	free(copy);
	return err;
}

/* ---- the golden exchanges ---- */

static void
put_node_into(struct dht *at, const struct addr *a)
{
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	/* Seen some ticks ago, so that a down hint causes a PING. */
	if (table_check(&at->self.table, id, a, NULL) == 0)
		table_add(&at->self.table, id, a, at->self.tick - 5);
}

static void
put_node(const struct addr *a)
{
	put_node_into(d, a);
}

static void
set_state(const json_t *v)
{
	const char *state = t_string(v, "state");
	const json_t *table = t_get(v, "table"), *n;
	size_t len, i;
	uint8_t *id = t_bytes(v, "table_id", &len);

	make(strcmp(state, "persistent") == 0 ? DHT_BOOTSTRAP : DHT_AUTO);
	if (strcmp(state, "ephemeral-open") == 0)
		d->self.firewalled = false;
	ck_assert(d->self.ephemeral != t_bool(v, "sends_id"));
	table_fini(&d->self.table);
	table_init(&d->self.table, id);
	free(id);
	json_array_foreach(table, i, n)
	{
		struct addr a = t_addr(n);

		put_node(&a);
	}
	if (json_is_string(table))
		for (unsigned k = 1; k <= 40; k++) {
			struct addr a = addr_v4(
			    198, 51, 100, (uint8_t)k, (uint16_t)(20000 + k));

			put_node(&a);
		}
}

static bool
is_hex(const uint8_t *p, const char *hex)
{
	size_t len;
	uint8_t *want = t_hex(hex, &len);
	bool same = memcmp(p, want, len) == 0;

	free(want);
	return same;
}

/* Replaces a token that JavaScript issued in the vector by one of this node. */
static void
put_our_token(uint8_t *token, const struct addr *from)
{
	const json_t *v = t_get(t_vectors(file), "tokens");
	const json_t *row = json_array_get(t_get(v, "derive"), 0);
	bool older = is_hex(token, t_string(row, "also_accepted"));

	if (!older && !is_hex(token, t_string(row, "issued")))
		return;
	dht_token(d, from, token);
	if (older)
		fw.w.now_us += TOKEN_ROTATE_US;
}

static void
deliver_row(const json_t *in, const struct addr *from)
{
	int sock =
	    strcmp(t_string(in, "on_socket"), "server") == 0 ? server : client;
	uint8_t buf[DGRAM_MAX];
	size_t len;
	uint8_t *hex = t_bytes(in, "hex", &len);
	struct rpc_request m;

	memcpy(buf, hex, len);
	free(hex);
	ck_assert_int_eq(rpc_request_decode(&m, buf, len), 0);
	if (m.token != NULL)
		put_our_token(buf + (m.token - buf), from);
	deliver(sock, from, buf, len);
}

static bool
is_ping_to(const struct sim_sent *s, const struct addr *to)
{
	struct rpc_request m;

	return s->buf[0] == RPC_REQUEST && addr_equal(&s->meta.to, to) &&
	       rpc_request_decode(&m, s->buf, s->len) == 0 && m.internal &&
	       m.command == RPC_PING;
}

static int
compare_addr(const void *a, const void *b)
{
	return memcmp(a, b, ADDR_WIRE4_LEN);
}

static void
sorted(struct bytes list, uint8_t *out)
{
	if (list.len > 0)
		memcpy(out, list.p, list.len);
	qsort(out, list.len / ADDR_WIRE4_LEN, ADDR_WIRE4_LEN, compare_addr);
}

/* Checks that no other node of the table is closer. */
static void
assert_true_closest(const struct rpc_reply *m, const uint8_t *target)
{
	size_t n = m->closer.len / ADDR_WIRE4_LEN, nearer = 0;
	uint8_t last[ID_LEN];
	struct addr a = rpc_closer(m, n - 1);

	id_of_addr(last, &a);
	for (uint32_t i = table_oldest(&d->self.table); i != 0;
	     i = table_at(&d->self.table, i)->recent.next)
		nearer += id_compare(target, table_at(&d->self.table, i)->id,
			      last) <= 0;
	ck_assert_uint_eq(nearer, n);
}

/* Checks that the closer nodes are sorted, and those of the reference. */
static void
check_closer(const json_t *row, const struct rpc_reply *got,
    const struct rpc_reply *want)
{
	uint8_t a[RPC_K * ADDR_WIRE4_LEN], b[RPC_K * ADDR_WIRE4_LEN];
	const json_t *fields = t_get(t_get(row, "in"), "fields");
	uint8_t id[ID_LEN], before[ID_LEN], *target;
	size_t len;

	if (want->closer.len == 0) {
		ck_assert_uint_eq(got->closer.len, 0);
		return;
	}
	target = t_bytes(fields, "target", &len);
	for (size_t i = 0; i < got->closer.len / ADDR_WIRE4_LEN; i++) {
		struct addr node_i = rpc_closer(got, i);

		id_of_addr(id, &node_i);
		ck_assert(i == 0 || id_compare(target, before, id) < 0);
		memcpy(before, id, ID_LEN);
	}
	ck_assert_uint_eq(got->closer.len, want->closer.len);
	assert_true_closest(got, target);
	/* With 40 known nodes the reference does not send the closest. */
	if (d->self.table.nodes.len <= RPC_K) {
		sorted(got->closer, a);
		sorted(want->closer, b);
		ck_assert_mem_eq(a, b, got->closer.len);
	}
	free(target);
}

/* Compares all bytes except our own token and the order of closer nodes. */
static void
check_reply(const json_t *row, const json_t *out, const struct sim_sent *s,
    const struct addr *from)
{
	uint8_t token[RPC_TOKEN_LEN], bytes[DGRAM_MAX];
	struct rpc_reply got, want;
	size_t len;
	uint8_t *hex = t_bytes(out, "hex", &len);

	ck_assert_int_eq(rpc_reply_decode(&got, s->buf, s->len), 0);
	ck_assert_int_eq(rpc_reply_decode(&want, hex, len), 0);
	check_closer(row, &got, &want);
	dht_token(d, from, token);
	if (want.token != NULL)
		want.token = token;
	want.closer = got.closer;
	len = rpc_reply_encode(&want, bytes, sizeof bytes);
	ck_assert_uint_eq(s->len, len);
	ck_assert_mem_eq(s->buf, bytes, len);
	free(hex);
}

/* Compares all bytes except the tid, which is random. */
static void
check_request(const json_t *out, const struct sim_sent *s)
{
	size_t len;
	uint8_t *hex = t_bytes(out, "hex", &len);

	ck_assert_uint_eq(s->len, len);
	ck_assert_mem_eq(s->buf, hex, 2);
	ck_assert_mem_eq(s->buf + 4, hex + 4, len - 4);
	free(hex);
}

static void
check_sent(const json_t *row, const json_t *out, const struct sim_sent *s,
    const struct addr *from)
{
	struct addr to = t_addr(t_get(out, "sent_to"));
	bool from_server = strcmp(t_string(out, "from_socket"), "server") == 0;

	ck_assert(addr_equal(&s->meta.to, &to));
	ck_assert_int_eq(s->meta.sock, from_server ? server : client);
	if (strcmp(t_string(t_get(out, "fields"), "type"), "reply") == 0)
		check_reply(row, out, s, from);
	else
		check_request(out, s);
}

/* Answers our PING as the sender would. */
static void
answer_ping(const struct sim_sent *ping)
{
	struct rpc_request m;
	struct rpc_reply re = {.to = addr_v4(203, 0, 113, 10, 49737)};
	struct addr from = ping->meta.to;
	uint8_t buf[DGRAM_MAX], id[ID_LEN];

	ck_assert_int_eq(rpc_request_decode(&m, ping->buf, ping->len), 0);
	id_of_addr(id, &from);
	re.tid = m.tid;
	re.id = id;
	ck_assert_int_eq(deliver(ping->meta.sock, &from, buf,
			     rpc_reply_encode(&re, buf, sizeof buf)),
	    0);
}

static bool
knows(const struct addr *a)
{
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	return table_find(&d->self.table, id) != 0;
}

/* Pitfalls R2, R5, R6, R7, R8, R10: the bytes, the socket, the table. */
START_TEST(answers_the_exchanges)
{
	const json_t *row = t_row(file, "exchanges", _i);
	const json_t *out = t_get(row, "out");
	struct addr from = t_addr(t_get(t_get(row, "in"), "from"));
	struct sim_sent ping;
	bool pinged = false;
	size_t n = 0, i;

	set_state(t_get(row, "node"));
	deliver_row(t_get(row, "in"), &from);
	sim_advance_ms(&fw, 30);
	node_tick(node); /* DELAYED_PING */
	for (i = 0; i < fw.sent_len; i++) {
		if (is_ping_to(&fw.sent[i], &from)) {
			ck_assert(!pinged);
			pinged = true;
			ping = fw.sent[i];
			continue;
		}
		ck_assert_uint_lt(n, json_array_size(out));
		check_sent(row, json_array_get(out, n++), &fw.sent[i], &from);
	}
	ck_assert_uint_eq(n, json_array_size(out));
	/*
	 * "Added" means here: becomes a candidate, and is added if it replies.
	 */
	ck_assert(pinged == t_bool(row, "sender_added_to_table"));
	ck_assert(!knows(&from));
	if (pinged) {
		answer_ping(&ping);
		ck_assert(knows(&from));
	}
	teardown();
}
END_TEST

/* Pitfall R11: there is no reply, and the reason is counted. */
START_TEST(is_silent_to_malformed_requests)
{
	const json_t *row = t_row(file, "malformed_requests", _i);
	const json_t *out = t_get(row, "out");
	struct addr from = t_addr(t_get(row, "from"));
	uint64_t dropped = 0;
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	int err;

	make(DHT_BOOTSTRAP);
	err = deliver(server, &from, buf, len);
	pass_ms(4000);
	ck_assert_uint_eq(fw.sent_len, json_array_size(out));
	for (int i = 0; i < ERR_INDEX_MAX; i++)
		dropped += node->stats.drop[i];
	if (json_array_size(out) == 0) {
		ck_assert_int_lt(err, 0);
		ck_assert_uint_eq(dropped, 1);
		ck_assert_uint_eq(node->stats.drop[-err], 1);
	} else {
		ck_assert_int_eq(err, 0);
		ck_assert_uint_eq(dropped, 0);
		t_assert_hex(fw.sent[0].buf, fw.sent[0].len,
		    t_string(json_array_get(out, 0), "hex"));
	}
	ck_assert(!knows(&from));
	free(buf);
	teardown();
}
END_TEST

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	struct addr *from = arg;

	/* Each has a source of its own, so that no rate limit drops it. */
	from->ip[3]++;
	from->ip[2] += from->ip[3] == 0;
	from->ip[1] += from->ip[2] == 0 && from->ip[3] == 0;
	deliver(server, from, buf, len);
	sim_clear(&fw);
}

/* A node survives every exchange, cut anywhere or with any bit flipped. */
START_TEST(survives_damage)
{
	struct addr from = addr_v4(20, 0, 0, 0, 4000);

	make(DHT_BOOTSTRAP);
	for (int i = 0; i < t_rows(file, "exchanges"); i++) {
		const json_t *in = t_get(t_row(file, "exchanges", i), "in");
		size_t len;
		uint8_t *buf = t_bytes(in, "hex", &len);

		t_damage(buf, len, take_damaged, &from);
		free(buf);
		sim_advance_ms(&fw, 300);
		node_tick(node);
	}
	pass_ms(20000);
	ck_assert_uint_eq(d->requests.len, 0);
	ck_assert_uint_eq(d->self.table.nodes.len, 0);
	ck_assert(TAILQ_EMPTY(&d->responder.delayed));
	teardown();
}
END_TEST

/* Pitfall R1: the order of protocol 01 §1.1 on both sockets, while there
 * is no stream. */
START_TEST(demultiplexes)
{
	const json_t *row = t_row(file, "demux", _i);
	const char *kind = t_string(row, "kind");
	struct addr from = addr_v4(192, 0, 2, 7, 50001);
	bool request = strcmp(kind, "rpc request") == 0;
	bool reply = strcmp(kind, "rpc reply") == 0;
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	make(DHT_BOOTSTRAP);
	for (int k = 0; k < 2; k++) {
		int err = deliver(k == 0 ? server : client, &from, buf, len);

		if (request)
			ck_assert_int_eq(err, 0);
		else if (reply)
			ck_assert_int_eq(err, ERR_UNMATCHED);
		else
			ck_assert_int_lt(err, 0);
		ck_assert_uint_eq(fw.sent_len, request ? 1 : 0);
		if (request)
			ck_assert_int_eq(
			    fw.sent[0].meta.sock, k == 0 ? server : client);
		sim_clear(&fw);
	}
	free(buf);
	teardown();
}
END_TEST

/* Pitfalls R1, P3: a packet with the id of an open stream belongs to it, on any
 * socket. */
START_TEST(streams_come_first)
{
	struct addr from = addr_v4(192, 0, 2, 7, 50001);
	uint8_t buf[UDX_HEADER_LEN + 2] = {0xff, 1, 1};
	struct udx_stream *s;
	struct wr w = wr_init(buf + 4, 4);
	int err;

	make(DHT_BOOTSTRAP);
	memcpy(buf + UDX_HEADER_LEN, "\x03\x13", 2);
	ck_assert_int_eq(deliver(server, &from, buf, sizeof buf), ERR_KIND);
	s = udx_stream_new(node->udx, NULL, &err);
	ck_assert_ptr_nonnull(s);
	wr_le32(&w, udx_id(s));
	ck_assert_int_eq(deliver(server, &from, buf, sizeof buf), 0);
	ck_assert_int_eq(deliver(client, &from, buf, sizeof buf), 0);
	ck_assert_uint_eq(udx_readable(s), 2);
	ck_assert_mem_eq(udx_peek(s).p, "\x03\x13", 2);
	udx_stream_free(s);
	ck_assert_int_eq(deliver(server, &from, buf, sizeof buf), ERR_KIND);
	teardown();
}
END_TEST

/* Pitfall R19: 2048 bytes are read, one more is dropped and counted. */
START_TEST(reads_2048_bytes)
{
	struct addr from = addr_v4(192, 0, 2, 7, 50001);
	static uint8_t buf[DGRAM_MAX + 1] = {RPC_REQUEST, 4};

	make(DHT_BOOTSTRAP);
	ck_assert_int_eq(deliver(server, &from, buf, DGRAM_MAX), 0);
	ck_assert_uint_eq(fw.sent_len, 1);
	ck_assert_int_eq(deliver(server, &from, buf, DGRAM_MAX + 1), ERR_SIZE);
	ck_assert_uint_eq(fw.sent_len, 1);
	ck_assert_uint_eq(node->stats.drop[-ERR_SIZE], 1);
	teardown();
}
END_TEST

/* ---- a second node, which stores records ---- */

static struct sim_world store_fw;
static struct node *store;
static bool silent; /* all datagrams are lost */
static const struct addr store_at = {
    .ip = {198, 51, 100, 1}, .port = 49737, .family = ADDR_V4};
static const struct addr node_at = {
    .ip = {203, 0, 113, 10}, .port = 49737, .family = ADDR_V4};

static void
make_two(void)
{
	struct node_config c;

	make(DHT_BOOTSTRAP);
	silent = false;
	sim_world_init(&store_fw, NULL, 43);
	node_config_init(&c);
	c.identity = &identity;
	c.dht.role = DHT_BOOTSTRAP;
	c.dht.port_last = c.dht.port_first;
	c.dht.public_address = store_at;
	store = node_new(&store_fw.w, &c);
	ck_assert_int_eq(node_start(store), 0);
	put_node(&store_at);
}

static void
teardown_two(void)
{
	node_free(store);
	sim_world_fini(&store_fw);
	teardown();
}

/* Delivers what one node has sent to the server socket of the other. Returns
 * false if nothing was sent. */
static bool
carry(struct sim_world *out, const struct addr *from, struct node *to,
    const struct addr *to_addr)
{
	size_t n = out->sent_len;
	struct sim_sent *sent;

	if (n == 0)
		return false;
	sent = malloc(n * sizeof *sent);
	memcpy(sent, out->sent, n * sizeof *sent);
	sim_clear(out);
	for (size_t i = 0; i < n; i++) {
		struct dgram dg = {.buf = sent[i].buf,
		    .len = sent[i].len,
		    .sock = node_dht(to)->self.server.handle,
		    .from = *from};

		if (!silent && addr_equal(&sent[i].meta.to, to_addr))
			node_recv(to, &dg);
	}
	free(sent);
	return true;
}

static void
exchange(void)
{
	while (carry(&fw, &node_at, store, &store_at) ||
	       carry(&store_fw, &store_at, node, &node_at))
		;
}

static void
run_ms(uint64_t ms)
{
	uint64_t end = fw.w.now_us + ms * 1000;

	for (;;) {
		uint64_t a = node_deadline(node), b = node_deadline(store);
		uint64_t due = a < b ? a : b;

		exchange();
		if (due > end)
			break;
		if (due > fw.w.now_us)
			fw.w.now_us = store_fw.w.now_us = due;
		node_tick(node);
		node_tick(store);
	}
	fw.w.now_us = store_fw.w.now_us = end;
}

/* ---- events ---- */

static struct node_event done; /* the latest of its kind */
static unsigned dones, event_of[NODE_EV_DONE + 1];

static void
clear_events(void)
{
	memset(event_of, 0, sizeof event_of);
	dones = 0;
}

/* Drains the events; those of an operation must be of this one. */
static void
poll_op(uint32_t op)
{
	static struct node_event ev;

	while (node_poll(node, &ev)) {
		ck_assert_uint_le(ev.kind, NODE_EV_DONE);
		event_of[ev.kind]++;
		if (ev.op != 0)
			ck_assert_uint_eq(ev.op, op);
		/* No event follows the end. */
		if (ev.op != 0)
			ck_assert_uint_eq(dones, 0);
		if (ev.kind == NODE_EV_DONE) {
			done = ev;
			dones++;
		}
	}
}

/* ---- operations (pitfall R13) ---- */

static const uint8_t topic[32] = {7, 7, 7};

static int
op_ping(uint32_t *op)
{
	return node_ping(node, &store_at, op);
}

static int
op_find_node(uint32_t *op)
{
	return node_find_node(node, topic, op);
}

static int
op_find_peer(uint32_t *op)
{
	return node_find(node, CMD_FIND_PEER, topic, op);
}

static int
op_lookup(uint32_t *op)
{
	return node_find(node, CMD_LOOKUP, topic, op);
}

static int
op_announce(uint32_t *op)
{
	return node_announce(node, NULL, topic, op);
}

static int
op_unannounce(uint32_t *op)
{
	return node_unannounce(node, NULL, topic, op);
}

static int
op_put(uint32_t *op)
{
	return node_put_immutable(node, "hello", 5, op);
}

static int
op_get(uint32_t *op)
{
	static uint8_t hash[32];

	hash_blake2b(hash, "hello", 5);
	return node_get_immutable(node, hash, op);
}

static int
op_put_mutable(uint32_t *op)
{
	return node_put_mutable(node, NULL, 5, "hello", 5, op);
}

static int
op_get_mutable(uint32_t *op)
{
	return node_get_mutable(node, identity.public_key, 0, op);
}

static const struct {
	const char *name;
	int (*start)(uint32_t *op);
	int err;        /* after the rows before it, with the store */
	int silent_err; /* with no reachable node */
	enum node_event_kind
	    kind; /* one of these comes first; NODE_EV_DONE: none */
} ops[] = {
    {"ping", op_ping, 0, ERR_TIMEOUT, NODE_EV_DONE},
    {"find_node", op_find_node, 0, ERR_UNREACHABLE, NODE_EV_NODE},
    {"find_peer", op_find_peer, ERR_NOT_FOUND, ERR_UNREACHABLE, NODE_EV_DONE},
    {"announce", op_announce, 0, ERR_UNREACHABLE, NODE_EV_DONE},
    {"lookup", op_lookup, 0, ERR_UNREACHABLE, NODE_EV_PEER},
    {"unannounce", op_unannounce, 0, ERR_UNREACHABLE, NODE_EV_DONE},
    {"put", op_put, 0, ERR_UNREACHABLE, NODE_EV_DONE},
    {"get", op_get, 0, ERR_UNREACHABLE, NODE_EV_VALUE},
    {"put_mutable", op_put_mutable, 0, ERR_UNREACHABLE, NODE_EV_DONE},
    {"get_mutable", op_get_mutable, 0, ERR_UNREACHABLE, NODE_EV_VALUE},
};

/* Later operations find what earlier ones have stored. */
START_TEST(operations_end_well)
{
	make_two();
	for (int i = 0; i < T_ROWS(ops); i++) {
		uint32_t op = 0;

		poll_op(0);
		clear_events();
		ck_assert_int_eq(ops[i].start(&op), 0);
		ck_assert_uint_ne(op, 0);
		/* The start does not queue the end. */
		poll_op(op);
		ck_assert_uint_eq(dones, 0);
		run_ms(10000);
		poll_op(op);
		if (dones != 1 || done.err != ops[i].err)
			ck_abort_msg("%s: %u ends, %s", ops[i].name, dones,
			    err_name(done.err));
		if (ops[i].kind != NODE_EV_DONE)
			ck_assert_uint_ge(event_of[ops[i].kind], 1);
		run_ms(60000);
		poll_op(0);
	}
	teardown_two();
}
END_TEST

START_TEST(operations_end_in_silence)
{
	uint32_t op;

	make_two();
	silent = true;
	clear_events();
	ck_assert_int_eq(ops[_i].start(&op), 0);
	run_ms(60000);
	poll_op(op);
	ck_assert_uint_eq(dones, 1);
	if (done.err != ops[_i].silent_err)
		ck_abort_msg("%s: %s", ops[_i].name, err_name(done.err));
	teardown_two();
}
END_TEST

static int
op_find_identity(uint32_t *op)
{
	return node_find(node, CMD_FIND_PEER, identity.public_key, op);
}

/* A query asks only other nodes; what this node stores is added to it. */
START_TEST(own_records_are_found)
{
	static const struct {
		int (*read)(uint32_t *op);
		enum node_event_kind kind;
	} reads[] = {{op_find_identity, NODE_EV_PEER},
	    {op_lookup, NODE_EV_PEER}, {op_get, NODE_EV_VALUE},
	    {op_get_mutable, NODE_EV_VALUE}};
	uint8_t own[HASH_LEN];
	uint32_t op;

	make_two();
	put_node_into(node_dht(store), &node_at);
	key_target(own, identity.public_key);
	ck_assert_int_eq(node_announce(store, NULL, own, &op), 0);
	ck_assert_int_eq(node_announce(store, NULL, topic, &op), 0);
	ck_assert_int_eq(node_put_immutable(store, "hello", 5, &op), 0);
	ck_assert_int_eq(node_put_mutable(store, NULL, 5, "hello", 5, &op), 0);
	run_ms(10000);
	silent = true;
	for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
		poll_op(0);
		clear_events();
		ck_assert_int_eq(reads[i].read(&op), 0);
		run_ms(60000);
		poll_op(op);
		ck_assert_uint_eq(dones, 1);
		ck_assert_int_eq(done.err, 0);
		ck_assert_uint_eq(event_of[reads[i].kind], 1);
	}
	teardown_two();
}
END_TEST

/* Cancels at once, during the operation, and long after its end. */
START_TEST(operations_can_be_cancelled)
{
	static const uint32_t when_ms[] = {0, 1, 400, 60000};
	unsigned i = (unsigned)_i / 4;
	uint32_t op;

	make_two();
	silent = true;
	clear_events();
	ck_assert_int_eq(ops[i].start(&op), 0);
	run_ms(when_ms[_i % 4]);
	node_cancel(node, op);
	node_cancel(node, op);
	node_cancel(node, op + 1);
	poll_op(op);
	ck_assert_uint_eq(dones, 1);
	if (_i % 4 < 3)
		ck_assert_int_eq(done.err, ERR_CANCELLED);
	run_ms(60000);
	poll_op(0);
	teardown_two();
}
END_TEST

/*
 * Leaving ends all operations except a withdrawal, and refuses new ones.
 */
START_TEST(operations_end_when_the_node_leaves)
{
	bool withdraws = ops[_i % T_ROWS(ops)].start == op_unannounce;
	uint32_t op, more;

	make_two();
	silent = _i >= T_ROWS(ops);
	clear_events();
	ck_assert_int_eq(ops[_i % T_ROWS(ops)].start(&op), 0);
	node_leave(node);
	if (withdraws)
		run_ms(2000);
	poll_op(op);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(done.err, withdraws && !silent ? 0 : ERR_CANCELLED);
	for (int i = 0; i < T_ROWS(ops); i++)
		ck_assert_int_eq(ops[i].start(&more), ERR_CLOSED);
	run_ms(2000);
	poll_op(0);
	ck_assert_uint_eq(event_of[NODE_EV_LEFT], 1);
	node_leave(node);
	run_ms(10000);
	poll_op(0);
	ck_assert_uint_eq(event_of[NODE_EV_LEFT], 1);
	teardown_two();
}
END_TEST

/* Frees a node with operations in progress; the sanitizer reports leaks. */
START_TEST(a_busy_node_can_be_freed)
{
	uint32_t op;

	make_two();
	silent = _i % 2;
	for (int i = 0; i < T_ROWS(ops); i++)
		ck_assert_int_eq(ops[i].start(&op), 0);
	run_ms((uint64_t)_i * 150);
	if (_i > 8)
		node_leave(node);
	teardown_two();
}
END_TEST

START_TEST(operations_are_bounded)
{
	struct limits l;
	uint32_t op;

	make_two();
	limits_init(&l);
	l.operations = 4;
	node_set_limits(node, &l);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(op_lookup(&op), 0);
	for (int i = 0; i < T_ROWS(ops); i++)
		ck_assert_int_eq(ops[i].start(&op), ERR_BUSY);
	run_ms(5000);
	ck_assert_int_eq(op_lookup(&op), 0);
	teardown_two();
}
END_TEST

/* A full queue drops and counts results, but never the end. */
START_TEST(events_are_bounded)
{
	struct limits l;
	struct node_event ev;
	unsigned ends = 0, lost = 0;
	uint32_t op;

	make_two();
	limits_init(&l);
	l.events = 64;
	node_set_limits(node, &l);
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(op_find_node(&op), 0);
		run_ms(1000);
	}
	ck_assert_uint_le(node->events.len, 64 + 200);
	while (node_poll(node, &ev)) {
		ends += ev.kind == NODE_EV_DONE;
		lost += ev.kind == NODE_EV_DONE ? ev.lost : 0;
	}
	ck_assert_uint_eq(ends, 200);
	ck_assert_uint_gt(lost, 0);
	ck_assert_uint_ge(node->stats.news_lost, lost);
	teardown_two();
}
END_TEST

/* ---- announcements ---- */

static struct node_announcement
the_announcement(void)
{
	struct node_announcement a;

	ck_assert(node_announcement(node, 0, &a));
	ck_assert_mem_eq(a.topic, topic, sizeof topic);
	return a;
}

static bool
stored(void)
{
	struct node_status st;

	node_status(store, &st);
	return st.records > 0;
}

START_TEST(announcements_are_renewed)
{
	struct node_announcement a;
	uint32_t op;

	make_two();
	clear_events();
	ck_assert_int_eq(op_announce(&op), 0);
	run_ms(1000);
	poll_op(op);
	ck_assert_uint_eq(dones, 1);
	ck_assert_uint_eq(done.stored, 1);
	ck_assert(stored());
	a = the_announcement();
	ck_assert(a.announced);
	ck_assert_uint_gt(a.next_us, UINT64_C(539) * 1000000);
	ck_assert_uint_le(a.next_us, UINT64_C(600) * 1000000);
	run_ms(3600 * 1000);
	dones = 0;
	poll_op(0);
	/* Every nine to ten minutes; records expire after twenty. */
	ck_assert_uint_ge(event_of[NODE_EV_ANNOUNCED], 6);
	ck_assert_uint_le(event_of[NODE_EV_ANNOUNCED], 7);
	ck_assert(stored());
	teardown_two();
}
END_TEST

/* A failed round is retried soon, then at growing intervals. */
START_TEST(failed_announcements_back_off)
{
	static const unsigned at_least[] = {9, 18, 36, 72, 144, 288, 540, 540};
	struct node_announcement a;
	uint32_t op;

	make_two();
	silent = true;
	clear_events();
	ck_assert_int_eq(op_announce(&op), 0);
	for (int i = 0; i < 8; i++) {
		uint64_t next_s;

		while ((a = the_announcement()).next_us == 0)
			run_ms(10);
		ck_assert_int_lt(a.err, 0);
		next_s = a.next_us / 1000000;
		ck_assert_uint_ge(next_s + 1, at_least[i]);
		ck_assert_uint_le(next_s, at_least[i] * 10 / 9);
		/* Nodes that do not reply are removed: adds it again. */
		run_ms(a.next_us / 1000 - 1);
		if (!knows(&store_at))
			put_node(&store_at);
		run_ms(2);
	}
	silent = false;
	run_ms(15 * 60000);
	a = the_announcement();
	ck_assert_int_eq(a.err, 0);
	ck_assert(a.announced && stored());
	ck_assert_uint_gt(a.next_us, 0);
	teardown_two();
}
END_TEST

/* The later operation gets the round; the earlier one is cancelled. */
START_TEST(a_topic_is_announced_once)
{
	uint32_t first, second;

	make_two();
	clear_events();
	ck_assert_int_eq(op_announce(&first), 0);
	ck_assert_int_eq(op_announce(&second), 0);
	poll_op(first);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(done.err, ERR_CANCELLED);
	dones = 0;
	run_ms(1000);
	poll_op(second);
	ck_assert_uint_eq(dones, 1);
	ck_assert_int_eq(done.err, 0);
	ck_assert_uint_eq(HASH_COUNT(node->announcements.by_id), 1);
	/* Cancelling the operation does not end the announcement. */
	ck_assert_int_eq(op_announce(&first), 0);
	node_cancel(node, first);
	dones = 0;
	poll_op(first);
	ck_assert_uint_eq(HASH_COUNT(node->announcements.by_id), 1);
	teardown_two();
}
END_TEST

START_TEST(own_topics_are_bounded)
{
	struct limits l;
	uint8_t other[32] = {1};
	uint32_t op;

	make_two();
	limits_init(&l);
	l.announcements = 1;
	node_set_limits(node, &l);
	ck_assert_int_eq(op_announce(&op), 0);
	ck_assert_int_eq(node_announce(node, NULL, other, &op), ERR_LIMIT);
	/* A known topic may be announced again. */
	ck_assert_int_eq(op_announce(&op), 0);
	teardown_two();
}
END_TEST

START_TEST(unannounce_withdraws)
{
	struct node_announcement a;
	uint32_t op;

	make_two();
	op_announce(&op);
	run_ms(1000);
	ck_assert(stored());
	ck_assert_int_eq(op_unannounce(&op), 0);
	ck_assert(!node_announcement(node, 0, &a));
	run_ms(5000);
	ck_assert(!stored());
	run_ms(3600 * 1000);
	ck_assert(!stored());
	teardown_two();
}
END_TEST

/* A user's key is another announcement than the node's. */
START_TEST(keys_are_announced_apart)
{
	struct key_pair other;
	struct node_announcement a;
	uint32_t op;

	make_two();
	key_pair_from_seed(&other, (uint8_t[KEY_SEED_LEN]){9});
	op_announce(&op);
	run_ms(1000);
	poll_op(op);
	clear_events();
	ck_assert_int_eq(node_announce(node, &other, topic, &op), 0);
	run_ms(1000);
	poll_op(op);
	ck_assert(node_announcement(node, 1, &a));
	ck_assert_mem_eq(a.key, other.public_key, KEY_LEN);
	clear_events();
	ck_assert_int_eq(op_lookup(&op), 0);
	run_ms(1000);
	poll_op(op);
	ck_assert_uint_eq(event_of[NODE_EV_PEER], 2);
	clear_events();
	ck_assert_int_eq(node_unannounce(node, &other, topic, &op), 0);
	run_ms(1000);
	poll_op(op);
	ck_assert(node_announcement(node, 0, &a));
	ck_assert_mem_eq(a.key, identity.public_key, KEY_LEN);
	ck_assert(!node_announcement(node, a.number, &a));
	ck_assert(stored());
	teardown_two();
}
END_TEST

/* A record names the relays of its key's listener, soon after they are known.
 */
START_TEST(records_name_the_listeners_relays)
{
	const struct node_listen spec = {.keys = &identity};
	uint32_t op, listener;
	struct node_event ev;
	bool found = false;

	make_two();
	op_announce(&op);
	run_ms(1000);
	ck_assert_uint_eq(node->announcements.by_id->relays_len, 0);
	ck_assert_int_eq(node_listen(node, &spec, &listener), 0);
	/* Its first announcement takes less than two seconds. */
	run_ms(2000);
	while (node_poll(node, &ev))
		;
	run_ms(6000);
	ck_assert_int_eq(node_find(node, CMD_LOOKUP, topic, &op), 0);
	run_ms(1000);
	while (node_poll(node, &ev)) {
		if (ev.kind != NODE_EV_PEER)
			continue;
		found = true;
		/* This node can be reached without a relay. */
		ck_assert_uint_eq(ev.relays_len, 2);
		ck_assert(addr_equal(&ev.relays[0], &node_at));
		ck_assert(addr_equal(&ev.relays[1], &store_at));
	}
	ck_assert(found);
	ck_assert_uint_eq(node->announcements.by_id->relays_len, 2);
	teardown_two();
}
END_TEST

/* ---- a node without a network ---- */

/* Runs an operation to its end and returns its error. */
static int
end_alone(int err, uint32_t op)
{
	ck_assert_int_eq(err, 0);
	clear_events();
	pass_ms(5000);
	poll_op(op);
	ck_assert_uint_eq(dones, 1);
	return done.err;
}

START_TEST(a_node_alone_serves_itself)
{
	uint32_t op;
	int err;

	make(DHT_BOOTSTRAP);
	err = op_get(&op);
	ck_assert_int_eq(end_alone(err, op), ERR_NOT_FOUND);
	err = op_put(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(done.stored, 1);
	err = op_get(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(event_of[NODE_EV_VALUE], 1);
	err = op_get_mutable(&op);
	ck_assert_int_eq(end_alone(err, op), ERR_NOT_FOUND);
	err = op_put_mutable(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(done.seq, 5);
	err = node_put_mutable(node, NULL, NODE_SEQ_NEXT, "next", 4, &op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(done.seq, 6);
	err = op_put_mutable(&op);
	ck_assert_int_eq(end_alone(err, op), ERR_SEQ_LOW);
	err = node_put_mutable(node, NULL, 6, "other", 5, &op);
	ck_assert_int_eq(end_alone(err, op), ERR_SEQ_REUSED);
	err = op_get_mutable(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	err = op_lookup(&op);
	ck_assert_int_eq(end_alone(err, op), ERR_NOT_FOUND);
	err = op_announce(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(done.stored, 1);
	err = op_lookup(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	ck_assert_uint_eq(event_of[NODE_EV_PEER], 1);
	/* It is renewed before it expires. */
	pass_ms(3600 * 1000);
	poll_op(0);
	err = op_lookup(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	err = op_unannounce(&op);
	ck_assert_int_eq(end_alone(err, op), 0);
	err = op_lookup(&op);
	ck_assert_int_eq(end_alone(err, op), ERR_NOT_FOUND);
	ck_assert_int_eq(node_put_immutable(node, "", 0, &op), ERR_VALUE);
	ck_assert_int_eq(
	    node_put_mutable(node, NULL, WIRE_UINT_MAX + 1, "x", 1, &op),
	    ERR_VALUE);
	teardown();
}
END_TEST

/* After a sleep and a change of network all topics are announced again. */
START_TEST(waking_up_announces_again)
{
	uint32_t op;

	make_two();
	op_announce(&op);
	run_ms(1000);
	poll_op(op);
	clear_events();
	if (_i == 0) {
		node_slept(node, 14999999);
		run_ms(6000);
		poll_op(0);
		ck_assert_uint_eq(event_of[NODE_EV_ANNOUNCED], 0);
		node_slept(node, 15000000);
	} else {
		node_network_changed(node);
	}
	run_ms(6000);
	poll_op(0);
	ck_assert_uint_eq(event_of[NODE_EV_ANNOUNCED], 1);
	ck_assert_uint_eq(event_of[NODE_EV_WAKEUP], _i == 0 ? 1 : 0);
	teardown_two();
}
END_TEST

/* The process was stopped (SIGSTOP, a paused virtual machine): timers that are
 * late by 15 s are one wake-up, whether a datagram or the timer comes first,
 * however often time is looked at before they run. */
static const struct {
	uint64_t late_us;
	bool datagram;
	uint64_t wakeups;
} stalls[] = {
    {14999999, false, 0},
    {14999999, true, 0},
    {15000000, false, 1},
    {15000000, true, 1},
    {3600000000, true, 1},
};

START_TEST(a_stall_is_a_wakeup)
{
	static const uint8_t junk[] = {0};
	struct dgram dg = {.buf = junk,
	    .len = sizeof junk,
	    .from = addr_v4(20, 0, 0, 1, 4000)};
	uint64_t before;

	make(DHT_PERSISTENT);
	dg.sock = server;
	pass_ms(6000);
	node->stalled_us = 0;
	before = node_stats(node)->wakeups;
	fw.w.now_us = node_deadline(node) + stalls[_i].late_us;
	for (unsigned i = 0; stalls[_i].datagram && i < 3; i++)
		(void)node_recv(node, &dg);
	node_tick(node);
	node_tick(node);
	ck_assert_uint_eq(
	    node_stats(node)->wakeups - before, stalls[_i].wakeups);
	/* The next one counts again. */
	fw.w.now_us = node_deadline(node) + 15000000;
	node_tick(node);
	ck_assert_uint_eq(
	    node_stats(node)->wakeups - before, stalls[_i].wakeups + 1);
	teardown();
}
END_TEST

/* ---- leaving (pitfall L2) ---- */

static void
announce_many(unsigned n)
{
	uint32_t op;

	for (unsigned i = 0; i < n; i++) {
		uint8_t t[32] = {(uint8_t)i, (uint8_t)(i >> 8), 9};

		ck_assert_int_eq(node_announce(node, NULL, t, &op), 0);
		/* A few at a time, as operations and queries are bounded. */
		if (i % 32 == 31)
			run_ms(1000);
	}
	run_ms(3000);
}

static unsigned
records_stored(void)
{
	struct node_status st;

	node_status(store, &st);
	return st.records;
}

START_TEST(leaving_withdraws_all)
{
	struct limits l;
	struct node_event ev;
	bool told = false;

	make_two();
	limits_init(&l);
	l.share_host_permille = l.share_prefix_permille = 1000;
	node_set_limits(store, &l);
	/* As many as the congestion window allows in two seconds. */
	announce_many(64);
	ck_assert_uint_eq(records_stored(), 64);
	node_leave(node);
	for (int ms = 0; ms < 2000 && !told; ms += 10) {
		run_ms(10);
		while (node_poll(node, &ev))
			told = told || ev.kind == NODE_EV_LEFT;
	}
	ck_assert(told);
	ck_assert_uint_eq(records_stored(), 0);
	ck_assert_uint_eq(HASH_COUNT(node->announcements.by_id), 0);
	teardown_two();
}
END_TEST

/* Without replies, with more topics than queries, and with renewals that fall
 * due meanwhile, leaving takes two seconds and announces nothing. */
START_TEST(leaving_takes_two_seconds_at_the_most)
{
	struct node_event ev;
	unsigned told = 0;

	make_two();
	announce_many(300);
	/* Until just before they are renewed. */
	run_ms(537 * 1000);
	silent = true;
	while (node_poll(node, &ev))
		;
	node_leave(node);
	/* A sleep of the machine changes nothing. */
	if (_i == 1)
		node_slept(node, 20000000);
	run_ms(1999);
	while (node_poll(node, &ev))
		told += ev.kind == NODE_EV_LEFT;
	ck_assert_uint_eq(told, 0);
	run_ms(1);
	while (node_poll(node, &ev)) {
		told += ev.kind == NODE_EV_LEFT;
		ck_assert_int_ne(ev.kind, NODE_EV_ANNOUNCED);
	}
	ck_assert_uint_eq(told, 1);
	/* A node that is kept longer queues nothing more. */
	run_ms(_i * 120000);
	while (node_poll(node, &ev)) {
		ck_assert_int_ne(ev.kind, NODE_EV_LEFT);
		ck_assert_int_ne(ev.kind, NODE_EV_ANNOUNCED);
	}
	teardown_two();
}
END_TEST

/* ---- listening ---- */

static uint32_t
forwards_stored(void)
{
	struct node_status st;

	node_status(store, &st);
	return st.forwards;
}

static uint32_t
listen_here(void)
{
	struct node_listen l = {.keys = &identity};
	uint32_t listener = 0;

	ck_assert_int_eq(node_listen(node, &l, &listener), 0);
	ck_assert_int_eq(node_listen(node, &l, &listener), ERR_EXISTS);
	run_ms(1000);
	return listener;
}

START_TEST(a_listener_is_announced_until_the_node_leaves)
{
	struct node_listen l = {.keys = &identity};
	enum node_event_kind order[] = {NODE_EV_UNLISTENED, NODE_EV_LEFT};
	struct node_listener st;
	struct node_event ev;
	uint32_t listener, other;
	size_t told = 0;

	make_two();
	clear_events();
	listener = listen_here();
	poll_op(listener);
	ck_assert_uint_eq(event_of[NODE_EV_LISTENING], 1);
	ck_assert_uint_eq(forwards_stored(), 1);
	ck_assert(node_listener(node, 0, &st));
	ck_assert(st.announced);
	ck_assert_uint_eq(st.listener, listener);
	ck_assert_mem_eq(st.key, identity.public_key, KEY_LEN);
	if (_i == 1) {
		node_unlisten(node, listener);
		run_ms(1000);
		ck_assert_uint_eq(forwards_stored(), 0);
	}
	node_leave(node);
	ck_assert_int_eq(node_listen(node, &l, &other), ERR_CLOSED);
	run_ms(100);
	while (node_poll(node, &ev)) {
		if (ev.kind < NODE_EV_LEFT)
			continue;
		ck_assert_uint_lt(told, 2);
		ck_assert_int_eq(ev.kind, order[told++]);
		ck_assert_uint_eq(
		    ev.op, ev.kind == NODE_EV_LEFT ? 0 : listener);
	}
	ck_assert_uint_eq(told, 2);
	ck_assert_uint_eq(forwards_stored(), 0);
	ck_assert(!node_listener(node, 0, &st));
	teardown_two();
}
END_TEST

/* Pitfalls T5, L3: at once, since the announced address is obsolete. */
START_TEST(a_listener_is_announced_anew)
{
	uint64_t before;

	make_two();
	poll_op(listen_here());
	before = node_stats(store)->announces;
	if (_i == 0)
		node_slept(node, 15000000);
	else if (_i == 1)
		node_network_changed(node);
	else
		d->self.events |= DHT_EV_MOVED;
	poll_op(0);
	run_ms(1000);
	ck_assert_uint_eq(node_stats(store)->announces, before + 1);
	teardown_two();
}
END_TEST

/* Leaving takes two seconds even if no node replies. */
START_TEST(a_listener_does_not_hold_up_leaving)
{
	struct node_event ev;
	bool told = false;

	make_two();
	listen_here();
	silent = true;
	node_leave(node);
	run_ms(2000);
	while (node_poll(node, &ev))
		told = told || ev.kind == NODE_EV_LEFT;
	ck_assert(told);
	teardown_two();
}
END_TEST

/* A reload allows more queries just when the timers of queued topics fire:
 * these are withdrawn, not announced again. */
START_TEST(a_node_that_leaves_announces_nothing)
{
	struct limits l;
	struct node_event ev;

	make_two();
	announce_many(40);
	limits_init(&l);
	l.queries = 4;
	node_set_limits(node, &l);
	silent = true;
	node_leave(node);
	ck_assert_uint_eq(node->leave.pending, 4);
	node_slept(node, 20000000);
	l.queries = 128;
	node_set_limits(node, &l);
	for (int ms = 0; ms < 10000; ms += 10) {
		struct announcement *a = node->announcements.by_id;

		for (; a != NULL; a = a->hh.next)
			ck_assert_ptr_null(a->client);
		run_ms(10);
	}
	while (node_poll(node, &ev))
		ck_assert_int_ne(ev.kind, NODE_EV_ANNOUNCED);
	teardown_two();
}
END_TEST

/* Modules that copy a limit update it. */
START_TEST(limits_reach_every_module)
{
	struct handshake_budget *budget;
	struct limits l;

	make(DHT_BOOTSTRAP);
	punch_keep_ready(node->punch, true);
	for (int i = 0; i < 3; i++) {
		sim_advance_ms(&fw, 500);
		node_tick(node);
	}
	ck_assert_uint_eq(node->punch->pool.idle_len, 2);
	limits_init(&l);
	l.frame_bytes = 70001;
	l.remembered = 70002;
	l.attempts = 71;
	l.handshakes = 70003;
	l.forward_hosts = 70004;
	l.punches_from_random = 7;
	l.punches_to_random = 8;
	l.punch_pool = 1;
	l.sources = 70005;
	l.delayed_pings = 70;
	node_set_limits(node, &l);
	ck_assert_uint_eq(node->peers->frames.max, 70001);
	ck_assert_uint_eq(node->peers->relays.pool.limit, 70002);
	ck_assert_uint_eq(node->peers->dial_records.max, 71);
	ck_assert_uint_eq(node->peers->listeners->sessions.pool.limit, 70003);
	budget = &node->peers->listeners->sessions.budget;
	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		ck_assert_uint_eq(budget->payers[i].pool.limit, 70004);
	ck_assert_uint_eq(budget->relays.pool.limit, 70004);
	ck_assert_uint_eq(node->punch->admission.max[SLOT_SOCKETS], 7);
	ck_assert_uint_eq(node->punch->admission.max[SLOT_PROBES], 8);
	ck_assert_uint_eq(node->punch->pool.idle_len, 1);
	ck_assert_uint_eq(d->limiter.pool.limit, 70005);
	ck_assert_uint_eq(d->responder.delayed_pool.limit, 70);
	teardown();
}
END_TEST

/* ---- speed ---- */

/* No request allocates, not even a LOOKUP or FIND_PEER that finds nothing. */
START_TEST(answers_without_allocating)
{
	static const uint8_t target[32] = {0x33};
	struct rpc_request m[] = {
	    {.internal = true, .command = RPC_PING},
	    {.internal = true, .command = RPC_FIND_NODE, .target = target},
	    {.command = CMD_LOOKUP, .target = target},
	    {.command = CMD_FIND_PEER, .target = target},
	    {.command = CMD_IMMUTABLE_GET, .target = target},
	};
	static uint8_t buf[5][256];
	struct dgram dg = {.sock = 0};
	size_t len[5];

	make(DHT_BOOTSTRAP);
	for (unsigned i = 1; i <= 60; i++) {
		struct addr a = addr_v4(20, 0, (uint8_t)i, 1, 4000);

		put_node(&a);
	}
	for (int i = 0; i < 5; i++) {
		m[i].to = node_at;
		len[i] = rpc_request_encode(&m[i], buf[i], sizeof buf[i]);
	}
	dg.sock = server;
	for (unsigned i = 0; i < 52000; i++) {
		/* 200 hosts, all of which are known after the first 2,000. */
		dg.from = addr_v4(21, 0, (uint8_t)(i % 200), 1, 4000);
		dg.buf = buf[i % 5];
		dg.len = len[i % 5];
		alloc_counting = i >= 2000;
		node->stalled_us = fw.w.now_us; /* no timer runs here */
		node_recv(node, &dg);
		alloc_counting = false;
		sim_clear(&fw);
		fw.w.now_us += 2000;
	}
	ck_assert_uint_eq(alloc_count, 0);
	ck_assert_uint_ge(node->stats.requests_served, 50000);
	teardown();
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("node", &tc);

	tcase_add_loop_test(
	    tc, answers_the_exchanges, 0, t_rows(file, "exchanges"));
	tcase_add_loop_test(tc, is_silent_to_malformed_requests, 0,
	    t_rows(file, "malformed_requests"));
	tcase_add_test(tc, survives_damage);
	tcase_add_loop_test(tc, demultiplexes, 0, t_rows(file, "demux"));
	tcase_add_test(tc, streams_come_first);
	tcase_add_test(tc, reads_2048_bytes);
	tcase_add_test(tc, answers_without_allocating);

	tcase_add_test(tc, operations_end_well);
	tcase_add_test(tc, own_records_are_found);
	tcase_add_loop_test(tc, operations_end_in_silence, 0, T_ROWS(ops));
	tcase_add_loop_test(
	    tc, operations_can_be_cancelled, 0, 4 * T_ROWS(ops));
	tcase_add_loop_test(
	    tc, operations_end_when_the_node_leaves, 0, 2 * T_ROWS(ops));
	tcase_add_loop_test(tc, a_busy_node_can_be_freed, 0, 16);
	tcase_add_test(tc, operations_are_bounded);
	tcase_add_test(tc, events_are_bounded);
	tcase_add_test(tc, limits_reach_every_module);

	tcase_add_test(tc, announcements_are_renewed);
	tcase_add_test(tc, failed_announcements_back_off);
	tcase_add_test(tc, a_topic_is_announced_once);
	tcase_add_test(tc, own_topics_are_bounded);
	tcase_add_test(tc, unannounce_withdraws);
	tcase_add_test(tc, keys_are_announced_apart);
	tcase_add_test(tc, records_name_the_listeners_relays);
	tcase_add_test(tc, a_node_alone_serves_itself);
	tcase_add_loop_test(tc, a_stall_is_a_wakeup, 0, T_ROWS(stalls));
	tcase_add_loop_test(tc, waking_up_announces_again, 0, 2);
	tcase_add_test(tc, leaving_withdraws_all);
	tcase_add_loop_test(
	    tc, a_listener_is_announced_until_the_node_leaves, 0, 2);
	tcase_add_loop_test(tc, a_listener_is_announced_anew, 0, 3);
	tcase_add_test(tc, a_listener_does_not_hold_up_leaving);
	tcase_add_loop_test(tc, leaving_takes_two_seconds_at_the_most, 0, 2);
	tcase_add_test(tc, a_node_that_leaves_announces_nothing);
	return s;
}
