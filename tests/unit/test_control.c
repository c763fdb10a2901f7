/* SPDX-License-Identifier: ISC */
/*
 * Goal: whatever a local program sends, the control socket answers valid
 * requests, reports what is wrong with others, keeps its limits and continues
 * to serve other programs. Method: control_rig.h.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_rig.h"
#include "t.h"

static const char status_line[] =
    "{\"jsonrpc\":\"2.0\",\"id\":99,\"method\":\"status\"}";

#define LOOKUP(id)                                                             \
	"{\"jsonrpc\":\"2.0\",\"id\":" id                                      \
	",\"method\":\"lookup\",\"params\":{\"topic\":\"t\"}}"
#define ANNOUNCE(id)                                                           \
	"{\"jsonrpc\":\"2.0\",\"id\":" id                                      \
	",\"method\":\"announce\",\"params\":{\"topic\":\"t\"}}"

/* ---- lines ---- */

static const struct {
	const char *line;
	int code;
} wrong[] = {
    {"{", API_ERR_PARSE},
    {"\xff\xfe", API_ERR_PARSE},
    {"{\"a\":1,\"a\":2}", API_ERR_PARSE},
    {"[[[[[[[[[[[[[[[[[", API_ERR_PARSE},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\\u0000\"}", API_ERR_PARSE},
    {"42", API_ERR_REQUEST},
    {"[]", API_ERR_REQUEST},
    {"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]", API_ERR_REQUEST},
    {"{}", API_ERR_REQUEST},
    {"{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", API_ERR_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"method\":\"status\"}", API_ERR_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"status\"}",
	API_ERR_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"id\":1}", API_ERR_REQUEST},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"statu\"}", API_ERR_METHOD},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[]}",
	API_ERR_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":"
     "{\"x\":1}}",
	API_ERR_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"lookup\"}", API_ERR_PARAMS},
    {"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params\":"
     "{\"address\":\"127.0.0.1:1\"}}",
	API_ERR_FAILED},
};

START_TEST(malformed_line_is_answered)
{
	struct peer_end *p = client_new();

	assert_error(p, wrong[_i].line, wrong[_i].code);
	assert_result(p, status_line);
	client_free(p);
}
END_TEST

START_TEST(nul_byte_is_answered)
{
	struct peer_end *p = client_new();

	client_write(p, "{\0}\n", 4);
	assert_error(p, "", API_ERR_PARSE);
	assert_result(p, status_line);
	client_free(p);
}
END_TEST

START_TEST(long_line_is_passed_over)
{
	struct peer_end *p = client_new();
	char *line = malloc(3 * API_LINE_MAX);

	memset(line, 'x', 3 * API_LINE_MAX);
	client_write(p, line, 3 * API_LINE_MAX);
	client_write_line(p, "");
	assert_error(p, "", API_ERR_PARSE);
	/* The longest that is read, for what it is. */
	client_write(p, line, API_LINE_MAX - 1);
	client_write_line(p, "");
	assert_error(p, "", API_ERR_PARSE);
	assert_result(p, status_line);
	free(line);
	client_free(p);
}
END_TEST

START_TEST(line_may_come_in_bytes)
{
	struct peer_end *p = client_new();

	for (const char *c = status_line; *c != '\0'; c++)
		client_write(p, c, 1);
	client_write(p, "\r\n\n", 3);
	assert_result(p, "");
	assert_result(p, status_line);
	client_free(p);
}
END_TEST

START_TEST(many_lines_are_all_answered)
{
	struct peer_end *p = client_new();
	char *lines = malloc(400 * sizeof status_line + 1);
	size_t len = 0;

	for (int i = 0; i < 400; i++)
		len += (size_t)snprintf(
		    lines + len, sizeof status_line + 1, "%s\n", status_line);
	client_write(p, lines, len);
	for (int i = 0; i < 400; i++) {
		json_t *j = client_read(p);

		ck_assert_ptr_nonnull(json_object_get(j, "result"));
		json_decref(j);
	}
	free(lines);
	client_free(p);
}
END_TEST

/* They have no answer that could bring the next turn. */
START_TEST(blank_lines_hide_nothing)
{
	struct peer_end *p = client_new();
	char line[10 * CLIENT_BATCH_LINES + sizeof status_line];

	memset(line, '\n', sizeof line);
	memcpy(line + sizeof line - sizeof status_line, status_line,
	    sizeof status_line - 1);
	ck_assert_int_eq(
	    send(p->fd, line, sizeof line, 0), (ssize_t)sizeof line);
	assert_result(p, "");
	client_free(p);
}
END_TEST

