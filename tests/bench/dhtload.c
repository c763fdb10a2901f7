/* SPDX-License-Identifier: ISC */
/*
 * dhtload - closed-loop load for one node on loopback.
 *
 * Keeps a number of requests in flight from several sockets and reports how
 * many were answered, how fast, and how much CPU time the server used. Replies
 * per second of the server's CPU depend neither on the speed of this program
 * nor on other load of the machine.
 *
 *   dhtload --port N [--mode MODE] [--ms N] [--count N] [--sockets N]
 *           [--window N] [--pid PID]
 *
 * MODE is ping, find_node, lookup, find_peer, announce or immutable_put; the
 * window is that of each socket. Prints one JSON object. Exits with 0 if at
 * least one reply was received.
 */
#include <getopt.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum {
	SOCKETS_MAX = 64,
	SLOTS_MAX = 256,  /* in flight per socket; the low byte of a tid */
	BUCKETS = 100000, /* of the histogram, a microsecond each */
	VALUE_LEN = 200,
	TIMEOUT_NS = 1000000000,
};

enum mode { PING, FIND_NODE, LOOKUP, FIND_PEER, ANNOUNCE, IMMUTABLE_PUT };

static const struct {
	const char *name;
	uint8_t command;
	int internal;
} modes[] = {
    [PING] = {"ping", 0, 1},
    [FIND_NODE] = {"find_node", 2, 1},
    [LOOKUP] = {"lookup", 3, 0},
    [FIND_PEER] = {"find_peer", 2, 0},
    [ANNOUNCE] = {"announce", 4, 0},
    [IMMUTABLE_PUT] = {"immutable_put", 8, 0},
};

enum { MODES = sizeof modes / sizeof *modes };

/* A request in flight, or none. */
struct slot {
	uint64_t sent_ns; /* 0: free */
	uint8_t turn;     /* high byte of its tid */
	enum mode mode;
};

struct source {
	int fd, in_flight;
	struct slot slot[SLOTS_MAX];
	/* Required by writes; from the last reply that had it. */
	int has_token;
	uint8_t token[KEY_LEN], node_id[KEY_LEN];
	uint8_t public_key[KEY_LEN], secret_key[crypto_sign_SECRETKEYBYTES];
};

static struct options {
	int port, window, sockets, pid;
	enum mode mode;
	uint64_t milliseconds, count;
} opt = {.window = 8, .sockets = 8, .mode = FIND_NODE, .milliseconds = 5000};

static struct sockaddr_in node;
static struct source source[SOCKETS_MAX];
static struct batch batch;
static uint8_t announce_namespace[KEY_LEN];
static uint32_t histogram[BUCKETS];
static uint64_t random_state;
static uint64_t sent, replies, errors, timeouts, bytes_in;

/* Draws a topic: fast, not random, as topics need only differ. */
static void
random_key(uint8_t out[KEY_LEN])
{
	for (int i = 0; i < KEY_LEN; i += 8) {
		uint64_t x = random_state +=
		    0x9e3779b97f4a7c15u; /* splitmix64 */

		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
		x = (x ^ x >> 27) * 0x94d049bb133111ebu;
		x ^= x >> 31;
		memcpy(out + i, &x, 8);
	}
}

/* ---- requests ---- */

/* Builds the value of an ANNOUNCE: flags, peer (key, no relays), signature. */
static size_t
put_announce(const struct source *s, uint8_t *out, const uint8_t *target)
{
	enum { PEER_LEN = KEY_LEN + 1 };
	uint8_t signable[2 * KEY_LEN], *peer = out + 1;
	crypto_generichash_state h;

	out[0] = 1 | 4; /* peer and signature */
	memcpy(peer, s->public_key, KEY_LEN);
	peer[KEY_LEN] = 0;
	memcpy(signable, announce_namespace, KEY_LEN);
	crypto_generichash_init(&h, NULL, 0, KEY_LEN);
	crypto_generichash_update(&h, target, KEY_LEN);
	crypto_generichash_update(&h, s->node_id, KEY_LEN);
	crypto_generichash_update(&h, s->token, KEY_LEN);
	crypto_generichash_update(&h, peer, PEER_LEN);
	crypto_generichash_final(&h, signable + KEY_LEN, KEY_LEN);
	crypto_sign_detached(
	    out + 1 + PEER_LEN, NULL, signable, sizeof signable, s->secret_key);
	return 1 + PEER_LEN + crypto_sign_BYTES;
}

/* Builds the value and target of an IMMUTABLE_PUT: the target is its hash. */
static size_t
put_value(uint8_t *out, uint8_t *target)
{
	memset(out, 0, VALUE_LEN);
	random_key(out);
	crypto_generichash(target, KEY_LEN, out, VALUE_LEN, NULL, 0);
	return VALUE_LEN;
}

