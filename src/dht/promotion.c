/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/promotion.h"
#include "dht/request.h"

/* ---- role and id ---- */

/* Makes this node persistent. Its id is that of its address from now on. */
static void
set_persistent(struct promotion *p)
{
	p->self->ephemeral = false;
	p->was_reachable = false;
	p->self->events |= DHT_EV_PERSISTENT;
	p->self->stats->promotions++;
}

/* Makes this node ephemeral again; its address is learned anew. */
static void
set_ephemeral(struct promotion *p)
{
	struct local_node *self = p->self;

	if (self->ephemeral)
		return;
	self->ephemeral = true;
	self->firewalled = true;
	self->own = (struct addr){0};
	p->last_host = (struct addr){0};
	self->events |= DHT_EV_EPHEMERAL | DHT_EV_MOVED;
	self->stats->demotions++;
}

/* Replaces the table by one around another id; some nodes may not fit. */
static void
rebuild_table(struct local_node *self, const uint8_t id[ID_LEN])
{
	struct table old = self->table, *t = &self->table;
	const struct table_node *n;

	table_init(t, id);
	for (uint32_t i = table_oldest(&old); i != 0; i = n->recent.next) {
		uint32_t at;

		n = table_at(&old, i);
		if (table_check(t, n->id, &n->addr, local_node_shares(self)) !=
			0 ||
		    (at = table_add(t, n->id, &n->addr, n->added)) == 0)
			continue;
		table_at(t, at)->pinged = n->pinged;
		table_at(t, at)->seen = n->seen;
		table_at(t, at)->sampled = n->sampled;
	}
	table_fini(&old);
}

static void
set_own_address(struct promotion *p, const struct addr *a)
{
	struct local_node *self = p->self;
	uint8_t id[ID_LEN];

	self->own = *a;
	id_of_addr(id, a);
	if (id_equal(id, self->table.own))
		return;
	rebuild_table(self, id);
	if (self->bootstrapped)
		maintenance_refresh(p->maintenance);
}

void
promotion_init(struct promotion *p)
{
	struct local_node *self = p->self;
	uint8_t id[ID_LEN];

	self->ephemeral = true;
	self->firewalled = true;
	if (self->config.role != DHT_BOOTSTRAP)
		return;
	self->firewalled = false;
	self->own = self->config.public_address;
	sampler_add(&self->sampler, &self->own);
	set_persistent(p);
	if (self->own.family == ADDR_NONE)
		return;
	id_of_addr(id, &self->own);
	table_fini(&self->table);
	table_init(&self->table, id);
}

void
promotion_start(struct promotion *p)
{
	p->stable_at = p->self->tick + TICKS_STABLE;
}

/* ---- the state check, protocol 01 §12.2 ---- */

/* Performs steps 5 to 10. s holds the samples of the probe, or is NULL if none
 * was made. */
static void
complete_check(struct promotion *p, bool firewall_only, const struct sampler *s)
{
	struct local_node *self = p->self;

	if (!firewall_only)
		set_persistent(p);
	if (s != NULL) {
		self->sampler = *s;
		p->idless_len = 0;
	}
	set_own_address(p, sampler_address(&self->sampler));
	joining_checked(p->joining, true);
}

/* Ends a check that found this node unreachable or its address unknown, and
 * schedules the next. */
static void
abandon_check(struct promotion *p)
{
	if (p->self->config.role == DHT_PERSISTENT)
		p->stable_at = p->self->tick + TICKS_RECENT;
	joining_checked(p->joining, false);
}

void
promotion_reset_samples(struct promotion *p)
{
	struct table *t = &p->self->table;

	sampler_init(&p->self->sampler);
	p->idless_len = 0;
	for (uint32_t i = table_oldest(t); i != 0;) {
		struct table_node *n = table_at(t, i);

		n->sampled = 0;
		i = n->recent.next;
	}
}

/* Returns true if the replies show that our server socket is reachable at the
 * port that it is bound to. */
