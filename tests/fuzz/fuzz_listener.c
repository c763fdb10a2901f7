/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes the listening side: valid and damaged handshakes and copies, through
 * relays or not, from many networks; packets for the streams; decisions, time,
 * listeners that are added and removed. A step is a byte that selects it and
 * the bytes that it reads; past the end all bytes are zero. Limits must hold,
 * and once nothing is received any more no session must be left.
 */
#include "base/err.h"
#include "world/core_host.h"
#include "fuzz.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum {
	STEPS_MAX = 300,
	KEYS = 2,
	CLIENTS = 6,
	PORT = 49737,
	QUIET_MS = 60000,
	SENT_MAX = 200, /* later datagrams are lost */
};

struct script {
	struct fuzz_script in;
	struct core_host host;
	struct dht *d;
	struct records *r;
	struct router *rt;
	struct udx *udx;
	struct punch *punch;
	struct local_addrs local;
	struct peers *peers;
	uint32_t listeners[KEYS]; /* 0: does not listen */
	uint32_t ended;           /* number of PEER_UNLISTENED */
};

/* The same for each input, and expensive: made once. */
static struct key_pair keys[KEYS];
static uint8_t messages[CLIENTS][NOISE_MESSAGE_MAX];
static size_t message_len[CLIENTS];

/* Some hosts share a /24. */
static struct addr
next_host(struct script *s)
{
	uint8_t b = fuzz_next(&s->in);

	return addr_v4(20, 0, b & 0x1f, b >> 5, (uint16_t)(2000 + b));
}

static int
next_sock(struct script *s)
{
	int h = fuzz_next(&s->in);

	return sim_is_open(&s->host.world, h) ? h : 0;
}

/* ---- the modules ---- */

static void
make_keys(void)
{
	uint8_t seed[KEY_SEED_LEN] = {0};

	for (uint8_t i = 0; i < KEYS; i++) {
		seed[0] = i + 1;
		key_pair_from_seed(&keys[i], seed);
	}
}

/* Clients differ in their payload; two are refused. */
static void
make_clients(void)
{
	for (uint8_t i = 0; i < CLIENTS; i++) {
		struct payload p = {.version = i == 4 ? 2 : 1,
		    .flags = i == 5 ? 0 : PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
		    .firewall = i & 1,
		    .udx_id = i};
		uint8_t seed[KEY_SEED_LEN] = {0}, plain[PAYLOAD_LEN_MAX];
		struct bytes b = {.p = plain};
		struct key_pair k;
		struct noise n;

		seed[0] = 100 + i;
		key_pair_from_seed(&k, seed);
		b.len = payload_encode(&p, plain, sizeof plain);
		MUST(b.len > 0);
		plain[0] = (uint8_t)p.version;
		MUST(noise_write1(&n, &k, keys[i % KEYS].public_key, seed, b,
			 messages[i]) == 0);
		message_len[i] = b.len + NOISE_1_OVERHEAD;
	}
}

static void
make_rooms(struct script *s, uint8_t how)
{
	struct dht_config c;
	struct peers_base b;

	dht_config_init(&c);
	c.role = how & 1 ? DHT_BOOTSTRAP : DHT_AUTO;
	c.private_network = how & 2;
	c.public_address = addr_v4(30, 0, 0, 1, PORT);
	c.port_first = c.port_last = PORT;
	s->host.limits.half_open = 3;
	s->host.limits.half_open_prefix = 2;
	s->host.limits.handshakes = 5;
	s->host.limits.connections = 6;
	s->host.limits.handshake_burst = how & 4 ? 4 : 64;
	s->d = dht_new(&s->host.core, &c);
	MUST(s->d != NULL && dht_start(s->d) == 0);
	s->r = records_new(&s->host.core, s->d);
	s->rt = router_new(&s->host.core, s->d, s->r);
	s->udx = udx_new(&s->host.core);
	s->punch = punch_new(&s->host.core, s->d, s->rt);
	MUST(s->r != NULL && s->rt != NULL && s->udx != NULL);
	MUST(s->punch != NULL);
	b = (struct peers_base){.dht = s->d,
	    .records = s->r,
	    .router = s->rt,
	    .udx = s->udx,
	    .punch = s->punch,
	    .local = &s->local};
	s->peers = peers_new(&s->host.core, &b);
	MUST(s->peers != NULL);
}

static void
free_rooms(struct script *s)
{
	dht_end(s->d);
	peers_free(s->peers);
	punch_free(s->punch);
	udx_free(s->udx);
	router_free(s->rt);
	records_free(s->r);
	dht_free(s->d);
	core_host_fini(&s->host);
}

/* ---- invariants ---- */

