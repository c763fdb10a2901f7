/* SPDX-License-Identifier: ISC */
#include "peer/relay_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_struct.h"
#include "peer/listener.h"
#include "peer/listener_struct.h"

enum {
	FRAME_LEN_MAX = 16384, /* messages have less than a hundred bytes */
	/* A client ends its control connection as soon as its own stream has
	 * ended. The other one may still wait for the last acknowledgement. */
	LINGER_MS = 3000,
	IP_UDP_LEN = 28, /* IPv4 and UDP */
};

/*
 * The two streams of one pairing. Each faces the client of that role. Its timer
 * ends it when it has been idle, or has lingered after its pairing.
 */
struct relay_link {
	struct half_meter {
		struct udx_meter base;
		struct relay_link *link;
		struct relay_payer *from, *to; /* NULL: without a share */
		struct addr payer; /* of from, or ADDR_NONE: exempt */
	} meter[RELAY_ROLE_MAX];
	TAILQ_ENTRY(relay_link) lingering;
	struct peers *peers;
	struct relay_pairing *pairing; /* NULL: it lingers */
	struct udx_stream *half[RELAY_ROLE_MAX];
	uint32_t peer_id[RELAY_ROLE_MAX]; /* of the client's stream */
	bool connected[RELAY_ROLE_MAX];
	uint32_t packets_in; /* when the timer was armed */
	struct timer timer;
};

/* ---- addresses ---- */

static bool
is_own_host(const struct peers *p, const struct addr *a)
{
	const struct addr *public = dht_public_address(p->base.dht);

	return local_addrs_has(p->base.local, a) ||
	       (public != NULL && addr_same_host(public, a));
}

/* Returns true if the relay may send to this address of a client: on the
 * internet no other than a global one, and never this machine. */
static bool
may_send_to(const struct peers *p, const struct addr *a)
{
	if (!addr_usable(a))
		return false;
	return dht_is_private(p->base.dht) ||
	       (addr_global(a) && !is_own_host(p, a));
}

/* ---- volume ---- */

static uint64_t
now_us(const struct peers *p)
{
	return p->core->world->now_us;
}

/*
 * Finds the payer of what a half receives: when it is bound, or later if the
 * relay had no volume then. Returns false if the table of payers is full.
 */
static bool
find_payer(struct relay_link *l, int role)
{
	struct relay_volume *v = &l->peers->relaying.volume;
	struct half_meter *h = &l->meter[role];

	if (v->month == 0 || h->from != NULL || h->payer.family == ADDR_NONE)
		return true;
	h->from = relay_volume_join(v, &h->payer, now_us(l->peers));
	l->meter[!role].to = h->from;
	return h->from != NULL;
}

static bool
admit(struct udx_meter *m, size_t received, size_t sent)
{
	struct half_meter *h = container_of(m, struct half_meter, base);
	struct peers *p = h->link->peers;
	struct relay_transfer t = {
	    .received = (uint32_t)received, .sent = (uint32_t)sent};

	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		if (!find_payer(h->link, i))
			return false;
	t.from = h->from;
	t.to = h->to;
	return relay_volume_spend(&p->relaying.volume, &t, now_us(p));
}

/*
 * Returns the address from which the client sends. That of the path is what its
 * handshake claims until a packet has come from there; packets from elsewhere
 * have been decrypted, too.
 */
static struct addr
client_addr(const struct conn *k)
{
	struct udx_source source;
	struct udx_status st;

	udx_status(k->udx, &st);
	if (st.path_packets_in > 0)
		return conn_remote(k);
	if (udx_source(k->udx, &source) && source.accepted)
		return source.from;
	return (struct addr){.family = ADDR_NONE};
}

/* Finds the network that pays for a client. Returns 0, or ERR_LIMIT if the
 * table of payers is full. */
static int
begin_paying(struct conn *k)
{
	struct relay_volume *v = &k->peers->relaying.volume;
	struct relay_paying *paying = &k->relay.paying;
	struct addr remote = client_addr(k);

	if (paying->exempt || v->month == 0)
		return 0;
	paying->payer = relay_volume_join(v, &remote, now_us(k->peers));
	return paying->payer != NULL ? 0 : ERR_LIMIT;
}

/* Charges what a control connection has received and sent since the last time:
 * pairings, keep-alives and acknowledgements. */
