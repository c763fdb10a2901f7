/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "world/mem.h"
#include "sim/sim.h"
#include "sim/walk.h"

/* A node's clock does not start at zero, and is not the simulation's. */
#define CLOCK_BASE_US SECONDS(1000)
#define UNIX_BASE_MS 1750000000000ull

enum { STILL_MAX = 64, RESOLVE_MS = 40, FULL_MS = 2 };

/* ---- the world that a node sees ---- */

static struct host *
host_of(struct sim_world *sw)
{
	return container_of(sw, struct host, world);
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
host_resolve(struct sim_world *sw, const char *name, uint32_t ticket)
{
	struct host *h = host_of(sw);
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

/* Notifies the node of sockets that accept datagrams again. */
static void
notify_writable(struct sim *s, void *arg)
{
	struct host *h = arg;

	(void)s;
	h->has_full = false;
	if (h->state != HOST_UP)
		return;
	host_clock(h);
	for (uint32_t i = 0; i < h->world.socks_len; i++) {
		struct sim_sock *sock = &h->world.socks[i];
		bool was_full = sock->full;

		sock->full = false;
		if (was_full && sock->open)
			node_writable(h->node, (int)i);
	}
	host_settle(h);
}

static bool
host_is_full(struct sim_world *sw, int sock)
{
	struct host *h = host_of(sw);

	if (!prng_chance(&sw->rand, h->sim->opt.full_permille * 1000))
		return false;
	if (!h->has_full)
		sim_at(h->sim, MILLISECONDS(FULL_MS), notify_writable, h);
	h->has_full = sw->socks[sock].full = true;
	return true;
}

static void
watch_sent(struct host *h, struct spot to, const uint8_t *buf, size_t len)
{
	for (struct op *op = h->ops; op != NULL; op = op->next)
		if (op->walk != NULL)
			walk_sent(op->walk, to, buf, len);
}

static void
host_send(struct sim_world *sw, const struct dgram_meta *meta, const uint8_t *p,
    size_t len)
{
	struct host *h = host_of(sw);
	struct sim *s = h->sim;
	struct spot to = addr_spot(&meta->to);
	struct spot from = {h->ep.ip, sw->socks[meta->sock].bound.port};
	uint8_t buf[DGRAM_MAX]; /* mangle() may lengthen the datagram */

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

static const struct sim_hooks hooks = {
    .send = host_send,
    .resolve = host_resolve,
    .is_full = host_is_full,
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
	prng_fill(&r, key_seed, sizeof key_seed);
	key_pair_from_seed(&h->relay_keys, key_seed);
}

struct host *
host_new(struct sim *s, enum dht_role role, struct nat *box)
{
	struct host *h = mem_new(1, sizeof *h);
	struct prng place;

	sim_world_init(&h->world, &hooks, 0);
	h->world.socks_max = HOST_SOCKS_MAX;
	h->world.random_ports = true;
	h->world.space = s->out;
	h->sim = s;
	h->role = role;
	h->nat = box;
	h->ep.kind = ENDPOINT_HOST;
	h->ep.index = s->hosts_len;
	h->wake_us = WORLD_NEVER;
	prng_init(&h->world.rand, s->opt.seed, PRNG_WORLD, h->ep.index);
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
	h->world.host = spot_addr((struct spot){h->ep.ip, 0});
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
	sim_close_all(&h->world);
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
	sim_world_fini(&h->world);
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
	c->relay_keys = &h->relay_keys;
	c->dht.role = h->role;
	c->dht.host = spot_addr((struct spot){h->ep.ip, 0});
	c->dht.port_first = c->dht.port_last = HOST_PORT;
	if (s->no_health)
		c->dht.health_ms = 0;
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
set_local_address(struct host *h)
{
	node_set_local(h->node, &h->world.host, NULL, 1);
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
	h->node = node_new(&h->world.w, &c);
	if (h->node == NULL)
		sim_broken(h->sim, "host %u: no memory", h->ep.index);
	set_local_address(h);
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
	h->world.host = spot_addr((struct spot){h->ep.ip, 0});
	if (h->state != HOST_UP)
		return;
	host_clock(h);
	set_local_address(h);
	node_network_changed(h->node);
	host_settle(h);
}

/* ---- its wake-ups ---- */

void
host_clock(struct host *h)
{
	h->world.w.now_us = CLOCK_BASE_US + h->sim->now_us - h->slept_us;
	h->world.w.unix_ms = UNIX_BASE_MS + h->sim->now_us / 1000;
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
	if (due_us < h->world.w.now_us)
		due_us = h->world.w.now_us;
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
	if (node_deadline(h->node) <= h->world.w.now_us) {
		node_tick(h->node);
		if (node_deadline(h->node) > h->world.w.now_us)
			h->still = 0;
		else if (++h->still > STILL_MAX)
			sim_broken(h->sim, "host %u: a timer lies in the past",
			    h->ep.index);
	}
	host_settle(h);
}

static void
watch_got(struct host *h, const struct net_packet *p)
{
	for (struct op *op = h->ops; op != NULL; op = op->next)
		if (op->walk != NULL)
			walk_got(op->walk, p->from, p->bytes, p->len);
}

void
host_receive(struct host *h, const struct net_packet *p, struct spot to)
{
	struct dgram dg = {.buf = p->bytes, .len = p->len};

	if (h->state != HOST_UP)
		return;
	dg.sock = sim_sock_at(&h->world, to.port);
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
