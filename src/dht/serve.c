/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

/* ---- replies ---- */

static bool
spend(struct dht *d, uint32_t source, size_t len)
{
	if (source == GUARD_EXEMPT)
		return true;
	return source != GUARD_REFUSED &&
	       guard_spend(&d->guard, d->world, source, len);
}

bool
dht_spend(struct dht *d, const struct addr *to, size_t len)
{
	if (dht_is_private(d))
		return true;
	return spend(d, guard_source(&d->guard, d->world, to), len);
}

/*
 * Encodes straight into the outgoing batch. As the sender's budget or the
 * path's size runs out: first without closer nodes, then not at all.
 */
static int
deliver(struct dht *d, uint32_t source, const struct dgram_meta *meta,
    struct rpc_reply *m)
{
	uint8_t *buf = d->world->ops->reserve(d->world, meta, DGRAM_MAX);
	size_t len;

	if (buf == NULL) {
		d->stats->tx_refused++;
		return ERR_FULL;
	}
	len = rpc_reply_encode(m, buf, DGRAM_MAX);
	if (m->closer.len > 0 &&
	    (len == 0 || len > DGRAM_SAFE || !spend(d, source, len))) {
		m->closer = (struct bytes){0};
		len = rpc_reply_encode(m, buf, DGRAM_MAX);
		d->stats->replies_lean++;
		if (!spend(d, source, len))
			return stats_drop(d->stats, ERR_BUDGET);
	} else if (m->closer.len == 0 && !spend(d, source, len)) {
		return stats_drop(d->stats, ERR_BUDGET);
	}
	if (len == 0)
		return ERR_TOO_BIG;
	d->stats->requests_served++;
	return dht_commit(d, len);
}

int
dht_reply(
    struct dht *d, const struct dht_request *rq, const struct dht_reply *re)
{
	uint8_t token[RPC_TOKEN_LEN], closer[RPC_CLOSER_MAX * ADDR_WIRE4_LEN];
	struct dgram_meta meta = {
	    .sock = rq->dg.sock, .to = rq->dg.from, .local = rq->dg.local};
	struct rpc_reply m = {
	    .tid = rq->m.tid,
	    .to = rq->dg.from,
	    .id = dht_id_for(d, rq->dg.sock),
	    .error = re->error,
	    .value = re->value,
	};

	if (re->token) {
		token_make(&d->tokens, d->world, &rq->dg.from, token);
		m.token = token;
	}
	if (re->closer && rq->m.target != NULL) {
		m.closer.len =
		    table_closest_wire(&d->table, rq->m.target, closer);
		m.closer.p = closer;
	}
	return deliver(d, rq->source, &meta, &m);
}

int
dht_reply_at(struct dht *d, const struct dht_request *rq, const struct addr *to,
    struct bytes value)
{
	struct dgram_meta meta = {.sock = rq->dg.sock, .to = *to};
	struct rpc_reply m = {
	    .tid = rq->m.tid,
	    .to = *to,
	    .id = dht_id_for(d, rq->dg.sock),
	    .value = value,
	};

	return deliver(d, GUARD_EXEMPT, &meta, &m);
}

int
dht_forward(struct dht *d, const struct dht_request *rq, const struct addr *to,
    struct bytes value)
{
	uint8_t buf[DGRAM_MAX];
	struct dgram_meta meta = {.sock = rq->dg.sock, .to = *to};
	struct rpc_request m = {
	    .tid = rq->m.tid,
	    .internal = rq->m.internal,
	    .command = rq->m.command,
	    .to = *to,
	    .id = dht_id_for(d, rq->dg.sock),
	    .target = rq->m.target,
	    .value = value,
	};

	return dht_send(d, &meta, buf, rpc_request_encode(&m, buf, sizeof buf));
}

/* ---- internal commands, protocol 01 §7 ---- */

static const struct dht_reply plain = {0};

static int
serve_ping(struct dht *d, const struct dht_request *rq)
{
	return dht_reply(d, rq, &plain);
}

