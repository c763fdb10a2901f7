/* SPDX-License-Identifier: ISC */
/*
 * Goal: listeners and connections of control clients: every byte arrives in
 * order in both directions, a side that has ended still receives, a client that
 * disconnects loses what it owns, and no client harms another. Method:
 * control_rig.h; the test is the other end of each connection.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/text.h"
#include "control_rig.h"
#include "lab.h"
#include "t.h"
#include "udx/stream.h"

#define KEY "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"
#define REQUEST(method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method                   \
	"\",\"params\":{" params "}}"
#define CONNECT REQUEST("connect", "\"public_key\":\"" KEY "\"")
#define LISTEN REQUEST("listen", "")
#define ACCEPT(n) REQUEST("accept", "\"listener\":" n)

static void
run_loop_often(void)
{
	for (int i = 0; i < 8; i++)
		run_loop();
}

/* The error's reason, "" if it is a result. */
static void
assert_err_name(struct peer_end *p, const char *reason)
{
	json_t *j = client_read(p);
	const char *name = "";

	json_unpack(j, "{s:{s:{s:s}}}", "error", "data", "err_name", &name);
	ck_assert_str_eq(name, reason);
	json_decref(j);
}

static json_int_t
result_int(json_t *j, const char *name)
{
	json_int_t n = -1;

	json_unpack(j, "{s:{s:I}}", "result", name, &n);
	json_decref(j);
	return n;
}

/* ---- the stream ---- */

/* Returns a client with connection 1 of the simulated rig.node. */
static struct peer_end *
make_stream(const char *early)
{
	struct peer_end *p = client_new();

	client_write_line(p, CONNECT);
	client_write(p, early, strlen(early));
	run_loop_often();
	ck_assert_uint_eq(rig.node.last_op, 1);
	open_made_conn(1);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_OPEN, .op = 1, .node = addr_v4(192, 0, 2, 7, 99)});
	ck_assert_int_eq(result_int(client_read(p), "conn"), 1);
	run_loop_often();
	return p;
}

static void
deliver_ready(void)
{
	deliver_event(&(struct node_event){.kind = NODE_EV_READY, .op = 1});
	run_loop_often();
}

/* Puts bytes that count on into the connection. */
static void
peer_sends(struct made_conn *c, size_t len)
{
	for (size_t i = 0; i < len; i++, c->in_len++)
		c->in[c->in_len] = (uint8_t)(c->in_len * 31 >> 3);
	deliver_ready();
}

/* Reads len of them, from `at` on. */
static void
client_reads(struct peer_end *p, size_t at, size_t len)
{
	static uint8_t buf[MADE_BYTES_MAX];
	size_t got = 0;

	ck_assert_uint_eq(p->len, 0);
	while (got < len) {
		ssize_t n = recv(p->fd, buf + got, len - got, 0);

		ck_assert(n > 0 || (n < 0 && errno == EAGAIN));
		got += n > 0 ? (size_t)n : 0;
		run_loop();
	}
	for (size_t i = 0; i < len; i++)
		ck_assert_uint_eq(buf[i], (uint8_t)((at + i) * 31 >> 3));
}

/* What the client finds: 0 the end, else errno. */
static int
read_end(struct peer_end *p)
{
	char byte;
	ssize_t n;

	run_loop_often();
	n = recv(p->fd, &byte, 1, 0);
	ck_assert_int_le(n, 0);
	return n == 0 ? 0 : errno;
}

static bool
is_hung_up(struct peer_end *p)
{
	struct pollfd at = {.fd = p->fd};

	return poll(&at, 1, 0) > 0 && (at.revents & POLLHUP) != 0;
}

START_TEST(bytes_go_both_ways)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];

	client_write(p, "hello", 5);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 5);
	ck_assert_mem_eq(c->out, "hello", 5);
	peer_sends(c, 100000);
	client_reads(p, 0, 100000);
	ck_assert_uint_eq(c->in_used, 100000);
	client_free(p);
}
END_TEST

/* What follows the request is the stream's, also lines that are requests. */
START_TEST(early_bytes_are_the_streams)
{
	static const char early[] =
	    REQUEST("stop", "") "\n" REQUEST("status", "") "\nx";
	struct peer_end *p = make_stream(early);

	ck_assert_uint_eq(rig.conns[1].out_len, strlen(early));
	ck_assert_mem_eq(rig.conns[1].out, early, strlen(early));
	ck_assert(!rig.node.stopped);
	client_free(p);
}
END_TEST

/* The same, with less room than came early, and the end behind it. */
START_TEST(early_bytes_wait_for_room)
{
	struct peer_end *p = client_new();
	struct made_conn *c;

	client_write_line(p, CONNECT);
	client_write(p, "0123456789", 10);
	shutdown(p->fd, SHUT_WR);
	run_loop_often();
	c = open_made_conn(1);
	c->room = 3;
	deliver_event(&(struct node_event){.kind = NODE_EV_OPEN, .op = 1});
	ck_assert_int_eq(result_int(client_read(p), "conn"), 1);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 3);
	ck_assert(!c->ended_here);
	c->room = 100;
	deliver_ready();
	ck_assert_uint_eq(c->out_len, 10);
	ck_assert_mem_eq(c->out, "0123456789", 10);
	ck_assert(c->ended_here);
	peer_sends(c, 50); /* it may still answer */
	client_reads(p, 0, 50);
	client_free(p);
}
END_TEST

START_TEST(no_room_stops_the_client_alone)
{
	static char bytes[1 << 20];
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];
	size_t sent = 0;
	ssize_t n;

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 7 >> 2);
	c->room = 1000;
	/* Until both buffers are full. */
	while ((n = send(p->fd, bytes + sent, sizeof bytes - sent,
		    MSG_NOSIGNAL)) > 0) {
		sent += (size_t)n;
		run_loop_often();
	}
	ck_assert_uint_lt(sent, sizeof bytes);
	ck_assert_uint_eq(c->out_len, 1000);
	peer_sends(c, 5000);
	client_reads(p, 0, 5000);
	while (c->out_len < sent) {
		c->room = 70000;
		deliver_ready();
	}
	ck_assert_uint_eq(c->out_len, sent);
	ck_assert_mem_eq(c->out, bytes, sent);
	client_free(p);
}
END_TEST

/* What was read and is not taken waits, and nothing overtakes it. */
START_TEST(less_is_taken_than_there_was_room_for)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];

	c->room = 4;
	c->lied = 100;
	client_write(p, "0123456789", 10);
	client_write(p, "abcdef", 6);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 4);
	c->room = 3;
	deliver_ready();
	ck_assert_uint_eq(c->out_len, 7);
	c->room = 100;
	deliver_ready();
	ck_assert_uint_eq(c->out_len, 16);
	ck_assert_mem_eq(c->out, "0123456789abcdef", 16);
	client_free(p);
}
END_TEST

/* No byte may be missing in the midst of others. */
START_TEST(write_that_fails_ends_it)
{
	struct peer_end *p = make_stream("");

	rig.conns[1].fails = ERR_MEMORY;
	client_write(p, "0123456789", 10);
	run_loop_often();
	ck_assert(rig.conns[1].closed);
	ck_assert_int_eq(read_end(p), 0);
	ck_assert(is_hung_up(p));
	client_free(p);
}
END_TEST

START_TEST(slow_reader_holds_its_peer_alone)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];
	size_t taken;

	peer_sends(c, MADE_BYTES_MAX);
	taken = c->in_used;
	ck_assert_uint_lt(taken, MADE_BYTES_MAX);
	run_loop_often();
	ck_assert_uint_eq(c->in_used, taken);
	client_write(p, "x", 1);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 1);
	client_reads(p, 0, MADE_BYTES_MAX);
	ck_assert_uint_eq(c->in_used, MADE_BYTES_MAX);
	client_free(p);
}
END_TEST

