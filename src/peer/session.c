/* SPDX-License-Identifier: ISC */
#include "peer/session.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/conn_punch.h"
#include "peer/conn_struct.h"
#include "peer/listener_struct.h"

enum {
	/*
	 * For a decision, and for the client's first packet: protocol 03 §7.1.
	 */
	WAIT_MS = 10000,
	/* Copies are received after success too, above all from open clients:
	 * pitfall V2. */
	KEEP_MS = 10000,
	/* A handshake of an unvalidated source is charged as much as so many
	 * that arrive through one of our relays, which has many clients. */
	UNVALIDATED_COST = 16,
};

/* ---- the table ---- */

/* Hashes the message together with the key it was addressed to, so that a copy
 * sent to another key is not taken for this one. */
static void
hash_message(
    uint8_t out[HASH_LEN], const struct listener *l, struct bytes message)
{
	uint8_t both[HASH_LEN + KEY_LEN];

	hash_blake2b(both, message.p, message.len);
	memcpy(both + HASH_LEN, l->keys->public_key, KEY_LEN);
	hash_blake2b(out, both, sizeof both);
}

static uint32_t
short_hash(const struct listeners *ls, const uint8_t *digest)
{
	return hash_bytes(&ls->peers->core->hash_key, digest, HASH_LEN);
}

static struct session *
find_session(const struct listeners *ls, const uint8_t *digest, uint32_t hash)
{
	uint32_t at = pool_index_first(&ls->sessions.by_message, hash);

	for (; at != 0; at = pool_index_next(&ls->sessions.by_message, at)) {
		struct session *s = pool_at(&ls->sessions.pool, at);

		if (memcmp(s->digest, digest, HASH_LEN) == 0)
			return s;
	}
	return NULL;
}

static void
arm_expiry(struct session *s, uint32_t ms)
{
	struct peers *p = s->ls->peers;

	timer_arm(p->core->timers, &s->expiry, peers_after_ms(p, ms));
}

static void
free_offer(struct session *s)
{
	if (s->offer == NULL)
		return;
	incoming_wipe(&s->offer->in);
	free(s->offer);
	s->offer = NULL;
}

static void
remove_half_open(struct session *s)
{
	struct sessions *ss = &s->ls->sessions;

	TAILQ_REMOVE(&ss->half_open, s, age);
	ss->half_open_len--;
	prefix_groups_remove(&ss->half_open_by_prefix, s->id);
}

/* The only place that changes the state; keeps the lists by age. */
static void
session_set_state(struct session *s, enum session_state state)
{
	struct sessions *ss = &s->ls->sessions;

	assert(s->state != SESSION_DONE);
	s->state = state;
	if (state != SESSION_DONE)
		return;
	remove_half_open(s);
	TAILQ_INSERT_TAIL(&ss->done, s, age);
}

static void
session_free(struct session *s)
{
	struct listeners *ls = s->ls;
	uint32_t at = s->id;

	free_offer(s);
	if (s->conn != NULL)
		conn_disown(s->conn);
	timer_disarm(ls->peers->core->timers, &s->expiry);
	if (s->state == SESSION_DONE)
		TAILQ_REMOVE(&ls->sessions.done, s, age);
	else
		remove_half_open(s);
	free(s->answer);
	s->id = 0; /* session_punch() finds it no more */
	pool_index_del(&ls->sessions.by_message, at);
	pool_put(&ls->sessions.pool, at);
}

/* Ends a session; its answer is kept for late copies. */
static void
finish_session(struct session *s)
{
	if (s->state == SESSION_DONE)
		return;
	free_offer(s);
	session_set_state(s, SESSION_DONE);
	arm_expiry(s, KEEP_MS);
}

/* Handles the opening or the failure of the connection: conn_spec.settled. */
static void
on_settled(void *owner, struct conn *c, int err)
{
	struct session *s = owner;
	struct listener *l = listener_by_number(s->ls, s->listener);

	s->conn = NULL;
	s->answer_sock = WORLD_NO_SOCK; /* the stream's by now, or closed */
	if (l != NULL && !conn_is_redial(c))
		l->accepted += err == 0;
	finish_session(s);
}

/* Ends a session through its connection, so that the connection fails too. */
static void
fail_session(struct session *s, int err)
{
	if (s->conn != NULL)
		conn_fail(s->conn, err);
	else
		finish_session(s);
}

static void
on_expiry_timer(struct timer *t)
{
	struct session *s = container_of(t, struct session, expiry);

	if (s->state == SESSION_DONE)
		session_free(s);
	else if (s->conn != NULL && conn_is_punching(s->conn))
		arm_expiry(s, WAIT_MS); /* it has its own: pitfall V6 */
	else
		fail_session(s, ERR_TIMEOUT);
}

