/* SPDX-License-Identifier: ISC */
#include "peer/session.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
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
	/* Share of one relay in the half-open sessions. */
	RELAY_PART = 4,
	/* Changes of the relay that one session is charged to. A client sends
	 * its message through a few relays; with more, copies of one message
	 * would use up the shares of all relays for nothing. */
	RELAY_CHANGES_MAX = 3,
	/* For signs of life of the other connections of a key, and between two
	 * looks at them. */
	HOLD_MS = 2000,
	HOLD_STEP_MS = 250,
	COPIES_CAP_MIN = 2, /* of the first array for the copies */
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
delete_offer(struct sessions *ss, struct session_offer *o)
{
	ss->copies_cap -= o->copies_cap;
	incoming_wipe(&o->in);
	free(o->copies);
	free(o);
}

static void
free_offer(struct session *s)
{
	if (s->offer == NULL)
		return;
	delete_offer(&s->ls->sessions, s->offer);
	s->offer = NULL;
}

static void
remove_half_open(struct session *s)
{
	struct half_open *ho = &s->ls->sessions.half_open[s->trust];

	TAILQ_REMOVE(&ho->list, s, age);
	ho->len--;
	prefix_groups_remove(&ho->by_prefix, s->id);
	prefix_groups_remove(&s->ls->sessions.by_relay, s->id);
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
	struct conn *c = s->conn;

	if (c == NULL || (conn_is_open(c) && conn_relay_seeks_path(c))) {
		/* An open stream stays on its relay. */
		s->conn = NULL;
		s->answer_sock = WORLD_NO_SOCK; /* the puncher's */
		if (c != NULL)
			conn_disown(c);
		finish_session(s);
	} else {
		conn_fail(c, err);
	}
}

/* Returns true while a path is sought that has its own deadline. */
static bool
is_connecting(const struct conn *c)
{
	return conn_is_punching(c) || conn_relay_is_pending(c) ||
	       (conn_is_open(c) && conn_relay_seeks_path(c));
}

static void check_held(struct session *s);

