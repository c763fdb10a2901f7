/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/dht_struct.h"

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
	    .health_ms = HEALTH_PROBE_MS,
	};
}

/* ---- creation and destruction ---- */

/* Gives each module the modules that it calls. */
static void
connect_modules(struct dht *d)
{
	d->responder.self = &d->self;
	d->responder.candidates = &d->candidates;
	d->responder.limiter = &d->limiter;

	d->requests.self = &d->self;
	d->requests.candidates = &d->candidates;
	d->requests.promotion = &d->promotion;
	d->requests.maintenance = &d->maintenance;
	d->requests.limiter = &d->limiter;
	d->requests.health = &d->health;
	d->requests.joining = &d->joining;

	d->candidates.self = &d->self;
	d->candidates.requests = &d->requests;
	d->candidates.limiter = &d->limiter;

	d->queries.self = &d->self;
	d->queries.requests = &d->requests;
	d->queries.candidates = &d->candidates;
	d->queries.joining = &d->joining;
	d->queries.maintenance = &d->maintenance;
	d->queries.health = &d->health;

	d->health.self = &d->self;
	d->health.requests = &d->requests;
	d->health.candidates = &d->candidates;
	d->health.queries = &d->queries;
	d->health.joining = &d->joining;
	d->health.maintenance = &d->maintenance;
	d->health.server_check = &d->server_check;

	d->maintenance.self = &d->self;
	d->maintenance.requests = &d->requests;
	d->maintenance.health = &d->health;
	d->maintenance.queries = &d->queries;
	d->maintenance.candidates = &d->candidates;
	d->maintenance.joining = &d->joining;
	d->maintenance.promotion = &d->promotion;
	d->maintenance.limiter = &d->limiter;
	d->maintenance.server_check = &d->server_check;

	d->promotion.self = &d->self;
	d->promotion.requests = &d->requests;
	d->promotion.joining = &d->joining;
	d->promotion.maintenance = &d->maintenance;

	d->server_check.self = &d->self;
	d->server_check.requests = &d->requests;
	d->server_check.joining = &d->joining;
	d->server_check.promotion = &d->promotion;

	d->joining.self = &d->self;
	d->joining.candidates = &d->candidates;
	d->joining.queries = &d->queries;
	d->joining.promotion = &d->promotion;
	d->joining.maintenance = &d->maintenance;
	d->joining.health = &d->health;
}

struct dht *
dht_new(const struct core *core, const struct dht_config *c)
{
	struct dht *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	connect_modules(d);
	local_node_init(&d->self, core, c);
	rate_limiter_init(&d->limiter, &d->self.hash_key, d->self.limits);
	responder_init(&d->responder);
	requests_init(&d->requests);
	candidates_init(&d->candidates);
	queries_init(&d->queries);
	promotion_init(&d->promotion);
	if (joining_init(&d->joining, c) != 0) {
		dht_free(d);
		return NULL;
	}
	return d;
}

void
dht_end(struct dht *d)
{
	d->self.closing = true;
	queries_end(&d->queries, ERR_CLOSED);
	requests_end(&d->requests, ERR_CLOSED);
}

void
dht_free(struct dht *d)
{
	if (d == NULL)
		return;
	dht_end(d);
	candidates_fini(&d->candidates);
	responder_fini(&d->responder);
	requests_fini(&d->requests);
	rate_limiter_fini(&d->limiter);
	joining_fini(&d->joining);
	health_fini(&d->health);
	maintenance_fini(&d->maintenance);
	local_node_fini(&d->self);
	free(d);
}

int
dht_start(struct dht *d)
{
	int err = local_node_open(&d->self);

	if (err != 0)
		return err;
	maintenance_start(&d->maintenance);
	health_start(&d->health);
	joining_start(&d->joining);
	return 0;
}

/* ---- input ---- */

int
dht_recv(struct dht *d, const struct dgram *dg, struct dht_request *rq)
{
	struct stats *stats = d->self.stats;

	if (dg->from.family != ADDR_V4 || dg->len == 0)
		return stats_drop(stats, ERR_KIND);
	if (dg->from.port == 0)
		return stats_drop(stats, ERR_PORT);
	if (!local_node_may_send(&d->self, &dg->from))
		return stats_drop(stats, ERR_PRIVATE);
	maintenance_advance(&d->maintenance);
	switch (dg->buf[0]) {
	case RPC_REQUEST:
		return responder_recv_request(&d->responder, dg, rq);
	case RPC_REPLY:
		return requests_recv_reply(&d->requests, dg);
	default:
		return stats_drop(stats, rpc_kind(dg->buf[0]));
	}
}

