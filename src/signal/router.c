/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"
#include "signal/prefix_budget.h"
#include "signal/signal_message.h"
#include "signal/router.h"

/* Bounds of the encrypted part: protocol 03 §3.5, protocol 04 §5. */
enum {
	NOISE_1_MIN = 96, /* towards the server: two keys and two tags */
	NOISE_2_MIN = 48, /* towards the client: a key and a tag */
	PUNCH_MIN = 41,   /* nonce, tag, and at least one byte */
	SEALED_MAX = 1100,
};

enum {
	VALUE_MAX = SEALED_MAX + 64,
	/* The bytes of a request with id and target, without its value. */
	HEAD_LEN = 1 + 1 + 2 + ADDR_WIRE4_LEN + ID_LEN + 1 + RPC_TARGET_LEN + 3,
};

struct router {
	const struct core *core;
	struct dht *d;
	struct records *r;
	struct prefix_budgets budgets;  /* bytes, of each source */
	struct prefix_budgets unproven; /* handshakes, to each host */
};

/*
 * A server answers every client, so the bytes that it sends through us cost
 * this much less. They are no more than the requests, and go to the sources of
 * those, or the budget of the destination stops them.
 */
enum { SERVER_SHARE = 16 };

/* The next hop of a message. */
struct hop {
	struct addr to;
	bool validated; /* its host announced itself here, with a token */
	bool reply;     /* the last hop, to the client: the only RPC reply */
	bool server;    /* the host of the sender announced itself here */
};

struct router *
router_new(const struct core *core, struct dht *d, struct records *r)
{
	struct router *rt = calloc(1, sizeof *rt);

	if (rt == NULL)
		return NULL;
	rt->core = core;
	rt->d = d;
	rt->r = r;
	prefix_budget_init(&rt->budgets, core, core->limits->forward_hosts);
	prefix_budget_init(&rt->unproven, core, core->limits->forward_hosts);
	return rt;
}

void
router_limits_changed(struct router *rt)
{
	prefix_budget_set_max(&rt->budgets, rt->core->limits->forward_hosts);
	prefix_budget_set_max(&rt->unproven, rt->core->limits->forward_hosts);
}

void
router_free(struct router *rt)
{
	if (rt == NULL)
		return;
	prefix_budget_fini(&rt->budgets);
	prefix_budget_fini(&rt->unproven);
	free(rt);
}

static int
drop_request(struct router *rt, int err)
{
	return stats_drop(rt->core->stats, err);
}

static int
refuse_forward(struct router *rt, int err)
{
	rt->core->stats->forward_refused++;
	return drop_request(rt, err);
}

/*
 * Finds the hop towards the server: the address that the message names, or else
 * the one that the server announced itself from. Returns false if there is
 * neither.
 */
static bool
hop_to_server(const struct router *rt, const struct dht_request *rq,
    const struct addr *named, struct hop *hop)
{
	struct addr known = {.family = ADDR_NONE};
	bool announced = records_forward_for(rt->r, rq->m.target, &known);

	if (named->family == ADDR_NONE) {
		*hop = (struct hop){.to = known, .validated = true};
		return announced;
	}
	*hop = (struct hop){.to = *named};
	hop->validated = announced && addr_same_host(named, &known);
	return true;
}

/*
 * Charges a message to its source and its destination. If one of them lacks the
 * budget, the source is not charged, and false is returned.
 */
static bool
charge_budgets(struct router *rt, const struct addr *from,
    const struct hop *hop, size_t len)
{
	const struct limits *l = rt->core->limits;
	struct prefix_budget_rate rate = {
	    l->forward_burst_bytes, l->forward_rate_bytes};
	size_t cost = hop->server ? len / SERVER_SHARE : len;
	struct bucket *source;

	if (dht_is_private(rt->d))
		return true;
	source = prefix_budget_get(&rt->budgets, from, &rate);
	if (source == NULL || source->left < cost ||
	    (!hop->validated && !dht_charge(rt->d, &hop->to, len)))
		return false;
	return bucket_take(source, (uint32_t)cost);
}

