/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/candidate.h"
#include "dht/request.h"

struct check {
	TAILQ_ENTRY(check) link;
	struct candidates *candidates;
	enum check_kind kind;
	struct addr addr;
	uint8_t id[ID_LEN];
	struct request *request;
	bool known;      /* of an earlier run, so no other node caused it */
	bool exempt;     /* no budget or share applies to the candidate */
	bool validated;  /* the candidate has a validated address */
	uint8_t guesses; /* replies that matched no request */
	struct addr newcomer; /* CHECK_SWAP */
	uint8_t newcomer_id[ID_LEN];
};

void
candidates_init(struct candidates *cs)
{
	TAILQ_INIT(&cs->checks);
	TAILQ_INIT(&cs->deferred);
}

static void
free_all(struct check_list *list)
{
	struct check *c;

	while ((c = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, c, link);
		free(c);
	}
}

void
candidates_fini(struct candidates *cs)
{
	free_all(&cs->checks);
	free_all(&cs->deferred);
}

/* ---- the table ---- */

static uint32_t
add_node(struct candidates *cs, const uint8_t *id, const struct addr *a)
{
	struct local_node *self = cs->self;
	uint32_t node = table_add(&self->table, id, a, self->tick);

	if (node != 0)
		self->stats->table_added++;
	return node;
}

void
candidates_node_failed(struct candidates *cs, const uint8_t *id)
{
	uint32_t node = table_find(&cs->self->table, id);

	if (node == 0)
		return;
	table_del(&cs->self->table, node);
	cs->self->stats->table_removed++;
}

/* ---- checks ---- */

/* Removes the node that was checked, and adds the newcomer of a swap. */
static void
apply_failed_check(const struct check *c)
{
	struct candidates *cs = c->candidates;
	struct local_node *self = cs->self;

	if (c->kind == CHECK_CANDIDATE)
		self->stats->candidates_failed++;
	else
		candidates_node_failed(cs, c->id);
	if (c->kind == CHECK_SWAP &&
	    table_check(&self->table, c->newcomer_id, &c->newcomer,
		local_node_shares(self)) == 0)
		add_node(cs, c->newcomer_id, &c->newcomer);
}

static bool
is_caused(const struct check *c)
{
	return c->kind != CHECK_NODE && !c->known;
}

static void start_deferred(struct candidates *cs);

static void
on_checked(void *owner, const struct dht_answer *a)
{
	struct check *c = owner;
	struct candidates *cs = c->candidates;
	bool ended = a->err == 0 || a->err == ERR_TIMEOUT;
	bool alive = a->err == 0 && a->id != NULL;

	TAILQ_REMOVE(&cs->checks, c, link);
	cs->len[c->kind]--;
	cs->caused -= is_caused(c);
	cs->known -= c->known;
	/* A cancelled or closed request does not show that a node is down. The
	 * candidate for which it was cancelled takes its place. */
	if (ended && !alive)
		apply_failed_check(c);
	free(c);
	if (ended)
		start_deferred(cs);
}

/* Sends the PING. Takes ownership of c. Returns false if it was not sent. */
static bool
start_check(struct candidates *cs, struct check *c)
{
	struct dht_call call = {
	    .kind = is_caused(c) ? REQUEST_CHECK : REQUEST_BACKGROUND,
	    .to = c->addr,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = REQUEST_SENDS,
	};
	struct dht_done done = {.call = on_checked, .owner = c};

	if (c->kind == CHECK_CANDIDATE) {
		/* It is sent once, so the timeout must suit any round trip. */
		call.sends = 1;
		call.timeout_ms = REQUEST_WAIT_MS;
	}
	if (requests_call(
		cs->requests, WORLD_NO_SOCK, &call, done, &c->request) != 0) {
		free(c);
		return false;
	}
	TAILQ_INSERT_TAIL(&cs->checks, c, link);
	cs->len[c->kind]++;
	cs->caused += is_caused(c);
	cs->known += c->known;
	return true;
}

static struct check *
check_new(struct candidates *cs, enum check_kind kind, const struct addr *a,
    const uint8_t *id)
{
	struct check *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->candidates = cs;
	c->kind = kind;
	c->addr = *a;
	memcpy(c->id, id, ID_LEN);
	return c;
}

/* Returns true if another node may cause one more check. */
static bool
may_cause(const struct candidates *cs)
{
	return cs->caused < DHT_CHECKS_MAX &&
	       cs->caused < cs->self->limits->candidates;
}

void
candidates_check_node(struct candidates *cs, uint32_t node, bool hinted)
{
	struct table_node *n = table_at(&cs->self->table, node);
	struct check *c;

	if (hinted && !may_cause(cs))
		return;
	c = check_new(cs, hinted ? CHECK_HINT : CHECK_NODE, &n->addr, n->id);
	if (c != NULL && start_check(cs, c))
		n->pinged = cs->self->tick;
}