START_TEST(client_ends_and_still_hears)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];

	client_write(p, "ask", 3);
	shutdown(p->fd, SHUT_WR);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 3);
	ck_assert(c->ended_here);
	peer_sends(c, 200);
	c->ended_there = true;
	deliver_ready();
	client_reads(p, 0, 200);
	ck_assert_int_eq(read_end(p), 0);
	deliver_event(&(struct node_event){.kind = NODE_EV_CLOSED, .op = 1});
	client_free(p);
	ck_assert(!c->closed); /* it had ended by itself */
}
END_TEST

START_TEST(peer_ends_and_still_hears)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];

	peer_sends(c, 10);
	c->ended_there = true;
	deliver_ready();
	client_reads(p, 0, 10);
	ck_assert_int_eq(read_end(p), 0);
	ck_assert(!is_hung_up(p));
	client_write(p, "late", 4);
	run_loop_often();
	ck_assert_uint_eq(c->out_len, 4);
	shutdown(p->fd, SHUT_WR);
	run_loop_often();
	ck_assert(c->ended_here);
	client_free(p);
}
END_TEST

/* A lost peer hangs up the socket, unlike a peer that has ended. */
START_TEST(lost_peer_is_no_end)
{
	struct peer_end *p = make_stream("");

	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_RESET});
	ck_assert_int_eq(read_end(p), 0);
	ck_assert(is_hung_up(p));
	client_free(p);
	p = client_new();
	client_write_line(p, REQUEST("outcome", "\"conn\":1"));
	assert_err_name(p, "");
	client_write_line(p, REQUEST("outcome", "\"conn\":2"));
	assert_err_name(p, "unknown");
	client_free(p);
}
END_TEST

/* ---- events for clients that watch ---- */

static struct peer_end *
watcher_new(void)
{
	struct peer_end *p = client_new();

	client_write_line(p, REQUEST("watch", ""));
	json_decref(client_read(p));
	return p;
}

/* Reads the next event and compares it; path and err_name "": null. */
static void
assert_change(struct peer_end *p, json_int_t conn, const char *change,
    const char *path, const char *reason)
{
	json_t *j, *params;
	const char *text;

	run_loop_often();
	j = client_read(p);
	params = json_object_get(j, "params");
	ck_assert_str_eq(t_string(params, "event"), "connection");
	ck_assert_str_eq(t_string(params, "change"), change);
	ck_assert_str_eq(t_string(params, "err_name"), reason);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(params, "conn")), conn);
	text = json_string_value(json_object_get(params, "path"));
	ck_assert_str_eq(text != NULL ? text : "", path);
	json_decref(j);
}

START_TEST(watcher_sees_a_connection)
{
	struct peer_end *w = watcher_new(), *p = make_stream("");

	assert_change(w, 1, "open", "", "ok");
	deliver_event(&(struct node_event){.kind = NODE_EV_MOVED,
	    .op = 1,
	    .node = addr_v4(192, 0, 2, 8, 99),
	    .path = CONN_PATH_PUNCHED});
	assert_change(w, 1, "moved", "punched", "ok");
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_RESET});
	assert_change(w, 1, "closed", "punched", "reset");
	client_free(p);
	client_free(w);
}
END_TEST

/* A dial that fails is reported, and its client is answered, also if it is the
 * client that watches and does not read. */
START_TEST(watcher_sees_a_failed_dial)
{
	struct peer_end *w = watcher_new(), *p = client_new();

	client_write_line(p, CONNECT);
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_NOT_FOUND});
	assert_change(w, 1, "closed", "", "not-found");
	assert_err_name(p, "not-found");
	client_free(p);
	client_free(w);
}
END_TEST

START_TEST(watcher_sees_refusals_and_offers)
{
	struct peer_end *w = watcher_new(), *p = client_new();
	json_t *j;

	deliver_event(&(struct node_event){
	    .kind = NODE_EV_REFUSED, .op = 7, .err = ERR_REFUSED});
	assert_change(w, 0, "refused", "", "refused");
	client_write_line(p, REQUEST("listen", "\"ask\":true"));
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_LISTENING, .op = 1, .stored = 3});
	json_decref(client_read(w)); /* "listening" */
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_OFFER, .op = 5, .listener = 1});
	j = client_read(w);
	ck_assert_str_eq(
	    t_string(json_object_get(j, "params"), "event"), "offer");
	json_decref(j);
	client_write_line(p, REQUEST("answer", "\"conn\":5,\"accept\":false"));
	assert_change(w, 5, "refused", "", "refused");
	client_free(p);
	client_free(w);
}
END_TEST

/* A watcher that does not read is dropped in the middle of others' events. */
START_TEST(deaf_watcher_harms_nobody)
{
	struct peer_end *w = watcher_new(), *p = make_stream("");

	for (int i = 0; i < 20000; i++) {
		deliver_event(&(struct node_event){.kind = NODE_EV_MOVED,
		    .op = 1,
		    .node = addr_v4(192, 0, 2, 8, 99),
		    .path = CONN_PATH_DIRECT});
		if (i % 64 == 0)
			run_loop();
	}
	peer_sends(&rig.conns[1], 10);
	client_reads(p, 0, 10);
	client_free(p);
	client_free(w);
}
END_TEST

/* A request for the outcome waits until the connection has ended. */
START_TEST(outcome_waits_for_the_end)
{
	struct peer_end *p = make_stream(""), *q = client_new();
	json_t *j;

	client_write_line(q, REQUEST("outcome", "\"conn\":1"));
	run_loop_often();
	deliver_event(&(struct node_event){.kind = NODE_EV_CLOSED, .op = 1});
	j = client_read(q);
	ck_assert_str_eq(
	    t_string(json_object_get(j, "result"), "err_name"), "ok");
	json_decref(j);
	client_free(q);
	client_free(p);
}
END_TEST

/* All that it had sent is the peer's, in order, and then the end. */
START_TEST(client_that_closes_has_ended)
{
	struct peer_end *p = make_stream("");
	struct made_conn *c = &rig.conns[1];

	c->room = 2;
	client_write(p, "all of it", 9);
	client_free(p);
	ck_assert(!c->ended_here);
	c->room = 100;
	deliver_ready();
	ck_assert_uint_eq(c->out_len, 9);
	ck_assert(c->ended_here);
	ck_assert(!c->closed);
	peer_sends(c, 1); /* the client cannot read it */
	ck_assert(c->closed);
}
END_TEST

/* The client is gone, and the peer neither ends nor sends: it is closed. */
START_TEST(gone_client_does_not_hold_its_peer)
{
	struct peer_end *p;

	rig.daemon.control->loop.tick_ms = 1;
	p = make_stream("");
	client_free(p);
	ck_assert(rig.conns[1].ended_here);
	for (int i = 0; i < 5000 && !rig.conns[1].closed; i++) {
		run_loop();
		poll(NULL, 0, 1);
	}
	ck_assert(rig.conns[1].closed);
}
END_TEST

static void
run_checks(unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		run_loop();
		poll(NULL, 0, 1);
	}
}

