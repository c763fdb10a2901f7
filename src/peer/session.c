/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "peer/session.h"

enum {
	/* For a decision; for the client to come: protocol 03 §7.1. */
	WAIT_US = 10 * 1000000,
	/* Copies come after success too, above all from open clients: pitfall
	   V2. */
	KEEP_US = 10 * 1000000,
	/* A handshake for a stranger costs as much as so many that come
	 * through one of our relays, which sees many clients. */
	STRANGER_COST = 16,
};

/* ---- the table ---- */

/* Of the message and the key that it was sent to: to another it means nothing,
 * and must not be remembered for this one. */
static void
digest_of(uint8_t out[HASH_LEN], const struct listener *l, struct bytes message)
{
	uint8_t both[HASH_LEN + KEY_LEN];

	hash_blake2b(both, message.p, message.len);
	memcpy(both + HASH_LEN, l->keys->public_key, KEY_LEN);
	hash_blake2b(out, both, sizeof both);
}

static uint32_t
hash_of(const struct listeners *ls, const uint8_t *digest)
{
	return hash_bytes(&ls->peers->core->hash_key, digest, HASH_LEN);
}

static struct session *
find(const struct listeners *ls, const uint8_t *digest, uint32_t hash)
{
	uint32_t at = index_first(&ls->by_message, hash);

	for (; at != 0; at = index_next(&ls->by_message, at)) {
		struct session *s = pool_at(&ls->sessions, at);

		if (memcmp(s->digest, digest, HASH_LEN) == 0)
			return s;
	}
	return NULL;
}

static void
arm(struct session *s, uint64_t us)
{
	struct peers *p = s->ls->peers;

	timer_arm(p->core->timers, &s->timer, p->core->world->now_us + us);
}

static void
asked_free(struct session *s)
{
	if (s->asked == NULL)
		return;
	incoming_wipe(&s->asked->in);
	free(s->asked);
	s->asked = NULL;
}

static void
session_free(struct session *s)
{
	struct listeners *ls = s->ls;
	uint32_t at = s->id;

	asked_free(s);
	if (s->conn != NULL)
		conn_disown(s->conn);
	timer_disarm(ls->peers->core->timers, &s->timer);
	if (s->state == SESSION_DONE) {
		TAILQ_REMOVE(&ls->done, s, age);
	} else {
		TAILQ_REMOVE(&ls->half_open, s, age);
		ls->half_open_len--;
	}
	free(s->answer);
	s->id = 0; /* whoever still quotes it finds nobody */
	index_del(&ls->by_message, at);
	pool_put(&ls->sessions, at);
}

/* Nobody waits any more; what was answered is kept for late copies. */
static void
finish(struct session *s)
{
	struct listeners *ls = s->ls;

	if (s->state == SESSION_DONE)
		return;
	asked_free(s);
	TAILQ_REMOVE(&ls->half_open, s, age);
	ls->half_open_len--;
	s->state = SESSION_DONE;
	TAILQ_INSERT_TAIL(&ls->done, s, age);
	arm(s, KEEP_US);
}

void
session_settled(void *owner, struct conn *c, int err)
{
	struct session *s = owner;
	struct listener *l = listener_of(s->ls, s->listener);

	s->conn = NULL;
	s->answer_sock = WORLD_NO_SOCK; /* the stream's, or closed */
	if (l != NULL && !conn_mends(c))
		l->accepted += err == 0;
	finish(s);
}

/* Through the connection, if there is one, so that it is told too. */
static void
give_up(struct session *s, int err)
{
	if (s->conn != NULL)
		conn_fail(s->conn, err);
	else
		finish(s);
}

static void
on_due(struct timer *t)
{
	struct session *s = container_of(t, struct session, timer);

	if (s->state == SESSION_DONE)
		session_free(s);
	else if (s->conn != NULL && conn_is_punching(s->conn))
		arm(s, WAIT_US); /* it has deadlines of its own: pitfall V6 */
	else
		give_up(s, ERR_TIMEOUT);
}

/* ---- limits: pitfall V4 ---- */

static void
evict(struct session *s)
{
	s->ls->peers->core->stats->handshakes_evicted++;
	give_up(s, ERR_LIMIT);
}

/* Down to so many: first those that are over, the oldest of each kind. */
static void
shrink(struct listeners *ls, uint32_t max)
{
	while (ls->sessions.len > max) {
		if (TAILQ_EMPTY(&ls->done))
			evict(TAILQ_FIRST(&ls->half_open));
		session_free(TAILQ_FIRST(&ls->done));
	}
}

