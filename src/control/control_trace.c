/* SPDX-License-Identifier: ISC */
#include "control/control_trace.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "api/jsonrpc.h"
#include "control/control_call.h"
#include "control/control_keys.h"
#include "control/control_server.h"
#include "control/trace_text.h"
#include "node/node_conn.h"

enum {
	TRACE_TICK_US = 5000,
	TRACE_TICK_EVENTS = 512, /* of all traces: below a millisecond */
	TRACE_NOTE_EVENTS = 128, /* a line of less than API_LINE_MAX */
	TRACE_STREAMS_MAX = 16,  /* of one request */
};

struct traced_stream {
	uint32_t conn;
	bool dialed;
	uint64_t reported; /* of the events dropped */
	struct udx_trace *trace;
	struct control_user *user; /* counts it; NULL: memory was exhausted */
};

struct control_trace {
	TAILQ_ENTRY(control_trace) link;
	struct control_operation *op;
	uint64_t seconds; /* 0: until the streams close */
	uint64_t events;
	uint32_t len;
	struct traced_stream streams[TRACE_STREAMS_MAX];
};

/* ---- life ---- */

static void
free_trace(struct control *c, struct control_trace *t)
{
	for (uint32_t i = 0; i < t->len; i++) {
		udx_trace_stop(t->streams[i].trace);
		control_user_give(
		    &c->users, t->streams[i].user, CONTROL_HELD_TRACES);
	}
	free(t);
}

static uint64_t
count_dropped(const struct control_trace *t)
{
	uint64_t dropped = 0;

	for (uint32_t i = 0; i < t->len; i++)
		dropped += udx_trace_dropped(t->streams[i].trace);
	return dropped;
}

/* Answers the request and frees the trace. */
static void
end_trace(struct control *c, struct control_trace *t)
{
	struct api_writer w;

	api_writer_init(&w, t->op->method->results);
	api_write_uint(&w, "streams", t->len);
	api_write_uint(&w, "events", t->events);
	api_write_uint(&w, "dropped", count_dropped(t));
	TAILQ_REMOVE(&c->traces.all, t, link);
	control_operation_done(t->op, &w);
	free_trace(c, t);
}

/* ---- sending ---- */

/* Sends at most one notification. Returns the number of its events. */
static uint32_t
send_events(const struct control_trace *t, struct traced_stream *s)
{
	const struct control_operation *o = t->op;
	char text[TRACE_TEXT_MAX];
	struct udx_trace_event e;
	struct api_writer w;
	uint32_t n = 0;

	if (!udx_trace_next(s->trace, &e))
		return 0;
	api_writer_init(&w, o->method->note_fields);
	api_write_id(&w, "request", o->id);
	api_write_uint(&w, "conn", s->conn);
	api_write_bool(&w, "dialed", s->dialed);
	api_write_uint(
	    &w, "dropped", udx_trace_dropped(s->trace) - s->reported);
	s->reported = udx_trace_dropped(s->trace);
	api_write_list(&w, "events");
	do {
		api_append_text(&w, "events", trace_text(&e, text));
		n++;
	} while (n < TRACE_NOTE_EVENTS && udx_trace_next(s->trace, &e));
	control_client_send(o->client,
	    jsonrpc_notification(o->method->note, api_writer_take(&w)));
	return n;
}

/* Sends what the client can take, at most `max` events and a notification
 * more. Returns their number. */
static uint32_t
send_trace(struct control_trace *t, uint32_t max)
{
	uint32_t sent = 0, last;

	do {
		last = 0;
		for (uint32_t i = 0; i < t->len && sent + last < max; i++)
			if (!control_client_is_behind(t->op->client))
				last += send_events(t, &t->streams[i]);
		sent += last;
	} while (last > 0 && sent < max);
	t->events += sent;
	return sent;
}

static bool
is_over(const struct control_trace *t)
{
	uint64_t age_us = udx_trace_age_us(t->streams[0].trace);

	if (t->seconds > 0 && age_us >= t->seconds * 1000000)
		return true;
	for (uint32_t i = 0; i < t->len; i++)
		if (!udx_trace_is_over(t->streams[i].trace))
			return false;
	return true;
}

