/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "world/mem.h"
#include "sim/sim.h"

/* The budgets of the threat model, as the nodes have them by default. */
enum { BURST_BYTES = 40000, RATE_BYTES = 4000 };

/*
 * A matrix with a bit per pair of hosts records which host has answered which.
 * In larger networks it would take more memory than the nodes do, and tables
 * are not checked.
 */
enum { TABLES_HOSTS_MAX = 20000 };

/* Nodes count in whole milliseconds. */
enum { ROUNDING_BYTES = 64 };

enum { FIRST_ROOM = 1024, MILLION = 1000000 };

#define OP_TIME_MAX_US SECONDS(120)

void
check_init(struct check *c)
{
	*c = (struct check){.debts_cap = FIRST_ROOM, .answers_cap = FIRST_ROOM};
	c->debts = mem_new(c->debts_cap, sizeof *c->debts);
	c->answers = mem_new(c->answers_cap, sizeof *c->answers);
}

void
check_fini(struct check *c)
{
	free(c->debts);
	free(c->answers);
}

static bool
tables_checked(const struct sim *s)
{
	return s->hosts_len <= TABLES_HOSTS_MAX;
}

static uint64_t
scatter(uint64_t key)
{
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15;
	return key ^ key >> 29;
}

/* ---- which hosts have answered ---- */

static uint64_t *
answers_slot(const struct check *c, uint64_t key)
{
	uint64_t i = scatter(key);

	for (i &= c->answers_cap - 1; c->answers[i] != 0;
	     i = (i + 1) & (c->answers_cap - 1))
		if (c->answers[i] == key)
			break;
	return &c->answers[i];
}

/* Not exact for more than 65,535 hosts, where two may share a key. */
static uint64_t
answer_key(const struct host *h, struct spot at)
{
	return (uint64_t)(uint16_t)(h->ep.index + 1) << 48 |
	       (uint64_t)at.ip << 16 | at.port;
}

void
check_vouch(struct host *h, struct spot at)
{
	struct check *c = &h->sim->check;
	uint64_t key = answer_key(h, at), *slot = answers_slot(c, key);

	if (*slot == key)
		return;
	*slot = key;
	if (++c->answers_len * 2 < c->answers_cap)
		return;
	uint64_t *old = c->answers;

	c->answers_cap *= 2;
	c->answers = mem_new(c->answers_cap, sizeof *c->answers);
	for (uint32_t i = 0; i < c->answers_cap / 2; i++)
		if (old[i] != 0)
			*answers_slot(c, old[i]) = old[i];
	free(old);
}

static void
mark(struct host *h, uint32_t index)
{
	uint32_t word = index / 64;

	if (word >= h->answered_words) {
		uint32_t n = h->sim->hosts_len / 64 + 1;

		h->answered = mem_grow(h->answered, n, sizeof *h->answered);
		while (h->answered_words < n)
			h->answered[h->answered_words++] = 0;
	}
	h->answered[word] |= 1ull << index % 64;
}

static bool
marked(const struct host *h, uint32_t index)
{
	return index / 64 < h->answered_words &&
	       (h->answered[index / 64] >> index % 64 & 1) != 0;
}

void
check_answered(struct host *h, const struct net_packet *p)
{
	if (!tables_checked(h->sim) || p->src->kind != ENDPOINT_HOST)
		return;
	if (p->src->ip == p->from.ip)
		mark(h, p->src->index);
	else
		check_vouch(h, p->from);
}

/*
 * Hosts are identified by index: one that has moved answered from its old
 * address, too.
 */
static bool
has_answered(const struct host *h, struct spot at)
{
	const struct endpoint *e = net_owner(&h->sim->net, at.ip);
	const struct check *c = &h->sim->check;
	uint64_t key = answer_key(h, at);

	if (e != NULL && e->kind == ENDPOINT_HOST && marked(h, e->index))
		return true;
	return *answers_slot(c, key) == key;
}

/* ---- traffic to unvalidated addresses ---- */

static struct debt *
debt_slot(const struct check *c, uint64_t key)
{
	uint64_t i = scatter(key);

	for (i &= c->debts_cap - 1; c->debts[i].key != 0;
	     i = (i + 1) & (c->debts_cap - 1))
		if (c->debts[i].key == key)
			break;
	return &c->debts[i];
}

