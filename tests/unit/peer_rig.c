/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/dht_struct.h"
#include "peer_rig.h"
#include "records/record.h"
#include "signal/signal_message.h"
#include "t.h"

enum { DELAY_MS = 10, SERVER_SOCK_PORT = 49737 };

/* ---- life ---- */

static void
put_node(struct peer_rig *r, const struct addr *a)
{
	struct dht *d = node_dht(r->node);
	uint8_t id[ID_LEN];

	id_of_addr(id, a);
	if (table_check(&d->self.table, id, a, NULL) == 0)
		table_add(&d->self.table, id, a, d->self.tick);
}

static void
server_init(struct rig_server *s)
{
	static const uint8_t seed[KEY_SEED_LEN] = {2};
	struct addr any = {.family = ADDR_V4}, bound;

	key_pair_from_seed(&s->keys, seed);
	s->payload = (struct payload){
	    .version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .firewall = FIREWALL_OPEN,
	};
	s->seen = addr_v4(9, 0, 0, 9, 49737);
	s->alive[s->alive_len++] = s->seen;
	core_host_init(&s->host, NULL, 99);
	s->host.core.hash_key = (struct hash_key){{3}};
	ck_assert_int_eq(
	    s->host.world.w.ops->open(&s->host.world.w, &any, &bound), 0);
	s->udx = udx_new(&s->host.core);
	ck_assert_ptr_nonnull(s->udx);
}

void
peer_rig_init(struct peer_rig *r)
{
	static const uint8_t seed[KEY_SEED_LEN] = {1};
	struct node_config c;

	*r = (struct peer_rig){.public = addr_v4(5, 0, 0, 1, 0)};
	ck_assert_int_eq(addr_parse(&r->public6, "[2a01:5::1]", 0), 0);
	sim_world_init(&r->world, NULL, 4711);
	key_pair_from_seed(&r->identity, seed);
	node_config_init(&c);
	c.identity = &r->identity;
	c.dht.port_first = c.dht.port_last = 49737;
	c.host6 = (struct addr){.family = ADDR_V6};
	r->node = node_new(&r->world.w, &c);
	ck_assert_ptr_nonnull(r->node);
	ck_assert_int_eq(node_start(r->node), 0);
	server_init(&r->server);
	sim_advance_ms(&r->world, 1);
	node_tick(r->node);
	sim_clear(&r->world);
}

void
peer_rig_fini(struct peer_rig *r)
{
	struct rig_server *s = &r->server;

	node_free(r->node);
	secret_free(s->kept);
	secret_free(s->secret);
	udx_free(s->udx);
	core_host_fini(&s->host);
	sim_world_fini(&r->world);
	free(r->flights);
}

struct rig_node *
peer_rig_node(struct peer_rig *r, enum rig_node_kind kind)
{
	struct rig_node *n = &r->nodes[r->nodes_len];

	ck_assert_uint_lt(r->nodes_len, RIG_NODES_MAX);
	n->kind = kind;
	n->addr = addr_v4(20, 0, (uint8_t)++r->nodes_len, 1, 49737);
	put_node(r, &n->addr);
	return n;
}

struct rig_node *
peer_rig_server_node(struct peer_rig *r)
{
	struct rig_node *n = &r->nodes[r->nodes_len++];

	*n = (struct rig_node){.kind = RIG_KNOWS, .addr = r->server.alive[0]};
	r->server.answers_itself = true;
	return n;
}

/* ---- datagrams in flight ---- */

static void
add_flight(struct peer_rig *r, const struct rig_flight *f)
{
	r->flights =
	    realloc(r->flights, (r->flights_len + 1) * sizeof *r->flights);
	ck_assert_ptr_nonnull(r->flights);
	r->flights[r->flights_len] = *f;
	r->flights[r->flights_len++].due_us =
	    r->world.w.now_us + (DELAY_MS + f->late_ms) * 1000;
}