static void
arm_timer(struct control *c)
{
	const struct timeval tick = {.tv_usec = TRACE_TICK_US};

	if (!TAILQ_EMPTY(&c->traces.all))
		evtimer_add(c->traces.timer, &tick);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;
	struct control_trace_list *all = &c->traces.all;
	struct control_trace *t, *next;
	uint32_t left = TRACE_TICK_EVENTS;

	(void)fd;
	(void)what;
	control_wake(c);
	for (t = TAILQ_FIRST(all); t != NULL; t = next) {
		uint32_t sent = left > 0 ? send_trace(t, left) : 0;

		next = TAILQ_NEXT(t, link);
		left -= sent < left ? sent : left;
		if (is_over(t))
			end_trace(c, t);
	}
	/* The first one is served last in the next tick. */
	t = TAILQ_FIRST(all);
	if (t != NULL) {
		TAILQ_REMOVE(all, t, link);
		TAILQ_INSERT_TAIL(all, t, link);
	}
	arm_timer(c);
	control_settle(c);
}

int
control_traces_init(struct control *c)
{
	TAILQ_INIT(&c->traces.all);
	c->traces.timer = evtimer_new(c->setup.base, on_tick, c);
	return c->traces.timer != NULL ? 0 : ERR_MEMORY;
}

void
control_traces_fini(struct control *c)
{
	if (c->traces.timer != NULL)
		event_free(c->traces.timer);
}

/* ---- the method ---- */

/* Adds the stream of a connection. Returns 0 or a negative code. */
static int
add_stream(
    struct control_call *k, struct control_trace *t, const struct node_conn *n)
{
	struct control *c = k->client->control;
	struct keyring_owner owner = control_owner(k->client);
	struct traced_stream *s = &t->streams[t->len];
	int err = control_user_check(k, CONTROL_HELD_TRACES, ERR_LIMIT);

	if (err == 0 && t->len == TRACE_STREAMS_MAX)
		err = ERR_LIMIT;
	if (err != 0)
		return err;
	s->trace = node_conn_trace(c->setup.node, n->conn, &err);
	if (s->trace == NULL)
		return err;
	s->conn = n->conn;
	s->dialed = n->listener == 0;
	s->user = control_user_take(&c->users, &owner, CONTROL_HELD_TRACES);
	t->len++;
	return 0;
}

/* Adds the streams of the connections to the key, or of one of them, that the
 * caller may use. Returns 0 or a negative code. */
static int
add_streams(struct control_call *k, struct control_trace *t)
{
	const struct node *node = k->client->control->setup.node;
	const struct api_value *key = control_arg(k, "public_key");
	const struct api_value *conn = control_arg(k, "conn");
	struct node_conn n = {.conn = 0};
	uint32_t others = 0;
	int err = 0;

	while (err == 0 && node_conn(node, n.conn, &n)) {
		if (memcmp(n.key, key->key, KEY_LEN) != 0 ||
		    (conn->set && n.conn != conn->uint))
			continue;
		if (control_conn_is_usable(k->client, n.conn))
			err = add_stream(k, t, &n);
		else
			others = n.conn;
	}
	if (err == 0 && t->len == 0)
		err = others != 0 ? control_conn_check(k, others) : ERR_UNKNOWN;
	return err;
}

static int
start_trace(struct control_call *k, struct control_operation *o)
{
	struct control *c = k->client->control;
	struct control_trace *t = calloc(1, sizeof *t);
	int err;

	if (t == NULL)
		return ERR_MEMORY;
	t->op = o;
	t->seconds = control_arg(k, "seconds")->uint;
	err = add_streams(k, t);
	if (err != 0) {
		free_trace(c, t);
		return err;
	}
	TAILQ_INSERT_TAIL(&c->traces.all, t, link);
	arm_timer(c);
	return 0;
}

static void
cancel_trace(struct control_operation *o)
{
	struct control *c = o->control;
	struct control_trace *t;

	TAILQ_FOREACH (t, &c->traces.all, link) {
		if (t->op != o)
			continue;
		TAILQ_REMOVE(&c->traces.all, t, link);
		free_trace(c, t);
		return;
	}
}

const struct control_operation_type control_trace = {
    .start = start_trace, .cancel = cancel_trace};