static size_t
build(const struct source *s, enum mode mode, uint8_t *buf, const uint8_t *tid)
{
	int writes = mode == ANNOUNCE || mode == IMMUTABLE_PUT;
	uint8_t flags = modes[mode].internal ? IS_INTERNAL : 0, *target;
	size_t len = HEAD_LEN;

	flags |= mode == PING ? 0 : HAS_TARGET;
	flags |= writes ? HAS_TOKEN | HAS_VALUE : 0;
	put_head(buf, REQUEST, flags, tid, &node);
	if (writes) {
		memcpy(buf + len, s->token, KEY_LEN);
		len += KEY_LEN;
	}
	buf[len++] = modes[mode].command;
	if (mode == PING)
		return len;
	target = buf + len;
	random_key(target);
	len += KEY_LEN;
	/* Values are shorter than 253 bytes: their length is one byte. */
	if (mode == ANNOUNCE)
		buf[len] = (uint8_t)put_announce(s, buf + len + 1, target);
	else if (mode == IMMUTABLE_PUT)
		buf[len] = (uint8_t)put_value(buf + len + 1, target);
	else
		return len;
	return len + 1 + buf[len];
}

/* Sends a LOOKUP first if a write has no token, which any reply contains. */
static enum mode
next_mode(const struct source *s)
{
	int writes = opt.mode == ANNOUNCE || opt.mode == IMMUTABLE_PUT;

	return writes && !s->has_token ? LOOKUP : opt.mode;
}

static void
fill(struct source *s)
{
	uint64_t now = now_ns();
	int n = 0;

	for (int i = 0; i < opt.window && n < BATCH_MAX; i++) {
		struct slot *slot = &s->slot[i];

		if (slot->sent_ns != 0)
			continue;
		*slot = (struct slot){.sent_ns = now,
		    .turn = (uint8_t)(slot->turn + 1),
		    .mode = next_mode(s)};
		batch.iov[n].iov_len = build(s, slot->mode, batch.buf[n],
		    (const uint8_t[]){(uint8_t)i, slot->turn});
		n++;
	}
	batch_send(&batch, s->fd, n);
	s->in_flight += n;
	sent += (uint64_t)n;
}

/* ---- replies ---- */

static void
learn(struct source *s, const uint8_t *buf, size_t len)
{
	size_t at = HEAD_LEN;

	if (buf[1] & HAS_ID && len >= at + KEY_LEN) {
		memcpy(s->node_id, buf + at, KEY_LEN);
		at += KEY_LEN;
	}
	if (buf[1] & HAS_TOKEN && len >= at + KEY_LEN) {
		memcpy(s->token, buf + at, KEY_LEN);
		s->has_token = 1;
	}
}

static void
hear(struct source *s, const uint8_t *buf, size_t len, uint64_t now)
{
	struct slot *slot;
	uint64_t us;

	if (len < HEAD_LEN || buf[0] != REPLY)
		return;
	slot = &s->slot[buf[2]];
	if (slot->sent_ns == 0 || slot->turn != buf[3])
		return;
	us = (now - slot->sent_ns) / 1000;
	slot->sent_ns = 0;
	s->in_flight--;
	learn(s, buf, len);
	if (buf[1] & HAS_ERROR) {
		errors++;
	} else if (slot->mode == opt.mode) {
		replies++;
		bytes_in += len;
		histogram[us < BUCKETS ? us : BUCKETS - 1]++;
	}
}

static void
drain(struct source *s)
{
	int n = batch_recv(&batch, s->fd, MSG_DONTWAIT);
	uint64_t now = now_ns();

	for (int i = 0; i < n; i++)
		hear(s, batch.buf[i], batch.msg[i].msg_len, now);
}

static void
give_up_old(struct source *s, uint64_t now)
{
	for (int i = 0; i < SLOTS_MAX; i++) {
		uint64_t at = s->slot[i].sent_ns;

		if (at == 0 || now - at < TIMEOUT_NS)
			continue;
		s->slot[i].sent_ns = 0;
		s->in_flight--;
		timeouts++;
	}
}

/* ---- the run ---- */

static void
open_sources(void)
{
	struct sockaddr_in any = loopback("127.0.0.1", 0);

	for (int i = 0; i < opt.sockets; i++) {
		struct source *s = &source[i];

		s->fd = udp_bind(&any);
		if (connect(s->fd, (struct sockaddr *)&node, sizeof node) != 0)
			die("connect");
		crypto_sign_keypair(s->public_key, s->secret_key);
	}
}