/* ---- every method keeps to the table ---- */

static void assert_field(const json_t *object, const struct api_field *f);

/* All fields of the table, and no others. */
static void
assert_fields(const json_t *object, const struct api_field *fields)
{
	size_t n = 0;

	ck_assert(json_is_object(object));
	for (const struct api_field *f = fields; f->name != NULL; f++) {
		n += json_object_get(object, f->name) != NULL;
		assert_field(object, f);
	}
	ck_assert_msg(n == json_object_size(object),
	    "fields beside the table"
	    " in %s",
	    json_dumps(object, 0));
}

static void
assert_field(const json_t *object, const struct api_field *f)
{
	const json_t *j = json_object_get(object, f->name), *item;
	size_t i;
	bool right;

	if (j == NULL || json_is_null(j)) {
		ck_assert_msg(!f->required, "%s is missing", f->name);
		return;
	}
	if (f->type == API_UINT)
		right = json_is_integer(j);
	else if (f->type == API_BOOL)
		right = json_is_boolean(j);
	else if (f->type == API_LIST)
		right = json_is_array(j);
	else if (f->type == API_OBJECT)
		right = json_is_object(j);
	else
		right = json_is_string(j) || f->type == API_ID;
	ck_assert_msg(right, "%s is of another type", f->name);
	if (f->of == NULL)
		return;
	json_array_foreach(j, i, item) assert_fields(item, f->of);
}

/* A request with a good value for each parameter that must be given. */
static char *
sample_request(const struct api_method *m)
{
	static const char *const samples[] = {
	    [API_TEXT] = "x",
	    [API_KEY] = "oz84qn8b3jtzoa49fyffrkecw5eebzjzirgne4n18piqt4fkn8mo",
	    [API_HASH] = "oz84qn8b3jtzoa49fyffrkecw5eebzjzirgne4n18piqt4fkn8mo",
	    [API_TOPIC] = "topic",
	    [API_ADDR] = "192.0.2.1:49737",
	    [API_B64] = "aGVsbG8=",
	};
	json_t *params = json_object(), *j;
	char *line;

	for (const struct api_field *f = m->params; f->name != NULL; f++) {
		if (f->required && (f->type == API_UINT || f->type == API_ID))
			json_object_set_new(params, f->name, json_integer(5));
		else if (f->required && f->type == API_BOOL)
			json_object_set_new(params, f->name, json_true());
		else if (f->required)
			json_object_set_new(
			    params, f->name, json_string(samples[f->type]));
	}
	if (strcmp(m->name, "accept") == 0) /* this, or a topic */
		json_object_set_new(params, "listener", json_integer(5));
	if (strcmp(m->name, "expose") == 0) {
		json_object_set_new(params, "target", json_string("80"));
		json_object_set_new(params, "public", json_true());
	}
	if (strstr(m->name, "forward") != NULL)
		json_object_set_new(params, "local", json_string("80"));
	j = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1,
	    "method", m->name, "params", params);
	line = json_dumps(j, JSON_COMPACT);
	json_decref(j);
	return line;
}

/* Queues every event that an operation can get, then its end. */
static void
finish_operation(const char *method)
{
	uint32_t op = rig.node.last_op;
	bool get = strncmp(method, "get", 3) == 0;

	if (strcmp(method, "listen") == 0) {
		deliver_event(
		    &(struct node_event){.kind = NODE_EV_LISTENING, .op = op});
		return;
	}
	if (strcmp(method, "connect") == 0) {
		open_made_conn(op);
		deliver_event(
		    &(struct node_event){.kind = NODE_EV_OPEN, .op = op});
		return;
	}
	if (strcmp(method, "netcheck") == 0)
		deliver_event(&(struct node_event){.kind = NODE_EV_SILENCE,
		    .op = op,
		    .outlived_s = 10,
		    .next_s = 25});
	if (strcmp(method, "find_node") == 0)
		deliver_event(&(struct node_event){.kind = NODE_EV_NODE,
		    .op = op,
		    .node = addr_v4(192, 0, 2, 2, 1),
		    .id = {1}});
	if (strcmp(method, "lookup") == 0 || strcmp(method, "find_peer") == 0)
		deliver_event(&(struct node_event){.kind = NODE_EV_PEER,
		    .op = op,
		    .node = addr_v4(192, 0, 2, 2, 1),
		    .relays_len = 1,
		    .relays = {addr_v4(192, 0, 2, 3, 1)}});
	if (get)
		deliver_event(&(struct node_event){.kind = NODE_EV_VALUE,
		    .op = op,
		    .value_len = 5,
		    .value = "hello",
		    .seq = 4});
	deliver_event(&(struct node_event){.kind = NODE_EV_DONE,
	    .op = op,
	    .node = addr_v4(192, 0, 2, 2, 1),
	    .rtt_us = 10,
	    .replies = 3,
	    .stored = 2});
}