/* Whether the peer of a client that is gone has all that it sent. */
START_TEST(outcome_says_what_was_delivered)
{
	struct peer_end *p, *q = client_new();
	const char *reason = "";
	int delivered = -1;
	json_t *j;

	rig.daemon.control->loop.tick_ms = 1;
	p = make_stream("");
	if (_i == 1)
		rig.conns[1].waiting = 4;
	client_free(p);
	client_write_line(q, REQUEST("outcome", "\"conn\":1"));
	for (int i = 0; i < 9000 && !rig.conns[1].closed; i++) {
		run_loop();
		poll(NULL, 0, 1);
	}
	j = client_read(q);
	json_unpack(j, "{s:{s:s, s:b}}", "result", "err_name", &reason,
	    "delivered", &delivered);
	ck_assert_str_eq(reason, "cancelled");
	ck_assert_int_eq(delivered, _i == 0);
	json_decref(j);
	client_free(q);
}
END_TEST

/* The bytes of the client are delivered, however slowly the peer reads; a peer
 * that reads none for a long time is closed. */
START_TEST(gone_client_has_its_bytes_delivered)
{
	struct peer_end *p;

	rig.daemon.control->loop.tick_ms = 1;
	p = make_stream("");
	rig.conns[1].waiting = 20;
	client_free(p);
	ck_assert(rig.conns[1].ended_here);
	while (rig.conns[1].waiting > 1) {
		/* At this pace it is silent for longer than the others may. */
		run_checks(20);
		ck_assert(!rig.conns[1].closed);
		rig.conns[1].waiting--;
	}
	run_checks(20);
	ck_assert(!rig.conns[1].closed);
	for (int i = 0; i < 50 && !rig.conns[1].closed; i++)
		run_checks(100);
	ck_assert(rig.conns[1].closed);
}
END_TEST

/* The peer sends to a program that is gone and whose bytes are under way: they
 * are delivered, what the peer sends is dropped. */
START_TEST(gone_client_has_its_bytes_delivered_first)
{
	struct made_conn *c = &rig.conns[1];
	struct peer_end *p = make_stream("");

	rig.daemon.control->loop.tick_ms = 1;
	c->waiting = 9;
	client_free(p);
	ck_assert(c->ended_here);
	peer_sends(c, 100);
	ck_assert(!c->closed);
	c->waiting = 0;
	peer_sends(c, 1);
	ck_assert(c->closed);
}
END_TEST

/* One that is there may be silent for as long as it likes. */
START_TEST(silent_client_is_left_alone)
{
	struct peer_end *p;

	rig.daemon.control->loop.tick_ms = 1;
	p = make_stream("");
	shutdown(p->fd, SHUT_WR);
	for (int i = 0; i < 50; i++) {
		run_loop();
		poll(NULL, 0, 1);
	}
	ck_assert(!rig.conns[1].closed);
	client_free(p);
}
END_TEST

/* With bytes left that it had not read: that is no regular end. */
START_TEST(client_that_breaks_off_resets)
{
	struct peer_end *p = make_stream("");

	peer_sends(&rig.conns[1], 10);
	client_free(p);
	run_loop_often();
	ck_assert(rig.conns[1].closed);
	ck_assert(!rig.conns[1].ended_here);
}
END_TEST

START_TEST(stopping_daemon_resets)
{
	struct peer_end *p = make_stream("");

	control_free(rig.daemon.control);
	ck_assert(rig.conns[1].closed);
	ck_assert(is_hung_up(p));
	client_free(p);
	rig.daemon.control = made_control(&rig.daemon);
	ck_assert_ptr_nonnull(rig.daemon.control);
}
END_TEST

START_TEST(others_may_disconnect_it)
{
	struct peer_end *p = make_stream(""), *other = client_new();

	assert_result(other, REQUEST("disconnect", "\"conn\":1"));
	ck_assert(rig.conns[1].closed);
	ck_assert_int_eq(read_end(p), 0);
	assert_error(
	    other, REQUEST("disconnect", "\"conn\":1"), API_ERR_FAILED);
	client_free(other);
	client_free(p);
}
END_TEST

/* ---- traces ---- */

static struct peer_end *other_user(void);

#define TRACE REQUEST("trace", "\"public_key\":\"" KEY "\"")

/* Returns a client with connection 1, whose stream is that of the pair. */
static struct peer_end *
make_traced(struct lab_pair *pair)
{
	static const struct lab_link link = {.delay_us = 1000};
	struct peer_end *p = make_stream("");

	lab_pair_init(pair, 1, &link);
	rig.node.traced = pair->a->s;
	return p;
}

static void
end_traced(struct lab_pair *pair)
{
	rig.node.traced = NULL;
	lab_pair_fini(pair);
}

/* Lets the daemon's timer of traces expire. */
static void
pass_tick(void)
{
	poll(NULL, 0, 6);
	run_loop_often();
}

/* Reads the next notification, and returns the number of its events. */
static size_t
read_trace_note(struct peer_end *p, json_int_t *dropped)
{
	json_t *j = client_read(p), *params = json_object_get(j, "params");
	json_int_t conn = 0;
	size_t n;

	ck_assert_str_eq(t_string(j, "method"), "trace.events");
	ck_assert_int_eq(json_unpack(params, "{s:I, s:I}", "conn", &conn,
			     "dropped", dropped),
	    0);
	ck_assert_int_eq(conn, 1);
	n = json_array_size(json_object_get(params, "events"));
	json_decref(j);
	return n;
}

START_TEST(trace_reports_until_the_stream_is_gone)
{
	struct peer_end *s, *p = client_new();
	json_int_t dropped = 1;
	struct lab_pair pair;

	s = make_traced(&pair);
	client_write_line(p, TRACE);
	pass_tick();
	ck_assert_uint_ge(read_trace_note(p, &dropped), 2);
	ck_assert_int_eq(dropped, 0);
	ck_assert(lab_pair_carry(&pair, 20000, LAB_S));
	pass_tick();
	ck_assert_uint_ge(read_trace_note(p, &dropped), 2);
	lab_stream_free(pair.a);
	pair.a = NULL;
	pass_tick();
	ck_assert_uint_eq(read_trace_note(p, &dropped), 1);
	ck_assert_int_eq(result_int(client_read(p), "streams"), 1);
	end_traced(&pair);
	client_free(p);
	client_free(s);
}
END_TEST

/* A client that reads nothing is sent a bounded number of events, what does not
 * fit into the ring is counted, and the daemon goes on to serve others. */
START_TEST(slow_reader_of_a_trace_loses_events)
{
	struct peer_end *s, *p = client_new(), *other = client_new();
	struct control_client *cl =
	    TAILQ_FIRST(&rig.daemon.control->clients.all);
	json_int_t dropped = 0;
	struct lab_pair pair;
	size_t queued = 0;

	s = make_traced(&pair);
	pair.lab.end[0].host.limits.trace_events = 256;
	client_write_line(p, TRACE);
	for (uint64_t i = 1; i <= 100; i++) {
		ck_assert(lab_pair_carry(&pair, i * 200000, 60 * LAB_S));
		pass_tick();
		queued = evbuffer_get_length(bufferevent_get_output(cl->bev));
		ck_assert_uint_le(queued, 2 * CLIENT_QUEUE_HIGH_BYTES);
	}
	ck_assert_uint_gt(queued, 0);
	assert_result(other, REQUEST("unwatch", ""));
	for (int i = 0; i < 1000 && dropped == 0; i++)
		read_trace_note(p, &dropped);
	ck_assert_int_gt(dropped, 0);
	client_free(p);
	pass_tick();
	/* The trace ended with its client. */
	ck_assert(TAILQ_EMPTY(&rig.daemon.control->traces.all));
	ck_assert_ptr_null(pair.a->s->loss.trace);
	end_traced(&pair);
	client_free(other);
	client_free(s);
}
END_TEST

