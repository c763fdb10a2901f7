/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes a whole node: reads two bytes of configuration, then steps. A step is
 * a byte that selects it and the bytes that it reads; past the end all bytes
 * are zero. Requests are well-formed, from hosts that know our tokens or do
 * not; our requests are answered well, badly, twice, late or never; time
 * passes, names resolve or fail, operations start and end.
 */
#include "base/err.h"
#include "drive.h"
#include "node/node_conn.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum { STEPS_MAX = 400, TIME_MAX_MS = 2 * 3600 * 1000 };

struct script {
	const uint8_t *p, *end;
	struct drive d;
	uint64_t passed_ms;
};

static uint8_t
next(struct script *s)
{
	return s->p < s->end ? *s->p++ : 0;
}

/* Reads up to n bytes of the input; fewer at its end. */
static struct bytes
take(struct script *s, size_t n)
{
	size_t left = (size_t)(s->end - s->p);
	struct bytes b = {s->p, n < left ? n : left};

	s->p += b.len;
	return b;
}

static struct addr
next_host(struct script *s)
{
	return drive_host(&s->d, next(s));
}

/* Returns an open socket. */
static int
next_sock(struct script *s)
{
	int h = next(s);

	return sim_is_open(&s->d.fw, h) ? h : drive_server_sock(&s->d);
}

/* Returns one of a few topics, or a hash that belongs to one of the keys. */
static void
next_target(struct script *s, uint8_t target[32])
{
	uint8_t b = next(s);

	if (b & 1)
		key_target(target, drive_key(b >> 1)->public_key);
	else
		memset(target, b, 32);
}

/* ---- datagrams ---- */

static void
step_raw(struct script *s)
{
	struct addr from = next_host(s);
	int sock = next_sock(s);
	struct bytes b = take(s, next(s) * 8u);

	/* A victim answers nothing and has no token. */
	if (drive_is_victim(&s->d, &from))
		from = drive_host(&s->d, 0);
	drive_recv(&s->d, &from, sock, b.p, b.len);
}

static size_t
make_announce(struct script *s, const struct rpc_request *m,
    const uint8_t target[32], uint8_t *buf, size_t cap)
{
	const struct key_pair *k = drive_key(next(s));
	uint8_t flags = next(s), sig[SIGNATURE_LEN], refresh[HASH_LEN];
	uint8_t zero[HASH_LEN] = {0};
	struct node_status st;
	struct announce a = {.peer = {.key = k->public_key}};
	struct announce_scope scope = {.target = target};

	node_status(s->d.n, &st);
	scope.id = st.dht.id;
	scope.token = m->token != NULL ? m->token : zero;
	memset(refresh, flags, sizeof refresh);
	a.peer.relays = take(s, (flags >> 4 & 7u) * ADDR_WIRE4_LEN);
	a.peer.relays.len -= a.peer.relays.len % ADDR_WIRE4_LEN;
	a.refresh = flags & 1 ? refresh : NULL;
	a.bump = flags & 2 ? s->d.fw.w.unix_ms + flags : 0;
	if (flags & 4) {
		/* The refresh alone; its hash is what was announced before. */
		hash_blake2b(refresh, zero, sizeof zero);
		a = (struct announce){.refresh = flags & 8 ? zero : refresh};
		return announce_encode(&a, buf, cap);
	}
	a.signature = sig;
	announce_sign(sig, k,
	    m->command == CMD_ANNOUNCE ? NS_ANNOUNCE : NS_UNANNOUNCE, &scope,
	    &a);
	sig[0] ^= flags & 8;
	return announce_encode(&a, buf, cap);
}

static size_t
make_mutable(struct script *s, uint8_t target[32], uint8_t *buf, size_t cap)
{
	const struct key_pair *k = drive_key(next(s));
	uint8_t sig[SIGNATURE_LEN];
	struct mutable_value m = {
	    .key = k->public_key, .seq = next(s), .signature = sig};

	m.value = take(s, next(s));
	key_target(target, k->public_key);
	mutable_sign(sig, k, m.seq, m.value);
	return mutable_put_encode(&m, buf, cap);
}

