/* SPDX-License-Identifier: ISC */
/*
 * Goal: payloads are encoded, decoded, encrypted and decrypted as the reference
 * does (pitfall P1). Method: every golden vector of payloads, boxes and tokens;
 * whatever decodes is encoded again; each row is cut at every byte and has
 * every bit flipped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "punch/holepunch_payload.h"
#include "t.h"

static const char vectors[] = "holepunch.json";

/* Parses "a.b.c.d:port" or "a.b.c.d"; unlike addr_parse(), accepts port 0. */
static struct addr
addr(const json_t *text)
{
	struct addr a = {.family = ADDR_NONE};
	char host[ADDR_TEXT_MAX];
	char *port;

	if (json_is_null(text))
		return a;
	snprintf(host, sizeof host, "%s", json_string_value(text));
	if ((port = strchr(host, ':')) != NULL)
		*port++ = '\0';
	ck_assert_int_eq(addr_parse(&a, host, 1), 0);
	a.port = port != NULL ? (uint16_t)strtoul(port, NULL, 10) : 0;
	return a;
}

static bool
read_token(const json_t *fields, const char *name, uint8_t *out)
{
	size_t len;
	uint8_t *p = t_bytes(fields, name, &len);
	bool there = p != NULL;

	if (there)
		memcpy(out, p, HOLEPUNCH_TOKEN_LEN);
	free(p);
	return there;
}

static struct holepunch_payload
claims_of(const json_t *f)
{
	struct holepunch_payload c = {.error = t_uint(f, "error"),
	    .firewall = t_uint(f, "firewall"),
	    .round = t_uint(f, "round"),
	    .connected = t_bool(f, "connected"),
	    .punching = t_bool(f, "punching"),
	    .has_addrs = !json_is_null(t_get(f, "addresses")),
	    .remote = addr(t_get(f, "remote_address"))};
	const json_t *a;
	size_t i;

	json_array_foreach(t_get(f, "addresses"), i, a) c.addrs[c.addrs_len++] =
	    addr(a);
	c.has_token = read_token(f, "token", c.token);
	c.has_remote_token = read_token(f, "remote_token", c.remote_token);
	return c;
}

static void
assert_same(
    const struct holepunch_payload *a, const struct holepunch_payload *b)
{
	ck_assert_uint_eq(a->error, b->error);
	ck_assert_uint_eq(a->firewall, b->firewall);
	ck_assert_uint_eq(a->round, b->round);
	ck_assert(a->connected == b->connected && a->punching == b->punching);
	ck_assert(a->has_addrs == b->has_addrs);
	ck_assert_uint_eq(a->addrs_len, b->addrs_len);
	ck_assert_mem_eq(a->addrs, b->addrs, a->addrs_len * sizeof *a->addrs);
	ck_assert(addr_equal(&a->remote, &b->remote));
	ck_assert(a->has_token == b->has_token);
	ck_assert(a->has_remote_token == b->has_remote_token);
	ck_assert_mem_eq(a->token, b->token, sizeof a->token);
	ck_assert_mem_eq(
	    a->remote_token, b->remote_token, sizeof a->remote_token);
}

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[HOLEPUNCH_PLAIN_MAX];
	struct holepunch_payload c, again;
	size_t n;

	(void)arg;
	if (holepunch_payload_decode(&c, buf, len) != 0 ||
	    c.round > HOLEPUNCH_ROUND_MAX)
		return;
	ck_assert_uint_le(c.addrs_len, HOLEPUNCH_ADDRS_MAX);
	n = holepunch_payload_encode(&c, out, sizeof out);
	ck_assert_uint_gt(n, 0);
	ck_assert_int_eq(holepunch_payload_decode(&again, out, n), 0);
	assert_same(&c, &again);
}

START_TEST(encodes_as_the_reference)
{
	const json_t *row = t_kind(vectors, "holepunch_payload", _i);
	const json_t *out = t_get(row, "out");
	struct holepunch_payload c = claims_of(t_get(row, "in")), again;
	uint8_t buf[HOLEPUNCH_PLAIN_MAX];
	size_t len = holepunch_payload_encode(&c, buf, sizeof buf);

	if (json_object_get(row, "malformed") != NULL) {
		ck_assert_uint_eq(len, 0);
		return;
	}
	t_assert_hex(buf, len, t_string(out, "hex"));
	ck_assert_uint_eq(holepunch_payload_encode(&c, buf, len - 1), 0);
	ck_assert_int_eq(holepunch_payload_decode(&again, buf, len), 0);
	assert_same(&c, &again);
	t_damage(buf, len, take_damaged, NULL);
}
END_TEST

START_TEST(decodes_as_the_reference)
{
	const json_t *row = t_kind(vectors, "holepunch_payload_decode", _i);
	const json_t *out = t_get(row, "out");
	size_t len;
	uint8_t *buf = t_bytes(t_get(row, "in"), "hex", &len);
	struct holepunch_payload c, want;

	if (json_is_null(out)) {
		ck_assert_int_eq(
		    holepunch_payload_decode(&c, buf, len), ERR_MALFORMED);
	} else {
		want = claims_of(t_get(out, "decoded"));
		ck_assert_int_eq(holepunch_payload_decode(&c, buf, len), 0);
		assert_same(&c, &want);
	}
	t_damage(buf, len, take_damaged, NULL);
	free(buf);
}
END_TEST