/* Makes listener 5, at which connection 5 waits, has one ended and joins a
 * topic. */
static struct peer_end *
make_listener(void)
{
	struct peer_end *p = client_new();

	rig.node.last_op = 4;
	client_write_line(
	    p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"listen\"}");
	for (int i = 0; i < 4; i++)
		run_loop();
	deliver_event(&(struct node_event){.kind = NODE_EV_LISTENING, .op = 5});
	json_decref(client_read(p));
	open_made_conn(5);
	deliver_event(
	    &(struct node_event){.kind = NODE_EV_OPEN, .op = 5, .listener = 5});
	control_outcome_add(
	    rig.daemon.control, &(struct control_outcome_entry){.conn = 5});
	/* And joins the topic of sample_request(). */
	rig.node.last_op = 98;
	client_write_line(p,
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"join\","
	    "\"params\":{\"topic\":\"topic\"}}");
	for (int i = 0; i < 4; i++)
		run_loop();
	json_decref(client_read(p));
	rig.node.last_op = 5;
	return p;
}

/* What was not found out is null, and not a number that looks like one. */
static json_t *
check_network(struct peer_end *p, const char *params)
{
	json_t *j, *result;
	char line[128];

	snprintf(line, sizeof line,
	    "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"netcheck\"%s}", params);
	client_write_line(p, line);
	for (int i = 0; i < 4; i++)
		run_loop();
	deliver_event(
	    &(struct node_event){.kind = NODE_EV_DONE, .op = rig.node.last_op});
	j = client_read(p);
	result = json_incref(json_object_get(j, "result"));
	json_decref(j);
	return result;
}

START_TEST(netcheck_tells_what_it_knows)
{
	struct peer_end *p = client_new();
	json_t *r = check_network(p, "");

	ck_assert(!rig.node.lifetime);
	ck_assert(json_is_null(json_object_get(r, "stable")));
	ck_assert(json_is_null(json_object_get(r, "hairpin")));
	ck_assert(json_is_null(json_object_get(r, "lifetime_min_s")));
	ck_assert(json_is_null(json_object_get(r, "keepalive_s")));
	json_decref(r);
	mapping_learn(&rig.node.mapping, 115, 175, 0);
	mapping_changed(&rig.node.mapping, false, 0);
	rig.node.netcheck =
	    (struct netcheck_result){.stability = STABILITY_SAME,
		.hairpin_tried = true,
		.addrs_len = 1,
		.addrs = {addr_v4(192, 0, 2, 7, 1)}};
	r = check_network(p, ",\"params\":{\"lifetime\":true}");
	ck_assert(rig.node.lifetime);
	ck_assert(json_is_true(json_object_get(r, "stable")));
	ck_assert(json_is_false(json_object_get(r, "hairpin")));
	ck_assert_int_eq(
	    json_integer_value(json_object_get(r, "lifetime_max_s")), 175);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(r, "keepalive_s")), 25);
	ck_assert_int_eq(
	    json_integer_value(json_object_get(r, "address_changes")), 1);
	json_decref(r);
	/* Without a NAT there is nothing to hairpin. */
	rig.node.local = true;
	r = check_network(p, "");
	ck_assert(json_is_false(json_object_get(r, "translated")));
	ck_assert(json_is_null(json_object_get(r, "hairpin")));
	json_decref(r);
	client_free(p);
}
END_TEST