static void
charge_session(struct conn *k)
{
	struct relay_paying *paying = &k->relay.paying;
	struct peers *p = k->peers;
	struct udx_status st;
	uint64_t bytes;

	if (paying->payer == NULL && !paying->exempt)
		(void)begin_paying(k);
	udx_status(k->udx, &st);
	bytes = st.bytes_in + st.bytes_out +
		(st.packets_in + st.packets_out) * IP_UDP_LEN;
	relay_volume_charge(&p->relaying.volume, paying->payer,
	    bytes - paying->charged, now_us(p));
	paying->charged = bytes;
}

/* ---- links ---- */

static void
arm_idle(struct relay_link *l)
{
	const struct core *core = l->peers->core;

	timer_arm(core->timers, &l->timer,
	    peers_after_ms(l->peers, core->limits->relay_idle_seconds * 1000));
}

static uint32_t
packets_in(const struct relay_link *l)
{
	struct udx_status a, b;

	udx_status(l->half[0], &a);
	udx_status(l->half[1], &b);
	return (uint32_t)(a.packets_in + b.packets_in); /* may wrap */
}

/* Frees a link and its streams; both clients are sent a DESTROY unless one of
 * them has sent its own. */
static void
link_free(struct relay_link *l)
{
	struct peers *p = l->peers;

	timer_disarm(p->core->timers, &l->timer);
	if (l->pairing == NULL) {
		TAILQ_REMOVE(&p->relaying.lingering, l, lingering);
		p->relaying.lingering_len--;
	}
	for (int i = 0; i < RELAY_ROLE_MAX; i++) {
		relay_volume_leave(&p->relaying.volume, l->meter[i].from);
		if (l->half[i] != NULL)
			udx_stream_free(l->half[i]);
	}
	free(l);
}

/* Ends a link for a reason other than an order of the server. */
static void
end_link(struct relay_link *l)
{
	struct relay_server *server = l->peers->relaying.server;
	struct relay_pairing *pairing = l->pairing;

	link_free(l);
	if (pairing != NULL)
		relay_server_ended(server, pairing);
}

/* Forwards for a moment after the pairing has ended. */
static void
linger(struct relay_link *l)
{
	struct peers *p = l->peers;
	struct relay_service *r = &p->relaying;

	l->pairing = NULL;
	TAILQ_INSERT_TAIL(&r->lingering, l, lingering);
	r->lingering_len++;
	timer_arm(p->core->timers, &l->timer, peers_after_ms(p, LINGER_MS));
	/* A client that pairs and unpairs without end gets no more streams. */
	if (r->lingering_len > RELAY_LINGERING_MAX)
		link_free(TAILQ_FIRST(&r->lingering));
}

static void
end_lingering(struct peers *p)
{
	struct relay_link *l;

	while ((l = TAILQ_FIRST(&p->relaying.lingering)) != NULL)
		link_free(l);
}

static void
on_timer(struct timer *t)
{
	struct relay_link *l = container_of(t, struct relay_link, timer);
	uint32_t now = packets_in(l);

	if (l->pairing == NULL) {
		link_free(l);
	} else if (now == l->packets_in) {
		l->peers->core->stats->relayed_links_idle++;
		end_link(l);
	} else {
		l->packets_in = now;
		arm_idle(l);
	}
}

static struct relay_link *
link_new(struct peers *p, struct relay_pairing *pairing)
{
	struct relay_link *l = calloc(1, sizeof *l);
	int err = 0;

	if (l == NULL)
		return NULL;
	l->peers = p;
	l->pairing = pairing;
	l->timer.fire = on_timer;
	for (int i = 0; i < RELAY_ROLE_MAX && err == 0; i++)
		l->half[i] = udx_stream_new(p->base.udx, l, &err);
	if (err != 0) {
		link_free(l);
		return NULL;
	}
	udx_relay(l->half[0], l->half[1]);
	if (!udx_is_relay(l->half[0]) || !udx_is_relay(l->half[1])) {
		link_free(l);
		return NULL;
	}
	for (int i = 0; i < RELAY_ROLE_MAX; i++) {
		l->meter[i].base.admit = admit;
		l->meter[i].link = l;
		udx_relay_set_meter(l->half[i], &l->meter[i].base);
	}
	arm_idle(l);
	return l;
}

/* ---- orders ---- */

/*
 * Lets a half accept the packets of its client. It is connected by the first of
 * these: a JavaScript peer takes a packet that it receives before the relay's
 * answer for one of the peer on a direct path, which then stalls.
 */
