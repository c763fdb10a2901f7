/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes a node by its peer: the two have shaken hands and their stream is
 * open, so that the peer holds the keys. The input is a script of what it sends
 * then: bytes and frames, sealed messages, packets with the right id, punch
 * rounds, handshakes that look for another path, channels of a multiplexer;
 * from its own address or others, and with an application on our side.
 *
 * Whatever the peer does, the application reads what was sealed, in order and
 * nothing else; a host that never answers receives no more packets than it
 * seems to have sent; and once the peer is silent the connection ends.
 */
#include <sodium.h>

#include "base/err.h"
#include "crypto/noise.h"
#include "drive.h"
#include "node/node_conn.h"
#include "punch/holepunch_payload.h"
#include "records/record.h"
#include "signal/payload.h"
#include "signal/signal_message.h"
#include "stream/mux.h"
#include "stream/secret.h"
#include "udx/packet.h"
#include "world/core_host.h"

/* The first byte of the input. */
enum {
	HOW_LISTEN = 1,  /* the node has accepted the stream; or dialed it */
	HOW_PUNCH = 2,   /* both sides are behind a NAT and punch */
	HOW_FOREIGN = 4, /* the peer is no node of this project */
	HOW_MUX = 8,     /* the bytes are messages of a multiplexer */
};

enum {
	STEPS_MAX = 200,
	TEXT_MAX = 1 << 18,
	VALUE_MAX = NOISE_MESSAGE_MAX + 64,
	PEER = 40, /* numbers of hosts */
	RELAY = 33,
	ROUNDS_MAX = 40,
	CHALLENGE_LEN = 9,
	SILENT_MS = 240000,
};

struct request {
	struct drive_asked to; /* whom the node asked */
	uint8_t value[VALUE_MAX];
	size_t value_len;
};

struct stream_fuzz {
	struct drive d;
	struct core_host host; /* of the peer */
	struct udx *udx;
	struct udx_stream *stream;
	struct secret *secret;
	struct noise_secrets secrets;
	uint8_t how;

	struct addr at; /* the peer's address */
	int sock;       /* of the node */
	uint32_t node_id, listener, conn;
	bool open, closed;
	bool deaf;          /* the peer receives nothing */
	struct packet last; /* header of the peer's latest packet */
	struct request shake, punch;
	uint8_t challenge[CHALLENGE_LEN];

	uint8_t *text; /* all that the peer has sealed */
	size_t text_len, read_len;
	bool unread; /* the application does not read */
	struct mux *near, *far;
	bool near_broken, far_broken;
	unsigned from_victim, to_victim; /* packets */
	struct fuzz_script in;
};

static struct stream_fuzz *
fuzz_of(struct drive *d)
{
	return container_of(d, struct stream_fuzz, d);
}

static uint64_t
next_size(struct stream_fuzz *f)
{
	uint64_t n = fuzz_next(&f->in);

	return n * n;
}

/* ---- what the node sends ---- */

static void
note_request(struct stream_fuzz *f, const struct sim_sent *s)
{
	struct rpc_request m;
	struct request *r;

	if (rpc_request_decode(&m, s->buf, s->len) != 0 || m.internal ||
	    m.command > CMD_PEER_HOLEPUNCH || m.value.len > VALUE_MAX)
		return;
	r = m.command == CMD_PEER_HANDSHAKE ? &f->shake : &f->punch;
	r->to = (struct drive_asked){.to = s->meta.to,
	    .sock = s->meta.sock,
	    .tid = m.tid,
	    .command = m.command};
	r->value_len = m.value.len;
	if (m.value.len > 0)
		memcpy(r->value, m.value.p, m.value.len);
}

static bool
on_sent(struct drive *d, const struct sim_sent *s)
{
	struct stream_fuzz *f = fuzz_of(d);
	struct dgram dg = {.buf = s->buf, .len = s->len};
	bool probe = s->len == 1;

	if (s->buf[0] != PACKET_MAGIC && !probe) {
		note_request(f, s);
		return false;
	}
	if (drive_is_victim(d, &s->meta.to))
		f->to_victim++;
	else if (!probe && !f->deaf && f->udx != NULL) {
		dg.from = drive_self(d);
		udx_recv(f->udx, &dg);
	}
	return true;
}