/* Creates what a method removes or shows. */
static void
prepare_removal(struct peer_end *p, const char *method)
{
	static const struct {
		enum api_method_id creates;
		const char *method;
	} rows[] = {
	    {API_METHOD_key_new, "key_remove"},
	    {API_METHOD_name_add, "name_show"},
	    {API_METHOD_name_add, "name_remove"},
	    {API_METHOD_expose, "unexpose"},
	    {API_METHOD_forward, "unforward"},
	};
	char *line;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strcmp(rows[i].method, method) != 0)
			continue;
		line = sample_request(&api_methods[rows[i].creates]);
		if (rows[i].creates != API_METHOD_key_new)
			assert_result(p, line);
		else
			assert_result(p, "{\"jsonrpc\":\"2.0\",\"id\":1,"
					 "\"method\":\"key_new\","
					 "\"params\":{\"name\":\"x\"}}");
		free(line);
	}
}

START_TEST(method_keeps_to_the_table)
{
	const struct api_method *m = &api_methods[_i];
	struct peer_end *other, *p;
	char *line;
	json_t *j;
	bool later;

	if (_i == API_METHOD_trace)
		return; /* it needs a stream: test_control_conn.c has one */
	other = make_listener();
	p = client_new();
	line = sample_request(m);

	rig.node.nodes = 3;
	rig.node.listed = 3;
	prepare_removal(p, m->name);
	client_write_line(p, line);
	for (int i = 0; i < 4; i++)
		run_loop();
	later = rig.node.last_op > 5 && m->answer != API_NOW;
	if (later)
		finish_operation(m->name);
	j = client_read(p);
	if (later && m->note != NULL && strcmp(m->note, "offer") != 0) {
		ck_assert_str_eq(t_string(j, "method"), m->note);
		assert_fields(json_object_get(j, "params"), m->note_fields);
		json_decref(j);
		j = client_read(p);
	}
	ck_assert_msg(json_object_get(j, "result") != NULL, "%s: %s", m->name,
	    json_dumps(j, 0));
	assert_fields(json_object_get(j, "result"), m->results);
	json_decref(j);
	free(line);
	client_free(p);
	client_free(other);
}
END_TEST

START_TEST(longest_page_fits_a_line)
{
	struct peer_end *p = client_new();
	json_t *j;

	rig.node.nodes = 3 * API_PAGE_MAX;
	j = client_call(
	    p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"nodes\"}");
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "result"), "next")),
	    API_PAGE_MAX);
	json_decref(j);
	client_free(p);
}
END_TEST

START_TEST(reload_tells_what_was_wrong)
{
	struct peer_end *p = client_new();

	rig.node.reload_fails = true;
	assert_error(p, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"reload\"}",
	    API_ERR_FAILED);
	client_free(p);
}
END_TEST

/* ---- operations ---- */

START_TEST(two_clients_get_their_own)
{
	struct peer_end *a = client_new(), *b = client_new();
	json_t *j;

	client_write_line(a, LOOKUP("\"one\""));
	run_loop();
	client_write_line(b, LOOKUP("1"));
	run_loop();
	ck_assert_uint_eq(rig.node.last_op, 2);
	deliver_event(&(struct node_event){.kind = NODE_EV_PEER, .op = 2});
	deliver_event(&(struct node_event){.kind = NODE_EV_DONE, .op = 2});
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_DONE, .op = 1, .err = ERR_NOT_FOUND, .replies = 4});
	j = client_read(b);
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "params"), "request")),
	    1);
	json_decref(j);
	j = client_read(b);
	ck_assert_ptr_nonnull(json_object_get(j, "result"));
	json_decref(j);
	j = client_read(a);
	ck_assert_str_eq(t_string(j, "id"), "one");
	ck_assert_str_eq(
	    t_string(json_object_get(json_object_get(j, "error"), "data"),
		"err_name"),
	    "not-found");
	json_decref(j);
	client_free(a);
	client_free(b);
}
END_TEST

START_TEST(operations_of_a_client_are_bounded)
{
	struct peer_end *p = client_new();
	char line[128];

	for (int i = 0; i < CLIENT_OPERATIONS_MAX; i++) {
		snprintf(line, sizeof line, LOOKUP("%d"), i);
		client_write_line(p, line);
	}
	assert_error(p, LOOKUP("\"over\""), API_ERR_LIMIT);
	assert_result(p, status_line);
	ck_assert_uint_eq(rig.node.last_op, CLIENT_OPERATIONS_MAX);
	client_free(p);
	ck_assert_uint_eq(rig.node.cancelled_len, CLIENT_OPERATIONS_MAX);
}
END_TEST