static bool
probe_succeeded(const struct promotion *p)
{
	const struct firewall_probe *probe = &p->probe;
	const struct addr *seen = sampler_address(&probe->sampler);

	return probe->counted >= (probe->asked < PROBE_NODES ? 1 : 3) &&
	       seen != NULL && addr_same_host(seen, &probe->before) &&
	       seen->port == p->self->server.bound.port;
}

static void
finish_probe(struct promotion *p)
{
	struct local_node *self = p->self;
	const struct addr *now = sampler_address(&self->sampler);

	p->probe.running = false;
	if (!probe_succeeded(p)) {
		abandon_check(p);
		return;
	}
	self->firewalled = false;
	self->events |= DHT_EV_MOVED;
	/* If our address changed meanwhile, the probe tested the old one. */
	if (!self->ephemeral || now == NULL ||
	    !addr_equal(now, &p->probe.before)) {
		/* Requests leave from the server socket from now on: samples of
		 * the client socket must never become our id. */
		promotion_reset_samples(p);
		abandon_check(p);
		return;
	}
	complete_check(p, p->probe.firewall_only, &p->probe.sampler);
}

static void
on_probed(void *owner, const struct dht_answer *a)
{
	struct promotion *p = owner;
	struct firewall_probe *probe = &p->probe;

	probe->pending--;
	/* Only a reply to the server socket proves that it is reachable. */
	if (a->err == 0 && a->sock == p->self->server.handle) {
		probe->counted++;
		sampler_add(&probe->sampler, &a->reply->to);
	}
	if (probe->pending == 0 && a->err != ERR_CLOSED)
		finish_probe(p);
}

int
promotion_ping_nat(struct promotion *p, const struct addr *to, uint8_t sends,
    struct dht_done done)
{
	uint8_t value[2];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = *to,
	    .internal = true,
	    .command = RPC_PING_NAT,
	    .value = {value, sizeof value},
	    .sends = sends,
	};

	wr_le16(&w, p->self->server.bound.port);
	return requests_call(
	    p->requests, p->self->client.handle, &c, done, NULL);
}

/* Writes the nodes to probe: those that were active last and, if they are too
 * few, the bootstrap list. Returns how many. */
static size_t
choose_probe_nodes(const struct promotion *p, struct addr *out)
{
	const struct table *t = &p->self->table;
	size_t n = 0;
	uint32_t i = table_latest(t);

	for (; i != 0 && n < PROBE_NODES; i = table_at(t, i)->recent.prev)
		out[n++] = table_at(t, i)->addr;
	if (n < PROBE_NODES)
		n += joining_addresses(p->joining, out + n, BOOTSTRAP_MAX);
	return n;
}

static void
start_probe(struct promotion *p, bool firewall_only, const struct addr *before)
{
	struct addr to[PROBE_NODES + BOOTSTRAP_MAX];
	struct firewall_probe *probe = &p->probe;
	struct dht_done done = {.call = on_probed, .owner = p};
	size_t n = choose_probe_nodes(p, to);

	*probe = (struct firewall_probe){
	    .running = true, .firewall_only = firewall_only, .before = *before};
	for (size_t i = 0; i < n; i++)
		if (promotion_ping_nat(p, &to[i], REQUEST_SENDS, done) == 0)
			probe->asked++;
	probe->pending = probe->asked;
	if (probe->asked == 0)
		finish_probe(p);
}

void
promotion_check(struct promotion *p, bool firewall_only)
{
	struct local_node *self = p->self;
	const struct addr *now = sampler_address(&self->sampler);

	if (!self->ephemeral || p->probe.running) {
		joining_checked(p->joining, false);
		return;
	}
	if (!firewall_only) {
		p->stable_at = self->tick + TICKS_MORE_STABLE;
		p->last_host = self->sampler.result;
		p->last_host.port = 0;
	}
	if (now == NULL)
		abandon_check(p);
	else if (self->firewalled)
		start_probe(p, firewall_only, now);
	else if (!firewall_only)
		complete_check(p, false, NULL);
	else
		joining_checked(p->joining, false);
}

/* ---- samples ---- */

/* Returns true if our id is not that of this address. While the port of a
 * persistent node is blocked, the samples are of the client socket. */