static void
on_event(struct drive *d, const struct node_event *ev)
{
	struct stream_fuzz *f = fuzz_of(d);

	if (ev->kind != NODE_EV_OPEN && ev->kind != NODE_EV_CLOSED &&
	    ev->kind != NODE_EV_READY)
		return;
	if (ev->kind == NODE_EV_OPEN && !f->open && !f->closed) {
		f->open = true;
		f->conn = ev->op;
		return;
	}
	/* The peer may have shaken hands for another one. */
	if (ev->op != f->conn)
		return;
	MUST(ev->kind != NODE_EV_OPEN && !f->closed);
	f->closed = ev->kind == NODE_EV_CLOSED;
}

static const struct drive_hooks hooks = {on_sent, on_event};

/* ---- the application ---- */

static void
answer_offer(struct mux *m, const struct mux_event *ev)
{
	uint32_t channel;

	if (ev->kind != MUX_OFFER)
		return;
	if (ev->name.protocol.len % 4 == 3)
		mux_reject(m, ev->channel);
	else
		MUST(mux_open(m, &ev->name, ev->body, &channel) <= 0);
}

/* Reads a message; sets *broken when the stream must be destroyed. */
static void
read_mux(struct mux *m, struct bytes message, bool *broken)
{
	struct mux_event ev;
	int result = MUX_EVENT;

	for (int i = 0; i < 256 && result == MUX_EVENT && !*broken; i++) {
		result = mux_read(m, message, &ev);
		if (result == MUX_EVENT)
			answer_offer(m, &ev);
	}
	*broken |= result != MUX_DONE;
}

static void
read_conn(struct stream_fuzz *f)
{
	struct bytes b;

	while (f->open && !f->closed && !f->unread) {
		b = node_conn_peek(f->d.n, f->conn);
		if (b.len == 0)
			break;
		MUST(f->read_len + b.len <= f->text_len);
		MUST(memcmp(f->text + f->read_len, b.p, b.len) == 0);
		f->read_len += b.len;
		if (f->how & HOW_MUX)
			read_mux(f->near, b, &f->near_broken);
		node_conn_consume(f->d.n, f->conn, b.len);
	}
	while (f->how & HOW_MUX && !f->near_broken && f->open && !f->closed) {
		b = mux_peek(f->near);
		if (b.p == NULL || node_conn_space(f->d.n, f->conn) < b.len)
			break;
		MUST(node_conn_write(f->d.n, f->conn, b.p, b.len) ==
		     (ptrdiff_t)b.len);
		mux_consume(f->near);
	}
	drive_settle(&f->d);
}

static void
use_conn(struct stream_fuzz *f)
{
	static const uint8_t zeros[1 << 16];
	uint8_t how = fuzz_next(&f->in);

	if (!f->open || f->closed)
		return;
	switch (how % 8) {
	case 0:
		node_conn_close(f->d.n, f->conn);
		f->closed = true;
		break;
	case 1:
		node_conn_end(f->d.n, f->conn);
		break;
	case 2:
	case 3:
		f->unread = how & 8;
		break;
	default:
		(void)node_conn_write(
		    f->d.n, f->conn, zeros, next_size(f) % sizeof zeros);
	}
	drive_settle(&f->d);
}

/* ---- the peer's own stream ---- */

/* Checks what is due to a host that never answers. */
static void
check_victims(const struct stream_fuzz *f)
{
	MUST(f->to_victim <= f->from_victim);
}

static void
deliver(struct stream_fuzz *f, const struct addr *from, int sock,
    const uint8_t *buf, size_t len)
{
	if (!sim_is_open(&f->d.fw, sock))
		sock = f->sock;
	if (!sim_is_open(&f->d.fw, sock))
		return;
	if (drive_is_victim(&f->d, from))
		f->from_victim++;
	drive_recv(&f->d, from, sock, buf, len);
	check_victims(f);
}

/* Keeps the nonce of a challenge; the bytes of the node are read and dropped.
 */
