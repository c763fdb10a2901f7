/* SPDX-License-Identifier: ISC */
#include "punch_lab.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"

enum {
	STREAM_LEN = 32, /* of a stand-in for a stream packet */
	STREAM_BYTE = 0xaa,
	TTL_FAR = 8, /* a lower TTL expires on the way */
	CLIENT_IP =
	    0xc0a8010a, /* 192.168.1.10: the same in both home networks */
	CLIENT_NAT = 0x0b020101,
	SERVER_NAT = 0x0b030101,
};

struct addr
punch_lab_relay(unsigned i)
{
	return addr_v4(11, 1, (uint8_t)(i + 1), 1, 49737);
}

/* ---- hosts ---- */

static void receive(struct core_host *h, const struct dgram *dg);
static const struct sim_hooks hooks;

static void
join_lan(struct punch_lab *l, struct punch_host *h, uint32_t ip)
{
	h->n.host.world.hooks = &hooks;
	lan_add(&l->lan, &h->n.host, ip);
	h->n.host.receive = receive;
}

static void
start_relay(struct punch_lab *l, unsigned i)
{
	struct punch_host *h = &l->relays[i];
	struct dht_config c;
	char text[ADDR_TEXT_MAX];
	struct addr self = punch_lab_relay(i);

	relay_config(&c);
	relay_init(&h->n, &c, addr_format(&self, text));
	join_lan(l, h, addr_spot(&self).ip);
}

static void
start_side(struct punch_lab *l, struct punch_host *h,
    const struct punch_box *box, uint32_t outer, uint64_t seed)
{
	struct nat_config nc = {.timeout_s = 120, .refresh_inbound = true};
	struct dht_config c;

	relay_config(&c);
	c.role = DHT_AUTO;
	relay_init(&h->n, &c, "192.168.1.10:49737");
	prng_init(&h->n.host.world.rand, seed, PRNG_WORLD, 0);
	join_lan(l, h, box != NULL ? CLIENT_IP : outer);
	if (box != NULL) {
		nc.mapping = box->mapping;
		nc.filtering = box->filtering;
		nc.ports = box->ports;
		lan_add_nat(&h->n.host, nat_new(&nc, outer, seed));
	}
	h->punch = punch_new(&h->n.host.core, h->n.d, h->n.rt);
	ck_assert_ptr_nonnull(h->punch);
}

static void
stop_side(struct punch_host *h)
{
	struct nat *box = h->n.host.nat;

	dht_end(h->n.d);
	puncher_free(h->puncher, WORLD_NO_SOCK);
	punch_free(h->punch);
	relay_fini(&h->n);
	if (box != NULL)
		nat_free(box);
}

/* Pings public hosts, which enter the routing table. */
static void
meet(struct punch_host *h, unsigned relays)
{
	struct dht_call ping = {.internal = true, .command = RPC_PING};

	for (unsigned i = 0; i < relays; i++) {
		ping.to = punch_lab_relay(i);
		dht_call(h->n.d, &ping, (struct dht_done){0}, NULL);
	}
}

void
punch_lab_init(struct punch_lab *l, const struct punch_box *client,
    const struct punch_box *server, uint64_t seed)
{
	uint8_t key_seed[KEY_SEED_LEN] = {7};

	memset(l, 0, sizeof *l);
	lan_init(&l->lan, seed);
	/* A round trip of 50 ms through a relay. */
	l->lan.net.faults.flat_us = 12500;
	l->sent = calloc(LAB_SENT_MAX, sizeof *l->sent);
	ck_assert_ptr_nonnull(l->sent);
	memset(l->secret, 0x5a, sizeof l->secret);
	key_pair_from_seed(&l->keys, key_seed);
	for (unsigned i = 0; i < LAB_RELAYS; i++)
		start_relay(l, i);
	start_side(l, &l->client, client, CLIENT_NAT, seed * 2 + 1);
	start_side(l, &l->server, server, SERVER_NAT, seed * 2 + 2);
	ck_assert_int_eq(
	    records_pin(l->server.n.r, l->keys.public_key, &l->server), 0);
	meet(&l->client, LAB_RELAYS);
	meet(&l->server, LAB_RELAYS);
	punch_lab_run_ms(l, 3000);
}

