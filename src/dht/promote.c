/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

void
promote_init(struct dht *d)
{
	sampler_init(&d->sampler);
	d->ephemeral = true;
	d->firewalled = true;
	if (d->config.role != DHT_BOOTSTRAP)
		return;
	d->ephemeral = d->firewalled = false;
	d->own = d->config.public_address;
	sampler_add(&d->sampler, &d->own);
	d->events |= DHT_EV_PERSISTENT;
	d->stats->promotions++;
}

/* ---- the own id ---- */

/* Moves the nodes into a new table around another id; some may not fit. */
static void
move_table(struct dht *d, const uint8_t id[ID_LEN])
{
	struct table old = d->table;
	const struct table_node *n;

	table_init(&d->table, id);
	for (uint32_t i = table_oldest(&old); i != 0; i = n->heard.next) {
		uint32_t at;

		n = table_at(&old, i);
		if (table_check(&d->table, n->id, &n->addr, dht_shares(d)) !=
			0 ||
		    (at = table_add(&d->table, n->id, &n->addr, n->added)) == 0)
			continue;
		table_at(&d->table, at)->pinged = n->pinged;
		table_at(&d->table, at)->seen = n->seen;
		table_at(&d->table, at)->sampled = n->sampled;
	}
	table_fini(&old);
}

static void
set_own(struct dht *d, const struct addr *a)
{
	uint8_t id[ID_LEN];

	d->own = *a;
	id_of_addr(id, a);
	if (id_equal(id, d->table.own))
		return;
	move_table(d, id);
	if (d->bootstrapped)
		tick_refresh(d);
}

/* ---- the state check, protocol 01 §12.2 ---- */

/* Steps 5 to 10; s is the probe's sampler, or NULL if none ran. */
static void
complete(struct dht *d, bool firewall_only, const struct sampler *s)
{
	if (!firewall_only) {
		d->ephemeral = false;
		d->events |= DHT_EV_PERSISTENT;
		d->stats->promotions++;
	}
	if (s != NULL) {
		d->sampler = *s;
		d->idless_len = 0;
	}
	set_own(d, sampler_address(&d->sampler));
	join_checked(d, true);
}

/* Not reachable or not settled: when to look again. */
static void
give_up(struct dht *d)
{
	if (d->config.role == DHT_PERSISTENT)
		d->stable_at = d->tick + TICKS_RECENT;
	join_checked(d, false);
}

void
promote_forget(struct dht *d)
{
	sampler_init(&d->sampler);
	d->idless_len = 0;
	for (uint32_t i = table_oldest(&d->table); i != 0;) {
		struct table_node *n = table_at(&d->table, i);

		n->sampled = 0;
		i = n->heard.next;
	}
}

static void
probe_end(struct dht *d)
{
	struct probe *p = &d->probe;
	const struct addr *seen = sampler_address(&p->sampler);
	const struct addr *now = sampler_address(&d->sampler);

	p->running = false;
	if (p->counted < (p->asked < PROBE_NODES ? 1 : 3) || seen == NULL ||
	    !addr_same_host(seen, &p->before) ||
	    seen->port != d->server.bound.port) {
		give_up(d);
		return;
	}
	d->firewalled = false;
	d->events |= DHT_EV_MOVED;
	/* The address moved while we asked: what was probed is not what is. */
	if (!d->ephemeral || now == NULL || !addr_equal(now, &p->before)) {
		/* Requests leave from the other socket now: what was seen of
		 * the client socket must never become our id. */
		promote_forget(d);
		give_up(d);
		return;
	}
	complete(d, p->firewall_only, &p->sampler);
}

static void
on_probed(void *owner, const struct dht_answer *a)
{
	struct dht *d = owner;
	struct probe *p = &d->probe;

	p->pending--;
	/* Only what came in on the server socket proves that it is open. */
	if (a->err == 0 && a->sock == d->server.handle) {
		p->counted++;
		sampler_add(&p->sampler, &a->reply->to);
	}
	if (p->pending == 0 && a->err != ERR_CLOSED)
		probe_end(d);
}

