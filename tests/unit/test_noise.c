/* SPDX-License-Identifier: ISC */
/*
 * Goal: the handshake is the reference's to the byte, and nothing but the
 * genuine message gets through. Method: its vectors, from both sides; every
 * message is then cut at each byte and has each bit flipped, and the genuine
 * one must still be taken after all that.
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "crypto/noise.h"
#include "t.h"

#define FILE_NAME "handshake.json"

static struct key_pair
pair_of(const json_t *in, const char *name)
{
	size_t len;
	uint8_t *seed = t_bytes(in, name, &len);
	struct key_pair k;

	ck_assert_uint_eq(len, KEY_SEED_LEN);
	key_pair_from_seed(&k, seed);
	free(seed);
	return k;
}

static struct bytes
bytes_of(const json_t *object, const char *name)
{
	struct bytes b;

	b.p = t_bytes(object, name, &b.len);
	return b;
}

static void
drop(struct bytes b)
{
	free((void *)b.p);
}

START_TEST(scalar_row)
{
	const json_t *v = t_kind(FILE_NAME, "keypair", _i);
	const json_t *out = t_get(v, "out");
	struct key_pair k = pair_of(t_get(v, "in"), "seed");
	uint8_t scalar[KEY_LEN];

	t_assert_hex(k.public_key, KEY_LEN, t_string(out, "public_key"));
	noise_scalar(scalar, &k);
	t_assert_hex(scalar, KEY_LEN, t_string(out, "scalar"));
}
END_TEST

START_TEST(dh_row)
{
	const json_t *v = t_kind(FILE_NAME, "dh", _i), *out = t_get(v, "out");
	struct bytes secret = bytes_of(t_get(v, "in"), "secret_key");
	struct bytes point = bytes_of(t_get(v, "in"), "public_key");
	uint8_t scalar[KEY_LEN], shared[KEY_LEN];
	struct key_pair k;

	memcpy(k.secret_key, secret.p, sizeof k.secret_key);
	noise_scalar(scalar, &k);
	if (json_is_null(out)) {
		ck_assert_int_eq(noise_dh(shared, scalar, point.p), ERR_VALUE);
	} else {
		ck_assert_int_eq(noise_dh(shared, scalar, point.p), 0);
		t_assert_hex(shared, KEY_LEN, t_string(out, "shared"));
	}
	drop(secret);
	drop(point);
}
END_TEST

/* Both sides of one vector, and what passed between them. */
struct pair {
	struct key_pair client, server;
	struct noise initiator, responder;
	struct bytes payload1, payload2, message1, message2;
};

static struct pair
pair_start(const json_t *v)
{
	const json_t *in = t_get(v, "in"), *out = t_get(v, "out");
	struct pair p = {
	    .client = pair_of(in, "initiator_static_seed"),
	    .server = pair_of(in, "responder_static_seed"),
	    .payload1 = bytes_of(in, "payload1_hex"),
	    .payload2 = bytes_of(in, "payload2_hex"),
	    .message1 = bytes_of(out, "message1"),
	    .message2 = bytes_of(out, "message2"),
	};
	struct bytes seed = bytes_of(in, "initiator_ephemeral_seed");
	uint8_t *buf = malloc(p.message1.len);

	ck_assert_int_eq(noise_write1(&p.initiator, &p.client,
			     p.server.public_key, seed.p, p.payload1, buf),
	    0);
	ck_assert_mem_eq(buf, p.message1.p, p.message1.len);
	free(buf);
	drop(seed);
	return p;
}

static void
pair_read1(struct pair *p)
{
	uint8_t *buf = malloc(p->payload1.len);

	ck_assert_int_eq(
	    noise_read1(&p->responder, &p->server, p->message1, buf), 0);
	ck_assert_mem_eq(buf, p->payload1.p, p->payload1.len);
	ck_assert_mem_eq(p->responder.rs, p->client.public_key, KEY_LEN);
	free(buf);
}

static void
pair_read2(struct pair *p, struct noise_secrets *secrets)
{
	uint8_t *buf = malloc(p->payload2.len);

	ck_assert_int_eq(
	    noise_read2(&p->initiator, p->message2, buf, secrets), 0);
	ck_assert_mem_eq(buf, p->payload2.p, p->payload2.len);
	free(buf);
}

static void
pair_end(struct pair *p)
{
	drop(p->payload1);
	drop(p->payload2);
	drop(p->message1);
	drop(p->message2);
}

static void
assert_secrets(const json_t *out, const struct noise_secrets *s, const char *tx,
    const char *rx)
{
	uint8_t key[KEY_LEN];

	t_assert_hex(s->tx, KEY_LEN, t_string(out, tx));
	t_assert_hex(s->rx, KEY_LEN, t_string(out, rx));
	t_assert_hex(s->hash, NOISE_HASH_LEN, t_string(out, "handshake_hash"));
	noise_punch_key(key, s->hash);
	t_assert_hex(key, KEY_LEN, t_string(out, "holepunch_secret"));
}

START_TEST(ik_row)
{
	const json_t *v = t_kind(FILE_NAME, "noise_ik", _i);
	const json_t *out = t_get(v, "out");
	struct bytes seed =
	    bytes_of(t_get(v, "in"), "responder_ephemeral_seed");
	struct pair p = pair_start(v);
	uint8_t *buf = malloc(p.message2.len);
	struct noise_secrets ours, theirs;

	pair_read1(&p);
	ck_assert_int_eq(
	    noise_write2(&p.responder, seed.p, p.payload2, buf, &theirs), 0);
	ck_assert_mem_eq(buf, p.message2.p, p.message2.len);
	pair_read2(&p, &ours);
	assert_secrets(out, &ours, "initiator_tx", "initiator_rx");
	assert_secrets(out, &theirs, "initiator_rx", "initiator_tx");
	drop(seed);
	free(buf);
	pair_end(&p);
}
END_TEST

