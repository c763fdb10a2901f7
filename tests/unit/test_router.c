/* SPDX-License-Identifier: ISC */
/*
 * Goal: this node forwards the handshakes of others as the reference does, and
 * this cannot be used to flood a third address. Method: flows and transcripts
 * written by the reference, byte for byte; a matrix of all modes; budgets
 * counted in bytes sent.
 *
 * The reference checks no length, so some of its rows have tiny encrypted
 * parts, which we drop. Those are padded to a legal length on both sides of
 * the comparison.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"
#include "relay_net.h"
#include "signal/signal_message.h"
#include "t.h"

/* Constants of the flows: noise_1 is 116 bytes, noise_2 is 125. */
#define TARGET                                                                 \
	"c11ae4092c56101421f745612bdc6b51c1e646c61ac3f5eccfed2f59c200f581"
#define NOISE_1                                                                \
	"ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1605c" \
	"88a9067c5f85bd7499907d5c869548dd90bed5350bb2e7cb47efe61f60bc315838e4" \
	"9205f95b5a618d7c8c212eebf0fd5de91a7dbb77f615cfdd5c45e3c7b2c9804e0d0c" \
	"37907dbe38d89ccebec1bdcbfc5c"
#define NOISE_2                                                                \
	"ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7cf683" \
	"821971c9d94e69a9bec5857217cde837a06678071b88bd93be06d280a14353353112" \
	"e836d6624a728cf3be6ee5470b1d8cf299d607b59a3521d6c0998f89af6a2dfa0c2d" \
	"3bc6ecd5961def312db8265decb89d822dace045b91103"
#define ID_RELAY                                                               \
	"654e4097265673c3c786c3b88760c042bd59a73be49d28e6dc2cd43eb73cdfb9"
#define ID_RELAY2                                                              \
	"1003fc7b540ca974ab3928ef57dc815fe88f352cb96d6d737334e6432a552e74"
#define AA60                                                                   \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define BB60                                                                   \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb" \
	"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

#define RELAY "198.51.100.1:49737"
#define RELAY2 "198.51.100.2:49737"
#define CLIENT "203.0.113.7:50000"
#define CLIENT_PUNCH "203.0.113.7:51000"
#define SERVER "203.0.113.9:40001"
#define SERVER_PUNCH "203.0.113.9:41000"
#define SERVER_SEED 2

/* Every hop of each flow that a relay makes; the tid stays 0x1234. */
static const struct {
	const char *name, *self;
	bool announced;
	const char *from, *in, *to, *out;
} flows[] = {
    {"handshake, to the server", RELAY, true, CLIENT,
	"03183412c633640149c200" TARGET "77000074" NOISE_1, SERVER,
	"03193412cb007109419c" ID_RELAY "00" TARGET "7d010274" NOISE_1
	"cb00710750c3"},
    {"handshake, to the client", RELAY, true, SERVER_PUNCH,
	"03183412c633640149c200" TARGET "8601017d" NOISE_2 "cb00710750c3",
	CLIENT,
	"13113412cb00710750c3" ID_RELAY "8601047d" NOISE_2 "cb00710928a0"},
    {"two relays, to the second", RELAY, false, CLIENT,
	"03183412c633640149c200" TARGET "7d020074" NOISE_1 "c633640249c2",
	RELAY2,
	"03193412c633640249c2" ID_RELAY "00" TARGET "7d010274" NOISE_1
	"cb00710750c3"},
    {"two relays, to the server", RELAY2, true, RELAY,
	"03193412c633640249c2" ID_RELAY "00" TARGET "7d010274" NOISE_1
	"cb00710750c3",
	SERVER,
	"03193412cb007109419c" ID_RELAY2 "00" TARGET "83030374" NOISE_1
	"cb00710750c3c633640149c2"},
    {"two relays, to the client", RELAY, false, SERVER_PUNCH,
	"03183412c633640149c200" TARGET "8601017d" NOISE_2 "cb00710750c3",
	CLIENT,
	"13113412cb00710750c3" ID_RELAY "8601047d" NOISE_2 "cb00710928a0"},
    {"unknown target", RELAY, false, CLIENT,
	"03183412c633640149c200" TARGET "77000074" NOISE_1, CLIENT,
	"13013412cb00710750c3" ID_RELAY},
    {"holepunch, to the server", RELAY, false, CLIENT_PUNCH,
	"03183412c633640149c201" TARGET "460100003c" AA60 "cb007109419c",
	SERVER,
	"03193412cb007109419c" ID_RELAY "01" TARGET "460102003c" AA60
	"cb00710738c7"},
    {"holepunch, to the client", RELAY, false, SERVER_PUNCH,
	"03183412c633640149c201" TARGET "460101003c" BB60 "cb00710738c7",
	CLIENT_PUNCH,
	"13113412cb00710738c7" ID_RELAY "460104003c" BB60 "cb00710928a0"},
};

static void
init_relay(struct relay_net *n, const char *self)
{
	struct dht_config c;

	relay_config(&c);
	relay_init(n, &c, self);
}

/* A node that sends its id is pinged, which is not the concern of this test. */
static bool
is_check(const struct sim_sent *s)
{
	struct rpc_request m;

	return rpc_request_decode(&m, s->buf, s->len) == 0 && m.internal;
}

/* Returns the only datagram, sent to this address from the server socket. */
static const struct sim_sent *
only_sent(const struct relay_net *n, const char *to)
{
	const struct sim_sent *only = NULL;
	char buf[ADDR_TEXT_MAX];

	for (size_t i = 0; i < n->host.world.sent_len; i++) {
		if (is_check(&n->host.world.sent[i]))
			continue;
		ck_assert_ptr_null(only);
		only = &n->host.world.sent[i];
	}
	ck_assert_ptr_nonnull(only);
	ck_assert_str_eq(addr_format(&only->meta.to, buf), to);
	ck_assert_int_eq(only->meta.sock, n->sock);
	return only;
}