static void
send_reply(struct peer_rig *r, const struct sim_sent *to,
    const struct addr *from, const uint8_t *buf, size_t len)
{
	struct rig_flight f = {
	    .from = *from,
	    .sock = to->meta.sock,
	    .len = len,
	    .late_ms = r->server.comes_first ? DELAY_MS : 0,
	};

	memcpy(f.buf, buf, len);
	add_flight(r, &f);
}

/* Returns the node's address behind that socket, as others see it. */
static struct addr
address_of(const struct peer_rig *r, int sock)
{
	const struct addr *bound = &r->world.socks[sock].bound;
	struct addr a = bound->family == ADDR_V6 ? r->public6 : r->public;

	a.port = bound->port;
	return a;
}

/* ---- the server ---- */

static void
server_open(struct rig_server *s, const struct noise_secrets *n)
{
	struct secret_keys keys = {.initiator = false};

	memcpy(keys.tx, n->tx, sizeof keys.tx);
	memcpy(keys.rx, n->rx, sizeof keys.rx);
	memcpy(keys.hash, n->hash, sizeof keys.hash);
	secret_free(s->secret); /* of an earlier call */
	s->secret =
	    secret_new(&s->host.world.w, &s->host.timers, s->stream, &keys);
	ck_assert_ptr_nonnull(s->secret);
	ck_assert_int_eq(secret_start(s->secret), 0);
}

static void
server_shake(struct rig_server *s)
{
	static const uint8_t seed[KEY_SEED_LEN] = {4};
	uint8_t plain[NOISE_MESSAGE_MAX];
	struct noise n;
	struct noise_secrets secrets;
	size_t len;
	int err;

	s->sessions++;
	ck_assert_int_eq(
	    noise_read1(&n, &s->keys,
		(struct bytes){s->message1, s->message1_len}, plain),
	    0);
	ck_assert_int_eq(payload_decode(&s->client, plain,
			     s->message1_len - NOISE_1_OVERHEAD),
	    0);
	s->stream = udx_stream_new(s->udx, NULL, &err);
	ck_assert_ptr_nonnull(s->stream);
	s->payload.udx_id = udx_id(s->stream);
	len = payload_encode(&s->payload, plain, sizeof plain);
	ck_assert_int_eq(noise_write2(&n, seed, (struct bytes){plain, len},
			     s->message2, &secrets),
	    0);
	s->message2_len = len + NOISE_2_OVERHEAD;
	server_open(s, &secrets);
}

static void
server_connect(
    struct rig_server *s, const struct addr *by, const struct addr *client)
{
	struct udx_path path = {
	    .sock = 0, .to = *client, .id = s->client.udx_id};

	s->at = *by;
	ck_assert_int_eq(udx_connect(s->stream, &path), 0);
}

/* The same bytes are the same connection, pitfall H1. */
static void
server_called(struct peer_rig *r, const struct sim_sent *sent, struct bytes m)
{
	struct rig_server *s = &r->server;
	struct addr client = address_of(r, sent->meta.sock);

	s->messages++;
	if (m.len == s->message1_len && memcmp(m.p, s->message1, m.len) == 0)
		return;
	ck_assert_uint_le(m.len, sizeof s->message1);
	memcpy(s->message1, m.p, m.len);
	s->message1_len = m.len;
	server_shake(s);
	if (s->comes_first)
		server_connect(s, &s->alive[0], &client);
}

static void
server_got(struct peer_rig *r, const struct rig_flight *f)
{
	struct rig_server *s = &r->server;
	struct dgram dg = {
	    .buf = f->buf, .len = f->len, .sock = 0, .from = f->from};

	if (s->stream == NULL)
		return;
	if (udx_recv(s->udx, &dg) == UDX_NOT_MINE)
		return;
	if (s->at.family == ADDR_NONE)
		server_connect(s, &f->to, &f->from);
}

