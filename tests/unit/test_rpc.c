/* SPDX-License-Identifier: ISC */
/*
 * Goal: requests and replies are read and written byte for byte as by the
 * reference, and a broken one is refused for the right reason. Method: golden
 * rows both ways, each cut at every byte and with every bit flipped on exact
 * heap copies.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/world.h"
#include "dht/rpc.h"
#include "t.h"

static const char file[] = "rpc.json";

/* The 32 bytes of a member, or absence. */
static void
assert_field(const json_t *fields, const char *name, const uint8_t *p)
{
	const json_t *want = t_get(fields, name);

	if (json_is_null(want))
		ck_assert_ptr_null(p);
	else
		t_assert_hex(p, 32, json_string_value(want));
}

static void
assert_value(const json_t *fields, struct bytes value)
{
	const json_t *want = t_get(fields, "value");

	if (json_is_null(want)) {
		ck_assert_ptr_null(value.p);
		return;
	}
	/* Empty is not absent. */
	ck_assert_ptr_nonnull(value.p);
	t_assert_hex(value.p, value.len, json_string_value(want));
}

static void
assert_to(const json_t *fields, const struct addr *to)
{
	struct addr want = t_addr(t_get(fields, "to"));

	ck_assert(addr_equal(to, &want));
}

static void
assert_closer(const json_t *list, const struct rpc_reply *m)
{
	size_t n = json_array_size(list);

	ck_assert_uint_eq(m->closer.len, n * ADDR_WIRE4_LEN);
	for (size_t i = 0; i < n; i++) {
		struct addr want = t_addr(json_array_get(list, i));
		struct addr got = rpc_closer(m, i);

		ck_assert(addr_equal(&got, &want));
	}
}

/* A decoder's refusals, and that what it lends lies within the datagram. */
static void
assert_within(const uint8_t *buf, size_t len, const uint8_t *p, size_t n)
{
	if (p == NULL)
		return;
	ck_assert(p >= buf && n <= len && (size_t)(p - buf) <= len - n);
}

static void
assert_refusal(int err)
{
	ck_assert(
	    err == ERR_MALFORMED || err == ERR_VERSION || err == ERR_KIND);
}

static void
take_request(const uint8_t *buf, size_t len, void *arg)
{
	struct rpc_request m;
	uint8_t out[DGRAM_MAX];
	int err = rpc_request_decode(&m, buf, len);

	(void)arg;
	if (err != 0) {
		assert_refusal(err);
		return;
	}
	assert_within(buf, len, m.id, ID_LEN);
	assert_within(buf, len, m.token, RPC_TOKEN_LEN);
	assert_within(buf, len, m.target, RPC_TARGET_LEN);
	assert_within(buf, len, m.value.p, m.value.len);
	/* What was read can be written again, and never gets longer. */
	ck_assert_uint_gt(rpc_request_encode(&m, out, sizeof out), 0);
	ck_assert_uint_le(rpc_request_encode(&m, out, sizeof out), len);
}

static void
take_reply(const uint8_t *buf, size_t len, void *arg)
{
	struct rpc_reply m;
	uint8_t out[DGRAM_MAX];
	int err = rpc_reply_decode(&m, buf, len);

	(void)arg;
	if (err != 0) {
		assert_refusal(err);
		return;
	}
	assert_within(buf, len, m.id, ID_LEN);
	assert_within(buf, len, m.token, RPC_TOKEN_LEN);
	assert_within(buf, len, m.value.p, m.value.len);
	assert_within(buf, len, m.closer.p, m.closer.len);
	for (size_t i = 0; i < m.closer.len / ADDR_WIRE4_LEN; i++)
		ck_assert_uint_eq(rpc_closer(&m, i).family, ADDR_V4);
	ck_assert_uint_gt(rpc_reply_encode(&m, out, sizeof out), 0);
	ck_assert_uint_le(rpc_reply_encode(&m, out, sizeof out), len);
}

static void
request_row(const json_t *row)
{
	const json_t *fields = t_get(row, "fields");
	struct rpc_request m;
	uint8_t out[DGRAM_MAX];
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	ck_assert_int_eq(rpc_request_decode(&m, buf, len), 0);
	ck_assert_uint_eq(m.tid, t_uint(fields, "tid"));
	ck_assert_uint_eq(m.command, t_uint(fields, "command"));
	ck_assert_int_eq(m.internal, t_bool(fields, "internal"));
	assert_to(fields, &m.to);
	assert_field(fields, "id", m.id);
	assert_field(fields, "token", m.token);
	assert_field(fields, "target", m.target);
	assert_value(fields, m.value);

	ck_assert_uint_eq(rpc_request_encode(&m, out, len), len);
	t_assert_hex(out, len, t_string(row, "hex"));
	for (size_t cap = 0; cap < len; cap++)
		ck_assert_uint_eq(rpc_request_encode(&m, out, cap), 0);
	t_damage(buf, len, take_request, NULL);
	free(buf);
}