START_TEST(id_under_way_is_refused)
{
	struct peer_end *p = client_new();

	client_write_line(p, LOOKUP("5"));
	assert_error(p, LOOKUP("5"), API_ERR_REQUEST);
	client_free(p);
}
END_TEST

/* Ids are each client's own. */
START_TEST(client_cannot_cancel_for_another)
{
	struct peer_end *a = client_new(), *b = client_new();
	json_t *j;

	client_write_line(a, LOOKUP("5"));
	j = client_call(b,
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"cancel\","
	    "\"params\":{\"request\":5}}");
	ck_assert(!t_bool(json_object_get(j, "result"), "cancelled"));
	json_decref(j);
	client_write_line(b, LOOKUP("5"));
	run_loop();
	ck_assert_uint_eq(rig.node.last_op, 2);
	client_free(a);
	client_free(b);
}
END_TEST

/* What a client has begun ends with it; what shall last lasts. */
START_TEST(operations_end_with_their_client)
{
	struct peer_end *p = client_new();

	client_write_line(p, LOOKUP("1"));
	client_write_line(p, ANNOUNCE("2"));
	run_loop();
	ck_assert_uint_eq(rig.node.last_op, 2);
	client_free(p);
	ck_assert_uint_eq(rig.node.cancelled_len, 1);
	ck_assert_uint_eq(rig.node.cancelled[0], 1);
	deliver_event(&(struct node_event){.kind = NODE_EV_DONE, .op = 2});
}
END_TEST

START_TEST(cancel_ends_a_request)
{
	struct peer_end *p = client_new();
	json_t *j;

	client_write_line(p, LOOKUP("\"a\""));
	j = client_call(p,
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"cancel\","
	    "\"params\":{\"request\":\"a\"}}");
	ck_assert_str_eq(t_string(j, "id"), "a");
	ck_assert_str_eq(
	    t_string(json_object_get(json_object_get(j, "error"), "data"),
		"err_name"),
	    "cancelled");
	json_decref(j);
	j = client_read(p);
	ck_assert(t_bool(json_object_get(j, "result"), "cancelled"));
	json_decref(j);
	j = client_call(p,
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"cancel\","
	    "\"params\":{\"request\":\"a\"}}");
	ck_assert(!t_bool(json_object_get(j, "result"), "cancelled"));
	json_decref(j);
	client_free(p);
}
END_TEST

/* `echo ... | socat - UNIX:...` */
START_TEST(half_closed_client_is_answered)
{
	struct peer_end *p = client_new();
	json_t *j;

	client_write_line(p, LOOKUP("1"));
	client_write(p, "{", 1);
	shutdown(p->fd, SHUT_WR);
	j = client_read(p);
	ck_assert_ptr_nonnull(json_object_get(j, "error"));
	json_decref(j);
	deliver_event(&(struct node_event){.kind = NODE_EV_DONE, .op = 1});
	j = client_read(p);
	ck_assert_ptr_nonnull(json_object_get(j, "result"));
	json_decref(j);
	ck_assert_ptr_null(client_read(p));
	client_free(p);
	ck_assert_uint_eq(rig.node.cancelled_len, 0);
}
END_TEST

/* ---- watching ---- */

START_TEST(watch_tells_what_was_asked)
{
	struct peer_end *p = client_new();
	json_t *j;

	assert_result(p, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"watch\","
			 "\"params\":{\"event\":\"address\"}}");
	deliver_event(&(struct node_event){.kind = NODE_EV_PERSISTENT});
	deliver_event(&(struct node_event){
	    .kind = NODE_EV_ADDRESS, .node = addr_v4(192, 0, 2, 1, 2)});
	j = client_read(p);
	assert_fields(json_object_get(j, "params"),
	    api_method_find("watch")->note_fields);
	ck_assert_str_eq(
	    t_string(json_object_get(j, "params"), "address"), "192.0.2.1:2");
	json_decref(j);
	assert_result(
	    p, "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"unwatch\"}");
	deliver_event(&(struct node_event){.kind = NODE_EV_ADDRESS});
	assert_result(p, status_line);
	client_free(p);
}
END_TEST

/* ---- clients that do not behave ---- */

