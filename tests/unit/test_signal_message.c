/* SPDX-License-Identifier: ISC */
/*
 * Goal: signalling messages are encoded and decoded as the reference does.
 * Method: rows written by the reference; each that decodes is encoded again;
 * each row is then cut at every byte and has every bit flipped.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "dht/rpc.h"
#include "signal/signal_message.h"
#include "t.h"

#define SEALED_57                                                              \
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021" \
	"22232425262728292a2b2c2d2e2f303132333435363738"

static const struct {
	const char *name, *hex;
	int err;
	uint64_t mode;
	size_t noise_len;
	const char *peer, *relay;
	bool loose; /* accepted, but we encode it in another way */
} handshakes[] = {
    {"from client", "0000056e30697365", 0, 0, 5, NULL, NULL, false},
    {"from relay", "0102056e30697365c000020751c3", 0, 2, 5, "192.0.2.7:50001",
	NULL, false},
    {"from second relay", "0303056e30697365c000020751c3cb00710a49c2", 0, 3, 5,
	"192.0.2.7:50001", "203.0.113.10:49737", false},
    {"relay address alone", "0200056e30697365c6336401214e", 0, 0, 5, NULL,
	"198.51.100.1:20001", false},
    {"empty noise", "000000", 0, 0, 0, NULL, NULL, false},
    {"empty", "", ERR_MALFORMED, 0, 0, NULL, NULL, false},
    {"flags only", "03", ERR_MALFORMED, 0, 0, NULL, NULL, false},
    {"noise beyond the end", "00000500", ERR_MALFORMED, 0, 0, NULL, NULL,
	false},
    {"no peer address", "010001aa0102030405", ERR_MALFORMED, 0, 0, NULL, NULL,
	false},
    {"no relay address", "03020407070707cb00710750c3c633640149", ERR_MALFORMED,
	0, 0, NULL, NULL, false},
    {"unknown flag", "040001aa", 0, 0, 1, NULL, NULL, true},
    {"unknown mode", "000901aa", 0, 9, 1, NULL, NULL, false},
    {"bytes behind", "03020407070707cb00710750c3c633640149c2010101", 0, 2, 4,
	"203.0.113.7:50000", "198.51.100.1:49737", true},
    {"length that wraps", "0000ffffffffffffff1f00aa", ERR_MALFORMED, 0, 0, NULL,
	NULL, false},
};

static const struct {
	const char *name, *hex;
	int err;
	uint64_t mode, id;
	size_t payload_len;
	const char *peer;
	bool loose;
} holepunches[] = {
    {"from client", "01000039" SEALED_57 "cb00710928a0", 0, 0, 0, 57,
	"203.0.113.9:41000", false},
    {"from client, no address", "00000739" SEALED_57, 0, 0, 7, 57, NULL, false},
    {"from relay", "01020039" SEALED_57 "cb00710738c7", 0, 2, 0, 57,
	"203.0.113.7:51000", false},
    {"id 253", "0100fdfd0039" SEALED_57 "cb00710928a0", 0, 0, 253, 57,
	"203.0.113.9:41000", false},
    {"id 65536", "0100fe0000010039" SEALED_57 "cb00710928a0", 0, 0, 65536, 57,
	"203.0.113.9:41000", false},
    {"empty payload", "01000000cb00710928a0", 0, 0, 0, 0, "203.0.113.9:41000",
	false},
    {"reply without address", "000400077061796c6f6164", 0, 4, 0, 7, NULL,
	false},
    {"empty", "", ERR_MALFORMED, 0, 0, 0, NULL, false},
    {"length missing", "000000", ERR_MALFORMED, 0, 0, 0, NULL, false},
    {"zero length", "00000000", 0, 0, 0, 0, NULL, false},
    {"payload beyond the end", "0000000901", ERR_MALFORMED, 0, 0, 0, NULL,
	false},
    {"address missing", "01000001010102", ERR_MALFORMED, 0, 0, 0, NULL, false},
    {"large id", "0002feffffffff01aa", 0, 2, UINT32_MAX, 1, NULL, false},
    {"bytes behind", "00000001aaffff", 0, 0, 0, 1, NULL, true},
    {"unknown mode", "00090001aa", 0, 9, 0, 1, NULL, false},
};

