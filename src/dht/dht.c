/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

enum { PORT_FIRST = 49737, PORT_LAST = 49741 /* protocol 01 §1 */ };

void
dht_config_init(struct dht_config *c)
{
	*c = (struct dht_config){
	    .role = DHT_AUTO,
	    .host = addr_v4(0, 0, 0, 0, 0),
	    .port_first = PORT_FIRST,
	    .port_last = PORT_LAST,
	    .port_any = true,
	    .tick_ms = TICK_MS,
	};
}

/* ---- life ---- */

struct dht *
dht_new(const struct core *core, const struct dht_config *c)
{
	struct dht *d = calloc(1, sizeof *d);
	uint8_t id[ID_LEN];

	if (d == NULL)
		return NULL;
	d->world = core->world;
	d->timers = core->timers;
	d->stats = core->stats;
	d->limits = core->limits;
	d->config = *c;
	d->server.handle = d->client.handle = WORLD_NO_SOCK;
	d->world->ops->random(d->world, &d->hash_key, sizeof d->hash_key);
	/* Until the own address is known the id is random, and never sent. */
	d->world->ops->random(d->world, id, sizeof id);
	TAILQ_INIT(&d->queries);
	TAILQ_INIT(&d->held);
	TAILQ_INIT(&d->checks);
	tokens_init(&d->tokens, d->world);
	guard_init(&d->guard, &d->hash_key, d->limits);
	requests_init(d);
	serve_init(d);
	promote_init(d);
	if (d->own.family != ADDR_NONE)
		id_of_addr(id, &d->own);
	table_init(&d->table, id);
	if (join_init(d) != 0) {
		dht_free(d);
		return NULL;
	}
	d->config.bootstrap = NULL;
	d->config.known = NULL;
	return d;
}

static void
close_socket(struct dht *d, struct dht_socket *s)
{
	if (s->handle != WORLD_NO_SOCK)
		d->world->ops->close(d->world, s->handle);
	s->handle = WORLD_NO_SOCK;
}

void
dht_end(struct dht *d)
{
	d->closing = true;
	queries_end(d, ERR_CLOSED);
	requests_end(d, ERR_CLOSED);
}

void
dht_free(struct dht *d)
{
	if (d == NULL)
		return;
	dht_end(d);
	candidates_fini(d);
	serve_fini(d);
	requests_fini(d);
	guard_fini(&d->guard);
	tokens_fini(&d->tokens);
	table_fini(&d->table);
	join_fini(d);
	timer_disarm(d->timers, &d->tick_timer);
	close_socket(d, &d->server);
	close_socket(d, &d->client);
	free(d);
}

static int
open_at(struct dht *d, uint16_t port, struct addr *bound)
{
	struct addr at = d->config.host;

	at.port = port;
	return d->world->ops->open(d->world, &at, bound);
}

int
dht_open_socket(struct dht *d, struct addr *bound)
{
	return open_at(d, 0, bound);
}

void
dht_close_socket(struct dht *d, int sock)
{
	requests_socket_closed(d, sock);
	serve_socket_closed(d, sock);
	d->world->ops->close(d->world, sock);
}

bool
dht_has_socket(const struct dht *d, int sock)
{
	return sock == d->server.handle || sock == d->client.handle;
}

int
dht_server_socket(const struct dht *d)
{
	return d->server.handle;
}

static int
open_socket(struct dht *d, struct dht_socket *s, uint16_t port)
{
	int handle = open_at(d, port, &s->bound);

	if (handle < 0)
		return handle;
	s->handle = handle;
	return 0;
}

/* The ports of the range in order, then, if allowed, any. */
static int
open_server(struct dht *d)
{
	const struct dht_config *c = &d->config;
	int err = ERR_ADDRESS_USED;

	for (uint32_t port = c->port_first; port != 0 && port <= c->port_last;
	     port++) {
		err = open_socket(d, &d->server, (uint16_t)port);
		if (err != ERR_ADDRESS_USED)
			return err;
	}
	if (c->port_first == 0 || c->port_any)
		err = open_socket(d, &d->server, 0);
	return err;
}

int
dht_start(struct dht *d)
{
	int err = open_server(d);

	if (err == 0)
		err = open_socket(d, &d->client, 0);
	if (err != 0)
		return err;
	tick_init(d);
	join_start(d);
	return 0;
}

void
dht_network_changed(struct dht *d)
{
	/* What was seen of the old address says nothing of the new one. */
	promote_forget(d);
	mapping_void(&d->mapping);
	if (d->bootstrapped)
		tick_refresh(d);
}

/* ---- datagrams ---- */

const uint8_t *
dht_id_for(const struct dht *d, int sock)
{
	return sock == d->server.handle ? dht_id(d) : NULL;
}

const uint8_t *
dht_prove_id(
    const struct dht *d, const uint8_t *claimed, const struct addr *from)
{
	uint8_t proved[ID_LEN];
	uint32_t node;

	if (claimed == NULL)
		return NULL;
	node = table_find(&d->table, claimed);
	if (node != 0 && addr_equal(&table_at(&d->table, node)->addr, from))
		return claimed;
	id_of_addr(proved, from);
	return id_equal(proved, claimed) ? claimed : NULL;
}

int
dht_commit(struct dht *d, size_t len)
{
	int err = d->world->ops->commit(d->world, len);

	if (err != 0) {
		d->stats->tx_refused++;
		return err;
	}
	d->stats->tx_datagrams++;
	d->stats->tx_bytes += len;
	return 0;
}

