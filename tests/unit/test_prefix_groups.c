/* SPDX-License-Identifier: ISC */
/*
 * Goal: the cells of a prefix are counted, and its oldest is found, after any
 * sequence of additions and removals. Method: random operations compared with a
 * list in the order of age; a look at what is allocated when all are removed.
 */
#include <string.h>

#include "base/prefix_groups.h"
#include "t.h"
#include "world/prng.h"

struct cell {
	uint32_t value;
	struct prefix_member prefix;
};

struct rig {
	struct pool cells;
	struct prefix_groups groups;
};

static const struct hash_key key = {{3}};

static struct addr
addr_of(uint32_t prefix, uint32_t host)
{
	return addr_v4(20, (uint8_t)prefix, 0, (uint8_t)host, 4000);
}

static void
rig_init(struct rig *r)
{
	pool_init(&r->cells, sizeof(struct cell), 1000);
	prefix_groups_init(
	    &r->groups, &key, &r->cells, offsetof(struct cell, prefix));
}

static void
rig_fini(struct rig *r)
{
	prefix_groups_fini(&r->groups);
	pool_fini(&r->cells);
}

/* Hosts of a /24 are one prefix; its oldest cell comes first. */
START_TEST(counts_by_prefix)
{
	struct rig r;
	uint32_t at[3];
	struct addr a[] = {addr_of(1, 1), addr_of(1, 200), addr_of(2, 1)};

	rig_init(&r);
	for (unsigned i = 0; i < 3; i++) {
		at[i] = pool_get(&r.cells);
		ck_assert_uint_ne(at[i], 0);
		ck_assert_int_eq(prefix_groups_add(&r.groups, at[i], &a[i]), 0);
	}
	ck_assert_uint_eq(prefix_groups_count(&r.groups, &a[1]), 2);
	ck_assert_uint_eq(prefix_groups_count(&r.groups, &a[2]), 1);
	ck_assert_uint_eq(prefix_groups_oldest(&r.groups, &a[1]), at[0]);
	prefix_groups_remove(&r.groups, at[0]);
	prefix_groups_remove(&r.groups, at[0]);
	ck_assert_uint_eq(prefix_groups_count(&r.groups, &a[0]), 1);
	ck_assert_uint_eq(prefix_groups_oldest(&r.groups, &a[0]), at[1]);
	rig_fini(&r);
}
END_TEST

enum { CELLS = 300, PREFIXES = 20, OPERATIONS = 20000 };

/* The cells that are counted, oldest first, with the prefix of each. */
struct model {
	uint32_t at[CELLS], prefix[CELLS], len;
};

static void
assert_equal(const struct rig *r, const struct model *m, uint32_t prefix)
{
	struct addr a = addr_of(prefix, 77);
	uint32_t count = 0, oldest = 0;

	for (uint32_t i = m->len; i-- > 0;)
		if (m->prefix[i] == prefix) {
			count++;
			oldest = m->at[i];
		}
	ck_assert_uint_eq(prefix_groups_count(&r->groups, &a), count);
	ck_assert_uint_eq(prefix_groups_oldest(&r->groups, &a), oldest);
}

static void
add_cell(struct rig *r, struct model *m, struct prng *rand)
{
	uint32_t prefix = prng_below(rand, PREFIXES), at = pool_get(&r->cells);
	struct addr a = addr_of(prefix, prng_below(rand, 256));

	ck_assert_uint_ne(at, 0);
	ck_assert_int_eq(prefix_groups_add(&r->groups, at, &a), 0);
	m->at[m->len] = at;
	m->prefix[m->len++] = prefix;
}

static void
remove_cell(struct rig *r, struct model *m, uint32_t i)
{
	size_t after = --m->len - i;

	prefix_groups_remove(&r->groups, m->at[i]);
	pool_put(&r->cells, m->at[i]);
	memmove(&m->at[i], &m->at[i + 1], after * sizeof *m->at);
	memmove(&m->prefix[i], &m->prefix[i + 1], after * sizeof *m->prefix);
}

START_TEST(equals_a_list)
{
	static struct model m;
	struct prng rand;
	struct rig r;

	prng_init(&rand, (uint64_t)_i, 0, 0);
	rig_init(&r);
	m.len = 0;
	for (int n = 0; n < OPERATIONS; n++) {
		if (m.len < CELLS && prng_below(&rand, 2) == 0)
			add_cell(&r, &m, &rand);
		else if (m.len > 0)
			remove_cell(&r, &m, prng_below(&rand, m.len));
		assert_equal(&r, &m, prng_below(&rand, PREFIXES));
	}
	while (m.len > 0)
		remove_cell(&r, &m, m.len - 1);
	ck_assert_uint_eq(r.groups.pool.len, 0);
	rig_fini(&r);
}
END_TEST

Suite *
t_suite(void)
{
	Suite *s = suite_create("prefix_groups");
	TCase *tc = tcase_create("prefix_groups");

	tcase_add_test(tc, counts_by_prefix);
	tcase_add_loop_test(tc, equals_a_list, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}
