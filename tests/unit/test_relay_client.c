/* SPDX-License-Identifier: ISC */
/*
 * Goal: a client of a blind relay sends what the reference sends and accepts
 * what a relay answers, and nothing else. Method: the golden session of client
 * A; answers for others, rejections, offers and broken messages.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "relay/relay_client.h"
#include "stream/mux.h"
#include "t.h"

#define FILE_NAME "blind-relay.json"

static uint8_t key[KEY_LEN], token[RELAY_TOKEN_LEN];
static struct relay_client *client;
static struct mux *relay;

static void
read_input(const char *name, uint8_t *out)
{
	size_t len;
	uint8_t *p = t_bytes(t_get(t_vectors(FILE_NAME), "inputs"), name, &len);

	ck_assert_uint_eq(len, 32);
	memcpy(out, p, len);
	free(p);
}

static void
setup(void)
{
	struct relay_client_spec spec = {
	    .key = key, .token = token, .initiator = true, .stream_id = 1000};

	read_input("public_key_A", key);
	read_input("token", token);
	client = relay_client_new(&spec);
	relay = mux_new();
	ck_assert_ptr_nonnull(client);
	ck_assert_ptr_nonnull(relay);
}

static void
teardown(void)
{
	relay_client_free(client);
	mux_free(relay);
}

/* Returns the i-th message of that direction. */
static const char *
golden(const char *dir, size_t i)
{
	const json_t *all =
	    t_get(t_get(t_vectors(FILE_NAME), "relay_session"), "transcript");

	for (size_t k = 0; k < json_array_size(all); k++) {
		const json_t *row = json_array_get(all, k);
		const char *text =
		    json_string_value(json_object_get(row, "dir"));

		if (text != NULL && strcmp(text, dir) == 0 && i-- == 0)
			return t_string(row, "hex");
	}
	ck_abort_msg("there is no such row");
	return NULL;
}

static int
receive(const char *hex)
{
	size_t len;
	uint8_t *p = t_hex(hex, &len);
	int err = relay_client_read(client, (struct bytes){p, len});

	free(p);
	return err;
}

/* Passes on what the relay has to send. */
static int
receive_all(void)
{
	struct bytes m;
	int err = 0;

	while (err == 0 && (m = mux_peek(relay)).p != NULL) {
		err = relay_client_read(client, m);
		mux_consume(relay);
	}
	return err;
}

/* Opens the channel at the relay, which reads nothing. */
static uint32_t
relay_opens(void)
{
	struct mux_name name = {
	    .protocol = {(const uint8_t *)RELAY_PROTOCOL, 11},
	    .id = {key, KEY_LEN}};
	uint32_t channel;

	ck_assert_int_eq(
	    mux_open(relay, &name, (struct bytes){0}, &channel), 0);
	return channel;
}

static void
relay_pairs(uint32_t channel, const struct relay_pair *m)
{
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len = relay_pair_encode(m, body, sizeof body);

	ck_assert_int_eq(mux_send(relay, channel, RELAY_PAIR, body, len), 0);
}

START_TEST(the_session_is_golden)
{
	for (size_t i = 0; i < 2; i++) {
		struct bytes m = relay_client_peek(client);

		t_assert_hex(m.p, m.len, golden("A to relay", i));
		relay_client_consume(client);
	}
	ck_assert_ptr_null(relay_client_peek(client).p);
	ck_assert_int_eq(receive(golden("relay to A", 0)), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRING);
	ck_assert_int_eq(receive(golden("relay to A", 1)), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRED);
	ck_assert_uint_eq(relay_client_stream_id(client), 1432778632);
	/* A second answer changes nothing. */
	ck_assert_int_eq(receive(golden("relay to A", 1)), 0);
	ck_assert_uint_eq(relay_client_stream_id(client), 1432778632);
}
END_TEST

START_TEST(answers_for_others_are_ignored)
{
	struct relay_pair m = {.initiator = false, .stream_id = 5};
	uint32_t channel = relay_opens();

	memcpy(m.token, token, sizeof m.token);
	relay_pairs(channel, &m);
	m.initiator = true;
	m.token[31] ^= 1;
	relay_pairs(channel, &m);
	ck_assert_int_eq(receive_all(), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRING);
	m.token[31] ^= 1;
	relay_pairs(channel, &m);
	ck_assert_int_eq(receive_all(), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRED);
}
END_TEST

START_TEST(a_relay_refuses)
{
	mux_close(relay, relay_opens());
	ck_assert_int_eq(receive_all(), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_CLOSED);
}
END_TEST

/* A node that is no relay rejects the channel. */
START_TEST(a_node_is_no_relay)
{
	ck_assert_int_eq(receive("000201"), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_CLOSED);
}
END_TEST

START_TEST(a_pairing_outlives_the_channel)
{
	struct relay_pair m = {.initiator = true, .stream_id = 5};
	uint32_t channel = relay_opens();

	memcpy(m.token, token, sizeof m.token);
	relay_pairs(channel, &m);
	mux_close(relay, channel);
	ck_assert_int_eq(receive_all(), 0);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRED);
	ck_assert_uint_eq(relay_client_stream_id(client), 5);
}
END_TEST

START_TEST(broken_answers_break_the_stream)
{
	uint32_t channel = relay_opens();

	ck_assert_int_eq(mux_send(relay, channel, RELAY_PAIR, "short", 5), 0);
	ck_assert_int_eq(receive_all(), ERR_MALFORMED);
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_PAIRING);
}
END_TEST

/* Other channels are rejected, however many the relay opens. */
START_TEST(other_channels_are_rejected)
{
	uint8_t id[2] = {0};

	for (unsigned i = 0; i < 1000; i++) {
		struct mux_name name = {
		    .protocol = {(const uint8_t *)"other", 5}, .id = {id, 2}};
		struct mux_event ev;
		struct bytes m;
		uint32_t channel;

		id[0] = (uint8_t)i;
		id[1] = (uint8_t)(i >> 8);
		ck_assert_int_eq(
		    mux_open(relay, &name, (struct bytes){0}, &channel), 0);
		ck_assert_int_eq(receive_all(), 0);
		while ((m = relay_client_peek(client)).p != NULL) {
			while (mux_read(relay, m, &ev) == MUX_EVENT)
				if (ev.kind == MUX_OFFER)
					mux_reject(relay, ev.channel);
			relay_client_consume(client);
		}
	}
	ck_assert_int_eq(relay_client_state(client), RELAY_CLIENT_CLOSED);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_client", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, the_session_is_golden);
	tcase_add_test(tc, answers_for_others_are_ignored);
	tcase_add_test(tc, a_relay_refuses);
	tcase_add_test(tc, a_node_is_no_relay);
	tcase_add_test(tc, a_pairing_outlives_the_channel);
	tcase_add_test(tc, broken_answers_break_the_stream);
	tcase_add_test(tc, other_channels_are_rejected);
	return s;
}
