/* SPDX-License-Identifier: ISC */
/*
 * Protomux against the messages of the reference, whole, cut, flipped, in one
 * batch, and through a secret stream byte by byte; then two muxes of ours for
 * what protocol 07 §14 warns of (pitfalls M1 to M4), and every limit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fake_udx.h"
#include "world/sim_world.h"
#include "stream/mux.h"
#include "stream/mux.h"
#include "stream/secret.h"
#include "t.h"

#define FILE_NAME "blind-relay.json"

static struct mux *near, *far;

static void
set_up(void)
{
	near = mux_new();
	far = mux_new();
	ck_assert(near != NULL && far != NULL);
}

static void
tear_down(void)
{
	mux_free(near);
	mux_free(far);
}

/* ---- words ---- */

static struct mux_name
name_of(const char *protocol, const void *id, size_t id_len)
{
	return (struct mux_name){
	    {(const uint8_t *)protocol, strlen(protocol)}, {id, id_len}};
}

static uint32_t
open_channel(struct mux *m, const char *protocol)
{
	struct mux_name name = name_of(protocol, NULL, 0);
	uint32_t channel = 0;

	ck_assert_int_eq(mux_open(m, &name, (struct bytes){0}, &channel), 0);
	ck_assert_uint_gt(channel, 0);
	return channel;
}

static void
send_text(struct mux *m, uint32_t channel, uint64_t type, const char *text)
{
	ck_assert_int_eq(mux_send(m, channel, type, text, strlen(text)), 0);
}

/* The next message to be sent is this one; it is taken. */
static void
expect_out(struct mux *m, const char *hex)
{
	struct bytes b = mux_peek(m);

	ck_assert_ptr_nonnull(b.p);
	t_assert_hex(b.p, b.len, hex);
	mux_consume(m);
}

static void
expect_no_out(struct mux *m)
{
	ck_assert_ptr_null(mux_peek(m).p);
}

static bool
is_text(struct bytes b, const char *text)
{
	return b.len == strlen(text) && memcmp(b.p, text, b.len) == 0;
}

/* The next event of what is read is of that kind. */
static struct mux_event
expect_event(struct mux *m, struct bytes message, enum mux_kind kind)
{
	struct mux_event ev;

	ck_assert_int_eq(mux_read(m, message, &ev), MUX_EVENT);
	ck_assert_int_eq(ev.kind, kind);
	return ev;
}

static void
expect_text(struct mux *m, struct bytes message, uint32_t channel,
    uint64_t type, const char *text)
{
	struct mux_event ev = expect_event(m, message, MUX_MESSAGE);

	ck_assert_uint_eq(ev.channel, channel);
	ck_assert_uint_eq(ev.type, type);
	ck_assert(is_text(ev.body, text));
}

static void
expect_result(struct mux *m, struct bytes message, int want)
{
	struct mux_event ev;

	ck_assert_int_eq(mux_read(m, message, &ev), want);
}

/* Bytes of hex that the test need not free itself. */
static struct bytes
hex(const char *text)
{
	static uint8_t *kept[64];
	static unsigned n;
	uint8_t **slot = &kept[n++ % 64];
	struct bytes b;

	free(*slot);
	*slot = t_hex(text, &b.len);
	b.p = *slot;
	return b;
}

/*
 * Delivers the next message of one to the other, which must report no event but
 * the expected one, if any.
 */
static struct mux_event
carry(struct mux *from, struct mux *to, enum mux_kind kind)
{
	struct bytes message = mux_peek(from);
	struct mux_event ev;

	ck_assert_ptr_nonnull(message.p);
	ev = expect_event(to, message, kind);
	expect_result(to, message, MUX_DONE);
	mux_consume(from);
	return ev;
}

static void
carry_quietly(struct mux *from, struct mux *to)
{
	ck_assert_ptr_nonnull(mux_peek(from).p);
	expect_result(to, mux_peek(from), MUX_DONE);
	mux_consume(from);
}

/* A channel open on both ends; returns the near end's number. */
static uint32_t
pair(const char *protocol)
{
	uint32_t channel = open_channel(near, protocol);

	open_channel(far, protocol);
	carry(near, far, MUX_OPENED);
	carry(far, near, MUX_OPENED);
	return channel;
}

/* ---- golden messages ---- */

