/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/table.h"

/* The heads of the ids stand together: choosing the closest reads only these.
 */
struct table_row {
	uint64_t head[TABLE_ROW_MAX];
	uint32_t ip[TABLE_ROW_MAX]; /* of the nodes, for the shares */
	uint32_t node[TABLE_ROW_MAX];
	uint32_t len;
};

void
table_init(struct table *t, const uint8_t own[ID_LEN])
{
	*t = (struct table){.heard = {0}};
	memcpy(t->own, own, ID_LEN);
	pool_init(&t->nodes, sizeof(struct table_node), ID_BITS * RPC_K);
}

void
table_fini(struct table *t)
{
	for (unsigned i = 0; i < ID_BITS; i++)
		free(t->rows[i]);
	pool_fini(&t->nodes);
}

struct table_node *
table_at(const struct table *t, uint32_t node)
{
	return pool_at(&t->nodes, node);
}

static struct table_row *
row_of(const struct table *t, const uint8_t id[ID_LEN])
{
	unsigned i = id_shared_bits(t->own, id);

	return i < ID_BITS ? t->rows[i] : NULL;
}

uint32_t
table_find(const struct table *t, const uint8_t id[ID_LEN])
{
	const struct table_row *row = row_of(t, id);
	uint64_t head = id_head(id);

	for (uint32_t i = 0; row != NULL && i < row->len; i++)
		if (row->head[i] == head &&
		    id_equal(table_at(t, row->node[i])->id, id))
			return row->node[i];
	return 0;
}

/* IPv4 is all that this layer speaks. */
static uint32_t
host_of(const struct addr *a)
{
	return (uint32_t)a->ip[0] << 24 | (uint32_t)a->ip[1] << 16 |
	       (uint32_t)a->ip[2] << 8 | a->ip[3];
}

/* How many nodes of a row are of this address, and of its /24. */
static void
count_shares(
    const struct table_row *row, uint32_t ip, uint32_t *host, uint32_t *prefix)
{
	for (uint32_t i = 0; row != NULL && i < row->len; i++) {
		*host += row->ip[i] == ip;
		*prefix += row->ip[i] >> 8 == ip >> 8;
	}
}

/* Does one more node at a fit into the shares of the row and of the table? */
static bool
has_share(const struct table *t, const struct table_row *row,
    const struct addr *a, const struct limits *l)
{
	uint32_t ip = host_of(a), host = 0, prefix = 0;

	count_shares(row, ip, &host, &prefix);
	if (host >= l->row_host || prefix >= l->row_prefix)
		return false;
	host = prefix = 0;
	for (unsigned i = 0; i < t->rows_len; i++)
		count_shares(t->rows[i], ip, &host, &prefix);
	return host < l->table_host && prefix < l->table_prefix;
}

int
table_check(const struct table *t, const uint8_t id[ID_LEN],
    const struct addr *a, const struct limits *l)
{
	const struct table_row *row = row_of(t, id);

	if (id_equal(t->own, id))
		return ERR_VALUE;
	if (table_find(t, id) != 0)
		return ERR_EXISTS;
	/* Before the shares: a full row is the common case, and cheap to see.
	 */
	if (row != NULL && row->len == TABLE_ROW_MAX)
		return ERR_LIMIT;
	return l != NULL && !has_share(t, row, a, l) ? ERR_BUDGET : 0;
}

uint32_t
table_add(struct table *t, const uint8_t id[ID_LEN], const struct addr *a,
    uint32_t tick)
{
	unsigned i = id_shared_bits(t->own, id);
	struct table_row *row = t->rows[i];
	struct table_node *n;
	uint32_t at;

	if (row == NULL && (row = calloc(1, sizeof *row)) == NULL)
		return 0;
	t->rows[i] = row;
	if (i >= t->rows_len)
		t->rows_len = (uint16_t)(i + 1);
	if ((at = pool_get(&t->nodes)) == 0)
		return 0;
	n = table_at(t, at);
	memcpy(n->id, id, ID_LEN);
	n->addr = *a;
	n->row = (uint16_t)i;
	n->added = n->pinged = n->seen = tick;
	row->head[row->len] = id_head(id);
	row->ip[row->len] = host_of(a);
	row->node[row->len++] = at;
	chain_push(
	    &t->heard, &t->nodes, offsetof(struct table_node, heard), at);
	return at;
}

void
table_del(struct table *t, uint32_t node)
{
	struct table_row *row = t->rows[table_at(t, node)->row];
	uint32_t i = 0;

	while (row->node[i] != node)
		i++;
	row->len--;
	row->head[i] = row->head[row->len];
	row->ip[i] = row->ip[row->len];
	row->node[i] = row->node[row->len];
	chain_del(
	    &t->heard, &t->nodes, offsetof(struct table_node, heard), node);
	pool_put(&t->nodes, node);
}

