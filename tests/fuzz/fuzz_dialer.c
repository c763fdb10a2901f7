/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes a node that dials: the input is a script of what nodes, servers, time
 * and the application do. Each step is a byte that selects an action, and some
 * that parameterise it. Each connection must be reported open at most once,
 * only after a genuine header was received, and must end once.
 */
#include <sodium.h>

#include "base/err.h"
#include "crypto/noise.h"
#include "dht/dht_struct.h"
#include "world/core_host.h"
#include "fuzz.h"
#include "node/node_conn.h"
#include "node/node_struct.h"
#include "peer/conn_struct.h"
#include "signal/signal_message.h"
#include "stream/secret.h"

enum {
	NODES = 8,
	STEPS_MAX = 300,
	CONNS_MAX = 32,
	SERVERS_MAX = 8,
	ASKED_MAX = 64,
	TICKS_MAX = 200,
};

enum told { TOLD_NOTHING, TOLD_OPEN, TOLD_CLOSED };

/* A request that the node has sent. */
struct asked {
	struct addr to;
	int sock;
	uint16_t tid;
	uint64_t command;
	bool internal;
	uint16_t len;
	uint8_t value[NOISE_MESSAGE_MAX + 32];
};

/* The server's end of one handshake. */
struct server {
	struct noise_secrets secrets;
	struct udx_stream *stream;
	struct secret *secret;
	uint32_t client_id;
	struct addr at; /* its address, once it sends */
};

struct dialer_fuzz {
	struct sim_world fw; /* of the node */
	struct core_host sh; /* of the servers */
	struct node *n;
	struct key_pair own, key;
	struct udx *udx;
	struct server servers[SERVERS_MAX];
	unsigned servers_len;
	bool spoke; /* a genuine header was delivered */

	struct asked asked[ASKED_MAX];
	uint32_t asked_len;
	uint32_t conns[CONNS_MAX];
	enum told told[CONNS_MAX];
	unsigned conns_len;
	struct fuzz_script in;
};

/* Returns a public, private or invalid address, or one of a server. */
static struct addr
pick_host(uint8_t how)
{
	static const uint8_t nets[8][3] = {{11, 2, 0}, {11, 2, 1},
	    {192, 168, 1}, {10, 0, 0}, {127, 0, 0}, {203, 0, 113},
	    {255, 255, 255}, {0, 0, 0}};
	const uint8_t *n = nets[how % 8];

	return addr_v4(n[0], n[1], n[2], how / 8 % 4, how & 128 ? 0 : 49737);
}

/* ---- datagrams and events ---- */

static void
note_sent(struct dialer_fuzz *l, const struct sim_sent *s)
{
	struct asked *a = &l->asked[l->asked_len % ASKED_MAX];
	struct rpc_request m;

	MUST(s->len <= DGRAM_MAX && s->meta.to.port != 0);
	if (s->buf[0] == 0xff) { /* UDX: each server checks if it is its own */
		struct dgram dg = {.buf = s->buf, .len = s->len};

		dg.from = addr_v4(5, 0, 0, 1, 49737);
		udx_recv(l->udx, &dg);
		return;
	}
	if (rpc_request_decode(&m, s->buf, s->len) != 0 ||
	    m.value.len > sizeof a->value)
		return;
	*a = (struct asked){.to = s->meta.to,
	    .sock = s->meta.sock,
	    .tid = m.tid,
	    .command = m.command,
	    .internal = m.internal,
	    .len = (uint16_t)m.value.len};
	if (m.value.len > 0)
		memcpy(a->value, m.value.p, m.value.len);
	l->asked_len++;
}

static void
on_event(struct dialer_fuzz *l, const struct node_event *ev)
{
	unsigned i = 0;

	if (ev->kind != NODE_EV_OPEN && ev->kind != NODE_EV_CLOSED &&
	    ev->kind != NODE_EV_READY)
		return;
	while (i < l->conns_len && l->conns[i] != ev->op)
		i++;
	MUST(i < l->conns_len && l->told[i] != TOLD_CLOSED);
	if (ev->kind == NODE_EV_OPEN) {
		MUST(l->told[i] == TOLD_NOTHING && l->spoke);
		l->told[i] = TOLD_OPEN;
	} else if (ev->kind == NODE_EV_CLOSED) {
		l->told[i] = TOLD_CLOSED;
		MUST(node_conn_space(l->n, ev->op) == 0);
	} else {
		MUST(l->told[i] == TOLD_OPEN);
	}
}

