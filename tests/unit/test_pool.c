/* SPDX-License-Identifier: ISC */
/*
 * Goal: pools, indexes and chains keep their limit, never move a cell and lose
 * none. Method: each limit, then thousands of random operations compared with a
 * naive model.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/pool.h"
#include "t.h"

struct cell {
	struct pool_index_link link;
	struct chain_link chain;
	uint32_t value;
};

enum { LINK = 0, CHAIN = offsetof(struct cell, chain) };

START_TEST(keeps_its_limit)
{
	struct pool p;
	uint32_t at[10];

	pool_init(&p, sizeof(struct cell), 10);
	for (uint32_t i = 0; i < 10; i++) {
		at[i] = pool_get(&p);
		ck_assert_uint_ne(at[i], 0);
	}
	ck_assert_uint_eq(pool_get(&p), 0);
	ck_assert_uint_eq(p.len, 10);
	pool_put(&p, at[3]);
	ck_assert_uint_eq(pool_get(&p), at[3]);
	ck_assert_uint_eq(pool_get(&p), 0);
	pool_fini(&p);
}
END_TEST

START_TEST(of_no_cells)
{
	struct pool p;

	pool_init(&p, sizeof(struct cell), 0);
	ck_assert_uint_eq(pool_get(&p), 0);
	ck_assert_ptr_null(p.chunks);
	pool_fini(&p);
}
END_TEST

/* Cell sizes from the smallest to more than one growth step. */
static const size_t sizes[] = {4, 5, 12, 24, 100, 2048, 4096, 5000};

START_TEST(cells_are_zeroed_and_stay)
{
	enum { N = 600 };
	struct pool p;
	uint8_t *place[N + 1];
	size_t size = sizes[_i];

	pool_init(&p, size, N);
	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 1; i <= N; i++) {
			uint32_t at = pool_get(&p);
			uint8_t *c = pool_at(&p, at);

			for (size_t k = 0; k < size; k++)
				ck_assert_uint_eq(c[k], 0);
			memset(c, (int)(at & 0xff), size);
			place[at] = c;
		}
		for (uint32_t at = 1; at <= N; at++) {
			uint8_t *c = pool_at(&p, at);

			ck_assert_ptr_eq(c, place[at]);
			ck_assert_uint_eq(c[0], at & 0xff);
			ck_assert_uint_eq(c[size - 1], at & 0xff);
		}
		for (uint32_t at = 1; at <= N; at++)
			pool_put(&p, at);
		ck_assert_uint_eq(p.len, 0);
	}
	ck_assert_uint_eq(p.top, N);
	pool_fini(&p);
}
END_TEST

static struct cell *
cell_at(struct pool *p, uint32_t at)
{
	return pool_at(p, at);
}

START_TEST(index_finds_all_of_a_hash)
{
	struct pool p;
	struct pool_index ix;
	uint32_t seen = 0;

	pool_init(&p, sizeof(struct cell), 100);
	pool_index_init(&ix, &p, LINK);
	ck_assert_uint_eq(pool_index_first(&ix, 7), 0);
	/* 7 and 7 + 2^16 share a bucket at any size, and differ. */
	for (uint32_t i = 0; i < 100; i++)
		ck_assert_int_eq(pool_index_add(&ix, pool_get(&p),
				     i % 2 == 0 ? 7 : 7 + (1u << 16)),
		    0);
	for (uint32_t i = pool_index_first(&ix, 7); i != 0;
	     i = pool_index_next(&ix, i)) {
		ck_assert_uint_eq(cell_at(&p, i)->link.hash, 7);
		seen++;
	}
	ck_assert_uint_eq(seen, 50);
	for (uint32_t at = 1; at <= 100; at += 2)
		pool_index_del(&ix, at);
	ck_assert_uint_eq(pool_index_first(&ix, 7), 0);
	ck_assert_uint_ne(pool_index_first(&ix, 7 + (1u << 16)), 0);
	ck_assert_uint_eq(ix.len, 50);
	pool_index_fini(&ix);
	pool_fini(&p);
}
END_TEST

