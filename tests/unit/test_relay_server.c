/* SPDX-License-Identifier: ISC */
/*
 * Goal: the server of a blind relay pairs two places of one token and nothing
 * else, whatever its clients send and however they leave. Method: the golden
 * session of the reference, then sessions of our own clients and of scripted
 * ones; every order is checked, and nothing may be left at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "relay/relay_client.h"
#include "relay/relay_message.h"
#include "relay/relay_server.h"
#include "stream/mux.h"
#include "t.h"
#include "world/core_host.h"

enum { CLIENTS = 70 };

/* A client: one of ours if client is set, else a mux that sends anything. */
struct party {
	struct relay_session *session;
	struct relay_client *client;
	struct mux *mux;
	uint32_t channel;
	uint8_t key[KEY_LEN];
};

static struct core_host host;
static struct relay_server *server;
static struct party parties[CLIENTS];
static unsigned links, unlinks, expelled, refusals;
static bool native; /* the parties that join */
static struct relay_refusal refusal;
static struct relay_order last;

static void
setup(void)
{
	core_host_init(&host, NULL, 1);
	server = relay_server_new(&host.core);
	ck_assert_ptr_nonnull(server);
	memset(parties, 0, sizeof parties);
	links = unlinks = expelled = refusals = 0;
	native = false;
}

static void
leave(struct party *p)
{
	relay_session_free(p->session);
	relay_client_free(p->client);
	mux_free(p->mux);
	*p = (struct party){0};
}

static void
teardown(void)
{
	struct relay_server_status st;

	for (unsigned i = 0; i < CLIENTS; i++)
		leave(&parties[i]);
	relay_server_status(server, &st);
	ck_assert_uint_eq(st.sessions + st.waiting + st.linked, 0);
	relay_server_free(server);
	core_host_fini(&host);
}

static struct addr
address(unsigned net, unsigned i)
{
	return addr_v4(20, (uint8_t)(net >> 8), (uint8_t)net, (uint8_t)i, 1000);
}

static int
join_from(unsigned i, const struct addr *from, bool exempt)
{
	struct party *p = &parties[i];
	struct relay_peer peer = {.key = p->key,
	    .addr = *from,
	    .exempt = exempt,
	    .native = native,
	    .number = i + 1};

	p->key[0] = (uint8_t)i;
	p->key[1] = 1;
	return relay_session_new(server, &peer, &p->session);
}

/* Adds a party of a key and a /24 of its own that sends what it wants. */
static struct party *
join(unsigned i)
{
	struct party *p = &parties[i];
	struct addr from = address(i, 1);
	struct mux_name name = {
	    .protocol = {(const uint8_t *)RELAY_PROTOCOL, 11},
	    .id = {p->key, KEY_LEN}};

	ck_assert_int_eq(join_from(i, &from, false), 0);
	p->mux = mux_new();
	ck_assert_ptr_nonnull(p->mux);
	ck_assert_int_eq(
	    mux_open(p->mux, &name, (struct bytes){0}, &p->channel), 0);
	return p;
}

/* Adds one of our clients, which pairs at once. */
static struct party *
join_client(unsigned i, const uint8_t *token, bool initiator)
{
	struct party *p = &parties[i];
	struct addr from = address(i, 1);
	struct relay_client_spec spec = {.key = p->key,
	    .token = token,
	    .initiator = initiator,
	    .stream_id = 1000 + i};

	ck_assert_int_eq(join_from(i, &from, false), 0);
	p->client = relay_client_new(&spec);
	ck_assert_ptr_nonnull(p->client);
	return p;
}

static void
execute_orders(void)
{
	static int links_made;
	uint32_t ids[RELAY_ROLE_MAX] = {501, 502};
	struct relay_order o;

	while (relay_server_next(server, &o)) {
		if (o.kind == RELAY_ORDER_LINK) {
			links++;
			relay_server_linked(
			    server, o.pairing, &links_made, ids);
		} else if (o.kind == RELAY_ORDER_UNLINK) {
			ck_assert_ptr_eq(o.owner, &links_made);
			unlinks++;
		} else {
			expelled++;
		}
		last = o;
	}
}