static void
settle_dials(struct dialer_fuzz *l)
{
	struct node_event ev;

	for (int i = 0; i < TICKS_MAX && node_deadline(l->n) <= l->fw.w.now_us;
	     i++)
		node_tick(l->n);
	MUST(node_deadline(l->n) > l->fw.w.now_us);
	while (node_poll(l->n, &ev))
		on_event(l, &ev);
	for (size_t i = 0; i < l->fw.sent_len; i++)
		note_sent(l, &l->fw.sent[i]);
	sim_clear(&l->fw);
	MUST(l->n->peers->dials <= HASH_COUNT(l->n->peers->conns));
	MUST(udx_streams(l->n->udx) <= HASH_COUNT(l->n->peers->conns));
}

static void
receive(struct dialer_fuzz *l, int sock, const struct addr *from,
    const void *buf, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};

	MUST(copy != NULL);
	memcpy(copy, buf, len);
	if (sim_is_open(&l->fw, sock))
		node_recv(l->n, &dg);
	free(copy);
	settle_dials(l);
}

static void
pass_ms(struct dialer_fuzz *l, uint64_t ms)
{
	uint64_t until = l->fw.w.now_us + ms * 1000;

	while (node_deadline(l->n) < until) {
		l->fw.w.now_us = node_deadline(l->n);
		settle_dials(l);
	}
	l->fw.w.now_us = until;
	settle_dials(l);
}

/* ---- nodes and servers ---- */

static void
list_some(struct dialer_fuzz *l, struct addr *out, uint8_t *len, uint8_t max)
{
	for (uint8_t n = fuzz_next(&l->in) % (max + 1); n > 0; n--)
		out[(*len)++] = pick_host(fuzz_next(&l->in));
}

static struct payload
make_payload(struct dialer_fuzz *l, uint32_t udx_id)
{
	struct payload p = {
	    .flags = fuzz_next(&l->in) | PAYLOAD_UDX, .udx_id = udx_id};

	p.error = p.flags & 128 ? fuzz_next(&l->in) % 5 : 0;
	p.flags &=
	    127 & ~(unsigned)(fuzz_next(&l->in) == 255 ? PAYLOAD_UDX : 0);
	p.features = fuzz_next(&l->in);
	p.firewall = p.features % 5;
	list_some(l, p.addrs4, &p.addrs4_len, 5);
	list_some(l, p.relay_addrs, &p.relay_addrs_len, 5);
	p.relays_len = fuzz_next(&l->in) % 4;
	for (uint8_t i = 0; i < p.relays_len; i++) {
		p.relays[i].relay = fuzz_node(fuzz_next(&l->in) % NODES);
		p.relays[i].peer = pick_host(fuzz_next(&l->in));
	}
	return p;
}

/* Writes message 2 for a message 1 of the node; returns its length, 0 if the
 * message is invalid. */
static size_t
write_message2(struct dialer_fuzz *l, struct bytes m1, uint8_t *out)
{
	static const uint8_t seed[KEY_SEED_LEN] = {4};
	uint8_t plain[NOISE_MESSAGE_MAX];
	struct server *s = &l->servers[l->servers_len % SERVERS_MAX];
	struct payload client, p;
	struct noise n;
	size_t len;
	int err;

	if (s->stream != NULL || noise_read1(&n, &l->key, m1, plain) != 0)
		return 0;
	MUST(payload_decode(&client, plain, m1.len - NOISE_1_OVERHEAD) == 0);
	s->client_id = client.udx_id;
	s->stream = udx_stream_new(l->udx, NULL, &err);
	MUST(s->stream != NULL);
	p = make_payload(l, udx_id(s->stream));
	len = payload_encode(&p, plain, sizeof plain);
	MUST(noise_write2(
		 &n, seed, (struct bytes){plain, len}, out, &s->secrets) == 0);
	l->servers_len++;
	return len + NOISE_2_OVERHEAD;
}

static struct bytes
handshake_reply(
    struct dialer_fuzz *l, const struct asked *a, uint8_t *buf, size_t cap)
{
	uint8_t noise[NOISE_MESSAGE_MAX], how = fuzz_next(&l->in);
	struct handshake in, m = {.mode = MODE_REPLY};

