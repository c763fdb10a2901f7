/* SPDX-License-Identifier: ISC */
/*
 * Goal: a node stores and serves as the reference does, within its shares.
 *
 * Method: the transcripts of the reference are replayed to a real DHT node
 * with real records. Tokens differ between nodes, so requests get ours, and
 * valid signatures are made again; every other field of a reply must match.
 * The remaining tests send their own requests under virtual time.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"
#include "relay_net.h"
#include "t.h"

#define VECTORS "records.json"

enum { TRANSCRIPTS_OF_ROUTER = 2 }; /* the last ones, see test_router.c */

/* ---- transcripts ---- */

/*
 * Returns whether a token is the one that the reference would give to a host.
 */
static bool
token_of_reference(
    const json_t *node, const struct addr *host, const uint8_t *token)
{
	const json_t *secrets = t_get(node, "secrets");
	uint8_t out[RPC_TOKEN_LEN], *secret;
	char text[ADDR_TEXT_MAX];
	size_t len;

	addr_format_host(host, text);
	for (size_t i = 0; i < json_array_size(secrets); i++) {
		secret =
		    t_hex(json_string_value(json_array_get(secrets, i)), &len);
		crypto_generichash(out, sizeof out, (const uint8_t *)text,
		    strlen(text), secret, len);
		free(secret);
		if (memcmp(out, token, sizeof out) == 0)
			return true;
	}
	return false;
}

static void
keys_of(const uint8_t *key, struct key_pair *k)
{
	size_t len;
	uint8_t *seed;

	for (int i = 0; i < t_rows(VECTORS, "key_pairs"); i++) {
		seed = t_bytes(t_row(VECTORS, "key_pairs", i), "seed", &len);
		key_pair_from_seed(k, seed);
		free(seed);
		if (memcmp(k->public_key, key, KEY_LEN) == 0)
			return;
	}
	ck_abort_msg("no such key in the vectors");
}

/* Signs an announce for our token if its signature for the other is valid. */
static size_t
sign_anew(const struct rpc_request *m, const uint8_t *id, const uint8_t *token,
    uint8_t *out, size_t cap)
{
	enum key_namespace ns =
	    m->command == CMD_ANNOUNCE ? NS_ANNOUNCE : NS_UNANNOUNCE;
	struct announce_scope scope = {m->target, id, m->token};
	uint8_t sig[SIGNATURE_LEN];
	struct key_pair keys;
	struct announce a;

	if (m->target == NULL || m->value.p == NULL ||
	    announce_decode(&a, m->value.p, m->value.len) != 0 ||
	    a.signature == NULL || announce_verify(&a, ns, &scope) != 0)
		return 0;
	keys_of(a.peer.key, &keys);
	scope.token = token;
	announce_sign(sig, &keys, ns, &scope, &a);
	a.signature = sig;
	return announce_encode(&a, out, cap);
}

static int
play(struct relay_net *n, const json_t *node, const json_t *step)
{
	struct addr from = t_addr(t_get(step, "from"));
	uint8_t ours[RPC_TOKEN_LEN], id[ID_LEN], value[512];
	struct rpc_request m;
	size_t len, signed_len;
	uint8_t *buf = t_bytes(step, "hex", &len);
	int err;

	ck_assert_int_eq(rpc_request_decode(&m, buf, len), 0);
	id_of_addr(id, &n->self);
	dht_token(n->d, &from, ours);
	if (m.token != NULL && token_of_reference(node, &from, m.token)) {
		if (m.command == CMD_ANNOUNCE || m.command == CMD_UNANNOUNCE) {
			signed_len =
			    sign_anew(&m, id, ours, value, sizeof value);
			if (signed_len > 0)
				m.value = (struct bytes){value, signed_len};
		}
		m.token = ours;
	}
	err = relay_request(n, &from, &m);
	free(buf);
	return err;
}

/*
 * Compares as sets: ours are nearest first, those of the reference need not
 * be.
 */
