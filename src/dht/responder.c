/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/responder.h"

/* A PING with a delayed reply. Its pool cell never moves, so the timer can be
 * in it. */
struct delayed_ping {
	TAILQ_ENTRY(delayed_ping) link;
	struct responder *responder;
	struct timer timer;
	uint32_t cell;
	struct prefix_member prefix;
	struct dht_request rq; /* without what it borrowed */
};

/* ---- replies ---- */

bool
responder_charge(struct responder *rp, const struct addr *to, size_t len)
{
	struct world *w = rp->self->world;
	uint32_t source;

	if (local_node_is_private(rp->self))
		return true;
	source = rate_limiter_source(rp->limiter, w, to);
	return source != RATE_LIMITER_REFUSED &&
	       rate_limiter_charge(rp->limiter, w, source, len);
}

/* What a reply is charged to. */
struct reply_budget {
	uint32_t source;
	size_t request_len;
	bool token_good; /* the token validates this very request */
};

static bool
charge_reply(struct responder *rp, const struct reply_budget *b, size_t len)
{
	if (b->source == RATE_LIMITER_EXEMPT)
		return true;
	if (b->source == RATE_LIMITER_REFUSED)
		return false;
	if (b->token_good)
		return rate_limiter_charge(
		    rp->limiter, rp->self->world, b->source, len);
	return rate_limiter_charge_reply(
	    rp->limiter, rp->self->world, b->source, b->request_len, len);
}

/* Encodes the reply without its closer nodes and, if the budget does not
 * suffice for that, without its value too. Returns 0, ERR_TOO_BIG or
 * ERR_BUDGET. */
static int
encode_lean(struct responder *rp, const struct reply_budget *b,
    struct rpc_reply *m, uint8_t *buf, size_t *len)
{
	bool leaner = m->closer.len > 0;

	m->closer = (struct bytes){0};
	*len = rpc_reply_encode(m, buf, DGRAM_MAX);
	if (*len == 0)
		return ERR_TOO_BIG;
	if (leaner && charge_reply(rp, b, *len))
		return 0;
	if (m->value.p == NULL)
		return ERR_BUDGET;
	m->value = (struct bytes){0};
	*len = rpc_reply_encode(m, buf, DGRAM_MAX);
	return charge_reply(rp, b, *len) ? 0 : ERR_BUDGET;
}

/*
 * Encodes the reply in the transmit batch itself. If the budget of the source
 * or the size of a datagram does not suffice, first the closer nodes are left
 * out, then the value, then the reply is dropped.
 */
static int
send_reply(struct responder *rp, const struct reply_budget *b,
    const struct dgram_meta *meta, struct rpc_reply *m)
{
	struct local_node *self = rp->self;
	uint8_t *buf = self->world->ops->reserve(self->world, meta, DGRAM_MAX);
	size_t len, max = m->closer.len > 0 ? DGRAM_SAFE : DGRAM_MAX;
	int err;

	if (buf == NULL) {
		self->stats->tx_refused++;
		return ERR_FULL;
	}
	len = rpc_reply_encode(m, buf, DGRAM_MAX);
	if (len == 0 || len > max || !charge_reply(rp, b, len)) {
		self->stats->replies_lean +=
		    m->closer.len > 0 || m->value.p != NULL;
		err = encode_lean(rp, b, m, buf, &len);
		if (err == ERR_BUDGET)
			stats_drop(self->stats, err);
		if (err != 0)
			return err;
	}
	self->stats->requests_served++;
	return local_node_commit(self, len);
}

int
responder_reply(struct responder *rp, const struct dht_request *rq,
    const struct dht_reply *re)
{
	struct local_node *self = rp->self;
	uint8_t token[RPC_TOKEN_LEN], closer[RPC_CLOSER_MAX * ADDR_WIRE4_LEN];
	struct reply_budget budget = {
	    .source = rq->source,
	    .request_len = rq->dg.len,
	    .token_good = rq->token_good,
	};
	struct dgram_meta meta = {
	    .sock = rq->dg.sock, .to = rq->dg.from, .local = rq->dg.local};
	struct rpc_reply m = {
	    .tid = rq->m.tid,
	    .to = rq->dg.from,
	    .id = local_node_id_for(self, rq->dg.sock),
	    .error = re->error,
	    .value = re->value,
	};

	if (re->token) {
		token_make(&rp->tokens, self->world, &rq->dg.from, token);
		m.token = token;
	}
	if (re->closer && rq->m.target != NULL) {
		m.closer.len =
		    table_closest_wire(&self->table, rq->m.target, closer);
		m.closer.p = closer;
	}
	return send_reply(rp, &budget, &meta, &m);
}

int
responder_reply_at(struct responder *rp, const struct dht_request *rq,
    const struct addr *to, struct bytes value)
{
	struct dgram_meta meta = {.sock = rq->dg.sock, .to = *to};
	struct rpc_reply m = {
	    .tid = rq->m.tid,
	    .to = *to,
	    .id = local_node_id_for(rp->self, rq->dg.sock),
	    .value = value,
	};

	return send_reply(rp,
	    &(struct reply_budget){.source = RATE_LIMITER_EXEMPT}, &meta, &m);
}