START_TEST(flow)
{
	struct relay_net n;
	struct addr server = relay_addr(SERVER);
	struct addr from = relay_addr(flows[_i].from);
	uint8_t target[HASH_LEN], *in;
	const struct sim_sent *s;
	size_t len;

	init_relay(&n, flows[_i].self);
	if (flows[_i].announced) {
		relay_announce(&n, &server, SERVER_SEED, target);
		t_assert_hex(target, sizeof target, TARGET);
	}
	in = t_hex(flows[_i].in, &len);
	/* A second time: no state is kept, so a retry takes the same path. */
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(relay_deliver(&n, &from, in, len), 0);
		s = only_sent(&n, flows[_i].to);
		t_assert_hex(s->buf, s->len, flows[_i].out);
		sim_clear(&n.host.world);
	}
	relay_pass_ms(&n, 10000);
	for (size_t i = 0; i < n.host.world.sent_len;
	     i++) /* it is never sent again */
		ck_assert(is_check(&n.host.world.sent[i]));
	free(in);
	relay_fini(&n);
}
END_TEST

/* A relay sends at most one datagram for each that it receives. */
static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	struct relay_net *n = arg;
	struct addr from = relay_addr("198.18.7.7:7777");

	relay_deliver(n, &from, buf, len);
	/* Includes a check of the sender's id. */
	ck_assert_uint_le(n->host.world.sent_len, 2);
	sim_clear(&n->host.world);
	relay_pass_ms(n, 1000);
	sim_clear(&n->host.world);
}

START_TEST(damaged_flow)
{
	struct relay_net n;
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN], *in;
	size_t len;

	init_relay(&n, flows[_i].self);
	if (flows[_i].announced)
		relay_announce(&n, &server, SERVER_SEED, target);
	in = t_hex(flows[_i].in, &len);
	t_damage(in, len, take_damaged, &n);
	free(in);
	relay_fini(&n);
}
END_TEST

/* ---- messages for a key that listens here: protocol 03 §3.2 ---- */

static void
seed_keys(struct key_pair *k, uint8_t seed)
{
	uint8_t bytes[KEY_SEED_LEN];

	memset(bytes, seed, sizeof bytes);
	key_pair_from_seed(k, bytes);
}

/* Sets up an ephemeral node on which the server of the flows listens. */
static void
local_init(struct relay_net *n, const char *self, void *owner)
{
	struct dht_config c;
	struct key_pair keys;

	relay_config(&c);
	c.role = DHT_AUTO;
	relay_init(n, &c, self);
	seed_keys(&keys, SERVER_SEED);
	ck_assert_int_eq(records_pin(n->r, keys.public_key, owner), 0);
	ck_assert_int_eq(records_pin(n->r, keys.public_key, owner), ERR_EXISTS);
}

/* Checks the hop of the server in each flow: pitfalls S1, S3. */
static const struct {
	const char *name, *self, *from, *in, *client, *answer, *to, *out;
	bool direct;
} local_flows[] = {
    {"handshake", SERVER, RELAY,
	"03193412cb007109419c" ID_RELAY "00" TARGET "7d010274" NOISE_1
	"cb00710750c3",
	CLIENT, NOISE_2, RELAY,
	"03183412c633640149c200" TARGET "8601017d" NOISE_2 "cb00710750c3",
	false},
    {"handshake, second relay", SERVER, RELAY2,
	"03193412cb007109419c" ID_RELAY2 "00" TARGET "83030374" NOISE_1
	"cb00710750c3c633640149c2",
	CLIENT, NOISE_2, RELAY,
	"03183412c633640149c200" TARGET "8601017d" NOISE_2 "cb00710750c3",
	false},
    {"handshake, direct", "203.0.113.9:49737", CLIENT,
	"03183412cb00710949c200" TARGET "77000074" NOISE_1, CLIENT, NOISE_2,
	CLIENT, "13103412cb00710750c38000047d" NOISE_2, true},
    {"holepunch", SERVER, RELAY,
	"03193412cb007109419c" ID_RELAY "01" TARGET "460102003c" AA60
	"cb00710738c7",
	CLIENT_PUNCH, BB60, RELAY,
	"03183412c633640149c201" TARGET "460101003c" BB60 "cb00710738c7",
	false},
};

/*
 * Pitfall S1: the answer to a relay is a request with the tid of the client.
 * Pitfall S8: it can be sent after other datagrams were received. Pitfall V8:
 * it can be sent from another socket.
 */
START_TEST(local_flow)
{
	struct relay_net n;
	struct addr from = relay_addr(local_flows[_i].from);
	struct addr client = relay_addr(local_flows[_i].client);
	struct addr any = addr_v4(0, 0, 0, 0, 0), bound;
	struct router_call first, other;
	struct bytes answer;
	uint8_t *in, *sealed;
	size_t len;
	char to[ADDR_TEXT_MAX];
	int sock;

	local_init(&n, local_flows[_i].self, &n);
	sock = n.host.world.w.ops->open(&n.host.world.w, &any, &bound);
	in = t_hex(local_flows[_i].in, &len);
	sealed = t_hex(local_flows[_i].answer, &answer.len);
	answer.p = sealed;
	ck_assert_int_eq(relay_deliver(&n, &from, in, len), ROUTER_HANDED_UP);
	first = n.call;
	ck_assert_ptr_eq(first.server, &n);
	ck_assert(first.direct == local_flows[_i].direct);
	ck_assert(addr_equal(&first.client, &client));
	ck_assert(addr_equal(&first.us, &n.self));
	sim_clear(&n.host.world);
	in[2] ^= 1; /* another tid, in the same buffer */
	from.port++;
	relay_deliver(&n, &from, in, len);
	other = n.call;
	ck_assert_uint_ne(other.ticket.tid, first.ticket.tid);
	free(in);
	for (int i = 0; i < 2; i++) {
		int by = i == 0 ? WORLD_NO_SOCK : sock;
		const struct sim_sent *s;

		sim_clear(&n.host.world);
		ck_assert_int_eq(
		    router_answer(n.rt, &first.ticket, answer, by), 0);
		ck_assert_uint_eq(n.host.world.sent_len, 1);
		s = &n.host.world.sent[0];
		t_assert_hex(s->buf, s->len, local_flows[_i].out);
		ck_assert_str_eq(
		    addr_format(&s->meta.to, to), local_flows[_i].to);
		ck_assert_int_eq(s->meta.sock, i == 0 ? n.sock : sock);
	}
	free(sealed);
	relay_fini(&n);
}
END_TEST

/* ---- transcripts of the reference ---- */

