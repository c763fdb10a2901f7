/* SPDX-License-Identifier: ISC */
/*
 * Goal: the messages of a blind relay are encoded and decoded as the reference
 * does. Method: every golden message is written and read; the malformed ones
 * are refused where the reference destroys the connection, and accepted where
 * it ignores the difference; each is cut at every byte and has every bit
 * flipped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "relay/relay_message.h"
#include "t.h"

#define FILE_NAME "blind-relay.json"

static struct relay_pair
pair_of(const json_t *row)
{
	struct relay_pair m = {.initiator = t_bool(row, "is_initiator"),
	    .stream_id = (uint32_t)t_uint(row, "id"),
	    .seq = t_uint(row, "seq")};
	size_t len;
	uint8_t *token = t_bytes(row, "token", &len);

	ck_assert_uint_eq(len, sizeof m.token);
	memcpy(m.token, token, len);
	free(token);
	return m;
}

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[RELAY_MESSAGE_MAX];
	struct relay_pair m, again;
	struct relay_unpair u;
	size_t n;

	(void)arg;
	(void)relay_unpair_decode(&u, buf, len);
	if (relay_pair_decode(&m, buf, len) != 0)
		return;
	n = relay_pair_encode(&m, out, sizeof out);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(relay_pair_decode(&again, out, n), 0);
	ck_assert_uint_eq(again.stream_id, m.stream_id);
}

static void
check_pair(const json_t *row)
{
	struct relay_pair m = pair_of(row), got;
	uint8_t out[RELAY_MESSAGE_MAX];
	size_t n = relay_pair_encode(&m, out, sizeof out), len;
	uint8_t *bytes;

	t_assert_hex(out, n, t_string(row, "body_hex"));
	for (size_t cap = 0; cap < n; cap++)
		ck_assert_uint_eq(relay_pair_encode(&m, out, cap), 0);
	bytes = t_bytes(row, "body_hex", &len);
	ck_assert_int_eq(relay_pair_decode(&got, bytes, len), 0);
	ck_assert(got.initiator == m.initiator);
	ck_assert_uint_eq(got.stream_id, m.stream_id);
	ck_assert_uint_eq(got.seq, m.seq);
	ck_assert_mem_eq(got.token, m.token, sizeof m.token);
	t_damage(bytes, len, take_damaged, NULL);
	free(bytes);
}

static void
check_unpair(const json_t *row)
{
	struct relay_unpair m, got;
	uint8_t out[RELAY_MESSAGE_MAX];
	size_t len;
	uint8_t *token = t_bytes(row, "token", &len), *bytes;

	memcpy(m.token, token, sizeof m.token);
	free(token);
	t_assert_hex(out, relay_unpair_encode(&m, out, sizeof out),
	    t_string(row, "body_hex"));
	bytes = t_bytes(row, "body_hex", &len);
	ck_assert_int_eq(relay_unpair_decode(&got, bytes, len), 0);
	ck_assert_mem_eq(got.token, m.token, sizeof m.token);
	ck_assert_int_eq(
	    relay_unpair_decode(&got, bytes, len - 1), ERR_MALFORMED);
	free(bytes);
}

START_TEST(bodies_are_golden)
{
	const json_t *row = t_row(FILE_NAME, "bodies", _i);

	if (strcmp(t_string(row, "message"), "pair") == 0)
		check_pair(row);
	else
		check_unpair(row);
}
END_TEST

/* Each message on channel 1 has two bytes before its body. */
START_TEST(malformed_bodies_break_the_connection)
{
	const json_t *row = t_row(FILE_NAME, "malformed", _i);
	const json_t *messages = t_get(row, "input_hex");
	bool alive = t_bool(row, "connection_alive"), ok = true;
	struct relay_unpair u;
	struct relay_pair m;

	if (strncmp(t_string(row, "name"), "pair", 4) != 0 &&
	    strncmp(t_string(row, "name"), "unpair", 6) != 0)
		return; /* of protomux: test_mux.c */
	for (size_t i = 1; i < json_array_size(messages); i++) {
		size_t len;
		uint8_t *b =
		    t_hex(json_string_value(json_array_get(messages, i)), &len);

		ck_assert_uint_eq(b[0], 1);
		if (b[1] == RELAY_PAIR)
			ok &= relay_pair_decode(&m, b + 2, len - 2) == 0;
		else
			ok &= relay_unpair_decode(&u, b + 2, len - 2) == 0;
		free(b);
	}
	ck_assert(ok == alive);
}
END_TEST

/* A wider bit field counts by the first byte of its value. */
START_TEST(flags_have_any_width)
{
	for (unsigned width = 0; width < 4; width++) {
		uint8_t buf[64] = {0};
		size_t extra = width == 0 ? 0 : (size_t)1 << width;
		struct relay_pair m;

		buf[0] = width == 0 ? 0x03 : (uint8_t)(0xfc + width);
		buf[1] = width == 0 ? 0 : 0x01;
		buf[1 + extra] = width == 0 ? 0 : buf[1 + extra];
		ck_assert_int_eq(
		    relay_pair_decode(&m, buf, 1 + extra + 32 + 2), 0);
		ck_assert(m.initiator);
		ck_assert_int_eq(
		    relay_pair_decode(&m, buf, extra + 32 + 2), ERR_MALFORMED);
	}
}
END_TEST

/* The id of a UDX stream has 32 bits. */
START_TEST(ids_are_of_32_bits)
{
	uint8_t buf[1 + 32 + 9 + 1] = {[33] = 0xff, [38] = 1};
	struct relay_pair m;

	ck_assert_int_eq(relay_pair_decode(&m, buf, sizeof buf), ERR_MALFORMED);
	buf[38] = 0;
	ck_assert_int_eq(relay_pair_decode(&m, buf, sizeof buf), 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_message", &tc);

	tcase_add_loop_test(
	    tc, bodies_are_golden, 0, t_rows(FILE_NAME, "bodies"));
	tcase_add_loop_test(tc, malformed_bodies_break_the_connection, 0,
	    t_rows(FILE_NAME, "malformed"));
	tcase_add_test(tc, flags_have_any_width);
	tcase_add_test(tc, ids_are_of_32_bits);
	return s;
}