	if (how % 8 == 0 || handshake_decode(&in, a->value, a->len) != 0)
		return (struct bytes){0};
	m.noise = (struct bytes){noise, write_message2(l, in.noise, noise)};
	if (how % 8 == 1)
		noise[fuzz_next(&l->in) % 48] ^= 1;
	if (how % 8 == 2)
		m.mode = fuzz_next(&l->in) % 6;
	if (how % 8 == 3)
		m.noise.len = fuzz_next(&l->in);
	memset(noise + m.noise.len, 0, sizeof noise - m.noise.len);
	if (how & 8)
		m.peer = pick_host(fuzz_next(&l->in));
	return (struct bytes){buf, handshake_encode(&m, buf, cap)};
}

/* Answers one of the latest requests. */
static void
answer_request(struct dialer_fuzz *l)
{
	uint8_t buf[DGRAM_MAX], value[DGRAM_MAX],
	    closer[ADDR_WIRE4_LEN * NODES];
	uint8_t id[ID_LEN], back = fuzz_next(&l->in), how = fuzz_next(&l->in);
	struct rpc_reply re = {.to = pick_host(fuzz_next(&l->in)), .id = id};
	struct wr w = wr_init(closer, sizeof closer);
	struct peer_record p = {.key = l->key.public_key};
	const struct asked *a;

	if (l->asked_len == 0)
		return;
	a = &l->asked[(l->asked_len - 1 - back % 16 % l->asked_len) %
		      ASKED_MAX];
	re.tid = a->tid;
	id_of_addr(id, &a->to);
	for (unsigned i = 0; i < how % NODES; i++) {
		struct addr n = fuzz_node(i % NODES);

		wr_addr4(&w, &n);
	}
	re.closer = (struct bytes){closer, wr_len(&w)};
	if (!a->internal && a->command == CMD_PEER_HANDSHAKE)
		re.value = handshake_reply(l, a, value, sizeof value);
	if (!a->internal && a->command == CMD_FIND_PEER && how & 16)
		re.value =
		    (struct bytes){value, peer_encode(&p, value, sizeof value)};
	receive(
	    l, a->sock, &a->to, buf, rpc_reply_encode(&re, buf, sizeof buf));
}

/* Sends a packet of the server's stream, from any address to any socket. */
static void
send_packet(struct dialer_fuzz *l)
{
	struct server *s = &l->servers[fuzz_next(&l->in) % SERVERS_MAX];
	struct secret_keys keys = {.initiator = false};
	struct udx_path path = {.to = addr_v4(5, 0, 0, 1, 49737)};
	uint8_t how = fuzz_next(&l->in), text[9] = {0};
	int sock = how % 4;

	if (s->stream == NULL)
		return;
	if (s->secret == NULL) {
		memcpy(keys.tx, s->secrets.tx, sizeof keys.tx);
		memcpy(keys.rx, s->secrets.rx, sizeof keys.rx);
		memcpy(keys.hash, s->secrets.hash, sizeof keys.hash);
		s->secret =
		    secret_new(&l->sh.world.w, &l->sh.timers, s->stream, &keys);
		MUST(s->secret != NULL);
		if (secret_start(s->secret) != 0) { /* closed meanwhile */
			secret_free(s->secret);
			s->secret = NULL;
			return;
		}
		path.id = s->client_id;
		udx_connect(s->stream, &path);
		s->at = pick_host(how / 4);
	}
	if (how & 64)
		secret_write(s->secret, text, sizeof text);
	if (how & 32) { /* a message of peer/conn_migrate.c */
		text[0] = fuzz_next(&l->in) % 4;
		secret_send_message(s->secret, text, sizeof text);
		s->at = pick_host(how / 4);
	}
	if (how & 128)
		secret_end(s->secret);
	l->sh.world.w.now_us = l->fw.w.now_us;
	timers_run(&l->sh.timers, l->sh.world.w.now_us);
	for (size_t i = 0; i < l->sh.world.sent_len; i++) {
		l->spoke = true;
		receive(l, sock, &s->at, l->sh.world.sent[i].buf,
		    l->sh.world.sent[i].len);
	}
	sim_clear(&l->sh.world);
}

/* ---- the application ---- */

static void
dial_key(struct dialer_fuzz *l)
{
	struct addr relays[8];
	struct node_connect c = {.key = l->key.public_key, .relays = relays};
	uint8_t how = fuzz_next(&l->in);

	if (l->conns_len == CONNS_MAX)
		return;
	while (c.relays_len < how % 8)
		relays[c.relays_len++] =
		    how & 8 ? fuzz_node(fuzz_next(&l->in) % NODES)
			    : pick_host(fuzz_next(&l->in));
	c.timeout_ms = how & 16 ? fuzz_next(&l->in) * 10 : 0;
	if (node_connect(l->n, &c, &l->conns[l->conns_len]) == 0)
		l->conns_len++;
	settle_dials(l);
}