/* Pads the encrypted part to a legal length. */
static struct bytes
longer(struct bytes b, uint8_t room[96])
{
	memset(room, 0, 96);
	ck_assert_uint_le(b.len, 96);
	memcpy(room, b.p, b.len);
	return (struct bytes){room, 96};
}

static struct bytes
longer_value(uint64_t command, struct bytes value, uint8_t out[256])
{
	uint8_t room[96];
	struct handshake h;
	struct holepunch p;

	if (command == CMD_PEER_HANDSHAKE) {
		ck_assert_int_eq(handshake_decode(&h, value.p, value.len), 0);
		h.noise = longer(h.noise, room);
		return (struct bytes){out, handshake_encode(&h, out, 256)};
	}
	ck_assert_int_eq(holepunch_decode(&p, value.p, value.len), 0);
	p.payload = longer(p.payload, room);
	return (struct bytes){out, holepunch_encode(&p, out, 256)};
}

static void
compare_reply(uint64_t command, const struct sim_sent *s, const json_t *out)
{
	uint8_t *hex, room[256], want[512];
	struct rpc_reply m, got;
	size_t len, want_len;

	hex = t_bytes(out, "hex", &len);
	ck_assert_int_eq(rpc_reply_decode(&m, hex, len), 0);
	if (m.value.p != NULL)
		m.value = longer_value(command, m.value, room);
	ck_assert_int_eq(rpc_reply_decode(&got, s->buf, s->len), 0);
	/* Closer nodes are a set, protocol 01 §18: here there are two. */
	ck_assert_uint_eq(got.closer.len, m.closer.len);
	if (m.closer.len == 2 * ADDR_WIRE4_LEN &&
	    memcmp(m.closer.p, got.closer.p, ADDR_WIRE4_LEN) != 0) {
		ck_assert_mem_eq(
		    m.closer.p, got.closer.p + ADDR_WIRE4_LEN, ADDR_WIRE4_LEN);
		ck_assert_mem_eq(
		    m.closer.p + ADDR_WIRE4_LEN, got.closer.p, ADDR_WIRE4_LEN);
		m.closer = got.closer;
	}
	want_len = rpc_reply_encode(&m, want, sizeof want);
	ck_assert_uint_eq(s->len, want_len);
	ck_assert_mem_eq(s->buf, want, want_len);
	free(hex);
}

static void
compare_request(uint64_t command, const struct sim_sent *s, const json_t *out)
{
	uint8_t *hex, room[256], want[512];
	struct rpc_request m;
	size_t len, want_len;

	hex = t_bytes(out, "hex", &len);
	ck_assert_int_eq(rpc_request_decode(&m, hex, len), 0);
	m.value = longer_value(command, m.value, room);
	want_len = rpc_request_encode(&m, want, sizeof want);
	ck_assert_uint_eq(s->len, want_len);
	ck_assert_mem_eq(s->buf, want, want_len);
	free(hex);
}

static struct addr
addr_of(const json_t *object, const char *name)
{
	const json_t *a = t_get(object, name);
	struct addr out;

	ck_assert_int_eq(
	    addr_parse(&out, t_string(a, "host"), (uint16_t)t_uint(a, "port")),
	    0);
	return out;
}

static void
play_step(struct relay_net *n, const json_t *step)
{
	struct addr from = addr_of(step, "from"), to;
	uint8_t *hex, room[256];
	const json_t *out;
	struct rpc_request m;
	size_t len;

	hex = t_bytes(step, "hex", &len);
	ck_assert_int_eq(rpc_request_decode(&m, hex, len), 0);
	if (m.command > CMD_PEER_HOLEPUNCH) {
		free(hex); /* covered by other tests */
		return;
	}
	m.value = longer_value(m.command, m.value, room);
	sim_clear(&n->host.world);
	relay_request(n, &from, &m);
	ck_assert_uint_eq(
	    n->host.world.sent_len, json_array_size(t_get(step, "out")));
	out = json_array_get(t_get(step, "out"), 0);
	if (out != NULL) {
		to = addr_of(out, "sent_to");
		ck_assert(addr_equal(&n->host.world.sent[0].meta.to, &to));
		if (n->host.world.sent[0].buf[0] == RPC_REPLY)
			compare_reply(m.command, &n->host.world.sent[0], out);
		else
			compare_request(m.command, &n->host.world.sent[0], out);
	}
	free(hex);
}

static const char *const transcripts[] = {
    "router forwarding after a self announce",
    "router and plugin commands",
};

START_TEST(transcript)
{
	const json_t *all, *t = NULL, *step;
	struct addr server = relay_addr("198.51.100.77:7777");
	struct addr near = relay_addr("198.51.100.1:20001");
	struct addr far = relay_addr("198.51.100.2:20002");
	uint8_t target[HASH_LEN];
	struct relay_net n;
	size_t i, played = 0;

	all = t_get(t_vectors("records.json"), "transcripts");
	json_array_foreach(all, i,
	    t) if (strcmp(t_string(t, "name"), transcripts[_i]) == 0) break;
	ck_assert_ptr_nonnull(t);
	init_relay(&n, "203.0.113.10:49737");
	relay_learn(&n, &near);
	relay_learn(&n, &far);
	/* Uses the key of the transcript; the token must be one of ours. */
	relay_announce(&n, &server, 1, target);
	json_array_foreach(t_get(t, "steps"), i, step)
	{
		play_step(&n, step);
		played++;
	}
	ck_assert_uint_ge(played, 3);
	relay_fini(&n);
}
END_TEST

/* ---- every mode ---- */

enum { PEER = 1, VIA = 2, KNOWN = 4, NO_TARGET = 8, NO_VALUE = 16 };

#define NAMED_PEER "192.0.2.20:2020"
#define NAMED_VIA "192.0.2.30:3030"