static void
assert_closer(const struct rpc_reply *m, const json_t *want)
{
	ck_assert_uint_eq(
	    m->closer.len / ADDR_WIRE4_LEN, json_array_size(want));
	for (size_t i = 0; i < json_array_size(want); i++) {
		struct addr a = t_addr(json_array_get(want, i));
		bool there = false;

		for (size_t j = 0; j < json_array_size(want); j++) {
			struct addr got = rpc_closer(m, j);

			there |= addr_equal(&got, &a);
		}
		ck_assert(there);
	}
}

static void
assert_value(struct bytes got, const json_t *fields)
{
	size_t len;
	uint8_t *value = t_bytes(fields, "value", &len);

	ck_assert((got.p == NULL) == (value == NULL));
	if (value != NULL) {
		ck_assert_uint_eq(got.len, len);
		ck_assert_mem_eq(got.p, value, len);
	}
	free(value);
}

static void
assert_reply(struct relay_net *n, const json_t *out)
{
	const json_t *f = t_get(out, "fields");
	const struct sim_sent *s = sim_last_sent(&n->host.world);
	struct addr to = t_addr(t_get(out, "sent_to"));
	uint8_t token[RPC_TOKEN_LEN];
	struct rpc_reply m;

	ck_assert_uint_eq(n->host.world.sent_len, 1);
	ck_assert_int_eq(s->meta.sock, n->sock);
	ck_assert(addr_equal(&s->meta.to, &to));
	ck_assert_int_eq(rpc_reply_decode(&m, s->buf, s->len), 0);
	ck_assert_uint_eq(m.tid, t_uint(f, "tid"));
	ck_assert(addr_equal(&m.to, &to));
	t_assert_hex(m.id, ID_LEN, t_string(f, "id"));
	ck_assert((m.token == NULL) == json_is_null(t_get(f, "token")));
	if (m.token != NULL) {
		dht_token(n->d, &to, token);
		ck_assert_mem_eq(m.token, token, sizeof token);
	}
	ck_assert_uint_eq(m.error, t_uint(f, "error"));
	assert_closer(&m, t_get(f, "closerNodes"));
	assert_value(m.value, f);
}

/*
 * The one difference: a repeated announce replaces the record. The JS node
 * goes on serving the old one until its generations change.
 */
static bool
is_quirk(const json_t *step)
{
	const json_t *note = json_object_get(step, "note");

	return note != NULL &&
	       strncmp(json_string_value(note), "JS quirk", 8) == 0;
}

static void
assert_replaced(const struct relay_net *n)
{
	const struct sim_sent *s = sim_last_sent(&n->host.world);
	struct addr want = addr_v4(10, 0, 0, 1, 1), got;
	struct rpc_reply m;
	struct lookup_reply l;
	struct peer_record p;
	uint64_t bump;

	ck_assert_int_eq(rpc_reply_decode(&m, s->buf, s->len), 0);
	ck_assert_int_eq(lookup_decode(&l, &bump, m.value.p, m.value.len), 0);
	ck_assert(lookup_next(&l, &p));
	ck_assert_uint_eq(peer_relays_len(&p), 1);
	got = peer_relay(&p, 0);
	ck_assert(addr_equal(&got, &want));
	ck_assert(!lookup_next(&l, &p));
}

static void
start(struct relay_net *n)
{
	struct dht_config c;

	relay_config(&c);
	relay_init(n, &c, "203.0.113.10:49737");
}

START_TEST(transcript)
{
	const json_t *row = t_row(VECTORS, "transcripts", _i);
	const json_t *node = t_get(row, "node"), *table = t_get(node, "table");
	const json_t *steps = t_get(row, "steps"), *step, *out;
	struct relay_net n;
	size_t i;

	start(&n);
	n.host.world.w.unix_ms = t_uint(node, "clock_ms");
	for (i = 0; i < json_array_size(table); i++) {
		struct addr a = t_addr(json_array_get(table, i));

		relay_learn(&n, &a);
	}
	json_array_foreach(steps, i, step)
	{
		int err = play(&n, node, step);

		out = t_get(step, "out");
		if (json_array_size(out) == 0) {
			ck_assert_int_lt(err, 0);
			ck_assert_uint_eq(n.host.world.sent_len, 0);
		} else if (is_quirk(step)) {
			assert_replaced(&n);
		} else {
			ck_assert_int_eq(err, 0);
			assert_reply(&n, json_array_get(out, 0));
		}
		sim_clear(&n.host.world);
	}
	relay_fini(&n);
}
END_TEST

