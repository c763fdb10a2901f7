/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

/*
 * HELD ---bootstrapped---> WALK ---nobody nearer is left---> COMMIT
 *   |                       |                                  |
 *   +--cancelled            +--no commit wanted, or nobody     +--all ended
 *   v                       v  there to commit to              v
 *   ......................... gone ..............................
 */
enum query_state { QUERY_HELD, QUERY_WALK, QUERY_COMMIT, QUERY_ENDING };

enum {
	CONCURRENCY = 10,
	CONCURRENCY_FEW = 3, /* reusing a list, until it proves good */
	CONCURRENCY_BACKGROUND = 2,
	REUSED_MIN = 5, /* good replies of a reused list, or the table helps */
	HOPELESS = 2,   /* sends missed by all that is left: end early */
};

struct commit {
	struct query *query;
	struct request *request;
	bool retried; /* with a fresh token */
};

struct query {
	TAILQ_ENTRY(query) link;
	struct dht *dht;
	struct query_spec spec;
	struct timer begin;
	uint8_t state;
	bool busy;      /* one of its callbacks is running */
	bool cancelled; /* from inside that callback */
	bool reused;    /* began from the caller's list */
	struct steps steps;
	uint32_t in_flight, slow; /* slow: of those in flight */
	struct closest closest;
	struct commit commits[RPC_K]; /* to the closest, in their order */
	uint32_t committing;
	struct query_result result;
	struct addr *start;
	uint8_t value[]; /* spec.value */
};

static void advance(struct query *q);

/* ---- the end ---- */

static void
query_free(struct query *q)
{
	steps_fini(&q->steps);
	free(q->start);
	free(q);
}

static void
cancel_requests(struct query *q)
{
	for (uint32_t i = 0; i < q->steps.len; i++)
		if (q->steps.at[i]->request != NULL)
			dht_cancel(q->dht, q->steps.at[i]->request);
	for (uint32_t i = 0; i < q->closest.len; i++)
		if (q->commits[i].request != NULL)
			dht_cancel(q->dht, q->commits[i].request);
}

static void
end(struct query *q, int err)
{
	struct dht *d = q->dht;
	struct query_list *list =
	    q->state == QUERY_HELD ? &d->held : &d->queries;

	TAILQ_REMOVE(list, q, link);
	timer_disarm(d->timers, &q->begin);
	d->queries_len--;
	q->state = QUERY_ENDING;
	cancel_requests(q);
	d->stats->queries++;
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
		end(q, ERR_CANCELLED);
}

/* After a callback: true if it cancelled the query, which is gone then. */
static bool
left(struct query *q)
{
	q->busy = false;
	if (!q->cancelled)
		return false;
	end(q, ERR_CANCELLED);
	return true;
}

void
queries_end(struct dht *d, int err)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&d->queries)) != NULL ||
	       (q = TAILQ_FIRST(&d->held)) != NULL)
		end(q, err);
}

/* ---- the steps ---- */

/* The step of this address, new or known; NULL if it may not be one. */
static struct step *
step_of(struct query *q, const struct addr *a)
{
	const struct addr *us = dht_public_address(q->dht);
	struct step *s = steps_recall(&q->steps, a);
	uint8_t id[ID_LEN];

	if (s != NULL)
		return s;
	if (!dht_may_send(q->dht, a) || (us != NULL && addr_equal(us, a)))
		return NULL;
	id_of_addr(id, a);
	if (id_equal(id, q->dht->table.own))
		return NULL;
	s = steps_add(
	    &q->steps, id, a, q->dht->limits, dht_shares(q->dht) != NULL);
	if (s != NULL)
		s->query = q;
	return s;
}

/* ---- down hints, protocol 01 §10.4 ---- */

static void
hint(struct query *q, const struct step *dead, const struct step *to)
{
	struct dht *d = q->dht;
	uint8_t value[ADDR_WIRE4_LEN];
	struct wr w = wr_init(value, sizeof value);
	struct dht_call c = {
	    .to = to->addr,
	    .internal = true,
	    .command = RPC_DOWN_HINT,
	    .value = {value, sizeof value},
	    .sends = 1,
	};

	if (d->hints_left == 0 || q->spec.passed_on)
		return;
	wr_addr4(&w, &dead->addr);
	if (dht_call(d, &c, (struct dht_done){0}, NULL) == 0) {
		d->hints_left--;
		d->stats->down_hints_sent++;
	}
}

/* Remembers who listed a node, or tells it at once that the node is dead. */
static void
refer(struct query *q, struct step *s, struct step *by)
{
	for (uint8_t i = 0; i < s->referrers_len; i++)
		if (s->referrers[i] == by)
			return;
	if (s->referrers_len == STEP_REFERRERS_MAX)
		return;
	s->referrers[s->referrers_len++] = by;
	if (s->state == STEP_FAILED)
		hint(q, s, by);
}

/* ---- the walk ---- */