static const struct {
	const char *name;
	unsigned command, mode, given;
	int err;
	uint8_t first;  /* byte of the datagram sent; 0: none */
	const char *to; /* its destination */
	unsigned out_mode;
	const char *out_peer, *out_relay;
} matrix[] = {
    /* PEER_HANDSHAKE */
    {"client, nothing known", 0, 0, 0, 0, RPC_REPLY, CLIENT, 0, NULL, NULL},
    {"client, peer address, nothing known", 0, 0, PEER, 0, RPC_REPLY, CLIENT, 0,
	NULL, NULL},
    {"client, known", 0, 0, KNOWN, 0, RPC_REQUEST, SERVER, 2, CLIENT, NULL},
    {"client, relay address", 0, 0, VIA, 0, RPC_REQUEST, NAMED_VIA, 2, CLIENT,
	NULL},
    {"client, relay address wins", 0, 0, KNOWN | VIA, 0, RPC_REQUEST, NAMED_VIA,
	2, CLIENT, NULL},
    {"client's peer address is not believed", 0, 0, KNOWN | PEER, 0,
	RPC_REQUEST, SERVER, 2, CLIENT, NULL},
    {"server, peer address", 0, 1, PEER, 0, RPC_REPLY, NAMED_PEER, 4, CLIENT,
	NULL},
    {"server, no peer address", 0, 1, KNOWN, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
    {"relay, nothing known", 0, 2, PEER, ERR_UNKNOWN, 0, NULL, 0, NULL, NULL},
    {"relay, known", 0, 2, KNOWN | PEER, 0, RPC_REQUEST, SERVER, 3, NAMED_PEER,
	CLIENT},
    {"relay, relay address does not count", 0, 2, PEER | VIA, ERR_UNKNOWN, 0,
	NULL, 0, NULL, NULL},
    {"relay, no peer address", 0, 2, KNOWN, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
    {"second relay", 0, 3, KNOWN | PEER | VIA, ERR_UNKNOWN, 0, NULL, 0, NULL,
	NULL},
    {"reply", 0, 4, KNOWN | PEER | VIA, ERR_VALUE, 0, NULL, 0, NULL, NULL},
    {"mode 9", 0, 9, KNOWN | PEER | VIA, ERR_VALUE, 0, NULL, 0, NULL, NULL},
    {"no target", 0, 0, VIA | NO_TARGET, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
    {"no value", 0, 0, KNOWN | NO_VALUE, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
    /* PEER_HOLEPUNCH */
    {"client, nothing known", 1, 0, 0, ERR_UNKNOWN, 0, NULL, 0, NULL, NULL},
    {"client, known", 1, 0, KNOWN, 0, RPC_REQUEST, SERVER, 2, CLIENT, NULL},
    {"client, peer address", 1, 0, PEER, 0, RPC_REQUEST, NAMED_PEER, 2, CLIENT,
	NULL},
    {"client, peer address wins", 1, 0, KNOWN | PEER, 0, RPC_REQUEST,
	NAMED_PEER, 2, CLIENT, NULL},
    {"server, peer address", 1, 1, PEER, 0, RPC_REPLY, NAMED_PEER, 4, CLIENT,
	NULL},
    {"server, no peer address", 1, 1, 0, 0, RPC_REPLY, CLIENT, 4, CLIENT, NULL},
    {"relay", 1, 2, KNOWN | PEER, ERR_UNKNOWN, 0, NULL, 0, NULL, NULL},
    {"second relay", 1, 3, KNOWN | PEER, ERR_VALUE, 0, NULL, 0, NULL, NULL},
    {"reply", 1, 4, KNOWN | PEER, ERR_VALUE, 0, NULL, 0, NULL, NULL},
    {"mode 9", 1, 9, KNOWN | PEER, ERR_VALUE, 0, NULL, 0, NULL, NULL},
    {"no target", 1, 0, PEER | NO_TARGET, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
    {"no value", 1, 0, KNOWN | NO_VALUE, ERR_INCOMPLETE, 0, NULL, 0, NULL,
	NULL},
};

static const uint8_t sealed[1200] = {0x5e, 0xa1};

/* Sends a message of either command with so many encrypted bytes. */
static int
send_message(struct relay_net *n, const char *from, unsigned command,
    unsigned mode, unsigned given, const uint8_t *target, size_t sealed_len)
{
	uint8_t buf[DGRAM_MAX];
	struct addr source = relay_addr(from), peer = relay_addr(NAMED_PEER);
	struct addr via = relay_addr(NAMED_VIA), none = {.family = ADDR_NONE};
	struct handshake h = {.mode = mode,
	    .noise = {sealed, sealed_len},
	    .peer = given & PEER ? peer : none,
	    .relay = given & VIA ? via : none};
	struct holepunch p = {.mode = mode,
	    .id = 5,
	    .payload = {sealed, sealed_len},
	    .peer = given & PEER ? peer : none};
	struct rpc_request m = {.tid = 0xbeef, .command = command};

	m.target = given & NO_TARGET ? NULL : target;
	if (!(given & NO_VALUE)) {
		m.value.p = buf;
		m.value.len = command == CMD_PEER_HANDSHAKE
				  ? handshake_encode(&h, buf, sizeof buf)
				  : holepunch_encode(&p, buf, sizeof buf);
	}
	return relay_request(n, &source, &m);
}

static void
assert_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	if (text == NULL)
		ck_assert_uint_eq(a->family, ADDR_NONE);
	else
		ck_assert_str_eq(addr_format(a, buf), text);
}

/* Compares the encrypted part and its addresses with the row. */
static void
check_value(unsigned row, struct bytes value)
{
	struct handshake h;
	struct holepunch p;

	if (matrix[row].command == CMD_PEER_HANDSHAKE) {
		ck_assert_int_eq(handshake_decode(&h, value.p, value.len), 0);
		ck_assert_uint_eq(h.mode, matrix[row].out_mode);
		ck_assert_uint_eq(h.noise.len, 100);
		ck_assert_mem_eq(h.noise.p, sealed, 100);
		assert_addr(&h.peer, matrix[row].out_peer);
		assert_addr(&h.relay, matrix[row].out_relay);
		return;
	}
	ck_assert_int_eq(holepunch_decode(&p, value.p, value.len), 0);
	ck_assert_uint_eq(p.mode, matrix[row].out_mode);
	ck_assert_uint_eq(p.id, 5);
	ck_assert_uint_eq(p.payload.len, 100);
	ck_assert_mem_eq(p.payload.p, sealed, 100);
	assert_addr(&p.peer, matrix[row].out_peer);
}

static void
check_sent(unsigned row, const struct sim_sent *s, const uint8_t *target)
{
	struct rpc_request rq;
	struct rpc_reply re;

	ck_assert_uint_eq(s->buf[0], matrix[row].first);
	if (s->buf[0] == RPC_REPLY) {
		ck_assert_int_eq(rpc_reply_decode(&re, s->buf, s->len), 0);
		ck_assert_uint_eq(re.tid, 0xbeef);
		assert_addr(&re.to, matrix[row].to);
		ck_assert_uint_eq(re.error, 0);
		ck_assert_ptr_null(re.token);
		/* The reply has closer nodes or a value, never both. */
		if (matrix[row].out_peer == NULL) {
			ck_assert_uint_eq(re.closer.len, ADDR_WIRE4_LEN);
			ck_assert_ptr_null(re.value.p);
		} else {
			ck_assert_uint_eq(re.closer.len, 0);
			check_value(row, re.value);
		}
		return;
	}
	ck_assert_int_eq(rpc_request_decode(&rq, s->buf, s->len), 0);
	ck_assert_uint_eq(rq.tid, 0xbeef);
	assert_addr(&rq.to, matrix[row].to);
	ck_assert(!rq.internal);
	ck_assert_uint_eq(rq.command, matrix[row].command);
	ck_assert_mem_eq(rq.target, target, HASH_LEN);
	ck_assert_ptr_null(rq.token);
	check_value(row, rq.value);
}

START_TEST(mode)
{
	struct addr server = relay_addr(SERVER), node = relay_addr(RELAY2);
	uint8_t target[HASH_LEN];
	struct relay_net n;
	struct stats before;
	int err;

	init_relay(&n, RELAY);
	relay_learn(&n, &node);
	relay_announce(&n, &server, SERVER_SEED, target);
	if (!(matrix[_i].given & KNOWN))
		target[0] ^= 1;
	before = n.host.stats;
	err = send_message(&n, CLIENT, matrix[_i].command, matrix[_i].mode,
	    matrix[_i].given, target, 100);
	ck_assert_int_eq(err, matrix[_i].err);
	if (matrix[_i].first == 0) {
		ck_assert_uint_eq(n.host.world.sent_len, 0);
		ck_assert_uint_eq(
		    n.host.stats.drop[-err], before.drop[-err] + 1);
		ck_assert_uint_eq(n.host.stats.forwarded, before.forwarded);
	} else {
		check_sent((unsigned)_i, only_sent(&n, matrix[_i].to), target);
		ck_assert_uint_eq(n.host.stats.forwarded - before.forwarded,
		    matrix[_i].out_peer != NULL);
	}
	relay_fini(&n);
}
END_TEST

/* Pitfall S4: separates messages for a listener here from others. */
static const struct {
	unsigned command, mode, given;
	int verdict;
} local_matrix[] = {
    {0, MODE_FROM_CLIENT, 0, ROUTER_HANDED_UP},
    {0, MODE_FROM_CLIENT, VIA, ROUTER_HANDED_UP},
    {0, MODE_FROM_CLIENT, PEER, ROUTER_HANDED_UP},
    {0, MODE_FROM_SERVER, PEER, ERR_VALUE},
    {0, MODE_FROM_RELAY, 0, ERR_INCOMPLETE},
    {0, MODE_FROM_RELAY, PEER, ROUTER_HANDED_UP},
    {0, MODE_FROM_SECOND_RELAY, PEER, ERR_INCOMPLETE},
    {0, MODE_FROM_SECOND_RELAY, VIA, ERR_INCOMPLETE},
    {0, MODE_FROM_SECOND_RELAY, PEER | VIA, ROUTER_HANDED_UP},
    {0, MODE_REPLY, PEER, ERR_VALUE},
    {0, 9, PEER, ERR_VALUE},
    {1, MODE_FROM_CLIENT, 0, ERR_UNKNOWN},
    {1, MODE_FROM_CLIENT, PEER, 0},
    {1, MODE_FROM_SERVER, PEER, 0},
    {1, MODE_FROM_RELAY, 0, ERR_INCOMPLETE},
    {1, MODE_FROM_RELAY, PEER, ROUTER_HANDED_UP},
    {1, MODE_FROM_SECOND_RELAY, PEER, ERR_VALUE},
    {1, MODE_REPLY, PEER, ERR_VALUE},
};

START_TEST(local_mode)
{
	struct relay_net n;
	struct key_pair keys;
	uint8_t target[HASH_LEN];
	struct addr client = relay_addr(CLIENT), peer = relay_addr(NAMED_PEER);

	local_init(&n, SERVER, &n);
	seed_keys(&keys, SERVER_SEED);
	key_target(target, keys.public_key);
	ck_assert_int_eq(
	    send_message(&n, CLIENT, local_matrix[_i].command,
		local_matrix[_i].mode, local_matrix[_i].given, target, 100),
	    local_matrix[_i].verdict);
	if (local_matrix[_i].verdict == ROUTER_HANDED_UP) {
		/* The address that a client claims for itself is ignored. */
		ck_assert(addr_equal(
		    &n.call.client, n.call.direct ? &client : &peer));
		ck_assert_uint_eq(n.host.world.sent_len, 0);
		ck_assert_uint_eq(n.call.sealed.len, 100);
	}
	/*
	 * After unpinning, the node behaves as if the key had never listened.
	 */
	records_unpin(n.r, keys.public_key);
	ck_assert_int_ne(
	    send_message(&n, CLIENT, local_matrix[_i].command,
		local_matrix[_i].mode, local_matrix[_i].given, target, 100),
	    ROUTER_HANDED_UP);
	relay_fini(&n);
}
END_TEST

/* ---- lengths of the encrypted part, protocol 03 §3.5 ---- */

static const struct {
	unsigned command, mode;
	size_t len;
	bool passes;
} lengths[] = {
    {0, 0, 0, false},
    {0, 0, 95, false},
    {0, 0, 96, true},
    {0, 0, 1100, true},
    {0, 0, 1101, false},
    {0, 2, 95, false},
    {0, 2, 96, true},
    {0, 1, 47, false},
    {0, 1, 48, true},
    {0, 1, 1101, false},
    {1, 0, 0, false},
    {1, 0, 40, false},
    {1, 0, 41, true},
    {1, 0, 1100, true},
    {1, 0, 1101, false},
    {1, 1, 40, false},
    {1, 1, 41, true},
};

START_TEST(length)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN];
	struct relay_net n;
	int err;

	init_relay(&n, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	err = send_message(&n, CLIENT, lengths[_i].command, lengths[_i].mode,
	    PEER, target, lengths[_i].len);
	ck_assert_int_eq(err, lengths[_i].passes ? 0 : ERR_SIZE);
	ck_assert_uint_eq(n.host.world.sent_len, lengths[_i].passes);
	if (lengths[_i].passes)
		ck_assert_uint_le(n.host.world.sent[0].len, DGRAM_SAFE);
	relay_fini(&n);
}
END_TEST

/* A message is not forwarded to a server that is silent. */
START_TEST(stale_entry)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN];
	struct relay_net n;

	init_relay(&n, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	relay_pass_ms(&n, 61000);
	sim_clear(&n.host.world);
	ck_assert_int_eq(send_message(&n, CLIENT, 0, 0, 0, target, 100), 0);
	ck_assert_uint_eq(only_sent(&n, CLIENT)->buf[0], RPC_REPLY);
	sim_clear(&n.host.world);
	ck_assert_int_eq(
	    send_message(&n, CLIENT, 1, 0, 0, target, 100), ERR_UNKNOWN);
	relay_fini(&n);
}
END_TEST

/* Pitfall S2: a node that is in no routing table forwards as well. */
START_TEST(ephemeral_node)
{
	uint8_t target[HASH_LEN] = {1};
	struct rpc_request m;
	struct dht_config c;
	struct relay_net n;
	const struct sim_sent *s;

	relay_config(&c);
	c.role = DHT_AUTO;
	relay_init(&n, &c, RELAY);
	ck_assert(!dht_is_persistent(n.d));
	ck_assert_int_eq(send_message(&n, CLIENT, 0, 0, VIA, target, 100), 0);
	s = only_sent(&n, NAMED_VIA);
	ck_assert_int_eq(rpc_request_decode(&m, s->buf, s->len), 0);
	ck_assert_ptr_null(m.id);
	sim_clear(&n.host.world);
	ck_assert_int_eq(send_message(&n, CLIENT, 0, 0, 0, target, 100), 0);
	ck_assert_uint_eq(only_sent(&n, CLIENT)->buf[0], RPC_REPLY);
	relay_fini(&n);
}
END_TEST

/* ---- budgets (pitfall S7) ---- */

/* Sends until a message is refused. Returns the bytes that left. */
static size_t
drain(struct relay_net *n, const char *from, unsigned given,
    const uint8_t *target)
{
	size_t bytes = 0;
	int err;

	for (int i = 0; i < 1000; i++) {
		sim_clear(&n->host.world);
		err = send_message(n, from, 1, 0, given, target, 1000);
		if (err != 0) {
			ck_assert_int_eq(err, ERR_BUDGET);
			ck_assert_uint_eq(n->host.world.sent_len, 0);
			return bytes;
		}
		bytes += n->host.world.sent[0].len;
	}
	ck_abort_msg("nothing was ever refused");
}

START_TEST(budget_of_source)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN];
	struct relay_net n;
	size_t bytes;

	init_relay(&n, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	bytes = drain(&n, "192.0.2.1:1", KNOWN, target);
	ck_assert_uint_le(bytes, 40000);
	ck_assert_uint_gt(bytes, 38000);
	ck_assert_uint_ge(n.host.stats.forward_refused, 1);
	ck_assert_uint_ge(n.host.stats.drop[-ERR_BUDGET], 1);
	/* The budget of the whole /24 is spent, that of the next one is not. */
	ck_assert_uint_eq(drain(&n, "192.0.2.99:9", KNOWN, target), 0);
	ck_assert_uint_gt(drain(&n, "192.0.3.1:1", KNOWN, target), 38000);
	relay_pass_ms(&n, 2000);
	relay_announce(&n, &server, SERVER_SEED, target);
	bytes = drain(&n, "192.0.2.1:1", KNOWN, target);
	ck_assert_uint_le(bytes, 8000 + 2000);
	ck_assert_uint_gt(bytes, 6000);
	relay_fini(&n);
}
END_TEST

START_TEST(budget_of_destination)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN], other[HASH_LEN] = {9};
	char from[ADDR_TEXT_MAX];
	struct relay_net n;
	size_t bytes = 0, honest = 0;

	init_relay(&n, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	/* A hundred networks send to one address that did not ask for it. */
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof from, "11.0.%d.1:1", i);
		bytes += drain(&n, from, PEER, other);
	}
	ck_assert_uint_le(bytes, 40000);
	ck_assert_uint_gt(bytes, 38000);
	/* They send to the server, which announced itself. */
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof from, "12.0.%d.1:1", i);
		honest += drain(&n, from, KNOWN, target);
	}
	ck_assert_uint_gt(honest, 100 * 38000);
	/*
	 * They name the address in a holepunch, and it is that of the server.
	 */
	server = relay_addr("192.0.2.20:5555");
	relay_announce(&n, &server, SERVER_SEED + 1, target);
	for (int i = 0; i < 100; i++) {
		snprintf(from, sizeof from, "13.0.%d.1:1", i);
		honest += drain(&n, from, PEER, target);
	}
	ck_assert_uint_gt(honest, 200 * 38000);
	relay_fini(&n);
}
END_TEST

