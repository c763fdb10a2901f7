/* SPDX-License-Identifier: ISC */
/*
 * Fuzzes both sides of a hole punch, with anything that the network, the other
 * side and time can do. The input is a script; each step has a byte that
 * selects the action and one for its variant.
 */
#include <sodium.h>

#include "world/core_host.h"
#include "fuzz.h"
#include "punch/punch_context.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum { NODES = 10, KEY = 7, STEPS_MAX = 400 };

struct side {
	struct puncher *p;
	unsigned failures;
	int sock; /* of the last candidate */
};

struct punch_fuzz {
	struct core_host host;
	struct dht *d;
	struct records *r;
	struct router *rt;
	struct punch *punch;
	struct side client, server;
	size_t looked_at; /* of the datagrams sent */
	struct fuzz_script in;
};

static const uint8_t secret[PUNCH_KEY_LEN] = {KEY};

/* Some of these hosts take part in the attempt. */
static struct addr
host(uint8_t how)
{
	return addr_v4(11, 2, how & 3, 1, (uint16_t)(1000 + how));
}

static void
on_event(void *owner, const struct punch_event *e)
{
	struct side *s = owner;

	MUST(s->failures == 0); /* no event may follow */
	if (e->kind == PUNCH_FAILED)
		s->failures++;
	if (e->kind == PUNCH_CANDIDATE)
		s->sock = e->sock;
}

static void
receive(struct punch_fuzz *l, int sock, const struct addr *from,
    const void *buf, size_t len)
{
	uint8_t *copy = malloc(len + 1);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};
	struct dht_request rq;
	struct router_call call;

	MUST(copy != NULL);
	if (len > 0)
		memcpy(copy, buf, len);
	if (sim_is_open(&l->host.world, sock) &&
	    punch_recv(l->punch, &dg) == PUNCH_NOT_MINE &&
	    dht_recv(l->d, &dg, &rq) == DHT_HANDED_UP &&
	    rq.m.command <= CMD_PEER_HOLEPUNCH)
		router_serve(l->rt, &rq, &call);
	free(copy);
}

static struct holepunch_payload
make_payload(struct punch_fuzz *l)
{
	uint8_t flags = fuzz_next(&l->in);
	struct holepunch_payload c = {
	    .error = flags % 16 == 15 ? fuzz_next(&l->in) : 0,
	    .firewall = fuzz_next(&l->in) % 5,
	    .round = fuzz_next(&l->in),
	    .punching = (flags & 16) != 0,
	    .has_addrs = true,
	    .addrs_len = fuzz_next(&l->in) % HOLEPUNCH_ADDRS_MAX};

	for (uint8_t i = 0; i < c.addrs_len; i++)
		c.addrs[i] = host((uint8_t)(flags + i));
	if (flags & 32)
		c.remote = host(fuzz_next(&l->in));
	c.has_token = (flags & 64) != 0;
	c.has_remote_token = (flags & 128) != 0;
	return c;
}

/* The other side returns the token if it has one. */
static size_t
seal(struct puncher *p, struct holepunch_payload *c, const struct addr *from,
    uint8_t *box)
{
	static const uint8_t nonce[HOLEPUNCH_NONCE_LEN] = {3};

	holepunch_token_derive(c->remote_token, p->token_secret, from);
	return holepunch_payload_seal(c, secret, nonce, box);
}

/* Replies to a request as its destination. */
static void
answer(struct punch_fuzz *l, const struct sim_sent *s)
{
	uint8_t buf[DGRAM_MAX], value[256], box[HOLEPUNCH_BOX_MAX];
	struct holepunch m = {.mode = MODE_REPLY, .payload.p = box};
	struct rpc_reply re = {.to = host(fuzz_next(&l->in))};
	struct rpc_request rq;
	struct holepunch_payload c;

	if (s->len == 0 || s->buf[0] != RPC_REQUEST ||
	    rpc_request_decode(&rq, s->buf, s->len) != 0)
		return;
	re.tid = rq.tid;
	if (!rq.internal && rq.command == CMD_PEER_HOLEPUNCH) {
		c = make_payload(l);
		m.payload.len =
		    seal(l->client.p, &c, &l->client.p->peer.addr, box);
		m.peer = host(fuzz_next(&l->in));
		re.value.p = value;
		re.value.len = holepunch_encode(&m, value, sizeof value);
	}
	receive(l, s->meta.sock, &s->meta.to, buf,
	    rpc_reply_encode(&re, buf, sizeof buf));
}