static void
read_peer(struct stream_fuzz *f)
{
	uint8_t plain[UDX_MTU_MAX];
	struct udx_message m;
	struct bytes b;
	int err;

	while (udx_next_message(f->stream, &m))
		if (m.payload.len <= sizeof plain &&
		    secret_open_message(f->secret, &m, plain) == CHALLENGE_LEN)
			memcpy(f->challenge, plain, CHALLENGE_LEN);
	for (int i = 0; i < 1000; i++) {
		b = secret_peek(f->secret, NULL, &err);
		if (b.p == NULL)
			break;
		if (f->how & HOW_MUX && !f->far_broken)
			read_mux(f->far, b, &f->far_broken);
		secret_consume(f->secret, b.len);
	}
}

/* Exchanges what both sides have to send. The script may spoil a datagram. */
static void
exchange(struct stream_fuzz *f, uint8_t how)
{
	struct sim_sent one;
	size_t n = 0;

	for (int round = 0; round < ROUNDS_MAX; round++) {
		struct sim_world *w = &f->host.world;

		w->w.now_us = f->d.fw.w.now_us;
		timers_run(&f->host.timers, w->w.now_us);
		if (w->sent_len == 0)
			break;
		for (size_t i = 0; i < w->sent_len; i++, n++) {
			one = w->sent[i];
			(void)packet_decode(&f->last, one.buf, one.len);
			f->last.payload = f->last.sacks = (struct bytes){0};
			if (how & 1 && n == how >> 4) /* lost */
				continue;
			if (how & 2 && n == how >> 4)
				one.buf[one.len * (how >> 2 & 3) / 4] ^= 4;
			deliver(f, &f->at, f->sock, one.buf, one.len);
			if (how & 4 && n == how >> 4)
				deliver(f, &f->at, f->sock, one.buf, one.len);
		}
		sim_clear(w);
		read_peer(f);
		read_conn(f);
	}
}

static void
pass_ms(struct stream_fuzz *f, uint64_t ms)
{
	uint64_t slice = ms / 16 + 1;

	for (; ms > 0; ms -= slice) {
		slice = slice < ms ? slice : ms;
		drive_pass_ms(&f->d, slice);
		exchange(f, 0);
	}
}

static void
note_text(struct stream_fuzz *f, const uint8_t *p, size_t len)
{
	MUST(f->text_len + len <= TEXT_MAX);
	memcpy(f->text + f->text_len, p, len);
	f->text_len += len;
}

static void
write_text(struct stream_fuzz *f)
{
	uint8_t buf[SECRET_WRITE_MAX];
	size_t len = next_size(f) % sizeof buf;
	ptrdiff_t n;

	if (f->text_len + len > TEXT_MAX)
		return;
	memset(buf, (int)f->text_len, len);
	n = secret_write(f->secret, buf, len);
	if (n > 0)
		note_text(f, buf, (size_t)n);
	exchange(f, fuzz_next(&f->in));
}

/* ---- frames of its choice ---- */

/* Seals a frame with any tag; a changed length then cuts it elsewhere. */
static void
write_frame(struct stream_fuzz *f)
{
	uint8_t plain[256] = {0}, how = fuzz_next(&f->in), *out;
	size_t len = fuzz_next(&f->in);

	for (size_t i = 0; i < len && i < 16; i++)
		plain[i] = fuzz_next(&f->in);
	if (f->text_len + len > TEXT_MAX || udx_space(f->stream) < 1024 ||
	    (out = udx_reserve(f->stream, len + FRAME_OVERHEAD)) == NULL)
		return;
	crypto_secretstream_xchacha20poly1305_push(&f->secret->tx.state,
	    out + FRAME_LENGTH_LEN, NULL, plain, len, NULL, 0, how % 4);
	frame_put_length(out, len + FRAME_SEAL_LEN);
	if (how & 16)
		out[fuzz_next(&f->in) % FRAME_LENGTH_LEN] ^= fuzz_next(&f->in);
	if (how & 32)
		out[FRAME_LENGTH_LEN] ^= 1;
	udx_commit(f->stream, len + FRAME_OVERHEAD);
	note_text(f, plain, len);
	exchange(f, 0);
}