START_TEST(clients_are_bounded)
{
	struct peer_end *all[CLIENTS_MAX], *p = calloc(1, sizeof *p);
	json_t *j;

	for (int i = 0; i < CLIENTS_MAX; i++)
		all[i] = client_new();
	p->fd = open_socket(rig.daemon.path);
	j = client_read(p);
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "error"), "code")),
	    API_ERR_LIMIT);
	json_decref(j);
	ck_assert_ptr_null(client_read(p));
	client_free(p);
	client_free(all[0]);
	all[0] = client_new();
	for (int i = 0; i < CLIENTS_MAX; i++)
		client_free(all[i]);
}
END_TEST

/* Floods one that does not read; another is served meanwhile. */
static void
flood_client(struct peer_end *other)
{
	for (int i = 0; i < 20000; i++) {
		deliver_event(
		    &(struct node_event){.kind = NODE_EV_PEER, .op = 1});
		if (i % 5000 == 0)
			assert_result(other, status_line);
	}
	assert_result(other, status_line);
}

START_TEST(slow_reader_is_told_and_dropped)
{
	struct peer_end *slow = client_new(), *other = client_new();
	json_t *j, *last = NULL;
	unsigned heard = 0;

	client_write_line(slow, LOOKUP("1"));
	run_loop();
	flood_client(other);
	ck_assert_uint_eq(rig.node.cancelled_len, 1);
	while ((j = client_read(slow)) != NULL) {
		json_decref(last);
		last = j;
		heard++;
	}
	ck_assert_str_eq(t_string(last, "method"), "dropped");
	ck_assert_uint_gt(heard, 1000);
	json_decref(last);
	client_free(slow);
	assert_result(other, status_line);
	client_free(other);
}
END_TEST

START_TEST(stuck_reader_is_dropped)
{
	struct peer_end *stuck = client_new(), *other = client_new();
	uint32_t *clients = &rig.daemon.control->clients.len;

	client_write_line(stuck, LOOKUP("1"));
	run_loop();
	flood_client(other);
	ck_assert_uint_eq(*clients, 2);
	for (int i = 0; i < (CLIENT_STUCK_S + 2) * 10; i++) {
		poll(NULL, 0, 100);
		run_loop();
	}
	ck_assert_uint_eq(*clients, 1);
	client_free(stuck);
	assert_result(other, status_line);
	client_free(other);
}
END_TEST

/* It asks and asks, and reads nothing: its own requests wait. */
START_TEST(requests_of_a_slow_reader_wait)
{
	struct peer_end *p = client_new();
	static const char describe[] =
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"describe\"}\n";
	int sent = 0;

	while (send(p->fd, describe, sizeof describe - 1, MSG_NOSIGNAL) > 0) {
		run_loop();
		sent++;
	}
	for (int i = 0; i < 100; i++)
		run_loop();
	for (int i = 0; i < sent; i++) {
		json_t *j = client_read(p);

		ck_assert_ptr_nonnull(json_object_get(j, "result"));
		json_decref(j);
	}
	client_free(p);
}
END_TEST

/* ---- access ---- */