/* ---- single requests ---- */

static const char *const node_address = "203.0.113.10:49737";
static const char *const client = "192.0.2.7:50001";

/* The decoded reply; reply.tid is 0 if there was none. */
static struct rpc_reply reply;

/*
 * Sends a request, with our token if wanted. Returns 0 or why it was refused.
 */
static int
ask(struct relay_net *n, const char *from, uint64_t command,
    const uint8_t *target, struct bytes value, bool with_token)
{
	struct addr a = relay_addr(from);
	uint8_t token[RPC_TOKEN_LEN];
	struct rpc_request m = {.tid = 9,
	    .command = command,
	    .target = target,
	    .value = value,
	    .token = with_token ? token : NULL};
	int err;

	sim_clear(&n->host.world);
	reply = (struct rpc_reply){0};
	dht_token(n->d, &a, token);
	err = relay_request(n, &a, &m);
	if (n->host.world.sent_len > 0)
		ck_assert_int_eq(
		    rpc_reply_decode(&reply, n->host.world.sent[0].buf,
			n->host.world.sent[0].len),
		    0);
	return err;
}

static int
get(struct relay_net *n, uint64_t command, const uint8_t *target)
{
	return ask(n, client, command, target, (struct bytes){0}, false);
}

static void
seed_keys(struct key_pair *k, uint32_t seed)
{
	uint8_t bytes[KEY_SEED_LEN] = {0};

	memcpy(bytes, &seed, sizeof seed);
	key_pair_from_seed(k, bytes);
}

/* The announce of a key, with so many relay addresses 10.0.0.1:1, :2, ... */
struct claim {
	struct key_pair keys;
	size_t relays;
	uint64_t bump;
	const uint8_t *refresh;
};

static int
claim(struct relay_net *n, const char *from, enum key_namespace ns,
    const uint8_t *target, const struct claim *c)
{
	uint8_t relays[16 * ADDR_WIRE4_LEN], sig[SIGNATURE_LEN], buf[512];
	uint8_t token[RPC_TOKEN_LEN], id[ID_LEN];
	struct addr a = relay_addr(from);
	struct wr w = wr_init(relays, sizeof relays);
	struct announce an = {
	    .peer = {.key = c->keys.public_key}, .refresh = c->refresh};
	struct announce_scope scope = {target, id, token};

	for (size_t i = 0; i < c->relays; i++) {
		struct addr relay = addr_v4(10, 0, 0, 1, (uint16_t)(i + 1));

		wr_addr4(&w, &relay);
	}
	an.peer.relays = (struct bytes){relays, wr_len(&w)};
	an.bump = c->bump;
	dht_token(n->d, &a, token);
	id_of_addr(id, &n->self);
	announce_sign(sig, &c->keys, ns, &scope, &an);
	an.signature = sig;
	return ask(n, from, (uint64_t)ns, target,
	    (struct bytes){buf, announce_encode(&an, buf, sizeof buf)}, true);
}

static void
topic_of(uint8_t topic[HASH_LEN], uint8_t n)
{
	memset(topic, n, HASH_LEN);
}

/* Returns the number of peers in a LOOKUP of the topic; the last one in *p. */
static size_t
lookup(struct relay_net *n, const uint8_t *topic, struct peer_record *p)
{
	struct lookup_reply l;
	uint64_t bump;
	size_t count = 0;

	ck_assert_int_eq(get(n, CMD_LOOKUP, topic), 0);
	if (reply.value.p == NULL)
		return 0;
	ck_assert_int_eq(
	    lookup_decode(&l, &bump, reply.value.p, reply.value.len), 0);
	while (lookup_next(&l, p))
		count++;
	ck_assert_uint_gt(count, 0);
	return count;
}

