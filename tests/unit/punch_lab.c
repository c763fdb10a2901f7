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
lab_relay(unsigned i)
{
	return addr_v4(11, 1, (uint8_t)(i + 1), 1, 49737);
}

static struct addr
to_addr(struct spot s)
{
	return addr_v4((uint8_t)(s.ip >> 24), (uint8_t)(s.ip >> 16),
	    (uint8_t)(s.ip >> 8), (uint8_t)s.ip, s.port);
}

static struct spot
to_spot(const struct addr *a)
{
	return (struct spot){(uint32_t)a->ip[0] << 24 |
				 (uint32_t)a->ip[1] << 16 |
				 (uint32_t)a->ip[2] << 8 | a->ip[3],
	    a->port};
}

/* ---- hosts ---- */

static void
start_relay(struct lab *l, unsigned i)
{
	struct lab_host *h = &l->relays[i];
	struct dht_config c;
	char text[ADDR_TEXT_MAX];
	struct addr self = lab_relay(i);

	relay_config(&c);
	relay_init(&h->n, &c, addr_format(&self, text));
	h->lab = l;
	h->ip = to_spot(&self).ip;
}

static void
start_side(struct lab *l, struct lab_host *h, const struct lab_box *box,
    uint32_t outer, uint64_t seed)
{
	struct nat_config nc = {.timeout_s = 120, .refresh_inbound = true};
	struct dht_config c;

	relay_config(&c);
	c.role = DHT_AUTO;
	relay_init(&h->n, &c, "192.168.1.10:49737");
	h->n.fw.seed = seed;
	h->lab = l;
	h->ip = outer;
	if (box != NULL) {
		h->ip = CLIENT_IP;
		nc.mapping = box->mapping;
		nc.filtering = box->filtering;
		nc.ports = box->ports;
		h->nat = nat_new(&nc, outer, seed);
	}
	h->punch = punch_new(&h->n.core, h->n.d, h->n.rt);
	ck_assert_ptr_nonnull(h->punch);
}

static void
stop(struct lab_host *h)
{
	dht_end(h->n.d);
	puncher_free(h->puncher, WORLD_NO_SOCK);
	punch_free(h->punch);
	relay_fini(&h->n);
	if (h->nat != NULL)
		nat_free(h->nat);
}

/* Pings public hosts, which enter the routing table. */
static void
meet(struct lab_host *h, unsigned relays)
{
	struct dht_call ping = {.internal = true, .command = RPC_PING};

	for (unsigned i = 0; i < relays; i++) {
		ping.to = lab_relay(i);
		dht_call(h->n.d, &ping, (struct dht_done){0}, NULL);
	}
}

void
lab_init(struct lab *l, const struct lab_box *client,
    const struct lab_box *server, uint64_t seed)
{
	uint8_t key_seed[KEY_SEED_LEN] = {7};

	memset(l, 0, sizeof *l);
	l->dice.state = seed;
	l->delay_us = 12500; /* a round trip of 50 ms through a relay */
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
	l->now_us = l->client.n.fw.w.now_us;
	meet(&l->client, LAB_RELAYS);
	meet(&l->server, LAB_RELAYS);
	lab_run_ms(l, 3000);
}

void
lab_fini(struct lab *l)
{
	struct lab_flight *f;

	stop(&l->client);
	records_unpin(l->server.n.r, l->keys.public_key);
	stop(&l->server);
	for (unsigned i = 0; i < LAB_RELAYS; i++)
		relay_fini(&l->relays[i].n);
	while ((f = l->flights) != NULL) {
		l->flights = f->next;
		free(f);
	}
	free(l->sent);
}

/* ---- the wire ---- */

static void
fly(struct lab *l, const struct addr *from, const struct addr *to,
    const uint8_t *buf, size_t len)
{
	struct lab_flight *f = malloc(sizeof *f + len), **at = &l->flights;

	ck_assert_ptr_nonnull(f);
	*f = (struct lab_flight){.due_us = l->now_us + l->delay_us,
	    .from = *from,
	    .to = *to,
	    .len = len};
	memcpy(f->buf, buf, len);
	while (*at != NULL && (*at)->due_us <= f->due_us)
		at = &(*at)->next;
	f->next = *at;
	*at = f;
}