/* Copies the cells of a chain, first to last, and checks the reverse order. */
static uint32_t
walk(struct pool *p, const struct chain *c, uint32_t *out)
{
	uint32_t n = 0, prev = 0;

	for (uint32_t at = c->first; at != 0; at = cell_at(p, at)->chain.next) {
		ck_assert_uint_eq(cell_at(p, at)->chain.prev, prev);
		out[n++] = prev = at;
	}
	ck_assert_uint_eq(c->last, prev);
	return n;
}

START_TEST(chain_keeps_order)
{
	static const uint32_t orders[][3] = {
	    {1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}};
	const uint32_t *order = orders[_i];
	struct chain c = {0};
	struct pool p;
	uint32_t out[3];

	pool_init(&p, sizeof(struct cell), 3);
	for (int i = 0; i < 3; i++)
		chain_push(&c, &p, CHAIN, pool_get(&p));
	ck_assert_uint_eq(walk(&p, &c, out), 3);
	ck_assert(out[0] == 1 && out[1] == 2 && out[2] == 3);

	chain_del(&c, &p, CHAIN, order[0]);
	ck_assert_uint_eq(walk(&p, &c, out), 2);
	ck_assert_uint_lt(out[0], out[1]);
	chain_del(&c, &p, CHAIN, order[1]);
	ck_assert_uint_eq(walk(&p, &c, out), 1);
	ck_assert_uint_eq(out[0], order[2]);
	chain_del(&c, &p, CHAIN, order[2]);
	ck_assert(c.first == 0 && c.last == 0);
	pool_fini(&p);
}
END_TEST

/* The model: an array of allocated cells, the oldest first. */
enum { LIMIT = 300, OPS = 20000, HASHES = 64 };

struct model {
	struct pool pool;
	struct pool_index index;
	struct chain chain;
	uint32_t held[LIMIT], len;
	struct prng random;
};

static void
model_add(struct model *m)
{
	uint32_t value = (uint32_t)prng_next(&m->random),
		 at = pool_get(&m->pool);

	ck_assert_int_eq(at == 0, m->len == LIMIT);
	if (at == 0)
		return;
	cell_at(&m->pool, at)->value = value;
	ck_assert_int_eq(pool_index_add(&m->index, at, value % HASHES), 0);
	chain_push(&m->chain, &m->pool, CHAIN, at);
	m->held[m->len++] = at;
}

static void
model_del(struct model *m)
{
	uint32_t i, at;

	if (m->len == 0)
		return;
	i = prng_below(&m->random, m->len);
	at = m->held[i];
	memmove(
	    &m->held[i], &m->held[i + 1], (--m->len - i) * sizeof m->held[0]);
	pool_index_del(&m->index, at);
	chain_del(&m->chain, &m->pool, CHAIN, at);
	pool_put(&m->pool, at);
}

/* Checks that the index finds exactly the allocated cells of a hash. */
static void
model_find(struct model *m)
{
	uint32_t hash = prng_below(&m->random, HASHES), found = 0, want = 0;

	for (uint32_t i = 0; i < m->len; i++)
		want += cell_at(&m->pool, m->held[i])->value % HASHES == hash;
	for (uint32_t at = pool_index_first(&m->index, hash); at != 0;
	     at = pool_index_next(&m->index, at)) {
		ck_assert_uint_eq(cell_at(&m->pool, at)->value % HASHES, hash);
		found++;
	}
	ck_assert_uint_eq(found, want);
}

static void
model_compare(struct model *m)
{
	uint32_t out[LIMIT];

	ck_assert_uint_eq(m->pool.len, m->len);
	ck_assert_uint_eq(m->index.len, m->len);
	ck_assert_uint_eq(walk(&m->pool, &m->chain, out), m->len);
	ck_assert_mem_eq(out, m->held, m->len * sizeof out[0]);
}