START_TEST(protomux_is_golden)
{
	const json_t *rows = t_get(t_vectors(FILE_NAME), "protomux");
	const char *said[8];
	struct bytes batch;
	struct mux_event ev;
	uint32_t c, n = 0;

	for (size_t i = 0; i < json_array_size(rows); i++)
		if (json_object_get(json_array_get(rows, i), "hex") != NULL)
			said[n++] = t_string(json_array_get(rows, i), "hex");
	ck_assert_uint_eq(n, 6);
	/* near is the client, far the server, which has no "test". */
	c = open_channel(near, "test");
	expect_out(near, said[0]);
	ev = expect_event(far, hex(said[0]), MUX_OFFER);
	ck_assert(is_text(ev.name.protocol, "test"));
	ck_assert_uint_eq(ev.name.id.len, 0);
	mux_reject(far, ev.channel);
	expect_result(far, hex(said[0]), MUX_DONE);
	expect_out(far, said[1]);
	ck_assert_uint_eq(
	    expect_event(near, hex(said[1]), MUX_CLOSED).channel, c);
	expect_result(near, hex(said[1]), MUX_DONE);
	/* The second it opens, and a message was there before. */
	c = open_channel(near, "test2");
	expect_out(near, said[2]);
	send_text(near, c, 0, "early");
	expect_out(near, said[3]);
	expect_event(far, hex(said[2]), MUX_OFFER);
	expect_result(far, hex(said[2]), MUX_DONE);
	expect_result(far, hex(said[3]), MUX_DONE);
	c = open_channel(far, "test2");
	expect_out(far, said[4]);
	expect_text(far, (struct bytes){0}, c, 0, "early");
	expect_result(far, (struct bytes){0}, MUX_DONE);
	/* Two messages and the close in one. */
	batch = hex(said[5]);
	expect_text(far, batch, c, 0, "one");
	expect_text(far, batch, c, 1, "two");
	ck_assert_uint_eq(expect_event(far, batch, MUX_CLOSED).channel, c);
	expect_result(far, batch, MUX_DONE);
	ck_assert_uint_eq(far->channels.len, 0);
	expect_no_out(far);
}
END_TEST

static uint32_t
open_relay(struct mux *m, const char *key)
{
	const json_t *inputs = t_get(t_vectors(FILE_NAME), "inputs");
	struct bytes id = hex(t_string(inputs, key));
	struct mux_name name = name_of("blind-relay", id.p, id.len);
	uint32_t channel;

	ck_assert_int_eq(mux_open(m, &name, (struct bytes){0}, &channel), 0);
	return channel;
}

static const json_t *
said_by(const char *who, size_t i)
{
	const json_t *all =
	    t_get(t_get(t_vectors(FILE_NAME), "relay_session"), "transcript");

	for (size_t k = 0; k < json_array_size(all); k++) {
		const json_t *row = json_array_get(all, k);
		const char *dir =
		    json_string_value(json_object_get(row, "dir"));

		if (dir != NULL && strcmp(dir, who) == 0 && i-- == 0)
			return row;
	}
	return NULL;
}

/* The messages between A and the relay are equal to the golden ones. */
START_TEST(a_relay_session_is_golden)
{
	uint32_t a = open_relay(near, "public_key_A");
	uint32_t r = open_relay(far, "public_key_A");
	const json_t *row;
	struct mux_event ev;

	for (size_t i = 0; (row = said_by("A to relay", i)) != NULL; i++) {
		struct bytes m = hex(t_string(row, "hex"));

		if (i == 1 || i == 2)
			ck_assert_int_eq(
			    mux_send(near, a, i - 1, m.p + 2, m.len - 2), 0);
		if (i == 3)
			mux_close(near, a);
		expect_out(near, t_string(row, "hex"));
		ev = expect_event(far, m,
		    i == 0   ? MUX_OPENED
		    : i == 3 ? MUX_CLOSED
			     : MUX_MESSAGE);
		ck_assert_uint_eq(ev.channel, r);
		expect_result(far, m, MUX_DONE);
		if (i == 1 || i == 2) {
			ck_assert_uint_eq(ev.type, i - 1);
			ck_assert_mem_eq(ev.body.p, m.p + 2, m.len - 2);
		}
		if (i > 0)
			continue;
		row = said_by("relay to A", 0);
		expect_out(far, t_string(row, "hex"));
		m = hex(t_string(row, "hex"));
		expect_event(near, m, MUX_OPENED);
		expect_result(near, m, MUX_DONE);
	}
	expect_no_out(near);
	expect_no_out(far);
}
END_TEST