void
table_heard(struct table *t, uint32_t node, uint32_t tick)
{
	const size_t link = offsetof(struct table_node, heard);
	struct table_node *n = table_at(t, node);

	n->pinged = n->seen = tick;
	if (t->heard.last == node)
		return;
	chain_del(&t->heard, &t->nodes, link, node);
	chain_push(&t->heard, &t->nodes, link, node);
}

uint32_t
table_oldest_in_row(
    const struct table *t, const uint8_t id[ID_LEN], uint32_t tick)
{
	const struct table_row *row = row_of(t, id);
	const struct table_node *best = NULL;
	uint32_t at = 0;

	for (uint32_t i = 0; row != NULL && i < row->len; i++) {
		const struct table_node *n = table_at(t, row->node[i]);

		if (n->pinged == tick)
			continue;
		if (best == NULL || n->pinged < best->pinged ||
		    (n->pinged == best->pinged && n->added < best->added)) {
			best = n;
			at = row->node[i];
		}
	}
	return at;
}

/*
 * Nodes being sorted by distance. A key is the head of the distance with the
 * node's place here in its low bits: so keys differ, and moving one moves all.
 * The 58 bits that remain tell any two ids apart but those that somebody made
 * for it, and then only their own order is in doubt.
 */
enum { SORT_MAX = 64, PLACE_MASK = SORT_MAX - 1 };

struct sorter {
	uint64_t target; /* head of the target's id */
	uint64_t key[SORT_MAX];
	uint32_t node[SORT_MAX];
	unsigned len;
};

/*
 * Sorts by counting how many are nearer than each: no branch to mispredict.
 * Keeps the first max.
 */
static void
sort(struct sorter *s, unsigned max)
{
	uint64_t key[SORT_MAX];
	uint32_t node[SORT_MAX];

	for (unsigned i = 0; i < s->len; i++) {
		unsigned rank = 0;

		for (unsigned k = 0; k < s->len; k++)
			rank += s->key[k] < s->key[i];
		key[rank] = s->key[i];
		node[rank] = s->node[s->key[i] & PLACE_MASK];
	}
	if (s->len > max)
		s->len = max;
	for (unsigned i = 0; i < s->len; i++) {
		s->key[i] = (key[i] & ~(uint64_t)PLACE_MASK) | i;
		s->node[i] = node[i];
	}
}

static void
sort_add(struct sorter *s, const struct table_row *row, unsigned max)
{
	for (uint32_t i = 0; row != NULL && i < row->len; i++) {
		if (s->len == SORT_MAX)
			sort(s, max);
		s->key[s->len] =
		    ((row->head[i] ^ s->target) & ~(uint64_t)PLACE_MASK) |
		    s->len;
		s->node[s->len++] = row->node[i];
	}
}

/* Appends the nearest of one class to out, which holds len; the new length. */
static unsigned
sort_out(struct sorter *s, uint32_t *out, unsigned len, unsigned max)
{
	sort(s, max - len);
	for (unsigned i = 0; i < s->len; i++)
		out[len++] = s->node[i];
	s->len = 0;
	return len;
}

/*
 * Three classes, each nearer than the next (d: bits that target and own id
 * share): row d, all rows above d together, then row d-1, d-2 ... one by one.
 */
unsigned
table_closest(const struct table *t, const uint8_t target[ID_LEN],
    uint32_t *out, unsigned max)
{
	unsigned d = id_shared_bits(t->own, target), len = 0;
	struct sorter s;

	s.target = id_head(target);
	s.len = 0;
	if (max > RPC_K)
		max = RPC_K;
	if (d < t->rows_len) {
		sort_add(&s, t->rows[d], max);
		len = sort_out(&s, out, len, max);
	}
	if (len < max) {
		for (unsigned i = d + 1; i < t->rows_len; i++)
			sort_add(&s, t->rows[i], max - len);
		len = sort_out(&s, out, len, max);
	}
	for (; d > 0 && len < max; d--) {
		if (d > t->rows_len)
			continue;
		sort_add(&s, t->rows[d - 1], max - len);
		len = sort_out(&s, out, len, max);
	}
	return len;
}

uint32_t
table_random(const struct table *t, uint32_t r)
{
	if (t->nodes.len == 0)
		return 0;
	r %= t->nodes.len;
	for (unsigned i = 0; i < t->rows_len; i++) {
		const struct table_row *row = t->rows[i];

		if (row != NULL && r < row->len)
			return row->node[r];
		r -= row != NULL ? row->len : 0;
	}
	return 0;
}