START_TEST(trace_is_cancelled)
{
	struct peer_end *s, *p = client_new();
	struct lab_pair pair;
	const char *reason = "";
	json_t *j = NULL;

	s = make_traced(&pair);
	client_write_line(p, TRACE);
	run_loop_often();
	client_write_line(p, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
			     "\"cancel\",\"params\":{\"request\":1}}");
	run_loop_often();
	/* Events may have been sent before. */
	do {
		json_decref(j);
		j = client_read(p);
	} while (json_object_get(j, "method") != NULL);
	json_unpack(j, "{s:{s:{s:s}}}", "error", "data", "err_name", &reason);
	ck_assert_str_eq(reason, "cancelled");
	json_decref(j);
	ck_assert_ptr_null(pair.a->s->loss.trace);
	end_traced(&pair);
	client_free(p);
	client_free(s);
}
END_TEST

START_TEST(trace_of_another_user_is_refused)
{
	struct peer_end *s, *p;
	struct lab_pair pair;

	s = make_traced(&pair);
	p = other_user();
	client_write_line(p, TRACE);
	assert_err_name(p, "not-yours");
	ck_assert_ptr_null(pair.a->s->loss.trace);
	end_traced(&pair);
	client_free(p);
	client_free(s);
}
END_TEST

/* ---- connect ---- */

START_TEST(connect_passes_all_on)
{
	struct peer_end *p = client_new();

	client_write_line(
	    p, REQUEST("connect", "\"public_key\":\"" KEY "\",\"relays\":"
				  "[\"192.0.2.1:1\",\"192.0.2.2:2\"],"
				  "\"timeout_ms\":7000"));
	run_loop_often();
	ck_assert_uint_eq(rig.node.relays_len, 2);
	ck_assert_uint_eq(rig.node.timeout_ms, 7000);
	client_free(p);
	ck_assert_uint_eq(rig.node.cancelled_len, 1); /* it was still dialing */
}
END_TEST

START_TEST(failed_connect_is_the_last_line)
{
	static const int errors[] = {ERR_NOT_FOUND, ERR_UNREACHABLE,
	    ERR_PEER_VERSION, ERR_PEER_REFUSED, ERR_NO_ANSWER, ERR_TIMEOUT};
	struct peer_end *p = client_new();

	client_write_line(p, CONNECT);
	client_write_line(p, REQUEST("stop", ""));
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = errors[_i]});
	assert_err_name(p, err_name(errors[_i]));
	ck_assert_ptr_null(client_read(p));
	ck_assert(!rig.node.stopped);
	client_free(p);
}
END_TEST

/* Starts a connect whose first dial finds no path. */
static struct peer_end *
dial_without_path(const char *request)
{
	struct peer_end *p = client_new();

	rig.node.retry_ms = 10;
	client_write_line(p, request);
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_NAT_RANDOM});
	usleep(20000);
	run_loop_often();
	return p;
}

/* A relay was found meanwhile: the client sees one connection. */
START_TEST(second_dial_opens)
{
	struct peer_end *p;

	rig.node.names_relay = true;
	p = dial_without_path(REQUEST("connect",
	    "\"public_key\":\"" KEY "\",\"relays\":[\"192.0.2.1:1\"],"
	    "\"timeout_ms\":9000"));
	ck_assert_uint_eq(rig.node.last_op, 2);
	ck_assert_uint_eq(rig.node.relays_len, 1);
	/* What is left of the time, after the delay. */
	ck_assert_uint_eq(rig.node.timeout_ms, 8990);
	open_made_conn(2);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_OPEN, .op = 2, .node = addr_v4(192, 0, 2, 7, 99)});
	ck_assert_int_eq(result_int(client_read(p), "conn"), 2);
	client_free(p);
}
END_TEST

/* There is no third dial. */
START_TEST(second_dial_fails)
{
	struct peer_end *p;

	rig.node.names_relay = true;
	p = dial_without_path(CONNECT);
	ck_assert_uint_eq(rig.node.last_op, 2);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 2, .err = ERR_NAT_RANDOM});
	assert_err_name(p, "nat-random");
	ck_assert_uint_eq(rig.node.last_op, 2);
	client_free(p);
}
END_TEST

START_TEST(no_second_dial_without_a_relay)
{
	struct peer_end *p = dial_without_path(CONNECT);

	assert_err_name(p, "nat-random");
	ck_assert_uint_eq(rig.node.last_op, 1);
	client_free(p);
}
END_TEST

START_TEST(no_second_dial_in_vain)
{
	struct peer_end *p;

	rig.node.names_relay = true;
	/* No time is left. */
	p = dial_without_path(REQUEST(
	    "connect", "\"public_key\":\"" KEY "\",\"timeout_ms\":3000"));
	assert_err_name(p, "nat-random");
	ck_assert_uint_eq(rig.node.last_op, 1);
	client_free(p);
}
END_TEST

START_TEST(client_that_leaves_is_not_dialed_for)
{
	struct peer_end *p = client_new();

	rig.node.names_relay = true;
	rig.node.retry_ms = 10;
	client_write_line(p, CONNECT);
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_NAT_RANDOM});
	client_free(p);
	run_loop_often();
	usleep(20000);
	run_loop_often();
	ck_assert_uint_eq(rig.node.last_op, 1);
}
END_TEST

static const char *const bad_connects[] = {
    REQUEST("connect", ""),
    REQUEST("connect", "\"public_key\":\"x\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"name\":\"No\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"name\":\"nobody\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"name\":\"../key\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"seed_b64\":\"aGVsbG8=\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"name\":\"a\","
		       "\"seed_b64\":\"aGVsbG8=\""),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"relays\":[1]"),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"relays\":{}"),
    REQUEST("connect", "\"public_key\":\"" KEY "\",\"relays\":[\"1.2.3.4\"]"),
    REQUEST("accept", "\"listener\":7"),
    REQUEST("accept", ""),
};

/* Nothing that follows may pass for a request. */
START_TEST(bad_connect_is_the_last_line)
{
	struct peer_end *p = client_new();
	char lines[512];
	json_t *j;

	snprintf(lines, sizeof lines, "%s\n%s\n", bad_connects[_i],
	    REQUEST("stop", ""));
	client_write(p, lines, strlen(lines));
	j = client_read(p);
	ck_assert_ptr_nonnull(json_object_get(j, "error"));
	json_decref(j);
	ck_assert_ptr_null(client_read(p));
	ck_assert(!rig.node.stopped);
	ck_assert_uint_eq(rig.node.last_op, 0);
	client_free(p);
}
END_TEST

START_TEST(refusing_node_is_told)
{
	struct peer_end *p = client_new();

	rig.node.refuse = ERR_LIMIT;
	client_write_line(p, CONNECT);
	assert_err_name(p, "limit");
	client_free(p);
	p = client_new();
	client_write_line(p, LISTEN);
	assert_err_name(p, "limit");
	rig.node.refuse = 0;
	assert_result(p, REQUEST("status", "")); /* this one lives on */
	client_free(p);
}
END_TEST

/* The client is gone before it has read the answer. */
START_TEST(opened_for_nobody_is_reset)
{
	struct peer_end *p = client_new();

	client_write_line(p, CONNECT);
	run_loop_often();
	open_made_conn(1);
	close(p->fd);
	deliver_event(&(struct node_event){.kind = NODE_EV_OPEN, .op = 1});
	run_loop_often();
	ck_assert(rig.conns[1].closed || rig.conns[1].ended_here);
	free(p);
}
END_TEST

/* ---- listen, accept ---- */

/* A listener; its number is 1. */
static struct peer_end *
make_listener_1(const char *request)
{
	struct peer_end *p = client_new();

	client_write_line(p, request);
	run_loop_often();
	ck_assert_uint_eq(rig.node.last_op, 1);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_LISTENING, .op = 1, .stored = 3});
	ck_assert_int_eq(result_int(client_read(p), "listener"), 1);
	return p;
}

