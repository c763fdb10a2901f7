/* SPDX-License-Identifier: ISC */
/*
 * Goal: the payload of the Noise messages is encoded and decoded as the
 * reference does, within bounds. Method: its vectors, member by member; each
 * that decodes is encoded again; each row is cut at every byte and has every
 * bit flipped; all 128 sets of fields make the round trip.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/wire.h"
#include "signal/payload.h"
#include "t.h"

#define FILE_NAME "handshake.json"

static const json_t *
present(const json_t *d, const char *name)
{
	const json_t *v = t_get(d, name);

	return json_is_null(v) ? NULL : v;
}

static struct addr
parsed(const char *text)
{
	struct addr a;

	ck_assert_int_eq(addr_parse(&a, text, 0), 0);
	return a;
}

static void
assert_addrs(const json_t *list, const struct addr *addrs, size_t len)
{
	ck_assert_uint_eq(json_array_size(list), len);
	for (size_t i = 0; i < len; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		struct addr a;

		/* Port 0 has no text form. */
		if (strcmp(text, "0.0.0.0:0") == 0)
			a = addr_v4(0, 0, 0, 0, 0);
		else
			a = parsed(text);
		ck_assert(addr_equal(&a, &addrs[i]));
	}
}

static void
assert_holepunch(const json_t *want, const struct payload *p)
{
	const json_t *list;

	ck_assert_int_eq(payload_has(p, PAYLOAD_HOLEPUNCH), want != NULL);
	if (want == NULL)
		return;
	list = t_get(want, "relays");
	ck_assert_uint_eq(p->holepunch_id, t_uint(want, "id"));
	ck_assert_uint_eq(p->relays_len, json_array_size(list));
	for (size_t i = 0; i < p->relays_len; i++) {
		const json_t *v = json_array_get(list, i);
		struct addr relay = parsed(t_string(v, "relay_address"));
		struct addr peer = parsed(t_string(v, "peer_address"));

		ck_assert(addr_equal(&relay, &p->relays[i].relay));
		ck_assert(addr_equal(&peer, &p->relays[i].peer));
	}
}

static void
assert_udx(const json_t *want, const struct payload *p)
{
	ck_assert_int_eq(payload_has(p, PAYLOAD_UDX), want != NULL);
	if (want == NULL)
		return;
	ck_assert_uint_eq(p->udx_id, t_uint(want, "id"));
	ck_assert_uint_eq(p->udx_seq, t_uint(want, "seq"));
	ck_assert_int_eq((p->features & PAYLOAD_REUSABLE) != 0,
	    t_bool(want, "reusable_socket"));
}

static void
assert_relay_through(const json_t *want, const struct payload *p)
{
	ck_assert_int_eq(payload_has(p, PAYLOAD_RELAY_THROUGH), want != NULL);
	if (want == NULL)
		return;
	t_assert_hex(p->relay_key, KEY_LEN, t_string(want, "public_key"));
	t_assert_hex(
	    p->relay_token, PAYLOAD_TOKEN_LEN, t_string(want, "token"));
}

static void
assert_payload(const json_t *want, const struct payload *p)
{
	const json_t *relays = present(want, "relay_addresses");

	ck_assert_uint_eq(p->version, t_uint(want, "version"));
	ck_assert_uint_eq(p->error, t_uint(want, "error"));
	ck_assert_uint_eq(p->firewall, t_uint(want, "firewall"));
	assert_holepunch(present(want, "holepunch"), p);
	assert_addrs(t_get(want, "addresses4"), p->addrs4, p->addrs4_len);
	assert_addrs(t_get(want, "addresses6"), p->addrs6, p->addrs6_len);
	assert_udx(present(want, "udx"), p);
	ck_assert_int_eq(payload_has(p, PAYLOAD_SECRET_STREAM),
	    present(want, "secret_stream") != NULL);
	assert_relay_through(present(want, "relay_through"), p);
	ck_assert_int_eq(payload_has(p, PAYLOAD_RELAY_ADDRS), relays != NULL);
	if (relays != NULL)
		assert_addrs(relays, p->relay_addrs, p->relay_addrs_len);
}

/* Decoded lists are bounded, and encoding them again yields the same fields. */
static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[PAYLOAD_LEN_MAX];
	struct payload p, again;
	size_t out_len;

	(void)arg;
	if (payload_decode(&p, buf, len) != 0 || p.version != PAYLOAD_VERSION)
		return;
	out_len = payload_encode(&p, out, sizeof out);
	ck_assert_uint_gt(out_len, 0);
	ck_assert_int_eq(payload_decode(&again, out, out_len), 0);
	ck_assert_mem_eq(&p, &again, sizeof p);
}

START_TEST(payload_row)
{
	const json_t *v = t_kind(FILE_NAME, "noise_payload", _i);
	const json_t *out = t_get(v, "out");
	uint8_t buf[PAYLOAD_LEN_MAX];
	struct payload p;
	size_t len;
	uint8_t *hex = t_bytes(out, "hex", &len);

	ck_assert_int_eq(payload_decode(&p, hex, len), 0);
	assert_payload(t_get(out, "decoded"), &p);
	ck_assert_uint_eq(payload_encode(&p, buf, sizeof buf), len);
	ck_assert_mem_eq(buf, hex, len);
	for (size_t cap = 0; cap < len; cap++)
		ck_assert_uint_eq(payload_encode(&p, buf, cap), 0);
	t_damage(hex, len, take_damaged, NULL);
	free(hex);
}
END_TEST