void
punch_lab_fini(struct punch_lab *l)
{
	stop_side(&l->client);
	records_unpin(l->server.n.r, l->keys.public_key);
	stop_side(&l->server);
	for (unsigned i = 0; i < LAB_RELAYS; i++)
		relay_fini(&l->relays[i].n);
	lan_fini(&l->lan);
	free(l->sent);
}

/* ---- sending ---- */

static struct punch_lab *
lab_of(struct core_host *h)
{
	return container_of(h->lan, struct punch_lab, lan);
}

static struct punch_host *
side_of(struct core_host *h)
{
	return container_of(h, struct punch_host, n.host);
}

static struct punch_sent *
note_sent(struct punch_lab *l, const struct punch_host *h,
    const struct dgram_meta *meta, struct spot from, size_t len)
{
	struct punch_sent *sent = &l->sent[l->sent_len];

	ck_assert_uint_lt(l->sent_len, LAB_SENT_MAX);
	*sent = (struct punch_sent){.at_us = l->lan.now_us,
	    .client = h == &l->client,
	    .meta = *meta,
	    .len = (uint32_t)len,
	    .from = spot_addr(from)};
	l->sent_len += h->punch != NULL;
	return sent;
}

static void
send_hook(struct sim_world *sw, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len)
{
	struct core_host *h = container_of(sw, struct core_host, world);
	struct punch_lab *l = lab_of(h);
	struct spot from = lan_spot(h, meta->sock);
	const struct punch_sent *sent;

	if (h->nat != NULL &&
	    !nat_out(h->nat, l->lan.now_us, &from, addr_spot(&meta->to)))
		return;
	sent = note_sent(l, side_of(h), meta, from, len);
	if ((meta->ttl == 0 || meta->ttl >= TTL_FAR) &&
	    (l->lose == NULL || !l->lose(l, sent, buf)))
		lan_send(h, from, &meta->to, buf, len);
}

static const struct sim_hooks hooks = {.send = send_hook};

/* ---- receiving ---- */

static void
send_stream(struct punch_host *h, int sock, const struct addr *to)
{
	struct dgram_meta meta = {.sock = sock, .to = *to};
	struct world *w = &h->n.host.world.w;
	uint8_t *buf = w->ops->reserve(w, &meta, STREAM_LEN);

	memset(buf, STREAM_BYTE, STREAM_LEN);
	w->ops->commit(w, STREAM_LEN);
}

static void
take_stream(struct punch_lab *l, struct punch_host *h, const struct dgram *dg)
{
	if (h == &l->server) {
		l->server_sock = dg->sock;
		send_stream(h, dg->sock, &dg->from);
	} else if (!l->proved) {
		l->proved = true;
		l->proved_us = l->lan.now_us;
		l->proved_at = dg->from;
	}
}

static bool
is_own_relay(const struct punch_lab *l, const struct addr *from)
{
	for (unsigned i = 0; i < PUNCH_RELAYS_MAX; i++) {
		struct addr a = punch_lab_relay(i);

		if (!l->no_relay && addr_equal(&a, from))
			return true;
	}
	return false;
}

static int
take_request(
    struct punch_lab *l, struct punch_host *h, const struct dht_request *rq)
{
	struct router_call call;
	int err;

	if (rq->m.command > CMD_PEER_HOLEPUNCH)
		return records_serve(h->n.r, rq);
	err = router_serve(h->n.rt, rq, &call);
	if (err != ROUTER_HANDED_UP || h->puncher == NULL)
		return err;
	return puncher_serve(
	    h->puncher, &call, is_own_relay(l, &call.ticket.from));
}

static int
take(struct punch_lab *l, struct punch_host *h, const struct dgram *dg)
{
	struct dht_request rq;
	int err = PUNCH_NOT_MINE;

	if (dg->len == STREAM_LEN && dg->buf[0] == STREAM_BYTE) {
		take_stream(l, h, dg);
		return 0;
	}
	if (h->punch != NULL)
		err = punch_recv(h->punch, dg);
	if (err != PUNCH_NOT_MINE)
		return err;
	err = dht_recv(h->n.d, dg, &rq);
	return err == DHT_HANDED_UP ? take_request(l, h, &rq) : err;
}

static void
receive(struct core_host *h, const struct dgram *dg)
{
	take(lab_of(h), side_of(h), dg);
}

int
punch_lab_inject(struct punch_lab *l, struct punch_host *h, int sock,
    const struct addr *from, const void *buf, size_t len)
{
	uint8_t *copy = t_copy(buf, len);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};
	int err = take(l, h, &dg);

	free(copy);
	return err;
}