/* ---- limits: pitfall V4 ---- */

static void
evict_session(struct session *s)
{
	s->ls->peers->core->stats->handshakes_evicted++;
	fail_session(s, ERR_LIMIT);
}

/* Evicts sessions down to max: those that are done first, oldest first. */
static void
shrink_pool(struct listeners *ls, uint32_t max)
{
	while (ls->sessions.pool.len > max) {
		if (TAILQ_EMPTY(&ls->sessions.done))
			evict_session(TAILQ_FIRST(&ls->sessions.half_open));
		session_free(TAILQ_FIRST(&ls->sessions.done));
	}
}

/*
 * Returns the limit of half-open sessions. Unless we are open, each of them
 * uses a puncher; a quarter of the punchers is reserved for our own dials.
 */
static uint32_t
half_open_max(const struct listeners *ls)
{
	const struct dht *d = ls->peers->base.dht;
	const struct limits *l = ls->peers->core->limits;
	uint32_t punching = l->punchers - l->punchers / 4;

	return dht_open_address(d) == NULL && punching < l->half_open
		   ? punching
		   : l->half_open;
}

/* Evicts a session for a new one: of the same /24 if that has its share, or
 * else the oldest. A full table never refuses. */
static void
make_space(struct listeners *ls, const struct addr *payer)
{
	const struct prefix_groups *g = &ls->sessions.half_open_by_prefix;
	const struct limits *l = ls->peers->core->limits;

	if (!dht_is_private(ls->peers->base.dht) &&
	    prefix_groups_count(g, payer) >= l->half_open_prefix)
		evict_session(pool_at(
		    &ls->sessions.pool, prefix_groups_oldest(g, payer)));
	else if (ls->sessions.half_open_len >= half_open_max(ls))
		evict_session(TAILQ_FIRST(&ls->sessions.half_open));
	shrink_pool(ls, ls->sessions.pool.limit - 1);
}

static struct bucket *
budget_of(struct listeners *ls, const struct addr *from)
{
	const struct limits *l = ls->peers->core->limits;
	struct prefix_budget_rate rate = {l->handshake_burst * UNVALIDATED_COST,
	    l->handshake_rate * UNVALIDATED_COST};

	return prefix_budget_get(&ls->sessions.budgets, from, &rate);
}

static bool
charge_budget(struct listeners *ls, const struct addr *from, uint32_t cost)
{
	struct bucket *b = budget_of(ls, from);

	return b != NULL && bucket_take(b, cost);
}

/*
 * Returns the address that is charged for a handshake. Our own relays may name
 * the client; any other source is charged itself, or it could exhaust the
 * budgets of other hosts, and evict their handshakes, by naming them.
 */
static const struct addr *
payer_of(const struct listener *l, const struct router_call *call)
{
	return announced_through(l->announced, &call->ticket.from)
		   ? &call->client
		   : &call->ticket.from;
}

/* Charges the handshake. A relay without a budget of its own cannot charge
 * that of its clients. */
static bool
may_compute(const struct listener *l, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	const struct addr *payer = payer_of(l, call);
	struct bucket *relay;

	if (dht_is_private(ls->peers->base.dht))
		return true;
	if (payer == &call->ticket.from)
		return charge_budget(ls, payer, UNVALIDATED_COST);
	relay = budget_of(ls, &call->ticket.from);
	return relay != NULL && relay->left > 0 &&
	       charge_budget(ls, payer, UNVALIDATED_COST) &&
	       charge_budget(ls, &call->ticket.from, 1);
}

/* ---- new sessions ---- */

/* Adds a cell to the index by message and counts it for its payer. */
static int
index_session(
    struct sessions *ss, uint32_t at, uint32_t hash, const struct addr *payer)
{
	int err = prefix_groups_add(&ss->half_open_by_prefix, at, payer);

	if (err != 0)
		return err;
	err = pool_index_add(&ss->by_message, at, hash);
	if (err != 0)
		prefix_groups_remove(&ss->half_open_by_prefix, at);
	return err;
}

static struct session *
session_new(struct listener *l, const struct incoming *in,
    const uint8_t *digest, uint32_t hash)
{
	const struct addr *payer = payer_of(l, &in->call);
	struct listeners *ls = l->ls;
	struct session *s;
	uint32_t at;

	make_space(ls, payer);
	if ((at = pool_get(&ls->sessions.pool)) == 0)
		return NULL;
	if (index_session(&ls->sessions, at, hash, payer) != 0) {
		pool_put(&ls->sessions.pool, at);
		return NULL;
	}
	s = pool_at(&ls->sessions.pool, at);
	memcpy(s->digest, digest, HASH_LEN);
	s->ls = ls;
	s->id = at;
	s->listener = l->number;
	s->state = SESSION_ANSWERED;
	s->expiry.fire = on_expiry_timer;
	s->answer_sock = WORLD_NO_SOCK;
	TAILQ_INSERT_TAIL(&ls->sessions.half_open, s, age);
	ls->sessions.half_open_len++;
	arm_expiry(s, WAIT_MS);
	return s;
}

