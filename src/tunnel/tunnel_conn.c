/* SPDX-License-Identifier: ISC */
#include "tunnel/tunnel_conn.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "log/log.h"
#include "node/node.h"
#include "node/node_conn.h"
#include "tunnel/peer_splice.h"
#include "tunnel/tunnels.h"

enum {
	/* A service that does not answer for so long refuses. */
	CONNECT_S = 10,
	DIAL_MS = 15000,
};

/* ---- life ---- */

static struct tunnel_conn_list *
find_bucket(const struct tunnel_conn_table *t, uint32_t number)
{
	return (struct tunnel_conn_list *)&t
	    ->buckets[number & (TUNNEL_CONN_BUCKETS - 1)];
}

struct tunnel_conn *
tunnel_conn_find(const struct tunnel_conn_table *t, uint32_t number)
{
	struct tunnel_conn *c;

	LIST_FOREACH (c, find_bucket(t, number), numbered) {
		if (c->number == number)
			return c;
	}
	return NULL;
}

/* Takes the connection and the descriptor, also if memory is short: then both
 * are reset. */
static struct tunnel_conn *
new_conn(struct tunnel *t, uint32_t number, int fd)
{
	struct tunnel_conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		node_conn_close(t->all->loop.node, number);
		close(fd);
		return NULL;
	}
	c->tunnel = t;
	c->number = number;
	c->fd = fd;
	LIST_INSERT_HEAD(&t->conns, c, link);
	LIST_INSERT_HEAD(find_bucket(&t->all->conns, number), c, numbered);
	t->conns_len++;
	c->dialing = t->spec.kind == TUNNEL_FORWARDED;
	t->dials += c->dialing;
	tunnel_update_acceptor(t);
	return c;
}

static void
free_conn(struct tunnel_conn *c)
{
	struct tunnel *t = c->tunnel;

	LIST_REMOVE(c, link);
	LIST_REMOVE(c, numbered);
	t->conns_len--;
	t->dials -= c->dialing;
	tunnel_update_acceptor(t);
	if (c->connected != NULL)
		event_free(c->connected);
	if (c->splice != NULL) {
		peer_splice_free(c->splice);
	} else {
		if (c->number != 0)
			node_conn_close(c->tunnel->all->loop.node, c->number);
		if (c->fd >= 0)
			close(c->fd);
	}
	free(c);
}

/* Makes close() reset a TCP connection, so that the local program does not take
 * the loss of its peer for the end of its data. */
static void
reset_on_close(int fd)
{
	static const struct linger now = {.l_onoff = 1};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void
tunnel_conn_drop(struct tunnel_conn *c)
{
	reset_on_close(c->fd);
	free_conn(c);
}

static void
fail_conn(struct tunnel_conn *c, const char *why)
{
	c->tunnel->failed++;
	log_debug("tunnel %s: a connection has failed: %s",
	    tunnel_name(c->tunnel), why);
	tunnel_conn_drop(c);
}

/* ---- moving bytes ---- */

static void
on_splice_end(void *owner, int err)
{
	struct tunnel_conn *c = owner;

	if (err != 0)
		reset_on_close(c->fd);
	free_conn(c);
}

/* Joins the socket with the connection, which is open; may free it. */
static void
join_conn(struct tunnel_conn *c)
{
	struct tunnel *t = c->tunnel;
	struct peer_splice_spec spec = {.loop = &t->all->loop,
	    .fd = c->fd,
	    .conn = c->number,
	    .on_end = on_splice_end,
	    .owner = c};

	c->splice = peer_splice_new(&spec);
	if (c->splice == NULL) {
		c->fd = -1; /* closed by the failure */
		fail_conn(c, err_text(ERR_MEMORY));
		return;
	}
	t->opened++;
	t->dials -= c->dialing;
	c->dialing = false;
	tunnel_update_acceptor(t);
	peer_splice_ready(c->splice);
}

/* ---- a service that is exposed ---- */

static void
on_connected(evutil_socket_t fd, short what, void *arg)
{
	struct tunnel_conn *c = arg;
	const struct node_loop *loop = &c->tunnel->all->loop;
	int cause = ETIMEDOUT;
	socklen_t len = sizeof cause;

	node_loop_wake(loop);
	event_free(c->connected);
	c->connected = NULL;
	if ((what & EV_WRITE) != 0 &&
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0)
		cause = errno;
	if (cause != 0)
		fail_conn(c, strerror(cause));
	else
		join_conn(c);
	node_loop_settle(loop);
}

void
tunnel_conn_serve(struct tunnel *t, uint32_t number)
{
	static const struct timeval limit = {.tv_sec = CONNECT_S};
	const struct limits *l = node_limits(t->all->loop.node);
	int fd = ERR_LIMIT;
	struct tunnel_conn *c;

	errno = EMFILE;
	if (t->conns_len < l->tunnel_connections)
		fd = tunnel_address_connect(&t->spec.address);
	if (fd < 0) {
		log_debug(
		    "tunnel %s: %s: %m", tunnel_name(t), t->spec.address.text);
		t->failed++;
		node_conn_close(t->all->loop.node, number);
		return;
	}
	c = new_conn(t, number, fd);
	if (c == NULL)
		return;
	c->connected =
	    event_new(t->all->loop.base, fd, EV_WRITE, on_connected, c);
	if (c->connected == NULL || event_add(c->connected, &limit) != 0)
		fail_conn(c, err_text(ERR_MEMORY));
}

/* ---- a port that is forwarded ---- */

void
tunnel_conn_dial(struct tunnel *t, int fd)
{
	const struct node_connect spec = {
	    .key = t->spec.peer, .keys = t->keys, .timeout_ms = DIAL_MS};
	uint32_t number;
	int err = node_connect(t->all->loop.node, &spec, &number), on = 1;

	if (err != 0) {
		log_debug("tunnel %s: %s", tunnel_name(t), err_text(err));
		t->failed++;
		reset_on_close(fd);
		close(fd);
		return;
	}
	if (t->spec.address.addr.family != ADDR_NONE)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)new_conn(t, number, fd);
}

/* ---- events of the node ---- */

static void
on_closed(struct tunnel_conn *c, int err)
{
	if (c->splice != NULL) {
		peer_splice_closed(c->splice, err); /* frees c */
		return;
	}
	c->number = 0; /* closed by the node */
	fail_conn(c, err_text(err));
}

void
tunnel_conn_event(struct tunnel_conn *c, const struct node_event *ev)
{
	if (ev->kind == NODE_EV_CLOSED)
		on_closed(c, ev->err);
	else if (ev->kind == NODE_EV_OPEN && c->splice == NULL)
		join_conn(c);
	else if (ev->kind == NODE_EV_READY && c->splice != NULL)
		peer_splice_ready(c->splice);
}