static void
assert_addr(const struct addr *a, const char *text)
{
	char buf[ADDR_TEXT_MAX];

	if (text == NULL)
		ck_assert_uint_eq(a->family, ADDR_NONE);
	else
		ck_assert_str_eq(addr_format(a, buf), text);
}

START_TEST(handshake_row)
{
	size_t len, out_len;
	uint8_t *buf = t_hex(handshakes[_i].hex, &len), out[256];
	struct handshake m;
	int err = handshake_decode(&m, buf, len);

	ck_assert_int_eq(err, handshakes[_i].err);
	if (err == 0) {
		ck_assert_uint_eq(m.mode, handshakes[_i].mode);
		ck_assert_uint_eq(m.noise.len, handshakes[_i].noise_len);
		assert_addr(&m.peer, handshakes[_i].peer);
		assert_addr(&m.relay, handshakes[_i].relay);
		out_len = handshake_encode(&m, out, sizeof out);
		ck_assert_uint_gt(out_len, 0);
		if (!handshakes[_i].loose)
			t_assert_hex(out, out_len, handshakes[_i].hex);
		ck_assert_uint_eq(handshake_encode(&m, out, out_len - 1), 0);
	}
	free(buf);
}
END_TEST

START_TEST(holepunch_row)
{
	size_t len, out_len;
	uint8_t *buf = t_hex(holepunches[_i].hex, &len), out[256];
	struct holepunch m;
	int err = holepunch_decode(&m, buf, len);

	ck_assert_int_eq(err, holepunches[_i].err);
	if (err == 0) {
		ck_assert_uint_eq(m.mode, holepunches[_i].mode);
		ck_assert_uint_eq(m.id, holepunches[_i].id);
		ck_assert_uint_eq(m.payload.len, holepunches[_i].payload_len);
		assert_addr(&m.peer, holepunches[_i].peer);
		out_len = holepunch_encode(&m, out, sizeof out);
		ck_assert_uint_gt(out_len, 0);
		if (!holepunches[_i].loose)
			t_assert_hex(out, out_len, holepunches[_i].hex);
		ck_assert_uint_eq(holepunch_encode(&m, out, out_len - 1), 0);
	}
	free(buf);
}
END_TEST

/* Fields decoded from damaged bytes must lie within these. */
static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	struct handshake h;
	struct holepunch p;

	(void)arg;
	if (handshake_decode(&h, buf, len) == 0)
		ck_assert_uint_le(h.noise.len, len);
	if (holepunch_decode(&p, buf, len) == 0)
		ck_assert_uint_le(p.payload.len, len);
}

START_TEST(damaged_handshake)
{
	size_t len;
	uint8_t *buf = t_hex(handshakes[_i].hex, &len);

	t_damage(buf, len, take_damaged, NULL);
	free(buf);
}
END_TEST

START_TEST(damaged_holepunch)
{
	size_t len;
	uint8_t *buf = t_hex(holepunches[_i].hex, &len);

	t_damage(buf, len, take_damaged, NULL);
	free(buf);
}
END_TEST

/* ---- golden vectors ---- */

#define FILE_NAME "handshake.json"

static const char *
text_or_null(const json_t *object, const char *name)
{
	return json_string_value(t_get(object, name));
}

START_TEST(vector_row)
{
	const json_t *v = t_kind(FILE_NAME, "peer_handshake", _i);
	const json_t *in = t_get(v, "in");
	size_t len, noise_len;
	uint8_t *buf = t_bytes(t_get(v, "out"), "hex", &len), out[512];
	uint8_t *noise = t_bytes(in, "noise", &noise_len);
	struct handshake m;

	ck_assert_int_eq(handshake_decode(&m, buf, len), 0);
	ck_assert_uint_eq(m.mode, t_uint(in, "mode"));
	ck_assert_uint_eq(m.noise.len, noise_len);
	ck_assert_mem_eq(m.noise.p, noise, noise_len);
	assert_addr(&m.peer, text_or_null(in, "peer_address"));
	assert_addr(&m.relay, text_or_null(in, "relay_address"));
	ck_assert_uint_eq(handshake_encode(&m, out, sizeof out), len);
	ck_assert_mem_eq(out, buf, len);
	t_damage(buf, len, take_damaged, NULL);
	free(noise);
	free(buf);
}
END_TEST