int
responder_forward(struct responder *rp, const struct dht_request *rq,
    const struct addr *to, struct bytes value)
{
	uint8_t buf[DGRAM_MAX];
	struct dgram_meta meta = {.sock = rq->dg.sock, .to = *to};
	struct rpc_request m = {
	    .tid = rq->m.tid,
	    .internal = rq->m.internal,
	    .command = rq->m.command,
	    .to = *to,
	    .id = local_node_id_for(rp->self, rq->dg.sock),
	    .target = rq->m.target,
	    .value = value,
	};

	return local_node_send(
	    rp->self, &meta, buf, rpc_request_encode(&m, buf, sizeof buf));
}

/* ---- internal commands, protocol 01 §7 ---- */

static const struct dht_reply plain = {0};

static int
serve_ping(struct responder *rp, const struct dht_request *rq)
{
	return responder_reply(rp, rq, &plain);
}

/* Replies to the host of the sender at the port that the request names. */
static int
serve_ping_nat(struct responder *rp, const struct dht_request *rq)
{
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	struct dht_request at = *rq;

	at.dg.from.port = rd_le16(&r);
	if (!rd_ok(&r) || at.dg.from.port == 0)
		return stats_drop(rp->self->stats, ERR_INCOMPLETE);
	return responder_reply(rp, &at, &plain);
}

static int
serve_find_node(struct responder *rp, const struct dht_request *rq)
{
	struct dht_reply re = {.closer = true};

	if (rq->m.target == NULL)
		return stats_drop(rp->self->stats, ERR_INCOMPLETE);
	return responder_reply(rp, rq, &re);
}

/* Checks the node that the request reports down, if it is in the table. */
static int
serve_down_hint(struct responder *rp, const struct dht_request *rq)
{
	struct local_node *self = rp->self;
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	struct addr down = rd_addr4(&r);
	uint8_t id[ID_LEN];
	struct table_node *n;
	uint32_t node;

	if (!rd_ok(&r))
		return stats_drop(self->stats, ERR_INCOMPLETE);
	id_of_addr(id, &down);
	node = table_find(&self->table, id);
	if (node != 0 &&
	    rp->candidates->len[CHECK_HINT] < DHT_HINT_CHECKS_MAX) {
		n = table_at(&self->table, node);
		if (n->pinged != self->tick || n->down_hints == 0) {
			n->down_hints++;
			candidates_check_node(rp->candidates, node, true);
		}
	}
	return responder_reply(rp, rq, &plain);
}

/* ---- delayed pings ---- */

static void
delayed_ping_free(struct delayed_ping *p)
{
	struct responder *rp = p->responder;

	timer_disarm(rp->self->timers, &p->timer);
	TAILQ_REMOVE(&rp->delayed, p, link);
	prefix_groups_remove(&rp->delayed_by_prefix, p->cell);
	pool_put(&rp->delayed_pool, p->cell);
}

static void
on_delay_passed(struct timer *t)
{
	struct delayed_ping *p = container_of(t, struct delayed_ping, timer);
	struct responder *rp = p->responder;

	/* The budget of its source may have been evicted meanwhile, so the
	 * reply is charged by address. */
	p->rq.source = RATE_LIMITER_EXEMPT;
	if (responder_charge(rp, &p->rq.dg.from, PING_BYTES)) {
		rp->self->stats->delayed_served++;
		responder_reply(rp, &p->rq, &plain);
	} else {
		stats_drop(rp->self->stats, ERR_BUDGET);
	}
	delayed_ping_free(p);
}

/* Allocates a delayed ping; the oldest is dropped if all cells are in use.
 * Returns NULL if the /24 has its share or memory is short. */
static struct delayed_ping *
delayed_ping_new(struct responder *rp, const struct addr *from)
{
	const struct limits *l = rp->self->limits;
	struct delayed_ping *p;
	uint32_t cell;

	if (!local_node_is_private(rp->self) &&
	    prefix_groups_count(&rp->delayed_by_prefix, from) >=
		l->delayed_pings_prefix)
		return NULL;
	if (rp->delayed_pool.len >= l->delayed_pings &&
	    (p = TAILQ_FIRST(&rp->delayed)) != NULL)
		delayed_ping_free(p);
	if ((cell = pool_get(&rp->delayed_pool)) == 0)
		return NULL;
	if (prefix_groups_add(&rp->delayed_by_prefix, cell, from) != 0) {
		pool_put(&rp->delayed_pool, cell);
		return NULL;
	}
	p = pool_at(&rp->delayed_pool, cell);
	p->responder = rp;
	p->cell = cell;
	p->timer.fire = on_delay_passed;
	TAILQ_INSERT_TAIL(&rp->delayed, p, link);
	return p;
}

