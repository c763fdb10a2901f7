/* SPDX-License-Identifier: ISC */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <config.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/control_client.h"
#include "log/log.h"

/* ---- what goes out ---- */

/*
 * The client is freed by on_written(), never from within a call that may have
 * been made for it.
 */
void
control_client_close(struct control_client *cl)
{
	if (cl->closing)
		return;
	cl->closing = true;
	control_operations_end(cl);
	control_listeners_end(cl->control, cl);
	cl->watched = 0;
	bufferevent_disable(cl->bev, EV_READ);
	bufferevent_trigger(cl->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

/* As above: on_written() goes on with it. */
void
control_client_join(struct control_client *cl, struct control_conn *conn)
{
	cl->joins = conn;
	bufferevent_disable(cl->bev, EV_READ);
	bufferevent_trigger(cl->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

static int
queue_line(const char *text, size_t len, void *out)
{
	return evbuffer_add(out, text, len);
}

static void
queue_message(struct control_client *cl, const json_t *message)
{
	struct evbuffer *out = bufferevent_get_output(cl->bev);

	if (message == NULL ||
	    json_dump_callback(message, queue_line, out, JSON_COMPACT) != 0 ||
	    evbuffer_add(out, "\n", 1) != 0) {
		log_warning("control: client %ld dropped: out of memory",
		    (long)cl->peer.pid);
		control_client_close(cl);
	}
}

static size_t
queued(const struct control_client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
}

void
control_client_send(struct control_client *cl, json_t *message)
{
	json_t *note;

	if (cl->closing) {
		json_decref(message);
		return;
	}
	queue_message(cl, message);
	json_decref(message);
	if (queued(cl) <= CLIENT_QUEUE_MAX)
		return;
	log_notice("control: client %ld dropped: it does not read",
	    (long)cl->peer.pid);
	note = jsonrpc_notification("dropped",
	    json_pack("{s:s}", "reason", "too much was waiting to be read"));
	queue_message(cl, note);
	json_decref(note);
	control_client_close(cl);
}

/* ---- what comes in ---- */

static int
check_access(struct control_call *k)
{
	enum api_access need = k->rq->method->access;
	enum api_access have = k->client->peer.access;
	char missing[CONTROL_GROUPS_TEXT_MAX];

	if (have >= need)
		return 0;
	return api_error_set(&k->fault, API_ERR_DENIED,
	    json_pack("{s:s, s:s}", "need", api_access_name(need), "have",
		api_access_name(have)),
	    "%s needs %s access, and you have %s; members of the group"
	    " hyperdhtd-%s may do it%s",
	    k->rq->method->name, api_access_name(need), api_access_name(have),
	    api_access_name(need),
	    control_groups_missing(
		&k->client->control->groups, need, need, missing));
}

static void
answer_line(struct control_client *cl, const char *line, size_t len)
{
	struct api_request rq;
	struct control_call k = {.client = cl, .rq = &rq};
	int done = api_request_parse(&rq, &k.fault, line, len);
	bool upgrades = rq.method != NULL && rq.method->upgrades;

	cl->upgrading = upgrades;
	if (done == 0)
		done = check_access(&k);
	if (done == 0)
		done = control_method(rq.method)(&k);
	if (done == CALL_DONE)
		control_client_send(cl, jsonrpc_result(rq.id, k.result));
	else if (done != CALL_LATER)
		control_client_send(cl, jsonrpc_error(rq.id, &k.fault));
	if (upgrades && done != CALL_LATER)
		control_client_close(cl);
	api_request_fini(&rq);
}

static void
answer_long_line(struct control_client *cl)
{
	struct api_error f;

	api_error_set(&f, API_ERR_PARSE, NULL,
	    "the line is longer than %d bytes; it was passed over",
	    API_LINE_MAX);
	control_client_send(cl, jsonrpc_error(NULL, &f));
}

/* What comes after the last newline, when no more will come. */
static void
answer_rest(struct control_client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);
	struct api_error f;

	if (evbuffer_get_length(in) == 0)
		return;
	evbuffer_drain(in, evbuffer_get_length(in));
	api_error_set(&f, API_ERR_PARSE, NULL,
	    "the last line has no newline; it was not acted on");
	control_client_send(cl, jsonrpc_error(NULL, &f));
}

/* Acts on one line, if there is one. */
static enum line_what
take_line(struct control_client *cl, struct evbuffer *in)
{
	size_t len = evbuffer_get_length(in);
	const char *buf = (const char *)evbuffer_pullup(in, -1);
	struct line l = line_next(&cl->cutter, buf, len, API_LINE_MAX);

	/* Blank lines are let pass, for those who type. */
	if (l.what == LINE_WHOLE && l.len > 0)
		answer_line(cl, buf + l.start, l.len);
	else if (l.what == LINE_LONG)
		answer_long_line(cl);
	/* There may be a secret in it. */
	sodium_memzero((char *)evbuffer_pullup(in, (ev_ssize_t)l.used), l.used);
	evbuffer_drain(in, l.used);
	return l.what;
}

/*
 * Answers lines until there are no more, or the network's turn has come, or
 * the client had better read first. False if lines may be left.
 */
static bool
take_lines(struct control_client *cl)
{
	struct evbuffer *in = bufferevent_get_input(cl->bev);

	for (int i = 0; i < CLIENT_LINES_PER_TURN; i++) {
		if (cl->closing || cl->upgrading)
			return true;
		if (queued(cl) > CLIENT_QUEUE_HIGH) {
			bufferevent_disable(cl->bev, EV_READ);
			return false;
		}
		if (take_line(cl, in) == LINE_MORE)
			return true;
	}
	bufferevent_trigger(cl->bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	return false;
}

/* ---- events ---- */

/* Ends a client that will not speak again and has been told everything. */
static void
end_if_served(struct control_client *cl)
{
	if (cl->operations_len == 0)
		control_client_close(cl);
}

static void
on_lines(struct bufferevent *bev, void *arg)
{
	struct control_client *cl = arg;
	struct control *c = cl->control;

	(void)bev;
	control_wake(c);
	if (take_lines(cl) && cl->heard_all && !cl->upgrading) {
		answer_rest(cl);
		end_if_served(cl);
	}
	control_settle(c);
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct control_client *cl = arg;

	if (queued(cl) > 0)
		return;
	if (cl->closing || cl->joins != NULL) {
		struct control *c = cl->control;

		control_wake(c);
		if (cl->joins != NULL)
			control_conn_pipe(cl);
		control_client_free(cl);
		control_settle(c);
		return;
	}
	if (!cl->heard_all)
		bufferevent_enable(bev, EV_READ);
	/* Lines may have come in while nothing was taken. */
	if (evbuffer_get_length(bufferevent_get_input(bev)) > 0 ||
	    cl->heard_all)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

/*
 * True if the other end is gone altogether; false if it has only said that it
 * will send no more, as `echo ... | socat` does.
 */
static bool
peer_is_gone(const struct control_client *cl)
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
		log_notice("control: client %ld dropped: it took nothing for"
			   " %d s",
		    (long)cl->peer.pid, CLIENT_STUCK_SECONDS);
	if ((what & BEV_EVENT_EOF) != 0 && !peer_is_gone(cl)) {
		cl->heard_all = true;
		cl->watched = 0;
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	} else {
		control_client_free(cl);
	}
	control_settle(c);
}

/* ---- life ---- */

static json_t *
greeting(const struct control_client *cl)
{
	return jsonrpc_notification(
	    "hello", json_pack("{s:i, s:s, s:s, s:I, s:s}", "protocol",
			 API_PROTOCOL, "name", PACKAGE_NAME, "version",
			 PACKAGE_VERSION, "pid", (json_int_t)getpid(), "access",
			 api_access_name(cl->peer.access)));
}

void
control_client_new(struct control *c, int fd, const struct control_peer *peer)
{
	struct timeval stuck = {.tv_sec = CLIENT_STUCK_SECONDS};
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
	TAILQ_INSERT_TAIL(&c->clients, cl, link);
	c->clients_len++;
	bufferevent_setcb(bev, on_lines, on_written, on_event, cl);
	bufferevent_set_timeouts(bev, NULL, &stuck);
	/* A whole line of the greatest length must fit. */
	bufferevent_setwatermark(bev, EV_READ, 0, API_LINE_MAX);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	control_client_send(cl, greeting(cl));
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
	cl->closing = true; /* nothing more is queued for it */
	if (cl->joins != NULL)
		control_conn_drop(cl->joins);
	control_operations_end(cl);
	control_listeners_end(cl->control, cl);
	TAILQ_REMOVE(&cl->control->clients, cl, link);
	cl->control->clients_len--;
	json_decref(cl->watch_id);
	bufferevent_free(cl->bev);
	free(cl);
}
