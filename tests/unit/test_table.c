/* SPDX-License-Identifier: ISC */
/*
 * Goal: the routing table keeps the right nodes, returns the true closest and
 * gives no address more than its share, protocol 01 §8. Method: the golden
 * fleet; random tables against brute force.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/table.h"
#include "t.h"

static struct limits limits;
static struct table table;

static void
setup(void)
{
	limits_init(&limits);
}

static void
teardown(void)
{
	table_fini(&table);
}

static void
random_id(struct prng *r, uint8_t id[ID_LEN])
{
	for (int i = 0; i < ID_LEN; i++)
		id[i] = (uint8_t)prng_next(r);
}

/* An id that shares exactly n leading bits with the table's own. */
static void
id_in_row(struct prng *r, unsigned n, uint8_t id[ID_LEN])
{
	random_id(r, id);
	for (unsigned i = 0; i <= n && i < ID_BITS; i++) {
		uint8_t bit = (uint8_t)(0x80 >> i % 8);
		bool same = i < n;

		id[i / 8] &= (uint8_t)~bit;
		id[i / 8] |= (uint8_t)(same ? table.own[i / 8] & bit
					    : ~table.own[i / 8] & bit);
	}
	if (id_shared_bits(id, table.own) != n)
		ck_abort_msg("id_in_row() is wrong");
}

static struct addr
host(unsigned i)
{
	return addr_v4(20, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i,
	    (uint16_t)(1000 + i % 50000));
}

/* Adds it if the table takes it, all shares off. */
static uint32_t
add(const uint8_t *id, const struct addr *a, uint32_t tick)
{
	if (table_check(&table, id, a, NULL) != 0)
		return 0;
	return table_add(&table, id, a, tick);
}

/* ---- the golden fleet ---- */

static void
load_fleet(const json_t *v)
{
	const json_t *node;
	uint8_t id[ID_LEN];
	struct addr own = t_addr(t_get(v, "own_address"));
	size_t i;

	id_of_addr(id, &own);
	t_assert_hex(id, sizeof id, t_string(v, "own_id"));
	table_init(&table, id);
	json_array_foreach(t_get(v, "nodes"), i, node)
	{
		struct addr a = t_addr(node);
		uint32_t at;

		id_of_addr(id, &a);
		t_assert_hex(id, sizeof id, t_string(node, "id"));
		ck_assert_int_eq(table_check(&table, id, &a, NULL),
		    t_bool(node, "kept") ? 0 : ERR_LIMIT);
		at = add(id, &a, 100);
		ck_assert((at != 0) == t_bool(node, "kept"));
		if (at != 0)
			ck_assert_uint_eq(
			    table_at(&table, at)->row, t_uint(node, "row"));
	}
}

START_TEST(routes_as_the_vectors)
{
	const json_t *v = t_get(t_vectors("rpc.json"), "routing"), *row;
	size_t i, k;

	load_fleet(v);
	json_array_foreach(t_get(v, "closest"), i, row)
	{
		const json_t *want = t_get(row, "true_closest_sorted");
		size_t len;
		uint8_t *target = t_bytes(row, "target", &len);
		uint32_t got[RPC_K];
		unsigned n = table_closest(&table, target, got, RPC_K);

		ck_assert_uint_eq(n, json_array_size(want));
		for (k = 0; k < n; k++) {
			struct addr a = t_addr(json_array_get(want, k));

			ck_assert(
			    addr_equal(&a, &table_at(&table, got[k])->addr));
		}
		free(target);
	}
}
END_TEST

/* ---- the closest, by brute force (pitfall T1) ---- */

static const uint8_t *sort_target;

static int
by_distance(const void *a, const void *b)
{
	return id_compare(sort_target,
	    table_at(&table, *(const uint32_t *)a)->id,
	    table_at(&table, *(const uint32_t *)b)->id);
}

static unsigned
brute_force(const uint8_t *target, uint32_t *all)
{
	unsigned n = 0;

	for (uint32_t i = table_oldest(&table); i != 0;
	     i = table_at(&table, i)->recent.next)
		all[n++] = i;
	sort_target = target;
	qsort(all, n, sizeof *all, by_distance);
	return n;
}

static void
assert_closest(const uint8_t *target, unsigned max)
{
	uint32_t all[ID_BITS * RPC_K], got[RPC_K];
	unsigned n = brute_force(target, all);
	unsigned got_n = table_closest(&table, target, got, max);

	if (max > RPC_K)
		max = RPC_K;
	ck_assert_uint_eq(got_n, n < max ? n : max);
	ck_assert_mem_eq(got, all, got_n * sizeof *got);
}

/*
 * Pitfall T1: exact XOR order, nearest first, whatever the shape of the table.
 */