static void
take_closer(struct query *q, struct step *by, const struct rpc_reply *m)
{
	size_t n = m->closer.len / ADDR_WIRE4_LEN;

	/* All of them: a list need not be sorted, and it is short. */
	for (size_t i = 0; i < n && i < RPC_CLOSER_MAX; i++) {
		struct addr a = rpc_closer(m, i);
		struct step *s = step_of(q, &a);

		if (s != NULL && s != by)
			refer(q, s, by);
	}
}

static void
settle(struct step *s, enum step_state state)
{
	struct query *q = s->query;

	s->request = NULL;
	s->state = (uint8_t)state;
	q->in_flight--;
	if (s->missed > 0)
		q->slow--;
}

static void
on_timeout(struct step *s)
{
	struct query *q = s->query;

	q->result.failures++;
	for (uint8_t i = 0; i < s->referrers_len; i++)
		hint(q, s, s->referrers[i]);
}

static void
on_answer(void *owner, const struct dht_answer *a)
{
	struct step *s = owner;
	struct query *q = s->query;
	bool good = a->err == 0 && a->reply->error == RPC_OK;

	settle(s, a->err == 0 ? STEP_DONE : STEP_FAILED);
	/* Busy: its own callback has ended this request, with its socket. */
	if (q->state != QUERY_WALK || q->busy)
		return;
	if (a->err != 0) {
		on_timeout(s);
	} else {
		q->result.replies += good;
		q->result.failures += !good;
		/* Nodes without id are of help, but never among the closest. */
		if (good && a->id != NULL)
			closest_add(&q->closest, a, dht_shares(q->dht));
		take_closer(q, s, a->reply);
	}
	if (good && q->spec.reply != NULL) {
		q->busy = true;
		q->spec.reply(q->spec.owner, a);
		if (left(q))
			return;
	}
	advance(q);
}

/* The first wait passed: the step is slow and frees a place. */
static void
on_missed(void *owner)
{
	struct step *s = owner;
	struct query *q = s->query;

	if (s->missed++ == 0)
		q->slow++;
	if (q->state == QUERY_WALK)
		advance(q);
}

static uint32_t
concurrency(const struct query *q)
{
	uint32_t seen = q->result.replies + q->result.failures;

	if (q->spec.background)
		return seen > 0 && q->dht->requests.len < 3
			   ? CONCURRENCY
			   : CONCURRENCY_BACKGROUND;
	if (q->reused && seen > 0 && seen < CONCURRENCY)
		return CONCURRENCY_FEW;
	return CONCURRENCY;
}

static int
ask(struct query *q, struct step *s)
{
	struct dht_call c = {
	    .to = s->addr,
	    .internal = q->spec.internal,
	    .command = q->spec.command,
	    .target = q->spec.target,
	    .value = q->spec.value,
	    .sends = QUERY_SENDS,
	};
	struct request_extra x = {
	    .sock = (int)q->spec.socket - 1,
	    .id = q->spec.passed_on ? NULL : s->id,
	    .missed = on_missed,
	};
	struct dht_done done = {.call = on_answer, .owner = s};
	int err = request_start(q->dht, &c, &x, done, &s->request);

	if (err == 0) {
		s->state = STEP_ASKED;
		q->in_flight++;
	}
	return err;
}

/* The nearest that was not asked and may still matter. */
static struct step *
next_step(const struct query *q)
{
	struct step *s = steps_next(&q->steps);

	return s != NULL && closest_wants(&q->closest, s->id) ? s : NULL;
}

/* One of the bootstrap list, by chance: asked at once, however far it is. */
static void
ask_bootstrap(struct query *q, const struct addr *boot, size_t len)
{
	struct step *s =
	    step_of(q, &boot[world_below(q->dht->world, (uint32_t)len)]);

	if (s != NULL && s->state == STEP_NEW)
		ask(q, s);
}

static void
refill(struct query *q)
{
	struct addr boot[BOOTSTRAP_MAX];
	uint32_t node[RPC_K];
	unsigned n = table_closest(&q->dht->table, q->spec.target, node, RPC_K);
	size_t boot_len = join_addresses(q->dht, boot, BOOTSTRAP_MAX);

	for (unsigned i = 0; i < n; i++)
		step_of(q, &table_at(&q->dht->table, node[i])->addr);
	for (size_t i = 0; n < RPC_K && i < boot_len; i++)
		step_of(q, &boot[i]);
	if (q->spec.bootstrap && boot_len > 0)
		ask_bootstrap(q, boot, boot_len);
}

/* Asks as many as may be under way. False if no request could be made. */
static bool
ask_more(struct query *q)
{
	struct step *s;

	while (q->in_flight - q->slow < concurrency(q) &&
	       (s = next_step(q)) != NULL) {
		int err = ask(q, s);

		if (err == ERR_BUSY || err == ERR_CLOSED)
			return false;
		if (err != 0)
			s->state = STEP_FAILED;
	}
	return true;
}