/* The control server has no limit of listeners beside that of the node: one
 * client has more than there may be clients. */
START_TEST(node_limits_listeners)
{
	struct peer_end *p = client_new();

	for (uint32_t i = 1; i <= CLIENTS_MAX + 16; i++) {
		client_write_line(p, LISTEN);
		run_loop_often();
		ck_assert_uint_eq(rig.node.last_op, i);
		deliver_event(&(struct node_event){
		    .kind = NODE_EV_LISTENING, .op = i, .stored = 3});
		ck_assert_int_eq(result_int(client_read(p), "listener"), i);
	}
	client_free(p);
}
END_TEST

/* A connection of that number comes in to listener 1. */
static void
open_incoming(uint32_t number)
{
	open_made_conn(number);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_OPEN, .op = number, .listener = 1});
	run_loop_often();
}

START_TEST(listen_passes_all_on)
{
	struct peer_end *p = make_listener_1(REQUEST(
	    "listen", "\"ask\":true,\"allow\":[\"" KEY "\",\"" KEY "\"]"));

	ck_assert_uint_eq(rig.node.allow_len, 2);
	ck_assert(rig.node.ask);
	ck_assert_mem_eq(rig.node.own_key, rig.identity.public_key, KEY_LEN);
	client_free(p);
}
END_TEST

/* An empty list is a mistake, not an open door. */
START_TEST(bad_listen_is_refused)
{
	struct peer_end *p = client_new();

	assert_error(p, REQUEST("listen", "\"allow\":[]"), API_ERR_PARAMS);
	assert_error(p, REQUEST("listen", "\"allow\":[\"x\"]"), API_ERR_PARAMS);
	assert_error(
	    p, REQUEST("listen", "\"ask\":true,\"keep\":true"), API_ERR_PARAMS);
	assert_error(p, REQUEST("listen", "\"name\":\"none\""), API_ERR_FAILED);
	ck_assert_uint_eq(rig.node.last_op, 0);
	client_free(p);
}
END_TEST

START_TEST(accept_waits_for_a_connection)
{
	struct peer_end *l = make_listener_1(LISTEN), *p = client_new();

	client_write_line(p, ACCEPT("1"));
	run_loop_often();
	open_incoming(2);
	ck_assert_int_eq(result_int(client_read(p), "conn"), 2);
	run_loop_often();
	client_write(p, "hi", 2);
	run_loop_often();
	ck_assert_uint_eq(rig.conns[2].out_len, 2);
	client_free(p);
	client_free(l);
}
END_TEST

START_TEST(connections_wait_for_accept)
{
	struct peer_end *l = make_listener_1(LISTEN), *p = client_new();
	struct peer_end *q = client_new();

	open_incoming(2);
	open_incoming(3);
	open_incoming(4);
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 3, .err = ERR_RESET});
	client_write_line(p, ACCEPT("1"));
	ck_assert_int_eq(result_int(client_read(p), "conn"), 2);
	client_write_line(q, ACCEPT("1"));
	ck_assert_int_eq(result_int(client_read(q), "conn"), 4);
	run_loop_often();
	client_free(p);
	client_free(q);
	client_free(l);
}
END_TEST

enum { WAITING = 600 };

/* How many there are is the node's decision, which was taken before they
 * opened: none that has opened is closed here. */
START_TEST(no_waiting_connection_is_closed)
{
	struct peer_end *l = make_listener_1(LISTEN);

	for (uint32_t i = 0; i < WAITING; i++)
		deliver_event(&(struct node_event){
		    .kind = NODE_EV_OPEN, .op = 100 + i, .listener = 1});
	ck_assert_uint_eq(rig.node.cancelled_len, 0);
	client_free(l);
	ck_assert_uint_eq(rig.node.cancelled_len, WAITING);
}
END_TEST

START_TEST(listen_passes_its_limits)
{
	struct peer_end *l = make_listener_1(
	    REQUEST("listen", "\"max_per_peer\":7,\"idle_s\":90"));

	ck_assert_uint_eq(rig.node.listen_limits.per_peer, 7);
	ck_assert_uint_eq(rig.node.listen_limits.idle_s, 90);
	client_free(l);
}
END_TEST

START_TEST(listener_ends_with_its_client)
{
	struct peer_end *l = make_listener_1(LISTEN), *p = client_new();

	client_write_line(p, ACCEPT("1"));
	run_loop_often();
	client_free(l);
	ck_assert_uint_eq(rig.node.unlistened, 1);
	assert_err_name(p, "cancelled");
	ck_assert_ptr_null(client_read(p));
	client_free(p);
}
END_TEST

START_TEST(kept_listener_outlives_its_client)
{
	struct peer_end *l =
	    make_listener_1(REQUEST("listen", "\"keep\":true"));
	struct peer_end *p = client_new();

	client_free(l);
	ck_assert_uint_eq(rig.node.unlistened, 0);
	open_incoming(2);
	client_write_line(p, ACCEPT("1"));
	ck_assert_int_eq(result_int(client_read(p), "conn"), 2);
	run_loop_often();
	l = client_new();
	assert_result(l, REQUEST("unlisten", "\"listener\":1"));
	ck_assert_uint_eq(rig.node.unlistened, 1);
	assert_error(l, REQUEST("unlisten", "\"listener\":1"), API_ERR_FAILED);
	ck_assert(!rig.conns[2].closed); /* what was accepted stays */
	client_free(l);
	client_free(p);
}
END_TEST

/* listen and accept on one connection: it then is that stream, and no more. */
START_TEST(listener_may_become_the_stream)
{
	struct peer_end *l = make_listener_1(LISTEN);

	client_write_line(l, ACCEPT("1"));
	run_loop_often();
	open_incoming(2);
	ck_assert_int_eq(result_int(client_read(l), "conn"), 2);
	run_loop_often();
	ck_assert_uint_eq(rig.node.unlistened, 1);
	client_write(l, "hi", 2);
	run_loop_often();
	ck_assert_uint_eq(rig.conns[2].out_len, 2);
	client_free(l);
}
END_TEST

START_TEST(listener_that_is_gone_accepts_nobody)
{
	struct peer_end *l = make_listener_1(LISTEN);

	client_free(l);
	open_incoming(2);
	ck_assert(rig.conns[2].closed);
}
END_TEST

START_TEST(offer_is_answered)
{
	struct peer_end *l = make_listener_1(REQUEST("listen", "\"ask\":true"));
	bool yes = _i == 1;
	json_t *j;

	deliver_event(&(struct node_event){
	    .kind = NODE_EV_OFFER, .op = 5, .listener = 1});
	j = client_read(l);
	ck_assert_str_eq(t_string(j, "method"), "offer");
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "params"), "conn")),
	    5);
	json_decref(j);
	assert_result(
	    l, yes ? REQUEST("answer", "\"conn\":5,\"accept\":true")
		   : REQUEST("answer", "\"conn\":5,\"accept\":false"));
	ck_assert_uint_eq(rig.node.answered, 5);
	ck_assert(rig.node.answer == yes);
	/* Only once. */
	rig.node.answered = 0;
	assert_result(l, REQUEST("answer", "\"conn\":5,\"accept\":true"));
	ck_assert_uint_eq(rig.node.answered, 0);
	if (yes)
		open_incoming(5);
	client_free(l);
	ck_assert(!yes || rig.conns[5].closed);
}
END_TEST