/* An entry is valid while it is stored, however old its token is. */
START_TEST(budget_of_server_lasts)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN];
	char from[ADDR_TEXT_MAX];
	struct dht_config c;
	struct relay_net n;
	size_t honest = 0;

	relay_config(&c);
	relay_init(&n, &c, RELAY);
	n.host.limits.validated_seconds = 10;
	relay_announce(&n, &server, SERVER_SEED, target);
	relay_pass_ms(&n, 20000);
	for (int i = 0; i < 10; i++) {
		snprintf(from, sizeof from, "13.0.%d.1:1", i);
		honest += drain(&n, from, KNOWN, target);
	}
	ck_assert_uint_gt(honest, 10 * 38000);
	relay_fini(&n);
}
END_TEST

/* Sends answers of so many bytes to many clients until one is refused. */
static size_t
answer_clients(struct relay_net *n, const char *from, const uint8_t *target)
{
	struct addr source = relay_addr(from);
	size_t bytes = 0;

	for (unsigned i = 0; i < 4000; i++) {
		struct handshake h = {.mode = MODE_FROM_SERVER,
		    .noise = {sealed, 300},
		    .peer =
			addr_v4(14, (uint8_t)(i >> 8), (uint8_t)i, 1, 5000)};
		struct rpc_request m = {
		    .command = CMD_PEER_HANDSHAKE, .target = target};
		uint8_t buf[512];
		int err;

		m.value.p = buf;
		m.value.len = handshake_encode(&h, buf, sizeof buf);
		sim_clear(&n->host.world);
		err = relay_request(n, &source, &m);
		if (err != 0) {
			ck_assert_int_eq(err, ERR_BUDGET);
			return bytes;
		}
		bytes += n->host.world.sent[0].len;
	}
	ck_abort_msg("nothing was ever refused");
}