static uint32_t
count_sessions(const struct session_list *list)
{
	const struct session *s;
	uint32_t n = 0;

	TAILQ_FOREACH (s, list, age)
		n++;
	return n;
}

static void
check(struct script *s)
{
	const struct sessions *ss = &s->peers->listeners->sessions;
	const struct limits *l = &s->host.limits;
	uint32_t done = count_sessions(&ss->done), half_open = 0;
	struct peer_event e;

	for (int i = 0; i < HANDSHAKE_CLASSES; i++) {
		uint32_t n = count_sessions(&ss->half_open[i].list);

		MUST(n == ss->half_open[i].len);
		half_open += n;
	}
	MUST(half_open <= l->half_open);
	MUST(half_open + done == ss->pool.len);
	MUST(ss->pool.len <= l->handshakes);
	while (peers_poll(s->peers, &e))
		s->ended += e.kind == PEER_UNLISTENED;
	if (s->host.world.sent_len > SENT_MAX)
		sim_clear(&s->host.world);
}

static void
pass_ms(struct script *s, uint64_t ms)
{
	sim_advance_ms(&s->host.world, ms);
	timers_run(&s->host.timers, s->host.world.w.now_us);
}

/* ---- datagrams in ---- */

static void
receive(struct script *s, const struct addr *from, int sock, const uint8_t *buf,
    size_t len)
{
	struct dgram dg = {.buf = buf, .len = len, .sock = sock, .from = *from};
	struct router_call call;
	struct dht_request rq;

	if (udx_recv(s->udx, &dg) != UDX_NOT_MINE ||
	    punch_recv(s->punch, &dg) != PUNCH_NOT_MINE)
		return;
	if (dht_recv(s->d, &dg, &rq) != DHT_HANDED_UP)
		return;
	if (rq.m.command > CMD_PEER_HOLEPUNCH)
		(void)records_serve(s->r, &rq);
	else if (router_serve(s->rt, &rq, &call) == ROUTER_HANDED_UP)
		(void)peers_call(s->peers, &call);
}

static void
send_up(struct script *s, unsigned key, uint64_t command, struct bytes value)
{
	uint8_t target[HASH_LEN], buf[DGRAM_MAX];
	struct rpc_request m = {.tid = fuzz_next(&s->in),
	    .command = command,
	    .target = target,
	    .value = value};
	struct addr from = next_host(s);

	key_target(target, keys[key].public_key);
	m.to = addr_v4(30, 0, 0, 1, PORT);
	receive(s, &from, next_sock(s), buf,
	    rpc_request_encode(&m, buf, sizeof buf));
}

static void
step_handshake(struct script *s)
{
	uint8_t what = fuzz_next(&s->in), damage = fuzz_next(&s->in),
		value[DGRAM_MAX];
	unsigned client = what % CLIENTS;
	struct handshake h = {.mode = damage >> 6};
	uint8_t message[NOISE_MESSAGE_MAX];

	memcpy(message, messages[client], message_len[client]);
	if (damage & 1)
		message[fuzz_next(&s->in) % message_len[client]] ^= damage;
	h.noise = (struct bytes){message, message_len[client]};
	if (h.mode != MODE_FROM_CLIENT)
		h.peer = next_host(s);
	if (h.mode == MODE_FROM_SECOND_RELAY)
		h.relay = next_host(s);
	send_up(s, damage & 2 ? 0 : client % KEYS, CMD_PEER_HANDSHAKE,
	    (struct bytes){value, handshake_encode(&h, value, sizeof value)});
}

static void
step_holepunch(struct script *s)
{
	static const uint8_t sealed[64];
	uint8_t value[DGRAM_MAX];
	struct holepunch p = {.mode = MODE_FROM_RELAY,
	    .id = fuzz_next(&s->in),
	    .payload = {sealed, sizeof sealed},
	    .peer = next_host(s)};

	send_up(s, 0, CMD_PEER_HOLEPUNCH,
	    (struct bytes){value, holepunch_encode(&p, value, sizeof value)});
}

static struct conn *
next_conn(struct script *s)
{
	return peers_conn_after(s->peers, fuzz_next(&s->in) % 8);
}

/* Receives a packet for a stream of ours, with a plausible header. */
static void
step_packet(struct script *s)
{
	struct conn *c = next_conn(s);
	struct addr from = next_host(s);
	uint8_t buf[200] = {0xff, 1};
	struct wr w = wr_init(buf + 2, sizeof buf - 2);
	size_t len = fuzz_next(&s->in) % 150;

	if (c == NULL || c->udx == NULL)
		return;
	wr_u8(&w, fuzz_next(&s->in));
	wr_u8(&w, 0);
	wr_le32(&w, conn_udx_id(c));
	wr_le32(&w, 65536);
	wr_le32(&w, fuzz_next(&s->in));
	wr_le32(&w, fuzz_next(&s->in));
	for (size_t i = 0; i < len; i++)
		wr_u8(&w, fuzz_next(&s->in));
	receive(s, &from, next_sock(s), buf, 2 + wr_len(&w));
}