int
dht_send(struct dht *d, const struct dgram_meta *meta, const uint8_t *buf,
    size_t len)
{
	uint8_t *room;

	if (len == 0)
		return ERR_TOO_BIG;
	room = d->world->ops->reserve(d->world, meta, len);
	if (room == NULL) {
		d->stats->tx_refused++;
		return ERR_FULL;
	}
	memcpy(room, buf, len);
	return dht_commit(d, len);
}

int
dht_recv(struct dht *d, const struct dgram *dg, struct dht_request *rq)
{
	if (dg->from.family != ADDR_V4 || dg->len == 0)
		return stats_drop(d->stats, ERR_KIND);
	if (dg->from.port == 0)
		return stats_drop(d->stats, ERR_PORT);
	if (!dht_may_send(d, &dg->from))
		return stats_drop(d->stats, ERR_PRIVATE);
	tick_catch_up(d);
	switch (dg->buf[0]) {
	case RPC_REQUEST:
		return serve_request(d, dg, rq);
	case RPC_REPLY:
		return requests_reply(d, dg);
	default:
		return stats_drop(d->stats, rpc_kind(dg->buf[0]));
	}
}

/* ---- what may be asked ---- */

const uint8_t *
dht_id(const struct dht *d)
{
	return d->ephemeral ? NULL : d->table.own;
}

bool
dht_is_persistent(const struct dht *d)
{
	return !d->ephemeral;
}

const struct addr *
dht_public_address(const struct dht *d)
{
	return d->own.family != ADDR_NONE ? &d->own
					  : sampler_address(&d->sampler);
}

/* The address that says what kind of network this is; the port may be 0. */
static const struct addr *
network_address(const struct dht *d)
{
	if (d->own.family != ADDR_NONE)
		return &d->own;
	if (d->sampler.result.family != ADDR_NONE)
		return &d->sampler.result;
	return &d->server.bound;
}

const struct addr *
dht_open_address(const struct dht *d)
{
	const struct addr *a = dht_public_address(d);

	if (d->firewalled || a == NULL || a->port != d->server.bound.port)
		return NULL;
	return a;
}

int
dht_socket(const struct dht *d)
{
	return dht_active(d)->handle;
}

bool
dht_is_private(const struct dht *d)
{
	enum addr_scope scope;

	if (d->config.private_network)
		return true;
	scope = addr_scope(network_address(d));
	return scope == ADDR_LOOPBACK || scope == ADDR_PRIVATE ||
	       scope == ADDR_LINK;
}

const struct limits *
dht_shares(const struct dht *d)
{
	return dht_is_private(d) ? NULL : d->limits;
}

bool
dht_may_send(const struct dht *d, const struct addr *to)
{
	enum addr_scope scope = addr_scope(to);

	if (scope == ADDR_UNUSABLE || to->port == 0)
		return false;
	/* Who serves the public has no business with anybody's inner network.
	 */
	return scope == ADDR_PUBLIC || d->ephemeral || dht_is_private(d);
}

void
dht_token(struct dht *d, const struct addr *host, uint8_t token[RPC_TOKEN_LEN])
{
	token_make(&d->tokens, d->world, host, token);
}

unsigned
dht_events(struct dht *d)
{
	unsigned events;

	tick_catch_up(d); /* the health may have changed with time alone */
	events = d->events;
	d->events = 0;
	if (mapping_repaced(&d->mapping))
		events |= DHT_EV_REPACED;
	return events;
}

static uint32_t
promotion_ticks(const struct dht *d)
{
	int32_t left = (int32_t)(d->stable_at - d->tick);

	return d->ephemeral && left > 0 ? (uint32_t)left : 0;
}

void
dht_status(const struct dht *d, struct dht_status *out)
{
	*out = (struct dht_status){
	    .bootstrapped = d->bootstrapped,
	    .ephemeral = d->ephemeral,
	    .firewalled = d->firewalled,
	    .online = d->health.online,
	    .degraded = d->health.degraded,
	    .has_id = !d->ephemeral,
	    .public_address =
		d->own.family != ADDR_NONE ? d->own : d->sampler.result,
	    .server_address = d->server.bound,
	    .client_address = d->client.bound,
	    .nodes = d->table.nodes.len,
	    .candidates = d->checking[CHECK_CANDIDATE],
	    .sources = d->guard.pool.len,
	    .requests = d->requests.len,
	    .queries = d->queries_len,
	    .promotion_ticks = promotion_ticks(d),
	};
	memcpy(out->id, d->table.own, ID_LEN);
}

/* In 64 bits: a node may be known for more than 49 days. */
static uint32_t
ago_s(const struct dht *d, uint32_t tick)
{
	return (
	    uint32_t)((uint64_t)(d->tick - tick) * d->config.tick_ms / 1000);
}

bool
dht_next_node(const struct dht *d, uint32_t *cursor, struct dht_node *out)
{
	uint32_t at = *cursor == 0 ? table_latest(&d->table) : *cursor - 1;
	const struct table_node *n;

	if (at == 0)
		return false;
	n = table_at(&d->table, at);
	*out = (struct dht_node){
	    .addr = n->addr,
	    .heard_s = ago_s(d, n->seen),
	    .added_s = ago_s(d, n->added),
	    .row = n->row,
	};
	memcpy(out->id, n->id, ID_LEN);
	*cursor = n->heard.prev + 1;
	return true;
}

struct mapping *
dht_mapping(struct dht *d)
{
	return &d->mapping;
}

void
dht_limits_changed(struct dht *d)
{
	d->guard.pool.limit = d->limits->sources;
	d->delayed_pool.limit = d->limits->delayed_pings;
}