static bool
bind_half(struct relay_link *l, int role, const struct relay_end *end)
{
	struct conn *k = peers_conn(l->peers, end->session);
	struct addr remote;

	if (k == NULL || !conn_is_open(k))
		return false;
	remote = client_addr(k);
	if (!may_send_to(l->peers, &remote))
		return false;
	if (!k->relay.paying.exempt)
		l->meter[role].payer = remote;
	if (!find_payer(l, role))
		return false;
	udx_relay_bind(l->half[role], &remote);
	l->peer_id[role] = end->stream_id;
	return true;
}

static void
queue_session(struct peers *p, uint32_t number)
{
	struct conn *k = peers_conn(p, number);

	if (k != NULL)
		conn_queue(k);
}

static void
link_pairing(struct peers *p, const struct relay_order *o)
{
	struct relay_link *l = link_new(p, o->pairing);
	uint32_t id[RELAY_ROLE_MAX];

	for (int i = 0; i < RELAY_ROLE_MAX; i++) {
		if (l == NULL || !bind_half(l, i, &o->end[i])) {
			p->core->stats->relayed_links_refused++;
			if (l != NULL)
				link_free(l);
			relay_server_ended(p->relaying.server, o->pairing);
			return;
		}
		id[i] = udx_id(l->half[i]);
	}
	relay_server_linked(p->relaying.server, o->pairing, l, id);
	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		queue_session(p, o->end[i].session);
}

static void
execute_order(struct peers *p, const struct relay_order *o)
{
	struct conn *k;

	switch (o->kind) {
	case RELAY_ORDER_LINK:
		link_pairing(p, o);
		break;
	case RELAY_ORDER_UNLINK:
		linger(o->owner);
		break;
	case RELAY_ORDER_EXPEL:
		k = peers_conn(p, o->end[0].session);
		if (k != NULL)
			conn_fail(k, ERR_IDLE);
		break;
	}
}

static void
execute_orders(struct peers *p)
{
	struct relay_order o;

	while (relay_server_next(p->relaying.server, &o))
		execute_order(p, &o);
}

/* ---- control connections ---- */

static bool
is_friend(const struct relay_service *r, const uint8_t *key)
{
	for (size_t i = 0; i < r->friends_len; i++)
		if (memcmp(r->friends[i], key, KEY_LEN) == 0)
			return true;
	return false;
}

static int
begin_session(struct conn *k)
{
	struct peers *p = k->peers;
	const struct listener *l =
	    listener_by_number(p->listeners, p->relaying.listener);
	struct relay_peer peer = {
	    .key = k->key, .addr = client_addr(k), .number = k->number};
	struct relay_refusal why = {.reason = RELAY_REASON_SPENT};
	int err;

	if (l == NULL)
		return ERR_CLOSED;
	if (!may_send_to(p, &peer.addr)) {
		p->core->stats->relayed_links_refused++;
		return ERR_PRIVATE;
	}
	peer.exempt = l->allow_len > 0 || is_friend(&p->relaying, k->key) ||
		      (dht_is_private(p->base.dht) &&
			  addr_scope(&peer.addr) != ADDR_PUBLIC);
	k->relay.paying.exempt = peer.exempt;
	err = begin_paying(k);
	if (err != 0)
		return err;
	secret_set_frame_max(k->secret, FRAME_LEN_MAX);
	conn_slot_claim(k);
	peer.native = conn_is_native(k);
	err = relay_session_new(p->relaying.server, &peer, &k->relay.session);
	if (err != 0)
		return err;
	why.retry_s = relay_volume_wait_s(
	    &p->relaying.volume, k->relay.paying.payer, now_us(p));
	if (why.retry_s > 0)
		relay_session_refuse(k->relay.session, &why);
	return 0;
}

static int
read_messages(struct conn *k)
{
	struct bytes m;
	bool whole;
	int err = 0;

	for (;;) {
		m = secret_peek(k->secret, &whole, &err);
		if (err != 0 || m.p == NULL)
			return err;
		err = relay_session_read(k->relay.session, m);
		if (err != 0)
			return err;
		conn_slot_moved(k);
		secret_consume(k->secret, m.len);
	}
}

static int
send_messages(struct conn *k)
{
	struct bytes m;
	int err;

	while ((m = relay_session_peek(k->relay.session)).p != NULL) {
		err = secret_send(k->secret, m.p, m.len);
		if (err == ERR_FULL || err == ERR_CLOSED)
			return 0;
		if (err != 0)
			return err;
		relay_session_consume(k->relay.session);
	}
	return 0;
}

/* Ends our side after the client has ended its own, which also ends what it
 * has paired. */
static void
end_session(struct conn *k)
{
	relay_service_leave(k);
	if (k->state == CONN_DRAINING)
		conn_fail(k, 0);
	else
		conn_end(k);
}