static bool
is_moved(const struct local_node *self, const struct addr *now)
{
	return self->firewalled ? !addr_same_host(now, &self->own)
				: !addr_equal(now, &self->own);
}

void
promotion_add_sample(struct promotion *p, const struct addr *us)
{
	struct local_node *self = p->self;
	const struct addr *now = sampler_address(&self->sampler);
	struct addr was = now != NULL ? *now : (struct addr){0};

	if (!addr_usable(us) || !sampler_add(&self->sampler, us))
		return;
	self->events |= DHT_EV_ADDRESS;
	now = sampler_address(&self->sampler);
	/*
	 * A new port alone is no new mapping: samples may be of either socket.
	 */
	if (was.family != ADDR_NONE && now != NULL &&
	    !addr_same_host(&was, now))
		mapping_changed(&self->mapping, false, self->world->now_us);
	if (self->config.role == DHT_BOOTSTRAP || now == NULL)
		return;
	/* Other nodes verify our id against the new address, so the id of the
	 * old one is void. */
	if (!self->ephemeral && is_moved(self, now)) {
		set_ephemeral(p);
		p->stable_at = self->tick + TICKS_RECENT;
	}
	if (self->config.role == DHT_PERSISTENT && self->bootstrapped &&
	    !p->probe.running)
		promotion_check(p, false);
}

void
promotion_add_sample_idless(
    struct promotion *p, const struct addr *from, const struct addr *us)
{
	size_t max = p->joining->len > 0 ? p->joining->len : 1;
	uint32_t h = hash_bytes(&p->self->hash_key, from, sizeof *from);

	for (uint32_t i = 0; i < p->idless_len; i++)
		if (p->idless[i] == h)
			return;
	if (p->idless_len >= max || p->idless_len >= DHT_IDLESS_SAMPLES_MAX)
		return;
	p->idless[p->idless_len++] = h;
	promotion_add_sample(p, us);
}

/* ---- a blocked port ---- */

/* Discards the samples, which are of the other socket. */
static void
restart_samples(struct promotion *p)
{
	struct local_node *self = p->self;

	promotion_reset_samples(p);
	if (self->config.role == DHT_BOOTSTRAP)
		sampler_add(&self->sampler, &self->own);
}

void
promotion_server_blocked(struct promotion *p)
{
	struct local_node *self = p->self;

	if (self->config.role == DHT_AUTO) {
		set_ephemeral(p);
		p->stable_at = self->tick + TICKS_STABLE;
		p->was_reachable = true;
	} else {
		self->events |= DHT_EV_HEALTH;
	}
	self->firewalled = true;
	self->events |= DHT_EV_MOVED;
	restart_samples(p);
}

void
promotion_server_open(struct promotion *p)
{
	p->self->firewalled = false;
	p->self->events |= DHT_EV_MOVED | DHT_EV_HEALTH;
	restart_samples(p);
}

/* ---- time ---- */

static bool
is_due(const struct promotion *p)
{
	return (int32_t)(p->self->tick - p->stable_at) >= 0;
}

uint32_t
promotion_ticks_left(const struct promotion *p)
{
	int32_t left = (int32_t)(p->stable_at - p->self->tick);

	return p->self->ephemeral && left > 0 ? (uint32_t)left : 0;
}

void
promotion_tick(struct promotion *p)
{
	struct local_node *self = p->self;

	if (!self->ephemeral || self->config.role == DHT_BOOTSTRAP ||
	    !is_due(p))
		return;
	/* The last check failed at the same host: the next one waits longer. */
	if (self->config.role == DHT_AUTO && !p->was_reachable &&
	    p->last_host.family != ADDR_NONE &&
	    addr_same_host(&p->last_host, &self->sampler.result))
		p->stable_at = self->tick + TICKS_MORE_STABLE;
	else
		promotion_check(p, false);
}

void
promotion_wakeup(struct promotion *p)
{
	struct local_node *self = p->self;
	bool firewalled = self->firewalled;

	p->last_host = (struct addr){0};
	if (self->config.role == DHT_AUTO && !self->ephemeral) {
		set_ephemeral(p);
		self->firewalled = firewalled;
	}
	p->stable_at = self->tick + TICKS_MORE_STABLE;
}