static struct records_status
status(const struct relay_net *n)
{
	struct records_status st;

	records_status(n->r, &st);
	return st;
}

/*
 * Pitfall A1: the signature covers all relay addresses; three of them are
 * stored.
 */
START_TEST(five_relays)
{
	struct relay_net n;
	struct claim c = {.relays = 5};
	uint8_t topic[HASH_LEN];
	struct peer_record p;

	start(&n);
	seed_keys(&c.keys, 1);
	topic_of(topic, 1);
	ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, topic, &c), 0);
	ck_assert_ptr_null(reply.token);
	ck_assert_uint_eq(lookup(&n, topic, &p), 1);
	ck_assert_mem_eq(p.key, c.keys.public_key, KEY_LEN);
	ck_assert_uint_eq(peer_relays_len(&p), PEER_RELAYS_MAX);
	ck_assert_uint_eq(peer_relay(&p, 2).port, 3);
	/* Pitfall A2: a record under a topic is not a forward entry. */
	ck_assert_int_eq(get(&n, CMD_FIND_PEER, topic), 0);
	ck_assert_ptr_null(reply.value.p);
	relay_fini(&n);
}
END_TEST

/* A self announce renewed by a refresh takes the new address of its sender. */
START_TEST(refresh_moves_the_forward_address)
{
	const json_t *chain = t_get(
	    json_object_get(t_vectors(VECTORS), "refresh_chain"), "chain");
	struct relay_net n;
	struct claim c = {0};
	uint8_t target[HASH_LEN], shown[64];
	struct announce an = {0};
	struct addr to, moved = relay_addr("198.51.100.9:9");
	uint8_t *link[3];
	size_t len;

	for (size_t i = 0; i < 3; i++)
		link[i] =
		    t_hex(json_string_value(json_array_get(chain, i)), &len);
	start(&n);
	seed_keys(&c.keys, 1);
	key_target(target, c.keys.public_key);
	c.refresh = link[0];
	ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, target, &c), 0);
	ck_assert(records_forward_for(n.r, target, &to));
	ck_assert_uint_eq(to.port, 50001);
	for (size_t i = 1; i < 3; i++) {
		an.refresh = link[i];
		len = announce_encode(&an, shown, sizeof shown);
		/* Used tokens and tokens out of order are refused. */
		ck_assert_int_eq(ask(&n, "198.51.100.9:9", CMD_ANNOUNCE, target,
				     (struct bytes){shown, len}, true),
		    0);
		ck_assert_int_eq(ask(&n, "198.51.100.9:9", CMD_ANNOUNCE, target,
				     (struct bytes){shown, len}, true),
		    ERR_UNKNOWN);
	}
	ck_assert(records_forward_for(n.r, target, &to));
	ck_assert(addr_equal(&to, &moved));
	ck_assert_uint_eq(status(&n).refreshes, 1);
	ck_assert_uint_eq(n.host.stats.refreshed, 2);
	ck_assert_uint_eq(n.host.stats.drop[-ERR_UNKNOWN], 2);
	for (size_t i = 0; i < 3; i++)
		free(link[i]);
	relay_fini(&n);
}
END_TEST

/*
 * Pitfall A12: the record of a server that is silent for 60 s is not returned;
 * a packet from another port of its host makes it available again. Its age
 * counts from the announce alone.
 */
