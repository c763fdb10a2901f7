/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "drive.h"
#include "records/record.h"
#include "signal/signal_message.h"

enum {
	SETTLE_TICKS = 100,
	END_MS = 3600 * 1000,
	LEAVE_MS = 2000,
	UPKEEP_QUERIES = 2, /* bootstrap and refresh are beyond the limit */
};

void
drive_limits_small(struct limits *l)
{
	limits_init(l);
	l->unvalidated_burst_bytes = l->forward_burst_bytes = 4096;
	l->unvalidated_rate_bytes = l->forward_rate_bytes = 100;
	l->validated_burst_requests = 64;
	l->sources = 256;
	l->forward_hosts = 16;
	l->candidates = 8;
	l->candidates_prefix = 4;
	l->delayed_pings = 8;
	l->delayed_pings_prefix = 4;
	l->requests = 64;
	l->queries = 8;
	l->query_candidates = 64;
	l->operations = 16;
	l->records = l->forwards = l->refreshes = l->values = 16;
	l->topic_records = 20;
	l->value_bytes = 65536;
	l->share_host_permille = l->share_prefix_permille = 500;
	l->announcements = 4;
	l->events = 64;
}

const struct key_pair *
drive_key(unsigned number)
{
	static struct key_pair keys[DRIVE_KEYS];
	uint8_t seed[KEY_SEED_LEN];
	struct key_pair *k = &keys[number % DRIVE_KEYS];

	memset(seed, (int)(number % DRIVE_KEYS) + 1, sizeof seed);
	if (k->secret_key[0] == 0)
		key_pair_from_seed(k, seed);
	return k;
}

struct addr
drive_host(const struct drive *d, unsigned number)
{
	unsigned host = number % DRIVE_HOSTS;
	uint16_t port = (uint16_t)(20000 + number / DRIVE_HOSTS % 4);

	if (d->private_network)
		return addr_v4(127, 0, 0, 1, (uint16_t)(port + host * 4));
	if (host >= DRIVE_VICTIMS)
		return addr_v4(203, 0, (uint8_t)host, 1, port);
	/* Some /24s of several hosts, the rest on their own. */
	if (host < 32)
		return addr_v4(
		    198, 18, (uint8_t)(host / 8), (uint8_t)(host + 1), port);
	return addr_v4((uint8_t)(host + 100), (uint8_t)host, 1, 1, port);
}

struct addr
drive_self(const struct drive *d)
{
	return d->private_network ? addr_v4(127, 0, 0, 1, DRIVE_PORT)
				  : addr_v4(192, 0, 2, 1, DRIVE_PORT);
}

int
drive_server_sock(const struct drive *d)
{
	int sock = sim_sock_at(&d->fw, DRIVE_PORT);

	MUST(sock != WORLD_NO_SOCK);
	return sock;
}

void
drive_init(struct drive *d, const struct drive_config *c)
{
	static const char *const names[] = {"one.example:20000",
	    "198.18.0.2@two.example:20000", "198.18.0.3:20000"};
	struct bootstrap_entry list[3];
	struct node_config nc;

	memset(d, 0, sizeof *d);
	sim_world_init(&d->fw, NULL, c->seed);
	d->hooks = c->hooks;
	d->private_network = c->private_network;
	d->limits = d->ceiling = c->limits;
	d->started_us = d->fw.w.now_us;
	node_config_init(&nc);
	nc.identity = drive_key(0);
	nc.announce_ms = c->announce_ms;
	nc.dht.role = c->role;
	nc.dht.private_network = c->private_network;
	nc.dht.port_first = nc.dht.port_last = DRIVE_PORT;
	nc.limits = c->limits;
	if (c->role == DHT_BOOTSTRAP)
		nc.dht.public_address = drive_self(d);
	if (c->names) {
		for (int i = 0; i < 3; i++)
			MUST(bootstrap_parse(&list[i], names[i]) == 0);
		nc.dht.bootstrap = list;
		nc.dht.bootstrap_len = 3;
	}
	d->n = node_new(&d->fw.w, &nc);
	MUST(d->n != NULL);
	MUST(node_start(d->n) == 0);
	drive_settle(d);
}