/* ---- swaps, protocol 01 §8.3 ---- */

/* Returns the node to check for the sake of a newcomer, or 0. */
static uint32_t
find_swap_victim(const struct candidates *cs, const uint8_t *id)
{
	const struct local_node *self = cs->self;
	const struct table_node *n;
	uint32_t node;

	if (!self->bootstrapped || cs->len[CHECK_SWAP] >= DHT_SWAPS_MAX)
		return 0;
	node = table_oldest_in_row(&self->table, id, self->tick);
	if (node == 0)
		return 0;
	n = table_at(&self->table, node);
	/* In steady state every row is full: a node that was active recently
	 * is not checked for each newcomer. */
	return self->tick - n->pinged < TICKS_DOUBT ? 0 : node;
}

static void
start_swap(struct candidates *cs, const uint8_t *id, const struct addr *a)
{
	uint32_t victim = find_swap_victim(cs, id);
	struct table_node *n;
	struct check *c;

	if (victim == 0)
		return;
	n = table_at(&cs->self->table, victim);
	c = check_new(cs, CHECK_SWAP, &n->addr, n->id);
	if (c == NULL)
		return;
	c->newcomer = *a;
	memcpy(c->newcomer_id, id, ID_LEN);
	if (start_check(cs, c))
		n->pinged = cs->self->tick;
}

/* ---- messages received ---- */

bool
candidates_reply_received(struct candidates *cs, const uint8_t *id,
    const struct addr *a, bool shows_us)
{
	struct local_node *self = cs->self;
	uint32_t node = id != NULL ? table_find(&self->table, id) : 0;
	struct table_node *n;
	int err;

	if (id == NULL)
		return false;
	if (node == 0) {
		err = table_check(&self->table, id, a, local_node_shares(self));
		if (err == 0)
			node = add_node(cs, id, a);
		else if (err == ERR_LIMIT)
			start_swap(cs, id, a);
		else if (err == ERR_BUDGET)
			self->stats->table_share++;
		if (node == 0)
			return false;
	}
	table_touch(&self->table, node, self->tick);
	n = table_at(&self->table, node);
	if (!shows_us ||
	    (n->sampled != 0 && self->tick - n->sampled < TICKS_OLD))
		return false;
	n->sampled = self->tick;
	return true;
}

void
candidates_reply_unmatched(struct candidates *cs, const struct addr *a)
{
	struct check *c;

	TAILQ_FOREACH (c, &cs->checks, link) {
		if (c->kind != CHECK_CANDIDATE || !addr_equal(&c->addr, a))
			continue;
		if (++c->guesses == DHT_CANDIDATE_GUESSES_MAX)
			request_cancel(c->request);
		return;
	}
}

/* Returns true if the table has a place for the node, or may get one by a
 * swap. */
static bool
is_wanted(struct candidates *cs, const uint8_t *id, const struct addr *a)
{
	struct local_node *self = cs->self;
	int err = table_check(&self->table, id, a, local_node_shares(self));

	if (err == ERR_BUDGET)
		self->stats->table_share++;
	return err == 0 || (err == ERR_LIMIT && find_swap_victim(cs, id) != 0);
}

/* Counts the candidates in the list that have the prefix of a. Returns
 * UINT32_MAX if a itself is one of them. */
static uint32_t
count_prefix(const struct check_list *list, const struct addr *a)
{
	uint32_t prefix = 0;
	const struct check *c;

	TAILQ_FOREACH (c, list, link) {
		if (c->kind != CHECK_CANDIDATE)
			continue;
		if (addr_equal(&c->addr, a))
			return UINT32_MAX;
		prefix += addr_same_prefix(&c->addr, a);
	}
	return prefix;
}

/* Returns true if the prefix of a candidate has its share of the list free. */
static bool
has_share(
    const struct candidates *cs, const struct check *c, uint32_t of_prefix)
{
	const struct limits *l = cs->self->limits;

	return c->exempt || (of_prefix < l->candidates_prefix &&
				of_prefix < DHT_CHECKS_PREFIX_MAX);
}

/* Returns true if the budget of the host permits one more PING, and charges
 * it. */
static bool
charge_candidate(struct candidates *cs, const struct check *c)
{
	struct world *w = cs->self->world;
	uint32_t source;

	if (c->exempt)
		return true;
	source = rate_limiter_source(cs->limiter, w, &c->addr);
	return source != RATE_LIMITER_REFUSED &&
	       rate_limiter_permit_check(cs->limiter, w, source) &&
	       rate_limiter_charge(cs->limiter, w, source, PING_BYTES);
}