/*
 * Each punches, unless we are open. So that neither our own dials nor the next
 * handshake finds all punchers taken, a quarter of them is left to the former.
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

/* One /24 may not fill the table, and a full table is no closed door. */
static void
make_way(struct listeners *ls, const struct addr *payer)
{
	struct dht *d = ls->peers->base.dht;
	const struct limits *l = ls->peers->core->limits;
	struct session *s, *oldest = NULL;
	uint32_t prefix = 0;

	if (!dht_is_private(d))
		TAILQ_FOREACH (s, &ls->half_open, age) {
			if (!addr_same_prefix(&s->payer, payer))
				continue;
			if (prefix++ == 0)
				oldest = s;
		}
	if (prefix >= l->half_open_prefix)
		evict(oldest);
	else if (ls->half_open_len >= half_open_max(ls))
		evict(TAILQ_FIRST(&ls->half_open));
	shrink(ls, ls->sessions.limit - 1);
}

static struct bucket *
budget_of(struct listeners *ls, const struct addr *from)
{
	const struct limits *l = ls->peers->core->limits;
	struct prefix_budget_rate rate = {l->handshake_burst * STRANGER_COST,
	    l->handshake_rate * STRANGER_COST};

	return prefix_budget_get(&ls->budgets, from, &rate);
}

static bool
take(struct listeners *ls, const struct addr *from, uint32_t cost)
{
	struct bucket *b = budget_of(ls, from);

	return b != NULL && bucket_take(b, cost);
}

/*
 * In whose name it is computed and kept. What our own relays say of a client
 * is believed so far; who is not one of them stands for it himself, or he
 * could empty the budgets of others, and end their handshakes, by naming them.
 */
static const struct addr *
payer_of(const struct listener *l, const struct router_call *call)
{
	return announced_through(l->announced, &call->ticket.from)
		   ? &call->client
		   : &call->ticket.from;
}

/* A relay that has spent its own budget spends nobody else's. */
static bool
may_compute(const struct listener *l, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	const struct addr *payer = payer_of(l, call);
	struct bucket *relay;

	if (dht_is_private(ls->peers->base.dht))
		return true;
	if (payer == &call->ticket.from)
		return take(ls, payer, STRANGER_COST);
	relay = budget_of(ls, &call->ticket.from);
	return relay != NULL && relay->left > 0 &&
	       take(ls, payer, STRANGER_COST) &&
	       take(ls, &call->ticket.from, 1);
}

/* ---- a new one ---- */

static struct session *
session_new(struct listener *l, const struct incoming *in,
    const uint8_t *digest, uint32_t hash)
{
	struct listeners *ls = l->ls;
	struct session *s;
	uint32_t at;

	make_way(ls, payer_of(l, &in->call));
	if ((at = pool_get(&ls->sessions)) == 0)
		return NULL;
	if (index_add(&ls->by_message, at, hash) != 0) {
		pool_put(&ls->sessions, at);
		return NULL;
	}
	s = pool_at(&ls->sessions, at);
	memcpy(s->digest, digest, HASH_LEN);
	s->ls = ls;
	s->id = at;
	s->listener = l->number;
	s->state = SESSION_ANSWERED;
	s->timer.fire = on_due;
	s->payer = *payer_of(l, &in->call);
	s->answer_sock = WORLD_NO_SOCK;
	TAILQ_INSERT_TAIL(&ls->half_open, s, age);
	ls->half_open_len++;
	arm(s, WAIT_US);
	return s;
}

static int
make_conn(
    struct session *s, const struct listener *l, const struct incoming *in)
{
	struct conn_spec spec = {
	    .key = in->noise.rs,
	    .own_key = l->keys->public_key,
	    .listener = l->number,
	    .mends = (in->theirs.features & PAYLOAD_MENDS) != 0,
	    .settled = session_settled,
	    .owner = s,
	};
	int err;

	s->conn = conn_new(s->ls->peers, &spec, &err);
	return s->conn != NULL ? 0 : err;
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
ask(struct session *s, const struct incoming *in)
{
	if ((s->asked = malloc(sizeof *s->asked)) == NULL)
		return ERR_MEMORY;
	s->asked->in = *in;
	s->asked->copies_len = 0;
	s->state = SESSION_ASKED;
	conn_offer(s->conn, &in->call.client);
	return 0;
}

/* The answer exists from here on; whatever follows does not change it. */
static int
answer(struct session *s, const struct incoming *in, uint64_t error)
{
	int err = accept_answer(s, in, error);

	s->state = SESSION_ANSWERED;
	if (err != 0)
		return err;
	s->ls->peers->core->stats->handshakes++;
	(void)send_answer(s, &in->call.ticket);
	if (error != SIGNAL_OK)
		finish(s);
	return 0;
}

static int
begin(struct session *s, struct listener *l, const struct incoming *in)
{
	bool mends = (in->theirs.features & PAYLOAD_MENDS) != 0;
	uint64_t error = accept_verdict(&in->theirs);
	int err;

	if (error == SIGNAL_OK && mends &&
	    !conn_mend_accept(s->ls->peers, l->keys->public_key, in->noise.rs))
		error = SIGNAL_ABORTED;
	if (error != SIGNAL_OK)
		return answer(s, in, error);
	if ((err = make_conn(s, l, in)) != 0)
		return err;
	return l->ask && !mends ? ask(s, in) : answer(s, in, SIGNAL_OK);
}

/* Undone as if it had never come: a copy may fare better. */
static void
undo(struct session *s, int err)
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
	struct asked *a = s->asked;

