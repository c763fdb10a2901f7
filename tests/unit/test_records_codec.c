/* SPDX-License-Identifier: ISC */
/*
 * Goal: record commands are encoded and decoded to the byte.
 *
 * Method: rows of the reference are decoded, encoded again and compared; each
 * row is then cut at every byte and has every bit flipped. Signatures are made
 * again from the seeds of the rows: Ed25519 is deterministic.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "records/record.h"
#include "t.h"

#define VECTORS "records.json"

enum { RELAYS_SEEN_MAX = 8 };

/* The encoded relay addresses of the peer of a row, and the peer itself. */
struct row_peer {
	uint8_t *key;
	uint8_t relays[RELAYS_SEEN_MAX * ADDR_WIRE4_LEN];
	struct peer_record peer;
};

static void
row_peer(struct row_peer *rp, const json_t *fields)
{
	const json_t *list = t_get(fields, "relayAddresses");
	struct wr w = wr_init(rp->relays, sizeof rp->relays);
	size_t len;

	rp->key = t_bytes(fields, "publicKey", &len);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct addr a = t_addr(json_array_get(list, i));

		wr_addr4(&w, &a);
	}
	ck_assert(wr_ok(&w));
	rp->peer.key = rp->key;
	rp->peer.relays = (struct bytes){rp->relays, wr_len(&w)};
}

static void
assert_peer(const struct peer_record *p, const json_t *fields)
{
	struct row_peer want;

	row_peer(&want, fields);
	ck_assert_mem_eq(p->key, want.key, KEY_LEN);
	ck_assert_uint_eq(p->relays.len, want.peer.relays.len);
	ck_assert_mem_eq(p->relays.p, want.peer.relays.p, want.peer.relays.len);
	for (size_t i = 0; i < peer_relays_len(p); i++) {
		struct addr got = peer_relay(p, i);
		struct addr a =
		    t_addr(json_array_get(t_get(fields, "relayAddresses"), i));

		ck_assert(addr_equal(&got, &a));
	}
	free(want.key);
}

static void
take_peer(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[1024];
	struct peer_record p;

	(void)arg;
	if (peer_decode(&p, buf, len) == 0)
		ck_assert_uint_gt(peer_encode(&p, out, sizeof out), 0);
}

START_TEST(peer_rows)
{
	const json_t *row = t_row(VECTORS, "peer", _i);
	uint8_t out[256];
	struct peer_record p;
	size_t len, n;
	uint8_t *buf = t_bytes(row, "hex", &len);

	ck_assert_int_eq(peer_decode(&p, buf, len), 0);
	assert_peer(&p, t_get(row, "fields"));
	n = peer_encode(&p, out, sizeof out);
	t_assert_hex(out, n, t_string(row, "hex"));
	ck_assert_uint_eq(peer_encode(&p, out, n - 1), 0);
	t_damage(buf, len, take_peer, NULL);
	free(buf);
}
END_TEST

static void
take_announce(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[1024];
	struct announce a;

	(void)arg;
	if (announce_decode(&a, buf, len) == 0)
		ck_assert_uint_gt(announce_encode(&a, out, sizeof out), 0);
}

START_TEST(announce_rows)
{
	const json_t *row = t_row(VECTORS, "announce", _i);
	const json_t *f = t_get(row, "fields");
	uint8_t out[256];
	struct announce a;
	size_t len, n;
	uint8_t *buf = t_bytes(row, "hex", &len);
	uint8_t *refresh = t_bytes(f, "refresh", &n);
	uint8_t *signature = t_bytes(f, "signature", &n);

	ck_assert_int_eq(announce_decode(&a, buf, len), 0);
	if (json_is_null(t_get(f, "peer")))
		ck_assert_ptr_null(a.peer.key);
	else
		assert_peer(&a.peer, t_get(f, "peer"));
	ck_assert((a.refresh == NULL) == (refresh == NULL));
	if (refresh != NULL)
		ck_assert_mem_eq(a.refresh, refresh, HASH_LEN);
	ck_assert((a.signature == NULL) == (signature == NULL));
	if (signature != NULL)
		ck_assert_mem_eq(a.signature, signature, SIGNATURE_LEN);
	ck_assert_uint_eq(a.bump, t_uint(f, "bump"));
	n = announce_encode(&a, out, sizeof out);
	t_assert_hex(out, n, t_string(row, "hex"));
	t_damage(buf, len, take_announce, NULL);
	free(buf);
	free(refresh);
	free(signature);
}
END_TEST