/* Writes a message of the multiplexer: a true one, or any bytes. */
static void
write_mux(struct stream_fuzz *f)
{
	uint8_t how = fuzz_next(&f->in), any[64];
	struct mux_name name = {.protocol = {any, how / 8 % 8}};
	struct bytes b = {any, sizeof any};
	uint32_t channel = fuzz_next(&f->in);

	for (size_t i = 0; i < sizeof any; i++)
		any[i] = how % 8 == 4 || i < 8 ? fuzz_next(&f->in) : 0;
	if (how % 8 == 0)
		MUST(mux_open(f->far, &name, b, &channel) <= 0);
	else if (how % 8 == 1)
		mux_close(f->far, channel % 8);
	else if (how % 8 < 4)
		MUST(
		    mux_send(f->far, channel % 8, how / 8, any, how % 64) <= 0);
	else
		goto raw;
	b = mux_peek(f->far);
raw:
	if (how % 8 == 4)
		b.len = channel % (sizeof any + 1);
	if (b.p != NULL && f->text_len + b.len <= TEXT_MAX &&
	    secret_send(f->secret, b.p, b.len) == 0)
		note_text(f, b.p, b.len);
	if (how % 8 < 4 && b.p != NULL)
		mux_consume(f->far);
	exchange(f, 0);
}

/* ---- messages, packets ---- */

/* Returns the peer's address or that of another host, also of a victim. */
static struct addr
next_host(struct stream_fuzz *f)
{
	uint8_t host = fuzz_next(&f->in);

	return host == 0 ? f->at : drive_host(&f->d, host);
}

/* Sends what the peer's engine has just produced from another address. */
static void
send_from(struct stream_fuzz *f, const struct addr *from, int sock, bool twice)
{
	struct sim_world *w = &f->host.world;
	size_t len = w->sent_len;
	struct sim_sent *all = calloc(len + 1, sizeof *all);

	MUST(all != NULL);
	if (len > 0)
		memcpy(all, w->sent, len * sizeof *all);
	sim_clear(w);
	for (size_t i = 0; i < len; i++) {
		deliver(f, from, sock, all[i].buf, all[i].len);
		if (twice)
			deliver(f, from, sock, all[i].buf, all[i].len);
	}
	free(all);
}

/* Sends a message of peer/conn_migrate.c, or one that is none. */
static void
send_message(struct stream_fuzz *f)
{
	uint8_t how = fuzz_next(&f->in), text[64] = {0};
	struct udx_path path = {.to = drive_self(&f->d), .id = f->node_id};
	struct addr from = next_host(f);
	size_t len = CHALLENGE_LEN;

	exchange(f, 0);
	memcpy(text, f->challenge, CHALLENGE_LEN);
	text[0] = how % 4;
	if (how & 8)
		len = fuzz_next(&f->in) % sizeof text;
	if (how & 16)
		text[1 + fuzz_next(&f->in) % 8] = fuzz_next(&f->in);
	(void)secret_send_message_via(f->secret, &path, text, len);
	send_from(f, &from, how & 32 ? how >> 6 : f->sock, how & 64);
	if (how & 128 && !drive_is_victim(&f->d, &from))
		f->at = from; /* it has moved there */
	exchange(f, 0);
}

static void
send_packet(struct stream_fuzz *f)
{
	uint8_t buf[1400] = {PACKET_MAGIC, PACKET_VERSION};
	uint8_t how = fuzz_next(&f->in), more = fuzz_next(&f->in);
	struct packet p = f->last;
	struct addr from = next_host(f);
	size_t len = PACKET_HEADER;

	p.id = f->node_id;
	p.type = fuzz_next(&f->in);
	p.offset = how & 1 ? fuzz_next(&f->in) : 0;
	p.seq += (uint32_t)(int8_t)fuzz_next(&f->in) << (how >> 1 & 15);
	p.ack += (uint32_t)(int8_t)fuzz_next(&f->in) << (how >> 5 & 7);
	p.rwnd = (uint32_t)fuzz_next(&f->in) << (more & 15);
	packet_encode(buf, &p);
	for (int i = 0; i < (more >> 4) * 4; i++)
		buf[len++] = fuzz_next(&f->in);
	if (more & 8)
		len = sizeof buf;
	deliver(f, &from, f->sock, buf, len);
	exchange(f, 0);
}

/* ---- signalling through the relay ---- */

static void
send_request(
    struct stream_fuzz *f, uint64_t command, const uint8_t *value, size_t len)
{
	uint8_t buf[DGRAM_MAX], target[HASH_LEN];
	struct addr relay = drive_host(&f->d, RELAY);
	struct rpc_request m = {.tid = fuzz_next(&f->in),
	    .to = drive_self(&f->d),
	    .command = command,
	    .target = target,
	    .value = {value, len}};

