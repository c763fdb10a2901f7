/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "sim/mem.h"
#include "sim/sim.h"
#include "sim/walk.h"

/* A node's clock does not start at zero, and is not the simulation's. */
#define CLOCK_BASE_US SECONDS(1000)
#define UNIX_BASE_MS 1750000000000ull

enum { STILL_MAX = 64, RESOLVE_MS = 40, FULL_MS = 2 };

/* ---- the world that a node sees ---- */

static struct host *
host_of(struct world *w)
{
	return (struct host *)w;
}

/* The socket at a port, or -1; port 0: one that is closed. */
static int
sock_at(const struct host *h, uint16_t port)
{
	for (uint32_t i = 0; i < h->socks_len; i++)
		if (h->socks[i].port == port)
			return (int)i;
	return -1;
}

static int
host_open(struct world *w, const struct addr *at, struct addr *bound)
{
	struct host *h = host_of(w);
	uint16_t port = at->port;
	int i = sock_at(h, 0);

	if (i < 0 && h->socks_len == HOST_SOCKS_MAX)
		return ERR_SOCKET;
	if (port != 0 && sock_at(h, port) >= 0)
		return ERR_ADDRESS_USED;
	while (port == 0 || sock_at(h, port) >= 0)
		port = (uint16_t)(32768 + prng_below(&h->rand, 28000));
	if (i < 0) {
		i = (int)h->socks_len++;
		h->socks = mem_grow(h->socks, h->socks_len, sizeof *h->socks);
	}
	h->socks[i] = (struct host_sock){.port = port};
	*bound = spot_addr((struct spot){h->ep.ip, port});
	return i;
}

static void
host_close(struct world *w, int sock)
{
	host_of(w)->socks[sock].port = 0;
}

struct resolution {
	struct host *host;
	const struct node *node;
	uint32_t ticket;
	struct addr addr;
};

static void
resolved(struct sim *s, void *arg)
{
	struct resolution *r = arg;
	struct host *h = r->host;

	(void)s;
	if (h->state == HOST_UP && h->node == r->node) {
		host_clock(h);
		node_resolved(h->node, r->ticket,
		    r->addr.family == ADDR_NONE ? NULL : &r->addr);
		host_settle(h);
	}
	free(r);
}

/* The names boot0, boot1 ... are those of the bootstrap nodes. */
static int
host_resolve(struct world *w, const char *name, uint32_t ticket)
{
	struct host *h = host_of(w);
	struct resolution *r = mem_new(1, sizeof *r);

	r->host = h;
	r->node = h->node;
	r->ticket = ticket;
	if (strncmp(name, "boot", 4) == 0 && name[4] >= '0' &&
	    (uint32_t)(name[4] - '0') < h->sim->bootstrap_len)
		r->addr = spot_addr(host_spot(h->sim->hosts[name[4] - '0']));
	sim_at(h->sim, MILLISECONDS(RESOLVE_MS), resolved, r);
	return 0;
}

static void
host_random(struct world *w, void *out, size_t len)
{
	prng_fill(&host_of(w)->rand, out, len);
}

/* The sockets that had no room have some. */
static void
room_again(struct sim *s, void *arg)
{
	struct host *h = arg;

	(void)s;
	h->has_full = false;
	if (h->state != HOST_UP)
		return;
	host_clock(h);
	for (uint32_t i = 0; i < h->socks_len; i++) {
		bool full = h->socks[i].full;

		h->socks[i].full = false;
		if (full && h->socks[i].port != 0)
			node_writable(h->node, (int)i);
	}
	host_settle(h);
}

static uint8_t *
no_room(struct host *h, int sock)
{
	if (!h->has_full)
		sim_at(h->sim, MILLISECONDS(FULL_MS), room_again, h);
	h->has_full = h->socks[sock].full = true;
	return NULL;
}

static uint8_t *
host_reserve(struct world *w, const struct dgram_meta *meta, size_t cap)
{
	struct sim *s = host_of(w)->sim;

	s->out_host = NULL;
	if (cap > (meta->segment != 0 ? sizeof s->out : DGRAM_MAX))
		return NULL;
	if (prng_chance(&host_of(w)->rand, s->opt.full_permille * 1000))
		return no_room(host_of(w), meta->sock);
	s->out_meta = *meta;
	s->out_host = host_of(w);
	return s->out;
}

static void
watch_sent(struct host *h, struct spot to, const uint8_t *buf, size_t len)
{
	for (struct op *op = h->ops; op != NULL; op = op->next)
		if (op->walk != NULL)
			walk_sent(op->walk, to, buf, len);
}