static void
run(void)
{
	struct pollfd pfd[SOCKETS_MAX];
	uint64_t now = now_ns(), sweep = now + TIMEOUT_NS;
	uint64_t end = now + opt.milliseconds * 1000000;

	for (int i = 0; i < opt.sockets; i++)
		pfd[i] = (struct pollfd){.fd = source[i].fd, .events = POLLIN};
	while (now < end && (opt.count == 0 || replies < opt.count)) {
		for (int i = 0; i < opt.sockets; i++)
			if (source[i].in_flight < opt.window)
				fill(&source[i]);
		poll(pfd, (nfds_t)opt.sockets, 5);
		for (int i = 0; i < opt.sockets; i++)
			if (pfd[i].revents != 0)
				drain(&source[i]);
		now = now_ns();
		if (now < sweep)
			continue;
		for (int i = 0; i < opt.sockets; i++)
			give_up_old(&source[i], now);
		sweep = now + TIMEOUT_NS / 4;
	}
}

static unsigned
percentile(double share)
{
	uint64_t rank = (uint64_t)((double)replies * share), seen = 0;
	unsigned us = 0;

	while (us < BUCKETS - 1 && (seen += histogram[us]) <= rank)
		us++;
	return us;
}

static void
report(uint64_t wall_ns, uint64_t server_ns)
{
	double wall = (double)wall_ns / 1e9, cpu = (double)server_ns / 1e9;

	printf("{\"mode\":\"%s\",\"seconds\":%.3f,\"sent\":%llu,"
	       "\"replies\":%llu,\"errors\":%llu,\"timeouts\":%llu,"
	       "\"per_second\":%.0f,\"reply_bytes\":%.0f,"
	       "\"p50_us\":%u,\"p90_us\":%u,\"p99_us\":%u",
	    modes[opt.mode].name, wall, (unsigned long long)sent,
	    (unsigned long long)replies, (unsigned long long)errors,
	    (unsigned long long)timeouts, (double)replies / wall,
	    replies ? (double)bytes_in / (double)replies : 0, percentile(.5),
	    percentile(.9), percentile(.99));
	if (opt.pid != 0)
		printf(",\"cpu_seconds\":%.4f,\"per_cpu_second\":%.0f", cpu,
		    cpu > 0 ? (double)replies / cpu : 0);
	puts("}");
}

static enum mode
mode_named(const char *name)
{
	for (int m = 0; m < MODES; m++)
		if (strcmp(modes[m].name, name) == 0)
			return (enum mode)m;
	fprintf(stderr, "dhtload: there is no mode %s\n", name);
	exit(2);
}

static void
parse_option(int letter, const char *value)
{
	switch (letter) {
	case 'p':
		opt.port = (int)number(value, 1, 65535);
		break;
	case 'm':
		opt.mode = mode_named(value);
		break;
	case 't':
		opt.milliseconds = (uint64_t)number(value, 1, 3600000);
		break;
	case 'c':
		opt.count = (uint64_t)number(value, 1, 1000000000);
		break;
	case 'w':
		opt.window = (int)number(value, 1, SLOTS_MAX);
		break;
	case 's':
		opt.sockets = (int)number(value, 1, SOCKETS_MAX);
		break;
	case 'P':
		opt.pid = (int)number(value, 1, 1 << 22);
		break;
	default:
		exit(2);
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option known[] = {{"port", 1, 0, 'p'},
	    {"mode", 1, 0, 'm'}, {"ms", 1, 0, 't'}, {"count", 1, 0, 'c'},
	    {"window", 1, 0, 'w'}, {"sockets", 1, 0, 's'}, {"pid", 1, 0, 'P'},
	    {0, 0, 0, 0}};

	for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
		parse_option(c, optarg);
	if (opt.port == 0) {
		fprintf(stderr, "dhtload: --port is missing\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	uint8_t seed[KEY_LEN + 1];
	uint64_t wall, cpu = 0;

	parse(argc, argv);
	if (sodium_init() < 0)
		die("sodium_init");
	randombytes_buf(&random_state, sizeof random_state);
	/* NS(4) of the protocol: H(H("hyperswarm/dht") || 4) */
	crypto_generichash(
	    seed, KEY_LEN, (const uint8_t *)"hyperswarm/dht", 14, NULL, 0);
	seed[KEY_LEN] = modes[ANNOUNCE].command;
	crypto_generichash(
	    announce_namespace, KEY_LEN, seed, sizeof seed, NULL, 0);
	node = loopback("127.0.0.1", opt.port);
	batch_init(&batch, 0);
	open_sources();

	wall = now_ns();
	if (opt.pid != 0)
		cpu = cpu_ns(opt.pid);
	run();
	wall = now_ns() - wall;
	if (opt.pid != 0)
		cpu = cpu_ns(opt.pid) - cpu;
	report(wall, cpu);
	return replies > 0 ? 0 : 1;
}