/* Returns the address that counts until the connection is open: that of the
 * client only if one of our own relays names it. */
static const struct addr *
slot_address(const struct listener *l, const struct router_call *call)
{
	return announced_through(l->announced, &call->ticket.from)
		   ? &call->client
		   : &call->ticket.from;
}

static int
make_conn(
    struct session *s, const struct listener *l, const struct incoming *in)
{
	struct conn_spec spec = {
	    .key = in->noise.rs,
	    .own_key = l->keys->public_key,
	    .listener = l->number,
	    .redial = (in->theirs.features & PAYLOAD_REDIAL) != 0,
	    .settled = on_settled,
	    .owner = s,
	};
	int err;

	s->conn = conn_new(s->ls->peers, &spec, &err);
	if (s->conn == NULL)
		return err;
	return spec.redial
		   ? 0
		   : conn_slot_reserve(s->conn, l, slot_address(l, &in->call));
}

static int
send_answer(const struct session *s, const struct router_ticket *t)
{
	struct bytes answer = {s->answer, s->answer_len};

	if (s->answer_sock != WORLD_NO_SOCK)
		conn_punch_sent(s->conn, &t->from);
	return router_answer(
	    s->ls->peers->base.router, t, answer, s->answer_sock);
}

static int
offer_session(struct session *s, const struct incoming *in)
{
	if ((s->offer = malloc(sizeof *s->offer)) == NULL)
		return ERR_MEMORY;
	s->offer->in = *in;
	s->offer->copies_len = 0;
	session_set_state(s, SESSION_ASKED);
	conn_offer(s->conn, &in->call.client);
	return 0;
}

/* Writes the answer, which does not change any more, and sends it. */
static int
answer_session(struct session *s, const struct incoming *in, uint64_t error)
{
	int err;

	session_set_state(s, SESSION_ANSWERED);
	err = accept_answer(s, in, error);
	if (err != 0)
		return err;
	s->ls->peers->core->stats->handshakes++;
	(void)send_answer(s, &in->call.ticket);
	if (error != SIGNAL_OK)
		finish_session(s);
	return 0;
}

/* Tells the client to try again later: there is no slot for it now. */
static int
refuse_session(struct session *s, struct listener *l, const struct incoming *in)
{
	l->refused++;
	s->ls->peers->core->stats->conns_refused++;
	return answer_session(s, in, SIGNAL_TRY_LATER);
}

/* Returns the error (enum signal_error) to answer the client with. */
static uint64_t
judge_session(struct session *s, struct listener *l, const struct incoming *in)
{
	bool redial = (in->theirs.features & PAYLOAD_REDIAL) != 0;
	uint64_t error = accept_judge(&in->theirs);

	if (error == SIGNAL_OK && redial &&
	    !conn_redial_accept(
		s->ls->peers, l->keys->public_key, in->noise.rs))
		error = SIGNAL_ABORTED;
	return error;
}

static int
begin_session(struct session *s, struct listener *l, const struct incoming *in)
{
	bool redial = (in->theirs.features & PAYLOAD_REDIAL) != 0;
	uint64_t error = judge_session(s, l, in);
	int err;

	if (error != SIGNAL_OK)
		return answer_session(s, in, error);
	if (!redial &&
	    !conn_slot_admit(l, in->noise.rs, slot_address(l, &in->call)))
		return refuse_session(s, l, in);
	err = make_conn(s, l, in);
	if (err == ERR_LIMIT)
		return refuse_session(s, l, in);
	if (err != 0)
		return err;
	return l->ask && !redial ? offer_session(s, in)
				 : answer_session(s, in, SIGNAL_OK);
}

/* Removes all trace of a session that failed for lack of resources: a copy may
 * succeed. */
static void
discard_session(struct session *s, int err)
{
	struct conn *c = s->conn;

	s->conn = NULL;
	session_free(s);
	if (c != NULL) {
		conn_disown(c);
		conn_fail(c, err);
	}
}

/* ---- copies ---- */

static int
serve_copy(struct session *s, const struct router_call *call)
{
	struct session_offer *o = s->offer;

	if (o != NULL && o->copies_len < SESSION_COPIES_MAX)
		o->copies[o->copies_len++] = call->ticket;
	if (o != NULL || s->answer == NULL)
		return 0;
	return send_answer(s, &call->ticket);
}