/* The reply goes to the sender's host at the port it names. */
static int
serve_ping_nat(struct dht *d, const struct dht_request *rq)
{
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	struct dht_request at = *rq;

	at.dg.from.port = rd_le16(&r);
	if (!rd_ok(&r) || at.dg.from.port == 0)
		return stats_drop(d->stats, ERR_INCOMPLETE);
	return dht_reply(d, &at, &plain);
}

static int
serve_find_node(struct dht *d, const struct dht_request *rq)
{
	struct dht_reply re = {.closer = true};

	if (rq->m.target == NULL)
		return stats_drop(d->stats, ERR_INCOMPLETE);
	return dht_reply(d, rq, &re);
}

static int
serve_down_hint(struct dht *d, const struct dht_request *rq)
{
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	struct addr down = rd_addr4(&r);
	uint8_t id[ID_LEN];
	struct table_node *n;
	uint32_t node;

	if (!rd_ok(&r))
		return stats_drop(d->stats, ERR_INCOMPLETE);
	id_of_addr(id, &down);
	node = table_find(&d->table, id);
	if (node != 0 && d->checking[CHECK_HINT] < HINT_CHECKS_MAX) {
		n = table_at(&d->table, node);
		if (n->pinged != d->tick || n->down_hints == 0) {
			n->down_hints++;
			candidate_check(d, node, true);
		}
	}
	return dht_reply(d, rq, &plain);
}

/* A ping to be answered later. The cell stays where it is, so its timer may. */
struct delayed {
	TAILQ_ENTRY(delayed) link; /* oldest first */
	struct dht *dht;
	struct timer timer;
	uint32_t cell;
	struct dht_request rq; /* without what it borrowed */
};

static void
delayed_end(struct delayed *p)
{
	struct dht *d = p->dht;

	timer_disarm(d->timers, &p->timer);
	TAILQ_REMOVE(&d->delayed, p, link);
	pool_put(&d->delayed_pool, p->cell);
}

static void
on_delayed(struct timer *t)
{
	struct delayed *p = container_of(t, struct delayed, timer);
	struct dht *d = p->dht;

	/* The budget that it was taken in on may have been forgotten since. */
	p->rq.source = GUARD_EXEMPT;
	if (dht_spend(d, &p->rq.dg.from, PING_BYTES)) {
		d->stats->delayed_served++;
		dht_reply(d, &p->rq, &plain);
	} else {
		stats_drop(d->stats, ERR_BUDGET);
	}
	delayed_end(p);
}

/* A cell for one more; the oldest gives way when all are taken. */
static struct delayed *
delayed_new(struct dht *d, const struct addr *from)
{
	uint32_t prefix = 0, cell;
	struct delayed *p;

	TAILQ_FOREACH (p, &d->delayed, link)
		prefix += addr_same_prefix(&p->rq.dg.from, from);
	if (!dht_is_private(d) && prefix >= d->limits->delayed_pings_prefix)
		return NULL;
	if (d->delayed_pool.len >= d->limits->delayed_pings &&
	    (p = TAILQ_FIRST(&d->delayed)) != NULL)
		delayed_end(p);
	if ((cell = pool_get(&d->delayed_pool)) == 0)
		return NULL;
	p = pool_at(&d->delayed_pool, cell);
	p->dht = d;
	p->cell = cell;
	p->timer.fire = on_delayed;
	TAILQ_INSERT_TAIL(&d->delayed, p, link);
	return p;
}

static int
serve_delayed_ping(struct dht *d, const struct dht_request *rq)
{
	struct rd r = rd_init(rq->m.value.p, rq->m.value.len);
	uint32_t delay_ms = rd_le32(&r);
	struct delayed *p;

	if (!rd_ok(&r))
		return stats_drop(d->stats, ERR_INCOMPLETE);
	if (delay_ms > d->limits->delayed_ping_ms ||
	    (p = delayed_new(d, &rq->dg.from)) == NULL) {
		d->stats->delayed_refused++;
		return stats_drop(d->stats, ERR_LIMIT);
	}
	p->rq.dg.sock = rq->dg.sock;
	p->rq.dg.from = rq->dg.from;
	p->rq.dg.local = rq->dg.local;
	p->rq.m.tid = rq->m.tid;
	if (timer_arm(d->timers, &p->timer,
		d->world->now_us + (uint64_t)delay_ms * 1000) != 0)
		delayed_end(p);
	return 0;
}