static void
step_probe(struct script *s)
{
	static const uint8_t probe[1] = {0};
	struct addr from = next_host(s);

	receive(s, &from, next_sock(s), probe, fuzz_next(&s->in) & 1);
}

/* Answers each request of ours. */
static void
step_answers(struct script *s)
{
	size_t len = s->host.world.sent_len;
	struct sim_sent *sent = calloc(len + 1, sizeof *sent);
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN] = {1}, buf[DGRAM_MAX];
	struct rpc_request m;

	MUST(sent != NULL);
	for (size_t i = 0; i < len; i++)
		sent[i] = s->host.world.sent[i];
	sim_clear(&s->host.world);
	for (size_t i = 0; i < len; i++) {
		struct rpc_reply re = {.id = id, .token = token};

		if (rpc_request_decode(&m, sent[i].buf, sent[i].len) != 0)
			continue;
		id_of_addr(id, &sent[i].meta.to);
		re.tid = m.tid;
		re.to = addr_v4(30, 0, 0, 1, PORT);
		receive(s, &sent[i].meta.to, sent[i].meta.sock, buf,
		    rpc_reply_encode(&re, buf, sizeof buf));
	}
	free(sent);
}

/* ---- the owner of the node ---- */

static void
step_listen(struct script *s)
{
	uint8_t how = fuzz_next(&s->in);
	unsigned i = how % KEYS;
	struct peers_listen l = {.keys = &keys[i], .ask = how & 2};
	uint32_t number = 0;
	int err = peers_listen(s->peers, &l, &number);

	MUST((err == 0) == (s->listeners[i] == 0));
	if (err == 0)
		s->listeners[i] = number;
}

static void
step_unlisten(struct script *s)
{
	unsigned i = fuzz_next(&s->in) % KEYS;

	peers_unlisten(s->peers, s->listeners[i]);
	s->listeners[i] = 0;
}

static void
step_decide(struct script *s)
{
	struct conn *c = next_conn(s);

	peers_answer(s->peers, c != NULL ? conn_number(c) : fuzz_next(&s->in),
	    fuzz_next(&s->in) & 1);
}

static void
step_conn(struct script *s)
{
	struct conn *c = next_conn(s);

	if (c == NULL)
		return;
	switch (fuzz_next(&s->in) % 4) {
	case 0:
		conn_close(c);
		break;
	case 1:
		conn_fail(c, ERR_RESET);
		break;
	case 2:
		conn_write(c, "x", 1);
		break;
	default:
		conn_end(c);
	}
}

static void
step_time(struct script *s)
{
	uint8_t b = fuzz_next(&s->in);

	pass_ms(s, b < 128 ? b : (b - 127u) * 200u);
}

static void
step_renew(struct script *s)
{
	peers_renew(s->peers);
}

static void (*const steps[])(struct script *s) = {
    step_handshake,
    step_handshake,
    step_handshake,
    step_holepunch,
    step_packet,
    step_answers,
    step_listen,
    step_unlisten,
    step_decide,
    step_conn,
    step_time,
    step_time,
    step_renew,
    step_probe,
};

/* Without any datagram, all that waits must expire. */
static void
be_quiet(struct script *s)
{
	for (uint64_t ms = 0; ms < QUIET_MS; ms += 1000) {
		pass_ms(s, 1000);
		check(s);
	}
	MUST(s->peers->listeners->sessions.pool.len == 0);
	for (const struct conn *c = peers_conn_after(s->peers, 0); c != NULL;
	     c = peers_conn_after(s->peers, conn_number(c)))
		MUST(conn_is_open(c));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script *s = calloc(1, sizeof *s);
	uint8_t how;

	MUST(s != NULL);
	s->in = (struct fuzz_script){data, data + size};
	how = fuzz_next(&s->in);
	core_host_init(&s->host, NULL, 1);
	if (message_len[0] == 0) {
		make_keys();
		make_clients();
	}
	make_rooms(s, how);
	for (int i = 0; i < STEPS_MAX && s->in.p < s->in.end; i++) {
		steps[fuzz_next(&s->in) % (sizeof steps / sizeof *steps)](s);
		check(s);
	}
	if (how & 8)
		be_quiet(s);
	free_rooms(s);
	free(s);
	return 0;
}