START_TEST(request_both_ways)
{
	request_row(t_row(file, "requests", _i));
}
END_TEST

START_TEST(request_flags_both_ways)
{
	request_row(t_row(file, "request_flags", _i));
}
END_TEST

START_TEST(reply_flags_both_ways)
{
	const json_t *row = t_row(file, "reply_flags", _i);
	const json_t *fields = t_get(row, "fields");
	struct rpc_reply m;
	uint8_t out[DGRAM_MAX];
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	ck_assert_int_eq(rpc_reply_decode(&m, buf, len), 0);
	ck_assert_uint_eq(m.tid, t_uint(fields, "tid"));
	ck_assert_uint_eq(m.error, t_uint(fields, "error"));
	assert_to(fields, &m.to);
	assert_field(fields, "id", m.id);
	assert_field(fields, "token", m.token);
	assert_value(fields, m.value);
	assert_closer(t_get(fields, "closerNodes"), &m);

	ck_assert_uint_eq(rpc_reply_encode(&m, out, len), len);
	t_assert_hex(out, len, t_string(row, "hex"));
	for (size_t cap = 0; cap < len; cap++)
		ck_assert_uint_eq(rpc_reply_encode(&m, out, cap), 0);
	t_damage(buf, len, take_reply, NULL);
	free(buf);
}
END_TEST

/*
 * What a recorded datagram is when it is written again: the same, but for those
 * rows without fields that show a PING in some tolerated other form.
 */
static const char *
written(const json_t *datagram)
{
	if (json_is_null(t_get(datagram, "fields")))
		return "03043412cb00710a49c200";
	return t_string(datagram, "hex");
}

static void
exchanged(const json_t *datagram, bool is_request)
{
	size_t len, again;
	uint8_t *buf = t_bytes(datagram, "hex", &len), out[DGRAM_MAX];
	struct rpc_request rq;
	struct rpc_reply re;

	if (is_request) {
		ck_assert_int_eq(rpc_request_decode(&rq, buf, len), 0);
		again = rpc_request_encode(&rq, out, sizeof out);
	} else {
		ck_assert_int_eq(rpc_reply_decode(&re, buf, len), 0);
		again = rpc_reply_encode(&re, out, sizeof out);
	}
	t_assert_hex(out, again, written(datagram));
	t_damage(buf, len, is_request ? take_request : take_reply, NULL);
	free(buf);
}

START_TEST(exchange_both_ways)
{
	const json_t *row = t_row(file, "exchanges", _i);
	const json_t *out = t_get(row, "out"), *sent;
	size_t i;

	exchanged(t_get(row, "in"), true);
	json_array_foreach((json_t *)out, i, sent)
	{
		const char *type = t_string(t_get(sent, "fields"), "type");

		exchanged(sent, strcmp(type, "request") == 0);
	}
}
END_TEST

/*
 * The codec's part of the rows of malformed requests: those that are refused
 * for what they ask, not for their form, decode.
 */
static const struct {
	const char *name;
	int err;
} refused[] = {
    {"empty datagram", ERR_MALFORMED},
    {"one byte (a hole-punch probe)", ERR_VERSION},
    {"one byte 0x03", ERR_MALFORMED},
    {"type only plus flags", ERR_MALFORMED},
    {"PING cut to 3 bytes", ERR_MALFORMED},
    {"PING cut to 5 bytes", ERR_MALFORMED},
    {"PING cut to 9 bytes", ERR_MALFORMED},
    {"PING cut to 10 bytes", ERR_MALFORMED},
    {"version 2", ERR_VERSION},
    {"type 2, version 3 (0x23)", ERR_KIND},
    {"id flag, id cut short", ERR_MALFORMED},
    {"token flag, token cut short", ERR_MALFORMED},
    {"target flag, target cut short", ERR_MALFORMED},
    {"value length beyond the datagram", ERR_MALFORMED},
    {"value length 2^53", ERR_MALFORMED},
    {"command is a truncated varint", ERR_MALFORMED},
    {"command is 2^53", ERR_MALFORMED},
};

static int
refusal_of(const char *name)
{
	for (int i = 0; i < T_ROWS(refused); i++)
		if (strcmp(refused[i].name, name) == 0)
			return refused[i].err;
	return 0;
}

START_TEST(malformed_request)
{
	const json_t *row = t_row(file, "malformed_requests", _i);
	struct rpc_request m;
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	ck_assert_msg(rpc_request_decode(&m, buf, len) ==
			  refusal_of(t_string(row, "name")),
	    "%s", t_string(row, "name"));
	t_damage(buf, len, take_request, NULL);
	free(buf);
}
END_TEST