static int
send_to_hop(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, struct bytes value)
{
	return hop->reply ? dht_reply_at(rt->d, rq, &hop->to, value)
			  : dht_forward(rt->d, rq, &hop->to, value);
}

static int
forward_value(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, struct bytes value)
{
	int err;

	if (!dht_may_send(rt->d, &hop->to))
		return refuse_forward(rt, ERR_PRIVATE);
	if (!charge_budgets(rt, &rq->dg.from, hop, HEAD_LEN + value.len))
		return refuse_forward(rt, ERR_BUDGET);
	err = send_to_hop(rt, rq, hop, value);
	if (err == 0)
		rt->core->stats->forwarded++;
	return err;
}

static int
forward_handshake(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, const struct handshake *m)
{
	uint8_t buf[VALUE_MAX];
	size_t len = handshake_encode(m, buf, sizeof buf);

	return forward_value(rt, rq, hop, (struct bytes){buf, len});
}

/* ---- messages for a key that listens here ---- */

static int
fill_call(void *server, const struct dht_request *rq, uint64_t mode,
    const struct addr *peer, struct router_call *call)
{
	*call = (struct router_call){
	    .server = server,
	    .ticket =
		{
		    .command = rq->m.command,
		    .mode = mode,
		    .tid = rq->m.tid,
		    .sock = rq->dg.sock,
		    .from = rq->dg.from,
		    .local = rq->dg.local,
		    .peer = *peer,
		},
	    .client = mode == MODE_FROM_CLIENT ? rq->dg.from : *peer,
	    .direct = mode == MODE_FROM_CLIENT,
	    .us = rq->m.to,
	};
	memcpy(call->ticket.target, rq->m.target, HASH_LEN);
	return ROUTER_HANDED_UP;
}

static int
accept_handshake(struct router *rt, const struct dht_request *rq, void *server,
    const struct handshake *m, struct router_call *call)
{
	bool second = m->mode == MODE_FROM_SECOND_RELAY;
	int result;

	if (m->mode != MODE_FROM_CLIENT && m->mode != MODE_FROM_RELAY &&
	    !second)
		return drop_request(rt, ERR_VALUE);
	if ((m->mode != MODE_FROM_CLIENT && m->peer.family == ADDR_NONE) ||
	    (second && m->relay.family == ADDR_NONE))
		return drop_request(rt, ERR_INCOMPLETE);
	result = fill_call(server, rq, m->mode, &m->peer, call);
	call->ticket.relay = m->relay;
	call->sealed = m->noise;
	return result;
}

static int
accept_holepunch(struct router *rt, const struct dht_request *rq, void *server,
    const struct holepunch *m, struct router_call *call)
{
	int result;

	if (m->peer.family == ADDR_NONE)
		return drop_request(rt, ERR_INCOMPLETE);
	result = fill_call(server, rq, m->mode, &m->peer, call);
	call->id = m->id;
	call->sealed = m->payload;
	return result;
}

/* Returns the hop of an answer: the client, or the relay that it came from. */
static struct hop
hop_back(const struct router_ticket *t)
{
	return (struct hop){
	    .to = t->mode == MODE_FROM_SECOND_RELAY ? t->relay : t->from,
	    .reply = t->mode == MODE_FROM_CLIENT,
	};
}

static size_t
encode_answer(const struct router_ticket *t, struct bytes sealed, bool reply,
    uint8_t *buf, size_t cap)
{
	struct handshake h = {.mode = MODE_REPLY, .noise = sealed};
	struct holepunch p = {.mode = MODE_REPLY, .payload = sealed};

	if (!reply) {
		h.mode = p.mode = MODE_FROM_SERVER;
		h.peer = p.peer = t->peer;
	}
	return t->command == CMD_PEER_HANDSHAKE
		   ? handshake_encode(&h, buf, cap)
		   : holepunch_encode(&p, buf, cap);
}