/*
 * Nobody is left to ask: is it worth waiting for those that were? Not once the
 * closest set is full and all are slow, nor once all have missed two sends,
 * unless nobody has answered at all: then it may be us who are slow.
 */
static bool
is_over(const struct query *q)
{
	if (q->in_flight == 0)
		return true;
	if (q->slow < q->in_flight)
		return false;
	if (closest_is_full(&q->closest) && !q->spec.passed_on)
		return true;
	/* A list from before may be all dead, but then the table helps. */
	if (q->result.replies == 0 && !q->reused)
		return false;
	return steps_all_missed(&q->steps, HOPELESS);
}

/* ---- the commit ---- */

static void
finish(struct query *q)
{
	const struct query_result *r = &q->result;

	if (r->commits > 0 && r->commit_failures == r->commits)
		end(q,
		    r->commit_err == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_REFUSED);
	else if (r->replies == 0 || (q->spec.commit_max > 0 && r->commits == 0))
		end(q, r->commit_err != 0 ? r->commit_err : ERR_UNREACHABLE);
	else
		end(q, 0);
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
	return dht_call(q->dht, &c, done, &q->commits[i].request);
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

/* The token was too old: once more, signed anew with the one just given. */
static bool
retry_commit(struct commit *c, const struct dht_answer *a)
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
	struct commit *c = owner;
	struct query *q = c->query;
	int err = commit_error(a);

	c->request = NULL;
	if (q->state == QUERY_ENDING)
		return;
	if (err == ERR_TOKEN && retry_commit(c, a))
		return;
	if (left(q))
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
		if (left(q))
			return;
	}
	if (q->committing == 0)
		finish(q);
}

static void
commit(struct query *q)
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
	if (left(q))
		return;
	if (q->committing == 0)
		finish(q);
}

/* ---- the way through ---- */

/* What the early end leaves behind unanswered is looked at by and by. */
static void
doubt_silent(struct query *q)
{
	for (uint32_t i = 0; i < q->steps.len && !q->spec.passed_on; i++) {
		const struct step *s = q->steps.at[i];
		uint32_t node;

		if (s->state != STEP_ASKED || s->missed < HOPELESS)
			continue;
		node = table_find(&q->dht->table, s->id);
		if (node != 0 &&
		    table_at(&q->dht->table, node)->pinged != q->dht->tick)
			candidate_check(q->dht, node, false);
	}
}

static void
advance(struct query *q)
{
	bool asked = ask_more(q);

	if (asked && next_step(q) != NULL)
		return;
	if (!is_over(q))
		return;
	if (q->reused && q->result.replies < REUSED_MIN) {
		q->reused = false;
		refill(q);
		advance(q);
		return;
	}
	doubt_silent(q);
	if (!asked && q->result.replies == 0)
		end(q, ERR_BUSY);
	else if (q->spec.commit_max > 0)
		commit(q);
	else
		finish(q);
}

/* In a later wake-up, so that no completion comes from query_start(). */
static void
on_begin(struct timer *t)
{
	struct query *q = container_of(t, struct query, begin);

	for (size_t i = 0; i < q->spec.start_len; i++)
		step_of(q, &q->start[i]);
	q->reused = q->spec.start_len > 0;
	if (!q->reused)
		refill(q);
	advance(q);
}

static void
begin(struct query *q)
{
	struct dht *d = q->dht;

	q->state = QUERY_WALK;
	TAILQ_INSERT_TAIL(&d->queries, q, link);
	timer_arm(d->timers, &q->begin, d->world->now_us);
}

void
queries_release(struct dht *d)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&d->held)) != NULL) {
		TAILQ_REMOVE(&d->held, q, link);
		begin(q);
	}
}

static struct query *
query_new(struct dht *d, const struct query_spec *spec)
{
	struct query *q = calloc(1, sizeof *q + spec->value.len);

	if (q == NULL)
		return NULL;
	q->dht = d;
	q->spec = *spec;
	q->steps.target = q->closest.target = q->spec.target;
	q->begin.fire = on_begin;
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
query_start(struct dht *d, const struct query_spec *spec, struct query **out)
{
	struct query *q;

	if (d->closing)
		return ERR_CLOSED;
	/* The own upkeep must find a place whatever others want. */
	if (!spec->background && d->queries_len >= d->limits->queries)
		return ERR_BUSY;
	if (timers_reserve(d->timers,
		d->timers->len + d->queries_len + d->requests.len + 8) != 0 ||
	    (q = query_new(d, spec)) == NULL)
		return ERR_MEMORY;
	d->queries_len++;
	/* Early by chance, so that nodes started together do not act together.
	 */
	d->refresh_at =
	    d->tick + TICKS_REFRESH - world_below(d->world, TICKS_REFRESH / 4);
	/* Not before the own list was asked: there is nobody else to ask. */
	if (d->bootstrapped || spec->background)
		begin(q);
	else
		TAILQ_INSERT_TAIL(&d->held, q, link);
	if (out != NULL)
		*out = q;
	return 0;
}