START_TEST(every_refusal_has_its_row)
{
	int found = 0;

	for (int i = 0; i < t_rows(file, "malformed_requests"); i++)
		found +=
		    refusal_of(t_string(
			t_row(file, "malformed_requests", i), "name")) != 0;
	ck_assert_int_eq(found, T_ROWS(refused));
}
END_TEST

/* Replies that the reference ignores for their form, not for their tid. */
static bool
reply_is_malformed(const json_t *row)
{
	static const char *const names[] = {"cut after the tid", "id cut short",
	    "closer-nodes count larger than the data",
	    "closer-nodes count above 0x100000",
	    "value length beyond the datagram"};

	for (int i = 0; i < T_ROWS(names); i++)
		if (strcmp(names[i], t_string(row, "name")) == 0)
			return true;
	return false;
}

static void
assert_reply(const json_t *decoded, const struct rpc_reply *m)
{
	const json_t *closer = t_get(decoded, "closerNodes");

	ck_assert_uint_eq(m->error, t_uint(decoded, "error"));
	assert_to(decoded, &m->to);
	assert_field(decoded, "token", m->token);
	assert_value(decoded, m->value);
	if (json_is_null(closer))
		ck_assert_uint_eq(m->closer.len, 0);
	else
		assert_closer(closer, m);
}

START_TEST(malformed_reply)
{
	const json_t *row = t_row(file, "malformed_replies", _i);
	const json_t *decoded = json_object_get(row, "decoded");
	struct rpc_reply m;
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);
	int err = rpc_reply_decode(&m, buf, len);

	ck_assert_msg(err == (reply_is_malformed(row) ? ERR_MALFORMED : 0),
	    "%s", t_string(row, "name"));
	if (decoded != NULL)
		assert_reply(decoded, &m);
	t_damage(buf, len, take_reply, NULL);
	free(buf);
}
END_TEST

/* The codec's part of the rows that distinguish datagrams. */
START_TEST(kind_of_first_byte)
{
	const json_t *row = t_row(file, "demux", _i);
	const char *kind = t_string(row, "kind");
	size_t len;
	uint8_t *buf = t_bytes(row, "hex", &len);

	if (strcmp(kind, "rpc request") == 0)
		ck_assert_int_eq(rpc_kind(buf[0]), RPC_REQUEST);
	else if (strcmp(kind, "rpc reply") == 0)
		ck_assert_int_eq(rpc_kind(buf[0]), RPC_REPLY);
	else if (len > 1)
		ck_assert_int_lt(rpc_kind(buf[0]), 0);
	free(buf);
}
END_TEST

START_TEST(kind_of_every_byte)
{
	for (int first = 0; first < 256; first++) {
		int want = first == 0x03 || first == 0x13 ? first
			   : first < 0x20                 ? ERR_VERSION
							  : ERR_KIND;

		ck_assert_int_eq(rpc_kind((uint8_t)first), want);
	}
}
END_TEST

START_TEST(takes_only_its_own_kind)
{
	size_t len;
	uint8_t *reply = t_hex("13000102c000020751c3", &len);
	struct rpc_request rq;
	struct rpc_reply re;

	ck_assert_int_eq(rpc_request_decode(&rq, reply, len), ERR_KIND);
	ck_assert_int_eq(rpc_reply_decode(&re, reply, len), 0);
	reply[0] = RPC_REQUEST;
	ck_assert_int_eq(rpc_reply_decode(&re, reply, len), ERR_KIND);
	free(reply);
}
END_TEST

START_TEST(writes_no_v6)
{
	struct rpc_request rq = {.to.family = ADDR_V6};
	struct rpc_reply re = {.to.family = ADDR_V6};
	uint8_t out[64];

	ck_assert_uint_eq(rpc_request_encode(&rq, out, sizeof out), 0);
	ck_assert_uint_eq(rpc_reply_encode(&re, out, sizeof out), 0);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("rpc", &tc);

	tcase_add_loop_test(tc, request_both_ways, 0, t_rows(file, "requests"));
	tcase_add_loop_test(
	    tc, request_flags_both_ways, 0, t_rows(file, "request_flags"));
	tcase_add_loop_test(
	    tc, reply_flags_both_ways, 0, t_rows(file, "reply_flags"));
	tcase_add_loop_test(
	    tc, exchange_both_ways, 0, t_rows(file, "exchanges"));
	tcase_add_loop_test(
	    tc, malformed_request, 0, t_rows(file, "malformed_requests"));
	tcase_add_test(tc, every_refusal_has_its_row);
	tcase_add_loop_test(
	    tc, malformed_reply, 0, t_rows(file, "malformed_replies"));
	tcase_add_loop_test(tc, kind_of_first_byte, 0, t_rows(file, "demux"));
	tcase_add_test(tc, kind_of_every_byte);
	tcase_add_test(tc, takes_only_its_own_kind);
	tcase_add_test(tc, writes_no_v6);
	return s;
}
