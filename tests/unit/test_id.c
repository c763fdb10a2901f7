/* SPDX-License-Identifier: ISC */
/*
 * Goal: ids are what the reference makes of an address, and are ordered by
 * XOR. Method: golden rows; the metric against a bit-by-bit count.
 */
#include <stdlib.h>

#include "dht/id.h"
#include "t.h"

static const char file[] = "rpc.json";

START_TEST(is_of_its_address)
{
	const json_t *row = t_row(file, "node_id", _i);
	struct addr a = t_addr(t_get(row, "address"));
	uint8_t id[ID_LEN], other[ID_LEN];

	id_of_addr(id, &a);
	t_assert_hex(id, sizeof id, t_string(row, "id"));
	/* The port is a part of it. */
	a.port++;
	id_of_addr(other, &a);
	ck_assert_mem_ne(id, other, ID_LEN);
}
END_TEST

static void
fill(struct prng *r, uint8_t id[ID_LEN])
{
	for (int i = 0; i < ID_LEN; i++)
		id[i] = (uint8_t)prng_next(r);
}

static int
bit(const uint8_t *id, unsigned i)
{
	return id[i / 8] >> (7 - i % 8) & 1;
}

START_TEST(shares_bits)
{
	struct prng r = prng_seeded(3);
	uint8_t a[ID_LEN], b[ID_LEN];

	fill(&r, a);
	memcpy(b, a, ID_LEN);
	ck_assert_uint_eq(id_shared_bits(a, b), ID_BITS);
	for (unsigned i = ID_BITS; i-- > 0;) {
		/* From here on b differs at random, at bit i for certain. */
		memcpy(b, a, ID_LEN);
		for (unsigned k = i; k < ID_BITS; k++)
			if (k == i || prng_below(&r, 2) == 1)
				b[k / 8] ^= (uint8_t)(0x80 >> k % 8);
		ck_assert_uint_eq(id_shared_bits(a, b), i);
		ck_assert_uint_eq(id_shared_bits(b, a), i);
	}
}
END_TEST

/* The sign of the first bit in which one is nearer than the other. */
static int
naive_compare(const uint8_t *target, const uint8_t *a, const uint8_t *b)
{
	for (unsigned i = 0; i < ID_BITS; i++) {
		int da = bit(a, i) ^ bit(target, i);
		int db = bit(b, i) ^ bit(target, i);

		if (da != db)
			return da - db;
	}
	return 0;
}

static int
sign(int v)
{
	return (v > 0) - (v < 0);
}

START_TEST(orders_by_distance)
{
	struct prng r = prng_seeded(4);
	uint8_t target[ID_LEN], a[ID_LEN], b[ID_LEN];

	for (int i = 0; i < 10000; i++) {
		uint32_t same = prng_below(&r, ID_LEN + 1);

		fill(&r, target);
		fill(&r, a);
		fill(&r, b);
		memcpy(b, a, same);
		ck_assert_int_eq(sign(id_compare(target, a, b)),
		    naive_compare(target, a, b));
		ck_assert_int_eq(sign(id_compare(target, b, a)),
		    naive_compare(target, b, a));
	}
	ck_assert_int_eq(id_compare(target, a, a), 0);
	ck_assert(id_equal(a, a) && !id_equal(a, target));
}
END_TEST

START_TEST(head_orders_as_the_whole)
{
	size_t len;
	uint8_t *id = t_hex("0123456789abcdef00000000000000000000000000000000"
			    "0000000000000000",
	    &len);

	ck_assert_uint_eq(id_head(id), UINT64_C(0x0123456789abcdef));
	free(id);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("id", &tc);

	tcase_add_loop_test(tc, is_of_its_address, 0, t_rows(file, "node_id"));
	tcase_add_test(tc, shares_bits);
	tcase_add_test(tc, orders_by_distance);
	tcase_add_test(tc, head_orders_as_the_whole);
	return s;
}