/* Reads one message; offers are rejected. False: the connection is lost. */
static bool
read_all(struct mux *m, struct bytes message)
{
	struct mux_event ev;
	int result;

	while ((result = mux_read(m, message, &ev)) == MUX_EVENT) {
		if (ev.kind == MUX_OFFER)
			mux_reject(m, ev.channel);
		ck_assert(ev.body.len == 0 || ev.body.p != NULL);
	}
	return result == MUX_DONE;
}

/* Returns whether the decoder of messages finds the fault, not the mux. */
static bool
is_codec_matter(const json_t *row)
{
	return strcmp(t_string(row, "name"), "pair-truncated-token") == 0 ||
	       strcmp(t_string(row, "name"), "pair-missing-seq") == 0;
}

START_TEST(malformed_is_judged) /* pitfalls M3, M4 */
{
	const json_t *row = t_row(FILE_NAME, "malformed", _i);
	const json_t *inputs = t_get(row, "input_hex");
	const json_t *reply = json_array_get(t_get(row, "replies"), 0);
	bool alive = true;

	open_relay(far, "public_key_A");
	mux_consume(far);
	for (size_t i = 0; i < json_array_size(inputs); i++)
		alive = alive && read_all(far, hex(json_string_value(
						   json_array_get(inputs, i))));
	ck_assert(
	    alive == (t_bool(row, "connection_alive") || is_codec_matter(row)));
	if (reply != NULL && json_object_get(reply, "control") != NULL)
		expect_out(far, t_string(reply, "hex"));
	if (alive)
		expect_no_out(far);
	/* A mux that has failed accepts nothing more. */
	ck_assert(read_all(far, hex("05")) == false);
}
END_TEST

/* ---- damage ---- */

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	const json_t *before = arg;
	struct mux *m = mux_new();
	uint32_t channel;

	ck_assert_ptr_nonnull(m);
	channel = open_relay(m, "public_key_A");
	for (size_t i = 0; i < json_array_size(before); i++)
		(void)read_all(
		    m, hex(json_string_value(json_array_get(before, i))));
	(void)read_all(m, (struct bytes){buf, len});
	ck_assert_uint_le(m->channels.len, 2);
	ck_assert_uint_le(m->queue.cost, MUX_QUEUED_MAX);
	mux_close(m, channel);
	mux_free(m);
}

/* The last message of a row, after those before it as they should be. */
START_TEST(damage_does_no_harm)
{
	const json_t *row = t_row(FILE_NAME, "malformed", _i);
	json_t *inputs = json_deep_copy(t_get(row, "input_hex"));
	size_t last = json_array_size(inputs) - 1, len;
	uint8_t *buf =
	    t_hex(json_string_value(json_array_get(inputs, last)), &len);

	json_array_remove(inputs, last);
	t_damage(buf, len, take_damaged, inputs);
	free(buf);
	json_decref(inputs);
}
END_TEST

START_TEST(damaged_batches_do_no_harm) /* pitfall M4 */
{
	const json_t *rows = t_get(t_vectors(FILE_NAME), "protomux");
	json_t *none = json_array();
	size_t len;
	uint8_t *buf;

	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *h =
		    json_object_get(json_array_get(rows, i), "hex");

		if (h == NULL)
			continue;
		buf = t_hex(json_string_value(h), &len);
		t_damage(buf, len, take_damaged, none);
		free(buf);
	}
	json_decref(none);
}
END_TEST

/* ---- many at once, and byte by byte ---- */

/* Counts the messages of A in the session, as events of the relay's mux. */
static unsigned
count_session(struct mux *m, struct bytes message)
{
	struct mux_event ev;
	unsigned n = 0;

	while (mux_read(m, message, &ev) == MUX_EVENT)
		n++;
	return n;
}

START_TEST(a_session_in_one_batch)
{
	uint8_t batch[1024], *p = batch;
	const json_t *row;

	open_relay(far, "public_key_A");
	memcpy(p, "\0\0\0", 3);
	p += 3;
	for (size_t i = 0; (row = said_by("A to relay", i)) != NULL; i++) {
		struct bytes m = hex(t_string(row, "hex"));

		/* Control, or a message of the first channel. */
		*p++ = 0;
		*p++ = m.p[0];
		*p++ = (uint8_t)(m.len - 1);
		memcpy(p, m.p + 1, m.len - 1);
		p += m.len - 1;
	}
	ck_assert_uint_eq(
	    count_session(far, (struct bytes){batch, (size_t)(p - batch)}), 4);
}
END_TEST