/* ---- datagrams sent ---- */

static void
note_asked(
    struct drive *d, const struct sim_sent *s, const struct rpc_request *m)
{
	struct drive_asked *a = &d->asked[d->asked_len++ % DRIVE_ASKED_MAX];

	*a = (struct drive_asked){.to = s->meta.to,
	    .sock = s->meta.sock,
	    .tid = m->tid,
	    .internal = m->internal,
	    .command = m->command};
	if (m->target != NULL)
		memcpy(a->target, m->target, sizeof a->target);
}

/*
 * Returns the index of a victim, or -1. A private network has none: there all
 * hosts have one address.
 */
static int
victim_index(const struct drive *d, const struct addr *a)
{
	for (unsigned i = DRIVE_VICTIMS; i < DRIVE_HOSTS; i++) {
		struct addr host = drive_host(d, i);

		if (!d->private_network && addr_same_host(a, &host))
			return (int)(i - DRIVE_VICTIMS);
	}
	return -1;
}

bool
drive_is_victim(const struct drive *d, const struct addr *a)
{
	return victim_index(d, a) >= 0;
}

/* Checks the budget of a victim, which replies and forwarded messages share. */
static void
check_victim(struct drive *d, const struct drive_victim *v)
{
	uint64_t us = d->fw.w.now_us - d->started_us;

	MUST(v->bytes <= d->limits.unvalidated_burst_bytes +
			     us * d->limits.unvalidated_rate_bytes / 1000000);
}

/*
 * Returns whether it is signalling for others; our own dialers begin with
 * FROM_CLIENT.
 */
static bool
is_forwarded(const struct rpc_request *m)
{
	struct handshake h;
	struct holepunch p;

	if (m->internal || m->command > CMD_PEER_HOLEPUNCH)
		return false;
	if (m->command == CMD_PEER_HANDSHAKE)
		return handshake_decode(&h, m->value.p, m->value.len) != 0 ||
		       h.mode != MODE_FROM_CLIENT;
	return holepunch_decode(&p, m->value.p, m->value.len) != 0 ||
	       p.mode != MODE_FROM_CLIENT;
}

static void
look_at_sent(struct drive *d, const struct sim_sent *s)
{
	int victim = victim_index(d, &s->meta.to);
	struct drive_victim *v = victim >= 0 ? &d->victims[victim] : NULL;
	struct rpc_request m;
	struct rpc_reply re;

	/* What we send is well-formed, names its receiver and is not huge. */
	MUST(s->len <= DGRAM_MAX && s->meta.to.port != 0);
	if (d->hooks != NULL && d->hooks->sent(d, s))
		return;
	if (s->buf[0] == RPC_REPLY) {
		MUST(rpc_reply_decode(&re, s->buf, s->len) == 0);
		MUST(addr_equal(&re.to, &s->meta.to));
		if (v != NULL)
			v->bytes += s->len;
	} else {
		MUST(rpc_request_decode(&m, s->buf, s->len) == 0);
		MUST(addr_equal(&m.to, &s->meta.to));
		if (!is_forwarded(&m))
			note_asked(d, s, &m);
		else if (v != NULL)
			v->bytes += s->len;
	}
	if (v != NULL)
		check_victim(d, v);
}

/* ---- events ---- */

static void
look_at_event(struct drive *d, const struct node_event *ev)
{
	uint32_t i = 0;

	if (ev->op == 0) {
		MUST(ev->kind <= NODE_EV_LEFT);
		if (ev->kind == NODE_EV_LEFT) {
			MUST(d->leaving && !d->left);
			d->left = true;
		}
		return;
	}
	MUST(ev->kind > NODE_EV_LEFT);
	if (ev->kind <= NODE_EV_CLOSED) {
		if (d->hooks != NULL)
			d->hooks->event(d, ev);
		return;
	}
	while (i < d->ops_len && d->ops[i].number != ev->op)
		i++;
	MUST(i < d->ops_len && !d->ops[i].done);
	d->ops[i].done = ev->kind == NODE_EV_DONE;
}