/* One datagram goes out. */
static void
host_send(struct host *h, const uint8_t *p, size_t len)
{
	struct sim *s = h->sim;
	struct spot to = addr_spot(&s->out_meta.to);
	struct spot from = {h->ep.ip, h->socks[s->out_meta.sock].port};
	uint8_t buf[DGRAM_MAX]; /* others may write longer ones over it */

	memcpy(buf, p, len);
	if (h->mangle != NULL)
		len = h->mangle(s, h, to, buf, len);
	if (len == 0)
		return;
	if (h->walks > 0)
		watch_sent(h, to, buf, len);
	check_sent(h, to, len);
	sim_send(s, &h->ep, h->nat, from, to, buf, len);
}

/* A burst is cut here, as a network card would. */
static int
host_commit(struct world *w, size_t len)
{
	struct host *h = host_of(w);
	struct sim *s = h->sim;
	size_t piece = s->out_meta.segment != 0 ? s->out_meta.segment : len;

	if (s->out_host != h)
		return ERR_FULL;
	s->out_host = NULL;
	for (size_t at = 0; at < len; at += piece)
		host_send(h, s->out + at, len - at < piece ? len - at : piece);
	return 0;
}

static const struct world_ops ops = {
    .open = host_open,
    .close = host_close,
    .resolve = host_resolve,
    .random = host_random,
    .reserve = host_reserve,
    .commit = host_commit,
};

/* ---- its life ---- */

static void
identity_new(struct host *h, uint64_t seed)
{
	struct prng r;
	uint8_t key_seed[KEY_SEED_LEN];

	prng_init(&r, seed, PRNG_KEY, h->ep.index);
	prng_fill(&r, key_seed, sizeof key_seed);
	key_pair_from_seed(&h->identity, key_seed);
}

struct host *
host_new(struct sim *s, enum dht_role role, struct nat *box)
{
	struct host *h = mem_new(1, sizeof *h);
	struct prng place;

	h->world.ops = &ops;
	h->sim = s;
	h->role = role;
	h->nat = box;
	h->ep.kind = ENDPOINT_HOST;
	h->ep.index = s->hosts_len;
	h->wake_us = WORLD_NEVER;
	prng_init(&h->rand, s->opt.seed, PRNG_WORLD, h->ep.index);
	prng_init(&place, s->opt.seed, PRNG_PLACE, h->ep.index);
	place_draw(&h->ep.place, &place);
	identity_new(h, s->opt.seed);
	if (box == NULL) {
		h->ep.ip = sim_address(s);
		net_bind(&s->net, h->ep.ip, &h->ep);
	} else {
		h->ep.ip = nat_next_inside(box);
		nat_add(box, &h->ep);
	}
	s->hosts = mem_grow(s->hosts, s->hosts_len + 1, sizeof *s->hosts);
	s->hosts[s->hosts_len++] = h;
	return h;
}

static void
host_down(struct host *h)
{
	h->state = HOST_DOWN;
	ops_drop(h);
	calls_drop(h);
	node_free(h->node);
	h->node = NULL;
	h->socks_len = 0;
	h->wake_us = WORLD_NEVER;
	h->bootstrapped = h->leaving = false;
	free(h->answered);
	h->answered = NULL;
	h->answered_words = 0;
}

void
host_free(struct host *h)
{
	if (h->state != HOST_DOWN)
		host_down(h);
	free(h->saved);
	free(h->socks);
	free(h);
}

struct spot
host_spot(const struct host *h)
{
	return (struct spot){h->ep.ip, HOST_PORT};
}

static void
configure(struct host *h, struct node_config *c)
{
	struct sim *s = h->sim;

	node_config_init(c);
	c->identity = &h->identity;
	c->dht.role = h->role;
	c->dht.host = spot_addr((struct spot){h->ep.ip, 0});
	c->dht.port_first = c->dht.port_last = HOST_PORT;
	c->dht.bootstrap = s->bootstrap;
	c->dht.bootstrap_len = s->bootstrap_len;
	c->dht.known = h->saved_len > 0 ? h->saved : s->preset;
	c->dht.known_len = h->saved_len > 0 ? h->saved_len : s->preset_len;
	if (h->role == DHT_BOOTSTRAP) {
		c->dht.public_address = spot_addr(host_spot(h));
		c->dht.bootstrap_len = 0;
	}
	for (size_t i = 0; i < c->dht.known_len; i++)
		check_vouch(h, addr_spot(&c->dht.known[i]));
}

/* A machine has one interface. */
static void
tell_address(struct host *h)
{
	struct addr a = spot_addr((struct spot){h->ep.ip, 0});

	node_set_local(h->node, &a, 1);
}

