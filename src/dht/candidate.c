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
	bool validated;  /* so was the address of the candidate */
	uint8_t guesses; /* replies that matched no request */
	struct addr newcomer; /* CHECK_SWAP */
	uint8_t newcomer_id[ID_LEN];
};

void
candidates_init(struct candidates *cs)
{
	TAILQ_INIT(&cs->checks);
}

void
candidates_fini(struct candidates *cs)
{
	struct check *c;

	while ((c = TAILQ_FIRST(&cs->checks)) != NULL) {
		TAILQ_REMOVE(&cs->checks, c, link);
		free(c);
	}
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

static void
on_checked(void *owner, const struct dht_answer *a)
{
	struct check *c = owner;
	struct candidates *cs = c->candidates;
	bool alive = a->err == 0 && a->id != NULL;

	TAILQ_REMOVE(&cs->checks, c, link);
	cs->len[c->kind]--;
	cs->caused -= is_caused(c);
	cs->known -= c->known;
	/* A cancelled or closed request does not show that a node is down. */
	if (!alive && (a->err == 0 || a->err == ERR_TIMEOUT))
		apply_failed_check(c);
	free(c);
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

/* Abandons the oldest candidate without a validated address. Returns false if
 * there is none. */
static bool
evict_unvalidated(struct candidates *cs)
{
	struct check *c;

	TAILQ_FOREACH (c, &cs->checks, link)
		if (c->kind == CHECK_CANDIDATE && is_caused(c) &&
		    !c->validated) {
			request_cancel(c->request);
			return true;
		}
	return false;
}

static bool
is_validated(const struct candidates *cs, uint32_t source)
{
	return source != RATE_LIMITER_EXEMPT &&
	       rate_limiter_is_validated(cs->limiter, cs->self->world, source);
}

/* Returns true if one more candidate at this address may be checked, and
 * charges the PING to its budget. */
static bool
admit_candidate(struct candidates *cs, const struct addr *a, uint32_t source)
{
	const struct limits *l = cs->self->limits;
	bool exempt = source == RATE_LIMITER_EXEMPT;
	uint32_t prefix_max = l->candidates_prefix < DHT_CHECKS_PREFIX_MAX
				  ? l->candidates_prefix
				  : DHT_CHECKS_PREFIX_MAX;
	uint32_t prefix = 0;
	bool full = !may_cause(cs);
	struct check *c;

	/*
	 * The cheapest tests come first: in a flood they are those that fail.
	 */
	if ((full && !is_validated(cs, source)) ||
	    !requests_can_send(cs->requests, REQUEST_CHECK))
		return false;
	TAILQ_FOREACH (c, &cs->checks, link) {
		if (c->kind != CHECK_CANDIDATE)
			continue;
		if (addr_equal(&c->addr, a))
			return false;
		prefix += addr_same_prefix(&c->addr, a);
	}
	if (!exempt && (prefix >= prefix_max ||
			   !rate_limiter_permit_check(
			       cs->limiter, cs->self->world, source) ||
			   !rate_limiter_charge(cs->limiter, cs->self->world,
			       source, PING_BYTES)))
		return false;
	return !full || evict_unvalidated(cs);
}

void
candidates_request_received(struct candidates *cs, const uint8_t *id,
    const struct addr *a, uint32_t source)
{
	struct local_node *self = cs->self;
	int err = table_check(&self->table, id, a, local_node_shares(self));
	struct check *c;

	if (err == ERR_BUDGET)
		self->stats->table_share++;
	if (err != 0 && (err != ERR_LIMIT || find_swap_victim(cs, id) == 0))
		return;
	if (!admit_candidate(cs, a, source)) {
		self->stats->candidates_refused++;
		return;
	}
	if ((c = check_new(cs, CHECK_CANDIDATE, a, id)) == NULL)
		return;
	c->validated = is_validated(cs, source);
	self->stats->candidates++;
	start_check(cs, c);
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