/* Passes what a party has to send; returns the server's error. */
static int
carry_in(struct party *p)
{
	struct bytes m;
	int err = 0;

	while (err == 0 && p->client != NULL &&
	       (m = relay_client_peek(p->client)).p != NULL) {
		err = relay_session_read(p->session, m);
		relay_client_consume(p->client);
	}
	while (err == 0 && p->mux != NULL && (m = mux_peek(p->mux)).p != NULL) {
		err = relay_session_read(p->session, m);
		mux_consume(p->mux);
	}
	return err;
}

static void
take_event(struct party *p, const struct mux_event *ev)
{
	if (ev->kind == MUX_CLOSED)
		p->channel = 0;
	if (ev->kind != MUX_MESSAGE || ev->type <= RELAY_UNPAIR)
		return;
	refusals++;
	ck_assert_int_eq(
	    relay_refusal_decode(&refusal, ev->body.p, ev->body.len), 0);
}

static void
carry_out(struct party *p)
{
	struct mux_event ev;
	struct bytes m;

	while ((m = relay_session_peek(p->session)).p != NULL) {
		if (p->client != NULL)
			ck_assert_int_eq(relay_client_read(p->client, m), 0);
		while (p->mux != NULL && mux_read(p->mux, m, &ev) == MUX_EVENT)
			take_event(p, &ev);
		relay_session_consume(p->session);
	}
}

static void
pass(struct party *p)
{
	ck_assert_int_eq(carry_in(p), 0);
	execute_orders();
	for (unsigned i = 0; i < CLIENTS; i++)
		if (parties[i].session != NULL)
			carry_out(&parties[i]);
}

static int
send_pair(struct party *p, unsigned token, bool initiator)
{
	struct relay_pair m = {.initiator = initiator, .stream_id = 7};
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len;

	memcpy(m.token, &token, sizeof token);
	len = relay_pair_encode(&m, body, sizeof body);
	return mux_send(p->mux, p->channel, RELAY_PAIR, body, len);
}

static void
pair(struct party *p, unsigned token, bool initiator)
{
	ck_assert_int_eq(send_pair(p, token, initiator), 0);
	pass(p);
}

static void
unpair(struct party *p, unsigned token)
{
	struct relay_unpair m = {{0}};
	uint8_t body[RELAY_MESSAGE_MAX];
	size_t len;

	memcpy(m.token, &token, sizeof token);
	len = relay_unpair_encode(&m, body, sizeof body);
	ck_assert_int_eq(
	    mux_send(p->mux, p->channel, RELAY_UNPAIR, body, len), 0);
	pass(p);
}

static struct relay_server_status
status(void)
{
	struct relay_server_status st;

	relay_server_status(server, &st);
	return st;
}

static void
pass_s(uint32_t s)
{
	core_host_pass_ms(&host, s * UINT64_C(1000));
	execute_orders();
}

START_TEST(pairs_two_of_our_clients)
{
	static const uint8_t token[RELAY_TOKEN_LEN] = {9};
	struct party *a = join_client(0, token, true),
		     *b = join_client(1, token, false);

	pass(a);
	ck_assert_uint_eq(status().waiting, 1);
	ck_assert_int_eq(relay_client_state(a->client), RELAY_CLIENT_PAIRING);
	pass(b);
	ck_assert_uint_eq(links, 1);
	ck_assert_uint_eq(last.end[RELAY_ROLE_INITIATOR].session, 1);
	ck_assert_uint_eq(last.end[RELAY_ROLE_INITIATOR].stream_id, 1000);
	ck_assert_uint_eq(last.end[RELAY_ROLE_RESPONDER].session, 2);
	ck_assert_uint_eq(last.end[RELAY_ROLE_RESPONDER].stream_id, 1001);
	ck_assert_int_eq(relay_client_state(a->client), RELAY_CLIENT_PAIRED);
	ck_assert_int_eq(relay_client_state(b->client), RELAY_CLIENT_PAIRED);
	ck_assert_uint_eq(relay_client_stream_id(a->client), 502);
	ck_assert_uint_eq(relay_client_stream_id(b->client), 501);
	ck_assert_uint_eq(status().linked, 1);
	/* The end of one ends both. */
	leave(a);
	execute_orders();
	ck_assert_uint_eq(unlinks, 1);
	ck_assert_uint_eq(status().linked, 0);
}
END_TEST

/* The token is free again; one session may hold several pairings, and both
 * places of one. */