static int
serve_delayed_ping(struct responder *rp, const struct dht_request *rq)
{
	struct local_node *self = rp->self;
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	uint32_t delay_ms = rd_le32(&r);
	struct delayed_ping *p;

	if (!rd_ok(&r))
		return stats_drop(self->stats, ERR_INCOMPLETE);
	if (delay_ms > self->limits->delayed_ping_ms ||
	    (p = delayed_ping_new(rp, &rq->dg.from)) == NULL) {
		self->stats->delayed_refused++;
		return stats_drop(self->stats, ERR_LIMIT);
	}
	p->rq.dg.sock = rq->dg.sock;
	p->rq.dg.from = rq->dg.from;
	p->rq.dg.local = rq->dg.local;
	p->rq.m.tid = rq->m.tid;
	timer_arm(self->timers, &p->timer,
	    self->world->now_us + (uint64_t)delay_ms * 1000);
	return 0;
}

void
responder_socket_closed(struct responder *rp, int sock)
{
	struct delayed_ping *p = TAILQ_FIRST(&rp->delayed), *next;

	for (; p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->rq.dg.sock == sock)
			delayed_ping_free(p);
	}
}

size_t
responder_bytes_max(const struct limits *l)
{
	return pool_bytes_max(sizeof(struct delayed_ping), l->delayed_pings) +
	       prefix_groups_bytes_max(l->delayed_pings);
}

void
responder_init(struct responder *rp)
{
	tokens_init(&rp->tokens, rp->self->world);
	TAILQ_INIT(&rp->delayed);
	pool_init(&rp->delayed_pool, sizeof(struct delayed_ping),
	    rp->self->limits->delayed_pings);
	prefix_groups_init(&rp->delayed_by_prefix, &rp->self->hash_key,
	    &rp->delayed_pool, offsetof(struct delayed_ping, prefix));
}

void
responder_fini(struct responder *rp)
{
	struct delayed_ping *p;

	while ((p = TAILQ_FIRST(&rp->delayed)) != NULL)
		delayed_ping_free(p);
	prefix_groups_fini(&rp->delayed_by_prefix);
	pool_fini(&rp->delayed_pool);
	tokens_fini(&rp->tokens);
}

void
responder_limits_changed(struct responder *rp)
{
	rp->delayed_pool.limit = rp->self->limits->delayed_pings;
}

/* ---- every request ---- */

static int
serve_internal(struct responder *rp, const struct dht_request *rq)
{
	static int (*const serve[])(
	    struct responder * rp, const struct dht_request *rq) = {
	    [RPC_PING] = serve_ping,
	    [RPC_PING_NAT] = serve_ping_nat,
	    [RPC_FIND_NODE] = serve_find_node,
	    [RPC_DOWN_HINT] = serve_down_hint,
	    [RPC_DELAYED_PING] = serve_delayed_ping,
	};
	struct dht_reply unknown = {
	    .error = RPC_UNKNOWN_COMMAND, .closer = true};

	if (rq->m.command < sizeof serve / sizeof *serve)
		return serve[rq->m.command](rp, rq);
	return responder_reply(rp, rq, &unknown);
}

/* Finds the budget of the sender, which a valid token validates, and charges
 * one request to it. */
static bool
admit_request(struct responder *rp, struct dht_request *rq)
{
	struct world *w = rp->self->world;

	if (rq->m.token != NULL)
		rq->token_good =
		    token_check(&rp->tokens, w, &rq->dg.from, rq->m.token);
	if (local_node_is_private(rp->self))
		return true;
	if (rq->token_good)
		rate_limiter_validate(rp->limiter, w, &rq->dg.from);
	rq->source = rate_limiter_source(rp->limiter, w, &rq->dg.from);
	return rq->source != RATE_LIMITER_REFUSED &&
	       rate_limiter_admit(rp->limiter, w, rq->source, rq->token_good);
}

/* Replies to a request with an invalid token with a valid one. */
static void
reject_token(struct responder *rp, struct dht_request *rq)
{
	struct dht_reply invalid = {
	    .error = RPC_INVALID_TOKEN, .token = true, .closer = true};

	stats_drop(rp->self->stats, ERR_TOKEN);
	responder_reply(rp, rq, &invalid);
}

/* Registers the sender with the table if its address verifies its id. */
static void
register_sender(struct responder *rp, struct dht_request *rq)
{
	struct local_node *self = rp->self;
	uint32_t node;

	rq->id = local_node_verify_id(self, rq->m.id, &rq->dg.from);
	if (rq->id == NULL)
		return;
	node = table_find(&self->table, rq->id);
	if (node != 0)
		table_touch(&self->table, node, self->tick);
	else
		candidates_request_received(
		    rp->candidates, rq->id, &rq->dg.from, rq->source);
}

int
responder_recv_request(
    struct responder *rp, const struct dgram *dg, struct dht_request *rq)
{
	int err;

	*rq = (struct dht_request){.dg = *dg, .source = RATE_LIMITER_EXEMPT};
	err = rpc_request_decode(&rq->m, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(rp->self->stats, err);
	if (!admit_request(rp, rq))
		return stats_drop(rp->self->stats, ERR_BUDGET);
	if (rq->m.token != NULL && !rq->token_good) {
		reject_token(rp, rq);
		return 0;
	}
	register_sender(rp, rq);
	if (!rq->m.internal)
		return DHT_HANDED_UP;
	err = serve_internal(rp, rq);
	return err < 0 ? err : 0;
}
