/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/api_writer.h"
#include "api/jsonrpc.h"
#include "base/err.h"
#include "control/control_events.h"
#include "control/control_server.h"
#include "log/log.h"

/* ---- accepting clients ---- */

/* Sends an error and closes the descriptor, without making a client of it. */
static void
reject_client(int fd, enum api_code code, const char *why)
{
	struct api_error e;
	json_t *message;
	char *text;

	api_error_set(&e, code, NULL, "%s", why);
	message = jsonrpc_error(NULL, &e);
	text = json_dumps(message, JSON_COMPACT);
	if (text != NULL) {
		struct iovec parts[] = {
		    {.iov_base = text, .iov_len = strlen(text)},
		    {.iov_base = (char[]){'\n'}, .iov_len = 1}};
		struct msghdr m = {.msg_iov = parts, .msg_iovlen = 2};

		/* The buffer of a new socket is empty; a failure is ignored. */
		(void)sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(text);
	json_decref(message);
	close(fd);
}

static void
on_accept(struct evconnlistener *acceptor, evutil_socket_t fd,
    struct sockaddr *from, int from_len, void *arg)
{
	struct control *c = arg;
	char missing[CONTROL_GROUPS_TEXT_MAX], why[API_ERROR_TEXT_MAX];
	struct control_peer peer;

	(void)acceptor;
	(void)from;
	(void)from_len;
	if (control_peer_read(&c->groups, fd, &peer) != 0 ||
	    peer.access == API_NOBODY) {
		snprintf(why, sizeof why,
		    "you may not use this daemon: become root, its user, or a"
		    " member of hyperdhtd-read, hyperdhtd-user or"
		    " hyperdhtd-admin%s",
		    control_groups_missing(
			&c->groups, API_READ, API_ADMIN, missing));
		reject_client(fd, API_ERR_DENIED, why);
		return;
	}
	if (!control_user_may_connect(c, &peer)) {
		reject_client(fd, API_ERR_LIMIT,
		    "too many clients are connected, of all users or of yours:"
		    " try again later");
		return;
	}
	control_client_new(c, fd, &peer);
}

/* Pauses accepting. The usual cause is a lack of descriptors, which a retry at
 * once would meet again, in a busy loop. */
static void
on_accept_error(struct evconnlistener *acceptor, void *arg)
{
	struct control *c = arg;
	struct timeval pause = {.tv_sec = ACCEPT_PAUSE_S};

	log_warning("control: cannot accept a client: %s",
	    evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(acceptor);
	event_add(c->resume, &pause);
}

static void
on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(c->acceptor);
}

/* ---- events of the node ---- */

void
control_node_event(struct control *c, const struct node_event *n)
{
	switch (n->kind) {
	case NODE_EV_NODE:
	case NODE_EV_PEER:
	case NODE_EV_VALUE:
	case NODE_EV_SILENCE:
	case NODE_EV_DONE:
		control_operation_event(c, n);
		break;
	case NODE_EV_LISTENING:
	case NODE_EV_UNLISTENED:
		control_listener_event(c, n);
		break;
	case NODE_EV_OFFER:
	case NODE_EV_OPEN:
	case NODE_EV_MOVED:
	case NODE_EV_REFUSED:
	case NODE_EV_READY:
	case NODE_EV_CLOSED:
		control_conn_event(c, n);
		break;
	default:
		break;
	}
	control_events_node(c, n);
}

/* ---- life ---- */

static struct control *
control_alloc(const struct control_setup *setup)
{
	struct control *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	c->setup = *setup;
	c->loop = (struct node_loop){.base = setup->base,
	    .node = setup->node,
	    .tick_ms = setup->tick_ms,
	    .wake = setup->ops->wake,
	    .settle = setup->ops->settle,
	    .owner = setup->owner};
	c->socket.fd = -1;
	c->instance =
	    (uint64_t)randombytes_random() << 20 | randombytes_uniform(1 << 20);
	TAILQ_INIT(&c->clients.all);
	control_users_init(&c->users);
	TAILQ_INIT(&c->operations.all);
	TAILQ_INIT(&c->operations.left);
	TAILQ_INIT(&c->listeners.all);
	control_conns_init(&c->conns);
	control_sessions_init(&c->sessions);
	STAILQ_INIT(&c->events.queue);
	TAILQ_INIT(&c->traces.all);
	control_groups_init(&c->groups);
	hops_init(&c->hops);
	return c;
}

/*
 * Returns the mode of the socket file. Members of the groups must be able to
 * connect, and the credentials of each client are checked; without any group
 * the mode is a second barrier.
 */
static mode_t
socket_mode(const struct control *c)
{
	return control_groups_any(&c->groups) ? 0666 : 0660;
}

static int
start_accepting(struct control *c, struct fault *f)
{
	int err =
	    control_socket_open(&c->socket, c->setup.path, socket_mode(c), f);

	if (err != 0)
		return err;
	c->resume = evtimer_new(c->setup.base, on_resume, c);
	err = control_events_init(c);
	if (err == 0)
		err = control_traces_init(c);
	c->acceptor = evconnlistener_new(c->setup.base, on_accept, c,
	    LEV_OPT_CLOSE_ON_EXEC, 0, c->socket.fd);
	if (c->acceptor == NULL || c->resume == NULL || err != 0)
		return fault_set_code(f, ERR_MEMORY);
	evconnlistener_set_error_cb(c->acceptor, on_accept_error);
	return 0;
}

struct control *
control_new(const struct control_setup *setup, struct fault *f)
{
	struct control *c = control_alloc(setup);

	if (c == NULL) {
		fault_set_code(f, ERR_MEMORY);
		return NULL;
	}
	if (start_accepting(c, f) != 0) {
		control_free(c);
		return NULL;
	}
	return c;
}

void
control_reload_groups(struct control *c)
{
	control_groups_init(&c->groups);
	if (control_socket_chmod(&c->socket, socket_mode(c)) != 0)
		log_warning("control socket %s: cannot change its mode",
		    c->socket.at.sun_path);
}

void
control_free(struct control *c)
{
	struct control_client *cl;

	if (c == NULL)
		return;
	control_events_stopping(c);
	while ((cl = TAILQ_FIRST(&c->clients.all)) != NULL) {
		control_client_flush(cl);
		control_client_free(cl);
	}
	control_operations_free(c);
	control_conns_free(c);
	control_sessions_free(c);
	control_listeners_free(c);
	control_events_fini(c);
	control_traces_fini(c);
	hops_fini(&c->hops);
	if (c->acceptor != NULL)
		evconnlistener_free(c->acceptor);
	if (c->resume != NULL)
		event_free(c->resume);
	control_socket_close(&c->socket);
	free(c);
}