void
relay_service_run(struct conn *k)
{
	int err = 0;

	if (!conn_is_open(k))
		return;
	if (k->relay.session == NULL && k->state == CONN_OPEN)
		err = begin_session(k);
	if (err == 0 && k->relay.session != NULL)
		err = read_messages(k);
	if (err != 0) {
		conn_fail(k, err);
		return;
	}
	if (k->relay.session != NULL)
		charge_session(k);
	execute_orders(k->peers);
	if (!conn_is_open(k))
		return;
	if (k->relay.session != NULL && (err = send_messages(k)) != 0)
		conn_fail(k, err);
	else if (secret_ended(k->secret))
		end_session(k);
}

void
relay_service_leave(struct conn *k)
{
	struct relay_paying *paying = &k->relay.paying;

	if (k->relay.session != NULL)
		charge_session(k);
	relay_volume_leave(&k->peers->relaying.volume, paying->payer);
	paying->payer = NULL;
	if (k->relay.session == NULL)
		return;
	relay_session_free(k->relay.session);
	k->relay.session = NULL;
	execute_orders(k->peers);
}

/* ---- the streams ---- */

/*
 * Connects a half to where its client's first packet has come from. Packets
 * from other ports of that host do not change that, so that whoever guesses the
 * id later cannot redirect the stream.
 */
static bool
connect_half(struct relay_link *l, int role)
{
	struct udx_path path = {.id = l->peer_id[role]};
	struct udx_source from;

	if (l->connected[role] || !udx_source(l->half[role], &from) ||
	    !from.accepted || !may_send_to(l->peers, &from.from))
		return true;
	path.sock = from.sock;
	path.to = from.from;
	l->connected[role] = udx_connect(l->half[role], &path) == 0;
	return l->connected[role];
}

void
relay_service_on_events(
    struct peers *p, struct udx_stream *stream, unsigned events)
{
	struct relay_link *l = udx_owner(stream);
	int role = l->half[RELAY_ROLE_INITIATOR] == stream;

	if (events & UDX_EV_CLOSED ||
	    (events & UDX_EV_SOURCE && !connect_half(l, role))) {
		end_link(l);
		execute_orders(p);
	}
}

/* ---- life ---- */

void
relay_service_init(struct relay_service *r, const struct core *core)
{
	*r = (struct relay_service){0};
	relay_volume_init(&r->volume, core);
	TAILQ_INIT(&r->lingering);
}

void
relay_service_fini(struct peers *p)
{
	end_lingering(p);
	relay_server_free(p->relaying.server);
	relay_volume_fini(&p->relaying.volume);
	free(p->relaying.friends);
}

static int
copy_friends(struct relay_service *r, const struct peers_relay *spec)
{
	uint8_t(*copy)[KEY_LEN] = NULL;

	if (spec->friends_len > 0) {
		copy = malloc(spec->friends_len * sizeof *copy);
		if (copy == NULL)
			return ERR_MEMORY;
		memcpy(copy, spec->friends, spec->friends_len * sizeof *copy);
	}
	free(r->friends);
	r->friends = copy;
	r->friends_len = spec->friends_len;
	return 0;
}

int
peers_relay_start(struct peers *p, const struct peers_relay *spec)
{
	struct relay_service *r = &p->relaying;
	struct peers_listen listen = {.keys = spec->keys,
	    .allow = spec->allow,
	    .allow_len = spec->allow_len,
	    .relays = true};

	if (r->listener != 0)
		return ERR_EXISTS;
	if (r->server == NULL)
		r->server = relay_server_new(p->core);
	if (r->server == NULL || copy_friends(r, spec) != 0)
		return ERR_MEMORY;
	return peers_listen(p, &listen, &r->listener);
}

void
peers_relay_stop(struct peers *p)
{
	if (p->relaying.listener == 0)
		return;
	peers_unlisten(p, p->relaying.listener);
	p->relaying.listener = 0;
	for (struct conn *c = p->conns; c != NULL; c = c->hh.next)
		if (c->purpose == CONN_OF_RELAY_CLIENT)
			conn_fail(c, ERR_CLOSED);
	end_lingering(p);
}

void
peers_relay_status(const struct peers *p, struct relay_server_status *out)
{
	*out = (struct relay_server_status){0};
	if (p->relaying.server != NULL)
		relay_server_status(p->relaying.server, out);
}

struct relay_volume *
peers_relay_volume(struct peers *p)
{
	return &p->relaying.volume;
}