static void
send_out(struct lab *l, struct lab_host *h, const struct fake_sent *s)
{
	struct spot from = {h->ip, h->n.fw.socks[s->meta.sock].bound.port};
	struct lab_sent *log;

	if (h->nat != NULL &&
	    !nat_out(h->nat, l->now_us, &from, to_spot(&s->meta.to)))
		return;
	ck_assert_uint_lt(l->sent_len, LAB_SENT_MAX);
	log = &l->sent[l->sent_len];
	*log = (struct lab_sent){.at_us = l->now_us,
	    .client = h == &l->client,
	    .meta = s->meta,
	    .len = (uint32_t)s->len,
	    .from = to_addr(from)};
	l->sent_len += h->punch != NULL;
	if ((s->meta.ttl != 0 && s->meta.ttl < TTL_FAR) ||
	    t_below(&l->dice, 1000) < l->loss ||
	    (l->lose != NULL && l->lose(l, log)))
		return;
	fly(l, &log->from, &s->meta.to, s->buf, s->len);
}

static void
collect(struct lab *l, struct lab_host *h)
{
	struct fake_world *fw = &h->n.fw;

	while (h->taken < fw->sent_len) {
		struct fake_sent s = fw->sent[h->taken++];

		send_out(l, h, &s);
	}
	fake_clear(fw);
	h->taken = 0;
}

static int
sock_at(const struct lab_host *h, uint16_t port)
{
	for (int i = 0; i < FAKE_SOCKS_MAX; i++)
		if (h->n.fw.socks[i].open &&
		    h->n.fw.socks[i].bound.port == port)
			return i;
	return WORLD_NO_SOCK;
}

/* ---- what comes in ---- */

static void
send_stream(struct lab_host *h, int sock, const struct addr *to)
{
	struct dgram_meta meta = {.sock = sock, .to = *to};
	struct world *w = &h->n.fw.w;
	uint8_t *buf = w->ops->reserve(w, &meta, STREAM_LEN);

	memset(buf, STREAM_BYTE, STREAM_LEN);
	w->ops->commit(w, STREAM_LEN);
}

static void
take_stream(struct lab *l, struct lab_host *h, const struct dgram *dg)
{
	if (h == &l->server) {
		l->server_sock = dg->sock;
		send_stream(h, dg->sock, &dg->from);
	} else if (!l->proved) {
		l->proved = true;
		l->proved_us = l->now_us;
		l->proved_at = dg->from;
	}
}

static bool
is_own_relay(const struct lab *l, const struct addr *from)
{
	for (unsigned i = 0; i < PUNCH_RELAYS_MAX; i++) {
		struct addr a = lab_relay(i);

		if (!l->no_relay && addr_equal(&a, from))
			return true;
	}
	return false;
}

static int
take_request(struct lab *l, struct lab_host *h, const struct dht_request *rq)
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
take(struct lab *l, struct lab_host *h, const struct dgram *dg)
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

int
lab_inject(struct lab *l, struct lab_host *h, int sock, const struct addr *from,
    const void *buf, size_t len)
{
	uint8_t *copy = t_copy(buf, len);
	struct dgram dg = {
	    .buf = copy, .len = len, .sock = sock, .from = *from};
	int err = take(l, h, &dg);

	free(copy);
	collect(l, h);
	return err;
}

static void
deliver_to(struct lab *l, struct lab_host *h, const struct lab_flight *f)
{
	struct spot to = to_spot(&f->to);
	struct addr inner;
	int sock;

	if (h->deaf || (h->nat != NULL &&
			   !nat_in(h->nat, l->now_us, to_spot(&f->from), &to)))
		return;
	inner = to_addr(to);
	sock = sock_at(h, inner.port);
	if (sock != WORLD_NO_SOCK)
		lab_inject(l, h, sock, &f->from, f->buf, f->len);
}

static uint32_t
outer_ip(const struct lab_host *h)
{
	return h->nat != NULL ? h->nat->ep.ip : h->ip;
}

static void
deliver(struct lab *l, const struct lab_flight *f)
{
	uint32_t ip = to_spot(&f->to).ip;

	for (unsigned i = 0; i < LAB_RELAYS; i++)
		if (outer_ip(&l->relays[i]) == ip)
			deliver_to(l, &l->relays[i], f);
	if (outer_ip(&l->client) == ip)
		deliver_to(l, &l->client, f);
	if (outer_ip(&l->server) == ip)
		deliver_to(l, &l->server, f);
}