void
punch_lab_run_ms(struct punch_lab *l, uint64_t ms)
{
	lan_run(&l->lan, ms * 1000);
}

/* ---- the handshake, by hand ---- */

static void
on_event(void *owner, const struct punch_event *e)
{
	struct punch_host *h = owner;

	ck_assert_uint_lt(h->events_len, LAB_EVENTS_MAX);
	h->events[h->events_len++] = *e;
	if (e->kind == PUNCH_FAILED) {
		h->failed = e->err;
		h->failures++;
	} else if (e->kind == PUNCH_CANDIDATE) {
		send_stream(h, e->sock, &e->addr);
	}
}

static void
on_seen(void *owner, const struct dht_answer *a)
{
	if (a->err == 0)
		*(struct addr *)owner = a->reply->to;
}

static void
show(struct punch_host *h, int sock, struct addr *seen)
{
	struct dht_call c = {
	    .to = punch_lab_relay(0), .internal = true, .command = RPC_PING};

	if (sock != WORLD_NO_SOCK)
		puncher_note_sent(h->puncher, &c.to);
	ck_assert_int_eq(
	    dht_call_from(h->n.d, sock, &c,
		(struct dht_done){.call = on_seen, .owner = seen}, NULL),
	    0);
}

void
punch_lab_handshake(struct punch_lab *l)
{
	struct punch_owner c = {.event = on_event, .owner = &l->client};
	struct punch_owner s = {.event = on_event, .owner = &l->server};
	int err;

	meet(&l->server, PUNCH_RELAYS_MAX);
	l->client.puncher = puncher_new(l->client.punch, &c, &err);
	l->server.puncher = puncher_new(l->server.punch, &s, &err);
	ck_assert_ptr_nonnull(l->client.puncher);
	ck_assert_ptr_nonnull(l->server.puncher);
	show(&l->client, puncher_sock(l->client.puncher), &l->client.seen);
	show(&l->server, puncher_sock(l->server.puncher), &l->server.seen);
	show(&l->server, WORLD_NO_SOCK, &l->server.dht_seen);
	show(&l->client, WORLD_NO_SOCK, &l->client.dht_seen);
	punch_lab_run_ms(l, 4 * l->lan.net.faults.flat_us / 1000);
}

struct punch_peer
punch_lab_peer_of_server(const struct punch_lab *l, bool native)
{
	static uint8_t target[HASH_LEN];
	struct punch_peer p = {.secret = l->secret,
	    .addr = l->server.seen,
	    .native = native,
	    .rtt_us = 4 * l->lan.net.faults.flat_us,
	    .target = target,
	    .id = 3,
	    .relay = punch_lab_relay(0),
	    .relays_len = PUNCH_RELAYS_MAX};

	key_target(target, l->keys.public_key);
	for (unsigned i = 0; i < PUNCH_RELAYS_MAX; i++) {
		p.relays[i].relay = punch_lab_relay(i);
		p.relays[i].peer = l->server.dht_seen;
	}
	return p;
}

struct punch_peer
punch_lab_peer_of_client(const struct punch_lab *l, bool native)
{
	return (struct punch_peer){.secret = l->secret,
	    .addr = native ? l->client.seen : l->client.dht_seen,
	    .native = native};
}

void
punch_lab_begin(struct punch_lab *l, bool native)
{
	struct punch_peer to_server = punch_lab_peer_of_server(l, native);
	struct punch_peer to_client = punch_lab_peer_of_client(l, native);

	puncher_accept(l->server.puncher, &to_client);
	punch_lab_run_ms(l, 2 * l->lan.net.faults.flat_us / 1000);
	ck_assert_int_eq(puncher_connect(l->client.puncher, &to_server), 0);
}

bool
punch_lab_try(struct punch_lab *l, bool native, uint64_t ms)
{
	punch_lab_handshake(l);
	punch_lab_begin(l, native);
	for (uint64_t i = 0; i < ms && !l->proved && l->client.failed == 0; i++)
		punch_lab_run_ms(l, 1);
	return l->proved;
}

unsigned
punch_lab_probes(const struct punch_lab *l, bool client, bool low)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->sent_len; i++)
		n += l->sent[i].client == client && l->sent[i].len == 1 &&
		     (l->sent[i].meta.ttl != 0) == low;
	return n;
}