void
serve_socket_closed(struct dht *d, int sock)
{
	struct delayed *p = TAILQ_FIRST(&d->delayed), *next;

	for (; p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->rq.dg.sock == sock)
			delayed_end(p);
	}
}

void
serve_fini(struct dht *d)
{
	struct delayed *p;

	while ((p = TAILQ_FIRST(&d->delayed)) != NULL)
		delayed_end(p);
	pool_fini(&d->delayed_pool);
}

void
serve_init(struct dht *d)
{
	TAILQ_INIT(&d->delayed);
	pool_init(
	    &d->delayed_pool, sizeof(struct delayed), d->limits->delayed_pings);
}

static int
serve_internal(struct dht *d, const struct dht_request *rq)
{
	static int (*const serve[])(
	    struct dht * d, const struct dht_request *rq) = {
	    [RPC_PING] = serve_ping,
	    [RPC_PING_NAT] = serve_ping_nat,
	    [RPC_FIND_NODE] = serve_find_node,
	    [RPC_DOWN_HINT] = serve_down_hint,
	    [RPC_DELAYED_PING] = serve_delayed_ping,
	};
	struct dht_reply unknown = {
	    .error = RPC_UNKNOWN_COMMAND, .closer = true};

	if (rq->m.command < sizeof serve / sizeof *serve)
		return serve[rq->m.command](d, rq);
	return dht_reply(d, rq, &unknown);
}

/* ---- every request ---- */

/* False, and the right answer is sent, if it carries a bad token. */
static bool
check_token(struct dht *d, struct dht_request *rq)
{
	struct dht_reply invalid = {
	    .error = RPC_INVALID_TOKEN, .token = true, .closer = true};

	if (rq->m.token == NULL)
		return true;
	rq->token_good =
	    token_check(&d->tokens, d->world, &rq->dg.from, rq->m.token);
	if (!rq->token_good) {
		stats_drop(d->stats, ERR_TOKEN);
		dht_reply(d, rq, &invalid);
	} else if (rq->source != GUARD_EXEMPT) {
		guard_prove(&d->guard, d->world, &rq->dg.from);
	}
	return rq->token_good;
}

/* Takes note of a sender whose id its address proves. */
static void
note_sender(struct dht *d, struct dht_request *rq)
{
	uint32_t node;

	rq->id = dht_prove_id(d, rq->m.id, &rq->dg.from);
	if (rq->id == NULL)
		return;
	node = table_find(&d->table, rq->id);
	if (node != 0)
		table_heard(&d->table, node, d->tick);
	else
		candidate_spoke(d, rq->id, &rq->dg.from, rq->source);
}

int
serve_request(struct dht *d, const struct dgram *dg, struct dht_request *rq)
{
	int err;

	*rq = (struct dht_request){.dg = *dg, .source = GUARD_EXEMPT};
	err = rpc_request_decode(&rq->m, dg->buf, dg->len);
	if (err != 0)
		return stats_drop(d->stats, err);
	if (!dht_is_private(d)) {
		rq->source = guard_source(&d->guard, d->world, &dg->from);
		if (rq->source == GUARD_REFUSED ||
		    !guard_admit(&d->guard, d->world, rq->source))
			return stats_drop(d->stats, ERR_BUDGET);
	}
	if (!check_token(d, rq))
		return 0;
	note_sender(d, rq);
	if (!rq->m.internal)
		return DHT_HANDED_UP;
	err = serve_internal(d, rq);
	return err < 0 ? err : 0;
}