START_TEST(silent_server)
{
	struct relay_net n;
	struct claim c = {0};
	uint8_t target[HASH_LEN];
	struct addr to;
	struct peer_record p;
	struct addr other = relay_addr("198.51.100.9:1234");

	start(&n);
	seed_keys(&c.keys, 1);
	key_target(target, c.keys.public_key);
	ck_assert_int_eq(
	    claim(&n, "198.51.100.9:9", NS_ANNOUNCE, target, &c), 0);
	relay_pass_ms(&n, 59000);
	ck_assert_int_eq(get(&n, CMD_FIND_PEER, target), 0);
	ck_assert_ptr_nonnull(reply.value.p);
	ck_assert_uint_eq(lookup(&n, target, &p), 1);
	/* Requests for the record do not count as packets of its host. */
	relay_pass_ms(&n, 1000);
	ck_assert_int_eq(get(&n, CMD_FIND_PEER, target), 0);
	ck_assert_ptr_null(reply.value.p);
	ck_assert_ptr_nonnull(reply.token);
	ck_assert_uint_eq(lookup(&n, target, &p), 0);
	ck_assert(!records_forward_for(n.r, target, &to));
	records_note_host(n.r, &other);
	ck_assert(records_forward_for(n.r, target, &to));
	ck_assert_uint_eq(to.port, 9);
	for (int s = 60; s < 1195; s += 5) {
		relay_pass_ms(&n, 5000);
		records_note_host(n.r, &other);
		ck_assert(records_forward_for(n.r, target, &to));
	}
	relay_pass_ms(&n, 6000);
	records_note_host(n.r, &other);
	ck_assert(!records_forward_for(n.r, target, &to));
	relay_pass_ms(&n, 2000);
	ck_assert_uint_eq(status(&n).forwards, 0);
	relay_fini(&n);
}
END_TEST

/* Only the key itself withdraws, and confirmations are empty. */
START_TEST(unannounce_self)
{
	struct relay_net n;
	struct claim c = {0}, other = {0};
	uint8_t target[HASH_LEN];
	struct addr to;

	start(&n);
	seed_keys(&c.keys, 1);
	seed_keys(&other.keys, 2);
	key_target(target, c.keys.public_key);
	ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, target, &c), 0);
	/* Confirmed because its signature is valid, but not for our entry. */
	ck_assert_int_eq(claim(&n, client, NS_UNANNOUNCE, target, &other), 0);
	ck_assert(records_forward_for(n.r, target, &to));
	ck_assert_int_eq(claim(&n, client, NS_UNANNOUNCE, target, &c), 0);
	ck_assert(!records_forward_for(n.r, target, &to));
	ck_assert_uint_eq(n.host.stats.unannounces, 2);
	relay_fini(&n);
}
END_TEST

/*
 * Pitfall A4: another holder of our key may announce and withdraw it; the key
 * that listens here is still found.
 */
START_TEST(pinned)
{
	struct relay_net n;
	struct claim c = {0};
	uint8_t target[HASH_LEN];
	struct addr to;

	start(&n);
	seed_keys(&c.keys, 1);
	key_target(target, c.keys.public_key);
	ck_assert_ptr_null(records_pinned(n.r, target));
	ck_assert_int_eq(records_pin(n.r, c.keys.public_key, &n), 0);
	for (int i = 0; i < 3; i++) {
		struct peer_record p;

		ck_assert_ptr_eq(records_pinned(n.r, target), &n);
		ck_assert(!records_forward_for(n.r, target, &to));
		ck_assert_int_eq(get(&n, CMD_FIND_PEER, target), 0);
		ck_assert_int_eq(
		    peer_decode(&p, reply.value.p, reply.value.len), 0);
		ck_assert_mem_eq(p.key, c.keys.public_key, KEY_LEN);
		ck_assert_uint_eq(peer_relays_len(&p), 0);
		ck_assert_int_eq(
		    claim(&n, client, i == 0 ? NS_ANNOUNCE : NS_UNANNOUNCE,
			target, &c),
		    0);
	}
	records_unpin(n.r, c.keys.public_key);
	ck_assert_int_eq(get(&n, CMD_FIND_PEER, target), 0);
	ck_assert_ptr_null(reply.value.p);
	relay_fini(&n);
}
END_TEST

/*
 * Announcements expire after 20 min, read or not; bumps have their own clock.
 */
