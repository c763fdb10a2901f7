/* SPDX-License-Identifier: ISC */
#include "relay/relay_server.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/err.h"
#include "base/hash.h"
#include "relay/relay_message.h"
#include "relay/relay_share.h"
#include "stream/mux.h"

/* When a client that was refused its share asks again. */
enum { FULL_RETRY_S = 60 };

enum pairing_state {
	PAIRING_WAITING, /* in server.waiting and by_token */
	PAIRING_MATCHED, /* in server.changed: RELAY_ORDER_LINK is pending */
	PAIRING_LINKED,  /* its streams exist */
	PAIRING_ENDING,  /* in server.changed: RELAY_ORDER_UNLINK is pending */
};

/* One half of a pairing. */
struct relay_place {
	TAILQ_ENTRY(relay_place) link;
	struct relay_session *session; /* NULL: not taken */
	struct relay_pairing *pairing;
	uint32_t stream_id; /* of the client */
};

struct relay_pairing {
	UT_hash_handle hh; /* in server.by_token while it waits */
	TAILQ_ENTRY(relay_pairing) link;
	enum pairing_state state;
	uint64_t since_us;
	void *owner; /* once linked */
	uint8_t token[RELAY_TOKEN_LEN];
	struct relay_place places[RELAY_ROLE_MAX];
};

struct relay_session {
	TAILQ_ENTRY(relay_session) link; /* in server.idle or server.expelled */
	struct relay_server *server;
	struct mux *mux;
	uint32_t number;
	uint32_t channel; /* 0: closed */
	bool native;      /* it understands RELAY_REFUSED */
	enum session_list { LIST_NONE, LIST_IDLE, LIST_EXPELLED } list;
	uint64_t idle_us; /* since when it has had no place */
	struct relay_holder holder;
	TAILQ_HEAD(, relay_place) places;
	uint32_t places_len;
};

TAILQ_HEAD(pairing_list, relay_pairing);
TAILQ_HEAD(session_list_head, relay_session);

/*
 * Timers:
 *	timer  the oldest waiting place or the longest idle session expires
 */
struct relay_server {
	const struct core *core;
	struct relay_pairing *by_token;
	struct pairing_list waiting; /* oldest first */
	struct pairing_list changed; /* with an order */
	struct session_list_head idle, expelled;
	struct relay_shares shares;
	struct timer timer;
	uint32_t waiting_len, linked_len;
};

static uint64_t
now_us(const struct relay_server *s)
{
	return s->core->world->now_us;
}

static uint64_t
wait_us(const struct relay_server *s)
{
	return s->core->limits->relay_wait_seconds * UINT64_C(1000000);
}

/* ---- the timer ---- */

static void
arm_timer(struct relay_server *s)
{
	const struct relay_pairing *p = TAILQ_FIRST(&s->waiting);
	const struct relay_session *ss = TAILQ_FIRST(&s->idle);
	uint64_t since = UINT64_MAX;

	if (p != NULL)
		since = p->since_us;
	if (ss != NULL && ss->idle_us < since)
		since = ss->idle_us;
	if (since == UINT64_MAX)
		timer_disarm(s->core->timers, &s->timer);
	else
		timer_arm(s->core->timers, &s->timer, since + wait_us(s));
}

/* ---- lists of sessions ---- */

/* Moves a session to a list. No other function does. */
static void
session_set_list(struct relay_session *ss, enum session_list list)
{
	struct relay_server *s = ss->server;

	if (ss->list == LIST_IDLE)
		TAILQ_REMOVE(&s->idle, ss, link);
	else if (ss->list == LIST_EXPELLED)
		TAILQ_REMOVE(&s->expelled, ss, link);
	ss->list = list;
	if (list == LIST_IDLE) {
		ss->idle_us = now_us(s);
		TAILQ_INSERT_TAIL(&s->idle, ss, link);
	} else if (list == LIST_EXPELLED) {
		TAILQ_INSERT_TAIL(&s->expelled, ss, link);
	}
	arm_timer(s);
}

/* ---- pairings ---- */

/* Sets the state and moves the pairing to its list. No other function does. */
static void
pairing_set_state(
    struct relay_server *s, struct relay_pairing *p, enum pairing_state state)
{
	assert(state > p->state);
	if (p->state == PAIRING_WAITING) {
		TAILQ_REMOVE(&s->waiting, p, link);
		HASH_DELETE(hh, s->by_token, p);
		s->waiting_len--;
		arm_timer(s);
	} else if (p->state == PAIRING_MATCHED) {
		TAILQ_REMOVE(&s->changed, p, link);
	} else {
		s->linked_len--;
	}
	p->state = state;
	if (state == PAIRING_LINKED)
		s->linked_len++;
	else
		TAILQ_INSERT_TAIL(&s->changed, p, link);
}