/* Many clients are answered through us if we forward to the server. */
START_TEST(budget_of_server_answers)
{
	struct addr server = relay_addr(SERVER);
	uint8_t target[HASH_LEN], other[HASH_LEN] = {9};
	struct dht_config c;
	struct relay_net n;

	relay_config(&c);
	relay_init(&n, &c, RELAY);
	n.host.limits.validated_burst_requests =
	    10000; /* requests are limited elsewhere */
	relay_announce(&n, &server, SERVER_SEED, target);
	ck_assert_uint_le(answer_clients(&n, "192.0.2.1:1", target), 40000);
	ck_assert_uint_le(answer_clients(&n, SERVER, other), 40000);
	relay_pass_ms(&n, 20000);
	ck_assert_uint_gt(answer_clients(&n, SERVER, target), 15 * 38000);
	relay_fini(&n);
}
END_TEST

/* A source is not charged if the budget of the destination is spent. */
START_TEST(budget_taken_whole)
{
	uint8_t other[HASH_LEN] = {9};
	struct relay_net n;

	init_relay(&n, RELAY);
	drain(&n, "11.0.0.1:1", PEER, other);
	drain(&n, "11.0.1.1:1", PEER, other);
	ck_assert_uint_eq(drain(&n, "11.0.2.1:1", PEER, other), 0);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(
		    send_message(&n, "11.0.2.1:1", 1, 0, PEER, other, 1000),
		    ERR_BUDGET);
	sim_clear(&n.host.world);
	ck_assert_int_eq(
	    send_message(&n, "11.0.2.1:1", 0, 0, VIA, other, 1000), 0);
	relay_fini(&n);
}
END_TEST