static void
take_lookup(const uint8_t *buf, size_t len, void *arg)
{
	struct lookup_reply l;
	struct peer_record p;
	uint64_t bump;
	size_t bytes = 0;

	(void)arg;
	if (lookup_decode(&l, &bump, buf, len) != 0)
		return;
	while (lookup_next(&l, &p))
		bytes += KEY_LEN + p.relays.len;
	ck_assert_uint_le(bytes, len);
}

START_TEST(lookup_rows)
{
	const json_t *row = t_row(VECTORS, "lookup_reply", _i);
	const json_t *f = t_get(row, "fields"), *peers = t_get(f, "peers");
	bool decode_only = json_object_get(row, "decode_only") != NULL;
	struct peer_record p, all[4];
	struct lookup_reply l;
	uint8_t out[512];
	uint64_t bump;
	size_t len, n = 0;
	uint8_t *buf = t_bytes(row, "hex", &len);

	ck_assert_int_eq(lookup_decode(&l, &bump, buf, len), 0);
	ck_assert_uint_eq(bump, t_uint(f, "bump"));
	while (lookup_next(&l, &p)) {
		assert_peer(&p, json_array_get(peers, n));
		all[n++] = p;
	}
	ck_assert_uint_eq(n, json_array_size(peers));
	n = lookup_encode(all, n, bump, out, sizeof out);
	if (!decode_only)
		t_assert_hex(out, n, t_string(row, "hex"));
	t_damage(buf, len, take_lookup, NULL);
	free(buf);
}
END_TEST

/* A count of 2^20 - 1 in a short reply is refused before anything is read. */
START_TEST(hostile_count)
{
	size_t len;
	uint8_t *buf = t_hex("feffff0f00 0000", &len);
	struct lookup_reply l;
	uint64_t bump;

	ck_assert_int_eq(lookup_decode(&l, &bump, buf, len), ERR_MALFORMED);
	free(buf);
}
END_TEST

static void
take_mutable(const uint8_t *buf, size_t len, void *arg)
{
	uint8_t out[1024];
	struct mutable_value m;

	(void)arg;
	if (mutable_put_decode(&m, buf, len) == 0)
		ck_assert_uint_gt(mutable_put_encode(&m, out, sizeof out), 0);
	if (mutable_value_decode(&m, buf, len) == 0)
		ck_assert_uint_gt(mutable_value_encode(&m, out, sizeof out), 0);
}

static void
row_keys(struct key_pair *k, const json_t *row)
{
	size_t len;
	uint8_t *seed = t_bytes(row, "seed", &len);

	ck_assert_uint_eq(len, KEY_SEED_LEN);
	key_pair_from_seed(k, seed);
	free(seed);
}

START_TEST(mutable_rows)
{
	const json_t *row = t_row(VECTORS, "mutable", _i);
	uint8_t out[512], sig[SIGNATURE_LEN];
	struct key_pair keys;
	struct mutable_value m;
	size_t len, put_len, value_len, n;
	uint8_t *buf = t_bytes(row, "put_request", &put_len);
	uint8_t *got = t_bytes(row, "get_response", &n);
	uint8_t *value = t_bytes(row, "value", &value_len);

	row_keys(&keys, row);
	ck_assert_int_eq(mutable_put_decode(&m, buf, put_len), 0);
	ck_assert_mem_eq(m.key, keys.public_key, KEY_LEN);
	ck_assert_uint_eq(m.seq, t_uint(row, "seq"));
	ck_assert_uint_eq(m.value.len, value_len);
	ck_assert_int_eq(mutable_verify(&m, keys.public_key), 0);
	mutable_sign(sig, &keys, m.seq, (struct bytes){value, value_len});
	t_assert_hex(sig, sizeof sig, t_string(row, "signature"));
	len = mutable_put_encode(&m, out, sizeof out);
	t_assert_hex(out, len, t_string(row, "put_request"));
	len = mutable_value_encode(&m, out, sizeof out);
	t_assert_hex(out, len, t_string(row, "get_response"));
	ck_assert_int_eq(mutable_value_decode(&m, got, n), 0);
	ck_assert_ptr_null(m.key);
	ck_assert_int_eq(mutable_verify(&m, keys.public_key), 0);
	keys.public_key[0] ^= 1;
	ck_assert_int_eq(mutable_verify(&m, keys.public_key), ERR_SIGNATURE);
	t_damage(buf, put_len, take_mutable, NULL);
	free(buf);
	free(got);
	free(value);
}
END_TEST