static void
server_run(struct peer_rig *r)
{
	struct rig_server *s = &r->server;
	struct udx_stream *stream;
	unsigned events;

	s->host.world.w.now_us = r->world.w.now_us;
	timers_run(&s->host.timers, s->host.world.w.now_us);
	while ((stream = udx_poll(s->udx, &events)) != NULL)
		;
	if (s->secret != NULL) {
		int err = 0;

		secret_peek(s->secret, NULL, &err);
		ck_assert_int_eq(err, 0);
	}
	for (; s->server_seen < s->host.world.sent_len; s->server_seen++) {
		const struct sim_sent *sent =
		    &s->host.world.sent[s->server_seen];
		struct rig_flight f = {.from = s->at, .len = sent->len};

		f.sock = sim_sock_at(&r->world, sent->meta.to.port);
		memcpy(f.buf, sent->buf, sent->len);
		if (f.sock != WORLD_NO_SOCK)
			add_flight(r, &f);
	}
}

/* ---- the nodes ---- */

static void
reply_to(struct peer_rig *r, const struct sim_sent *sent,
    const struct rig_node *n, const struct rpc_request *m, struct bytes value)
{
	uint8_t id[ID_LEN], closer[RIG_NODES_MAX * ADDR_WIRE4_LEN];
	uint8_t buf[DGRAM_MAX];
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_reply re = {.tid = m->tid,
	    .to = address_of(r, sent->meta.sock),
	    .value = value};
	struct addr from = n->addr;

	id_of_addr(id, &n->addr);
	re.id = id;
	if (value.p == NULL) {
		for (unsigned i = 0; i < r->nodes_len && i < RPC_K; i++)
			wr_addr4(&w, &r->nodes[i].addr);
		re.closer = (struct bytes){closer, wr_len(&w)};
	}
	if (n->kind == RIG_ELSEWHERE && m->command == CMD_PEER_HANDSHAKE)
		from.port++;
	send_reply(r, sent, &from, buf, rpc_reply_encode(&re, buf, sizeof buf));
}

static void
answer_handshake(struct peer_rig *r, const struct sim_sent *sent,
    struct rig_node *n, const struct rpc_request *m)
{
	static const uint8_t lie[NOISE_2_OVERHEAD + 20] = {1};
	struct rig_server *s = &r->server;
	struct handshake h, out = {.mode = MODE_REPLY};
	uint8_t buf[DGRAM_MAX];

	n->handshakes++;
	if (n->kind == RIG_IGNORANT) {
		reply_to(r, sent, n, m, (struct bytes){0});
		return;
	}
	if (n->kind == RIG_STALE)
		return;
	ck_assert_int_eq(handshake_decode(&h, m->value.p, m->value.len), 0);
	ck_assert_uint_eq(h.mode, MODE_FROM_CLIENT);
	if (n->kind == RIG_LIAR) {
		out.noise = (struct bytes){lie, sizeof lie};
	} else {
		server_called(r, sent, h.noise);
		out.noise = (struct bytes){s->message2, s->message2_len};
	}
	if (n->kind == RIG_WRONG_MODE)
		out.mode = MODE_FROM_SERVER;
	if (n->kind == RIG_NO_NOISE)
		out.noise.len = 0;
	if (!s->answers_itself)
		out.peer = s->seen;
	reply_to(r, sent, n, m,
	    (struct bytes){buf, handshake_encode(&out, buf, sizeof buf)});
}

static void
answer_find(struct peer_rig *r, const struct sim_sent *sent, struct rig_node *n,
    const struct rpc_request *m)
{
	struct peer_record p = {.key = r->server.keys.public_key};
	uint8_t buf[PEER_LEN_MAX];

	n->finds++;
	if (n->kind == RIG_IGNORANT)
		reply_to(r, sent, n, m, (struct bytes){0});
	else
		reply_to(r, sent, n, m,
		    (struct bytes){buf, peer_encode(&p, buf, sizeof buf)});
}

static bool
is_of_server(const struct peer_rig *r, const uint8_t *target)
{
	uint8_t own[HASH_LEN];

	key_target(own, r->server.keys.public_key);
	return target != NULL && memcmp(target, own, HASH_LEN) == 0;
}