static void
use_conn(struct dialer_fuzz *l)
{
	unsigned i = fuzz_next(&l->in);
	uint8_t how = fuzz_next(&l->in), text[64] = {0};
	uint32_t conn;

	if (l->conns_len == 0)
		return;
	i %= l->conns_len;
	conn = l->conns[i];
	switch (how % 4) {
	case 0:
		node_conn_close(l->n, conn);
		l->told[i] = TOLD_CLOSED;
		break;
	case 1:
		node_conn_end(l->n, conn);
		break;
	case 2:
		node_conn_write(l->n, conn, text, how / 4);
		break;
	default:
		node_conn_consume(l->n, conn, node_conn_peek(l->n, conn).len);
		break;
	}
	settle_dials(l);
}

static void
disturb_node(struct dialer_fuzz *l)
{
	uint8_t how = fuzz_next(&l->in);
	struct addr local[2] = {pick_host(how), addr_v4(192, 168, 1, 3, 0)};

	switch (how % 5) {
	case 0:
		node_slept(l->n, (uint64_t)how * 1000000);
		break;
	case 1:
		node_network_changed(l->n);
		break;
	case 2:
		node_set_local(l->n, local, NULL, 2);
		break;
	case 3:
		l->fw.batch_max = how & 8 ? 1 : 0;
		node_writable(l->n, how % 2);
		break;
	default:
		if (how == 254)
			node_leave(l->n);
		break;
	}
	settle_dials(l);
}

static void
run_step(struct dialer_fuzz *l)
{
	switch (fuzz_next(&l->in) % 8) {
	case 0:
		dial_key(l);
		break;
	case 1:
	case 2:
		answer_request(l);
		break;
	case 3:
	case 4:
		send_packet(l);
		break;
	case 5:
		pass_ms(l, 1U << fuzz_next(&l->in) % 14);
		break;
	case 6:
		use_conn(l);
		break;
	default:
		disturb_node(l);
		break;
	}
}

/* ---- life ---- */

static void
lab_init(struct dialer_fuzz *l)
{
	static const uint8_t seeds[2][KEY_SEED_LEN] = {{1}, {2}};
	struct addr any = {.family = ADDR_V4}, bound;
	struct node_config c;

	sim_world_init(&l->fw, NULL, 1);
	core_host_init(&l->sh, NULL, 2);
	key_pair_from_seed(&l->own, seeds[0]);
	key_pair_from_seed(&l->key, seeds[1]);
	node_config_init(&c);
	c.identity = &l->own;
	c.limits.connections = CONNS_MAX / 2;
	c.limits.dials = CONNS_MAX / 4;
	c.limits.attempts = 4;
	c.limits.remembered = 2;
	l->n = node_new(&l->fw.w, &c);
	MUST(l->n != NULL && node_start(l->n) == 0);
	for (unsigned i = 0; i < NODES; i++) {
		struct addr a = fuzz_node(i % NODES);
		uint8_t id[ID_LEN];
		struct table *t = &node_dht(l->n)->self.table;

		id_of_addr(id, &a);
		if (table_check(t, id, &a, NULL) == 0)
			table_add(t, id, &a, 0);
	}
	l->sh.core.hash_key = (struct hash_key){{3}};
	MUST(l->sh.world.w.ops->open(&l->sh.world.w, &any, &bound) == 0);
	l->udx = udx_new(&l->sh.core);
	MUST(l->udx != NULL);
	settle_dials(l);
}

static void
lab_fini(struct dialer_fuzz *l)
{
	/* Each dial must open or fail in time. */
	l->fw.batch_max = 0;
	pass_ms(l, 60000);
	for (unsigned i = 0; i < l->conns_len; i++)
		MUST(l->told[i] != TOLD_NOTHING);
	MUST(l->n->peers->dials == 0);
	node_free(l->n);
	MUST(l->fw.socks_open == 0);
	for (int i = 0; i < SERVERS_MAX; i++)
		secret_free(l->servers[i].secret);
	udx_free(l->udx);
	sim_world_fini(&l->fw);
	core_host_fini(&l->sh);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dialer_fuzz *l = calloc(1, sizeof *l);

	MUST(l != NULL);
	l->in.p = data;
	l->in.end = data + size;
	lab_init(l);
	for (int i = 0; i < STEPS_MAX && l->in.p < l->in.end; i++)
		run_step(l);
	lab_fini(l);
	free(l);
	return 0;
}