static void
serve(struct punch_fuzz *l)
{
	uint8_t box[HOLEPUNCH_BOX_MAX], how = fuzz_next(&l->in);
	struct router_call call = {.client = host(how),
	    .us = host(fuzz_next(&l->in)),
	    .sealed.p = box};
	struct holepunch_payload c = make_payload(l);

	call.ticket = (struct router_ticket){.command = CMD_PEER_HOLEPUNCH,
	    .mode = MODE_FROM_RELAY,
	    .sock = l->server.p->socket->entry.sock,
	    .from = fuzz_node(how % NODES),
	    .peer = call.client};
	call.sealed.len = seal(l->server.p, &c, &call.client, box);
	puncher_serve(l->server.p, &call, how & 1);
}

static void
look(struct punch_fuzz *l)
{
	MUST(HASH_COUNT(l->punch->sockets.entries) <= 2 * 256 + 8);
	MUST(l->client.failures <= 1 && l->server.failures <= 1);
	for (; l->looked_at < l->host.world.sent_len; l->looked_at++) {
		const struct sim_sent *s = &l->host.world.sent[l->looked_at];

		MUST(s->meta.ttl == 0 || s->len == 1);
	}
	if (l->host.world.sent_len > 4096) {
		sim_clear(&l->host.world);
		l->looked_at = 0;
	}
}

static void
step(struct punch_fuzz *l)
{
	uint8_t what = fuzz_next(&l->in), how = fuzz_next(&l->in);
	struct addr from = host(how);
	struct sim_sent sent;

	switch (what % 6) {
	case 0:
		sim_advance_ms(&l->host.world, how * UINT64_C(16));
		timers_run(&l->host.timers, l->host.world.w.now_us);
		break;
	case 1:
		if (l->host.world.sent_len == 0)
			break;
		sent = l->host.world.sent[l->host.world.sent_len - 1 -
					  how % l->host.world.sent_len];
		if (l->host.world.socks[sent.meta.sock].open)
			answer(l, &sent);
		break;
	case 2:
		serve(l);
		break;
	case 3:
		receive(
		    l, l->client.p->socket->entry.sock, &from, &how, how & 1);
		break;
	case 4:
		receive(
		    l, l->server.p->socket->entry.sock, &from, &how, how & 1);
		break;
	case 5:
		l->host.world.batch_max =
		    how & 1 ? 0 : l->host.world.sent_len + how;
		break;
	}
	look(l);
}

static void
begin(struct punch_fuzz *l)
{
	struct dht_config c;
	struct punch_owner to_client = {on_event, &l->client};
	struct punch_owner to_server = {on_event, &l->server};
	uint8_t target[HASH_LEN] = {0}, how = fuzz_next(&l->in);
	struct punch_peer peer = {.secret = secret,
	    .addr = host(how),
	    .native = how & 1,
	    .rtt_us = how * UINT64_C(1000),
	    .target = target,
	    .relay = fuzz_node(0 % NODES),
	    .relays_len = PUNCH_RELAYS_MAX};
	int err;

	core_host_init(&l->host, NULL, 1);
	dht_config_init(&c);
	l->d = dht_new(&l->host.core, &c);
	MUST(l->d != NULL && dht_start(l->d) == 0);
	l->r = records_new(&l->host.core, l->d);
	l->rt = router_new(&l->host.core, l->d, l->r);
	l->punch = punch_new(&l->host.core, l->d, l->rt);
	MUST(l->punch != NULL);
	for (unsigned i = 0; i < PUNCH_RELAYS_MAX; i++)
		peer.relays[i].relay = peer.relays[i].peer =
		    fuzz_node(i % NODES);
	l->client.p = puncher_new(l->punch, &to_client, &err);
	l->server.p = puncher_new(l->punch, &to_server, &err);
	MUST(l->client.p != NULL && l->server.p != NULL);
	puncher_accept(l->server.p, &peer);
	MUST(puncher_connect(l->client.p, &peer) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct punch_fuzz l = {.in = {data, data + size}};

	l.client.sock = WORLD_NO_SOCK;
	begin(&l);
	for (int i = 0; i < STEPS_MAX && l.in.p < l.in.end; i++)
		step(&l);
	l.host.world.batch_max = 0;
	for (int i = 0; i < 100; i++) {
		sim_advance_ms(&l.host.world, 1000);
		timers_run(&l.host.timers, l.host.world.w.now_us);
		sim_clear(&l.host.world);
	}
	MUST(l.client.failures == 1 && l.server.failures == 1);
	dht_end(l.d);
	puncher_free(l.client.p, l.client.sock);
	puncher_free(l.server.p, WORLD_NO_SOCK);
	punch_free(l.punch);
	router_free(l.rt);
	records_free(l.r);
	dht_free(l.d);
	core_host_fini(&l.host);
	return 0;
}