void
dht_network_changed(struct dht *d)
{
	/* Samples of the old address do not apply to the new one. */
	promotion_reset_samples(&d->promotion);
	mapping_void(&d->self.mapping);
	if (d->self.bootstrapped)
		maintenance_refresh(&d->maintenance);
	health_check(&d->health);
}

void
dht_wakeup(struct dht *d)
{
	d->self.events |= DHT_EV_WAKEUP;
	d->self.stats->wakeups++;
	maintenance_wakeup(&d->maintenance);
}

void
dht_resolved(struct dht *d, uint32_t ticket, const struct addr *a)
{
	joining_resolved(&d->joining, ticket, a);
}

void
dht_limits_changed(struct dht *d)
{
	rate_limiter_limits_changed(&d->limiter);
	responder_limits_changed(&d->responder);
}

/* ---- replies ---- */

int
dht_reply(
    struct dht *d, const struct dht_request *rq, const struct dht_reply *re)
{
	return responder_reply(&d->responder, rq, re);
}

int
dht_reply_at(struct dht *d, const struct dht_request *rq, const struct addr *to,
    struct bytes value)
{
	return responder_reply_at(&d->responder, rq, to, value);
}

int
dht_forward(struct dht *d, const struct dht_request *rq, const struct addr *to,
    struct bytes value)
{
	return responder_forward(&d->responder, rq, to, value);
}

void
dht_token(struct dht *d, const struct addr *host, uint8_t token[RPC_TOKEN_LEN])
{
	token_make(&d->responder.tokens, d->self.world, host, token);
}

bool
dht_may_send(const struct dht *d, const struct addr *to)
{
	return local_node_may_send(&d->self, to);
}

bool
dht_charge(struct dht *d, const struct addr *to, size_t len)
{
	return responder_charge(&d->responder, to, len);
}

/* ---- requests and queries ---- */

int
dht_call(struct dht *d, const struct dht_call *c, struct dht_done done,
    struct request **out)
{
	return requests_call(&d->requests, WORLD_NO_SOCK, c, done, out);
}

int
dht_call_from(struct dht *d, int sock, const struct dht_call *c,
    struct dht_done done, struct request **out)
{
	return requests_call(&d->requests, sock, c, done, out);
}

void
dht_cancel(struct dht *d, struct request *r)
{
	(void)d;
	request_cancel(r);
}

int
query_start(struct dht *d, const struct query_spec *spec, struct query **out)
{
	return queries_start(&d->queries, spec, out);
}

/* ---- sockets ---- */

int
dht_open_socket(struct dht *d, struct addr *bound)
{
	return local_node_open_socket(&d->self, bound);
}

void
dht_close_socket(struct dht *d, int sock)
{
	requests_socket_closed(&d->requests, sock);
	responder_socket_closed(&d->responder, sock);
	d->self.world->ops->close(d->self.world, sock);
}

bool
dht_has_socket(const struct dht *d, int sock)
{
	return sock == d->self.server.handle || sock == d->self.client.handle;
}

int
dht_server_socket(const struct dht *d)
{
	return d->self.server.handle;
}

int
dht_client_socket(const struct dht *d)
{
	return d->self.client.handle;
}

void
dht_socket_reopened(struct dht *d, int sock, const struct addr *bound)
{
	if (sock == d->self.server.handle)
		d->self.server.bound = *bound;
	else if (sock == d->self.client.handle)
		d->self.client.bound = *bound;
}

int
dht_socket(const struct dht *d)
{
	return local_node_active_socket(&d->self)->handle;
}

/* ---- state ---- */

const uint8_t *
dht_id(const struct dht *d)
{
	return d->self.ephemeral ? NULL : d->self.table.own;
}

bool
dht_is_persistent(const struct dht *d)
{
	return !d->self.ephemeral;
}

bool
dht_is_validated(const struct dht *d, const struct addr *host)
{
	return rate_limiter_is_host_validated(&d->limiter, d->self.world, host);
}

bool
dht_is_private(const struct dht *d)
{
	return local_node_is_private(&d->self);
}

