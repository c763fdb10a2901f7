/* SPDX-License-Identifier: ISC */
/*
 * Goal: verifies that a stream answers as the reference's does. Method: injects
 * the scripts of the golden vectors, one datagram after the other, and compares
 * every reply and event. Deviations on purpose are listed here by row.
 */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

static const char file[] = "udx.json";

enum { US, PEER, OTHER };

struct script {
	struct lab lab;
	struct lab_stream *s; /* NULL once freed */
	uint32_t remote_id, local_id;
	const char *name;
};

/* Delivers all packets, which have no delay, and runs the timers due now. */
static void
settle(struct lab *lab)
{
	lab_run(lab, 2);
}

/* ---- the stream under test ---- */

static struct udx_path
peer_path(const struct script *t)
{
	return (struct udx_path){
	    .sock = 0, .to = lab_addr(PEER, 0), .id = t->remote_id};
}

static void
number_from(struct udx_stream *s, uint32_t seq, uint32_t ack)
{
	s->loss.in_flight.una = s->loss.in_flight.nxt = seq;
	s->loss.rack.fack = s->send.window_ack = seq;
	s->receive.next_seq = s->send.window_seq = ack;
}

static void
script_init(struct script *t, const json_t *row)
{
	const json_t *setup = t_get(row, "setup");
	struct udx_path path;

	*t = (struct script){
	    .remote_id = (uint32_t)t_uint(setup, "remote_id"),
	    .local_id = (uint32_t)t_uint(setup, "local_id"),
	    .name = t_string(row, "name"),
	};
	lab_init(&t->lab, 1, 1);
	t->s = lab_stream_new(&t->lab, US);
	number_from(t->s->s, (uint32_t)t_uint(setup, "seq"),
	    (uint32_t)t_uint(setup, "ack"));
	path = peer_path(t);
	if (t_bool(setup, "connected"))
		ck_assert_int_eq(udx_connect(t->s->s, &path), 0);
	settle(&t->lab);
}

static void
script_fini(struct script *t)
{
	if (t->s != NULL)
		lab_stream_free(t->s);
	lab_fini(&t->lab);
}

static bool
is(const struct script *t, const char *name)
{
	return strcmp(t->name, name) == 0;
}

/* ---- one step ---- */

/* Replaces the id of the vector with ours, which is random. */
static int
inject(struct script *t, const uint8_t *hex, size_t len)
{
	struct addr from = lab_addr(PEER, 0);
	uint8_t *buf = t_copy(hex, len);
	struct rd r = rd_init(buf, len);
	int verdict;

	(void)rd_le32(&r);
	if (rd_le32(&r) == t->local_id && rd_ok(&r) && t->s != NULL) {
		struct wr w = wr_init(buf + 4, 4);

		wr_le32(&w, udx_id(t->s->s));
	}
	verdict = lab_inject(&t->lab, US, 0, &from, buf, len);
	settle(&t->lab);
	free(buf);
	return verdict;
}

static void
call(struct script *t, const json_t *local)
{
	const char *what = t_string(local, "call");
	struct udx_path path = peer_path(t);
	uint8_t *p = NULL;
	size_t len = 0;

	if (json_object_get(local, "hex") != NULL)
		p = t_bytes(local, "hex", &len);
	if (strcmp(what, "write") == 0) {
		memcpy(udx_reserve(t->s->s, len), p, len);
		udx_commit(t->s->s, len);
	} else if (strcmp(what, "end") == 0) {
		udx_end(t->s->s);
	} else if (strcmp(what, "send-message") == 0) {
		ck_assert_int_eq(udx_send_message(t->s->s, p, len), 0);
	} else if (strcmp(what, "connect") == 0) {
		ck_assert_int_eq(udx_connect(t->s->s, &path), 0);
	} else {
		ck_assert_str_eq(what, "destroy");
		lab_stream_free(t->s);
		t->s = NULL;
	}
	free(p);
	settle(&t->lab);
}

/* Formats what the peer received as the vectors do, without the window. */
static void
expect_reply(struct script *t, const json_t *want)
{
	struct lab_packet *got = lab_got(&t->lab, PEER);
	struct packet p, w;
	uint8_t *hex;
	size_t len;

	ck_assert_msg(got != NULL, "%s: a reply is missing", t->name);
	hex = t_bytes(want, "hex", &len);
	ck_assert_int_eq(packet_decode(&p, got->buf, got->len), 0);
	ck_assert_int_eq(packet_decode(&w, hex, len), 0);
	ck_assert_uint_eq(p.type, w.type);
	ck_assert_uint_eq(p.id, w.id);
	ck_assert_uint_eq(p.seq, w.seq);
	ck_assert_uint_eq(p.ack, w.ack);
	ck_assert_uint_eq(p.offset, w.offset);
	ck_assert_uint_eq(p.payload.len, w.payload.len);
	if (w.payload.len > 0)
		ck_assert_mem_eq(p.payload.p, w.payload.p, w.payload.len);
	free(hex);
	free(got);
}

