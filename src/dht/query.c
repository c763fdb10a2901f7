/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/closest_set.h"
#include "dht/health.h"
#include "dht/joining.h"
#include "dht/maintenance.h"
#include "dht/queries.h"
#include "dht/query_frontier.h"
#include "dht/request.h"

/*
 * HELD ---online---> LOOKUP ---no nearer node is left---> COMMIT
 *   |                  |                                    |
 *   +--expired         +--no commit requested, or no        +--all ended
 *   v                  v  node to commit to                 v
 *   ........................ ENDING, freed ...................
 */
enum query_state { QUERY_HELD, QUERY_LOOKUP, QUERY_COMMIT, QUERY_ENDING };

enum {
	CONCURRENCY = 10,
	CONCURRENCY_FEW = 3, /* with the caller's nodes, until they reply */
	CONCURRENCY_BACKGROUND = 2,
	/*
	 * Number of nodes, the nearest ones, to which a server announces. While
	 * that many nearer nodes may be forwarding a message to it, no other
	 * node gets the message, for at most the wait below.
	 */
	FORWARDERS = 3,
	FORWARDERS_WAIT_MS = 100,
	REUSED_MIN = 5, /* replies of the caller's nodes below which the
			 * routing table is used as well */
	HOPELESS = 2,   /* sends missed by every node left: end early */
};

struct query_commit {
	struct query *query;
	struct request *request;
	bool retried; /* with a new token */
};

struct query {
	TAILQ_ENTRY(query) link;
	struct queries *queries;
	struct query_spec spec;
	struct timer timer; /* of the state, or on_forwarders_late() */
	uint8_t state;      /* enum query_state */
	bool busy;          /* one of its callbacks is running */
	bool cancelled;     /* from inside that callback */
	bool reused;        /* uses the caller's nodes, not yet the table */
	bool forwarders_late;
	struct query_frontier frontier;
	uint32_t in_flight;
	uint32_t slow; /* in flight and past the first timeout */
	struct closest_set closest;
	struct query_commit commits[RPC_K]; /* by index in closest */
	uint32_t committing;
	struct query_result result;
	struct addr *start;
	uint8_t value[]; /* spec.value */
};

static void advance_query(struct query *q);

void
queries_init(struct queries *qs)
{
	TAILQ_INIT(&qs->running);
	TAILQ_INIT(&qs->held);
}

/* ---- the end ---- */

static void
query_free(struct query *q)
{
	query_frontier_fini(&q->frontier);
	free(q->start);
	free(q);
}

static void
cancel_requests(struct query *q)
{
	for (uint32_t i = 0; i < q->frontier.len; i++)
		if (q->frontier.at[i]->request != NULL)
			request_cancel(q->frontier.at[i]->request);
	for (uint32_t i = 0; i < q->closest.len; i++)
		if (q->commits[i].request != NULL)
			request_cancel(q->commits[i].request);
}

static void
end_query(struct query *q, int err)
{
	struct queries *qs = q->queries;
	struct query_list *list =
	    q->state == QUERY_HELD ? &qs->held : &qs->running;

	TAILQ_REMOVE(list, q, link);
	timer_disarm(qs->self->timers, &q->timer);
	qs->len--;
	q->state = QUERY_ENDING;
	cancel_requests(q);
	qs->self->stats->queries++;
	q->result.err = err;
	q->result.closest = q->closest.nodes;
	q->result.closest_len = q->closest.len;
	q->spec.done(q->spec.owner, &q->result);
	query_free(q);
}

void
query_cancel(struct query *q)
{
	if (q->busy)
		q->cancelled = true;
	else if (q->state != QUERY_ENDING)
		end_query(q, ERR_CANCELLED);
}

/* Marks the end of a callback. Returns true if the callback cancelled the
 * query, which has been freed then. */
static bool
end_callback(struct query *q)
{
	q->busy = false;
	if (!q->cancelled)
		return false;
	end_query(q, ERR_CANCELLED);
	return true;
}

void
queries_end(struct queries *qs, int err)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&qs->running)) != NULL ||
	       (q = TAILQ_FIRST(&qs->held)) != NULL)
		end_query(q, err);
}

/* ---- the frontier ---- */

/* Returns the node of this address, which is added if it is new, or NULL if it
 * may not be queried. */