void
host_boot(struct host *h)
{
	struct node_config c;
	int err;

	h->state = HOST_UP;
	h->born_us = h->sim->now_us;
	h->table_added = h->table_full_check = 0;
	configure(h, &c);
	host_clock(h);
	h->node = node_new(&h->world, &c);
	if (h->node == NULL)
		sim_broken(h->sim, "host %u: no memory", h->ep.index);
	tell_address(h);
	err = node_start(h->node);
	if (err != 0)
		sim_broken(h->sim, "host %u does not start: %s", h->ep.index,
		    err_text(err));
	host_settle(h);
}

void
host_crash(struct host *h)
{
	if (h->state != HOST_DOWN)
		host_down(h);
}

void
host_leave(struct host *h)
{
	host_clock(h);
	h->leaving = true;
	node_leave(h->node);
	host_settle(h);
}

void
host_sync(struct host *h)
{
	uint32_t cursor = 0;
	struct dht_node n;

	if (h->state != HOST_UP)
		return;
	if (h->saved == NULL)
		h->saved = mem_new(HOST_SAVED, sizeof *h->saved);
	h->saved_len = 0;
	while (h->saved_len < HOST_SAVED &&
	       dht_next_node(node_dht(h->node), &cursor, &n))
		h->saved[h->saved_len++] = n.addr;
}

void
host_sleep(struct host *h)
{
	h->state = HOST_ASLEEP;
	h->wake_us = WORLD_NEVER;
	h->asleep_since_us = h->sim->now_us;
}

void
host_wake(struct host *h)
{
	uint64_t us = h->sim->now_us - h->asleep_since_us;

	h->state = HOST_UP;
	h->slept_us += us;
	host_clock(h);
	node_slept(h->node, us);
	host_settle(h);
}

void
host_move(struct host *h)
{
	struct sim *s = h->sim;

	net_unbind(&s->net, h->ep.ip);
	h->ep.ip = sim_address(s);
	net_bind(&s->net, h->ep.ip, &h->ep);
	if (h->state != HOST_UP)
		return;
	host_clock(h);
	tell_address(h);
	node_network_changed(h->node);
	host_settle(h);
}

/* ---- its turns ---- */

void
host_clock(struct host *h)
{
	h->world.now_us = CLOCK_BASE_US + h->sim->now_us - h->slept_us;
	h->world.unix_ms = UNIX_BASE_MS + h->sim->now_us / 1000;
}

static void
drain(struct host *h)
{
	struct sim *s = h->sim;
	bool left = false;

	while (h->state == HOST_UP && node_poll(h->node, &s->ev)) {
		if (s->ev.kind == NODE_EV_BOOTSTRAPPED && !h->bootstrapped) {
			h->bootstrapped = true;
			h->bootstrapped_us = s->now_us;
		}
		left |= s->ev.kind == NODE_EV_LEFT;
		if (!calls_node_event(h, &s->ev) && s->ev.op != 0)
			ops_node_event(h, &s->ev);
	}
	if (left && h->state == HOST_UP)
		host_down(h);
}

void
host_settle(struct host *h)
{
	uint64_t due_us;

	drain(h);
	if (h->state != HOST_UP)
		return;
	check_step(h);
	due_us = node_deadline(h->node);
	if (due_us == WORLD_NEVER)
		return;
	if (due_us < h->world.now_us)
		due_us = h->world.now_us;
	due_us += h->slept_us - CLOCK_BASE_US;
	if (due_us < h->wake_us) {
		h->wake_us = due_us;
		sim_wake_at(h, due_us);
	}
}

void
host_tick(struct host *h)
{
	if (h->state != HOST_UP || h->wake_us != h->sim->now_us)
		return;
	h->wake_us = WORLD_NEVER;
	host_clock(h);
	if (node_deadline(h->node) <= h->world.now_us) {
		node_tick(h->node);
		if (node_deadline(h->node) > h->world.now_us)
			h->still = 0;
		else if (++h->still > STILL_MAX)
			sim_broken(h->sim, "host %u: a timer lies in the past",
			    h->ep.index);
	}
	host_settle(h);
}

static void
watch_got(struct host *h, const struct packet *p)
{
	for (struct op *op = h->ops; op != NULL; op = op->next)
		if (op->walk != NULL)
			walk_got(op->walk, p->from, p->bytes, p->len);
}

void
host_receive(struct host *h, const struct packet *p, struct spot to)
{
	struct dgram dg = {.buf = p->bytes, .len = p->len};

	if (h->state != HOST_UP)
		return;
	dg.sock = sock_at(h, to.port);
	if (to.port == 0 || dg.sock < 0)
		return;
	dg.from = spot_addr(p->from);
	host_clock(h);
	if (p->bytes[0] == RPC_REPLY)
		check_answered(h, p);
	if (h->walks > 0)
		watch_got(h, p);
	h->request = p->bytes;
	h->request_len = p->len;
	node_recv(h->node, &dg);
	h->request = NULL;
	host_settle(h);
}
