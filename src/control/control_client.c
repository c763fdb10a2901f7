/* SPDX-License-Identifier: ISC */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <config.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/control_call.h"
#include "control/control_server.h"
#include "log/log.h"

/* ---- state ---- */

static void
set_client_state(struct control_client *cl, enum control_client_state state)
{
	static const char *const names[] = {
	    [CONTROL_CLIENT_OPEN] = "open",
	    [CONTROL_CLIENT_UPGRADING] = "upgrading",
	    [CONTROL_CLIENT_JOINING] = "joining",
	    [CONTROL_CLIENT_CLOSING] = "closing",
	};

	if (state <= cl->state)
		return;
	log_debug("control: client %ld: %s -> %s", (long)cl->peer.pid,
	    names[cl->state], names[state]);
	cl->state = state;
}

/* Lets on_written() run, also if nothing is queued. */
static void
defer_written(struct control_client *cl)
{
	bufferevent_disable(cl->bev, EV_READ);
	bufferevent_trigger(cl->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* Ends the requests and frees the resources that the client holds. */
static void
end_requests(struct control_client *cl)
{
	cl->dropped = false;
	if (cl->conn != NULL)
		control_conn_drop(cl->conn);
	control_operations_end(cl);
	control_sessions_end(cl->control, cl);
	control_listeners_end(cl->control, cl);
}

void
control_client_close(struct control_client *cl)
{
	if (cl->state == CONTROL_CLIENT_CLOSING && !cl->dropped)
		return;
	set_client_state(cl, CONTROL_CLIENT_CLOSING);
	end_requests(cl);
	cl->watched = 0;
	defer_written(cl);
}

/* Closes the client from the event loop. */
static void
drop_client(struct control_client *cl)
{
	if (cl->state == CONTROL_CLIENT_CLOSING)
		return;
	set_client_state(cl, CONTROL_CLIENT_CLOSING);
	cl->dropped = true;
	cl->watched = 0;
	bufferevent_disable(cl->bev, EV_READ);
	bufferevent_trigger(cl->bev, EV_WRITE,
	    BEV_TRIG_DEFER_CALLBACKS | BEV_TRIG_IGNORE_WATERMARKS);
}

void
control_client_join(struct control_client *cl, struct control_conn *conn)
{
	set_client_state(cl, CONTROL_CLIENT_JOINING);
	cl->conn = conn;
	defer_written(cl);
}

/* ---- output ---- */

static int
add_output(const char *text, size_t len, void *out)
{
	return evbuffer_add(out, text, len);
}

static void
queue_message(struct control_client *cl, const json_t *message)
{
	struct evbuffer *out = bufferevent_get_output(cl->bev);

	if (message == NULL ||
	    json_dump_callback(message, add_output, out, JSON_COMPACT) != 0 ||
	    evbuffer_add(out, "\n", 1) != 0) {
		log_warning("control: client %ld dropped: out of memory",
		    (long)cl->peer.pid);
		drop_client(cl);
	}
}

static size_t
queue_len(const struct control_client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
}

bool
control_client_is_behind(const struct control_client *cl)
{
	return queue_len(cl) > CLIENT_QUEUE_HIGH_BYTES;
}

static void
send_dropped(struct control_client *cl)
{
	struct api_writer w;
	json_t *note;

	api_writer_init(&w, api_dropped_fields);
	api_write_text(&w, "reason", "too much was waiting to be read");
	note = jsonrpc_notification("dropped", api_writer_take(&w));
	queue_message(cl, note);
	json_decref(note);
}

void
control_client_send(struct control_client *cl, json_t *message)
{
	/* The stream begins right after the result that is queued. */
	if (cl->state >= CONTROL_CLIENT_JOINING) {
		json_decref(message);
		return;
	}
	queue_message(cl, message);
	json_decref(message);
	if (queue_len(cl) <= CLIENT_QUEUE_MAX_BYTES)
		return;
	log_notice("control: client %ld dropped: it does not read",
	    (long)cl->peer.pid);
	send_dropped(cl);
	drop_client(cl);
}

/* ---- input ---- */

static int
check_access(struct control_call *k)
{
	const struct api_method *m = k->rq->method;
	enum api_access need = m->access, have = k->client->peer.access;
	char missing[CONTROL_GROUPS_TEXT_MAX];

	if (have >= need)
		return 0;
	return api_error_set(&k->error, API_ERR_DENIED,
	    json_pack("{s:s, s:s}", "need", api_access_name(need), "have",
		api_access_name(have)),
	    "%s needs %s access, and you have %s; members of the group"
	    " hyperdhtd-%s may call it%s",
	    m->name, api_access_name(need), api_access_name(have),
	    api_access_name(need),
	    control_groups_missing(
		&k->client->control->groups, need, need, missing));
}

static void
handle_line(struct control_client *cl, const char *line, size_t len)
{
	struct api_request rq;
	struct control_call k = {.client = cl, .rq = &rq};
	int err = api_request_parse(&rq, &k.error, line, len);
	bool stream = rq.method != NULL && rq.method->answer == API_STREAM;

	if (stream)
		set_client_state(cl, CONTROL_CLIENT_UPGRADING);
	if (err == 0)
		err = check_access(&k);
	if (err == 0)
		err = control_call_run(&k);
	if (err != 0)
		control_client_send(cl, jsonrpc_error(rq.id, &k.error));
	else if (!k.pending)
		control_client_send(
		    cl, jsonrpc_result(rq.id, api_writer_take(&k.result)));
	if (stream && err != 0)
		control_client_close(cl);
	api_request_fini(&rq);
}

static void
send_parse_error(struct control_client *cl, const char *text)
{
	struct api_error e;

	api_error_set(&e, API_ERR_PARSE, NULL, "%s", text);
	control_client_send(cl, jsonrpc_error(NULL, &e));
}

static void
handle_long_line(struct control_client *cl)
{
	char text[80];

	snprintf(text, sizeof text,
	    "the line is longer than %d bytes and was skipped", API_LINE_MAX);
	send_parse_error(cl, text);
}

/* Rejects input without a newline at the end of the input. */
static void
handle_rest(struct control_client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);

	if (evbuffer_get_length(in) == 0)
		return;
	evbuffer_drain(in, evbuffer_get_length(in));
	send_parse_error(cl, "the last line has no newline and was ignored");
}

/* Handles one line, if the input contains one. */
static enum line_what
take_line(struct control_client *cl, struct evbuffer *in)
{
	size_t len = evbuffer_get_length(in);
	const char *buf = (const char *)evbuffer_pullup(in, -1);
	struct line l = line_next(&cl->cutter, buf, len, API_LINE_MAX);

	/* Blank lines are ignored, for interactive use. */
	if (l.what == LINE_WHOLE && l.len > 0)
		handle_line(cl, buf + l.start, l.len);
	else if (l.what == LINE_LONG)
		handle_long_line(cl);
	/* The line may contain a secret. */
	sodium_memzero((char *)evbuffer_pullup(in, (ev_ssize_t)l.used), l.used);
	evbuffer_drain(in, l.used);
	return l.what;
}

/*
 * Handles lines until the input contains no more, the batch is complete, or
 * the client has to read first. Returns false if lines may be left.
 */
static bool
take_lines(struct control_client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);

	for (int i = 0; i < CLIENT_BATCH_LINES; i++) {
		if (cl->state != CONTROL_CLIENT_OPEN)
			return true;
		if (queue_len(cl) > CLIENT_QUEUE_HIGH_BYTES) {
			bufferevent_disable(cl->bev, EV_READ);
			return false;
		}
		if (take_line(cl, in) == LINE_MORE)
			return true;
	}
	bufferevent_trigger(cl->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	return false;
}

/* ---- callbacks of the event loop ---- */

static void
on_lines(struct bufferevent *bev, void *arg)
{
	struct control_client *cl = arg;
	struct control *c = cl->control;

	(void)bev;
	control_wake(c);
	if (take_lines(cl) && cl->input_ended &&
	    cl->state != CONTROL_CLIENT_UPGRADING &&
	    cl->state != CONTROL_CLIENT_JOINING) {
		handle_rest(cl);
		/* No request can follow and all are answered. */
		if (cl->operations_len == 0)
			control_client_close(cl);
	}
	control_settle(c);
}

/* Frees a client after its queue has been sent, or makes it a stream. */
static void
finish_client(struct control_client *cl)
{
	struct control *c = cl->control;

	control_wake(c);
	if (cl->conn != NULL)
		control_conn_begin_stream(cl);
	control_client_free(cl);
	control_settle(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct control_client *cl = arg;

	if (cl->dropped) {
		control_wake(cl->control);
		end_requests(cl);
		control_settle(cl->control);
	}
	if (queue_len(cl) > 0)
		return;
	if (cl->state >= CONTROL_CLIENT_JOINING) {
		finish_client(cl);
		return;
	}
	if (!cl->input_ended)
		bufferevent_enable(bev, EV_READ);
	/* Lines may have been received while none were handled. */
	if (evbuffer_get_length(bufferevent_get_input(bev)) > 0 ||
	    cl->input_ended)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

/*
 * Returns whether the other end has closed its socket; false if it has only
 * shut down its sending side, as `echo ... | socat` does.
 */
static bool
is_peer_closed(const struct control_client *cl)
{
	struct pollfd p = {.fd = bufferevent_getfd(cl->bev)};

	return poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct control_client *cl = arg;
	struct control *c = cl->control;

	control_wake(c);
	if ((what & BEV_EVENT_TIMEOUT) != 0)
		log_notice("control: client %ld dropped: it has read nothing"
			   " for %d s",
		    (long)cl->peer.pid, CLIENT_STUCK_S);
	if ((what & BEV_EVENT_EOF) != 0 && !is_peer_closed(cl)) {
		cl->input_ended = true;
		cl->watched = 0;
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	} else {
		control_client_free(cl);
	}
	control_settle(c);
}

/* ---- life ---- */

static void
send_hello(struct control_client *cl)
{
	struct api_writer w;

	api_writer_init(&w, api_hello_fields);
	api_write_uint(&w, "protocol", API_PROTOCOL);
	api_write_text(&w, "name", PACKAGE_NAME);
	api_write_text(&w, "version", PACKAGE_VERSION);
	api_write_uint(&w, "pid", (uint64_t)getpid());
	api_write_uint(&w, "instance", cl->control->instance);
	api_write_text(&w, "access", api_access_name(cl->peer.access));
	control_client_send(
	    cl, jsonrpc_notification("hello", api_writer_take(&w)));
}

void
control_client_new(struct control *c, int fd, const struct control_peer *peer)
{
	struct timeval stuck = {.tv_sec = CLIENT_STUCK_S};
	struct keyring_owner id = control_user_id(peer);
	struct control_client *cl = calloc(1, sizeof *cl);
	struct bufferevent *bev =
	    bufferevent_socket_new(c->setup.base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (cl == NULL || bev == NULL) {
		free(cl);
		if (bev != NULL)
			bufferevent_free(bev);
		else
			close(fd);
		return;
	}
	*cl = (struct control_client){.control = c, .bev = bev, .peer = *peer};
	cl->user = control_user_take(&c->users, &id, CONTROL_HELD_CLIENTS);
	TAILQ_INSERT_TAIL(&c->clients.all, cl, link);
	c->clients.len++;
	bufferevent_setcb(bev, on_lines, on_written, on_event, cl);
	bufferevent_set_timeouts(bev, NULL, &stuck);
	/* The buffer must hold a line of the maximum length. */
	bufferevent_setwatermark(bev, EV_READ, 0, API_LINE_MAX);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	send_hello(cl);
}

void
control_client_flush(struct control_client *cl)
{
	struct evbuffer *out = bufferevent_get_output(cl->bev);

	evbuffer_unfreeze(out, 1);
	(void)evbuffer_write(out, bufferevent_getfd(cl->bev));
}

void
control_client_free(struct control_client *cl)
{
	set_client_state(cl, CONTROL_CLIENT_CLOSING); /* no message is queued */
	end_requests(cl);
	TAILQ_REMOVE(&cl->control->clients.all, cl, link);
	cl->control->clients.len--;
	control_user_give(&cl->control->users, cl->user, CONTROL_HELD_CLIENTS);
	json_decref(cl->watch_id);
	bufferevent_free(cl->bev);
	free(cl);
}
