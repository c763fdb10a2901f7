/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/inside.h"

/*
 * A node gets into the table only by answering us. Who merely speaks to us
 * with a proved id is a candidate and gets one PING. Nodes of the table are
 * pinged now and then; a full row gives up its oldest node if that is silent.
 */
enum { GUESSES_MAX = 4 };

struct check {
	TAILQ_ENTRY(check) link;
	struct dht *dht;
	enum check_kind kind;
	struct addr addr;
	uint8_t id[ID_LEN];
	struct request *request;
	uint8_t guesses;      /* replies with a wrong tid */
	struct addr newcomer; /* CHECK_SWAP */
	uint8_t newcomer_id[ID_LEN];
};

void
candidates_fini(struct dht *d)
{
	struct check *c;

	while ((c = TAILQ_FIRST(&d->checks)) != NULL) {
		TAILQ_REMOVE(&d->checks, c, link);
		free(c);
	}
}

static uint32_t
add(struct dht *d, const uint8_t *id, const struct addr *a)
{
	uint32_t node = table_add(&d->table, id, a, d->tick);

	if (node != 0)
		d->stats->table_added++;
	return node;
}

static void
remove_node(struct dht *d, const uint8_t *id)
{
	uint32_t node = table_find(&d->table, id);

	if (node == 0)
		return;
	table_del(&d->table, node);
	d->stats->table_removed++;
}

static void
on_checked(void *owner, const struct dht_answer *a)
{
	struct check *c = owner;
	struct dht *d = c->dht;
	bool alive = a->err == 0 && a->id != NULL;

	TAILQ_REMOVE(&d->checks, c, link);
	d->checking[c->kind]--;
	/* When everything ends, nobody is to blame. */
	if (!alive && (a->err == 0 || a->err == ERR_TIMEOUT)) {
		if (c->kind == CHECK_CANDIDATE)
			d->stats->candidates_failed++;
		else
			remove_node(d, c->id);
		if (c->kind == CHECK_SWAP &&
		    table_check(&d->table, c->newcomer_id, &c->newcomer,
			dht_shares(d)) == 0)
			add(d, c->newcomer_id, &c->newcomer);
	}
	free(c);
}

/* Sends the PING; takes c. */
static void
start(struct dht *d, struct check *c)
{
	struct dht_call call = {
	    .to = c->addr,
	    .internal = true,
	    .command = RPC_PING,
	    .sends = REQUEST_SENDS,
	};
	struct dht_done done = {.call = on_checked, .owner = c};

	if (c->kind == CHECK_CANDIDATE) {
		/* The only send, so the wait must suit any round trip. */
		call.sends = 1;
		call.timeout_ms = REQUEST_WAIT_MS;
	}
	if (dht_call(d, &call, done, &c->request) != 0) {
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&d->checks, c, link);
	d->checking[c->kind]++;
}

static struct check *
check_new(struct dht *d, enum check_kind kind, const struct addr *a,
    const uint8_t *id)
{
	struct check *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->dht = d;
	c->kind = kind;
	c->addr = *a;
	memcpy(c->id, id, ID_LEN);
	return c;
}

void
candidate_check(struct dht *d, uint32_t node, bool hinted)
{
	struct table_node *n = table_at(&d->table, node);
	struct check *c =
	    check_new(d, hinted ? CHECK_HINT : CHECK_NODE, &n->addr, n->id);

	n->pinged = d->tick;
	if (c != NULL)
		start(d, c);
}

/* The node that a newcomer may challenge for its place, protocol 01 §8.3; or 0.
 */
static uint32_t
swap_victim(const struct dht *d, const uint8_t *id)
{
	uint32_t node;
	const struct table_node *n;

	if (!d->bootstrapped || d->checking[CHECK_SWAP] >= SWAPS_MAX)
		return 0;
	node = table_oldest_in_row(&d->table, id, d->tick);
	if (node == 0)
		return 0;
	n = table_at(&d->table, node);
	/* In steady state all rows are full: who was there lately is not
	 * doubted each time that somebody new speaks. */
	return d->tick - n->pinged < TICKS_DOUBT ? 0 : node;
}