START_TEST(records_age_out)
{
	struct relay_net n;
	struct claim c = {0};
	uint8_t topic[HASH_LEN];
	struct peer_record p;

	start(&n);
	seed_keys(&c.keys, 1);
	topic_of(topic, 1);
	ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, topic, &c), 0);
	for (int min = 0; min < 19; min++) {
		relay_pass_ms(&n, 60000);
		ck_assert_uint_eq(lookup(&n, topic, &p), 1);
	}
	/* A repeated announce renews the full time. */
	ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, topic, &c), 0);
	relay_pass_ms(&n, 13 * 60000);
	ck_assert_uint_eq(lookup(&n, topic, &p), 1);
	sim_advance_ms(&n.host.world, 7 * 60000);
	/* No timer has fired yet; the record counts as expired nevertheless. */
	ck_assert_uint_eq(status(&n).records, 1);
	ck_assert_uint_eq(lookup(&n, topic, &p), 0);
	relay_pass_ms(&n, 1000);
	ck_assert_uint_eq(status(&n).records, 0);
	ck_assert_uint_eq(status(&n).topics, 0);
	ck_assert_uint_eq(n.host.stats.records_expired, 1);
	relay_fini(&n);
}
END_TEST

START_TEST(values_age_out)
{
	struct relay_net n;
	static const uint8_t hello[] = "hello";
	struct bytes value = {hello, 5};
	uint8_t target[HASH_LEN];

	start(&n);
	hash_blake2b(target, hello, 5);
	ck_assert_int_eq(
	    ask(&n, client, CMD_IMMUTABLE_PUT, target, value, true), 0);
	for (int h = 0; h < 47; h++) {
		relay_pass_ms(&n, 3600000);
		ck_assert_int_eq(get(&n, CMD_IMMUTABLE_GET, target), 0);
		ck_assert_ptr_nonnull(reply.value.p);
	}
	relay_pass_ms(&n, 3601000);
	ck_assert_int_eq(get(&n, CMD_IMMUTABLE_GET, target), 0);
	ck_assert_ptr_null(reply.value.p);
	relay_pass_ms(&n, 1000);
	ck_assert_uint_eq(status(&n).values, 0);
	ck_assert_uint_eq(status(&n).value_bytes, 0);
	relay_fini(&n);
}
END_TEST

/* A long value is returned without closer nodes rather than in fragments. */
START_TEST(long_value)
{
	struct relay_net n;
	uint8_t target[HASH_LEN], bytes[1800];
	struct bytes value = {bytes, sizeof bytes};
	struct addr node = relay_addr("198.51.100.1:20001");

	start(&n);
	relay_learn(&n, &node);
	memset(bytes, 7, sizeof bytes);
	hash_blake2b(target, bytes, sizeof bytes);
	ck_assert_int_eq(
	    ask(&n, client, CMD_IMMUTABLE_PUT, target, value, true), 0);
	ck_assert_uint_gt(reply.closer.len, 0);
	ck_assert_int_eq(get(&n, CMD_IMMUTABLE_GET, target), 0);
	ck_assert_uint_eq(reply.value.len, sizeof bytes);
	ck_assert_mem_eq(reply.value.p, bytes, sizeof bytes);
	ck_assert_uint_eq(reply.closer.len, 0);
	relay_fini(&n);
}
END_TEST