int
router_answer(struct router *rt, const struct router_ticket *t,
    struct bytes sealed, int sock)
{
	uint8_t buf[VALUE_MAX];
	struct hop hop = hop_back(t);
	size_t len = encode_answer(t, sealed, hop.reply, buf, sizeof buf);
	struct dht_request rq = {
	    .dg = {.sock = t->sock, .from = t->from, .local = t->local},
	    .m = {.tid = t->tid, .command = t->command, .target = t->target},
	};

	if (sock != WORLD_NO_SOCK && sock != t->sock) {
		rq.dg.sock = sock;
		rq.dg.local = (struct addr){0};
	}
	if (!dht_may_send(rt->d, &hop.to))
		return refuse_forward(rt, ERR_PRIVATE);
	/* Limits what a forged source makes us send to its victim. */
	if (!dht_charge(rt->d, &hop.to, HEAD_LEN + len))
		return refuse_forward(rt, ERR_BUDGET);
	return send_to_hop(rt, &rq, &hop, (struct bytes){buf, len});
}

/* ---- messages for other nodes ---- */

/*
 * Returns false for a client that has to return a token first. Sources can be
 * forged, and the handshakes that we forward use up the share that the listener
 * gives to us: those without a token use only a part of it.
 */
static bool
admit_client(
    struct router *rt, const struct dht_request *rq, const struct addr *to)
{
	uint32_t max = rt->core->limits->forward_handshakes;
	struct prefix_budget_rate rate = {max, max};
	struct bucket *b;

	if (rq->token_good || dht_is_private(rt->d))
		return true;
	b = prefix_budget_get_host(&rt->unproven, to, &rate);
	return b != NULL && bucket_take(b, 1);
}

static int
demand_token(struct router *rt, const struct dht_request *rq)
{
	const struct dht_reply re = {.error = RPC_INVALID_TOKEN, .token = true};

	rt->core->stats->forward_refused++;
	return dht_reply(rt->d, rq, &re);
}

static int
handshake_from_client(
    struct router *rt, const struct dht_request *rq, const struct handshake *m)
{
	struct handshake next = {
	    .mode = MODE_FROM_RELAY, .noise = m->noise, .peer = rq->dg.from};
	struct hop hop;

	/* Closer nodes may know the server; the client need not time out. */
	if (!hop_to_server(rt, rq, &m->relay, &hop))
		return dht_reply(
		    rt->d, rq, &(struct dht_reply){.closer = true});
	if (!admit_client(rt, rq, &hop.to))
		return demand_token(rt, rq);
	return forward_handshake(rt, rq, &hop, &next);
}

/* Forwards as the second relay, which the client named to the first. */
static int
handshake_from_relay(
    struct router *rt, const struct dht_request *rq, const struct handshake *m)
{
	struct handshake next = {.mode = MODE_FROM_SECOND_RELAY,
	    .noise = m->noise,
	    .peer = m->peer,
	    .relay = rq->dg.from};
	struct addr nowhere = {.family = ADDR_NONE};
	struct hop hop;

	if (m->peer.family == ADDR_NONE)
		return drop_request(rt, ERR_INCOMPLETE);
	if (!hop_to_server(rt, rq, &nowhere, &hop))
		return drop_request(rt, ERR_UNKNOWN);
	if (!admit_client(rt, rq, &hop.to))
		return refuse_forward(rt, ERR_BUDGET);
	return forward_handshake(rt, rq, &hop, &next);
}

/* Returns the hop to the client, at the address that the server reports. */
static struct hop
hop_to_client(const struct router *rt, const struct dht_request *rq,
    const struct addr *client)
{
	struct addr known;

	return (struct hop){
	    .to = *client,
	    .reply = true,
	    .server = records_forward_for(rt->r, rq->m.target, &known) &&
		      addr_same_host(&known, &rq->dg.from),
	};
}

static int
handshake_from_server(
    struct router *rt, const struct dht_request *rq, const struct handshake *m)
{
	struct handshake next = {
	    .mode = MODE_REPLY, .noise = m->noise, .peer = rq->dg.from};
	struct hop hop = hop_to_client(rt, rq, &m->peer);

	if (m->peer.family == ADDR_NONE)
		return drop_request(rt, ERR_INCOMPLETE);
	return forward_handshake(rt, rq, &hop, &next);
}