START_TEST(unannounced_listener_is_told)
{
	struct peer_end *p = client_new();
	const char *reason = "";
	json_t *j;

	client_write_line(p, LISTEN);
	run_loop_often();
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_LISTENING, .op = 1, .err = ERR_UNREACHABLE});
	j = client_read(p);
	json_unpack(j, "{s:{s:s}}", "result", "err_name", &reason);
	ck_assert_str_eq(reason, "unreachable");
	json_decref(j);
	assert_result(p, REQUEST("watch", "\"event\":\"listening\""));
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_LISTENING, .op = 1, .stored = 3});
	j = client_read(p);
	ck_assert_str_eq(
	    t_string(json_object_get(j, "params"), "event"), "listening");
	json_decref(j);
	/* The node gives it up by itself, as when it leaves. */
	deliver_event(
	    &(struct node_event){.kind = NODE_EV_UNLISTENED, .op = 1});
	assert_error(p, REQUEST("unlisten", "\"listener\":1"), API_ERR_FAILED);
	client_free(p);
}
END_TEST

/* ---- identities ---- */

START_TEST(identity_is_the_callers_choice)
{
	struct peer_end *p = client_new();
	uint8_t made_key[KEY_LEN];
	struct key_pair pair;
	json_t *j;

	j = client_call(p, REQUEST("key_new", "\"name\":\"web\""));
	ck_assert_int_eq(
	    text_key_parse(
		made_key, t_string(json_object_get(j, "result"), "public_key")),
	    0);
	json_decref(j);
	assert_error(p, REQUEST("key_new", "\"name\":\"web\""), API_ERR_FAILED);
	assert_error(
	    p, REQUEST("key_new", "\"name\":\"We b\""), API_ERR_FAILED);
	j = client_call(p, REQUEST("key_list", ""));
	ck_assert_uint_eq(json_array_size(json_object_get(
			      json_object_get(j, "result"), "keys")),
	    1);
	json_decref(j);
	client_free(p);
	p = make_listener_1(REQUEST("listen", "\"name\":\"web\""));
	ck_assert_mem_eq(rig.node.own_key, made_key, KEY_LEN);
	client_free(p);
	p = client_new();
	client_write_line(
	    p, REQUEST("connect", "\"public_key\":\"" KEY "\","
				  "\"seed_b64\":\"AQAAAAAAAAAAAAAAAAAAAAAA"
				  "AAAAAAAAAAAAAAAAAAA=\""));
	run_loop_often();
	key_pair_from_seed(&pair, (uint8_t[KEY_SEED_LEN]){1});
	ck_assert_mem_eq(rig.node.own_key, pair.public_key, KEY_LEN);
	client_free(p);
	run_loop_often();
	/* All are given back. */
	ck_assert(TAILQ_EMPTY(&rig.daemon.keyring.lent));
}
END_TEST

/* The latest client, as a user with that id. */
static struct peer_end *
user_new(uid_t uid)
{
	struct peer_end *p = client_new();
	struct control_client *cl =
	    TAILQ_LAST(&rig.daemon.control->clients.all, control_clients);

	cl->peer.uid = uid;
	cl->peer.access = API_USER;
	return p;
}

static struct peer_end *
other_user(void)
{
	return user_new(12345);
}

START_TEST(what_is_anothers_is_out_of_reach)
{
	static const struct {
		const char *line, *reason;
	} rows[] = {
	    {REQUEST("unlisten", "\"listener\":1"), "not-yours"},
	    {REQUEST("disconnect", "\"conn\":2"), "not-yours"},
	    {REQUEST("outcome", "\"conn\":2"), "not-yours"},
	    {REQUEST("key_show", "\"name\":\"web\""), "value"},
	    {REQUEST("key_remove", "\"name\":\"web\""), "value"},
	    {REQUEST("listen", "\"name\":\"web\""), "value"},
	    {ACCEPT("1"), "not-yours"}, /* ends it */
	};
	struct peer_end *l = make_listener_1(LISTEN), *p = other_user();

	assert_result(l, REQUEST("key_new", "\"name\":\"web\""));
	open_incoming(2);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		client_write_line(p, rows[i].line);
		assert_err_name(p, rows[i].reason);
	}
	ck_assert(!rig.conns[2].closed);
	ck_assert_uint_eq(rig.node.unlistened, 0);
	client_free(p);
	client_free(l);
}
END_TEST

START_TEST(how_anothers_ended_is_not_told)
{
	struct peer_end *p = make_stream("");

	deliver_event(&(struct node_event){
	    .kind = NODE_EV_CLOSED, .op = 1, .err = ERR_RESET});
	client_free(p);
	p = other_user();
	assert_error(p, REQUEST("outcome", "\"conn\":1"), API_ERR_FAILED);
	client_free(p);
	p = client_new();
	assert_result(p, REQUEST("outcome", "\"conn\":1"));
	client_free(p);
}
END_TEST

/* Other users cannot use the node's key: each has keys of its own. */
START_TEST(other_users_have_keys_of_their_own)
{
	struct peer_end *p = other_user();

	assert_error(p, REQUEST("key_new", ""), API_ERR_DENIED);
	client_write_line(p, LISTEN);
	run_loop_often();
	ck_assert_uint_eq(rig.node.last_op, 1);
	ck_assert_mem_ne(rig.node.own_key, rig.identity.public_key, KEY_LEN);
	client_free(p);
	run_loop_often();
	ck_assert(TAILQ_EMPTY(&rig.daemon.keyring.lent));
}
END_TEST

/* ---- what belongs to whom ---- */

#define ANNOUNCE(more) REQUEST("announce", "\"topic\":\"tea\"" more)
#define UNANNOUNCE(more) REQUEST("unannounce", "\"topic\":\"tea\"" more)
#define SEED "\"seed_b64\":\"AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\""

/* Makes a request that the node completes, and returns the answer. */
static json_t *
complete(struct peer_end *p, const char *line)
{
	uint32_t before = rig.node.last_op;

	client_write_line(p, line);
	run_loop_often();
	if (rig.node.last_op != before)
		deliver_event(&(struct node_event){
		    .kind = NODE_EV_DONE, .op = rig.node.last_op, .seq = 8});
	return client_read(p);
}

/* Writes the public key of the result, which must be one. */
static void
result_key(json_t *j, uint8_t key[KEY_LEN])
{
	const char *text = NULL;

	json_unpack(j, "{s:{s:s}}", "result", "public_key", &text);
	ck_assert_msg(text != NULL, "%s", json_dumps(j, 0));
	ck_assert_int_eq(text_key_parse(key, text), 0);
	json_decref(j);
}

static void
assert_reason(json_t *j, const char *reason)
{
	const char *name = "";

	json_unpack(j, "{s:{s:{s:s}}}", "error", "data", "err_name", &name);
	ck_assert_msg(strcmp(name, reason) == 0, "%s", json_dumps(j, 0));
	json_decref(j);
}

static uint32_t
announced(void)
{
	return rig.daemon.announcements.len;
}

/* Each user announces a key of its own, and withdraws nobody else's. */
START_TEST(announcements_belong_to_users)
{
	struct peer_end *root = client_new(), *a = user_new(1001),
			*b = user_new(1002);
	uint8_t root_key[KEY_LEN], a_key[KEY_LEN], b_key[KEY_LEN];

	result_key(complete(root, ANNOUNCE("")), root_key);
	ck_assert_mem_eq(root_key, rig.identity.public_key, KEY_LEN);
	assert_reason(complete(a, UNANNOUNCE("")), "not-yours");
	result_key(complete(a, ANNOUNCE("")), a_key);
	ck_assert_mem_ne(a_key, root_key, KEY_LEN);
	assert_reason(complete(b, UNANNOUNCE("")), "not-yours");
	result_key(complete(b, ANNOUNCE("")), b_key);
	ck_assert_mem_ne(b_key, a_key, KEY_LEN);
	ck_assert_uint_eq(announced(), 3);
	/* The same key again, by its owner: no other announcement. */
	result_key(complete(a, ANNOUNCE(",\"name\":\"default\"")), b_key);
	ck_assert_mem_eq(b_key, a_key, KEY_LEN);
	ck_assert_uint_eq(announced(), 3);
	result_key(complete(a, UNANNOUNCE("")), b_key);
	ck_assert_mem_eq(b_key, a_key, KEY_LEN);
	ck_assert_uint_eq(announced(), 2);
	/* An admin withdraws its own first, then that of another. */
	result_key(complete(root, UNANNOUNCE("")), b_key);
	ck_assert_mem_eq(b_key, root_key, KEY_LEN);
	result_key(complete(root, UNANNOUNCE("")), b_key);
	ck_assert_uint_eq(announced(), 0);
	ck_assert(TAILQ_EMPTY(&rig.daemon.keyring.lent));
	client_free(root);
	client_free(a);
	client_free(b);
}
END_TEST

