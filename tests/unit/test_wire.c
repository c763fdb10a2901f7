/* SPDX-License-Identifier: ISC */
/*
 * Goal: the cursors read and write what the reference does, and no byte beyond
 * their buffer. Method: golden rows both ways, each cut and flipped, then the
 * edges of every limit.
 */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/wire.h"
#include "t.h"

static const char file[] = "rpc.json";

/* Reads one value of each kind; the sanitizers detect overruns. */
static void
take_all(const uint8_t *buf, size_t len, void *arg)
{
	struct rd r = rd_init(buf, len);
	struct bytes b;

	(void)arg;
	rd_uint(&r);
	r = rd_init(buf, len);
	rd_addr4(&r);
	r = rd_init(buf, len);
	b = rd_buffer(&r, len);
	for (size_t i = 0; i < b.len; i++)
		ck_assert_ptr_nonnull(b.p + i);
	r = rd_init(buf, len);
	for (size_t n = rd_count(&r, ADDR_WIRE4_LEN); n > 0; n--)
		rd_addr4(&r);
	ck_assert_uint_le(rd_left(&r), len);
}

START_TEST(uint_both_ways)
{
	const json_t *row = t_row(file, "uint", _i);
	uint64_t v = t_uint(row, "value");
	uint8_t out[9];
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	struct rd r = rd_init(buf, len);
	struct wr w = wr_init(out, sizeof out);

	ck_assert_uint_eq(rd_uint(&r), v);
	ck_assert(rd_ok(&r) && rd_left(&r) == 0);
	wr_uint(&w, v);
	ck_assert(wr_ok(&w));
	t_assert_hex(out, wr_len(&w), t_string(row, "hex"));

	/* The exact space suffices, one byte less does not. */
	w = wr_init(out, len);
	wr_uint(&w, v);
	ck_assert(wr_ok(&w) && wr_left(&w) == 0);
	w = wr_init(out, len - 1);
	wr_uint(&w, v);
	ck_assert(!wr_ok(&w));
	t_damage(buf, len, take_all, NULL);
	free(buf);
}
END_TEST

START_TEST(uint_decodes)
{
	const json_t *row = t_row(file, "uint_decode", _i);
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	struct rd r = rd_init(buf, len);
	uint64_t v = rd_uint(&r);

	ck_assert_int_eq(rd_ok(&r), t_bool(row, "ok"));
	if (rd_ok(&r)) {
		ck_assert_uint_eq(v, t_uint(row, "value"));
		ck_assert_uint_eq(len - rd_left(&r), t_uint(row, "consumed"));
	} else {
		ck_assert_uint_eq(v, 0);
	}
	t_damage(buf, len, take_all, NULL);
	free(buf);
}
END_TEST

START_TEST(addr4_both_ways)
{
	const json_t *row = t_row(file, "ipv4_address", _i);
	struct addr want = t_addr(t_get(row, "value")), got;
	uint8_t out[ADDR_WIRE4_LEN];
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	struct rd r = rd_init(buf, len);
	struct wr w = wr_init(out, sizeof out);

	got = rd_addr4(&r);
	ck_assert(rd_ok(&r) && addr_equal(&got, &want));
	wr_addr4(&w, &want);
	ck_assert(wr_ok(&w));
	t_assert_hex(out, wr_len(&w), t_string(row, "hex"));
	t_damage(buf, len, take_all, NULL);
	free(buf);
}
END_TEST

/* Returns the i-th address of a row, as listed or as its name describes. */
static struct addr
array_addr(const json_t *row, size_t i)
{
	const json_t *list = json_object_get(row, "value");

	if (list != NULL)
		return t_addr(json_array_get(list, i));
	return addr_v4(10, 0, 0, (uint8_t)i, (uint16_t)(i + 1));
}

static size_t
array_len(const json_t *row)
{
	const json_t *list = json_object_get(row, "value");

	return list ? json_array_size(list) : (size_t)t_uint(row, "count");
}

/* Compares with the whole row, or with its head, length and hash. */
static void
assert_array(const json_t *row, const uint8_t *p, size_t len)
{
	uint8_t hash[32];
	const char *head;

	if (json_object_get(row, "hex") != NULL) {
		t_assert_hex(p, len, t_string(row, "hex"));
		return;
	}
	head = t_string(row, "head_hex");
	ck_assert_uint_eq(len, t_uint(row, "bytes"));
	t_assert_hex(p, strlen(head) / 2, head);
	crypto_generichash(hash, sizeof hash, p, len, NULL, 0);
	t_assert_hex(hash, sizeof hash, t_string(row, "blake2b_256"));
}

START_TEST(array_both_ways)
{
	const json_t *row = t_row(file, "ipv4_array", _i);
	size_t n = array_len(row), count;
	uint8_t out[2048], *exact;
	struct wr w = wr_init(out, sizeof out);
	struct rd r;

	wr_uint(&w, n);
	for (size_t i = 0; i < n; i++) {
		struct addr a = array_addr(row, i);

		wr_addr4(&w, &a);
	}
	ck_assert(wr_ok(&w));
	assert_array(row, out, wr_len(&w));

	exact = t_copy(out, wr_len(&w));
	r = rd_init(exact, wr_len(&w));
	count = rd_count(&r, ADDR_WIRE4_LEN);
	ck_assert_uint_eq(count, n);
	for (size_t i = 0; i < n; i++) {
		struct addr want = array_addr(row, i), got = rd_addr4(&r);

		ck_assert(addr_equal(&got, &want));
	}
	ck_assert(rd_ok(&r) && rd_left(&r) == 0);
	t_damage(exact, wr_len(&w), take_all, NULL);
	free(exact);
}
END_TEST