static struct frontier_node *
add_to_frontier(struct query *q, const struct addr *a)
{
	struct local_node *self = q->queries->self;
	const struct addr *us = local_node_public_address(self);
	struct frontier_node *n = query_frontier_lookup(&q->frontier, a);
	uint8_t id[ID_LEN];

	if (n != NULL)
		return n;
	if (!local_node_may_send(self, a) || (us != NULL && addr_equal(us, a)))
		return NULL;
	id_of_addr(id, a);
	if (id_equal(id, self->table.own))
		return NULL;
	n = query_frontier_add(
	    &q->frontier, id, a, self->limits, local_node_shares(self) != NULL);
	if (n != NULL)
		n->query = q;
	return n;
}

/* ---- down hints, protocol 01 §10.4 ---- */

void
queries_reset_hints(struct queries *qs)
{
	qs->hints_left = DHT_HINTS_PER_TICK_MAX;
}

static void
send_down_hint(struct query *q, const struct frontier_node *dead,
    const struct frontier_node *to)
{
	struct queries *qs = q->queries;
	uint8_t value[ADDR_WIRE4_LEN];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .kind = REQUEST_BACKGROUND,
	    .to = to->addr,
	    .internal = true,
	    .command = RPC_DOWN_HINT,
	    .value = {value, sizeof value},
	    .sends = 1,
	};

	if (qs->hints_left == 0 || q->spec.passed_on)
		return;
	wr_addr4(&w, &dead->addr);
	if (requests_call(qs->requests, WORLD_NO_SOCK, &c, (struct dht_done){0},
		NULL) == 0) {
		qs->hints_left--;
		qs->self->stats->down_hints_sent++;
	}
}

/* Records that the reply of `by` listed this node, or sends `by` a hint at once
 * if the node has failed. */
static void
add_referrer(struct query *q, struct frontier_node *n, struct frontier_node *by)
{
	for (uint8_t i = 0; i < n->referrers_len; i++)
		if (n->referrers[i] == by)
			return;
	if (n->referrers_len == DHT_REFERRERS_MAX)
		return;
	n->referrers[n->referrers_len++] = by;
	if (n->state == FRONTIER_FAILED)
		send_down_hint(q, n, by);
}

/* ---- replies of the lookup ---- */

static void
add_closer_nodes(
    struct query *q, struct frontier_node *by, const struct rpc_reply *m)
{
	size_t len = m->closer.len / ADDR_WIRE4_LEN;

	/* All of them, since the list need not be sorted and is short. */
	for (size_t i = 0; i < len && i < RPC_CLOSER_MAX; i++) {
		struct addr a = rpc_closer(m, i);
		struct frontier_node *n = add_to_frontier(q, &a);

		if (n != NULL && n != by)
			add_referrer(q, n, by);
	}
}

static void
settle_node(struct frontier_node *n, enum frontier_state state)
{
	struct query *q = n->query;

	n->request = NULL;
	n->state = (uint8_t)state;
	q->in_flight--;
	if (n->missed > 0)
		q->slow--;
}

static void
handle_failure(struct frontier_node *n)
{
	struct query *q = n->query;

	q->result.failures++;
	for (uint8_t i = 0; i < n->referrers_len; i++)
		send_down_hint(q, n, n->referrers[i]);
}

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct frontier_node *n = owner;
	struct query *q = n->query;
	bool good = a->err == 0 && a->reply->error == RPC_OK;

	settle_node(n, a->err == 0 ? FRONTIER_REPLIED : FRONTIER_FAILED);
	/* While busy: its own callback has ended this request by closing the
	 * socket that it left from. */
	if (q->state != QUERY_LOOKUP || q->busy)
		return;
	if (a->err != 0) {
		handle_failure(n);
	} else {
		q->result.replies += good;
		q->result.failures += !good;
		/*
		 * Nodes without an id are useful, but never among the closest.
		 */
		if (good && a->id != NULL)
			closest_set_add(&q->closest, a,
			    local_node_shares(q->queries->self));
		add_closer_nodes(q, n, a->reply);
	}
	if (good && q->spec.reply != NULL) {
		q->busy = true;
		q->spec.reply(q->spec.owner, a);
		if (end_callback(q))
			return;
	}
	advance_query(q);
}

/* Handles a timeout that is not the last: the node is slow from now on, and
 * does not count towards the concurrency. */
static void
on_missed(void *owner)
{
	struct frontier_node *n = owner;
	struct query *q = n->query;

	if (n->missed++ == 0)
		q->slow++;
	if (q->state == QUERY_LOOKUP)
		advance_query(q);
}

/* ---- requests of the lookup ---- */

