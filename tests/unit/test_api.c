/* SPDX-License-Identifier: ISC */
/*
 * Goal: keys, topics, lines and requests are parsed as the protocol defines,
 * and no input of a program does harm. Method: rows of text; the same stream of
 * lines in every cut; each valid request damaged in every byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/line.h"
#include "api/api_request.h"
#include "api/text.h"
#include "base/err.h"
#include "t.h"

/* ---- text ---- */

static const struct {
	const char *z32, *hex;
} keys[] = {
    {"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
	"0000000000000000000000000000000000000000000000000000000000000000"},
    {"999999999999999999999999999999999999999999999999999o",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
    {"yyyoryarywdyqnyjbefoadeqbhebnrounoktcfa3depta8e6dhoy",
	"000102030405060708090a0b0c0d0e0f1011121314151617191a1b1c1d1e1f20"},
};

START_TEST(key_is_read_as_it_is_shown)
{
	uint8_t key[TEXT_KEY_LEN], again[TEXT_KEY_LEN];
	char z32[TEXT_Z32_MAX], hex[TEXT_HEX_MAX];

	ck_assert_int_eq(text_key_parse(key, keys[_i].hex), 0);
	ck_assert_str_eq(text_hex(hex, key), keys[_i].hex);
	ck_assert_str_eq(text_z32(z32, key), keys[_i].z32);
	ck_assert_int_eq(text_key_parse(again, z32), 0);
	ck_assert_mem_eq(key, again, sizeof key);
}
END_TEST

/* Base32 of RFC 4648, as coreutils writes it; in any case, padded or not. */
static const struct {
	const char *b32, *hex;
} b32_keys[] = {
    {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA====",
	"0000000000000000000000000000000000000000000000000000000000000000"},
    {"777777777777777777777777777777777777777777777777777q",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
    {"AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYQA====",
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e20"},
    {"aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyqa",
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e20"},
};

START_TEST(base32_is_read)
{
	uint8_t key[TEXT_KEY_LEN];
	char hex[TEXT_HEX_MAX];

	ck_assert_int_eq(text_key_parse(key, b32_keys[_i].b32), 0);
	ck_assert_str_eq(text_hex(hex, key), b32_keys[_i].hex);
}
END_TEST

static const char *const bad_keys[] = {
    "",
    "y",
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy",
    /* Not of the alphabet; padding that is not zero. */
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyl",
    "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyb",
    /* Base32: padding that is not zero, or of another length; a digit. */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA===",
    "A1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "000000000000000000000000000000000000000000000000000000000000000",
    "000000000000000000000000000000000000000000000000000000000000000g",
    "00000000000000000000000000000000000000000000000000000000000000000",
};

START_TEST(bad_key_is_refused)
{
	uint8_t key[TEXT_KEY_LEN] = {5};

	ck_assert_int_eq(text_key_parse(key, bad_keys[_i]), ERR_MALFORMED);
	ck_assert_int_eq(key[0], 5);
}
END_TEST

/* Serialised addresses of the reference; each cut is refused or shorter. */
START_TEST(address_row)
{
	const json_t *v = t_kind("handshake.json", "address", _i);
	const json_t *in = t_get(v, "in"), *out = t_get(v, "out");
	bool bare = json_object_get(in, "hex") != NULL;
	const json_t *what = bare ? out : in, *nodes = t_get(what, "nodes");
	char *hex = strdup(t_string(bare ? in : out, "hex"));
	char buf[ADDR_TEXT_MAX];
	struct text_address a;

	ck_assert_int_eq(text_address_parse(&a, hex), 0);
	t_assert_hex(a.key, TEXT_KEY_LEN, t_string(what, "public_key"));
	ck_assert_uint_eq(a.nodes_len, json_array_size(nodes));
	for (size_t i = 0; i < a.nodes_len; i++)
		ck_assert_str_eq(addr_format(&a.nodes[i], buf),
		    json_string_value(json_array_get(nodes, i)));
	while (*hex != '\0') {
		hex[strlen(hex) - 1] = '\0';
		if (text_address_parse(&a, hex) == 0)
			ck_assert_uint_ge(strlen(hex), TEXT_Z32_LEN);
	}
	free(hex);
}
END_TEST

START_TEST(address_in_z32)
{
	/* address/with-nodes */
	static const char z32[] =
	    "orhzqdiexwmi6iidktucgud63ufa5nwtsuzdxe176a8iz"
	    "d6jsqkynysggp1yn1qnaa3sey1jae";
	struct text_address a;
	char buf[ADDR_TEXT_MAX], bad[sizeof z32 + 1];

	ck_assert_int_eq(text_address_parse(&a, z32), 0);
	ck_assert_uint_eq(a.nodes_len, 2);
	ck_assert_str_eq(addr_format(&a.nodes[1], buf), "198.51.100.2:49737");
	snprintf(bad, sizeof bad, "%s2", z32);
	ck_assert_int_eq(text_address_parse(&a, bad), ERR_MALFORMED);
	ck_assert_int_eq(text_address_parse(&a, ""), ERR_MALFORMED);
	ck_assert_int_eq(text_address_parse(&a, "hello"), ERR_MALFORMED);
}
END_TEST

static const struct {
	const char *text, *hex;
} topics[] = {
    {"hello",
	"324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf"},
    {"324DCF027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf",
	"324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cf"},
    /* One digit is none. */
    {"324dcf027dd4a30a932c441f365a25e86b173defa4b8e58948253471b81b72cg",
	"860e9354ec443542b55f32b316254a76b84bfb54b16734ca3e78a1a5d0f076a5"},
};

START_TEST(topic_is_hex_or_hashed)
{
	uint8_t topic[TEXT_KEY_LEN];
	char hex[TEXT_HEX_MAX];

	ck_assert_int_eq(text_topic_parse(topic, topics[_i].text), 0);
	ck_assert_str_eq(text_hex(hex, topic), topics[_i].hex);
	ck_assert_int_eq(text_topic_parse(topic, ""), ERR_MALFORMED);
}
END_TEST

static const struct {
	const char *text;
	size_t cap;
	int err;
	size_t len;
} b64[] = {
    {"aGVsbG8=", 5, 0, 5},
    {"aGVsbG8=", 4, ERR_SIZE, 0},
    {"aGVsbG8", 5, ERR_MALFORMED, 0},
    {"aGVsbG8==", 5, ERR_MALFORMED, 0},
    {"aGVs bG8=", 9, ERR_MALFORMED, 0},
    {"aGVs", 3, 0, 3},
    {"aGVsaGVs", 3, ERR_SIZE, 0},
    {"a", 3, ERR_MALFORMED, 0},
    {"", 3, 0, 0},
    {"_-__", 3, ERR_MALFORMED, 0},
};

START_TEST(base64_is_bounded)
{
	uint8_t *out = malloc(b64[_i].cap);
	size_t len = 0;

	ck_assert_int_eq(
	    text_b64_parse(out, b64[_i].cap, &len, b64[_i].text), b64[_i].err);
	if (b64[_i].err == 0)
		ck_assert_uint_eq(len, b64[_i].len);
	free(out);
}
END_TEST

/* ---- lines ---- */

enum { LINE_TEST_MAX = 8 };

static const char stream[] = "one\n\nseven77\neight888\nfar too long\ntwo\n"
			     "123456789012345678901234567890\nlast\n";
static const char *const stream_lines[] = {
    "one", "", "seven77", NULL, NULL, "two", NULL, "last"};

/* Feeds the stream in pieces of that size; NULL stands for a line too long. */
START_TEST(stream_is_cut_into_lines)
{
	struct line_cutter c = {0};
	size_t piece = (size_t)_i, len = 0, fed = 0, n = 0;
	char *buf = malloc(sizeof stream);

	while (fed < sizeof stream - 1) {
		struct line l;
		size_t more = sizeof stream - 1 - fed;

		more = more < piece ? more : piece;
		memcpy(buf + len, stream + fed, more);
		fed += more;
		len += more;
		do {
			char *exact = (char *)t_copy(buf, len);

			l = line_next(&c, exact, len, LINE_TEST_MAX);
			ck_assert_uint_le(l.used, len);
			if (l.what == LINE_WHOLE) {
				const char *want = stream_lines[n++];

				ck_assert_ptr_nonnull(want);
				ck_assert_uint_eq(l.len, strlen(want));
				ck_assert_mem_eq(exact + l.start, want, l.len);
			} else if (l.what == LINE_LONG) {
				ck_assert_ptr_null(stream_lines[n++]);
			}
			free(exact);
			len -= l.used;
			memmove(buf, buf + l.used, len);
		} while (l.what != LINE_MORE);
		ck_assert_uint_lt(len, LINE_TEST_MAX);
	}
	ck_assert_uint_eq(n, sizeof stream_lines / sizeof *stream_lines);
	free(buf);
}
END_TEST

/* ---- requests ---- */

#define LINE(id, method, params)                                               \
	"{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method              \
	"\",\"params\":" params "}"
#define DEEP_16 "[[[[[[[[[[[[[[1]]]]]]]]]]]]]]"

static const struct {
	const char *line;
	int code;          /* 0: it is good */
	const char *param; /* that the error must name */
} requests[] = {
    {LINE("1", "status", "{}"), 0, NULL},
    {LINE("\"a\"", "lookup", "{\"topic\":\"x\"}"), 0, NULL},
    {LINE("-3", "nodes", "{\"cursor\":4294967295}"), 0, NULL},
    {LINE("1", "ping", "{\"address\":\"[2001:db8::1]:1\"}"), 0, NULL},
    {LINE("1", "put_mutable", "{\"value_b64\":\"aA==\",\"seq\":1}"), 0, NULL},
    {LINE("1", "cancel", "{\"request\":\"q\"}"), 0, NULL},
    {LINE("1", "nodes", "{\"cursor\":4294967296}"), API_ERR_PARAMS, "cursor"},
    {LINE("1", "nodes", "{\"cursor\":-1}"), API_ERR_PARAMS, "cursor"},
    {LINE("1", "nodes", "{\"cursor\":1.0}"), API_ERR_PARAMS, "cursor"},
    {LINE("1", "nodes", "{\"cursor\":null}"), API_ERR_PARAMS, "cursor"},
    {LINE("1", "ping", "{\"address\":\"127.0.0.1\"}"), API_ERR_PARAMS,
	"address"},
    {LINE("1", "ping", "{\"address\":\"0.0.0.0:1\"}"), API_ERR_PARAMS,
	"address"},
    {LINE("1", "ping", "{\"address\":7}"), API_ERR_PARAMS, "address"},
    {LINE("1", "find_node", "{\"target\":\"7\"}"), API_ERR_PARAMS, "target"},
    {LINE("1", "put_immutable", "{\"value_b64\":\"\"}"), API_ERR_PARAMS,
	"value_b64"},
    {LINE("1", "cancel", "{\"request\":[]}"), API_ERR_PARAMS, "request"},
    {LINE("1", "status", "{\"a\":1}"), API_ERR_PARAMS, "a"},
    {LINE("1", "status", "7"), API_ERR_PARAMS, "params"},
    /* Sixteen deep may be read, seventeen may not. */
    {LINE("1", "status", "{\"a\":" DEEP_16 "}"), API_ERR_PARAMS, "a"},
    {LINE("1", "status", "{\"a\":[" DEEP_16 "]}"), API_ERR_PARSE, NULL},
    /* What looks like depth within a string is none. */
    {LINE("1", "lookup", "{\"topic\":\"\\\"[[[[[[[[[[[[[[[[[[[[\"}"), 0, NULL},
    {"", API_ERR_PARSE, NULL},
    {LINE("1", "statu", "{}"), API_ERR_METHOD, NULL},
    {LINE("1.5", "status", "{}"), API_ERR_REQUEST, NULL},
};

START_TEST(request_is_checked)
{
	const char *text = requests[_i].line;
	char *line = (char *)t_copy(text, strlen(text));
	struct api_request rq;
	struct api_error f = {0};
	int ret = api_request_parse(&rq, &f, line, strlen(text));

	ck_assert_int_eq(ret != 0, requests[_i].code != 0);
	ck_assert_int_eq(f.code, requests[_i].code);
	if (requests[_i].param != NULL)
		ck_assert_str_eq(t_string(f.data, "param"), requests[_i].param);
	if (ret != 0)
		json_decref(jsonrpc_error(rq.id, &f));
	api_request_fini(&rq);
	free(line);
}
END_TEST

/* Checks that a damaged request is valid, or an error that can be sent. */
static void
take_line(const uint8_t *line, size_t len, void *arg)
{
	struct api_request rq;
	struct api_error f = {0};
	json_t *message;
	char *text;

	(void)arg;
	if (api_request_parse(&rq, &f, (const char *)line, len) != 0) {
		message = jsonrpc_error(rq.id, &f);
		text = json_dumps(message, JSON_COMPACT);
		ck_assert_ptr_nonnull(text);
		ck_assert_uint_lt(strlen(text), API_LINE_MAX);
		free(text);
		json_decref(message);
	}
	api_request_fini(&rq);
}

START_TEST(damaged_request_does_no_harm)
{
	const char *text = requests[_i].line;

	t_damage((const uint8_t *)text, strlen(text), take_line, NULL);
}
END_TEST

START_TEST(values_are_read)
{
	static const char line[] =
	    LINE("1", "put_mutable", "{\"seq\":9,\"value_b64\":\"aGVsbG8=\"}");
	struct api_request rq;
	struct api_error f;

	ck_assert_int_eq(api_request_parse(&rq, &f, line, strlen(line)), 0);
	ck_assert_uint_eq(api_request_value(&rq, "seq")->uint, 9);
	ck_assert_uint_eq(api_request_value(&rq, "value_b64")->bytes_len, 5);
	ck_assert_mem_eq(rq.bytes, "hello", 5);
	ck_assert_ptr_eq(api_request_value(&rq, "value_b64")->bytes, rq.bytes);
	api_request_fini(&rq);
}
END_TEST

START_TEST(text_of_any_bytes_becomes_json)
{
	json_t *j = jsonrpc_text("a\xff\xc3");

	ck_assert_str_eq(json_string_value(j), "a??");
	json_decref(j);
}
END_TEST

/* ---- the table ---- */

static void
check_fields(const struct api_field *fields, unsigned max)
{
	unsigned n = 0;

	for (const struct api_field *f = fields; f->name != NULL; f++, n++) {
		ck_assert_uint_gt(strlen(f->text), 0);
		ck_assert_msg(
		    (f->type == API_B64) ==
			(strlen(f->name) > 4 &&
			    strcmp(f->name + strlen(f->name) - 4, "_b64") == 0),
		    "%s", f->name);
		for (const struct api_field *g = fields; g != f; g++)
			ck_assert_str_ne(f->name, g->name);
	}
	ck_assert_uint_le(n, max);
}

START_TEST(table_is_in_order)
{
	for (unsigned i = 0; i < API_METHODS; i++) {
		const struct api_method *m = &api_methods[i];

		ck_assert_ptr_eq(api_method_find(m->name), m);
		ck_assert_int_ne(m->access, API_NOBODY);
		check_fields(m->params, API_PARAMS_MAX);
		check_fields(m->results, 64);
		if (m->note != NULL)
			check_fields(m->note_fields, 64);
	}
	ck_assert_ptr_null(api_method_find(""));
	ck_assert_int_eq(api_event_find(""), -1);
}
END_TEST

START_TEST(description_fits_a_line)
{
	json_t *j = api_describe(NULL, "100.100.100");
	char *text = json_dumps(j, JSON_COMPACT);

	ck_assert_uint_lt(strlen(text), API_LINE_MAX - API_ID_TEXT_MAX * 6);
	free(text);
	json_decref(j);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("api", &tc);

	tcase_add_loop_test(tc, key_is_read_as_it_is_shown, 0, T_ROWS(keys));
	tcase_add_loop_test(tc, bad_key_is_refused, 0, T_ROWS(bad_keys));
	tcase_add_loop_test(
	    tc, address_row, 0, t_kinds("handshake.json", "address"));
	tcase_add_loop_test(tc, base32_is_read, 0, T_ROWS(b32_keys));
	tcase_add_test(tc, address_in_z32);
	tcase_add_loop_test(tc, topic_is_hex_or_hashed, 0, T_ROWS(topics));
	tcase_add_loop_test(tc, base64_is_bounded, 0, T_ROWS(b64));
	tcase_add_loop_test(
	    tc, stream_is_cut_into_lines, 1, (int)sizeof stream);
	tcase_add_loop_test(tc, request_is_checked, 0, T_ROWS(requests));
	tcase_add_loop_test(
	    tc, damaged_request_does_no_harm, 0, T_ROWS(requests));
	tcase_add_test(tc, values_are_read);
	tcase_add_test(tc, text_of_any_bytes_becomes_json);
	tcase_add_test(tc, table_is_in_order);
	tcase_add_test(tc, description_fits_a_line);
	return s;
}