static size_t
make_signal(struct script *s, uint64_t command, uint8_t *buf, size_t cap)
{
	static const uint8_t sealed[256];
	uint8_t flags = next(s), len = next(s);
	struct handshake h = {.mode = flags & 7, .noise = {sealed, len}};
	struct holepunch p = {
	    .mode = flags & 7, .id = flags, .payload = {sealed, len}};

	if (flags & 0x10)
		h.peer = p.peer = next_host(s);
	if (flags & 0x20)
		h.relay = next_host(s);
	return command == CMD_PEER_HANDSHAKE ? handshake_encode(&h, buf, cap)
					     : holepunch_encode(&p, buf, cap);
}

/* Builds the value of the command in buf; may set the target. */
static size_t
make_value(struct script *s, struct rpc_request *m, uint8_t target[32],
    uint8_t *buf, size_t cap)
{
	struct bytes b;

	switch (m->internal ? CMD_PLUGIN + 1 : m->command) {
	case CMD_PEER_HANDSHAKE:
	case CMD_PEER_HOLEPUNCH:
		return make_signal(s, m->command, buf, cap);
	case CMD_ANNOUNCE:
	case CMD_UNANNOUNCE:
		return make_announce(s, m, target, buf, cap);
	case CMD_MUTABLE_PUT:
		return make_mutable(s, target, buf, cap);
	default:
		b = take(s, next(s));
		if (b.len > 0)
			memcpy(buf, b.p, b.len);
		if (m->command == CMD_IMMUTABLE_PUT)
			hash_blake2b(target, buf, b.len);
		return b.len;
	}
}

static void
step_request(struct script *s)
{
	uint8_t target[32], token[RPC_TOKEN_LEN] = {0}, id[ID_LEN] = {0};
	uint8_t value[DGRAM_MAX], buf[DGRAM_MAX], flags = next(s);
	struct addr from = next_host(s);
	struct rpc_request m = {.tid = flags,
	    .internal = flags & 1,
	    .command = next(s) % (flags & 1 ? 6 : 12),
	    .to = drive_self(&s->d)};
	size_t len;

	next_target(s, target);
	if (flags & 2)
		id_of_addr(id, &from);
	/* A victim never received a token. */
	if (flags & 4 && !drive_is_victim(&s->d, &from))
		dht_token(node_dht(s->d.n), &from, token);
	m.id = flags & 8 ? id : NULL;
	m.token = flags & 0x10 ? token : NULL;
	m.target = flags & 0x20 ? NULL : target;
	m.value.len = make_value(s, &m, target, value, sizeof value);
	m.value.p = flags & 0x40 ? NULL : value;
	len = rpc_request_encode(&m, buf, sizeof buf);
	/* Twice, as servers keep no memory of what they have served. */
	for (int i = 0; i <= flags >> 7; i++)
		drive_recv(&s->d, &from, drive_server_sock(&s->d), buf, len);
}

/* ---- answers to requests of the node ---- */

/* Builds a value for the answer to such a request. */
static size_t
make_answer(
    struct script *s, const struct drive_asked *a, uint8_t *buf, size_t cap)
{
	struct peer_record peer = {.key = drive_key(next(s))->public_key};
	struct mutable_value m = {.seq = next(s)};
	uint8_t sig[SIGNATURE_LEN];

	switch (a->internal ? CMD_PLUGIN : a->command) {
	case CMD_FIND_PEER:
		return peer_encode(&peer, buf, cap);
	case CMD_LOOKUP:
		return lookup_encode(&peer, 1, m.seq, buf, cap);
	case CMD_MUTABLE_GET:
		m.value = take(s, next(s));
		m.signature = sig;
		mutable_sign(sig, drive_key(m.seq & 1), m.seq, m.value);
		return mutable_value_encode(&m, buf, cap);
	default:
		m.value = take(s, next(s));
		if (m.value.len > 0)
			memcpy(buf, m.value.p, m.value.len);
		return m.value.len;
	}
}