	if (a != NULL && a->copies_len < COPIES_MAX)
		a->copies[a->copies_len++] = call->ticket;
	if (a != NULL || s->answer == NULL)
		return 0;
	return send_answer(s, &call->ticket);
}

static bool
has_failed(const struct listeners *ls, uint32_t hash)
{
	return ls->failed[hash % FAILED_MAX] == hash;
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

	digest_of(digest, l, call->sealed);
	hash = hash_of(ls, digest);
	if ((s = find(ls, digest, hash)) != NULL)
		return serve_copy(s, call);
	if (has_failed(ls, hash))
		return listener_drop(ls, ERR_SIGNATURE);
	if (call->direct && !lingering_sockets_last(ls->peers, call->ticket.sock))
		return listener_drop(ls, ERR_UNKNOWN);
	if (!may_compute(l, call))
		return listener_drop(ls, ERR_BUDGET);
	if ((err = accept_open(l, call, &in)) != 0) {
		ls->failed[hash % FAILED_MAX] = hash;
		return listener_drop(ls, err);
	}
	s = session_new(l, &in, digest, hash);
	err = s != NULL ? begin(s, l, &in) : ERR_MEMORY;
	incoming_wipe(&in);
	if (err != 0 && s != NULL)
		undo(s, err);
	return err != 0 ? listener_drop(ls, err) : 0;
}

int
session_punch(struct listener *l, const struct router_call *call)
{
	struct listeners *ls = l->ls;
	struct session *s;

	if (call->id == 0 || call->id > ls->sessions.top)
		return listener_drop(ls, ERR_UNKNOWN);
	s = pool_at(&ls->sessions, (uint32_t)call->id);
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
	struct session *s;
	struct asked *a;

	TAILQ_FOREACH (s, &ls->half_open, age)
		if (s->conn == c && s->state == SESSION_ASKED)
			break;
	if (s == NULL)
		return;
	a = s->asked;
	s->asked = NULL;
	if (!accept) {
		if ((l = listener_of(ls, s->listener)) != NULL)
			l->refused++;
		s->conn = NULL;
		conn_disown(c);
		conn_close(c);
	}
	if (answer(s, &a->in, accept ? SIGNAL_OK : SIGNAL_ABORTED) != 0)
		give_up(s, ERR_MEMORY);
	else
		for (uint32_t i = 0; i < a->copies_len; i++)
			(void)send_answer(s, &a->copies[i]);
	if (accept && s->state == SESSION_ANSWERED)
		arm(s, WAIT_US);
	incoming_wipe(&a->in);
	free(a);
}

void
sessions_forget(struct listeners *ls, uint32_t listener)
{
	struct session *s = TAILQ_FIRST(&ls->half_open), *next;

	for (; s != NULL; s = next) {
		next = TAILQ_NEXT(s, age);
		if (s->listener == listener && s->state == SESSION_ASKED)
			give_up(s, ERR_CLOSED);
	}
}

/* ---- life ---- */

void
sessions_init(struct listeners *ls)
{
	const struct limits *l = ls->peers->core->limits;

	TAILQ_INIT(&ls->half_open);
	TAILQ_INIT(&ls->done);
	pool_init(&ls->sessions, sizeof(struct session), l->handshakes);
	index_init(
	    &ls->by_message, &ls->sessions, offsetof(struct session, link));
	prefix_budget_init(&ls->budgets, ls->peers->core, l->forward_hosts);
}

void
sessions_limits_changed(struct listeners *ls)
{
	const struct limits *l = ls->peers->core->limits;

	ls->sessions.limit = l->handshakes;
	shrink(ls, l->handshakes);
	prefix_budget_set_max(&ls->budgets, l->forward_hosts);
}

void
sessions_fini(struct listeners *ls)
{
	struct session *s;

	while ((s = TAILQ_FIRST(&ls->half_open)) != NULL ||
	       (s = TAILQ_FIRST(&ls->done)) != NULL)
		session_free(s);
	prefix_budget_fini(&ls->budgets);
	index_fini(&ls->by_message);
	pool_fini(&ls->sessions);
}