static bool
is_noise_len_valid(const struct handshake *m)
{
	bool to_client = m->mode == MODE_FROM_SERVER || m->mode == MODE_REPLY;

	return m->noise.len >= (to_client ? NOISE_2_MIN : NOISE_1_MIN) &&
	       m->noise.len <= SEALED_MAX;
}

static int
serve_handshake(
    struct router *rt, const struct dht_request *rq, struct router_call *call)
{
	void *server = records_pinned(rt->r, rq->m.target);
	struct handshake m;

	if (handshake_decode(&m, rq->m.value.p, rq->m.value.len) != 0)
		return drop_request(rt, ERR_MALFORMED);
	if (!is_noise_len_valid(&m))
		return drop_request(rt, ERR_SIZE);
	if (server != NULL)
		return accept_handshake(rt, rq, server, &m, call);
	switch (m.mode) {
	case MODE_FROM_CLIENT:
		return handshake_from_client(rt, rq, &m);
	case MODE_FROM_RELAY:
		return handshake_from_relay(rt, rq, &m);
	case MODE_FROM_SERVER:
		return handshake_from_server(rt, rq, &m);
	case MODE_FROM_SECOND_RELAY: /* for a server here, and there is none */
		return drop_request(rt, ERR_UNKNOWN);
	default:
		return drop_request(rt, ERR_VALUE);
	}
}

static int
forward_holepunch(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, const struct holepunch *m)
{
	uint8_t buf[VALUE_MAX];
	size_t len = holepunch_encode(m, buf, sizeof buf);

	return forward_value(rt, rq, hop, (struct bytes){buf, len});
}

static int
holepunch_from_client(
    struct router *rt, const struct dht_request *rq, const struct holepunch *m)
{
	struct holepunch next = {.mode = MODE_FROM_RELAY,
	    .id = m->id,
	    .payload = m->payload,
	    .peer = rq->dg.from};
	struct hop hop;

	if (!hop_to_server(rt, rq, &m->peer, &hop))
		return drop_request(rt, ERR_UNKNOWN);
	return forward_holepunch(rt, rq, &hop, &next);
}

static int
holepunch_from_server(
    struct router *rt, const struct dht_request *rq, const struct holepunch *m)
{
	struct holepunch next = {.mode = MODE_REPLY,
	    .id = m->id,
	    .payload = m->payload,
	    .peer = rq->dg.from};
	struct hop hop = hop_to_client(rt, rq, &m->peer);

	if (m->peer.family == ADDR_NONE)
		hop.to = rq->dg.from;
	return forward_holepunch(rt, rq, &hop, &next);
}

static int
serve_holepunch(
    struct router *rt, const struct dht_request *rq, struct router_call *call)
{
	void *server = records_pinned(rt->r, rq->m.target);
	struct holepunch m;

	if (holepunch_decode(&m, rq->m.value.p, rq->m.value.len) != 0)
		return drop_request(rt, ERR_MALFORMED);
	if (m.payload.len < PUNCH_MIN || m.payload.len > SEALED_MAX)
		return drop_request(rt, ERR_SIZE);
	switch (m.mode) {
	case MODE_FROM_CLIENT:
		return holepunch_from_client(rt, rq, &m);
	case MODE_FROM_SERVER:
		return holepunch_from_server(rt, rq, &m);
	case MODE_FROM_RELAY: /* the last hop of a holepunch (pitfall S4) */
		if (server != NULL)
			return accept_holepunch(rt, rq, server, &m, call);
		return drop_request(rt, ERR_UNKNOWN);
	default:
		return drop_request(rt, ERR_VALUE);
	}
}

int
router_serve(
    struct router *rt, const struct dht_request *rq, struct router_call *call)
{
	if (rq->m.target == NULL || rq->m.value.p == NULL)
		return drop_request(rt, ERR_INCOMPLETE);
	return rq->m.command == CMD_PEER_HANDSHAKE
		   ? serve_handshake(rt, rq, call)
		   : serve_holepunch(rt, rq, call);
}