	key_target(target, drive_key(0)->public_key);
	len = rpc_request_encode(&m, buf, sizeof buf);
	deliver(f, &relay, f->sock, buf, len);
}

/* Answers the node's request of that kind. */
static void
send_reply(struct stream_fuzz *f, const struct request *r, const uint8_t *value,
    size_t len)
{
	uint8_t buf[DGRAM_MAX], id[ID_LEN];
	struct rpc_reply re = {.tid = r->to.tid,
	    .to = drive_self(&f->d),
	    .id = id,
	    .value = {value, len}};

	id_of_addr(id, &r->to.to);
	len = rpc_reply_encode(&re, buf, sizeof buf);
	deliver(f, &r->to.to, r->to.sock, buf, len);
}

static struct holepunch_payload
next_round(struct stream_fuzz *f)
{
	uint8_t flags = fuzz_next(&f->in);
	struct holepunch_payload p = {.error = flags & 1 ? flags >> 6 : 0,
	    .firewall = fuzz_next(&f->in) % 5,
	    .round = fuzz_next(&f->in),
	    .punching = flags & 2,
	    .connected = flags & 4,
	    .has_addrs = flags & 8,
	    .has_token = flags & 16,
	    .has_remote_token = flags & 32};

	p.addrs_len = p.has_addrs ? fuzz_next(&f->in) % 5 : 0;
	for (uint8_t i = 0; i < p.addrs_len; i++)
		p.addrs[i] = drive_host(&f->d, fuzz_next(&f->in) % PEER);
	p.remote = flags & 64 ? drive_self(&f->d) : (struct addr){0};
	return p;
}

static void
send_round(struct stream_fuzz *f)
{
	uint8_t key[KEY_LEN], box[HOLEPUNCH_BOX_MAX], value[VALUE_MAX];
	uint8_t nonce[HOLEPUNCH_NONCE_LEN] = {fuzz_next(&f->in)};
	struct holepunch_payload p = next_round(f);
	struct holepunch m = {.mode = MODE_FROM_RELAY,
	    .id = fuzz_next(&f->in) % 4,
	    .peer = f->at,
	    .payload.p = box};

	noise_punch_key(key, f->secrets.hash);
	m.payload.len = holepunch_payload_seal(&p, key, nonce, box);
	if (m.payload.len == 0)
		return;
	if (f->how & HOW_LISTEN) {
		send_request(f, CMD_PEER_HOLEPUNCH, value,
		    holepunch_encode(&m, value, sizeof value));
	} else if (f->punch.value_len > 0) {
		m.mode = MODE_REPLY;
		m.id = 0;
		send_reply(f, &f->punch, value,
		    holepunch_encode(&m, value, sizeof value));
	}
	exchange(f, 0);
}

/* Sends the datagram with which the node is to receive a punch. */
static void
send_probe(struct stream_fuzz *f)
{
	static const uint8_t probe[1];
	struct addr from = next_host(f);

	if (!drive_is_victim(&f->d, &from))
		deliver(f, &from, fuzz_next(&f->in) % 8, probe, sizeof probe);
}

/* ---- the handshake ---- */

static struct payload
make_payload(const struct stream_fuzz *f, uint64_t features)
{
	struct payload p = {.version = PAYLOAD_VERSION,
	    .flags = PAYLOAD_UDX | PAYLOAD_SECRET_STREAM,
	    .firewall =
		f->how & HOW_PUNCH ? FIREWALL_CONSISTENT : FIREWALL_OPEN,
	    .features = features | PAYLOAD_REUSABLE |
			(f->how & HOW_FOREIGN ? 0 : PAYLOAD_NATIVE),
	    .udx_id = udx_id(f->stream)};

	if (f->how & HOW_PUNCH && !(f->how & HOW_LISTEN)) {
		p.flags |= PAYLOAD_HOLEPUNCH;
		p.relays_len = 1;
		p.relays[0].relay = drive_host(&f->d, RELAY);
		p.relays[0].peer = f->at;
	}
	return p;
}