static void
on_expiry_timer(struct timer *t)
{
	struct session *s = container_of(t, struct session, expiry);

	if (s->state == SESSION_DONE)
		session_free(s);
	else if (s->state == SESSION_HELD)
		check_held(s);
	else if (s->conn != NULL && is_connecting(s->conn))
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

static uint32_t
count_half_open(const struct sessions *ss)
{
	return ss->half_open[HANDSHAKE_UNVALIDATED].len +
	       ss->half_open[HANDSHAKE_VALIDATED].len;
}

/* Returns the half-open session to evict, or NULL if there is none: the oldest
 * of an unvalidated source, or else the oldest. */
static struct session *
first_half_open(const struct sessions *ss)
{
	struct session *s =
	    TAILQ_FIRST(&ss->half_open[HANDSHAKE_UNVALIDATED].list);

	return s != NULL
		   ? s
		   : TAILQ_FIRST(&ss->half_open[HANDSHAKE_VALIDATED].list);
}

/* Evicts sessions down to max: those that are done first, oldest first. */
static void
shrink_pool(struct listeners *ls, uint32_t max)
{
	while (ls->sessions.pool.len > max) {
		if (TAILQ_EMPTY(&ls->sessions.done))
			evict_session(first_half_open(&ls->sessions));
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
	uint32_t max =
	    l->half_open < l->handshakes ? l->half_open : l->handshakes;

	return dht_open_address(d) == NULL && punching < max ? punching : max;
}

/* Returns false if every place is taken by sessions of validated sources, and
 * the new one is of another. */
static bool
has_space(const struct listeners *ls, enum handshake_trust trust)
{
	return trust == HANDSHAKE_VALIDATED ||
	       ls->sessions.half_open[HANDSHAKE_VALIDATED].len <
		   half_open_max(ls);
}

/* Returns the oldest session that arrived through this relay if those use its
 * share of the half-open ones, or else 0. */
static uint32_t
find_excess_of_relay(const struct listeners *ls, const struct addr *relay)
{
	const struct prefix_groups *g = &ls->sessions.by_relay;

	if (relay == NULL || dht_is_private(ls->peers->base.dht) ||
	    prefix_groups_count(g, relay) <= half_open_max(ls) / RELAY_PART)
		return 0;
	return prefix_groups_oldest(g, relay);
}

/* Evicts a session for a new one: of the same /24 and trust if that has its
 * share, of the same relay if that has its share, or else of an unvalidated
 * source, or else the oldest. */
static void
make_space(struct listeners *ls, const struct handshake_source *source)
{
	struct sessions *ss = &ls->sessions;
	const struct prefix_groups *g = &ss->half_open[source->trust].by_prefix;
	const struct limits *l = ls->peers->core->limits;
	uint32_t excess = find_excess_of_relay(ls, source->relay);

	if (!dht_is_private(ls->peers->base.dht) &&
	    prefix_groups_count(g, source->payer) >= l->half_open_prefix)
		excess = prefix_groups_oldest(g, source->payer);
	if (excess != 0)
		evict_session(pool_at(&ss->pool, excess));
	else if (count_half_open(ss) >= half_open_max(ls))
		evict_session(first_half_open(ss));
	shrink_pool(ls, ss->pool.limit - 1);
}

/*
 * Returns what is charged for a handshake. Our own relays may name the client;
 * any other source is charged itself, or it could exhaust the budgets of other
 * hosts, and evict their handshakes, by naming them. In a private network no
 * source counts as forged.
 */
static struct handshake_source
source_of(const struct listener *l, const struct router_call *call)
{
	const struct dht *d = l->ls->peers->base.dht;
	const struct addr *from = &call->ticket.from;
	struct handshake_source s = {.payer = from};

	if (announced_through(l->announced, from)) {
		s.relay = from;
		s.payer = &call->client;
	}
	if (s.relay != NULL || dht_is_private(d) || dht_is_validated(d, from))
		s.trust = HANDSHAKE_VALIDATED;
	return s;
}

/* Charges the handshake. A relay without a share left is a source like any
 * other. */
static bool
may_compute(struct listeners *ls, struct handshake_source *source)
{
	if (dht_is_private(ls->peers->base.dht))
		return true;
	return handshake_budget_take(&ls->sessions.budget, source);
}

/* ---- new sessions ---- */

/* Counts a half-open session for the relay that forwarded it, or for none.
 * Returns 0 or ERR_MEMORY. */
static int
count_relay(struct session *s, const struct addr *relay)
{
	s->relay_prefix = relay != NULL ? addr_prefix_key(relay) : 0;
	return relay != NULL
		   ? prefix_groups_add(&s->ls->sessions.by_relay, s->id, relay)
		   : 0;
}

/* Adds a cell to the index by message and counts it for its payer. */
static int
index_session(struct sessions *ss, uint32_t at, uint32_t hash,
    const struct handshake_source *source)
{
	struct prefix_groups *g = &ss->half_open[source->trust].by_prefix;
	int err = prefix_groups_add(g, at, source->payer);

	if (err != 0)
		return err;
	err = pool_index_add(&ss->by_message, at, hash);
	if (err != 0)
		prefix_groups_remove(g, at);
	return err;
}

static struct session *
session_new(struct listener *l, const struct handshake_source *source,
    const uint8_t *digest, uint32_t hash)
{
	struct listeners *ls = l->ls;
	struct half_open *ho = &ls->sessions.half_open[source->trust];
	struct session *s;
	uint32_t at;

	make_space(ls, source);
	if ((at = pool_get(&ls->sessions.pool)) == 0)
		return NULL;
	if (index_session(&ls->sessions, at, hash, source) != 0) {
		pool_put(&ls->sessions.pool, at);
		return NULL;
	}
	s = pool_at(&ls->sessions.pool, at);
	memcpy(s->digest, digest, HASH_LEN);
	s->ls = ls;
	s->id = at;
	s->trust = source->trust;
	s->listener = l->number;
	s->state = SESSION_ANSWERED;
	s->expiry.fire = on_expiry_timer;
	s->answer_sock = WORLD_NO_SOCK;
	TAILQ_INSERT_TAIL(&ho->list, s, age);
	ho->len++;
	if (count_relay(s, source->relay) != 0) {
		session_free(s);
		return NULL;
	}
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

/* Returns the cause of what we send to the addresses of a client. */
static struct probe_origin
origin_of(const struct listener *l, const struct router_call *call)
{
	return (struct probe_origin){.cause = PROBE_ASKED,
	    .from = call->ticket.from,
	    .client = call->client,
	    .relayed = announced_through(l->announced, &call->ticket.from)};
}

static enum conn_purpose
purpose_of(const struct listener *l, const struct incoming *in)
{
	if (in->theirs.features & PAYLOAD_REDIAL)
		return CONN_FOR_REDIAL;
	return l->relays ? CONN_OF_RELAY_CLIENT : CONN_FOR_APPLICATION;
}

static int
make_conn(
    struct session *s, const struct listener *l, const struct incoming *in)
{
	struct conn_spec spec = {
	    .key = in->noise.rs,
	    .own_key = l->keys->public_key,
	    .listener = l->number,
	    .purpose = purpose_of(l, in),
	    .settled = on_settled,
	    .owner = s,
	};
	struct probe_origin origin = origin_of(l, &in->call);
	int err;

	s->conn = conn_new(s->ls->peers, &spec, &err);
	if (s->conn == NULL)
		return err;
	conn_punch_set_origin(s->conn, &origin);
	return spec.purpose == CONN_FOR_REDIAL
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

/* Keeps the message for a decision. Returns 0 or ERR_MEMORY. */
static int
keep_incoming(struct session *s, const struct incoming *in)
{
	if ((s->offer = malloc(sizeof *s->offer)) == NULL)
		return ERR_MEMORY;
	s->offer->in = *in;
	s->offer->copies = NULL;
	s->offer->copies_len = s->offer->copies_cap = 0;
	return 0;
}

static int
offer_session(struct session *s, const struct incoming *in)
{
	if (keep_incoming(s, in) != 0)
		return ERR_MEMORY;
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

/* Sends TRY_LATER to the client: no slot is free for it. */
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

/* Begins the connection of a session, or refuses it if no slot is free. */
static int
begin_conn(struct session *s, struct listener *l, const struct incoming *in)
{
	bool redial = (in->theirs.features & PAYLOAD_REDIAL) != 0;
	int err;

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

/*
 * Holds the answer back while the connections that the key has are probed: a
 * peer that has vanished and dials again must not be refused because of them,
 * and one that has too many is refused in its handshake. Returns 0 or
 * ERR_MEMORY.
 */
static int
hold_session(struct session *s, const struct incoming *in)
{
	if (keep_incoming(s, in) != 0)
		return ERR_MEMORY;
	session_set_state(s, SESSION_HELD);
	s->held_us = s->ls->peers->core->world->now_us;
	arm_expiry(s, HOLD_STEP_MS);
	return 0;
}

static int
begin_session(struct session *s, struct listener *l, const struct incoming *in)
{
	bool redial = (in->theirs.features & PAYLOAD_REDIAL) != 0;
	uint64_t error = judge_session(s, l, in);
	const uint8_t *key = in->noise.rs;

	if (error != SIGNAL_OK)
		return answer_session(s, in, error);
	if (!redial && conn_slot_key_is_full(l, key) &&
	    conn_slot_probe(l, key, s->ls->peers->core->world->now_us) > 0)
		return hold_session(s, in);
	return begin_conn(s, l, in);
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

/* Moves a half-open session to the list of validated ones. Returns 0 or
 * ERR_MEMORY. */
static int
validate_session(struct session *s, const struct addr *payer)
{
	struct half_open *from = &s->ls->sessions.half_open[s->trust];
	struct half_open *to = &s->ls->sessions.half_open[HANDSHAKE_VALIDATED];
	int err;

	if (from == to)
		return 0;
	prefix_groups_remove(&from->by_prefix, s->id);
	if ((err = prefix_groups_add(&to->by_prefix, s->id, payer)) != 0)
		return err;
	TAILQ_REMOVE(&from->list, s, age);
	from->len--;
	TAILQ_INSERT_TAIL(&to->list, s, age);
	to->len++;
	s->trust = HANDSHAKE_VALIDATED;
	return 0;
}

/*
 * Charges a session to the relay that has forwarded a copy of its message,
 * instead of the one before. A flood that forges the address of one relay then
 * evicts no session that is requested through several.
 */
static void
change_relay(
    struct listener *l, struct session *s, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	struct handshake_source source = source_of(l, call);

	if (s->state == SESSION_DONE || source.relay == NULL ||
	    s->relay_changes == RELAY_CHANGES_MAX ||
	    dht_is_private(ls->peers->base.dht) ||
	    s->relay_prefix == addr_prefix_key(source.relay) ||
	    find_excess_of_relay(ls, source.relay) != 0 ||
	    !handshake_budget_take_share(&ls->sessions.budget, &source) ||
	    validate_session(s, source.payer) != 0)
		return;
	s->relay_changes++;
	if (s->conn != NULL) {
		struct probe_origin origin = origin_of(l, call);

		conn_punch_set_origin(s->conn, &origin);
	}
	prefix_groups_remove(&ls->sessions.by_relay, s->id);
	(void)count_relay(s, source.relay);
}

/* Keeps a copy for the decision, unless there are too many. */
static void
keep_copy(struct sessions *ss, struct session_offer *o,
    const struct router_ticket *copy)
{
	uint32_t cap = o->copies_cap > 0 ? 2 * o->copies_cap : COPIES_CAP_MIN;
	struct router_ticket *copies;

	if (o->copies_len == o->copies_cap) {
		uint32_t more = cap - o->copies_cap;

		if (cap > SESSION_COPIES_MAX ||
		    ss->copies_cap + more > SESSION_COPIES_ALL_MAX)
			return;
		copies = realloc(o->copies, cap * sizeof *copies);
		if (copies == NULL)
			return;
		o->copies = copies;
		o->copies_cap = cap;
		ss->copies_cap += more;
	}
	o->copies[o->copies_len++] = *copy;
}

static int
serve_copy(struct session *s, const struct router_call *call)
{
	struct session_offer *o = s->offer;

	if (o != NULL)
		keep_copy(&s->ls->sessions, o, &call->ticket);
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
	struct handshake_source source;
	uint8_t digest[HASH_LEN];
	struct incoming in;
	struct session *s;
	uint32_t hash;
	int err;

	hash_message(digest, l, call->sealed);
	hash = short_hash(ls, digest);
	if ((s = find_session(ls, digest, hash)) != NULL) {
		change_relay(l, s, call);
		return serve_copy(s, call);
	}
	if (failed_before(ls, hash))
		return listener_drop(ls, ERR_SIGNATURE);
	if (call->direct &&
	    !lingering_sockets_in_use(ls->peers, call->ticket.sock))
		return listener_drop(ls, ERR_UNKNOWN);
	source = source_of(l, call);
	if (!has_space(ls, source.trust))
		return listener_drop(ls, ERR_LIMIT);
	if (!may_compute(ls, &source))
		return listener_drop(ls, ERR_BUDGET);
	/* Its share may be used up: then it must not evict validated ones. */
	if (!has_space(ls, source.trust))
		return listener_drop(ls, ERR_LIMIT);
	err = accept_open(l, call, &in);
	handshake_budget_computed(&ls->sessions.budget, err == 0);
	if (err != 0) {
		ls->sessions.failed[hash % SESSION_FAILED_HASHES_MAX] = hash;
		return listener_drop(ls, err);
	}
	s = session_new(l, &source, digest, hash);
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
	conn_slot_heard(s->conn);
	return conn_punch_serve(
	    s->conn, call, announced_through(l->announced, &call->ticket.from));
}

/* ---- decisions ---- */

static void
answer_copies(struct session *s, const struct session_offer *o)
{
	for (uint32_t i = 0; i < o->copies_len; i++)
		(void)send_answer(s, &o->copies[i]);
}

/* Moves the copies to the offer to the application. */
static void
move_copies(struct session_offer *to, struct session_offer *from)
{
	to->copies = from->copies;
	to->copies_len = from->copies_len;
	to->copies_cap = from->copies_cap;
	from->copies = NULL;
	from->copies_len = from->copies_cap = 0;
}

/* Continues a session as if its message had arrived now. */
static void
release_session(struct session *s, struct listener *l)
{
	struct listeners *ls = s->ls;
	struct session_offer *o = s->offer;
	int err;

	s->offer = NULL;
	arm_expiry(s, WAIT_MS);
	err = begin_conn(s, l, &o->in);
	if (err != 0)
		discard_session(s, err);
	else if (s->offer != NULL)
		move_copies(s->offer, o);
	else
		answer_copies(s, o);
	delete_offer(&ls->sessions, o);
}

static void
check_held(struct session *s)
{
	struct listener *l = listener_by_number(s->ls, s->listener);
	const uint8_t *key = s->offer->in.noise.rs;
	uint64_t now = s->ls->peers->core->world->now_us;

	if (l == NULL) {
		finish_session(s);
		return;
	}
	if (conn_slot_key_is_full(l, key) &&
	    conn_slot_probe(l, key, s->held_us) > 0) {
		if (now - s->held_us < HOLD_MS * UINT64_C(1000)) {
			arm_expiry(s, HOLD_STEP_MS);
			return;
		}
		conn_slot_close_silent(l, key, s->held_us);
	}
	release_session(s, l);
}

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
		answer_copies(s, o);
	if (accept && s->state == SESSION_ANSWERED)
		arm_expiry(s, WAIT_MS);
	delete_offer(&ls->sessions, o);
}

void
sessions_close_offers(struct listeners *ls, uint32_t listener)
{
	struct session *s, *next;

	for (int i = 0; i < HANDSHAKE_CLASSES; i++) {
		s = TAILQ_FIRST(&ls->sessions.half_open[i].list);
		for (; s != NULL; s = next) {
			next = TAILQ_NEXT(s, age);
			if (s->listener == listener &&
			    s->state <= SESSION_ASKED)
				fail_session(s, ERR_CLOSED);
		}
	}
}

/* ---- life ---- */

size_t
sessions_bytes_max(const struct limits *l)
{
	/* By prefix in two classes, and by relay. An offer takes as much as the
	 * keys and buffers that its connection does not have yet. */
	return pool_bytes_max(sizeof(struct session), l->handshakes) +
	       pool_index_bytes_max(l->handshakes) +
	       3 * prefix_groups_bytes_max(l->half_open) +
	       l->handshakes * heap_bytes(NOISE_MESSAGE_MAX) +
	       SESSION_COPIES_ALL_MAX * sizeof(struct router_ticket);
}

static void
init_half_open(struct listeners *ls, struct half_open *ho)
{
	TAILQ_INIT(&ho->list);
	prefix_groups_init(&ho->by_prefix, &ls->peers->core->hash_key,
	    &ls->sessions.pool, offsetof(struct session, prefix));
}

void
sessions_init(struct listeners *ls)
{
	const struct core *core = ls->peers->core;
	struct sessions *ss = &ls->sessions;

	TAILQ_INIT(&ss->done);
	pool_init(&ss->pool, sizeof(struct session), core->limits->handshakes);
	pool_index_init(
	    &ss->by_message, &ss->pool, offsetof(struct session, link));
	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		init_half_open(ls, &ss->half_open[i]);
	prefix_groups_init(&ss->by_relay, &core->hash_key, &ss->pool,
	    offsetof(struct session, relay));
	handshake_budget_init(&ss->budget, core);
}

void
sessions_limits_changed(struct listeners *ls)
{
	const struct limits *l = ls->peers->core->limits;

	ls->sessions.pool.limit = l->handshakes;
	shrink_pool(ls, l->handshakes);
	handshake_budget_limits_changed(&ls->sessions.budget);
}

void
sessions_fini(struct listeners *ls)
{
	struct sessions *ss = &ls->sessions;
	struct session *s;

	while ((s = first_half_open(ss)) != NULL ||
	       (s = TAILQ_FIRST(&ss->done)) != NULL)
		session_free(s);
	handshake_budget_fini(&ss->budget);
	for (int i = 0; i < HANDSHAKE_CLASSES; i++)
		prefix_groups_fini(&ss->half_open[i].by_prefix);
	prefix_groups_fini(&ss->by_relay);
	pool_index_fini(&ss->by_message);
	pool_fini(&ss->pool);
}