START_TEST(vector_decode_row)
{
	const json_t *v = t_kind(FILE_NAME, "peer_handshake_decode", _i);
	size_t len;
	uint8_t *buf = t_bytes(t_get(v, "in"), "hex", &len);
	const json_t *want = json_object_get(t_get(v, "out"), "decoded");
	struct handshake m;

	ck_assert_int_eq(
	    handshake_decode(&m, buf, len), want != NULL ? 0 : ERR_MALFORMED);
	if (want != NULL) {
		ck_assert_uint_eq(m.mode, t_uint(want, "mode"));
		t_assert_hex(m.noise.p, m.noise.len, t_string(want, "noise"));
		assert_addr(&m.peer, text_or_null(want, "peer_address"));
		assert_addr(&m.relay, text_or_null(want, "relay_address"));
	}
	t_damage(buf, len, take_damaged, NULL);
	free(buf);
}
END_TEST

/* Checks one datagram of a flow against the fields of the vector. */
static void
check_step(const json_t *step)
{
	static const char *const modes[] = {"FROM_CLIENT", "FROM_SERVER",
	    "FROM_RELAY", "FROM_SECOND_RELAY", "REPLY"};
	const json_t *want = json_object_get(step, "value");
	bool request = strcmp(t_string(step, "type"), "request") == 0;
	size_t len;
	uint8_t *buf = t_bytes(step, "hex", &len);
	struct rpc_request rq = {0};
	struct rpc_reply re = {0};
	struct bytes value;
	struct handshake m;

	if (request)
		ck_assert_int_eq(rpc_request_decode(&rq, buf, len), 0);
	else
		ck_assert_int_eq(rpc_reply_decode(&re, buf, len), 0);
	value = request ? rq.value : re.value;
	ck_assert_int_eq(value.p != NULL, want != NULL);
	if (value.p != NULL) {
		ck_assert_int_eq(handshake_decode(&m, value.p, value.len), 0);
		ck_assert_uint_lt(m.mode, 5);
		ck_assert_str_eq(modes[m.mode], t_string(want, "mode"));
		assert_addr(&m.peer, text_or_null(want, "peer_address"));
		assert_addr(&m.relay, text_or_null(want, "relay_address"));
	}
	free(buf);
}

START_TEST(flow_row)
{
	const json_t *v = t_kind(FILE_NAME, "flow_handshake", _i);
	size_t i;
	json_t *step;

	json_array_foreach(t_get(t_get(v, "out"), "steps"), i, step)
	    check_step(step);
}
END_TEST

Suite *
t_suite(void)
{
	Suite *s = suite_create("message");
	TCase *tc = tcase_create("message");

	tcase_add_loop_test(tc, handshake_row, 0, T_ROWS(handshakes));
	tcase_add_loop_test(tc, holepunch_row, 0, T_ROWS(holepunches));
	tcase_add_loop_test(tc, damaged_handshake, 0, T_ROWS(handshakes));
	tcase_add_loop_test(tc, damaged_holepunch, 0, T_ROWS(holepunches));
	tcase_add_loop_test(
	    tc, vector_row, 0, t_kinds(FILE_NAME, "peer_handshake"));
	tcase_add_loop_test(tc, vector_decode_row, 0,
	    t_kinds(FILE_NAME, "peer_handshake_decode"));
	tcase_add_loop_test(
	    tc, flow_row, 0, t_kinds(FILE_NAME, "flow_handshake"));
	suite_add_tcase(s, tc);
	return s;
}