START_TEST(closest_are_the_true_closest)
{
	struct prng r = prng_seeded((uint64_t)_i);
	uint8_t id[ID_LEN];
	unsigned nodes = prng_below(&r, 400);

	random_id(&r, id);
	table_init(&table, id);
	for (unsigned i = 0; i < nodes; i++) {
		struct addr a = host(i);

		/* Half of them spread like hashes, half in deep rows. */
		if (prng_below(&r, 2) == 0)
			random_id(&r, id);
		else
			id_in_row(&r, prng_below(&r, 40), id);
		add(id, &a, i);
	}
	for (int i = 0; i < 20; i++) {
		random_id(&r, id);
		assert_closest(id, 1 + prng_below(&r, 25));
		id_in_row(&r, prng_below(&r, 45), id);
		assert_closest(id, RPC_K);
	}
	assert_closest(table.own, RPC_K);
	for (uint32_t i = table_oldest(&table); i != 0;
	     i = table_at(&table, i)->recent.next)
		assert_closest(table_at(&table, i)->id, RPC_K);
}
END_TEST

/* ---- admission, and the order of activity ---- */

START_TEST(keeps_its_lists_in_order)
{
	struct prng r = prng_seeded(7);
	uint32_t tick = 100, seen[5000] = {0}, live = 0;
	uint8_t id[ID_LEN];

	random_id(&r, id);
	table_init(&table, id);
	for (int step = 0; step < 5000; step++) {
		uint32_t node =
			     table_random(&table, prng_below(&r, UINT32_MAX)),
			 at = 0;
		struct addr a = host((unsigned)step);

		tick += prng_below(&r, 2);
		switch (prng_below(&r, 4)) {
		case 0:
			if (node != 0) {
				table_touch(&table, node, tick);
				seen[node] = tick;
			}
			break;
		case 1:
			if (node != 0 && prng_below(&r, 2) == 0) {
				memcpy(id, table_at(&table, node)->id, ID_LEN);
				table_del(&table, node);
				ck_assert_uint_eq(table_find(&table, id), 0);
				live--;
			}
			break;
		default:
			id_in_row(&r, prng_below(&r, 6), id);
			if ((at = add(id, &a, tick)) != 0) {
				seen[at] = tick;
				live++;
				ck_assert_uint_eq(table_find(&table, id), at);
				ck_assert_int_eq(
				    table_check(&table, id, &a, &limits),
				    ERR_EXISTS);
			}
		}
		ck_assert_uint_eq(table.nodes.len, live);
	}
	ck_assert_uint_gt(live, 20);
	for (uint32_t i = table_oldest(&table), was = 0; i != 0;
	     i = table_at(&table, i)->recent.next, live--) {
		ck_assert_uint_eq(table_at(&table, i)->seen, seen[i]);
		ck_assert_uint_le(was, seen[i]);
		was = seen[i];
	}
	ck_assert_uint_eq(live, 0);
}
END_TEST

START_TEST(never_contains_itself)
{
	struct addr a = host(1);
	uint8_t id[ID_LEN];

	id_of_addr(id, &a);
	table_init(&table, id);
	ck_assert_int_eq(table_check(&table, id, &a, NULL), ERR_VALUE);
	ck_assert_uint_eq(table_find(&table, id), 0);
}
END_TEST

/* The least recently pinged, then added; none pinged in this tick. */
START_TEST(gives_up_the_oldest_of_a_row)
{
	struct prng r = prng_seeded(3);
	uint8_t id[ID_LEN];
	uint32_t node[TABLE_ROW_MAX];

	random_id(&r, id);
	table_init(&table, id);
	id_in_row(&r, 4, id);
	ck_assert_uint_eq(table_oldest_in_row(&table, id, 100), 0);
	for (unsigned i = 0; i < TABLE_ROW_MAX; i++) {
		struct addr a = host(i);

		id_in_row(&r, 4, id);
		node[i] = add(id, &a, 100 - i);
		table_at(&table, node[i])->pinged = 200;
	}
	ck_assert_uint_eq(table_oldest_in_row(&table, id, 200), 0);
	/* All pinged at once: the one added first, which is the last here. */
	ck_assert_uint_eq(
	    table_oldest_in_row(&table, id, 201), node[TABLE_ROW_MAX - 1]);
	table_at(&table, node[3])->pinged = 199;
	ck_assert_uint_eq(table_oldest_in_row(&table, id, 200), node[3]);
	/* Another row is not asked. */
	id_in_row(&r, 5, id);
	ck_assert_uint_eq(table_oldest_in_row(&table, id, 201), 0);
}
END_TEST

START_TEST(draws_nodes_evenly)
{
	struct prng r = prng_seeded(5);
	unsigned hits[200] = {0};
	uint8_t id[ID_LEN];

	random_id(&r, id);
	table_init(&table, id);
	ck_assert_uint_eq(table_random(&table, 12345), 0);
	for (unsigned i = 0; i < 100; i++) {
		struct addr a = host(i);

		id_in_row(&r, i % 10, id);
		ck_assert_uint_ne(add(id, &a, 1), 0);
	}
	for (int i = 0; i < 100000; i++)
		hits[table_random(&table, (uint32_t)prng_next(&r))]++;
	for (unsigned i = 1; i <= 100; i++) {
		ck_assert_uint_gt(hits[i], 800);
		ck_assert_uint_lt(hits[i], 1200);
	}
}
END_TEST