static void
leave_place(struct relay_place *pl)
{
	struct relay_session *ss = pl->session;

	if (ss == NULL)
		return;
	TAILQ_REMOVE(&ss->places, pl, link);
	pl->session = NULL;
	ss->places_len--;
	if (ss->places_len > 0)
		relay_holder_give(&ss->server->shares, &ss->holder);
	else if (ss->list == LIST_NONE)
		session_set_list(ss, LIST_IDLE);
}

static void
pairing_free(struct relay_server *s, struct relay_pairing *p)
{
	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		leave_place(&p->places[i]);
	switch (p->state) {
	case PAIRING_WAITING:
		TAILQ_REMOVE(&s->waiting, p, link);
		HASH_DELETE(hh, s->by_token, p);
		s->waiting_len--;
		arm_timer(s);
		break;
	case PAIRING_LINKED:
		s->linked_len--;
		break;
	default:
		TAILQ_REMOVE(&s->changed, p, link);
	}
	sodium_memzero(p->token, sizeof p->token);
	free(p);
}

/* Ends a pairing of which a session has withdrawn. */
static void
end_pairing(struct relay_server *s, struct relay_pairing *p)
{
	if (p->state != PAIRING_LINKED) {
		pairing_free(s, p);
		return;
	}
	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		leave_place(&p->places[i]);
	pairing_set_state(s, p, PAIRING_ENDING);
}

static struct relay_pairing *
find_by_token(const struct relay_server *s, const uint8_t *token, uint32_t hash)
{
	struct relay_pairing *p;

	HASH_FIND_BYHASHVALUE(hh, s->by_token, token, RELAY_TOKEN_LEN, hash, p);
	return p;
}

/* Returns a new pairing in state WAITING with no place taken, or NULL. */
static struct relay_pairing *
pairing_new(struct relay_server *s, const uint8_t *token, uint32_t hash)
{
	struct relay_pairing *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->since_us = now_us(s);
	memcpy(p->token, token, RELAY_TOKEN_LEN);
	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		p->places[i].pairing = p;
	HASH_ADD_BYHASHVALUE(hh, s->by_token, token, RELAY_TOKEN_LEN, hash, p);
	if (p->hh.tbl == NULL) {
		free(p);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&s->waiting, p, link);
	s->waiting_len++;
	arm_timer(s);
	return p;
}

static void
on_timer(struct timer *t)
{
	struct relay_server *s = container_of(t, struct relay_server, timer);
	struct relay_pairing *p;
	struct relay_session *ss;

	while ((p = TAILQ_FIRST(&s->waiting)) != NULL &&
	       p->since_us + wait_us(s) <= now_us(s)) {
		s->core->stats->relayed_halves_expired++;
		pairing_free(s, p);
	}
	while ((ss = TAILQ_FIRST(&s->idle)) != NULL &&
	       ss->idle_us + wait_us(s) <= now_us(s))
		session_set_list(ss, LIST_EXPELLED);
	arm_timer(s);
}

/* ---- life ---- */

struct relay_server *
relay_server_new(const struct core *core)
{
	struct relay_server *s = calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	s->core = core;
	s->timer.fire = on_timer;
	TAILQ_INIT(&s->waiting);
	TAILQ_INIT(&s->changed);
	TAILQ_INIT(&s->idle);
	TAILQ_INIT(&s->expelled);
	relay_shares_init(&s->shares, core);
	return s;
}

void
relay_server_free(struct relay_server *s)
{
	struct relay_pairing *p;

	if (s == NULL)
		return;
	/* RELAY_ORDER_UNLINK is pending for these: their sessions have ended.
	 */
	while ((p = TAILQ_FIRST(&s->changed)) != NULL)
		pairing_free(s, p);
	assert(s->waiting_len == 0 && s->linked_len == 0);
	timer_disarm(s->core->timers, &s->timer);
	relay_shares_fini(&s->shares);
	free(s);
}

static int
open_channel(struct relay_session *ss, const uint8_t *key)
{
	struct mux_name name = {.protocol = {(const uint8_t *)RELAY_PROTOCOL,
				    sizeof RELAY_PROTOCOL - 1},
	    .id = {key, KEY_LEN}};

	return mux_open(ss->mux, &name, (struct bytes){0}, &ss->channel);
}