static void
swap(struct dht *d, const uint8_t *id, const struct addr *a)
{
	uint32_t victim = swap_victim(d, id);
	struct table_node *n;
	struct check *c;

	if (victim == 0)
		return;
	n = table_at(&d->table, victim);
	c = check_new(d, CHECK_SWAP, &n->addr, n->id);
	if (c == NULL)
		return;
	n->pinged = d->tick;
	c->newcomer = *a;
	memcpy(c->newcomer_id, id, ID_LEN);
	start(d, c);
}

bool
candidate_answered(
    struct dht *d, const uint8_t *id, const struct addr *a, bool tells_us)
{
	uint32_t node = id != NULL ? table_find(&d->table, id) : 0;
	struct table_node *n;
	int err;

	if (id == NULL)
		return false;
	if (node == 0) {
		err = table_check(&d->table, id, a, dht_shares(d));
		if (err == 0)
			node = add(d, id, a);
		else if (err == ERR_LIMIT)
			swap(d, id, a);
		else if (err == ERR_BUDGET)
			d->stats->table_share++;
		if (node == 0)
			return false;
	}
	table_heard(&d->table, node, d->tick);
	n = table_at(&d->table, node);
	if (!tells_us || (n->sampled != 0 && d->tick - n->sampled < TICKS_OLD))
		return false;
	n->sampled = d->tick;
	return true;
}

void
candidate_guessed(struct dht *d, const struct addr *a)
{
	struct check *c;

	TAILQ_FOREACH (c, &d->checks, link) {
		if (c->kind != CHECK_CANDIDATE || !addr_equal(&c->addr, a))
			continue;
		if (++c->guesses == GUESSES_MAX)
			dht_cancel(d, c->request);
		return;
	}
}

void
candidate_failed(struct dht *d, const uint8_t *id)
{
	remove_node(d, id);
}

/* Is there room for one more candidate at this address? */
static bool
has_room(struct dht *d, const struct addr *a, uint32_t source)
{
	const struct limits *l = d->limits;
	bool exempt = source == GUARD_EXEMPT;
	uint32_t prefix = 0;
	struct check *c;

	/* The cheap question first: in a flood the answer is no. */
	if (d->checking[CHECK_CANDIDATE] >=
	    (exempt ? l->requests / 2 : l->candidates))
		return false;
	TAILQ_FOREACH (c, &d->checks, link) {
		if (c->kind != CHECK_CANDIDATE)
			continue;
		if (addr_equal(&c->addr, a))
			return false;
		prefix += addr_same_prefix(&c->addr, a);
	}
	return exempt ||
	       (prefix < l->candidates_prefix &&
		   guard_may_check(&d->guard, d->world, source) &&
		   guard_spend(&d->guard, d->world, source, PING_BYTES));
}

void
candidate_spoke(
    struct dht *d, const uint8_t *id, const struct addr *a, uint32_t source)
{
	int err = table_check(&d->table, id, a, dht_shares(d));
	struct check *c;

	if (err == ERR_BUDGET)
		d->stats->table_share++;
	if (err != 0 && (err != ERR_LIMIT || swap_victim(d, id) == 0))
		return;
	if (!has_room(d, a, source)) {
		d->stats->candidates_refused++;
		return;
	}
	if ((c = check_new(d, CHECK_CANDIDATE, a, id)) == NULL)
		return;
	d->stats->candidates++;
	start(d, c);
}

void
candidate_try(struct dht *d, const struct addr *a)
{
	uint8_t id[ID_LEN];
	struct check *c;

	id_of_addr(id, a);
	if (table_check(&d->table, id, a, NULL) != 0 || !dht_may_send(d, a))
		return;
	if ((c = check_new(d, CHECK_CANDIDATE, a, id)) != NULL)
		start(d, c);
}