/* More sources than the table has buckets: refused until some are full. */
START_TEST(budget_table_full)
{
	uint8_t target[HASH_LEN];
	struct addr server = relay_addr(SERVER);
	char from[ADDR_TEXT_MAX];
	struct dht_config c;
	struct limits l;
	struct relay_net n;

	relay_config(&c);
	limits_init(&l);
	l.forward_hosts = _i == 0 ? 16 : 4096;
	relay_init_limited(&n, &c, &l, RELAY);
	/* The same applies to a limit that changes later. */
	n.host.limits.forward_hosts = 16;
	dht_limits_changed(n.d);
	router_limits_changed(n.rt);
	relay_announce(&n, &server, SERVER_SEED, target);
	for (int i = 0; i < 16; i++) {
		snprintf(from, sizeof from, "11.0.%d.1:1", i);
		ck_assert_uint_gt(drain(&n, from, KNOWN, target), 0);
	}
	ck_assert_uint_eq(drain(&n, "12.0.0.1:1", KNOWN, target), 0);
	relay_pass_ms(&n, 10000); /* all buckets are full again */
	relay_announce(&n, &server, SERVER_SEED, target);
	for (int i = 0; i < 16; i++) {
		snprintf(from, sizeof from, "12.0.%d.1:1", i);
		ck_assert_uint_gt(drain(&n, from, KNOWN, target), 0);
	}
	/* A spent bucket is not evicted for a new one. */
	ck_assert_uint_eq(drain(&n, "12.0.0.1:1", KNOWN, target), 0);
	ck_assert_uint_eq(drain(&n, "11.0.0.1:1", KNOWN, target), 0);
	relay_fini(&n);
}
END_TEST

static const char *const closed[] = {"127.0.0.1:80", "10.1.2.3:80",
    "192.168.0.1:80", "172.16.9.9:80", "100.64.0.1:80", "169.254.1.1:80",
    "0.0.0.0:80", "224.0.0.1:80", "255.255.255.255:80"};

/*
 * A lowered limit leaves free buckets among those in use. Traffic from new
 * sources goes on, and the table shrinks to the new limit.
 */