/* Two users who know one seed: the first to announce it owns it. */
START_TEST(shared_key_belongs_to_the_first)
{
	struct peer_end *a = user_new(1001), *b = user_new(1002);
	uint8_t key[KEY_LEN];

	result_key(complete(a, ANNOUNCE("," SEED)), key);
	assert_reason(complete(b, ANNOUNCE("," SEED)), "not-yours");
	assert_reason(complete(b, UNANNOUNCE("," SEED)), "not-yours");
	ck_assert_uint_eq(announced(), 1);
	ck_assert(!rig.daemon.announcements.list[0].saved);
	result_key(complete(a, UNANNOUNCE("")), key);
	ck_assert_uint_eq(announced(), 0);
	client_free(a);
	client_free(b);
}
END_TEST

/* The owners are known after a restart. */
START_TEST(owners_are_stored)
{
	struct peer_end *root = client_new(), *a = user_new(1001);
	struct stored_announcements *all = &rig.daemon.announcements;
	uint8_t key[KEY_LEN], root_key[KEY_LEN], again[KEY_LEN];

	assert_result(root, REQUEST("key_new", "\"name\":\"web\""));
	result_key(complete(root, ANNOUNCE("")), root_key);
	result_key(complete(root, ANNOUNCE(",\"name\":\"web\"")), root_key);
	result_key(complete(a, ANNOUNCE("")), key);
	result_key(complete(a, ANNOUNCE("," SEED)), again);
	stored_announcements_fini(all);
	stored_announcements_load(
	    all, &rig.daemon.state, &rig.daemon.keyring, 1024);
	ck_assert_uint_eq(all->len, 3); /* without that of the seed */
	ck_assert(all->list[0].keys == NULL && all->list[0].owner.daemon);
	ck_assert_mem_eq(all->list[1].keys->public_key, root_key, KEY_LEN);
	ck_assert(all->list[1].owner.daemon);
	ck_assert_uint_eq(all->list[2].owner.uid, 1001);
	ck_assert(!all->list[2].owner.daemon);
	ck_assert_mem_eq(all->list[2].keys->public_key, key, KEY_LEN);
	client_free(root);
	client_free(a);
}
END_TEST

/* A value is signed with a key of its user, with the number asked for. */
START_TEST(values_are_signed_by_users)
{
	struct peer_end *root = client_new(), *a = user_new(1001);
	static const uint8_t node[KEY_LEN];
	struct key_pair pair;
	uint8_t key[KEY_LEN];

	result_key(
	    complete(root, REQUEST("put_mutable", "\"value_b64\":\"eA==\"")),
	    key);
	ck_assert_mem_eq(key, rig.identity.public_key, KEY_LEN);
	ck_assert_mem_eq(rig.node.own_key, node, KEY_LEN);
	ck_assert_uint_eq(rig.node.seq, NODE_SEQ_NEXT);
	ck_assert_int_eq(
	    result_int(complete(a, REQUEST("put_mutable",
				       "\"value_b64\":\"eA==\",\"seq\":8")),
		"seq"),
	    8);
	ck_assert_uint_eq(rig.node.seq, 8);
	ck_assert_mem_ne(rig.node.own_key, node, KEY_LEN);
	/* Both parameters are bytes. */
	result_key(
	    complete(a, REQUEST("put_mutable", "\"value_b64\":\"eA==\"," SEED)),
	    key);
	key_pair_from_seed(&pair, (uint8_t[KEY_SEED_LEN]){2});
	ck_assert_mem_eq(key, pair.public_key, KEY_LEN);
	client_free(root);
	client_free(a);
	ck_assert(TAILQ_EMPTY(&rig.daemon.keyring.lent));
}
END_TEST

/* A key in use stays; a removed one is gone. */
START_TEST(keys_can_be_removed)
{
	struct peer_end *p = other_user();
	uint8_t key[KEY_LEN];

	assert_result(p, REQUEST("key_new", "\"name\":\"web\""));
	result_key(complete(p, ANNOUNCE(",\"name\":\"web\"")), key);
	assert_reason(
	    complete(p, REQUEST("key_remove", "\"name\":\"web\"")), "busy");
	result_key(complete(p, UNANNOUNCE("")), key);
	assert_result(p, REQUEST("key_remove", "\"name\":\"web\""));
	assert_reason(
	    complete(p, REQUEST("key_show", "\"name\":\"web\"")), "value");
	assert_result(p, REQUEST("key_new", "\"name\":\"web\""));
	client_free(p);
}
END_TEST

/* Without a usable state directory, each key is lost at the end. */
START_TEST(unsaved_key_is_reported)
{
	struct peer_end *p = other_user();
	int saved = -1, dir = rig.daemon.state.dir;
	json_t *j;

	rig.daemon.state.dir = -1;
	client_write_line(p, LISTEN);
	run_loop_often();
	deliver_event(&(struct node_event){.kind = NODE_EV_LISTENING, .op = 1});
	j = client_read(p);
	json_unpack(j, "{s:{s:b}}", "result", "saved", &saved);
	ck_assert_int_eq(saved, 0);
	json_decref(j);
	rig.daemon.state.dir = dir;
	client_free(p);
	p = other_user();
	client_write_line(p, LISTEN);
	run_loop_often();
	deliver_event(&(struct node_event){.kind = NODE_EV_LISTENING, .op = 2});
	j = client_read(p);
	json_unpack(j, "{s:{s:b}}", "result", "saved", &saved);
	ck_assert_int_eq(saved, 1);
	json_decref(j);
	client_free(p);
}
END_TEST

#define PEER_KEY_TEXT                                                          \
	"0707070707070707070707070707070707070707070707070707070707070707"

/* Requests that take of what users share; %%: a number of the test. */
static const struct {
	const char *line, *limit, *reason;
} shares[] = {
    {REQUEST("announce", "\"topic\":\"%%\""), "announcements", "limit"},
    {REQUEST("listen", "\"seed_b64\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		       "AAAAAAAA%%=\""),
	"listeners", "limit"},
    {REQUEST("lookup", "\"topic\":\"%%\""), "operations", "busy"},
    {REQUEST("connect", "\"public_key\":\"" PEER_KEY_TEXT "\",\"seed_b64\":"
			"\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%%=\""),
	"connections", "limit"},
};

static struct peer_end *sharers[16];
static unsigned sharers_len;

/* Makes a request as that user (0: root), on a connection of its own. Returns
 * whether it was accepted; if not, it must name the limit. */