START_TEST(a_session_byte_by_byte)
{
	struct sim_world fw;
	struct timers ts;
	struct udx_stream out, in;
	struct secret_keys keys = {.initiator = true};
	struct secret *s, *r;
	const json_t *row;
	unsigned n = 0;

	sim_world_init(&fw, NULL, 1);
	timers_init(&ts);
	fake_udx_init(&out);
	fake_udx_init(&in);
	s = secret_new(&fw.w, &ts, &out, &keys);
	keys.initiator = false;
	r = secret_new(&fw.w, &ts, &in, &keys);
	ck_assert_int_eq(secret_start(s), 0);
	for (size_t i = 0; (row = said_by("A to relay", i)) != NULL; i++) {
		struct bytes m = hex(t_string(row, "hex"));

		ck_assert_int_eq(secret_send(s, m.p, m.len), 0);
	}
	open_relay(far, "public_key_A");
	for (size_t i = 0; i < out.out_len; i++) {
		struct bytes m;
		bool whole;
		int err;

		fake_udx_feed(&in, out.out + i, 1);
		m = secret_peek(r, &whole, &err);
		ck_assert_int_eq(err, 0);
		n += count_session(far, m);
		if (m.p != NULL)
			secret_consume(r, m.len);
	}
	ck_assert_uint_eq(n, 4);
	secret_free(s);
	secret_free(r);
	fake_udx_fini(&out);
	fake_udx_fini(&in);
	timers_fini(&ts);
	sim_world_fini(&fw);
}
END_TEST

/* ---- two ends ---- */

START_TEST(ids_are_the_senders) /* pitfall M1 */
{
	uint32_t na = open_channel(near, "a"), nb = open_channel(near, "b");
	uint32_t fb = open_channel(far, "b"), fa = open_channel(far, "a");

	ck_assert_uint_ne(na, fa);
	for (int i = 0; i < 2; i++) {
		carry(near, far, MUX_OPENED);
		carry(far, near, MUX_OPENED);
	}
	send_text(near, na, 0, "to a");
	send_text(near, nb, 0, "to b");
	send_text(far, fa, 0, "from a");
	expect_text(far, mux_peek(near), fa, 0, "to a");
	expect_result(far, mux_peek(near), MUX_DONE);
	mux_consume(near);
	expect_text(far, mux_peek(near), fb, 0, "to b");
	expect_text(near, mux_peek(far), na, 0, "from a");
}
END_TEST

START_TEST(early_messages_wait) /* pitfall M2 */
{
	uint32_t n = open_channel(near, "late"), f;
	char text[2] = "0";

	for (int i = 0; i < 10; i++, text[0]++)
		send_text(near, n, 7, text);
	carry(near, far, MUX_OFFER);
	for (int i = 0; i < 10; i++)
		carry_quietly(near, far);
	/* What comes for others meanwhile is read. */
	pair("other");
	f = open_channel(far, "late");
	send_text(near, n, 7, text);
	for (text[0] = '0'; text[0] <= '9'; text[0]++)
		expect_text(far, mux_peek(near), f, 7, text);
	expect_text(far, mux_peek(near), f, 7, text);
	expect_result(far, mux_peek(near), MUX_DONE);
	ck_assert_uint_eq(far->queue.cost, 0);
}
END_TEST

START_TEST(the_reader_waits_above_a_limit) /* pitfall M2 */
{
	static const uint8_t some[1000];
	uint32_t n = open_channel(near, "late");
	struct mux_event ev;
	unsigned sent = 0, got = 0;

	carry(near, far, MUX_OFFER);
	for (;;) {
		ck_assert_int_eq(mux_send(near, n, 0, some, sizeof some), 0);
		sent++;
		if (mux_read(far, mux_peek(near), &ev) == MUX_WAIT)
			break;
		mux_consume(near);
	}
	ck_assert_uint_gt(sent, 28);
	ck_assert_uint_le(far->queue.cost, MUX_QUEUED_MAX);
	/* It waits on, until the offer is answered; then all come. */
	expect_result(far, mux_peek(near), MUX_WAIT);
	open_channel(far, "late");
	while (mux_read(far, mux_peek(near), &ev) == MUX_EVENT)
		got++;
	ck_assert_uint_eq(got, sent);
	ck_assert_uint_eq(far->queue.cost, 0);
}
END_TEST