START_TEST(agrees_with_a_model)
{
	struct model *m = calloc(1, sizeof *m);

	ck_assert_ptr_nonnull(m);
	m->random = prng_seeded(2);
	pool_init(&m->pool, sizeof(struct cell), LIMIT);
	pool_index_init(&m->index, &m->pool, LINK);
	for (int op = 0; op < OPS; op++) {
		/* Fills for a while, then drains for a while. */
		uint32_t adds = op / 2000 % 2 == 0 ? 7 : 3;

		if (prng_below(&m->random, 10) < adds)
			model_add(m);
		else
			model_del(m);
		model_find(m);
		if (op % 50 == 0)
			model_compare(m);
	}
	ck_assert_uint_le(m->pool.top, LIMIT);
	pool_index_fini(&m->index);
	pool_fini(&m->pool);
	free(m);
}
END_TEST

/* pool_next() visits the cells in use, in a circle, and no others. */
START_TEST(next_skips_free_cells)
{
	enum { N = 2 * POOL_SCAN_MAX };
	struct pool p;
	uint32_t cursor = 0;

	pool_init(&p, sizeof(struct cell), N);
	ck_assert_uint_eq(pool_next(&p, &cursor), 0);
	for (uint32_t i = 0; i < N; i++)
		ck_assert_uint_ne(pool_get(&p), 0);
	for (uint32_t at = 1; at <= N; at++)
		if (at % 3 != 0)
			pool_put(&p, at);
	for (int round = 0; round < 2; round++)
		for (uint32_t at = 3; at <= N; at += 3)
			ck_assert_uint_eq(pool_next(&p, &cursor), at);
	/* One cell is found in the end, though not in a single call. */
	for (uint32_t at = 6; at <= N; at += 3)
		pool_put(&p, at);
	cursor = 3;
	ck_assert_uint_eq(pool_next(&p, &cursor), 0);
	while (pool_next(&p, &cursor) == 0)
		;
	ck_assert_uint_eq(cursor, 3);
	pool_fini(&p);
}
END_TEST

START_TEST(knows_cells_in_use)
{
	struct pool p;

	pool_init(&p, sizeof(struct cell), 10);
	ck_assert(!pool_in_use(&p, 0) && !pool_in_use(&p, 1));
	ck_assert_uint_eq(pool_get(&p), 1);
	ck_assert(pool_in_use(&p, 1) && !pool_in_use(&p, 2));
	ck_assert(!pool_in_use(&p, UINT32_MAX));
	pool_put(&p, 1);
	ck_assert(!pool_in_use(&p, 1));
	pool_fini(&p);
}
END_TEST

/* Wrong uses of a pool with two cells handed out, the second of them freed. */
static const uint32_t wrong_numbers[] = {0, 3, UINT32_MAX};

START_TEST(access_of_no_cell_aborts)
{
	struct pool p;

	pool_init(&p, sizeof(struct cell), 10);
	ck_assert_uint_eq(pool_get(&p), 1);
	pool_put(&p, pool_get(&p));
	pool_at(&p, wrong_numbers[_i]);
}
END_TEST

START_TEST(second_free_aborts)
{
	struct pool p;

	pool_init(&p, sizeof(struct cell), 10);
	ck_assert_uint_eq(pool_get(&p), 1);
	pool_put(&p, pool_get(&p));
	pool_put(&p, 2);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("pool", &tc);

	tcase_add_test(tc, keeps_its_limit);
	tcase_add_test(tc, of_no_cells);
	tcase_add_loop_test(tc, cells_are_zeroed_and_stay, 0, T_ROWS(sizes));
	tcase_add_test(tc, index_finds_all_of_a_hash);
	tcase_add_loop_test(tc, chain_keeps_order, 0, 6);
	tcase_add_test(tc, agrees_with_a_model);
	tcase_add_test(tc, next_skips_free_cells);
	tcase_add_test(tc, knows_cells_in_use);
	/* Without a process of its own, the abort would end all tests. */
	if (getenv("CK_FORK") == NULL) {
		tcase_add_loop_test_raise_signal(tc, access_of_no_cell_aborts,
		    SIGABRT, 0, T_ROWS(wrong_numbers));
		tcase_add_test_raise_signal(tc, second_free_aborts, SIGABRT);
	}
	return s;
}
