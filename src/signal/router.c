/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"
#include "signal/prefix_budget.h"
#include "signal/signal_message.h"
#include "signal/router.h"

/* What a sealed message can measure at all: protocol 03 §3.5, protocol 04 §5.
 */
enum {
	NOISE_1_MIN = 96, /* towards the server: two keys and two tags */
	NOISE_2_MIN = 48, /* towards the client: a key and a tag */
	PUNCH_MIN = 41,   /* nonce, tag, and something in between */
	SEALED_MAX = 1100,
};

enum {
	VALUE_MAX = SEALED_MAX + 64,
	/* A request with id and target, around its value. */
	HEAD_LEN = 1 + 1 + 2 + ADDR_WIRE4_LEN + ID_LEN + 1 + RPC_TARGET_LEN + 3,
};

struct router {
	const struct core *core;
	struct dht *d;
	struct records *r;
	struct prefix_budgets budgets;
};

/*
 * A server answers as many as ask, so that what it sends through us counts
 * for so much less. It is no more than what was asked, and goes where that
 * came from, or the destination's budget ends it.
 */
enum { SERVER_SHARE = 16 };

/* Where a message goes next. */
struct hop {
	struct addr to;
	bool proven; /* its host announced itself here, with a token */
	bool reply;  /* the last hop, to the client: the only RPC reply */
	bool server; /* the sender's host announced itself here */
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
	return rt;
}

void
router_limits_changed(struct router *rt)
{
	prefix_budget_set_max(&rt->budgets, rt->core->limits->forward_hosts);
}

void
router_free(struct router *rt)
{
	if (rt == NULL)
		return;
	prefix_budget_fini(&rt->budgets);
	free(rt);
}

static int
drop(struct router *rt, int err)
{
	return stats_drop(rt->core->stats, err);
}

static int
refuse(struct router *rt, int err)
{
	rt->core->stats->forward_refused++;
	return drop(rt, err);
}

/*
 * The hop towards the server: the address that the message names, if any, else
 * the one that the server announced itself from. False if there is neither.
 */
static bool
hop_to_server(const struct router *rt, const struct dht_request *rq,
    const struct addr *named, struct hop *hop)
{
	struct addr known = {.family = ADDR_NONE};
	bool announced = records_forward_for(rt->r, rq->m.target, &known);

	if (named->family == ADDR_NONE) {
		*hop = (struct hop){.to = known, .proven = true};
		return announced;
	}
	*hop = (struct hop){.to = *named};
	hop->proven = announced && addr_same_host(named, &known);
	return true;
}

/* Both sides must have the bytes; who finds the other's spent keeps his. */
static bool
spend(struct router *rt, const struct addr *from, const struct hop *hop,
    size_t len)
{
	const struct limits *l = rt->core->limits;
	struct prefix_budget_rate rate = {l->forward_burst, l->forward_rate};
	size_t cost = hop->server ? len / SERVER_SHARE : len;
	struct bucket *source;

	if (dht_is_private(rt->d))
		return true;
	source = prefix_budget_get(&rt->budgets, from, &rate);
	if (source == NULL || source->left < cost ||
	    (!hop->proven && !dht_charge(rt->d, &hop->to, len)))
		return false;
	return bucket_take(source, (uint32_t)cost);
}

static int
deliver(struct router *rt, const struct dht_request *rq, const struct hop *hop,
    struct bytes value)
{
	return hop->reply ? dht_reply_at(rt->d, rq, &hop->to, value)
			  : dht_forward(rt->d, rq, &hop->to, value);
}

static int
pass(struct router *rt, const struct dht_request *rq, const struct hop *hop,
    struct bytes value)
{
	int err;

	if (!dht_may_send(rt->d, &hop->to))
		return refuse(rt, ERR_PRIVATE);
	if (!spend(rt, &rq->dg.from, hop, HEAD_LEN + value.len))
		return refuse(rt, ERR_BUDGET);
	err = deliver(rt, rq, hop, value);
	if (err == 0)
		rt->core->stats->forwarded++;
	return err;
}

static int
pass_handshake(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, const struct handshake *m)
{
	uint8_t buf[VALUE_MAX];
	size_t len = handshake_encode(m, buf, sizeof buf);

	return pass(rt, rq, hop, (struct bytes){buf, len});
}

/* ---- for a key that listens here ---- */