START_TEST(uses_tokens_again)
{
	struct party *a = join(0), *b = join(1);

	for (unsigned i = 0; i < 3; i++) {
		pair(a, 5, true);
		pair(b, 5, false);
	}
	ck_assert_uint_eq(links, 3);
	pair(a, 6, true);
	pair(a, 6, false);
	ck_assert_uint_eq(links, 4);
	ck_assert_uint_eq(last.end[0].session, 1);
	ck_assert_uint_eq(last.end[1].session, 1);
	/* All three of that token end, the fourth does not. */
	unpair(b, 5);
	ck_assert_uint_eq(unlinks, 3);
	ck_assert_uint_eq(status().linked, 1);
}
END_TEST

/* The place of another is neither taken nor given up by a third session. */
START_TEST(strangers_change_nothing)
{
	struct party *a = join(0), *b = join(1), *c = join(2);

	pair(a, 5, true);
	pair(c, 5, true); /* taken */
	unpair(c, 5);
	ck_assert_uint_eq(status().waiting, 1);
	pair(b, 5, false);
	ck_assert_uint_eq(links, 1);
	ck_assert_uint_eq(last.end[RELAY_ROLE_INITIATOR].session, 1);
	unpair(c, 5);
	ck_assert_uint_eq(status().linked, 1);
	pair(c, 5, false); /* a new pairing, in which it waits */
	leave(c);
	execute_orders();
	ck_assert_uint_eq(unlinks, 0);
	ck_assert_uint_eq(status().linked, 1);
	unpair(a, 7);
	ck_assert_uint_eq(status().linked, 1);
}
END_TEST

START_TEST(a_half_expires)
{
	struct party *a = join(0), *b = join(1);

	pair(a, 5, true);
	pass_s(29);
	ck_assert_uint_eq(status().waiting, 1);
	pass_s(2);
	ck_assert_uint_eq(status().waiting, 0);
	ck_assert_uint_eq(host.stats.relayed_halves_expired, 1);
	/* b, which paired nothing, is expelled; a later, as it is idle now. */
	ck_assert_uint_eq(expelled, 1);
	ck_assert_uint_eq(last.end[0].session, 2);
	leave(b);
	pass_s(31);
	ck_assert_uint_eq(expelled, 2);
	ck_assert_uint_eq(last.end[0].session, 1);
}
END_TEST

/* A session ends between the match and the order. */
START_TEST(ends_while_matched)
{
	for (unsigned i = 0; i < 2; i++) {
		struct party *a = join(0), *b = join(1);

		ck_assert_int_eq(send_pair(a, 5, true), 0);
		ck_assert_int_eq(send_pair(b, 5, false), 0);
		ck_assert_int_eq(carry_in(a), 0);
		ck_assert_int_eq(carry_in(b), 0);
		leave(i == 0 ? a : b);
		execute_orders();
		ck_assert_uint_eq(links, 0);
		ck_assert_uint_eq(status().linked + status().waiting, 0);
		leave(i == 0 ? b : a);
	}
}
END_TEST

/* The streams have ended, or could not be created. */
START_TEST(streams_end_first)
{
	struct party *a = join(0), *b = join(1);
	struct relay_order o;

	ck_assert_int_eq(send_pair(a, 5, true), 0);
	ck_assert_int_eq(send_pair(b, 5, false), 0);
	ck_assert_int_eq(carry_in(a), 0);
	ck_assert_int_eq(carry_in(b), 0);
	ck_assert(relay_server_next(server, &o));
	relay_server_ended(server, o.pairing);
	ck_assert(!relay_server_next(server, &o));
	ck_assert_uint_eq(status().linked, 0);
	pass_s(31);
	ck_assert_uint_eq(expelled, 2);
}
END_TEST

/* 50,000 pairings from one session: it is cut off, and 63 honest ones are
 * paired as if it were not there. */
START_TEST(a_flood_harms_itself)
{
	struct party *evil = join(69);
	int err = 0;

	for (unsigned i = 0; i < 50000 && err == 0; i++) {
		ck_assert_int_eq(send_pair(evil, 100000 + i, true), 0);
		err = carry_in(evil);
		ck_assert_uint_le(status().waiting, 16);
	}
	ck_assert_int_eq(err, ERR_LIMIT);
	for (unsigned i = 0; i < 62; i += 2) {
		struct party *a = join(i), *b = join(i + 1);

		pair(a, i, true);
		pair(b, i, false);
	}
	ck_assert_uint_eq(links, 31);
	leave(evil);
	ck_assert_uint_eq(status().waiting, 0);
	ck_assert_uint_eq(status().linked, 31);
}
END_TEST