/* Returns how many requests may be in flight, slow ones aside. */
static uint32_t
get_concurrency(const struct query *q)
{
	uint32_t ended = q->result.replies + q->result.failures;

	if (q->spec.background)
		return ended > 0 && q->queries->requests->len < 3
			   ? CONCURRENCY
			   : CONCURRENCY_BACKGROUND;
	if (q->reused && ended > 0 && ended < CONCURRENCY)
		return CONCURRENCY_FEW;
	return CONCURRENCY;
}

static int
send_query(struct query *q, struct frontier_node *n)
{
	struct dht_call c = {
	    .kind = q->spec.background ? REQUEST_BACKGROUND : REQUEST_OWN,
	    .to = n->addr,
	    .internal = q->spec.internal,
	    .command = q->spec.command,
	    .target = q->spec.target,
	    .value = q->spec.value,
	    .sends = QUERY_SENDS,
	};
	struct request_options x = {
	    .sock = (int)q->spec.socket - 1,
	    .id = q->spec.passed_on ? NULL : n->id,
	    .missed = on_missed,
	};
	struct dht_done done = {.call = on_answer, .owner = n};
	int err =
	    requests_start(q->queries->requests, &c, &x, done, &n->request);

	if (err == 0) {
		n->state = FRONTIER_IN_FLIGHT;
		q->in_flight++;
	}
	return err;
}

/* Returns the nearest NEW node that could enter the closest set, or NULL. */
static struct frontier_node *
next_node(const struct query *q)
{
	struct frontier_node *n = query_frontier_next(&q->frontier);

	return n != NULL && closest_set_accepts(&q->closest, n->id) ? n : NULL;
}

/* Queries a random node of the bootstrap list at once, however far it is. */
static void
query_bootstrap_node(struct query *q, const struct addr *boot, size_t len)
{
	uint32_t i = world_below(q->queries->self->world, (uint32_t)len);
	struct frontier_node *n = add_to_frontier(q, &boot[i]);

	/* If no request can be started, the lookup goes on without it. */
	if (n != NULL && n->state == FRONTIER_NEW)
		(void)(send_query(q, n) == 0);
}

/* Adds the nearest nodes of the routing table and, if they are too few, those
 * of the bootstrap list. */
static void
add_known_nodes(struct query *q)
{
	const struct table *t = &q->queries->self->table;
	struct addr boot[BOOTSTRAP_MAX];
	uint32_t node[RPC_K];
	unsigned n = table_closest(t, q->spec.target, node, RPC_K);
	size_t boot_len =
	    joining_addresses(q->queries->joining, boot, BOOTSTRAP_MAX);

	for (unsigned i = 0; i < n; i++)
		add_to_frontier(q, &table_at(t, node[i])->addr);
	for (size_t i = 0; n < RPC_K && i < boot_len; i++)
		add_to_frontier(q, &boot[i]);
	if (q->spec.bootstrap && boot_len > 0)
		query_bootstrap_node(q, boot, boot_len);
}

static void
on_forwarders_late(struct timer *t)
{
	struct query *q = container_of(t, struct query, timer);

	q->forwarders_late = true;
	if (q->state == QUERY_LOOKUP)
		advance_query(q);
}

/*
 * Returns true if the node should get its request only if nearer ones do not
 * reply: these may be forwarding the message, which takes longer than a reply
 * of their own.
 */
static bool
waits_for_forwarders(struct query *q, const struct frontier_node *n)
{
	const struct local_node *self = q->queries->self;

	if (!q->spec.passed_on || q->forwarders_late ||
	    q->result.replies == 0 ||
	    query_frontier_nearer_in_flight(&q->frontier, n) < FORWARDERS)
		return false;
	q->timer.fire = on_forwarders_late;
	if (!timer_armed(&q->timer))
		timer_arm(self->timers, &q->timer,
		    self->world->now_us + FORWARDERS_WAIT_MS * UINT64_C(1000));
	return true;
}

/* Starts requests up to the concurrency. Returns false if none could be
 * started because of a limit, or since the node is closing. */
static bool
start_requests(struct query *q)
{
	struct frontier_node *n;

	while (q->in_flight - q->slow < get_concurrency(q) &&
	       (n = next_node(q)) != NULL && !waits_for_forwarders(q, n)) {
		int err = send_query(q, n);

		if (err == ERR_BUSY || err == ERR_CLOSED)
			return false;
		if (err != 0)
			n->state = FRONTIER_FAILED;
	}
	return true;
}

/*
 * Returns true if the nodes in flight are not worth waiting for, given that no
 * other is left: the closest set is full and all of them are slow, or all have
 * missed two sends. If there was no reply at all it is our own link that may be
 * slow, so the lookup waits.
 */