static bool
is_wiped(const void *p, size_t len)
{
	return sodium_is_zero(p, len);
}

static void
take_message1(const uint8_t *buf, size_t len, void *arg)
{
	struct pair *p = arg;
	uint8_t *out =
	    malloc(len > NOISE_1_OVERHEAD ? len - NOISE_1_OVERHEAD : 1);
	struct noise n;

	ck_assert_int_ne(noise_read1(&n, &p->server,
			     (struct bytes){.p = buf, .len = len}, out),
	    0);
	ck_assert(is_wiped(&n, sizeof n));
	free(out);
}

static void
take_message2(const uint8_t *buf, size_t len, void *arg)
{
	struct pair *p = arg;
	uint8_t *out =
	    malloc(len > NOISE_2_OVERHEAD ? len - NOISE_2_OVERHEAD : 1);
	struct noise_secrets s;

	ck_assert_int_ne(noise_read2(&p->initiator,
			     (struct bytes){.p = buf, .len = len}, out, &s),
	    0);
	free(out);
}

/*
 * Pitfall S6: the genuine answer is taken however many others came before it.
 */
START_TEST(damage_is_refused_and_survived)
{
	const json_t *v = t_kind(FILE_NAME, "noise_ik", _i);
	struct pair p = pair_start(v);
	struct noise_secrets secrets;

	t_damage(p.message1.p, p.message1.len, take_message1, &p);
	t_damage(p.message2.p, p.message2.len, take_message2, &p);
	take_message2(p.message1.p, p.message1.len, &p);
	pair_read1(&p);
	pair_read2(&p, &secrets);
	assert_secrets(
	    t_get(v, "out"), &secrets, "initiator_tx", "initiator_rx");
	pair_end(&p);
}
END_TEST

START_TEST(recv1_row)
{
	const json_t *v = t_kind(FILE_NAME, "noise_recv1", _i);
	const char *name = t_string(v, "name");
	struct key_pair server =
	    pair_of(t_get(v, "in"), "responder_static_seed");
	struct bytes m = bytes_of(t_get(v, "in"), "message1");
	uint8_t out[256];
	struct noise n;
	int err = noise_read1(&n, &server, m, out);

	/* What is wrong with these two is the payload's affair. */
	if (strstr(name, "/authentic-") != NULL)
		ck_assert_int_eq(err, 0);
	else
		ck_assert_int_eq(
		    err, m.len < NOISE_1_OVERHEAD ? ERR_SIZE : ERR_SIGNATURE);
	drop(m);
}
END_TEST

START_TEST(recv2_row)
{
	const json_t *v = t_kind(FILE_NAME, "noise_recv2", _i);
	struct pair p = pair_start(t_kind(FILE_NAME, "noise_ik", 0));
	struct bytes m = bytes_of(t_get(v, "in"), "message2");
	struct noise before = p.initiator;
	struct noise_secrets secrets;
	uint8_t out[256];

	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(noise_read2(&p.initiator, m, out, &secrets),
		    m.len < NOISE_2_OVERHEAD ? ERR_SIZE : ERR_SIGNATURE);
	ck_assert_mem_eq(&p.initiator, &before, sizeof before);
	pair_read2(&p, &secrets);
	drop(m);
	pair_end(&p);
}
END_TEST

START_TEST(dials_no_key_that_is_no_point)
{
	static const uint8_t zero[KEY_LEN], seed[KEY_SEED_LEN];
	uint8_t out[NOISE_1_OVERHEAD];
	struct key_pair own;
	struct noise n;

	key_pair_from_seed(&own, seed);
	ck_assert_int_eq(
	    noise_write1(&n, &own, zero, seed, (struct bytes){0}, out),
	    ERR_VALUE);
	ck_assert(is_wiped(&n, sizeof n));
}
END_TEST

START_TEST(punch_key)
{
	const json_t *v = t_kind(FILE_NAME, "secrets", 0);
	struct bytes hash = bytes_of(t_get(v, "in"), "handshake_hash");
	uint8_t key[KEY_LEN];

	noise_punch_key(key, hash.p);
	t_assert_hex(
	    key, sizeof key, t_string(t_get(v, "out"), "holepunch_secret"));
	drop(hash);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("noise", &tc);
	int iks = t_kinds(FILE_NAME, "noise_ik");

	tcase_add_loop_test(tc, scalar_row, 0, t_kinds(FILE_NAME, "keypair"));
	tcase_add_loop_test(tc, dh_row, 0, t_kinds(FILE_NAME, "dh"));
	tcase_add_loop_test(tc, ik_row, 0, iks);
	tcase_add_loop_test(tc, damage_is_refused_and_survived, 0, iks);
	tcase_add_loop_test(
	    tc, recv1_row, 0, t_kinds(FILE_NAME, "noise_recv1"));
	tcase_add_loop_test(
	    tc, recv2_row, 0, t_kinds(FILE_NAME, "noise_recv2"));
	tcase_add_test(tc, dials_no_key_that_is_no_point);
	tcase_add_test(tc, punch_key);
	return s;
}