START_TEST(buffer_both_ways)
{
	const json_t *row = t_row(file, "buffer", _i);
	size_t n = (size_t)t_uint(row, "length");
	const char *head = t_string(row, "head_hex");
	uint8_t in[256], out[512], *exact;
	struct wr w = wr_init(out, sizeof out);
	struct bytes b;
	struct rd r;

	memset(in, 0xab, sizeof in);
	wr_buffer(&w, in, n);
	ck_assert(wr_ok(&w));
	ck_assert_uint_eq(wr_len(&w), t_uint(row, "encoded_bytes"));
	t_assert_hex(out, strlen(head) / 2, head);

	exact = t_copy(out, wr_len(&w));
	r = rd_init(exact, wr_len(&w));
	b = rd_buffer(&r, n);
	ck_assert(rd_ok(&r) && rd_left(&r) == 0);
	/* Empty is not absent. */
	ck_assert_ptr_nonnull(b.p);
	ck_assert_uint_eq(b.len, n);
	ck_assert_mem_eq(b.p, in, n);
	t_damage(exact, wr_len(&w), take_all, NULL);
	free(exact);
}
END_TEST

START_TEST(reader_latches)
{
	size_t len;
	uint8_t *buf = t_hex("0102030405060708090a0b", &len);
	struct rd r = rd_init(buf, len);
	struct addr none;

	ck_assert_uint_eq(rd_le16(&r), 0x0201);
	ck_assert_uint_eq(rd_le32(&r), 0x06050403);
	ck_assert_ptr_null(rd_take(&r, 6));
	ck_assert(!rd_ok(&r));
	/* Five bytes are left, but the cursor returns no more. */
	ck_assert_uint_eq(rd_left(&r), 5);
	ck_assert_uint_eq(rd_u8(&r), 0);
	ck_assert_uint_eq(rd_le16(&r), 0);
	ck_assert_uint_eq(rd_uint(&r), 0);
	ck_assert_ptr_null(rd_take(&r, 0));
	ck_assert_ptr_null(rd_buffer(&r, 1).p);
	ck_assert_uint_eq(rd_count(&r, 1), 0);
	none = rd_addr4(&r);
	ck_assert_uint_eq(none.family, ADDR_NONE);
	ck_assert_uint_eq(rd_left(&r), 5);
	free(buf);
}
END_TEST

START_TEST(writer_latches)
{
	uint8_t out[8] = {0};
	struct wr w = wr_init(out, 6);

	wr_le32(&w, 0x04030201);
	wr_le32(&w, 0xffffffff);
	ck_assert(!wr_ok(&w));
	/* Two bytes would fit, but the cursor writes no more. */
	wr_u8(&w, 0xff);
	wr_le16(&w, 0xffff);
	wr_uint(&w, 1);
	wr_raw(&w, "x", 1);
	wr_buffer(&w, NULL, 0);
	ck_assert_ptr_null(wr_space(&w, 0));
	ck_assert_uint_eq(wr_len(&w), 4);
	t_assert_hex(out, sizeof out, "0102030400000000");
}
END_TEST

START_TEST(writer_refuses)
{
	uint8_t out[32];
	struct wr w = wr_init(out, sizeof out);
	struct addr v6;

	wr_uint(&w, WIRE_UINT_MAX + 1);
	ck_assert(!wr_ok(&w));

	w = wr_init(out, sizeof out);
	ck_assert_int_eq(addr_parse(&v6, "[2001:db8::1]:1", 0), 0);
	wr_addr4(&w, &v6);
	ck_assert(!wr_ok(&w));

	w = wr_init(out, 0);
	wr_raw(&w, NULL, 0);
	ck_assert(wr_ok(&w) && wr_len(&w) == 0);
}
END_TEST

/* Lengths and counts beyond the buffer; the last would wrap in 32 bits. */
static const struct {
	const char *hex;
	size_t max, elem;
} liars[] = {
    {"", 8, 6},
    {"01", 8, 6},
    {"0201", 8, 6},
    {"0401020304", 3, 6},
    {"02010203040506070809", 1, 6},
    {"fdffff01", 65536, 1},
    {"feffffffff01", SIZE_MAX, 1},
    {"ffffffffffffff1f0001", SIZE_MAX, 1},
    {"ffffffffffffffffff01", SIZE_MAX, 1},
    {"ffabaaaaaaaaaa0a00010203040506", SIZE_MAX, 6},
};

START_TEST(refuses_liar)
{
	size_t len;
	uint8_t *buf = t_hex(liars[_i].hex, &len);
	struct rd r = rd_init(buf, len);

	ck_assert_ptr_null(rd_buffer(&r, liars[_i].max).p);
	ck_assert(!rd_ok(&r));
	r = rd_init(buf, len);
	ck_assert_uint_eq(rd_count(&r, liars[_i].elem), 0);
	ck_assert(!rd_ok(&r));
	free(buf);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("wire", &tc);

	tcase_add_loop_test(tc, uint_both_ways, 0, t_rows(file, "uint"));
	tcase_add_loop_test(tc, uint_decodes, 0, t_rows(file, "uint_decode"));
	tcase_add_loop_test(
	    tc, addr4_both_ways, 0, t_rows(file, "ipv4_address"));
	tcase_add_loop_test(tc, array_both_ways, 0, t_rows(file, "ipv4_array"));
	tcase_add_loop_test(tc, buffer_both_ways, 0, t_rows(file, "buffer"));
	tcase_add_test(tc, reader_latches);
	tcase_add_test(tc, writer_latches);
	tcase_add_test(tc, writer_refuses);
	tcase_add_loop_test(tc, refuses_liar, 0, T_ROWS(liars));
	return s;
}