START_TEST(budget_table_lowered)
{
	uint8_t target[HASH_LEN];
	struct addr server = relay_addr(SERVER);
	char from[ADDR_TEXT_MAX];
	struct dht_config c;
	struct limits l;
	struct relay_net n;
	unsigned forwarded = 0;

	relay_config(&c);
	limits_init(&l);
	relay_init_limited(&n, &c, &l, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	for (int i = 0; i < 200; i++) {
		snprintf(from, sizeof from, "11.0.%d.1:1", i);
		sim_clear(&n.host.world);
		ck_assert_int_eq(
		    send_message(&n, from, 1, 0, KNOWN, target, 1000), 0);
	}
	n.host.limits.forward_hosts = 16;
	dht_limits_changed(n.d);
	router_limits_changed(n.rt);
	for (int i = 0; i < 2000; i++) {
		relay_pass_ms(&n, 20);
		if (i % 500 == 0)
			relay_announce(&n, &server, SERVER_SEED, target);
		snprintf(from, sizeof from, "12.%d.%d.1:1", i / 256, i % 256);
		sim_clear(&n.host.world);
		forwarded +=
		    send_message(&n, from, 1, 0, KNOWN, target, 1000) == 0;
	}
	/* Those that were refused came before the table had shrunk. */
	ck_assert_uint_gt(forwarded, 1900);
	relay_fini(&n);
}
END_TEST

/* A public node does not forward into a private network. */
START_TEST(private_destination)
{
	uint8_t buf[256], target[HASH_LEN] = {1};
	struct handshake h = {.mode = MODE_FROM_CLIENT, .noise = {sealed, 100}};
	struct rpc_request m = {
	    .command = CMD_PEER_HANDSHAKE, .target = target};
	struct addr from = relay_addr(CLIENT);
	struct relay_net n;

	init_relay(&n, RELAY);
	m.value.p = buf;
	h.relay = relay_addr(closed[_i]);
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	ck_assert_int_eq(relay_request(&n, &from, &m), ERR_PRIVATE);
	h = (struct handshake){.mode = MODE_FROM_SERVER,
	    .noise = {sealed, 100},
	    .peer = relay_addr(closed[_i])};
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	ck_assert_int_eq(relay_request(&n, &from, &m), ERR_PRIVATE);
	h.peer = addr_v4(198, 51, 100, 9, 0);
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	ck_assert_int_eq(relay_request(&n, &from, &m), ERR_PRIVATE);
	ck_assert_uint_eq(n.host.world.sent_len, 0);
	ck_assert_uint_eq(n.host.stats.forward_refused, 3);
	ck_assert_uint_eq(n.host.stats.drop[-ERR_PRIVATE], 3);
	relay_fini(&n);
}
END_TEST

/* Hundreds of peers share one address, as in tests on one host. */
START_TEST(private_network)
{
	uint8_t buf[1200], target[HASH_LEN] = {1};
	struct handshake h = {
	    .mode = MODE_FROM_CLIENT, .noise = {sealed, 1000}};
	struct rpc_request m = {
	    .command = CMD_PEER_HANDSHAKE, .target = target};
	struct addr from = relay_addr("127.0.0.1:50000");
	struct dht_config c;
	struct relay_net n;

	relay_config(&c);
	c.private_network = true;
	relay_init(&n, &c, "127.0.0.1:49737");
	ck_assert(dht_is_private(n.d));
	h.relay = relay_addr("127.0.0.1:50001");
	m.value.p = buf;
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	for (int i = 0; i < 500; i++) {
		sim_clear(&n.host.world);
		from.port++;
		ck_assert_int_eq(relay_request(&n, &from, &m), 0);
		only_sent(&n, "127.0.0.1:50001");
		relay_pass_ms(&n, 10);
	}
	relay_fini(&n);
}
END_TEST

/* A datagram that the transmit batch refuses was not forwarded. */
START_TEST(batch_full)
{
	uint8_t target[HASH_LEN] = {1};
	struct relay_net n;

	init_relay(&n, RELAY);
	n.host.world.batch_max = 1;
	ck_assert_int_eq(send_message(&n, CLIENT, 0, 0, VIA, target, 100), 0);
	ck_assert_int_eq(
	    send_message(&n, CLIENT, 0, 0, VIA, target, 100), ERR_FULL);
	ck_assert_uint_eq(n.host.stats.forwarded, 1);
	relay_fini(&n);
}
END_TEST

static int
send_from_client(struct relay_net *n, const struct addr *from,
    const uint8_t *target, const uint8_t *token)
{
	uint8_t buf[DGRAM_MAX];
	struct handshake h = {.noise = {sealed, 100}};
	struct rpc_request m = {.tid = 0xbeef,
	    .command = CMD_PEER_HANDSHAKE,
	    .target = target,
	    .token = token};

	m.value.p = buf;
	m.value.len = handshake_encode(&h, buf, sizeof buf);
	sim_clear(&n->host.world);
	return relay_request(n, from, &m);
}

/* Clients without a token use a part of what one host is forwarded; others are
 * asked for a token, and with it they are served at once. */
START_TEST(client_returns_token)
{
	struct addr server = relay_addr(SERVER), from = relay_addr(CLIENT);
	uint8_t target[HASH_LEN], token[RPC_TOKEN_LEN];
	struct relay_net n;
	struct rpc_reply re;

	init_relay(&n, RELAY);
	relay_announce(&n, &server, SERVER_SEED, target);
	for (uint8_t i = 0; i < 100; i++) {
		struct addr a = addr_v4(11, 0, i, 1, 5000);

		ck_assert_int_eq(send_from_client(&n, &a, target, NULL), 0);
		ck_assert_uint_eq(
		    n.host.stats.forwarded, i < 50 ? i + 1u : 50u);
	}
	ck_assert_uint_eq(n.host.stats.forward_refused, 50);
	ck_assert_int_eq(send_from_client(&n, &from, target, NULL), 0);
	ck_assert_uint_eq(n.host.stats.forwarded, 50);
	ck_assert_int_eq(rpc_reply_decode(&re, n.host.world.sent[0].buf,
			     n.host.world.sent[0].len),
	    0);
	ck_assert(addr_equal(&n.host.world.sent[0].meta.to, &from));
	ck_assert_uint_eq(re.error, RPC_INVALID_TOKEN);
	ck_assert_ptr_nonnull(re.token);
	memcpy(token, re.token, sizeof token);
	ck_assert_int_eq(send_from_client(&n, &from, target, token), 0);
	ck_assert_uint_eq(n.host.stats.forwarded, 51);
	relay_fini(&n);
}
END_TEST

Suite *
t_suite(void)
{
	Suite *s = suite_create("router");
	TCase *tc = tcase_create("router");

	tcase_add_loop_test(tc, flow, 0, T_ROWS(flows));
	tcase_add_loop_test(tc, damaged_flow, 0, T_ROWS(flows));
	tcase_add_loop_test(tc, local_flow, 0, T_ROWS(local_flows));
	tcase_add_loop_test(tc, local_mode, 0, T_ROWS(local_matrix));
	tcase_add_loop_test(tc, transcript, 0, T_ROWS(transcripts));
	tcase_add_loop_test(tc, mode, 0, T_ROWS(matrix));
	tcase_add_loop_test(tc, length, 0, T_ROWS(lengths));
	tcase_add_test(tc, stale_entry);
	tcase_add_test(tc, ephemeral_node);
	tcase_add_test(tc, budget_of_source);
	tcase_add_test(tc, budget_of_destination);
	tcase_add_test(tc, budget_of_server_lasts);
	tcase_add_test(tc, budget_of_server_answers);
	tcase_add_test(tc, budget_taken_whole);
	tcase_add_loop_test(tc, budget_table_full, 0, 2);
	tcase_add_test(tc, budget_table_lowered);
	tcase_add_loop_test(tc, private_destination, 0, T_ROWS(closed));
	tcase_add_test(tc, private_network);
	tcase_add_test(tc, batch_full);
	tcase_add_test(tc, client_returns_token);
	suite_add_tcase(s, tc);
	return s;
}