START_TEST(a_message_above_the_limit_waits_where_it_is)
{
	static const uint8_t much[MUX_QUEUED_MAX];
	uint32_t n = open_channel(near, "late"), f;
	struct mux_event ev;

	carry(near, far, MUX_OFFER);
	ck_assert_int_eq(mux_send(near, n, 0, much, sizeof much), 0);
	expect_result(far, mux_peek(near), MUX_WAIT);
	ck_assert_uint_eq(far->queue.cost, 0);
	f = open_channel(far, "late");
	ev = expect_event(far, mux_peek(near), MUX_MESSAGE);
	ck_assert(ev.channel == f && ev.body.len == sizeof much);
}
END_TEST

START_TEST(a_rejected_offer_frees_the_reader)
{
	static const uint8_t much[MUX_QUEUED_MAX - 100];
	uint32_t n = open_channel(near, "late");

	carry(near, far, MUX_OFFER);
	ck_assert_int_eq(mux_send(near, n, 0, much, sizeof much), 0);
	carry_quietly(near, far);
	send_text(near, n, 0, "one more, with what it costs to keep it");
	expect_result(far, mux_peek(near), MUX_WAIT);
	mux_reject(far, 1);
	ck_assert_uint_eq(far->queue.cost, 0);
	carry_quietly(near, far);
	ck_assert_uint_eq(carry(far, near, MUX_CLOSED).channel, n);
	ck_assert_uint_eq(near->channels.len + far->channels.len, 0);
}
END_TEST

START_TEST(an_offer_closed_early_is_read_to_its_end)
{
	uint32_t n = open_channel(near, "brief"), f;

	send_text(near, n, 0, "all there is");
	mux_close(near, n);
	carry(near, far, MUX_OFFER);
	carry_quietly(near, far);
	carry_quietly(near, far);
	f = open_channel(far, "brief");
	expect_text(far, (struct bytes){0}, f, 0, "all there is");
	ck_assert_uint_eq(
	    expect_event(far, (struct bytes){0}, MUX_CLOSED).channel, f);
	expect_result(far, (struct bytes){0}, MUX_DONE);
	/* An open that arrives too late frees the id without an event. */
	ck_assert_uint_eq(near->channels.len, 1);
	carry_quietly(far, near);
	ck_assert_uint_eq(near->channels.len + far->channels.len, 0);
	/* A second close, for peers that have missed the first. */
	expect_out(near, "000301");
	expect_result(far, hex("000301"), MUX_DONE);
}
END_TEST

START_TEST(ids_are_used_again)
{
	uint32_t a = pair("a"), b = pair("b");

	mux_close(near, a);
	ck_assert_uint_eq(open_channel(near, "c"), a);
	carry(near, far, MUX_CLOSED);
	ck_assert_uint_eq(carry(near, far, MUX_OFFER).channel, a);
	open_channel(far, "c");
	carry(far, near, MUX_OPENED);
	send_text(near, b, 0, "b");
	carry(near, far, MUX_MESSAGE);
}
END_TEST

START_TEST(an_id_is_not_free_before_the_peer_knows)
{
	uint32_t a = open_channel(near, "a");

	mux_close(near, a);
	ck_assert_int_eq(mux_send(near, a, 0, "x", 1), ERR_UNKNOWN);
	ck_assert_uint_ne(open_channel(near, "b"), a);
	carry(near, far, MUX_OFFER);
	mux_reject(far, 1);
	carry_quietly(near, far);
	carry_quietly(far, near);
	ck_assert_uint_eq(open_channel(near, "c"), a);
}
END_TEST

START_TEST(both_close_at_once)
{
	uint32_t n = pair("a");

	mux_close(near, n);
	mux_close(far, n);
	carry_quietly(near, far);
	carry_quietly(far, near);
	ck_assert_uint_eq(near->channels.len + far->channels.len, 0);
	pair("a");
}
END_TEST

START_TEST(messages_after_a_close_are_ignored)
{
	uint32_t n = pair("a");

	send_text(near, n, 0, "too late");
	mux_close(far, n);
	carry_quietly(near, far);
	ck_assert_uint_eq(carry(far, near, MUX_CLOSED).channel, n);
	ck_assert_int_eq(mux_send(near, n, 0, "x", 1), ERR_UNKNOWN);
}
END_TEST