/* 0: by one key, 1: by one address, 2: by one /24, 3: by all. */
START_TEST(shares_are_bounded)
{
	struct addr from;
	unsigned i, max = _i == 3 ? 40 : 10;
	struct relay_session *all[64];
	struct relay_peer peer = {.number = 1};
	uint8_t key[KEY_LEN];

	host.limits.relay_sessions = 40;
	host.limits.relay_sessions_key = 10;
	host.limits.relay_sessions_host = 10;
	host.limits.relay_sessions_prefix = 10;
	for (i = 0; i < 64; i++) {
		memset(key, _i == 0 ? 7 : (int)i, sizeof key);
		from = _i == 0 || _i == 3 ? address(i, 1)
					  : address(5, _i == 1 ? 1 : i + 1);
		peer.key = key;
		peer.addr = from;
		if (relay_session_new(server, &peer, &all[i]) != 0)
			break;
	}
	ck_assert_uint_eq(i, max);
	ck_assert_uint_eq(host.stats.relayed_sessions_refused, 1);
	/* Allowed keys are bound by the limit of all alone. */
	peer.exempt = true;
	ck_assert_int_eq(
	    relay_session_new(server, &peer, &all[i]), _i == 3 ? ERR_LIMIT : 0);
	if (_i != 3)
		i++;
	while (i-- > 0)
		relay_session_free(all[i]);
}
END_TEST

/* Further pairings of a session count like further sessions; a share that is
 * used up is refused by closing the channel, as the reference would. A client
 * of ours is told why before, others are sent no byte that the reference would
 * not send. */
START_TEST(pairings_count)
{
	struct party *a, *b;

	native = _i == 1;
	a = join(0);
	b = join(1);
	host.limits.relay_sessions_key = 3;
	for (unsigned i = 0; i < 3; i++)
		pair(a, i, true);
	ck_assert_uint_eq(status().sessions, 4);
	pair(b, 0, false);
	ck_assert_uint_eq(status().linked, 1);
	pair(a, 3, true);
	ck_assert_uint_eq(a->channel, 0);
	ck_assert_uint_eq(refusals, native);
	if (native) {
		ck_assert_uint_eq(refusal.reason, RELAY_REASON_FULL);
		ck_assert_uint_eq(refusal.retry_s, 60);
	}
	ck_assert_uint_eq(host.stats.relayed_pairs_refused, 1);
	ck_assert_uint_eq(status().waiting, 0);
	ck_assert_uint_eq(status().sessions, 2);
	ck_assert_uint_eq(unlinks, 1);
	ck_assert_uint_ne(b->channel, 0);
}
END_TEST

START_TEST(broken_messages_break_the_stream)
{
	struct party *a = join(0);

	ck_assert_int_eq(
	    mux_send(a->mux, a->channel, RELAY_PAIR, "short", 5), 0);
	ck_assert_int_eq(carry_in(a), ERR_MALFORMED);
}
END_TEST

/* The client closes its channel, and messages for it follow. */
START_TEST(closed_channels_do_nothing)
{
	struct party *a = join(0), *b = join(1);

	pair(a, 5, true);
	pair(b, 5, false);
	mux_close(a->mux, a->channel);
	pass(a);
	ck_assert_uint_eq(unlinks, 1);
	ck_assert_uint_eq(status().linked, 0);
	pass_s(31);
	ck_assert_uint_eq(expelled, 2);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("relay_server", &tc);

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, pairs_two_of_our_clients);
	tcase_add_test(tc, uses_tokens_again);
	tcase_add_test(tc, strangers_change_nothing);
	tcase_add_test(tc, a_half_expires);
	tcase_add_test(tc, ends_while_matched);
	tcase_add_test(tc, streams_end_first);
	tcase_add_test(tc, a_flood_harms_itself);
	tcase_add_loop_test(tc, shares_are_bounded, 0, 4);
	tcase_add_loop_test(tc, pairings_count, 0, 2);
	tcase_add_test(tc, broken_messages_break_the_stream);
	tcase_add_test(tc, closed_channels_do_nothing);
	return s;
}