/* Sends the PING to a candidate that is checked now. Takes ownership of c.
 * Returns false if its budget does not permit it. */
static bool
start_candidate(struct candidates *cs, struct check *c)
{
	if (!charge_candidate(cs, c)) {
		free(c);
		return false;
	}
	cs->self->stats->candidates++;
	start_check(cs, c);
	return true;
}

/* Returns the oldest candidate in the list without a validated address, or
 * NULL. */
static struct check *
first_unvalidated(const struct check_list *list)
{
	struct check *c;

	TAILQ_FOREACH (c, list, link)
		if (c->kind == CHECK_CANDIDATE && !c->known && !c->validated)
			break;
	return c;
}

/* Returns true if one more check may begin now, for which a candidate with a
 * validated address stops the oldest one without. */
static bool
make_room(struct candidates *cs, bool validated)
{
	struct check *old;

	if (!requests_can_send(cs->requests, REQUEST_CHECK))
		return false;
	if (may_cause(cs))
		return true;
	if (!validated || (old = first_unvalidated(&cs->checks)) == NULL)
		return false;
	request_cancel(old->request);
	return true;
}

/* Keeps the candidate until a check ends. Takes ownership of c. Returns false
 * if a candidate was dropped: one with a validated address takes the place of
 * the oldest one without. */
static bool
defer_candidate(struct candidates *cs, struct check *c)
{
	struct check *old;

	if (cs->deferred_len < DHT_DEFERRED_MAX) {
		TAILQ_INSERT_TAIL(&cs->deferred, c, link);
		cs->deferred_len++;
		return true;
	}
	old = c->validated ? first_unvalidated(&cs->deferred) : NULL;
	if (old != NULL) {
		TAILQ_INSERT_BEFORE(old, c, link);
		TAILQ_REMOVE(&cs->deferred, old, link);
		c = old;
	}
	free(c);
	return false;
}

static void
start_deferred(struct candidates *cs)
{
	struct check *c, *next;

	for (c = TAILQ_FIRST(&cs->deferred); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (!may_cause(cs) ||
		    !requests_can_send(cs->requests, REQUEST_CHECK))
			return;
		if (!has_share(cs, c, count_prefix(&cs->checks, &c->addr)))
			continue;
		TAILQ_REMOVE(&cs->deferred, c, link);
		cs->deferred_len--;
		if (!is_wanted(cs, c->id, &c->addr))
			free(c);
		else if (!start_candidate(cs, c))
			cs->self->stats->candidates_refused++;
	}
}

/* Starts the check of c or defers it. Takes ownership of c. Returns false if a
 * candidate was refused. */
static bool
start_or_defer(struct candidates *cs, struct check *c)
{
	uint32_t checked = count_prefix(&cs->checks, &c->addr);
	uint32_t deferred = count_prefix(&cs->deferred, &c->addr);

	if (checked == UINT32_MAX || deferred == UINT32_MAX) {
		free(c);
		return false;
	}
	if (has_share(cs, c, checked) && make_room(cs, c->validated))
		return start_candidate(cs, c);
	if (has_share(cs, c, deferred))
		return defer_candidate(cs, c);
	free(c);
	return false;
}

/* Returns true if neither list has space for a candidate without a validated
 * address: it is refused before memory is allocated for it. */
static bool
is_full(const struct candidates *cs)
{
	return !may_cause(cs) && cs->deferred_len >= DHT_DEFERRED_MAX;
}

void
candidates_request_received(struct candidates *cs, const uint8_t *id,
    const struct addr *a, uint32_t source)
{
	bool exempt = source == RATE_LIMITER_EXEMPT;
	bool validated = !exempt && rate_limiter_is_validated(
					cs->limiter, cs->self->world, source);
	struct check *c = NULL;

	start_deferred(cs);
	if (!is_wanted(cs, id, a))
		return;
	if (validated || !is_full(cs))
		c = check_new(cs, CHECK_CANDIDATE, a, id);
	if (c != NULL) {
		c->exempt = exempt;
		c->validated = validated;
	}
	if (c == NULL || !start_or_defer(cs, c))
		cs->self->stats->candidates_refused++;
}

void
candidates_ping_known(struct candidates *cs, const struct addr *a)
{
	uint8_t id[ID_LEN];
	struct check *c;

	id_of_addr(id, a);
	if (table_check(&cs->self->table, id, a, NULL) != 0 ||
	    !local_node_may_send(cs->self, a))
		return;
	if ((c = check_new(cs, CHECK_CANDIDATE, a, id)) == NULL)
		return;
	c->known = true;
	start_check(cs, c);
}