START_TEST(long_list_is_truncated)
{
	uint8_t buf[64 * ADDR_WIRE4_LEN + 8] = {4, 0, 2, 0, 64};
	struct holepunch_payload c;

	ck_assert_int_eq(
	    holepunch_payload_decode(&c, buf, 5 + 64 * ADDR_WIRE4_LEN), 0);
	ck_assert_uint_eq(c.addrs_len, HOLEPUNCH_ADDRS_MAX);
	/* A count beyond the end is rejected before anything is read. */
	ck_assert_int_eq(
	    holepunch_payload_decode(&c, buf, 5 + 63 * ADDR_WIRE4_LEN),
	    ERR_MALFORMED);
}
END_TEST

struct secret {
	uint8_t key[HOLEPUNCH_SECRET_LEN];
};

static struct secret
secret_of(const json_t *in, const char *name)
{
	struct secret s;
	size_t len;
	uint8_t *p = t_bytes(in, name, &len);

	ck_assert_uint_eq(len, sizeof s.key);
	memcpy(s.key, p, len);
	free(p);
	return s;
}

static void
take_damaged_box(const uint8_t *buf, size_t len, void *arg)
{
	const struct secret *s = arg;
	struct holepunch_payload c;

	ck_assert_int_lt(
	    holepunch_payload_open(&c, s->key, (struct bytes){buf, len}), 0);
}

START_TEST(seals_as_the_reference)
{
	const json_t *row = t_kind(vectors, "secure_payload", _i);
	const json_t *in = t_get(row, "in");
	struct secret s = secret_of(in, "holepunch_secret");
	const char *want = t_string(t_get(row, "out"), "hex");
	size_t len, plain_len, box_len;
	uint8_t *nonce = t_bytes(in, "nonce", &len), box[HOLEPUNCH_BOX_MAX];
	uint8_t *plain = t_bytes(in, "plaintext", &plain_len), *exact;
	struct holepunch_payload c, again;

	ck_assert_int_eq(holepunch_payload_decode(&c, plain, plain_len), 0);
	box_len = holepunch_payload_seal(&c, s.key, nonce, box);
	t_assert_hex(box, box_len, want);
	exact = t_copy(box, box_len);
	ck_assert_int_eq(holepunch_payload_open(
			     &again, s.key, (struct bytes){exact, box_len}),
	    0);
	assert_same(&c, &again);
	t_damage(exact, box_len, take_damaged_box, &s);
	free(exact);
	free(plain);
	free(nonce);
}
END_TEST

START_TEST(rejects_boxes)
{
	const json_t *row = t_kind(vectors, "secure_payload_open", _i);
	struct secret s = secret_of(t_get(row, "in"), "holepunch_secret");
	size_t len;
	uint8_t *box = t_bytes(t_get(row, "in"), "hex", &len);
	struct holepunch_payload c;

	ck_assert_int_lt(
	    holepunch_payload_open(&c, s.key, (struct bytes){box, len}), 0);
	free(box);
}
END_TEST

START_TEST(tokens_bind_the_host)
{
	const json_t *row = t_kind(vectors, "token", _i);
	struct secret s = secret_of(t_get(row, "in"), "local_secret");
	struct addr a = addr(t_get(t_get(row, "in"), "host"));
	uint8_t token[HOLEPUNCH_TOKEN_LEN];
	struct holepunch_payload c = {.has_remote_token = true};

	a.port = 4711; /* is ignored */
	holepunch_token_derive(token, s.key, &a);
	t_assert_hex(token, sizeof token, t_string(t_get(row, "out"), "token"));
	memcpy(c.remote_token, token, sizeof token);
	ck_assert(holepunch_payload_echoes_token(&c, s.key, &a));
	a.ip[3] ^= 1;
	ck_assert(!holepunch_payload_echoes_token(&c, s.key, &a));
	a.ip[3] ^= 1;
	c.has_remote_token = false;
	ck_assert(!holepunch_payload_echoes_token(&c, s.key, &a));
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("holepunch_payload", &tc);

	tcase_add_loop_test(tc, encodes_as_the_reference, 0,
	    t_kinds(vectors, "holepunch_payload"));
	tcase_add_loop_test(tc, decodes_as_the_reference, 0,
	    t_kinds(vectors, "holepunch_payload_decode"));
	tcase_add_test(tc, long_list_is_truncated);
	tcase_add_loop_test(
	    tc, seals_as_the_reference, 0, t_kinds(vectors, "secure_payload"));
	tcase_add_loop_test(
	    tc, rejects_boxes, 0, t_kinds(vectors, "secure_payload_open"));
	tcase_add_loop_test(
	    tc, tokens_bind_the_host, 0, t_kinds(vectors, "token"));
	return s;
}