const struct addr *
dht_public_address(const struct dht *d)
{
	return local_node_public_address(&d->self);
}

const struct addr *
dht_open_address(const struct dht *d)
{
	const struct addr *a = dht_public_address(d);

	if (d->self.firewalled || a == NULL ||
	    a->port != d->self.server.bound.port)
		return NULL;
	return a;
}

/* Returns our address as far as it is known: family none or port 0 if not. */
static const struct addr *
known_address(const struct local_node *self)
{
	return self->own.family != ADDR_NONE ? &self->own
					     : &self->sampler.result;
}

bool
dht_port_varies(const struct dht *d)
{
	const struct addr *a = known_address(&d->self);

	return a->family != ADDR_NONE && a->port == 0;
}

const struct addr *
dht_server_address(const struct dht *d)
{
	return &d->self.server.bound;
}

struct mapping *
dht_mapping(struct dht *d)
{
	return &d->self.mapping;
}

unsigned
dht_events(struct dht *d)
{
	unsigned events;

	/* The health may have changed by the passage of time alone. */
	maintenance_advance(&d->maintenance);
	events = d->self.events;
	d->self.events = 0;
	if (mapping_repaced(&d->self.mapping))
		events |= DHT_EV_REPACED;
	return events;
}

bool
dht_is_alone(const struct dht *d)
{
	return joining_is_alone(&d->joining) && d->self.table.nodes.len == 0;
}

/* A node that stays persistent by its configuration, although nobody reaches
 * it, is degraded. */
static enum dht_state
node_state(const struct dht *d)
{
	if (d->health.state == DHT_ONLINE && !d->self.ephemeral &&
	    server_check_is_blocked(&d->server_check))
		return DHT_DEGRADED;
	return d->health.state;
}

void
dht_status(const struct dht *d, struct dht_status *out)
{
	const struct local_node *self = &d->self;

	*out = (struct dht_status){
	    .state = node_state(d),
	    .blocked = server_check_is_blocked(&d->server_check),
	    .bootstrapped = self->bootstrapped,
	    .alone = dht_is_alone(d),
	    .ephemeral = self->ephemeral,
	    .firewalled = self->firewalled,
	    .has_id = !self->ephemeral,
	    .public_address = *known_address(self),
	    .server_address = self->server.bound,
	    .client_address = self->client.bound,
	    .nodes = self->table.nodes.len,
	    .candidates =
		d->candidates.len[CHECK_CANDIDATE] - d->candidates.known,
	    .sources = d->limiter.pool.len,
	    .requests = d->requests.len,
	    .queries = d->queries.len,
	    .promotion_ticks = promotion_ticks_left(&d->promotion),
	    .asked = d->health.asked,
	    .answered = d->health.answered,
	    .tick = self->tick,
	};
	memcpy(out->id, self->table.own, ID_LEN);
}

bool
dht_entry(const struct dht *d, size_t i, struct dht_entry *out)
{
	return joining_entry(&d->joining, i, out);
}

bool
dht_is_reachable(const struct dht *d)
{
	return !health_holds_queries(&d->health);
}

/* Computes in 64 bits: a node may be known for more than 49 days. */
static uint32_t
age_s(const struct local_node *self, uint32_t tick)
{
	uint64_t ticks = self->tick - tick;

	return (uint32_t)(ticks * self->config.tick_ms / 1000);
}

static void
copy_node(const struct dht *d, const struct table_node *n, struct dht_node *out)
{
	*out = (struct dht_node){
	    .addr = n->addr,
	    .heard_s = age_s(&d->self, n->seen),
	    .added_s = age_s(&d->self, n->added),
	    .row = n->row,
	    .number = n->number,
	};
	memcpy(out->id, n->id, ID_LEN);
}

bool
dht_next_node(const struct dht *d, uint32_t *cursor, struct dht_node *out)
{
	const struct table *t = &d->self.table;
	uint32_t at = *cursor == 0 ? table_latest(t) : *cursor - 1;
	const struct table_node *n;

	if (at == 0)
		return false;
	n = table_at(t, at);
	copy_node(d, n, out);
	*cursor = n->recent.prev + 1;
	return true;
}

bool
dht_node_after(const struct dht *d, uint32_t after, struct dht_node *out)
{
	const struct table_node *n = table_node_after(&d->self.table, after);

	if (n != NULL)
		copy_node(d, n, out);
	return n != NULL;
}