/* Writes message 1 of the peer, which dials the node's key. */
static size_t
write_message1(struct stream_fuzz *f, struct noise *n, uint8_t number,
    uint64_t features, uint8_t *value)
{
	uint8_t seed[KEY_SEED_LEN] = {8, number};
	uint8_t plain[PAYLOAD_LEN_MAX], noise[NOISE_MESSAGE_MAX];
	struct payload p = make_payload(f, features);
	struct handshake m = {.mode = MODE_FROM_RELAY, .peer = f->at};
	struct bytes b = {plain, payload_encode(&p, plain, sizeof plain)};

	MUST(noise_write1(n, drive_key(1), drive_key(0)->public_key, seed, b,
		 noise) == 0);
	m.noise = (struct bytes){noise, b.len + NOISE_1_OVERHEAD};
	return handshake_encode(&m, value, VALUE_MAX);
}

static void
listen_and_shake(struct stream_fuzz *f, struct noise *n)
{
	struct node_listen l = {.keys = drive_key(0)};
	uint8_t value[VALUE_MAX], plain[PAYLOAD_LEN_MAX];
	struct handshake m;
	struct payload p;

	MUST(node_listen(f->d.n, &l, &f->listener) == 0);
	drive_settle(&f->d);
	f->shake.value_len = 0;
	send_request(
	    f, CMD_PEER_HANDSHAKE, value, write_message1(f, n, 0, 0, value));
	MUST(handshake_decode(&m, f->shake.value, f->shake.value_len) == 0);
	MUST(noise_read2(n, m.noise, plain, &f->secrets) == 0);
	MUST(payload_decode(&p, plain, m.noise.len - NOISE_2_OVERHEAD) == 0);
	f->node_id = p.udx_id;
}

static void
dial_and_shake(struct stream_fuzz *f, struct noise *n)
{
	static const uint8_t seed[KEY_SEED_LEN] = {9};
	struct addr relay = drive_host(&f->d, RELAY);
	struct node_connect c = {
	    .key = drive_key(1)->public_key, .relays = &relay, .relays_len = 1};
	uint8_t value[VALUE_MAX], plain[PAYLOAD_LEN_MAX];
	uint8_t noise[NOISE_MESSAGE_MAX];
	struct handshake m, answer = {.mode = MODE_REPLY, .peer = f->at};
	struct payload p;
	struct bytes b = {.p = plain};

	MUST(node_connect(f->d.n, &c, &f->conn) == 0);
	drive_settle(&f->d);
	MUST(handshake_decode(&m, f->shake.value, f->shake.value_len) == 0);
	MUST(noise_read1(n, drive_key(1), m.noise, plain) == 0);
	MUST(payload_decode(&p, plain, m.noise.len - NOISE_1_OVERHEAD) == 0);
	f->node_id = p.udx_id;
	f->sock = f->shake.to.sock;
	p = make_payload(f, 0);
	b.len = payload_encode(&p, plain, sizeof plain);
	MUST(noise_write2(n, seed, b, noise, &f->secrets) == 0);
	answer.noise = (struct bytes){noise, b.len + NOISE_2_OVERHEAD};
	send_reply(f, &f->shake, value,
	    handshake_encode(&answer, value, sizeof value));
}

static void
start_stream(struct stream_fuzz *f)
{
	struct secret_keys keys = {.initiator = f->how & HOW_LISTEN};
	struct udx_path path = {.to = drive_self(&f->d), .id = f->node_id};

	memcpy(keys.tx, f->secrets.tx, sizeof keys.tx);
	memcpy(keys.rx, f->secrets.rx, sizeof keys.rx);
	memcpy(keys.hash, f->secrets.hash, sizeof keys.hash);
	f->secret =
	    secret_new(&f->host.world.w, &f->host.timers, f->stream, &keys);
	MUST(f->secret != NULL && secret_start(f->secret) == 0);
	MUST(udx_connect(f->stream, &path) == 0);
	secret_set_keepalive(f->secret, 5000);
	for (int i = 0; i < 10 && !f->open; i++)
		pass_ms(f, 200);
	MUST(f->open && !f->closed);
}