START_TEST(immutable_rows)
{
	const json_t *row = t_row(VECTORS, "immutable", _i);
	uint8_t target[HASH_LEN], as[1000];
	size_t len = sizeof as;
	uint8_t *value = t_bytes(row, "value", &len);

	memset(as, 'a', sizeof as);
	hash_blake2b(target, value != NULL ? value : as,
	    value != NULL ? len : sizeof as);
	t_assert_hex(target, sizeof target, t_string(row, "target"));
	free(value);
}
END_TEST

static void
seed_of(const uint8_t *key, struct key_pair *k)
{
	for (int i = 0; i < t_rows(VECTORS, "key_pairs"); i++) {
		row_keys(k, t_row(VECTORS, "key_pairs", i));
		if (memcmp(k->public_key, key, KEY_LEN) == 0)
			return;
	}
	ck_abort_msg("no such key in the vectors");
}

/* Signing returns the bytes of the reference; any damage is detected. */
START_TEST(signature_rows)
{
	const json_t *row = t_row(VECTORS, "announce_signatures", _i);
	enum key_namespace ns =
	    strcmp(t_string(row, "namespace"), "ANNOUNCE") == 0 ? NS_ANNOUNCE
								: NS_UNANNOUNCE;
	uint8_t sig[SIGNATURE_LEN], out[256];
	struct key_pair keys;
	struct announce a;
	size_t len, value_len;
	uint8_t *buf = t_bytes(row, "value", &value_len);
	uint8_t *target = t_bytes(row, "target", &len);
	uint8_t *id = t_bytes(row, "node_id", &len);
	uint8_t *token = t_bytes(row, "token", &len);
	struct announce_scope s = {target, id, token};

	ck_assert_int_eq(announce_decode(&a, buf, value_len), 0);
	seed_of(a.peer.key, &keys);
	ck_assert_int_eq(announce_verify(&a, ns, &s), 0);
	announce_sign(sig, &keys, ns, &s, &a);
	t_assert_hex(sig, sizeof sig, t_string(row, "signature"));
	a.signature = sig;
	len = announce_encode(&a, out, sizeof out);
	t_assert_hex(out, len, t_string(row, "value"));
	ck_assert_int_eq(
	    announce_verify(
		&a, ns == NS_ANNOUNCE ? NS_UNANNOUNCE : NS_ANNOUNCE, &s),
	    ERR_SIGNATURE);
	uint8_t *scope[] = {target, id, token};
	for (int i = 0; i < 3; i++) {
		scope[i][31] ^= 0x80;
		ck_assert_int_eq(announce_verify(&a, ns, &s), ERR_SIGNATURE);
		scope[i][31] ^= 0x80;
	}
	free(buf);
	free(target);
	free(id);
	free(token);
}
END_TEST

/*
 * The count of relays is signed in its shortest form, however it was encoded.
 */
START_TEST(signature_over_peer_encoded_anew)
{
	const json_t *row = t_row(VECTORS, "announce_signatures", 1);
	size_t len;
	uint8_t *buf = t_bytes(row, "value", &len), longer[256];
	uint8_t *target, *id, *token;
	struct announce a;

	/* flags, key, and then the count 02 as fd0200 */
	memcpy(longer, buf, 33);
	memcpy(longer + 33, "\xfd\x02\x00", 3);
	memcpy(longer + 36, buf + 34, len - 34);
	ck_assert_int_eq(announce_decode(&a, longer, len + 2), 0);
	ck_assert_uint_eq(peer_relays_len(&a.peer), 2);
	target = t_bytes(row, "target", &len);
	id = t_bytes(row, "node_id", &len);
	token = t_bytes(row, "token", &len);
	ck_assert_int_eq(announce_verify(&a, NS_ANNOUNCE,
			     &(struct announce_scope){target, id, token}),
	    0);
	free(buf);
	free(target);
	free(id);
	free(token);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("records_codec", &tc);

	tcase_add_loop_test(tc, peer_rows, 0, t_rows(VECTORS, "peer"));
	tcase_add_loop_test(tc, announce_rows, 0, t_rows(VECTORS, "announce"));
	tcase_add_loop_test(
	    tc, lookup_rows, 0, t_rows(VECTORS, "lookup_reply"));
	tcase_add_test(tc, hostile_count);
	tcase_add_loop_test(tc, mutable_rows, 0, t_rows(VECTORS, "mutable"));
	tcase_add_loop_test(
	    tc, immutable_rows, 0, t_rows(VECTORS, "immutable"));
	tcase_add_loop_test(
	    tc, signature_rows, 0, t_rows(VECTORS, "announce_signatures"));
	tcase_add_test(tc, signature_over_peer_encoded_anew);
	return s;
}