/* ---- shares ---- */

/* How many of n nodes with addresses by `of` get in, k rows in turn. */
static unsigned
fill(struct addr (*of)(unsigned i), unsigned n, unsigned rows,
    const struct limits *l)
{
	struct prng r = prng_seeded(9);
	uint8_t id[ID_LEN];
	unsigned in = 0;

	random_id(&r, id);
	table_init(&table, id);
	for (unsigned i = 0; i < n; i++) {
		struct addr a = of(i);
		int err;

		id_in_row(&r, i % rows, id);
		err = table_check(&table, id, &a, l);
		if (err != 0 && err != ERR_BUDGET && err != ERR_LIMIT)
			ck_abort_msg("refused with %d", err);
		if (err == 0 && table_add(&table, id, &a, 1) != 0)
			in++;
	}
	return in;
}

static struct addr
one_host(unsigned i)
{
	return addr_v4(20, 0, 0, 1, (uint16_t)(1 + i));
}

static struct addr
one_prefix(unsigned i)
{
	return addr_v4(20, 0, 0, (uint8_t)i, (uint16_t)(1 + i));
}

static struct addr
all_different(unsigned i)
{
	return addr_v4(20, (uint8_t)(i / 200), (uint8_t)i, 1, 1);
}

static const struct {
	const char *name;
	struct addr (*of)(unsigned i);
	unsigned rows, in;
	bool shares;
} shares[] = {
    {"a host in one row", one_host, 1, 1, true},
    {"a host in many rows", one_host, 30, 4, true},
    {"a /24 in one row", one_prefix, 1, 2, true},
    {"a /24 in many rows", one_prefix, 30, 16, true},
    {"strangers in one row", all_different, 1, 20, true},
    {"strangers", all_different, 30, 600, true},
    {"a host in a private network", one_host, 30, 600, false},
};

START_TEST(gives_no_more_than_shares)
{
	unsigned in = fill(shares[_i].of, 2000, shares[_i].rows,
	    shares[_i].shares ? &limits : NULL);

	if (in != shares[_i].in)
		ck_abort_msg("%s: %u got in", shares[_i].name, in);
}
END_TEST

START_TEST(shares_are_settable)
{
	limits.row_host = 3;
	limits.row_prefix = 20;
	limits.table_host = 7;
	limits.table_prefix = 5120;
	ck_assert_uint_eq(fill(one_host, 2000, 1, &limits), 3);
	table_fini(&table);
	ck_assert_uint_eq(fill(one_host, 2000, 30, &limits), 7);
	table_fini(&table);
	ck_assert_uint_eq(fill(one_prefix, 2000, 1, &limits), 20);
}
END_TEST

/*
 * A page of nodes goes on after the number of the last one, whatever happened
 * to the table in between, and any number of a client is valid.
 */
START_TEST(lists_each_node_once_after_any_number)
{
	struct prng r = prng_seeded(1);
	const struct table_node *n;
	uint8_t id[ID_LEN];
	uint32_t at[10], after = 0, listed = 0;

	random_id(&r, id);
	table_init(&table, id);
	ck_assert_ptr_null(table_node_after(&table, 0));
	ck_assert_ptr_null(table_node_after(&table, 40));
	for (unsigned i = 0; i < 10; i++) {
		struct addr a = host(i);

		id_in_row(&r, i, id);
		at[i] = table_add(&table, id, &a, i);
	}
	while ((n = table_node_after(&table, after)) != NULL) {
		ck_assert_uint_gt(n->number, after);
		after = n->number;
		listed++;
		/* Activity moves no node to another place of the list. */
		table_touch(&table, at[0], 20);
		if (listed == 3) {
			table_del(&table, at[2]); /* the last one listed */
			table_del(&table, at[5]); /* one to come */
		}
	}
	ck_assert_uint_eq(listed, 9);
	ck_assert_ptr_null(table_node_after(&table, UINT32_MAX));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("table", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, routes_as_the_vectors);
	tcase_add_loop_test(tc, closest_are_the_true_closest, 0, 20);
	tcase_add_test(tc, keeps_its_lists_in_order);
	tcase_add_test(tc, never_contains_itself);
	tcase_add_test(tc, gives_up_the_oldest_of_a_row);
	tcase_add_test(tc, draws_nodes_evenly);
	tcase_add_loop_test(tc, gives_no_more_than_shares, 0, T_ROWS(shares));
	tcase_add_test(tc, shares_are_settable);
	tcase_add_test(tc, lists_each_node_once_after_any_number);
	return s;
}