static bool
take_share(int row, uid_t uid)
{
	struct peer_end *p = uid != 0 ? user_new(uid) : client_new();
	uint32_t before = rig.node.last_op;
	const char *limit = "", *reason = "";
	char line[320], number[4], *at;
	json_t *j;

	snprintf(line, sizeof line, "%s", shares[row].line);
	at = strchr(line, '%');
	ck_assert_ptr_nonnull(at);
	snprintf(number, sizeof number, "%c%c", 'A' + (char)sharers_len, 'A');
	memcpy(at, number, 2);
	client_write_line(p, line);
	run_loop_often();
	sharers[sharers_len++] = p;
	if (rig.node.last_op != before) {
		if (row == 0)
			deliver_event(&(struct node_event){
			    .kind = NODE_EV_DONE, .op = rig.node.last_op});
		return true;
	}
	j = client_read(p);
	json_unpack(j, "{s:{s:{s:s,s:s}}}", "error", "data", "err_name",
	    &reason, "limit", &limit);
	ck_assert_str_eq(reason, shares[row].reason);
	ck_assert_str_eq(limit, shares[row].limit);
	json_decref(j);
	return false;
}

/* Of 8, one user gets 2 and all users together 6; the rest is for admins. */
START_TEST(users_have_shares)
{
	rig.node.operations_limit = 8;
	rig.node.listeners_limit = 8;
	rig.node.announcements_limit = 8;
	rig.node.connections_limit = 8;
	sharers_len = 0;
	for (uid_t uid = 1001; uid <= 1003; uid++) {
		ck_assert(take_share(_i, uid));
		ck_assert(take_share(_i, uid));
		ck_assert(!take_share(_i, uid));
	}
	ck_assert(!take_share(_i, 1004));
	ck_assert(take_share(_i, 0));
	for (unsigned i = 0; i < sharers_len; i++)
		client_free(sharers[i]);
	run_loop_often();
	/* What has ended is given back. */
	sharers_len = 10;
	ck_assert(take_share(_i, 1004) == (_i != 0));
	client_free(sharers[10]);
	run_loop_often();
	ck_assert(TAILQ_EMPTY(&rig.daemon.control->users.all));
}
END_TEST

/* A withdrawal whose client is gone still counts until the node has ended it.
 */
START_TEST(left_operations_count)
{
	struct peer_end *p;

	rig.node.operations_limit = 8;
	for (int i = 0; i < 2; i++) {
		p = user_new(1001);
		client_write_line(p, UNANNOUNCE(""));
		run_loop_often();
		client_free(p);
		run_loop_often();
	}
	p = user_new(1001);
	assert_reason(client_call(p, UNANNOUNCE("")), "busy");
	deliver_event(&(struct node_event){.kind = NODE_EV_DONE, .op = 1});
	result_key(complete(p, UNANNOUNCE("")), (uint8_t[KEY_LEN]){0});
	client_free(p);
}
END_TEST

START_TEST(longest_lists_fit_a_line)
{
	static const struct {
		const char *line;
		json_int_t page;
	} rows[] = {
	    {REQUEST("connections", ""), API_PAGE_MAX},
	    {REQUEST("listeners", ""), API_PAGE_MAX},
	    {REQUEST("explain", ""), API_ATTEMPTS_MAX},
	};
	struct peer_end *p = client_new();

	rig.node.listed = 2 * API_PAGE_MAX;
	ck_assert_int_eq(result_int(client_call(p, rows[_i].line), "next"),
	    UINT32_MAX - rig.node.listed + rows[_i].page);
	client_free(p);
}
END_TEST

static void
add_listeners(TCase *tc)
{
	tcase_add_test(tc, listen_passes_all_on);
	tcase_add_test(tc, bad_listen_is_refused);
	tcase_add_test(tc, accept_waits_for_a_connection);
	tcase_add_test(tc, connections_wait_for_accept);
	tcase_add_test(tc, no_waiting_connection_is_closed);
	tcase_add_test(tc, listen_passes_its_limits);
	tcase_add_test(tc, listener_ends_with_its_client);
	tcase_add_test(tc, kept_listener_outlives_its_client);
	tcase_add_test(tc, listener_may_become_the_stream);
	tcase_add_test(tc, listener_that_is_gone_accepts_nobody);
	tcase_add_loop_test(tc, offer_is_answered, 0, 2);
	tcase_add_test(tc, unannounced_listener_is_told);
	tcase_add_test(tc, identity_is_the_callers_choice);
	tcase_add_test(tc, what_is_anothers_is_out_of_reach);
	tcase_add_test(tc, how_anothers_ended_is_not_told);
	tcase_add_test(tc, other_users_have_keys_of_their_own);
	tcase_add_loop_test(tc, longest_lists_fit_a_line, 0, 3);
	tcase_add_test(tc, announcements_belong_to_users);
	tcase_add_test(tc, shared_key_belongs_to_the_first);
	tcase_add_test(tc, owners_are_stored);
	tcase_add_test(tc, values_are_signed_by_users);
	tcase_add_test(tc, keys_can_be_removed);
	tcase_add_test(tc, unsaved_key_is_reported);
	tcase_add_loop_test(tc, users_have_shares, 0, T_ROWS(shares));
	tcase_add_test(tc, left_operations_count);
}

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("control_conn", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, bytes_go_both_ways);
	tcase_add_test(tc, early_bytes_are_the_streams);
	tcase_add_test(tc, early_bytes_wait_for_room);
	tcase_add_test(tc, no_room_stops_the_client_alone);
	tcase_add_test(tc, less_is_taken_than_there_was_room_for);
	tcase_add_test(tc, write_that_fails_ends_it);
	tcase_add_test(tc, slow_reader_holds_its_peer_alone);
	tcase_add_test(tc, client_ends_and_still_hears);
	tcase_add_test(tc, peer_ends_and_still_hears);
	tcase_add_test(tc, lost_peer_is_no_end);
	tcase_add_test(tc, outcome_waits_for_the_end);
	tcase_add_test(tc, client_that_closes_has_ended);
	tcase_add_test(tc, gone_client_does_not_hold_its_peer);
	tcase_add_loop_test(tc, outcome_says_what_was_delivered, 0, 2);
	tcase_add_test(tc, gone_client_has_its_bytes_delivered);
	tcase_add_test(tc, gone_client_has_its_bytes_delivered_first);
	tcase_add_test(tc, silent_client_is_left_alone);
	tcase_add_test(tc, client_that_breaks_off_resets);
	tcase_add_test(tc, stopping_daemon_resets);
	tcase_add_test(tc, others_may_disconnect_it);
	tcase_add_test(tc, trace_reports_until_the_stream_is_gone);
	tcase_add_test(tc, slow_reader_of_a_trace_loses_events);
	tcase_add_test(tc, trace_is_cancelled);
	tcase_add_test(tc, trace_of_another_user_is_refused);
	tcase_add_test(tc, watcher_sees_a_connection);
	tcase_add_test(tc, watcher_sees_a_failed_dial);
	tcase_add_test(tc, watcher_sees_refusals_and_offers);
	tcase_add_test(tc, deaf_watcher_harms_nobody);
	tcase_add_test(tc, connect_passes_all_on);
	tcase_add_loop_test(tc, failed_connect_is_the_last_line, 0, 6);
	tcase_add_test(tc, second_dial_opens);
	tcase_add_test(tc, second_dial_fails);
	tcase_add_test(tc, no_second_dial_without_a_relay);
	tcase_add_test(tc, no_second_dial_in_vain);
	tcase_add_test(tc, client_that_leaves_is_not_dialed_for);
	tcase_add_loop_test(
	    tc, bad_connect_is_the_last_line, 0, T_ROWS(bad_connects));
	tcase_add_test(tc, refusing_node_is_told);
	tcase_add_test(tc, node_limits_listeners);
	tcase_add_test(tc, opened_for_nobody_is_reset);
	add_listeners(tc);
	return s;
}