int
relay_session_new(struct relay_server *s, const struct relay_peer *peer,
    struct relay_session **out)
{
	struct relay_session *ss = calloc(1, sizeof *ss);
	int err;

	if (ss == NULL)
		return ERR_MEMORY;
	ss->server = s;
	ss->number = peer->number;
	ss->native = peer->native;
	TAILQ_INIT(&ss->places);
	err = relay_holder_init(
	    &s->shares, &ss->holder, peer->key, &peer->addr, peer->exempt);
	if (err != 0) {
		s->core->stats->relayed_sessions_refused += err == ERR_LIMIT;
		free(ss);
		return err;
	}
	ss->mux = mux_new();
	err = ss->mux != NULL ? open_channel(ss, peer->key) : ERR_MEMORY;
	if (err != 0) {
		mux_free(ss->mux);
		relay_holder_fini(&s->shares, &ss->holder);
		free(ss);
		return err;
	}
	s->core->stats->relayed_sessions++;
	session_set_list(ss, LIST_IDLE);
	*out = ss;
	return 0;
}

static void
end_pairings(struct relay_session *ss)
{
	struct relay_place *pl;

	while ((pl = TAILQ_FIRST(&ss->places)) != NULL)
		end_pairing(ss->server, pl->pairing);
}

void
relay_session_free(struct relay_session *ss)
{
	if (ss == NULL)
		return;
	end_pairings(ss);
	session_set_list(ss, LIST_NONE);
	relay_holder_fini(&ss->server->shares, &ss->holder);
	mux_free(ss->mux);
	free(ss);
}

/* ---- reading ---- */

void
relay_session_refuse(struct relay_session *ss, const struct relay_refusal *why)
{
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len = relay_refusal_encode(why, body, sizeof body);

	ss->server->core->stats->relayed_pairs_refused++;
	/* A client that reads nothing finds its queue full. */
	if (ss->native &&
	    mux_send(ss->mux, ss->channel, RELAY_REFUSED, body, len) != 0)
		session_set_list(ss, LIST_EXPELLED);
	mux_close(ss->mux, ss->channel);
	ss->channel = 0;
	end_pairings(ss);
}

/* Takes a place for the session. Returns 0, or ERR_LIMIT if it has its share
 * already. The first place is included in the session. */
static int
take_place(struct relay_session *ss, struct relay_pairing *p,
    const struct relay_pair *m)
{
	struct relay_place *pl =
	    &p->places[m->initiator ? RELAY_ROLE_INITIATOR
				    : RELAY_ROLE_RESPONDER];

	if (ss->places_len > 0 &&
	    relay_holder_take(&ss->server->shares, &ss->holder) != 0)
		return ERR_LIMIT;
	pl->session = ss;
	pl->stream_id = m->stream_id;
	TAILQ_INSERT_TAIL(&ss->places, pl, link);
	ss->places_len++;
	if (ss->list == LIST_IDLE)
		session_set_list(ss, LIST_NONE);
	return 0;
}

static int
on_pair(struct relay_session *ss, const struct relay_pair *m)
{
	struct relay_server *s = ss->server;
	uint32_t hash =
	    hash_bytes(&s->core->hash_key, m->token, RELAY_TOKEN_LEN);
	struct relay_pairing *p = find_by_token(s, m->token, hash);
	bool is_new = p == NULL;

	/* One that requests pairings without end is cut off at once. */
	if (ss->places_len >= s->core->limits->relay_session_pairings) {
		s->core->stats->relayed_pairs_refused++;
		return ERR_LIMIT;
	}
	if (is_new)
		p = pairing_new(s, m->token, hash);
	if (p == NULL)
		return ERR_MEMORY;
	if (p->places[m->initiator].session != NULL)
		return 0; /* taken: ignored, as in the reference */
	if (take_place(ss, p, m) != 0) {
		if (is_new)
			pairing_free(s, p);
		relay_session_refuse(ss,
		    &(struct relay_refusal){RELAY_REASON_FULL, FULL_RETRY_S});
		return 0;
	}
	if (p->places[!m->initiator].session != NULL)
		pairing_set_state(s, p, PAIRING_MATCHED);
	return 0;
}

/* Ends the pairings of that token of which the session itself holds a place.
 * Others cannot end them, though they know the token. */
static void
on_unpair(struct relay_session *ss, const struct relay_unpair *m)
{
	struct relay_place *pl = TAILQ_FIRST(&ss->places);

	while (pl != NULL)
		if (sodium_memcmp(
			pl->pairing->token, m->token, RELAY_TOKEN_LEN) == 0) {
			end_pairing(ss->server, pl->pairing);
			pl = TAILQ_FIRST(&ss->places);
		} else {
			pl = TAILQ_NEXT(pl, link);
		}
}