static struct debt *
debt_of(struct check *c, uint64_t key)
{
	struct debt *d = debt_slot(c, key), *old = c->debts;

	if (d->key == key)
		return d;
	if (++c->debts_len * 2 >= c->debts_cap) {
		c->debts_cap *= 2;
		c->debts = mem_new(c->debts_cap, sizeof *c->debts);
		for (uint32_t i = 0; i < c->debts_cap / 2; i++)
			if (old[i].key != 0)
				*debt_slot(c, old[i].key) = old[i];
		free(old);
		d = debt_slot(c, key);
	}
	d->key = key;
	return d;
}

void
check_sent(struct host *h, struct spot to, size_t len)
{
	struct check *c = &h->sim->check;
	const struct endpoint *e = net_find(&h->sim->net, to.ip);
	struct debt *d;
	uint64_t paid;

	if (e != NULL && !e->watched)
		return;
	d = debt_of(c, (uint64_t)(h->ep.index + 1) << 32 | to.ip);
	paid = (h->sim->now_us - d->at_us) * RATE_BYTES;
	d->level = d->level > paid ? d->level - paid : 0;
	d->level += len * MILLION;
	d->bytes += len;
	d->at_us = h->sim->now_us;
	if (d->bytes > c->debt_bytes_max)
		c->debt_bytes_max = d->bytes;
	if (d->level / MILLION > c->debt_level_max)
		c->debt_level_max = d->level / MILLION;
	if (d->level / MILLION > BURST_BYTES + ROUNDING_BYTES)
		sim_broken(h->sim,
		    "host %u: %llu bytes above the rate to an "
		    "unvalidated address",
		    h->ep.index, (unsigned long long)(d->level / MILLION));
}

/* ---- the state of a node ---- */

static void
check_entry(struct host *h, const struct dht_node *n)
{
	struct spot at = addr_spot(&n->addr);
	char text[ADDR_TEXT_MAX];

	h->sim->check.entries++;
	if (has_answered(h, at))
		return;
	sim_broken(h->sim, "host %u: %s is in the table but never answered",
	    h->ep.index, addr_format(&n->addr, text));
}

void
check_step(struct host *h)
{
	uint64_t added = node_stats(h->node)->table_added;
	uint32_t cursor = 0;
	struct dht_node n;

	if (added == h->table_added || !tables_checked(h->sim))
		return;
	/* The first entry is the one that was just added. */
	h->table_added = added;
	if (dht_next_node(node_dht(h->node), &cursor, &n))
		check_entry(h, &n);
}

static void
check_limits(struct host *h)
{
	const struct limits *l = node_limits(h->node);
	/* Nodes of an earlier run are checked beyond the limit. */
	uint32_t known = h->saved_len > 0 ? h->saved_len : h->sim->preset_len;
	struct node_status st;

	node_status(h->node, &st);
	if (st.dht.candidates > l->candidates + known ||
	    st.dht.sources > l->sources || st.dht.requests > l->requests ||
	    st.dht.queries > l->queries || st.operations > l->operations ||
	    st.records > l->records || st.forwards > l->forwards ||
	    st.values > 2 * l->values)
		sim_broken(
		    h->sim, "host %u: state above its limit", h->ep.index);
	if (st.dht.nodes > ID_BITS * RPC_K)
		sim_broken(h->sim, "host %u: %u nodes in the table",
		    h->ep.index, st.dht.nodes);
}

static void
check_ops(struct host *h)
{
	const struct op *op = ops_oldest(h);

	host_clock(h);
	if (op != NULL && h->world.w.now_us - op->clock_us > OP_TIME_MAX_US)
		sim_broken(h->sim,
		    "host %u: operation %u of kind %d never ended", h->ep.index,
		    op->number, (int)op->spec.kind);
}

static void
check_host(struct host *h)
{
	uint64_t now_us = h->sim->now_us;
	uint32_t cursor = 0;
	struct dht_node n;

	/* Entries appear only when they are added. */
	if (tables_checked(h->sim) && h->table_full_check != h->table_added)
		while (dht_next_node(node_dht(h->node), &cursor, &n))
			check_entry(h, &n);
	h->table_full_check = h->table_added;
	check_limits(h);
	check_ops(h);
	calls_check(h);
	if (node_deadline(h->node) != WORLD_NEVER && h->wake_us < now_us)
		sim_broken(
		    h->sim, "host %u: its wake-up was missed", h->ep.index);
}

void
check_all(struct sim *s)
{
	for (uint32_t i = 0; i < s->hosts_len; i++)
		if (s->hosts[i]->state == HOST_UP)
			check_host(s->hosts[i]);
}