/* Shakes hands once more: a copy, a new stream or one for another path. */
static void
shake_again(struct stream_fuzz *f)
{
	uint8_t how = fuzz_next(&f->in), value[VALUE_MAX];
	struct noise n;
	size_t len;

	if (!(f->how & HOW_LISTEN)) {
		if (f->shake.value_len > 0) /* for a redial of the node */
			send_reply(
			    f, &f->shake, f->shake.value, f->shake.value_len);
		return;
	}
	len =
	    write_message1(f, &n, how % 8, how & 8 ? PAYLOAD_REDIAL : 0, value);
	if (how & 16)
		value[len - 1 - fuzz_next(&f->in) % 64] ^= 1;
	send_request(f, CMD_PEER_HANDSHAKE, value, len);
	noise_wipe(&n);
	exchange(f, 0);
}

/* ---- the rest of the world ---- */

static void
disturb(struct stream_fuzz *f)
{
	uint8_t how = fuzz_next(&f->in);

	switch (how % 8) {
	case 0:
		node_slept(f->d.n, (uint64_t)how * 1000000);
		break;
	case 1:
		node_network_changed(f->d.n);
		break;
	case 2:
		f->d.fw.batch_max = how & 8 ? 1 : 0;
		node_writable(f->d.n, f->sock);
		break;
	case 3:
		secret_end(f->secret);
		break;
	case 4:
		f->deaf = how & 8;
		break;
	default:
		udx_probe_now(f->stream);
	}
	drive_settle(&f->d);
	exchange(f, 0);
}

static void
run_step(struct stream_fuzz *f)
{
	static void (*const steps[])(struct stream_fuzz *) = {write_text,
	    write_frame, send_message, send_packet, send_round, send_probe,
	    shake_again, use_conn, disturb};
	uint8_t step = fuzz_next(&f->in) % 12;

	if (step < sizeof steps / sizeof *steps)
		steps[step](f);
	else if (step < 11)
		pass_ms(f, 1u << fuzz_next(&f->in) % 15);
	else if (f->how & HOW_MUX && !f->far_broken)
		write_mux(f);
	else
		exchange(f, fuzz_next(&f->in));
}

static void
init_lab(struct stream_fuzz *f)
{
	struct drive_config c = {.hooks = &hooks, .seed = 1};
	struct addr any = {.family = ADDR_V4}, bound;
	struct noise n;
	int err;

	f->how = fuzz_next(&f->in);
	drive_limits_small(&c.limits);
	c.role = f->how & HOW_PUNCH ? DHT_AUTO : DHT_BOOTSTRAP;
	c.announce_ms = 600000;
	core_host_init(&f->host, NULL, 2);
	MUST(f->host.world.w.ops->open(&f->host.world.w, &any, &bound) == 0);
	f->udx = udx_new(&f->host.core);
	MUST(f->udx != NULL);
	f->stream = udx_stream_new(f->udx, NULL, &err);
	f->text = malloc(TEXT_MAX);
	f->near = mux_new();
	f->far = mux_new();
	MUST(f->stream != NULL && f->text != NULL);
	MUST(f->near != NULL && f->far != NULL);
	drive_init(&f->d, &c);
	f->at = drive_host(&f->d, PEER);
	f->sock = drive_server_sock(&f->d);
	if (f->how & HOW_LISTEN)
		listen_and_shake(f, &n);
	else
		dial_and_shake(f, &n);
	noise_wipe(&n);
	start_stream(f);
}

static void
end_lab(struct stream_fuzz *f)
{
	struct node_conn c;

	f->d.fw.batch_max = 0;
	for (uint32_t i = 0; i < f->d.fw.socks_len; i++)
		if (f->d.fw.socks[i].open)
			node_writable(f->d.n, (int)i);
	f->deaf = true;
	drive_settle(&f->d);
	drive_pass_ms(&f->d, SILENT_MS);
	f->unread = false;
	read_conn(f);
	drive_pass_ms(&f->d, SILENT_MS);
	MUST(!node_conn(f->d.n, 0, &c));
	check_victims(f);
	f->d.leaving = true;
	node_leave(f->d.n);
	secret_free(f->secret);
	udx_free(f->udx);
	f->udx = NULL;
	drive_fini(&f->d);
	core_host_fini(&f->host);
	mux_free(f->near);
	mux_free(f->far);
	free(f->text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_fuzz *f = calloc(1, sizeof *f);

	MUST(f != NULL);
	f->in.p = data;
	f->in.end = data + size;
	init_lab(f);
	for (int i = 0; i < STEPS_MAX && f->in.p < f->in.end; i++)
		run_step(f);
	end_lab(f);
	free(f);
	return 0;
}