static void
node_got(struct peer_rig *r, const struct sim_sent *sent, struct rig_node *n)
{
	struct rpc_request m;

	if (n->kind == RIG_DEAD ||
	    rpc_request_decode(&m, sent->buf, sent->len) != 0)
		return;
	/* No node knows other keys. */
	if (!m.internal && m.command <= CMD_FIND_PEER &&
	    !is_of_server(r, m.target))
		reply_to(r, sent, n, &m, (struct bytes){0});
	else if (!m.internal && m.command == CMD_PEER_HANDSHAKE)
		answer_handshake(r, sent, n, &m);
	else if (!m.internal && m.command == CMD_FIND_PEER)
		answer_find(r, sent, n, &m);
	else if (m.internal || m.command != CMD_PEER_HOLEPUNCH)
		reply_to(r, sent, n, &m, (struct bytes){0});
}

/* ---- time ---- */

static void
take_sent(struct peer_rig *r, size_t at)
{
	struct sim_sent sent = r->world.sent[at];
	const struct addr *to = &sent.meta.to;

	for (unsigned i = 0; i < r->nodes_len; i++)
		if (addr_equal(&r->nodes[i].addr, to))
			node_got(r, &sent, &r->nodes[i]);
	for (unsigned i = 0; i < r->server.alive_len; i++)
		if (addr_equal(&r->server.alive[i], to)) {
			struct rig_flight f = {.to_server = true, .to = *to};

			f.from = address_of(r, sent.meta.sock);
			f.len = sent.len;
			memcpy(f.buf, sent.buf, sent.len);
			add_flight(r, &f);
		}
}

static void
deliver_due(struct peer_rig *r)
{
	for (size_t i = 0; i < r->flights_len; i++) {
		struct rig_flight f = r->flights[i];
		uint8_t *copy;

		if (f.due_us > r->world.w.now_us)
			continue;
		memmove(&r->flights[i], &r->flights[i + 1],
		    (--r->flights_len - i) * sizeof f);
		i--;
		copy = t_copy(f.buf, f.len);
		if (f.to_server) {
			server_got(r, &f);
		} else {
			struct dgram dg = {.buf = copy,
			    .len = f.len,
			    .sock = f.sock,
			    .from = f.from};

			node_recv(r->node, &dg);
		}
		free(copy);
	}
}

static void
process_sent(struct peer_rig *r)
{
	struct node_event ev;

	while (node_poll(r->node, &ev)) {
		if (ev.kind == NODE_EV_OPEN)
			r->opened++;
		else if (ev.kind == NODE_EV_CLOSED)
			r->closed++;
		else if (ev.kind == NODE_EV_READY)
			r->ready++;
		else
			continue;
		r->last = ev.op;
		r->err = ev.err;
	}
}

void
peer_rig_run_ms(struct peer_rig *r, uint64_t ms)
{
	while (ms-- > 0) {
		sim_advance_ms(&r->world, 1);
		deliver_due(r);
		process_sent(r);
		if (node_deadline(r->node) <= r->world.w.now_us)
			node_tick(r->node);
		server_run(r);
		process_sent(r);
		for (; r->seen < r->world.sent_len; r->seen++)
			take_sent(r, r->seen);
	}
}

uint64_t
peer_rig_until_settled(struct peer_rig *r, uint64_t ms)
{
	uint64_t passed = 0;

	while (passed < ms && r->opened + r->closed == 0) {
		peer_rig_run_ms(r, 1);
		passed++;
	}
	return passed;
}

uint32_t
peer_rig_connect(struct peer_rig *r)
{
	struct node_connect c = {.key = r->server.keys.public_key};
	uint32_t conn;

	ck_assert_int_eq(node_connect(r->node, &c, &conn), 0);
	return conn;
}

void
peer_rig_next_session(struct peer_rig *r)
{
	struct rig_server *s = &r->server;

	secret_free(s->kept);
	s->kept = s->keeps ? s->secret : NULL;
	if (!s->keeps) {
		secret_free(s->secret);
		udx_stream_free(s->stream);
	}
	s->secret = NULL;
	s->stream = NULL;
	s->at = (struct addr){.family = ADDR_NONE};
	s->message1_len = 0;
	r->opened = r->closed = 0;
}