static bool
lookup_is_over(const struct query *q)
{
	if (q->in_flight == 0)
		return true;
	if (q->slow < q->in_flight)
		return false;
	if (closest_set_is_full(&q->closest) && !q->spec.passed_on)
		return true;
	/* All of the caller's nodes may be down; then the table is used. */
	if (q->result.replies == 0 && !q->reused)
		return false;
	return query_frontier_all_missed(&q->frontier, HOPELESS);
}

/* ---- the commit ---- */

static void
finish_query(struct query *q)
{
	const struct query_result *r = &q->result;

	if (r->commits > 0 && r->commit_failures == r->commits)
		end_query(q,
		    r->commit_err == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_REFUSED);
	else if (r->replies == 0 || (q->spec.commit_max > 0 && r->commits == 0))
		end_query(
		    q, r->commit_err != 0 ? r->commit_err : ERR_UNREACHABLE);
	else
		end_query(q, 0);
}

static void on_committed(void *owner, const struct dht_answer *a);

static int
commit_to(struct query *q, uint32_t i)
{
	struct query_node *n = &q->closest.nodes[i];
	struct dht_call c = {.to = n->addr, .token = n->token};
	struct dht_done done = {.call = on_committed, .owner = &q->commits[i]};
	bool wanted;

	if (!n->has_token)
		return ERR_VALUE;
	q->busy = true;
	wanted = q->spec.commit(q->spec.owner, n, &c);
	q->busy = false;
	if (!wanted || q->cancelled)
		return ERR_VALUE;
	return requests_call(q->queries->requests, WORLD_NO_SOCK, &c, done,
	    &q->commits[i].request);
}

static int
commit_error(const struct dht_answer *a)
{
	if (a->err != 0)
		return a->err;
	switch (a->reply->error) {
	case RPC_OK:
		return 0;
	case RPC_INVALID_TOKEN:
		return ERR_TOKEN;
	case RPC_SEQ_REUSED:
		return ERR_SEQ_REUSED;
	case RPC_SEQ_TOO_LOW:
		return ERR_SEQ_LOW;
	default:
		return ERR_REFUSED;
	}
}

/* Sends the commit once more, with the token from the reply that refused the
 * first one as too old. The owner signs it anew. */
static bool
retry_commit(struct query_commit *c, const struct dht_answer *a)
{
	struct query *q = c->query;
	uint32_t i = (uint32_t)(c - q->commits);

	if (c->retried || a->token == NULL)
		return false;
	c->retried = true;
	memcpy(q->closest.nodes[i].token, a->token, RPC_TOKEN_LEN);
	return commit_to(q, i) == 0;
}

static void
on_committed(void *owner, const struct dht_answer *a)
{
	struct query_commit *c = owner;
	struct query *q = c->query;
	int err = commit_error(a);

	c->request = NULL;
	if (q->state == QUERY_ENDING)
		return;
	if (err == ERR_TOKEN && retry_commit(c, a))
		return;
	if (end_callback(q))
		return;
	if (err != 0) {
		q->result.commit_failures++;
		if (q->result.commit_err == 0)
			q->result.commit_err = err;
	}
	q->committing--;
	if (q->spec.committed != NULL) {
		q->busy = true;
		q->spec.committed(
		    q->spec.owner, &q->closest.nodes[c - q->commits], a);
		if (end_callback(q))
			return;
	}
	if (q->committing == 0)
		finish_query(q);
}

static void
start_commit(struct query *q)
{
	q->state = QUERY_COMMIT;
	cancel_requests(q);
	if (q->spec.rank != NULL)
		q->spec.rank(q->spec.owner, q->closest.nodes, q->closest.len);
	for (uint32_t i = 0; i < q->closest.len && !q->cancelled &&
			     q->result.commits < q->spec.commit_max;
	     i++) {
		int err;

		q->commits[i].query = q;
		err = commit_to(q, i);
		if (err == 0) {
			q->result.commits++;
			q->committing++;
		} else if (err == ERR_BUSY) {
			q->result.commit_err = err;
		}
	}
	if (end_callback(q))
		return;
	if (q->committing == 0)
		finish_query(q);
}

/* ---- progress ---- */