/* What a caller with that group gets: access, or the code of the error. */
static void
assert_access(gid_t gid, bool primary, const char *access, int stop_code)
{
	struct peer_end *p;
	json_t *j;

	ck_assert_int_eq(setgroups(primary ? 0 : 1, &gid), 0);
	ck_assert_int_eq(setgid(primary ? gid : 65534), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	p = calloc(1, sizeof *p);
	p->fd = open_socket(rig.daemon.path);
	ck_assert_int_ge(p->fd, 0);
	/* The daemon's own user is root here. */
	ck_assert_int_eq(seteuid(0), 0);
	j = client_read(p);
	if (access == NULL) {
		ck_assert_int_eq(json_integer_value(json_object_get(
				     json_object_get(j, "error"), "code")),
		    API_ERR_DENIED);
		ck_assert_ptr_null(client_read(p));
	} else {
		ck_assert_str_eq(
		    t_string(json_object_get(j, "params"), "access"), access);
		if (stop_code != 0)
			assert_error(p,
			    "{\"jsonrpc\":\"2.0\",\"id\":1,"
			    "\"method\":\"stop\"}",
			    stop_code);
		else
			assert_result(p, "{\"jsonrpc\":\"2.0\",\"id\":1,"
					 "\"method\":\"stop\"}");
	}
	ck_assert(rig.node.stopped == (access != NULL && stop_code == 0));
	json_decref(j);
	client_free(p);
}

static const struct {
	gid_t gid;
	bool primary; /* else one of the others that a process has */
	const char *access;
	int stop_code;
} callers[] = {
    {4240, false, NULL, 0},
    {4240, true, NULL, 0},
    {4241, false, "read", API_ERR_DENIED},
    {4242, false, "user", API_ERR_DENIED},
    {4242, true, "user", API_ERR_DENIED},
    {4243, false, "admin", 0},
};

static void
set_groups(void)
{
	struct control_groups *g = &rig.daemon.control->groups;
	char path[128];

	snprintf(path, sizeof path, "%s/new", rig.dir);
	chmod(rig.dir, 0755);
	chmod(path, 0755);
	chmod(rig.daemon.path, 0666);
	g->gid[API_READ] = 4241;
	g->gid[API_USER] = 4242;
	g->gid[API_ADMIN] = 4243;
}

START_TEST(groups_say_who_may)
{
	if (geteuid() != 0)
		return;
	set_groups();
	assert_access(callers[_i].gid, callers[_i].primary, callers[_i].access,
	    callers[_i].stop_code);
}
END_TEST

/* Users may fill the daemon with clients; operators still get in. */
START_TEST(operators_have_room)
{
	enum { OTHERS = CLIENTS_MAX - CLIENTS_ADMIN_RESERVE };
	struct peer_end *all[OTHERS], *p;
	gid_t gid = 4242;
	json_t *j;

	if (geteuid() != 0)
		return;
	set_groups();
	for (int i = 0; i < OTHERS; i++)
		all[i] = client_new();
	ck_assert_int_eq(setgroups(1, &gid), 0);
	ck_assert_int_eq(seteuid(65534), 0);
	p = calloc(1, sizeof *p);
	p->fd = open_socket(rig.daemon.path);
	ck_assert_int_eq(seteuid(0), 0);
	j = client_read(p);
	ck_assert_int_eq(json_integer_value(json_object_get(
			     json_object_get(j, "error"), "code")),
	    API_ERR_LIMIT);
	json_decref(j);
	client_free(p);
	assert_access(4243, false, "admin", 0);
	for (int i = 0; i < OTHERS; i++)
		client_free(all[i]);
}
END_TEST

/* A user has a quarter of the clients; others still have room. */
START_TEST(one_user_leaves_room)
{
	enum { SHARE = CLIENTS_MAX / USER_SHARE };
	struct peer_end *all[SHARE], *p;
	gid_t gid = 4242;
	json_t *j;

	if (geteuid() != 0)
		return;
	set_groups();
	ck_assert_int_eq(setgroups(1, &gid), 0);
	for (int i = 0; i <= SHARE + 1; i++) {
		ck_assert_int_eq(seteuid(i <= SHARE ? 65534 : 65533), 0);
		p = calloc(1, sizeof *p);
		p->fd = open_socket(rig.daemon.path);
		ck_assert_int_eq(seteuid(0), 0);
		j = client_read(p);
		/* The one beyond the share is refused, the next user is not. */
		ck_assert(
		    (json_object_get(j, "error") != NULL) == (i == SHARE));
		json_decref(j);
		if (i < SHARE)
			all[i] = p;
		else
			client_free(p);
	}
	for (int i = 0; i < SHARE; i++)
		client_free(all[i]);
	ck_assert(TAILQ_EMPTY(&rig.daemon.control->users.all));
}
END_TEST

/* ---- the socket's file ---- */

START_TEST(live_socket_is_left_alone)
{
	struct made_daemon second = rig.daemon;

	ck_assert_ptr_null(made_control(&second));
	ck_assert_ptr_nonnull(strstr(rig.fault.text, "already running"));
	client_free(client_new());
}
END_TEST

START_TEST(dead_socket_is_replaced)
{
	struct made_daemon second = rig.daemon;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%.63s/dead", rig.dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	close(fd);
	snprintf(second.path, sizeof second.path, "%s", at.sun_path);
	second.control = made_control(&second);
	ck_assert_msg(second.control != NULL, "%s", rig.fault.text);
	control_free(second.control);
	ck_assert_int_ne(access(at.sun_path, F_OK), 0);
}
END_TEST

START_TEST(other_file_is_left_alone)
{
	struct made_daemon second = rig.daemon;
	char path[sizeof second.path];

	snprintf(path, sizeof path, "%s/file", rig.dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	snprintf(second.path, sizeof second.path, "%s", path);
	ck_assert_ptr_null(made_control(&second));
	ck_assert_ptr_nonnull(strstr(rig.fault.text, "not a socket"));
	ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* Of another kind, so that it cannot be asked whether it lives. */
START_TEST(other_socket_is_left_alone)
{
	struct made_daemon second = rig.daemon;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%.63s/other", rig.dir);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	snprintf(second.path, sizeof second.path, "%s", at.sun_path);
	ck_assert_ptr_null(made_control(&second));
	ck_assert_int_eq(unlink(at.sun_path), 0);
	close(fd);
}
END_TEST

START_TEST(long_path_is_an_error)
{
	struct control_socket socket;
	char path[200];

	memset(path, 'x', sizeof path);
	path[sizeof path - 1] = '\0';
	ck_assert_int_eq(
	    control_socket_open(&socket, path, 0600, &rig.fault), ERR_SIZE);
	ck_assert_ptr_nonnull(strstr(rig.fault.text, "too long"));
}
END_TEST

START_TEST(successor_keeps_its_socket)
{
	struct made_daemon second = rig.daemon;
	char *path = rig.daemon.path;

	/* As if an operator had removed the file of a running daemon. */
	ck_assert_int_eq(unlink(path), 0);
	second.control = made_control(&second);
	ck_assert_msg(second.control != NULL, "%s", rig.fault.text);
	control_free(rig.daemon.control);
	ck_assert_int_eq(access(path, F_OK), 0);
	rig.daemon.control = second.control;
}
END_TEST

START_TEST(end_is_told)
{
	struct peer_end *p = client_new();
	struct made_daemon second = rig.daemon;
	json_t *j;

	snprintf(second.path, sizeof second.path, "%s/other", rig.dir);
	assert_result(p, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"watch\"}");
	control_free(rig.daemon.control);
	j = client_read(p);
	ck_assert_str_eq(
	    t_string(json_object_get(j, "params"), "event"), "stopping");
	json_decref(j);
	ck_assert_ptr_null(client_read(p));
	client_free(p);
	rig.daemon.control = made_control(&rig.daemon);
}
END_TEST

static void
add_hard_cases(TCase *tc)
{
	tcase_add_test(tc, clients_are_bounded);
	tcase_add_test(tc, operators_have_room);
	tcase_add_test(tc, one_user_leaves_room);
	tcase_add_test(tc, slow_reader_is_told_and_dropped);
	tcase_add_test(tc, stuck_reader_is_dropped);
	tcase_add_test(tc, requests_of_a_slow_reader_wait);
	tcase_add_loop_test(tc, groups_say_who_may, 0, T_ROWS(callers));
	tcase_add_test(tc, live_socket_is_left_alone);
	tcase_add_test(tc, dead_socket_is_replaced);
	tcase_add_test(tc, other_file_is_left_alone);
	tcase_add_test(tc, other_socket_is_left_alone);
	tcase_add_test(tc, long_path_is_an_error);
	tcase_add_test(tc, successor_keeps_its_socket);
	tcase_add_test(tc, end_is_told);
}

Suite *
t_suite(void)
{
	TCase *tc;
	Suite *s = t_suite_new("control", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, malformed_line_is_answered, 0, T_ROWS(wrong));
	tcase_add_test(tc, nul_byte_is_answered);
	tcase_add_test(tc, netcheck_tells_what_it_knows);
	tcase_add_test(tc, long_line_is_passed_over);
	tcase_add_test(tc, line_may_come_in_bytes);
	tcase_add_test(tc, many_lines_are_all_answered);
	tcase_add_test(tc, blank_lines_hide_nothing);
	tcase_add_loop_test(tc, method_keeps_to_the_table, 0, (int)API_METHODS);
	tcase_add_test(tc, longest_page_fits_a_line);
	tcase_add_test(tc, reload_tells_what_was_wrong);
	tcase_add_test(tc, two_clients_get_their_own);
	tcase_add_test(tc, operations_of_a_client_are_bounded);
	tcase_add_test(tc, id_under_way_is_refused);
	tcase_add_test(tc, operations_end_with_their_client);
	tcase_add_test(tc, cancel_ends_a_request);
	tcase_add_test(tc, client_cannot_cancel_for_another);
	tcase_add_test(tc, half_closed_client_is_answered);
	tcase_add_test(tc, watch_tells_what_was_asked);
	add_hard_cases(tc);
	return s;
}