static int
on_message(struct relay_session *ss, uint64_t type, struct bytes body)
{
	struct relay_pair pair;
	struct relay_unpair unpair;
	int err = 0;

	if (type == RELAY_PAIR) {
		err = relay_pair_decode(&pair, body.p, body.len);
		if (err == 0)
			err = on_pair(ss, &pair);
	} else if (type == RELAY_UNPAIR) {
		err = relay_unpair_decode(&unpair, body.p, body.len);
		if (err == 0)
			on_unpair(ss, &unpair);
	}
	return err;
}

static int
on_event(struct relay_session *ss, const struct mux_event *ev)
{
	if (ev->kind == MUX_OFFER) {
		mux_reject(ss->mux, ev->channel);
	} else if (ss->channel == 0 || ev->channel != ss->channel) {
		return 0;
	} else if (ev->kind == MUX_CLOSED) {
		ss->channel = 0;
		end_pairings(ss);
	} else if (ev->kind == MUX_MESSAGE) {
		return on_message(ss, ev->type, ev->body);
	}
	return 0;
}

int
relay_session_read(struct relay_session *ss, struct bytes message)
{
	struct mux_event ev;
	int result, err;

	while ((result = mux_read(ss->mux, message, &ev)) == MUX_EVENT)
		if ((err = on_event(ss, &ev)) != 0)
			return err;
	/* Every offer is rejected at once, so that an honest client never
	 * fills the queue. */
	return result == MUX_WAIT ? ERR_LIMIT : result;
}

struct bytes
relay_session_peek(const struct relay_session *ss)
{
	return mux_peek(ss->mux);
}

void
relay_session_consume(struct relay_session *ss)
{
	mux_consume(ss->mux);
}

/* ---- orders ---- */

static void
order_link(
    struct relay_server *s, struct relay_pairing *p, struct relay_order *out)
{
	out->kind = RELAY_ORDER_LINK;
	out->pairing = p;
	for (int i = 0; i < RELAY_ROLE_MAX; i++)
		out->end[i] = (struct relay_end){
		    p->places[i].session->number, p->places[i].stream_id};
	pairing_set_state(s, p, PAIRING_LINKED);
}

bool
relay_server_next(struct relay_server *s, struct relay_order *out)
{
	struct relay_pairing *p = TAILQ_FIRST(&s->changed);
	struct relay_session *ss = TAILQ_FIRST(&s->expelled);

	*out = (struct relay_order){.kind = RELAY_ORDER_EXPEL};
	if (p != NULL && p->state == PAIRING_MATCHED) {
		order_link(s, p, out);
	} else if (p != NULL) {
		out->kind = RELAY_ORDER_UNLINK;
		out->owner = p->owner;
		pairing_free(s, p);
	} else if (ss != NULL) {
		out->end[0].session = ss->number;
		session_set_list(ss, LIST_NONE);
	} else {
		return false;
	}
	return true;
}

static void
send_pair(struct relay_session *ss, const struct relay_pair *m)
{
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len = relay_pair_encode(m, body, sizeof body);

	/* A client that reads nothing finds its queue full. */
	if (mux_send(ss->mux, ss->channel, RELAY_PAIR, body, len) != 0)
		session_set_list(ss, LIST_EXPELLED);
}

void
relay_server_linked(struct relay_server *s, struct relay_pairing *p,
    void *owner, const uint32_t stream_id[RELAY_ROLE_MAX])
{
	struct relay_pair m = {0};

	assert(p->state == PAIRING_LINKED);
	p->owner = owner;
	s->core->stats->relayed_pairings++;
	memcpy(m.token, p->token, RELAY_TOKEN_LEN);
	for (int i = 0; i < RELAY_ROLE_MAX; i++) {
		m.initiator = i == RELAY_ROLE_INITIATOR;
		m.stream_id = stream_id[i];
		send_pair(p->places[i].session, &m);
	}
}

void
relay_server_ended(struct relay_server *s, struct relay_pairing *p)
{
	assert(p->state == PAIRING_LINKED);
	pairing_free(s, p);
}

/* ---- status ---- */

void
relay_server_status(
    const struct relay_server *s, struct relay_server_status *out)
{
	*out = (struct relay_server_status){
	    .sessions = s->shares.len,
	    .waiting = s->waiting_len,
	    .linked = s->linked_len,
	};
}