static void
expect_bytes(struct udx_stream *s, const uint8_t *p, size_t len)
{
	uint8_t *got = malloc(len);

	ck_assert_ptr_nonnull(got);
	udx_copy(s, 0, got, len);
	ck_assert_mem_eq(got, p, len);
	free(got);
	udx_consume(s, len);
}

/* All data events of a step were received together here. */
static void
expect_data(struct script *t, const json_t *events)
{
	size_t left = t->s != NULL ? udx_readable(t->s->s) : 0;
	const json_t *e;
	size_t i, len;

	json_array_foreach(events, i, e)
	{
		uint8_t *p;

		if (strcmp(t_string(e, "event"), "data") != 0)
			continue;
		p = t_bytes(e, "hex", &len);
		ck_assert_uint_le(len, left);
		if (len > 0)
			expect_bytes(t->s->s, p, len);
		left -= len;
		free(p);
	}
	ck_assert_uint_eq(left, 0);
}

static void
expect_message(struct script *t, const json_t *e)
{
	struct udx_message m;
	size_t len;
	uint8_t *p = t_bytes(e, "hex", &len);

	ck_assert(udx_next_message(t->s->s, &m));
	ck_assert_uint_eq(m.payload.len, len);
	if (len > 0)
		ck_assert_mem_eq(m.payload.p, p, len);
	ck_assert(m.validated);
	free(p);
}

static void
expect_event(struct script *t, const json_t *e, int verdict)
{
	const char *what = t_string(e, "event");
	struct udx_status st;

	if (strcmp(what, "message") == 0)
		expect_message(t, e);
	else if (strcmp(what, "end-of-stream") == 0)
		ck_assert(udx_ended(t->s->s));
	else if (strcmp(what, "firewall-asked") == 0)
		ck_assert(t->s->events & UDX_EV_SOURCE);
	else if (strcmp(what, "passed-to-datagram-handler") == 0)
		ck_assert_int_eq(verdict, UDX_NOT_MINE);
	if (t->s == NULL)
		return;
	udx_status(t->s->s, &st);
	if (strcmp(what, "error") == 0)
		ck_assert_int_eq(st.err, ERR_RESET);
	if (strcmp(what, "close") == 0) {
		ck_assert(st.closed);
		ck_assert(t->s->events & UDX_EV_CLOSED);
	}
}

/* With more than 50 ranges, the highest are reported as well. */
static void
expect_highest(struct script *t)
{
	struct lab_packet *got = lab_got(&t->lab, PEER);
	struct packet p;
	struct packet_range range;
	struct rd r;
	uint32_t expected = 5; /* 52 ranges from 1 on, each second number */

	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(packet_decode(&p, got->buf, got->len), 0);
	ck_assert_uint_eq(p.type, PACKET_SACK);
	ck_assert_uint_eq(p.ack, 0);
	r = rd_init(p.sacks.p, p.sacks.len);
	for (; packet_next_range(&r, &range); expected += 2) {
		ck_assert_uint_eq(range.start, expected);
		ck_assert_uint_eq(range.end, expected + 1);
	}
	ck_assert_uint_eq(expected, 105);
	free(got);
}

static void
run_step(struct script *t, const json_t *step)
{
	const json_t *events = json_object_get(step, "events"), *e;
	int verdict = 0;
	size_t i;

	if (json_object_get(step, "local") != NULL) {
		call(t, json_object_get(step, "local"));
	} else {
		const json_t *row = t_get(step, "inject");
		size_t len;
		uint8_t *p = t_bytes(row, "hex", &len);

		verdict = inject(t, p, len);
		free(p);
	}
	json_array_foreach(json_object_get(step, "replies"), i, e)
	    expect_reply(t, e);
	if (is(t, "sack-limit"))
		expect_highest(t);
	ck_assert_msg(t->lab.end[PEER].got == NULL,
	    "%s: a reply that nobody expects", t->name);
	expect_data(t, events);
	json_array_foreach(events, i, e) expect_event(t, e, verdict);
}

/* ---- deviations on purpose ---- */