/* The reason for each missing reply is counted; none is answered. */
START_TEST(silence_is_counted)
{
	static const struct {
		uint64_t command;
		bool target, token;
		const char *value;
		int err;
	} rows[] = {
	    {CMD_FIND_PEER, false, false, NULL, ERR_INCOMPLETE},
	    {CMD_LOOKUP, false, false, NULL, ERR_INCOMPLETE},
	    {CMD_ANNOUNCE, true, true, NULL, ERR_INCOMPLETE},
	    {CMD_ANNOUNCE, true, false, "00", ERR_INCOMPLETE},
	    {CMD_ANNOUNCE, false, true, "00", ERR_INCOMPLETE},
	    {CMD_ANNOUNCE, true, true, "00", ERR_INCOMPLETE},
	    {CMD_ANNOUNCE, true, true, "", ERR_MALFORMED},
	    {CMD_ANNOUNCE, true, true, "01ff", ERR_MALFORMED},
	    {CMD_UNANNOUNCE, true, true, "00", ERR_INCOMPLETE},
	    {CMD_MUTABLE_PUT, true, true, "00", ERR_MALFORMED},
	    {CMD_MUTABLE_GET, true, false, NULL, ERR_INCOMPLETE},
	    {CMD_MUTABLE_GET, true, false, "", ERR_MALFORMED},
	    {CMD_MUTABLE_GET, true, false, "fd", ERR_MALFORMED},
	    {CMD_MUTABLE_GET, true, false, "ffffffffffffffffff", ERR_MALFORMED},
	    {CMD_IMMUTABLE_PUT, true, true, "00", ERR_TARGET},
	    {CMD_IMMUTABLE_PUT, true, false, "00", ERR_INCOMPLETE},
	    {CMD_IMMUTABLE_GET, false, false, NULL, ERR_INCOMPLETE},
	    {CMD_PLUGIN, false, false, NULL, ERR_INCOMPLETE},
	    {CMD_PLUGIN, false, false, "0464656d6f010200", ERR_UNKNOWN},
	};
	struct relay_net n;
	uint8_t topic[HASH_LEN], *bytes = NULL;
	struct bytes value = {0};
	uint64_t before;

	start(&n);
	topic_of(topic, 9);
	for (int i = 0; i < T_ROWS(rows); i++) {
		before = n.host.stats.drop[-rows[i].err];
		value.len = 0;
		if (rows[i].value != NULL)
			bytes = t_hex(rows[i].value, &value.len);
		value.p = rows[i].value != NULL ? bytes : NULL;
		ck_assert_int_eq(
		    ask(&n, client, rows[i].command,
			rows[i].target ? topic : NULL, value, rows[i].token),
		    rows[i].err);
		ck_assert_uint_eq(n.host.world.sent_len, 0);
		ck_assert_uint_eq(n.host.stats.drop[-rows[i].err], before + 1);
		if (rows[i].value != NULL)
			free(bytes);
	}
	ck_assert_uint_eq(status(&n).records, 0);
	relay_fini(&n);
}
END_TEST

START_TEST(plugin_rows)
{
	struct relay_net n;
	struct bytes value;
	uint8_t *buf =
	    t_bytes(t_row(VECTORS, "plugin_request", _i), "hex", &value.len);

	start(&n);
	value.p = buf;
	ck_assert_int_eq(
	    ask(&n, client, CMD_PLUGIN, NULL, value, false), ERR_UNKNOWN);
	ck_assert_uint_eq(n.host.world.sent_len, 0);
	free(buf);
	relay_fini(&n);
}
END_TEST

/* Pitfall R10: an ephemeral node replies with error 1 and closer nodes. */
START_TEST(not_served)
{
	struct relay_net n;
	struct dht_config c;
	uint8_t topic[HASH_LEN];

	relay_config(&c);
	c.role = DHT_AUTO;
	relay_init(&n, &c, node_address);
	topic_of(topic, 1);
	for (uint64_t command = CMD_FIND_PEER; command < 78; command++) {
		ck_assert_int_eq(get(&n, command, topic), 0);
		ck_assert_uint_eq(reply.error, RPC_UNKNOWN_COMMAND);
		ck_assert_ptr_null(reply.token);
	}
	relay_fini(&n);
	start(&n);
	ck_assert_int_eq(get(&n, 77, topic), 0);
	ck_assert_uint_eq(reply.error, RPC_UNKNOWN_COMMAND);
	relay_fini(&n);
}
END_TEST

