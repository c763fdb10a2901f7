/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/table.h"

/* The heads of the ids are contiguous, since choosing the closest nodes reads
 * only these. */
struct table_row {
	uint64_t head[TABLE_ROW_MAX];
	uint8_t wire[TABLE_ROW_MAX][ADDR_WIRE4_LEN]; /* addresses */
	uint32_t node[TABLE_ROW_MAX];
	uint32_t len;
};

void
table_init(struct table *t, const uint8_t own[ID_LEN])
{
	*t = (struct table){.recent = {0}};
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

/* Adds the number of nodes of a row on this host, and in its /24. */
static void
count_shares(const struct table_row *row, const struct addr *a, uint32_t *host,
    uint32_t *prefix)
{
	for (uint32_t i = 0; row != NULL && i < row->len; i++) {
		*host += memcmp(row->wire[i], a->ip, 4) == 0;
		*prefix += memcmp(row->wire[i], a->ip, 3) == 0;
	}
}

/* Returns true if the shares of the row and of the table permit one more node
 * at a. */
static bool
has_share(const struct table *t, const struct table_row *row,
    const struct addr *a, const struct limits *l)
{
	uint32_t host = 0, prefix = 0;

	count_shares(row, a, &host, &prefix);
	if (host >= l->row_host || prefix >= l->row_prefix)
		return false;
	host = prefix = 0;
	for (unsigned i = 0; i < t->rows_len; i++)
		count_shares(t->rows[i], a, &host, &prefix);
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
	/*
	 * Tested before the shares: a full row is common, and cheap to detect.
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
	struct wr w;
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
	n->number = ++t->last_number;
	n->added = n->pinged = n->seen = tick;
	row->head[row->len] = id_head(id);
	w = wr_init(row->wire[row->len], ADDR_WIRE4_LEN);
	wr_addr4(&w, a);
	row->node[row->len++] = at;
	chain_push(
	    &t->recent, &t->nodes, offsetof(struct table_node, recent), at);
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
	memcpy(row->wire[i], row->wire[row->len], ADDR_WIRE4_LEN);
	row->node[i] = row->node[row->len];
	chain_del(
	    &t->recent, &t->nodes, offsetof(struct table_node, recent), node);
	pool_put(&t->nodes, node);
}

void
table_touch(struct table *t, uint32_t node, uint32_t tick)
{
	const size_t link = offsetof(struct table_node, recent);
	struct table_node *n = table_at(t, node);

	n->pinged = n->seen = tick;
	if (t->recent.last == node)
		return;
	chain_del(&t->recent, &t->nodes, link, node);
	chain_push(&t->recent, &t->nodes, link, node);
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

const struct table_node *
table_node_after(const struct table *t, uint32_t after)
{
	const struct table_node *best = NULL;
	uint32_t at = table_oldest(t);

	while (at != 0) {
		const struct table_node *n = table_at(t, at);

		if (n->number > after &&
		    (best == NULL || n->number < best->number))
			best = n;
		at = n->recent.next;
	}
	return best;
}

/* A node by its place in a row, from which callers read different members. */
struct place {
	const struct table_row *row;
	uint32_t i;
};

/*
 * Sort keys of the nodes of one row. A key is the beginning of the distance,
 * without the bits that all nodes of the row share, and the place in the row in
 * its last bits, so that no two are equal. The bits that it drops matter only
 * for ids that were searched to share a long prefix, which gains nothing. Keys
 * are compared four at a time, as signed numbers, since not every processor
 * compares vectors of unsigned ones.
 */
typedef int32_t four_keys __attribute__((vector_size(16)));

enum { PLACE_MASK = 31, ROW_VECTORS = TABLE_ROW_MAX / 4, KEY_SHIFT_MAX = 32 };

_Static_assert(TABLE_ROW_MAX <= PLACE_MASK + 1, "a place needs more bits");
_Static_assert(TABLE_ROW_MAX == 20, "rank_keys() is made for five vectors");

union row_keys {
	int32_t at[TABLE_ROW_MAX];
	four_keys four[ROW_VECTORS];
};

static int32_t
sort_key(uint64_t distance, unsigned shared, uint32_t place)
{
	uint32_t key = (uint32_t)(distance << shared >> 32);

	return (int32_t)(((key & ~(uint32_t)PLACE_MASK) | place) ^ 0x80000000U);
}

/* Writes how many of the n keys are smaller than each of them. */
static void
rank_keys(union row_keys *rank, const union row_keys *key, uint32_t n)
{
	const four_keys zero = {0};
	four_keys r[ROW_VECTORS] = {{0}};

	/* A lane that compares as smaller is -1. The loop over the vectors is
	 * unrolled so that they stay in registers. */
	for (uint32_t i = 0; i < n; i++) {
		four_keys k = key->at[i] + zero;

		r[0] -= k < key->four[0];
		r[1] -= k < key->four[1];
		r[2] -= k < key->four[2];
		r[3] -= k < key->four[3];
		r[4] -= k < key->four[4];
	}
	memcpy(rank->four, r, sizeof r);
}

/*
 * Appends the nodes of row i, nearest first, to out, which holds len of at most
 * max. Returns the new length. Sorts by counting the nearer nodes of each:
 * there are at most twenty, and this has no branch to mispredict.
 */
static unsigned
append_row(const struct table *t, unsigned i, uint64_t target,
    struct place *out, unsigned len, unsigned max)
{
	const struct table_row *row = t->rows[i];
	unsigned shared = i < KEY_SHIFT_MAX ? i + 1 : KEY_SHIFT_MAX;
	union row_keys key = {{0}}, rank;

	if (row == NULL)
		return len;
	for (uint32_t k = 0; k < row->len; k++)
		key.at[k] = sort_key(row->head[k] ^ target, shared, k);
	rank_keys(&rank, &key, row->len);
	for (uint32_t k = 0; k < row->len; k++)
		if (len + (unsigned)rank.at[k] < max)
			out[len + (unsigned)rank.at[k]] =
			    (struct place){row, k};
	len += row->len;
	return len < max ? len : max;
}

static bool
bit_differs(const uint8_t a[ID_LEN], const uint8_t b[ID_LEN], unsigned i)
{
	return (a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1;
}

/*
 * Writes the nodes nearest to the target. All nodes of one row are nearer to
 * the target than all of another, so whole rows are appended until there are
 * enough. Let d be the number of bits that own id and target share. First comes
 * row d, whose nodes share more than d bits with the target. Then the rows
 * above d: at bit i row i differs from the own id and all higher rows do not,
 * so row i is nearer than those if own id and target differ there, else
 * farther. Last come the rows below d, downwards.
 */
static unsigned
choose_closest(const struct table *t, const uint8_t target[ID_LEN],
    struct place *out, unsigned max)
{
	unsigned d = id_shared_bits(t->own, target), len = 0;
	uint64_t head = id_head(target);
	unsigned i;

	if (d < t->rows_len)
		len = append_row(t, d, head, out, len, max);
	for (i = d + 1; i < t->rows_len && len < max; i++)
		if (bit_differs(t->own, target, i))
			len = append_row(t, i, head, out, len, max);
	for (i = t->rows_len; i-- > d + 1 && len < max;)
		if (!bit_differs(t->own, target, i))
			len = append_row(t, i, head, out, len, max);
	for (i = d < t->rows_len ? d : t->rows_len; i-- > 0 && len < max;)
		len = append_row(t, i, head, out, len, max);
	return len;
}

unsigned
table_closest(const struct table *t, const uint8_t target[ID_LEN],
    uint32_t *out, unsigned max)
{
	struct place place[RPC_K];
	unsigned n =
	    choose_closest(t, target, place, max < RPC_K ? max : RPC_K);

	for (unsigned i = 0; i < n; i++)
		out[i] = place[i].row->node[place[i].i];
	return n;
}

size_t
table_closest_wire(const struct table *t, const uint8_t target[ID_LEN],
    uint8_t out[RPC_CLOSER_MAX * ADDR_WIRE4_LEN])
{
	struct place place[RPC_K];
	unsigned n = choose_closest(t, target, place, RPC_K);

	for (unsigned i = 0; i < n; i++)
		memcpy(out + i * ADDR_WIRE4_LEN, place[i].row->wire[place[i].i],
		    ADDR_WIRE4_LEN);
	return n * ADDR_WIRE4_LEN;
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