START_TEST(decode_row)
{
	const json_t *v = t_kind(FILE_NAME, "noise_payload_decode", _i);
	bool accept = strcmp(t_string(v, "expect"), "accept") == 0;
	struct payload p;
	size_t len;
	uint8_t *hex = t_bytes(t_get(v, "in"), "hex", &len);
	int err = payload_decode(&p, hex, len);

	/* An id that no stream can have: the reference accepts it. */
	if (strstr(t_string(v, "name"), "udx-id-64-bit") != NULL)
		accept = false;
	ck_assert_int_eq(err, accept ? 0 : ERR_MALFORMED);
	if (accept)
		assert_payload(t_get(t_get(v, "out"), "decoded"), &p);
	t_damage(hex, len, take_damaged, NULL);
	free(hex);
}
END_TEST

/* Pitfall C8: fields are in the order of their flags, whichever are present. */
START_TEST(flags_round_trip)
{
	struct payload p = {
	    .version = PAYLOAD_VERSION,
	    .flags = (uint64_t)_i,
	};
	uint8_t buf[PAYLOAD_LEN_MAX];
	struct payload again;
	size_t len;

	if (payload_has(&p, PAYLOAD_HOLEPUNCH)) {
		p.holepunch_id = 300;
		p.relays_len = 1;
		p.relays[0].relay = addr_v4(1, 2, 3, 4, 5);
		p.relays[0].peer = addr_v4(6, 7, 8, 9, 10);
	}
	if (payload_has(&p, PAYLOAD_ADDRS4))
		p.addrs4[p.addrs4_len++] = addr_v4(10, 0, 0, 7, 49737);
	if (payload_has(&p, PAYLOAD_ADDRS6))
		p.addrs6[p.addrs6_len++] = parsed("[2001:db8::1]:49737");
	if (payload_has(&p, PAYLOAD_UDX)) {
		p.features = PAYLOAD_REUSABLE | PAYLOAD_NATIVE;
		p.udx_id = UINT32_MAX;
		p.udx_seq = 7;
	}
	if (payload_has(&p, PAYLOAD_RELAY_THROUGH)) {
		memset(p.relay_key, 0x5a, sizeof p.relay_key);
		memset(p.relay_token, 0xa5, sizeof p.relay_token);
	}
	if (payload_has(&p, PAYLOAD_RELAY_ADDRS))
		p.relay_addrs[p.relay_addrs_len++] = addr_v4(9, 9, 9, 9, 9);
	len = payload_encode(&p, buf, sizeof buf);
	ck_assert_uint_gt(len, 0);
	ck_assert_int_eq(payload_decode(&again, buf, len), 0);
	ck_assert_mem_eq(&p, &again, sizeof p);
}
END_TEST

/*
 * Lists longer than our capacity: the first entries are kept, and the fields
 * after the list are still read.
 */
START_TEST(long_lists_are_cut)
{
	uint8_t buf[1024];
	struct wr w = wr_init(buf, sizeof buf);
	struct payload p;
	const struct addr a = addr_v4(10, 0, 0, 7, 1);

	wr_uint(&w, PAYLOAD_VERSION);
	wr_uint(&w, PAYLOAD_HOLEPUNCH | PAYLOAD_ADDRS4 | PAYLOAD_UDX |
			PAYLOAD_RELAY_ADDRS);
	wr_uint(&w, 0);
	wr_uint(&w, 0);
	wr_uint(&w, 1);
	wr_uint(&w, 20);
	for (int i = 0; i < 40; i++)
		wr_addr4(&w, &a);
	wr_uint(&w, 30);
	for (int i = 0; i < 30; i++)
		wr_addr4(&w, &a);
	wr_raw(&w, "\1\0\7\0", 4);
	wr_uint(&w, 9);
	for (int i = 0; i < 9; i++)
		wr_addr4(&w, &a);
	ck_assert(wr_ok(&w));
	ck_assert_int_eq(payload_decode(&p, buf, wr_len(&w)), 0);
	ck_assert_uint_eq(p.relays_len, PAYLOAD_RELAYS_MAX);
	ck_assert_uint_eq(p.addrs4_len, PAYLOAD_ADDRS_MAX);
	ck_assert_uint_eq(p.udx_id, 7);
	ck_assert_uint_eq(p.relay_addrs_len, PAYLOAD_RELAYS_MAX);
}
END_TEST

/* Pitfall C1: a count is compared with the bytes that are left. */
START_TEST(counts_are_bounded)
{
	static const char *const rows[] = {
	    "01020000feffff0f00",         /* addresses4 */
	    "01040000feffff0f00",         /* addresses6 */
	    "0101000000feffff0f00",       /* relays */
	    "01400000feffff0f00",         /* relayAddresses */
	    "01020000ffffffffffffff1f00", /* 2^53 - 1 */
	};
	size_t len;
	uint8_t *hex = t_hex(rows[_i], &len);
	struct payload p;

	ck_assert_int_eq(payload_decode(&p, hex, len), ERR_MALFORMED);
	free(hex);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("payload", &tc);

	tcase_add_loop_test(
	    tc, payload_row, 0, t_kinds(FILE_NAME, "noise_payload"));
	tcase_add_loop_test(
	    tc, decode_row, 0, t_kinds(FILE_NAME, "noise_payload_decode"));
	tcase_add_loop_test(tc, flags_round_trip, 0, 128);
	tcase_add_test(tc, long_lists_are_cut);
	tcase_add_loop_test(tc, counts_are_bounded, 0, 5);
	return s;
}