/* Checks nodes of the table that an early end leaves without a reply. */
static void
check_silent_nodes(struct query *q)
{
	struct local_node *self = q->queries->self;

	for (uint32_t i = 0; i < q->frontier.len && !q->spec.passed_on; i++) {
		const struct frontier_node *n = q->frontier.at[i];
		uint32_t node;

		if (n->state != FRONTIER_IN_FLIGHT || n->missed < HOPELESS)
			continue;
		node = table_find(&self->table, n->id);
		if (node != 0 &&
		    table_at(&self->table, node)->pinged != self->tick)
			candidates_check_node(
			    q->queries->candidates, node, false);
	}
}

static void
advance_query(struct query *q)
{
	bool started = start_requests(q);

	if (started && next_node(q) != NULL)
		return;
	if (!lookup_is_over(q))
		return;
	if (q->reused && q->result.replies < REUSED_MIN) {
		q->reused = false;
		add_known_nodes(q);
		advance_query(q);
		return;
	}
	check_silent_nodes(q);
	if (!started && q->result.replies == 0)
		end_query(q, ERR_BUSY);
	else if (q->spec.commit_max > 0)
		start_commit(q);
	else
		finish_query(q);
}

/* Runs from a timer, so that no completion is called from query_start(). */
static void
on_begin(struct timer *t)
{
	struct query *q = container_of(t, struct query, timer);

	for (size_t i = 0; i < q->spec.start_len; i++)
		add_to_frontier(q, &q->start[i]);
	q->reused = q->spec.start_len > 0;
	if (!q->reused)
		add_known_nodes(q);
	advance_query(q);
}

/* Ends a query that was held for as long as it may be. */
static void
on_hold_expired(struct timer *t)
{
	end_query(container_of(t, struct query, timer), ERR_UNREACHABLE);
}

/* Holds the query until other nodes answer, or for a bounded time. */
static void
hold_query(struct query *q)
{
	struct queries *qs = q->queries;

	TAILQ_INSERT_TAIL(&qs->held, q, link);
	q->timer.fire = on_hold_expired;
	timer_arm(qs->self->timers, &q->timer,
	    qs->self->world->now_us + health_hold_us(qs->health));
	health_check(qs->health);
}

static void
start_lookup(struct query *q)
{
	struct local_node *self = q->queries->self;

	q->state = QUERY_LOOKUP;
	q->timer.fire = on_begin;
	TAILQ_INSERT_TAIL(&q->queries->running, q, link);
	timer_arm(self->timers, &q->timer, self->world->now_us);
}

void
queries_release(struct queries *qs)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&qs->held)) != NULL) {
		TAILQ_REMOVE(&qs->held, q, link);
		start_lookup(q);
	}
}

static struct query *
find_unanswered(const struct queries *qs)
{
	struct query *q;

	TAILQ_FOREACH (q, &qs->running, link)
		if (!q->spec.background && q->state == QUERY_LOOKUP &&
		    q->result.replies == 0 && !q->busy)
			return q;
	return NULL;
}

void
queries_end_unanswered(struct queries *qs)
{
	struct query *q;

	/* Restarts the search each time, as a callback may end others. */
	while ((q = find_unanswered(qs)) != NULL)
		end_query(q, ERR_UNREACHABLE);
}

static struct query *
query_new(struct queries *qs, const struct query_spec *spec)
{
	struct query *q = calloc(1, sizeof *q + spec->value.len);

	if (q == NULL)
		return NULL;
	q->queries = qs;
	q->spec = *spec;
	q->frontier.target = q->closest.target = q->spec.target;
	if (spec->value.p != NULL) {
		memcpy(q->value, spec->value.p, spec->value.len);
		q->spec.value.p = q->value;
	}
	if (spec->start_len > 0) {
		q->start = calloc(spec->start_len, sizeof *q->start);
		if (q->start == NULL) {
			free(q);
			return NULL;
		}
		memcpy(
		    q->start, spec->start, spec->start_len * sizeof *q->start);
	}
	return q;
}

int
queries_start(
    struct queries *qs, const struct query_spec *spec, struct query **out)
{
	struct local_node *self = qs->self;
	struct query *q;

	if (self->closing)
		return ERR_CLOSED;
	/* The limit is for programs; maintenance must always run. */
	if (!spec->background && qs->len >= self->limits->queries)
		return ERR_BUSY;
	if ((q = query_new(qs, spec)) == NULL)
		return ERR_MEMORY;
	qs->len++;
	maintenance_postpone_refresh(qs->maintenance);
	/* While no node answers there is none to query. */
	if (!health_holds_queries(qs->health) || spec->background)
		start_lookup(q);
	else
		hold_query(q);
	if (out != NULL)
		*out = q;
	return 0;
}