/* Returns the acknowledgement in the answer to this step. */
static struct packet
answer_to(struct script *t, const json_t *step)
{
	size_t len;
	uint8_t *p = t_bytes(t_get(step, "inject"), "hex", &len);
	struct lab_packet *got;
	struct packet ack;

	ck_assert_int_eq(inject(t, p, len), 0);
	got = lab_got(&t->lab, PEER);
	ck_assert_ptr_nonnull(got);
	ck_assert_int_eq(packet_decode(&ack, got->buf, got->len), 0);
	ck_assert_uint_eq(ack.type, PACKET_ACK);
	ack.payload = ack.sacks = (struct bytes){0};
	free(got);
	free(p);
	return ack;
}

/* TIME-WAIT: an END that comes again is acknowledged again (protocol 05 §14,
 * pitfall U7). */
static void
acknowledges_again(struct script *t, const json_t *step)
{
	struct packet ack = answer_to(t, step);

	ck_assert_uint_eq(ack.seq, 2);
	ck_assert_uint_eq(ack.ack, 1);
}

/* Data beyond the window is dropped (protocol 05 §4, pitfall U12). */
static void
keeps_nothing_far(struct script *t, const json_t *step)
{
	ck_assert_uint_eq(answer_to(t, step).ack, 0);
	ck_assert_uint_eq(t->s->s->receive.reassembly.cost, 0);
}

/* Only the last step is listed. */
static void
make_gaps(struct script *t)
{
	for (uint32_t seq = 1; seq <= 101; seq += 2) {
		uint8_t buf[PACKET_HEADER + 1] = {0};
		struct packet p = {.type = PACKET_DATA,
		    .id = t->local_id,
		    .rwnd = 4194304,
		    .seq = seq};

		packet_encode(buf, &p);
		ck_assert_int_eq(inject(t, buf, sizeof buf), 0);
		while (t->lab.end[PEER].got != NULL)
			free(lab_got(&t->lab, PEER));
	}
}

static void
run(const json_t *row)
{
	struct script t;
	const json_t *steps = t_get(row, "steps"), *step;
	size_t i;

	script_init(&t, row);
	if (is(&t, "sack-limit"))
		make_gaps(&t);
	json_array_foreach(steps, i, step)
	{
		if (is(&t, "local-end-first") &&
		    i + 1 == json_array_size(steps))
			acknowledges_again(&t, step);
		else if (is(&t, "data-half-the-space-away"))
			keeps_nothing_far(&t, step);
		else if (is(&t, "not-connected-reject"))
			break; /* nothing is sent before connect (udx.h) */
		else
			run_step(&t, step);
	}
	script_fini(&t);
}

START_TEST(reactions)
{
	run(t_row(file, "reactions", _i));
}
END_TEST

START_TEST(malformed)
{
	run(t_row(file, "malformed", _i));
}
END_TEST

/* ---- damage ---- */

static void
take_damaged(const uint8_t *buf, size_t len, void *arg)
{
	struct script *t = arg;
	struct udx_path path = peer_path(t);

	(void)inject(t, buf, len);
	while (t->lab.end[PEER].got != NULL)
		free(lab_got(&t->lab, PEER));
	if (!(t->s->events & UDX_EV_CLOSED))
		return;
	lab_stream_free(t->s);
	t->s = lab_stream_new(&t->lab, US);
	ck_assert_int_eq(udx_connect(t->s->s, &path), 0);
}

static void
damage(const char *section, int i)
{
	const json_t *row = t_row(file, section, i), *step;
	size_t k, len;

	json_array_foreach(t_get(row, "steps"), k, step)
	{
		const json_t *in = json_object_get(step, "inject");
		struct script t;
		uint8_t *p;

		if (in == NULL)
			continue;
		script_init(&t, row);
		/* Something in flight, to be acknowledged wrongly. */
		(void)lab_write(t.s, 0, 5000);
		settle(&t.lab);
		p = t_bytes(in, "hex", &len);
		t_damage(p, len, take_damaged, &t);
		free(p);
		script_fini(&t);
	}
}

START_TEST(damaged_reactions)
{
	damage("reactions", _i);
}
END_TEST

START_TEST(damaged_malformed)
{
	damage("malformed", _i);
}
END_TEST

/* ---- the relay ---- */

struct relay_script {
	struct lab lab;
	struct lab_stream *side[2];
	const json_t *setup;
};

static const char *const side_name[] = {
    "relay_stream_for_A", "relay_stream_for_B"};

/* Each side connects to where its first packet comes from. */
static void
connect_learnt(struct relay_script *t, int side)
{
	struct lab_stream *s = t->side[side];
	struct udx_source from;
	struct udx_status st;
	struct udx_path path;

	udx_status(s->s, &st);
	if (st.connected || st.closed || !udx_source(s->s, &from))
		return;
	path = (struct udx_path){from.sock, from.from,
	    (uint32_t)t_uint(t_get(t->setup, side_name[side]), "remote_id")};
	ck_assert_int_eq(udx_connect(s->s, &path), 0);
}