START_TEST(handshakes_are_carried)
{
	struct mux_name name = name_of("shake", "id", 2);
	struct bytes hello = {(const uint8_t *)"hello", 5};
	struct mux_event ev;
	uint32_t channel;

	ck_assert_int_eq(mux_open(near, &name, hello, &channel), 0);
	ev = expect_event(far, mux_peek(near), MUX_OFFER);
	ck_assert(is_text(ev.body, "hello") && is_text(ev.name.id, "id"));
	expect_result(far, mux_peek(near), MUX_DONE);
	ck_assert_int_eq(mux_open(far, &name, hello, &channel), 0);
	ev = expect_event(near, mux_peek(far), MUX_OPENED);
	ck_assert(is_text(ev.body, "hello"));
}
END_TEST

START_TEST(a_reject_of_what_is_open_destroys) /* pitfall M3 */
{
	pair("a");
	expect_result(near, hex("000201"), ERR_MALFORMED);
	expect_result(near, hex("0005"), ERR_MALFORMED);
}
END_TEST

/* ---- batches ---- */

START_TEST(batches_nest_and_switch) /* pitfall M4 */
{
	uint32_t a = pair("a"), b = pair("b");
	/* Channel 1: "x"; switch to 2: "y"; switch to 0: a batch for 1 of "z"
	 * and a switch to 2 with "w"; back on 0, an unknown control type. */
	struct bytes m = hex("000001"
			     "020078"
			     "0002"
			     "020079"
			     "0000"
			     "0a 00 01 02007a 0002 020377"
			     "020900"
			     "0001"
			     "020976");

	expect_text(far, m, a, 0, "x");
	expect_text(far, m, b, 0, "y");
	expect_text(far, m, a, 0, "z");
	expect_text(far, m, b, 3, "w");
	expect_text(far, m, a, 9, "v");
	expect_result(far, m, MUX_DONE);
}
END_TEST

START_TEST(a_last_part_is_cut) /* pitfall M4 */
{
	uint32_t a = pair("a");
	struct bytes m = hex("000001 fdffff 0078797a");

	expect_text(far, m, a, 0, "xyz");
	expect_result(far, m, MUX_DONE);
	/* But a part that has not even a type is not there. */
	expect_result(far, hex("000001 05"), ERR_MALFORMED);
}
END_TEST

START_TEST(a_batch_waits_in_the_middle)
{
	static const uint8_t much[MUX_QUEUED_MAX - 100];
	uint32_t n = open_channel(near, "late"), f;
	struct bytes m =
	    hex("000001 0b0061626364656667686970 0b0071626364656667"
		"686970 0000 020900");

	carry(near, far, MUX_OFFER);
	ck_assert_int_eq(mux_send(near, n, 0, much, sizeof much), 0);
	carry_quietly(near, far);
	expect_result(far, m, MUX_WAIT);
	expect_result(far, m, MUX_WAIT);
	f = open_channel(far, "late");
	ck_assert_uint_eq(
	    expect_event(far, m, MUX_MESSAGE).body.len, sizeof much);
	expect_text(far, m, f, 0, "abcdefghip");
	expect_text(far, m, f, 0, "qbcdefghip");
	expect_result(far, m, MUX_DONE);
}
END_TEST

START_TEST(too_deep_is_malformed)
{
	expect_result(
	    far, hex("000000 0a 0000 07 0000 04 0000 01 09"), MUX_DONE);
	expect_result(far, hex("000000 0d 0000 0a 0000 07 0000 04 0000 01 09"),
	    ERR_MALFORMED);
}
END_TEST

/* ---- limits ---- */

START_TEST(one_channel_of_a_name)
{
	struct mux_name name = name_of("a", NULL, 0);
	uint32_t channel;

	open_channel(near, "a");
	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){0}, &channel), ERR_EXISTS);
}
END_TEST

START_TEST(names_have_a_limit)
{
	uint8_t id[MUX_NAME_MAX + 1] = {0};
	struct mux_name name = name_of("a", id, sizeof id);
	uint32_t channel;

	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){0}, &channel), ERR_SIZE);
	name = name_of("", id, 1);
	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){0}, &channel), ERR_SIZE);
	/* A peer's is rejected. */
	expect_result(far, hex("000101 00 00"), MUX_DONE);
	expect_out(far, "000201");
}
END_TEST