/* ---- time ---- */

static void
each_host(struct lab *l, void (*call)(struct lab *l, struct lab_host *h))
{
	for (unsigned i = 0; i < LAB_RELAYS; i++)
		call(l, &l->relays[i]);
	call(l, &l->client);
	call(l, &l->server);
}

static void
tick(struct lab *l, struct lab_host *h)
{
	h->n.fw.w.now_us = l->now_us;
	timers_run(&h->n.ts, l->now_us);
	collect(l, h);
}

static uint64_t next_us;

static void
find_next(struct lab *l, struct lab_host *h)
{
	uint64_t due = timers_deadline(&h->n.ts);

	(void)l;
	if (due < next_us)
		next_us = due;
}

void
lab_run_ms(struct lab *l, uint64_t ms)
{
	uint64_t end_us = l->now_us + ms * 1000;

	each_host(l, tick);
	for (;;) {
		struct lab_flight *f = l->flights;

		next_us = f != NULL ? f->due_us : WORLD_NEVER;
		each_host(l, find_next);
		if (next_us > end_us)
			break;
		if (next_us > l->now_us)
			l->now_us = next_us;
		if (f != NULL && f->due_us <= l->now_us) {
			l->flights = f->next;
			deliver(l, f);
			free(f);
		}
		each_host(l, tick);
	}
	l->now_us = end_us;
	each_host(l, tick);
}

/* ---- the handshake, by hand ---- */

static void
on_event(void *owner, const struct punch_event *e)
{
	struct lab_host *h = owner;

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
show(struct lab_host *h, int sock, struct addr *seen)
{
	struct dht_call c = {
	    .to = lab_relay(0), .internal = true, .command = RPC_PING};

	if (sock != WORLD_NO_SOCK)
		puncher_note_sent(h->puncher, &c.to);
	ck_assert_int_eq(
	    dht_call_from(h->n.d, sock, &c,
		(struct dht_done){.call = on_seen, .owner = seen}, NULL),
	    0);
}

void
lab_handshake(struct lab *l)
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
	lab_run_ms(l, 4 * l->delay_us / 1000);
}

struct punch_peer
lab_peer_of_server(const struct lab *l, bool native)
{
	static uint8_t target[HASH_LEN];
	struct punch_peer p = {.secret = l->secret,
	    .addr = l->server.seen,
	    .native = native,
	    .rtt_us = 4 * l->delay_us,
	    .target = target,
	    .id = 3,
	    .relay = lab_relay(0),
	    .relays_len = PUNCH_RELAYS_MAX};

	key_target(target, l->keys.public_key);
	for (unsigned i = 0; i < PUNCH_RELAYS_MAX; i++) {
		p.relays[i].relay = lab_relay(i);
		p.relays[i].peer = l->server.dht_seen;
	}
	return p;
}

struct punch_peer
lab_peer_of_client(const struct lab *l, bool native)
{
	return (struct punch_peer){.secret = l->secret,
	    .addr = native ? l->client.seen : l->client.dht_seen,
	    .native = native};
}

void
lab_begin(struct lab *l, bool native)
{
	struct punch_peer to_server = lab_peer_of_server(l, native);
	struct punch_peer to_client = lab_peer_of_client(l, native);

	puncher_accept(l->server.puncher, &to_client);
	collect(l, &l->server);
	lab_run_ms(l, 2 * l->delay_us / 1000);
	ck_assert_int_eq(puncher_connect(l->client.puncher, &to_server), 0);
	collect(l, &l->client);
}

bool
lab_punch(struct lab *l, bool native, uint64_t ms)
{
	lab_handshake(l);
	lab_begin(l, native);
	for (uint64_t i = 0; i < ms && !l->proved && l->client.failed == 0; i++)
		lab_run_ms(l, 1);
	return l->proved;
}

unsigned
lab_probes(const struct lab *l, bool client, bool low)
{
	unsigned n = 0;

	for (size_t i = 0; i < l->sent_len; i++)
		n += l->sent[i].client == client && l->sent[i].len == 1 &&
		     (l->sent[i].meta.ttl != 0) == low;
	return n;
}