static void
relay_step(struct relay_script *t, const json_t *step)
{
	const char *from = t_string(step, "from");
	int side = from[0] == 'B';
	struct addr addr = lab_addr(side ? OTHER : PEER, from[1] == '2');
	size_t len;
	uint8_t *p = t_bytes(t_get(step, "inject"), "hex", &len);
	struct wr w = wr_init(p + 4, 4);

	wr_le32(&w, udx_id(t->side[side]->s));
	(void)lab_inject(&t->lab, US, 0, &addr, p, len);
	settle(&t->lab);
	connect_learnt(t, side);
	settle(&t->lab);
	free(p);
}

static void
expect_forwarded(struct relay_script *t, const json_t *step, bool early)
{
	const json_t *f;
	size_t i, len;

	json_array_foreach(json_object_get(step, "forwarded"), i, f)
	{
		int at = t_string(f, "at")[0] == 'B' ? OTHER : PEER;
		struct lab_packet *got = lab_got(&t->lab, at);
		uint8_t *p = t_bytes(f, "hex", &len);

		ck_assert_ptr_nonnull(got);
		ck_assert_uint_eq(got->len, len);
		ck_assert_mem_eq(got->buf, p, len);
		free(got);
		free(p);
	}
	if (early) {
		/* A's first packets were kept until B was connected (protocol
		 * 05 §14). */
		struct lab_packet *got = lab_got(&t->lab, OTHER);

		ck_assert_ptr_nonnull(got);
		t_assert_hex(got->buf, got->len,
		    "ff0101000c0000000000400000000000000000006669727374");
		free(got);
	}
	ck_assert_ptr_null(t->lab.end[PEER].got);
	ck_assert_ptr_null(t->lab.end[OTHER].got);
}

START_TEST(relays)
{
	const json_t *row = t_get(t_vectors(file), "relay"), *step;
	struct relay_script t = {.setup = t_get(row, "setup")};
	size_t i;

	lab_init(&t.lab, 1, 1);
	t.side[0] = lab_stream_new(&t.lab, US);
	t.side[1] = lab_stream_new(&t.lab, US);
	udx_relay(t.side[0]->s, t.side[1]->s);
	json_array_foreach(t_get(row, "steps"), i, step)
	{
		relay_step(&t, step);
		expect_forwarded(&t, step, i == 1);
	}
	/* DESTROY has ended both. */
	ck_assert(t.side[0]->events & UDX_EV_CLOSED);
	ck_assert(t.side[1]->events & UDX_EV_CLOSED);
	lab_stream_free(t.side[0]);
	lab_stream_free(t.side[1]);
	lab_fini(&t.lab);
}
END_TEST

/* ---- captured from a real network ---- */

/* The second of five packets arrives last; B answers as in the capture. */
START_TEST(answers_a_loss)
{
	const json_t *row = t_row(file, "captures", 1), *p;
	struct script t = {.local_id = 9, .remote_id = 7, .name = "loss"};
	struct udx_path path;
	size_t i, len, n = 0;

	lab_init(&t.lab, 1, 1);
	t.s = lab_stream_new(&t.lab, US);
	path = peer_path(&t);
	ck_assert_int_eq(udx_connect(t.s->s, &path), 0);
	json_array_foreach(t_get(row, "packets"), i, p)
	{
		bool lost = t_uint(p, "seq") == 2 && n++ == 0;
		uint8_t *hex;

		if (strcmp(t_string(p, "from"), "B") == 0 || lost)
			continue;
		hex = t_bytes(p, "hex", &len);
		ck_assert_int_eq(inject(&t, hex, len), 0);
		free(hex);
	}
	json_array_foreach(t_get(row, "packets"), i, p)
	{
		if (strcmp(t_string(p, "from"), "B") == 0)
			expect_reply(&t, p);
	}
	ck_assert_uint_eq(udx_readable(t.s->s), 1 + 5 * 1152);
	ck_assert(t.s->events & UDX_EV_CLOSED); /* A has destroyed it */
	script_fini(&t);
}
END_TEST

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("udx_vectors", &tc);

	tcase_add_loop_test(tc, reactions, 0, t_rows(file, "reactions"));
	tcase_add_loop_test(tc, malformed, 0, t_rows(file, "malformed"));
	tcase_add_loop_test(
	    tc, damaged_reactions, 0, t_rows(file, "reactions"));
	tcase_add_loop_test(
	    tc, damaged_malformed, 0, t_rows(file, "malformed"));
	tcase_add_test(tc, relays);
	tcase_add_test(tc, answers_a_loss);
	return s;
}