static bool
failed_before(const struct listeners *ls, uint32_t hash)
{
	return ls->sessions.failed[hash % SESSION_FAILED_HASHES_MAX] == hash;
}

int
session_serve(struct listener *l, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	uint8_t digest[HASH_LEN];
	struct incoming in;
	struct session *s;
	uint32_t hash;
	int err;

	hash_message(digest, l, call->sealed);
	hash = short_hash(ls, digest);
	if ((s = find_session(ls, digest, hash)) != NULL)
		return serve_copy(s, call);
	if (failed_before(ls, hash))
		return listener_drop(ls, ERR_SIGNATURE);
	if (call->direct &&
	    !lingering_sockets_in_use(ls->peers, call->ticket.sock))
		return listener_drop(ls, ERR_UNKNOWN);
	if (!may_compute(l, call))
		return listener_drop(ls, ERR_BUDGET);
	if ((err = accept_open(l, call, &in)) != 0) {
		ls->sessions.failed[hash % SESSION_FAILED_HASHES_MAX] = hash;
		return listener_drop(ls, err);
	}
	s = session_new(l, &in, digest, hash);
	err = s != NULL ? begin_session(s, l, &in) : ERR_MEMORY;
	incoming_wipe(&in);
	if (err != 0 && s != NULL)
		discard_session(s, err);
	return err != 0 ? listener_drop(ls, err) : 0;
}

int
session_punch(struct listener *l, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	struct session *s;

	if (call->id > UINT32_MAX ||
	    !pool_in_use(&ls->sessions.pool, (uint32_t)call->id))
		return listener_drop(ls, ERR_UNKNOWN);
	s = pool_at(&ls->sessions.pool, (uint32_t)call->id);
	if (s->id != call->id || s->listener != l->number || s->conn == NULL)
		return listener_drop(ls, ERR_UNKNOWN);
	return conn_punch_serve(
	    s->conn, call, announced_through(l->announced, &call->ticket.from));
}

/* ---- decisions ---- */

void
session_decide(struct listeners *ls, struct conn *c, bool accept)
{
	struct listener *l;
	struct session *s = c->settled == on_settled ? c->owner : NULL;
	struct session_offer *o;

	if (s == NULL || s->state != SESSION_ASKED)
		return;
	o = s->offer;
	s->offer = NULL;
	if (!accept) {
		if ((l = listener_by_number(ls, s->listener)) != NULL)
			l->refused++;
		s->conn = NULL;
		conn_disown(c);
		conn_close(c);
	}
	if (answer_session(s, &o->in, accept ? SIGNAL_OK : SIGNAL_ABORTED) != 0)
		fail_session(s, ERR_MEMORY);
	else
		for (uint32_t i = 0; i < o->copies_len; i++)
			(void)send_answer(s, &o->copies[i]);
	if (accept && s->state == SESSION_ANSWERED)
		arm_expiry(s, WAIT_MS);
	incoming_wipe(&o->in);
	free(o);
}

void
sessions_close_offers(struct listeners *ls, uint32_t listener)
{
	struct session *s = TAILQ_FIRST(&ls->sessions.half_open), *next;

	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, age);
		if (s->listener == listener && s->state == SESSION_ASKED)
			fail_session(s, ERR_CLOSED);
	}
}

/* ---- life ---- */

void
sessions_init(struct listeners *ls)
{
	const struct limits *l = ls->peers->core->limits;

	TAILQ_INIT(&ls->sessions.half_open);
	TAILQ_INIT(&ls->sessions.done);
	pool_init(&ls->sessions.pool, sizeof(struct session), l->handshakes);
	pool_index_init(&ls->sessions.by_message, &ls->sessions.pool,
	    offsetof(struct session, link));
	prefix_groups_init(&ls->sessions.half_open_by_prefix,
	    &ls->peers->core->hash_key, &ls->sessions.pool,
	    offsetof(struct session, prefix));
	prefix_budget_init(
	    &ls->sessions.budgets, ls->peers->core, l->forward_hosts);
}

void
sessions_limits_changed(struct listeners *ls)
{
	const struct limits *l = ls->peers->core->limits;

	ls->sessions.pool.limit = l->handshakes;
	shrink_pool(ls, l->handshakes);
	prefix_budget_set_max(&ls->sessions.budgets, l->forward_hosts);
}

void
sessions_fini(struct listeners *ls)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&ls->sessions.half_open)) != NULL ||
	       (s = TAILQ_FIRST(&ls->sessions.done)) != NULL)
		session_free(s);
	prefix_budget_fini(&ls->sessions.budgets);
	prefix_groups_fini(&ls->sessions.half_open_by_prefix);
	pool_index_fini(&ls->sessions.by_message);
	pool_fini(&ls->sessions.pool);
}