/* Lower limits apply at once to stored entries. */
START_TEST(limits_change)
{
	struct relay_net n;
	struct dht_config c;
	struct claim cl = {0};
	struct limits l;
	uint8_t topic[HASH_LEN];

	relay_config(&c);
	c.private_network = true;
	relay_init(&n, &c, node_address);
	for (uint32_t i = 0; i < 40; i++) {
		seed_keys(&cl.keys, i);
		topic_of(topic, (uint8_t)(i / 2));
		ck_assert_int_eq(claim(&n, client, NS_ANNOUNCE, topic, &cl), 0);
	}
	ck_assert_uint_eq(status(&n).records, 40);
	ck_assert_uint_eq(status(&n).topics, 20);
	l = n.host.limits;
	l.records = 16;
	n.host.limits = l;
	dht_limits_changed(n.d);
	records_limits_changed(n.r);
	ck_assert_uint_eq(status(&n).records, 16);
	ck_assert_uint_eq(status(&n).topics, 8);
	l.record_seconds = 60;
	n.host.limits = l;
	dht_limits_changed(n.d);
	records_limits_changed(n.r);
	relay_pass_ms(&n, 60000);
	relay_pass_ms(&n, 1000);
	ck_assert_uint_eq(status(&n).records, 0);
	relay_fini(&n);
}
END_TEST

/* Damages requests at every byte and bit: nothing forged is stored. */
static void
take_request(const uint8_t *buf, size_t len, void *arg)
{
	struct relay_net *n = arg;
	struct addr from = relay_addr(client);

	relay_deliver(n, &from, buf, len);
	sim_clear(&n->host.world);
}

/* Builds an ANNOUNCE with every field. */
static size_t
announce_request(
    struct relay_net *n, const uint8_t *topic, uint8_t *out, size_t cap)
{
	uint8_t relays[4 * ADDR_WIRE4_LEN] = {10, 0, 0, 1};
	uint8_t sig[SIGNATURE_LEN], token[RPC_TOKEN_LEN], id[ID_LEN];
	uint8_t value[512];
	struct addr from = relay_addr(client);
	struct key_pair keys;
	struct announce an = {
	    .peer = {keys.public_key, {relays, sizeof relays}},
	    .refresh = topic,
	    .bump = 77,
	};
	struct rpc_request m = {
	    .to = n->self,
	    .command = CMD_ANNOUNCE,
	    .token = token,
	    .target = topic,
	    .value = {value, 0},
	};

	seed_keys(&keys, 1);
	dht_token(n->d, &from, token);
	id_of_addr(id, &n->self);
	announce_sign(sig, &keys, NS_ANNOUNCE,
	    &(struct announce_scope){topic, id, token}, &an);
	an.signature = sig;
	m.value.len = announce_encode(&an, value, sizeof value);
	return rpc_request_encode(&m, out, cap);
}

START_TEST(damaged_requests)
{
	struct relay_net n;
	struct dht_config c;
	struct key_pair keys;
	uint8_t topic[HASH_LEN], row[DGRAM_MAX];
	struct peer_record p;
	size_t len;

	relay_config(&c);
	c.private_network = true; /* no budgets: all of them are served */
	relay_init(&n, &c, node_address);
	seed_keys(&keys, 1);
	topic_of(topic, 1);
	len = announce_request(&n, topic, row, sizeof row);
	t_damage(row, len, take_request, &n);
	ck_assert_uint_eq(status(&n).records, 1);
	ck_assert_uint_eq(status(&n).topics, 1);
	ck_assert_uint_eq(lookup(&n, topic, &p), 1);
	ck_assert_mem_eq(p.key, keys.public_key, KEY_LEN);
	relay_fini(&n);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("records_serve", &tc);
	int transcripts = t_rows(VECTORS, "transcripts");

	tcase_add_loop_test(
	    tc, transcript, 0, transcripts - TRANSCRIPTS_OF_ROUTER);
	tcase_add_test(tc, five_relays);
	tcase_add_test(tc, refresh_moves_the_forward_address);
	tcase_add_test(tc, silent_server);
	tcase_add_test(tc, unannounce_self);
	tcase_add_test(tc, pinned);
	tcase_add_test(tc, records_age_out);
	tcase_add_test(tc, values_age_out);
	tcase_add_test(tc, long_value);
	tcase_add_test(tc, silence_is_counted);
	tcase_add_loop_test(
	    tc, plugin_rows, 0, t_rows(VECTORS, "plugin_request"));
	tcase_add_test(tc, not_served);
	tcase_add_test(tc, limits_change);
	tcase_add_test(tc, damaged_requests);
	return s;
}