static int
hand_up(void *server, const struct dht_request *rq, uint64_t mode,
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
handshake_local(struct router *rt, const struct dht_request *rq, void *server,
    const struct handshake *m, struct router_call *call)
{
	bool second = m->mode == MODE_FROM_SECOND_RELAY;
	int verdict;

	if (m->mode != MODE_FROM_CLIENT && m->mode != MODE_FROM_RELAY &&
	    !second)
		return drop(rt, ERR_VALUE);
	if ((m->mode != MODE_FROM_CLIENT && m->peer.family == ADDR_NONE) ||
	    (second && m->relay.family == ADDR_NONE))
		return drop(rt, ERR_INCOMPLETE);
	verdict = hand_up(server, rq, m->mode, &m->peer, call);
	call->ticket.relay = m->relay;
	call->sealed = m->noise;
	return verdict;
}

static int
holepunch_local(struct router *rt, const struct dht_request *rq, void *server,
    const struct holepunch *m, struct router_call *call)
{
	int verdict;

	if (m->peer.family == ADDR_NONE)
		return drop(rt, ERR_INCOMPLETE);
	verdict = hand_up(server, rq, m->mode, &m->peer, call);
	call->id = m->id;
	call->sealed = m->payload;
	return verdict;
}

/* Where the answer to a call goes: to the client, or back to its relay. */
static struct hop
hop_back(const struct router_ticket *t)
{
	return (struct hop){
	    .to = t->mode == MODE_FROM_SECOND_RELAY ? t->relay : t->from,
	    .reply = t->mode == MODE_FROM_CLIENT,
	};
}

static size_t
answer_encode(const struct router_ticket *t, struct bytes sealed, bool reply,
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
	size_t len = answer_encode(t, sealed, hop.reply, buf, sizeof buf);
	struct dht_request rq = {
	    .dg = {.sock = t->sock, .from = t->from, .local = t->local},
	    .m = {.tid = t->tid, .command = t->command, .target = t->target},
	};

	if (sock != WORLD_NO_SOCK && sock != t->sock) {
		rq.dg.sock = sock;
		rq.dg.local = (struct addr){0};
	}
	if (!dht_may_send(rt->d, &hop.to))
		return refuse(rt, ERR_PRIVATE);
	/* Who asks in another's name gets that other no more than this. */
	if (!dht_charge(rt->d, &hop.to, HEAD_LEN + len))
		return refuse(rt, ERR_BUDGET);
	return deliver(rt, &rq, &hop, (struct bytes){buf, len});
}

/* ---- for others ---- */

static int
handshake_from_client(
    struct router *rt, const struct dht_request *rq, const struct handshake *m)
{
	struct handshake next = {
	    .mode = MODE_FROM_RELAY, .noise = m->noise, .peer = rq->dg.from};
	struct hop hop;

	/* Others may know the server; the client need not wait in vain. */
	if (!hop_to_server(rt, rq, &m->relay, &hop))
		return dht_reply(
		    rt->d, rq, &(struct dht_reply){.closer = true});
	return pass_handshake(rt, rq, &hop, &next);
}

/* We are the second relay, named by the client to the first. */
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
		return drop(rt, ERR_INCOMPLETE);
	if (!hop_to_server(rt, rq, &nowhere, &hop))
		return drop(rt, ERR_UNKNOWN);
	return pass_handshake(rt, rq, &hop, &next);
}

/* Back to the client, or to whoever the server says has asked. */
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
		return drop(rt, ERR_INCOMPLETE);
	return pass_handshake(rt, rq, &hop, &next);
}

static bool
noise_fits(const struct handshake *m)
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
		return drop(rt, ERR_MALFORMED);
	if (!noise_fits(&m))
		return drop(rt, ERR_SIZE);
	if (server != NULL)
		return handshake_local(rt, rq, server, &m, call);
	switch (m.mode) {
	case MODE_FROM_CLIENT:
		return handshake_from_client(rt, rq, &m);
	case MODE_FROM_RELAY:
		return handshake_from_relay(rt, rq, &m);
	case MODE_FROM_SERVER:
		return handshake_from_server(rt, rq, &m);
	case MODE_FROM_SECOND_RELAY: /* for a server here, and there is none */
		return drop(rt, ERR_UNKNOWN);
	default:
		return drop(rt, ERR_VALUE);
	}
}

static int
pass_holepunch(struct router *rt, const struct dht_request *rq,
    const struct hop *hop, const struct holepunch *m)
{
	uint8_t buf[VALUE_MAX];
	size_t len = holepunch_encode(m, buf, sizeof buf);

	return pass(rt, rq, hop, (struct bytes){buf, len});
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
		return drop(rt, ERR_UNKNOWN);
	return pass_holepunch(rt, rq, &hop, &next);
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
	return pass_holepunch(rt, rq, &hop, &next);
}

static int
serve_holepunch(
    struct router *rt, const struct dht_request *rq, struct router_call *call)
{
	void *server = records_pinned(rt->r, rq->m.target);
	struct holepunch m;

	if (holepunch_decode(&m, rq->m.value.p, rq->m.value.len) != 0)
		return drop(rt, ERR_MALFORMED);
	if (m.payload.len < PUNCH_MIN || m.payload.len > SEALED_MAX)
		return drop(rt, ERR_SIZE);
	switch (m.mode) {
	case MODE_FROM_CLIENT:
		return holepunch_from_client(rt, rq, &m);
	case MODE_FROM_SERVER:
		return holepunch_from_server(rt, rq, &m);
	case MODE_FROM_RELAY: /* its way ends here (pitfall S4) */
		if (server != NULL)
			return holepunch_local(rt, rq, server, &m, call);
		return drop(rt, ERR_UNKNOWN);
	default:
		return drop(rt, ERR_VALUE);
	}
}

int
router_serve(
    struct router *rt, const struct dht_request *rq, struct router_call *call)
{
	if (rq->m.target == NULL || rq->m.value.p == NULL)
		return drop(rt, ERR_INCOMPLETE);
	return rq->m.command == CMD_PEER_HANDSHAKE
		   ? serve_handshake(rt, rq, call)
		   : serve_holepunch(rt, rq, call);
}