int
promote_ping_nat(
    struct dht *d, const struct addr *to, uint8_t sends, struct dht_done done)
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
	struct request_extra x = {.sock = d->client.handle};

	wr_le16(&w, d->server.bound.port);
	return request_start(d, &c, &x, done, NULL);
}

/* The nodes heard last, and the bootstrap list if they are too few. */
static size_t
probe_nodes(const struct dht *d, struct addr *out)
{
	size_t n = 0;
	uint32_t i = table_latest(&d->table);

	for (; i != 0 && n < PROBE_NODES;
	     i = table_at(&d->table, i)->heard.prev)
		out[n++] = table_at(&d->table, i)->addr;
	if (n < PROBE_NODES)
		n += join_addresses(d, out + n, BOOTSTRAP_MAX);
	return n;
}

static void
probe_start(struct dht *d, bool firewall_only, const struct addr *before)
{
	struct addr to[PROBE_NODES + BOOTSTRAP_MAX];
	struct probe *p = &d->probe;
	struct dht_done done = {.call = on_probed, .owner = d};
	size_t n = probe_nodes(d, to);

	*p = (struct probe){
	    .running = true, .firewall_only = firewall_only, .before = *before};
	for (size_t i = 0; i < n; i++)
		if (promote_ping_nat(d, &to[i], REQUEST_SENDS, done) == 0)
			p->asked++;
	p->pending = p->asked;
	if (p->asked == 0)
		probe_end(d);
}

void
promote_check(struct dht *d, bool firewall_only)
{
	const struct addr *now = sampler_address(&d->sampler);

	if (!d->ephemeral || d->probe.running) {
		join_checked(d, false);
		return;
	}
	if (!firewall_only) {
		d->stable_at = d->tick + TICKS_MORE_STABLE;
		d->last_host = d->sampler.result;
		d->last_host.port = 0;
	}
	if (now == NULL)
		give_up(d);
	else if (d->firewalled)
		probe_start(d, firewall_only, now);
	else if (!firewall_only)
		complete(d, false, NULL);
	else
		join_checked(d, false);
}

void
promote_undo(struct dht *d)
{
	if (d->ephemeral)
		return;
	d->ephemeral = true;
	d->firewalled = true;
	d->own = (struct addr){0};
	d->last_host = (struct addr){0};
	d->events |= DHT_EV_EPHEMERAL | DHT_EV_MOVED;
	d->stats->demotions++;
}

/* ---- samples ---- */

void
promote_sample(struct dht *d, const struct addr *us)
{
	const struct addr *now = sampler_address(&d->sampler);
	struct addr was = now != NULL ? *now : (struct addr){0};

	if (!addr_usable(us) || !sampler_add(&d->sampler, us))
		return;
	d->events |= DHT_EV_ADDRESS;
	now = sampler_address(&d->sampler);
	/* Of which socket the port was, the sampler does not know. */
	if (was.family != ADDR_NONE && now != NULL &&
	    !addr_same_host(&was, now))
		mapping_changed(&d->mapping, false, d->world->now_us);
	if (d->config.role == DHT_BOOTSTRAP || now == NULL)
		return;
	/* Others recompute our id from the new address: the old one is void. */
	if (!d->ephemeral && !addr_equal(now, &d->own)) {
		promote_undo(d);
		d->stable_at = d->tick + TICKS_RECENT;
	}
	if (d->config.role == DHT_PERSISTENT && d->bootstrapped &&
	    !d->probe.running)
		promote_check(d, false);
}

void
promote_sample_idless(
    struct dht *d, const struct addr *from, const struct addr *us)
{
	size_t max = d->join.len > 0 ? d->join.len : 1;
	uint32_t h = hash_bytes(&d->hash_key, from, sizeof *from);

	for (uint32_t i = 0; i < d->idless_len; i++)
		if (d->idless[i] == h)
			return;
	if (d->idless_len >= max || d->idless_len >= IDLESS_MAX)
		return;
	d->idless[d->idless_len++] = h;
	promote_sample(d, us);
}
