/* SPDX-License-Identifier: ISC */
/*
 * Goal: a whole node answers datagrams as the golden vectors say, tells them
 * apart, ends every operation exactly once and leaves in time. Method: a node
 * in a fake world, put into the state that a vector describes; virtual time.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"
#include "fake_world.h"
#include "node/inside.h"
#include "t.h"

static const char file[] = "rpc.json";

static struct fake_world fw;
static struct key_pair identity;
static struct node *node;
static struct dht *d;
static int server, client;

static void
make(enum dht_role role)
{
	static const uint8_t seed[KEY_SEED_LEN] = {1};
	struct node_config c;

	fake_init(&fw, 42);
	key_pair_from_seed(&identity, seed);
	node_config_init(&c);
	c.identity = &identity;
	c.dht.role = role;
	c.dht.port_last = c.dht.port_first;
	c.dht.public_address = addr_v4(203, 0, 113, 10, 49737);
	node = node_new(&fw.w, &c);
	ck_assert_ptr_nonnull(node);
	ck_assert_int_eq(node_start(node), 0);
	d = node_dht(node);
	server = d->server.handle;
	client = d->client.handle;
	fake_advance_ms(&fw, 1);
	node_tick(node);
	ck_assert(d->bootstrapped);
	fake_clear(&fw);
}

static void
teardown(void)
{
	node_free(node);
	node = NULL;
	fake_fini(&fw);
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
	int err = node_recv(node, &dg);

	free(copy);
	return err;
}

/* ---- the golden exchanges ---- */

static void
put_node(const struct addr *a)
{
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	/* Heard some ticks ago, so that a down hint has it pinged. */
	if (table_check(&d->table, id, a, NULL) == 0)
		table_add(&d->table, id, a, d->tick - 5);
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
		d->firewalled = false;
	ck_assert(d->ephemeral != t_bool(v, "sends_id"));
	table_fini(&d->table);
	table_init(&d->table, id);
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

/* The token that we would have given where the vector has one of JS. */
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
		fw.w.now_us += TOKEN_TURN_US;
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
is_ping_to(const struct fake_sent *s, const struct addr *to)
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

/* The true closest, by brute force over the table. */
static void
assert_true_closest(const struct rpc_reply *m, const uint8_t *target)
{
	size_t n = m->closer.len / ADDR_WIRE4_LEN, nearer = 0;
	uint8_t last[ID_LEN];
	struct addr a = rpc_closer(m, n - 1);

	id_of_addr(last, &a);
	for (uint32_t i = table_oldest(&d->table); i != 0;
	     i = table_at(&d->table, i)->heard.next)
		nearer +=
		    id_compare(target, table_at(&d->table, i)->id, last) <= 0;
	ck_assert_uint_eq(nearer, n);
}

/* Nearest first, and the same set as the reference's (in any order). */
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
	if (d->table.nodes.len <= RPC_K) {
		sorted(got->closer, a);
		sorted(want->closer, b);
		ck_assert_mem_eq(a, b, got->closer.len);
	}
	free(target);
}

/* Byte for byte, but for our own token and the order of closer nodes. */
static void
check_reply(const json_t *row, const json_t *out, const struct fake_sent *s,
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

/* Byte for byte, but for the tid, which is random. */
static void
check_request(const json_t *out, const struct fake_sent *s)
{
	size_t len;
	uint8_t *hex = t_bytes(out, "hex", &len);

	ck_assert_uint_eq(s->len, len);
	ck_assert_mem_eq(s->buf, hex, 2);
	ck_assert_mem_eq(s->buf + 4, hex + 4, len - 4);
	free(hex);
}

static void
check_sent(const json_t *row, const json_t *out, const struct fake_sent *s,
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
answer_ping(const struct fake_sent *ping)
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
	return table_find(&d->table, id) != 0;
}

/* R2, R5, R6, R7, R8, R10: the bytes, the socket, the table. */
START_TEST(answers_the_exchanges)
{
	const json_t *row = t_row(file, "exchanges", _i);
	const json_t *out = t_get(row, "out");
	struct addr from = t_addr(t_get(t_get(row, "in"), "from"));
	struct fake_sent ping;
	bool pinged = false;
	size_t n = 0, i;

	set_state(t_get(row, "node"));
	deliver_row(t_get(row, "in"), &from);
	fake_advance_ms(&fw, 30);
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
	/* "Added" means here: becomes a candidate, and gets in if it answers.
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

/* R11: silence, and the reason is counted. */
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

	/* A budget of its own for each, so that all are looked at. */
	from->ip[3]++;
	from->ip[2] += from->ip[3] == 0;
	from->ip[1] += from->ip[2] == 0 && from->ip[3] == 0;
	deliver(server, from, buf, len);
	fake_clear(&fw);
}

/* Every cut and every bit of every exchange, into a living node. */
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
		fake_advance_ms(&fw, 300);
		node_tick(node);
	}
	pass_ms(20000);
	ck_assert_uint_eq(d->requests.len, 0);
	ck_assert_uint_eq(d->table.nodes.len, 0);
	ck_assert(TAILQ_EMPTY(&d->delayed));
	teardown();
}
END_TEST

/* R1: the order of 01 §1.1 on both sockets; no UDX stream lives here yet. */
START_TEST(tells_datagrams_apart)
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
		fake_clear(&fw);
	}
	free(buf);
	teardown();
}
END_TEST

/* R19: 2048 bytes are read, one more is dropped and counted. */
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
	tcase_add_loop_test(
	    tc, tells_datagrams_apart, 0, t_rows(file, "demux"));
	tcase_add_test(tc, reads_2048_bytes);
	return s;
}