START_TEST(channels_have_a_limit)
{
	char text[16];
	struct mux_name name = name_of("one more", NULL, 0);
	uint32_t channel;

	for (int i = 0; i < MUX_CHANNELS_MAX; i++) {
		snprintf(text, sizeof text, "channel %d", i);
		open_channel(near, text);
		carry(near, far, MUX_OFFER);
	}
	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){0}, &channel), ERR_LIMIT);
	/* The next offer is rejected, its id may be used again. */
	expect_result(far, hex("000141 0161 00"), MUX_DONE);
	expect_out(far, "000241");
	expect_result(far, hex("000141 0161 00"), MUX_DONE);
	expect_result(far, hex("000143 0161 00"), ERR_MALFORMED);
}
END_TEST

START_TEST(a_peer_that_takes_no_replies_is_not_read)
{
	struct mux_event ev;
	unsigned n = 0;

	while (mux_read(far, hex("000101 0161 00"), &ev) == MUX_EVENT) {
		mux_reject(far, ev.channel);
		n += mux_read(far, hex("000101 0161 00"), &ev) == MUX_DONE;
		ck_assert_uint_lt(n, 20000);
	}
	ck_assert_uint_le(mux_writer_len(&far->writer), 2 * MUX_OUT_MAX);
	expect_result(far, hex("000101 0161 00"), MUX_WAIT);
	for (int i = 0; i < 10; i++)
		expect_out(far, "000201");
	expect_event(far, hex("000101 0161 00"), MUX_OFFER);
}
END_TEST

START_TEST(what_is_sent_has_a_limit)
{
	static const uint8_t much[MUX_OUT_MAX + 1];
	uint32_t n = open_channel(near, "a");
	struct mux_name name = name_of("b", NULL, 0);

	ck_assert_int_eq(mux_send(near, n, 0, much, sizeof much), ERR_SIZE);
	ck_assert_int_eq(mux_send(near, n, 0, much, MUX_OUT_MAX - 100), 0);
	ck_assert_int_eq(mux_send(near, n, 0, much, 100), ERR_FULL);
	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){much, MUX_OUT_MAX}, &n),
	    ERR_FULL);
	ck_assert_int_eq(
	    mux_open(near, &name, (struct bytes){much, MUX_OUT_MAX + 1}, &n),
	    ERR_SIZE);
	mux_consume(near);
	mux_consume(near);
	ck_assert_int_eq(mux_send(near, n, 0, much, 100), 0);
	ck_assert_uint_eq(mux_peek(near).len, 102);
	ck_assert_int_eq(mux_send(near, 9, 0, much, 1), ERR_UNKNOWN);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("mux", &tc);
	int malformed = t_rows(FILE_NAME, "malformed");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, protomux_is_golden);
	tcase_add_test(tc, a_relay_session_is_golden);
	tcase_add_loop_test(tc, malformed_is_judged, 0, malformed);
	tcase_add_loop_test(tc, damage_does_no_harm, 0, malformed);
	tcase_add_test(tc, damaged_batches_do_no_harm);
	tcase_add_test(tc, a_session_in_one_batch);
	tcase_add_test(tc, a_session_byte_by_byte);
	tcase_add_test(tc, ids_are_the_senders);
	tcase_add_test(tc, early_messages_wait);
	tcase_add_test(tc, the_reader_waits_above_a_limit);
	tcase_add_test(tc, a_message_above_the_limit_waits_where_it_is);
	tcase_add_test(tc, a_rejected_offer_frees_the_reader);
	tcase_add_test(tc, an_offer_closed_early_is_read_to_its_end);
	tcase_add_test(tc, ids_are_used_again);
	tcase_add_test(tc, an_id_is_not_free_before_the_peer_knows);
	tcase_add_test(tc, both_close_at_once);
	tcase_add_test(tc, messages_after_a_close_are_ignored);
	tcase_add_test(tc, handshakes_are_carried);
	tcase_add_test(tc, a_reject_of_what_is_open_destroys);
	tcase_add_test(tc, batches_nest_and_switch);
	tcase_add_test(tc, a_last_part_is_cut);
	tcase_add_test(tc, a_batch_waits_in_the_middle);
	tcase_add_test(tc, too_deep_is_malformed);
	tcase_add_test(tc, one_channel_of_a_name);
	tcase_add_test(tc, names_have_a_limit);
	tcase_add_test(tc, channels_have_a_limit);
	tcase_add_test(tc, a_peer_that_takes_no_replies_is_not_read);
	tcase_add_test(tc, what_is_sent_has_a_limit);
	return s;
}