void
drive_started(struct drive *d, int err, uint32_t op)
{
	MUST(err <= 0);
	if (err != 0)
		return;
	MUST(d->ops_len < DRIVE_OPS_MAX && op != 0);
	d->ops[d->ops_len++] = (struct drive_op){.number = op};
}

/* ---- state ---- */

static void
check_state(struct drive *d)
{
	const struct limits *c = &d->ceiling, *l = &d->limits;
	struct node_status st;

	node_status(d->n, &st);
	MUST(st.dht.requests <= c->requests);
	MUST(st.dht.queries <= c->queries + UPKEEP_QUERIES);
	MUST(st.operations <= c->operations);
	MUST(st.announcements <= c->announcements);
	MUST(st.dht.sources <= c->sources);
	MUST(st.dht.candidates <=
	     (d->private_network ? c->requests : c->candidates));
	MUST(st.dht.nodes <= 20 * 256);
	MUST(st.records <= l->records && st.forwards <= l->forwards);
	MUST(st.topics <= st.records);
	MUST(st.values <= 2 * l->values);
	MUST(st.value_bytes <= 2 * l->value_bytes);
}

void
drive_settle(struct drive *d)
{
	struct node_event ev;

	for (int i = 0; i < SETTLE_TICKS; i++) {
		if (node_deadline(d->n) > d->fw.w.now_us)
			break;
		node_tick(d->n);
	}
	MUST(node_deadline(d->n) > d->fw.w.now_us);
	for (size_t i = 0; i < d->fw.sent_len; i++)
		look_at_sent(d, &d->fw.sent[i]);
	sim_clear(&d->fw);
	while (!d->deaf && node_poll(d->n, &ev))
		look_at_event(d, &ev);
	check_state(d);
}

void
drive_recv(struct drive *d, const struct addr *from, int sock,
    const uint8_t *buf, size_t len)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct dgram dg = {
	    .buf = exact, .len = len, .sock = sock, .from = *from};

	MUST(exact != NULL);
	if (len > 0)
		memcpy(exact, buf, len);
	MUST(node_recv(d->n, &dg) <= 0);
	free(exact);
	drive_settle(d);
}

void
drive_pass_ms(struct drive *d, uint64_t ms)
{
	uint64_t until = d->fw.w.now_us + ms * 1000;
	uint64_t unix_ms = d->fw.w.unix_ms + ms;

	while (node_deadline(d->n) < until) {
		d->fw.w.now_us = node_deadline(d->n);
		d->fw.w.unix_ms = unix_ms - (until - d->fw.w.now_us) / 1000;
		node_tick(d->n);
		drive_settle(d);
	}
	d->fw.w.now_us = until;
	d->fw.w.unix_ms = unix_ms;
	drive_settle(d);
}

struct drive_asked *
drive_asked(struct drive *d, unsigned i)
{
	if (i >= d->asked_len || i >= DRIVE_ASKED_MAX)
		return NULL;
	return &d->asked[(d->asked_len - 1 - i) % DRIVE_ASKED_MAX];
}

static bool
all_done(const struct drive *d)
{
	for (uint32_t i = 0; i < d->ops_len; i++)
		if (!d->ops[i].done)
			return false;
	return true;
}

void
drive_fini(struct drive *d)
{
	struct sim_name name;

	d->deaf = false;
	d->fw.batch_max = 0;
	drive_settle(d);
	for (uint64_t ms = 0; ms < END_MS && !all_done(d); ms += 1000) {
		while (sim_take_name(&d->fw, &name))
			node_resolved(d->n, name.ticket, NULL);
		drive_pass_ms(d, 1000);
	}
	MUST(all_done(d));
	if (d->leaving) {
		drive_pass_ms(d, LEAVE_MS);
		MUST(d->left);
	}
	node_free(d->n);
	MUST(d->fw.socks_open == 0);
	sim_world_fini(&d->fw);
}