static void
answer(struct script *s, struct drive_asked *a, uint8_t how)
{
	uint8_t id[ID_LEN], token[RPC_TOKEN_LEN], value[DGRAM_MAX];
	uint8_t buf[DGRAM_MAX], closer[31 * ADDR_WIRE4_LEN];
	struct wr w = wr_init(closer, sizeof closer);
	struct rpc_reply m = {.tid = a->tid, .to = drive_self(&s->d)};
	struct addr from = a->to, other;
	int sock = a->sock;

	memset(token, how, sizeof token);
	id_of_addr(id, &from);
	m.id = how & 1 ? id : NULL;
	m.token = how & 2 ? token : NULL;
	for (unsigned n = how & 4 ? next(s) % 32 : 0; n > 0; n--) {
		other = next_host(s);
		wr_addr4(&w, &other);
	}
	m.closer = (struct bytes){closer, wr_len(&w)};
	if (how & 8)
		m.value = (struct bytes){
		    value, make_answer(s, a, value, sizeof value)};
	if (how & 0x10)
		m.error = next(s) % 20;
	if (a->internal && a->command == RPC_PING_NAT && how & 0x20)
		sock = drive_server_sock(&s->d);
	a->answered = true;
	/* An answer of a victim would validate its address. */
	if (drive_is_victim(&s->d, &from))
		return;
	drive_recv(
	    &s->d, &from, sock, buf, rpc_reply_encode(&m, buf, sizeof buf));
}

/* The right answer from the wrong port: it must be ignored. */
static void
spoof(struct script *s, const struct drive_asked *a, uint8_t how)
{
	uint64_t before = node_stats(s->d.n)->replies_accepted;
	struct drive_asked wrong = *a;

	wrong.to.port++;
	answer(s, &wrong, how);
	MUST(node_stats(s->d.n)->replies_accepted == before);
}

static void
step_answer(struct script *s)
{
	uint8_t how = next(s);
	struct drive_asked *a = drive_asked(&s->d, next(s) % DRIVE_ASKED_MAX);
	struct drive_asked wrong;

	if (a == NULL)
		return;
	wrong = *a;
	switch (how >> 6) {
	case 0: /* a duplicate: only the first counts */
		answer(s, a, how);
		break;
	case 1:
		break;
	case 2:
		spoof(s, a, how);
		return;
	default: /* an answer to another request */
		wrong.tid++;
		a = &wrong;
	}
	answer(s, a, how);
}

/* Answers all requests well, as a working network does. */
static void
step_answer_all(struct script *s)
{
	uint8_t how = next(s) & 0x3f, rounds = next(s) % 8;
	struct drive_asked *a;

	for (unsigned i = 0; i < rounds * 16u; i++) {
		a = drive_asked(&s->d, i % DRIVE_ASKED_MAX);
		if (a != NULL && !a->answered)
			answer(s, a, how | 1);
	}
}

/* ---- time and place ---- */

static void
pass(struct script *s, uint64_t ms)
{
	if (s->passed_ms + ms > TIME_MAX_MS)
		return;
	s->passed_ms += ms;
	drive_pass_ms(&s->d, ms);
}

static void
step_time(struct script *s)
{
	uint8_t b = next(s);
	uint64_t ms = next(s);
	uint64_t due = node_deadline(s->d.n);

	if (b < 64 && due != WORLD_NEVER)
		pass(s, (due - s->d.fw.w.now_us) / 1000 + 1);
	else if (b < 192)
		pass(s, ms * b);
	else
		pass(s, ms * 5000);
}

static void
step_world(struct script *s)
{
	struct sim_name name;
	struct addr a;
	uint8_t b = next(s);

	switch (b % 6) {
	case 0:
		s->d.fw.w.unix_ms += next(s) * 60000u;
		node_slept(s->d.n, b * UINT64_C(1000000));
		break;
	case 1:
		node_network_changed(s->d.n);
		break;
	case 2:
		a = next_host(s);
		if (sim_take_name(&s->d.fw, &name))
			node_resolved(
			    s->d.n, name.ticket, b & 0x80 ? &a : NULL);
		break;
	case 3:
		s->d.fw.batch_max = next(s) % 4;
		break;
	case 4:
		s->d.deaf = !s->d.deaf;
		break;
	default:
		s->d.limits.records = s->d.limits.values = 16 + b % 2 * 8;
		s->d.limits.forwards = s->d.limits.refreshes = 16 + b % 3;
		s->d.limits.requests = 64 - b % 32;
		s->d.limits.candidates = 1 + b % 8;
		node_set_limits(s->d.n, &s->d.limits);
	}
	drive_settle(&s->d);
}

/* ---- operations ---- */

static int
start(struct script *s, uint8_t kind, uint32_t *op)
{
	struct node *n = s->d.n;
	uint8_t target[32];
	struct addr to;
	struct bytes b;

	next_target(s, target);
	switch (kind % 10) {
	case 0:
		to = next_host(s);
		return node_ping(n, &to, op);
	case 1:
		return node_find_node(n, target, op);
	case 2:
		return node_find(
		    n, CMD_FIND_PEER, drive_key(target[0])->public_key, op);
	case 3:
		return node_find(n, CMD_LOOKUP, target, op);
	case 4:
		b = take(s, next(s) * 8u);
		return node_put_immutable(n, b.p, b.len, op);
	case 5:
		return node_get_immutable(n, target, op);
	case 6:
		b = take(s, next(s));
		return node_put_mutable(n, NULL, next(s), b.p, b.len, op);
	case 7:
		return node_get_mutable(
		    n, drive_key(target[0])->public_key, next(s), op);
	case 8:
		return node_announce(n, NULL, target, op);
	default:
		return node_unannounce(n, NULL, target, op);
	}
}

static void
step_operation(struct script *s)
{
	uint32_t op = 0;
	int err;

	if (s->d.ops_len == DRIVE_OPS_MAX)
		return;
	err = start(s, next(s), &op);
	MUST(!s->d.leaving || err != 0);
	drive_started(&s->d, err, op);
	drive_settle(&s->d);
}

static void
step_cancel(struct script *s)
{
	uint8_t b = next(s);
	const struct drive_op *op = b < s->d.ops_len ? &s->d.ops[b] : NULL;

	node_cancel(s->d.n, op != NULL ? op->number : b);
	drive_settle(&s->d);
	MUST(op == NULL || op->done || s->d.deaf);
}

/* ---- listeners and connections ---- */

static void
use_conn(struct script *s, uint8_t how)
{
	struct node *n = s->d.n;
	struct node_conn c;
	uint8_t bytes[64] = {how};

	if (!node_conn(n, next(s) % 4, &c))
		return;
	switch (how % 5) {
	case 0:
		node_answer(n, c.conn, how & 0x80);
		break;
	case 1:
		(void)node_conn_write(n, c.conn, bytes, sizeof bytes);
		break;
	case 2:
		node_conn_consume(n, c.conn, node_conn_peek(n, c.conn).len);
		break;
	case 3:
		node_conn_end(n, c.conn);
		break;
	default:
		node_conn_close(n, c.conn);
		node_conn_close(n, c.conn); /* it has ended */
	}
}

static void
step_connection(struct script *s)
{
	struct node *n = s->d.n;
	uint8_t how = next(s);
	struct node_listen l = {.keys = drive_key(how & 1), .ask = how & 2};
	struct node_connect to = {.key = drive_key(2 + (how & 1))->public_key,
	    .timeout_ms = how * 100u};
	struct node_listener st;
	uint32_t number = 0;
	int err = 0;

	switch (how >> 2 & 3) {
	case 0:
		err = node_listen(n, &l, &number);
		break;
	case 1:
		if (node_listener(n, how & 1, &st))
			node_unlisten(n, st.listener);
		break;
	case 2:
		err = node_connect(n, &to, &number);
		break;
	default:
		use_conn(s, next(s));
	}
	MUST(err <= 0 && (number == 0 || err == 0));
	MUST(!s->d.leaving || number == 0);
	drive_settle(&s->d);
}

static void
step_leave(struct script *s)
{
	struct node_announcement a;

	for (uint32_t i = 0, after = 0; node_announcement(s->d.n, after, &a);
	     i++, after = a.number)
		MUST(i < s->d.ceiling.announcements);
	if (next(s) < 200)
		return; /* it ends most of what is worth testing */
	s->d.leaving = true;
	node_leave(s->d.n);
	drive_settle(&s->d);
}

static void (*const steps[])(struct script *s) = {
    step_raw,
    step_request,
    step_request,
    step_answer,
    step_answer_all,
    step_time,
    step_world,
    step_operation,
    step_cancel,
    step_leave,
    step_connection,
    step_connection,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {.p = data, .end = data + size};
	struct drive_config c = {.seed = 1, .announce_ms = 30000};
	uint8_t b;

	drive_limits_small(&c.limits);
	b = next(&s);
	c.role = (enum dht_role)(b % 3);
	c.private_network = b & 0x40;
	c.names = b & 0x80;
	drive_init(&s.d, &c);
	for (int i = 0; i < STEPS_MAX && s.p < s.end; i++)
		steps[next(&s) % (sizeof steps / sizeof *steps)](&s);
	drive_fini(&s.d);
	return 0;
}
