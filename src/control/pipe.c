/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "control/control_client.h"
#include "control/pipe.h"
#include "node/conn.h"

enum {
	/* Read from the program by one call, at the most. */
	CHUNK = 1 << 17,
	/* Then the network and the other programs have their turn. */
	TURN_BYTES = 1 << 20,
	/* A program that is gone: how many looks, one a tick of 5 s, may see
	 * no byte move before its connection is given up. One that has left
	 * bytes which the peer has not taken yet: a reader may pause. */
	LOOKS_MAX = 6,
	LOOKS_OWING_MAX = 120,
};

struct pipe {
	struct control *control;
	int fd;
	uint32_t conn; /* 0: it is closed */
	struct evbuffer *early;
	struct event *readable, *writable, *look;
	void (*over)(void *owner, int err);
	void *owner;
	bool heard_all; /* the program sends no more */
	bool ended;     /* and the peer has been told */
	bool told_end;  /* the program knows that the peer sends no more */
	uint64_t moved; /* bytes, since the last look */
	uint64_t owed;  /* to the peer, at the last look */
	unsigned still; /* looks without any */
};

/* ---- the end ---- */

static void
finish(struct pipe *p, int err)
{
	p->over(p->owner, err);
}

/* The program reads no more: whatever the peer sends is lost. */
static void
give_up(struct pipe *p, int err)
{
	node_conn_close(p->control->setup.node, p->conn);
	p->conn = 0;
	finish(p, err);
}

/* ---- from the program to the peer ---- */

/*
 * Gives bytes to the connection. How many it took, or ERR_MEMORY; of one that
 * is closed all are lost, which its news will tell.
 */
static ptrdiff_t
pass_on(struct pipe *p, const void *bytes, size_t len)
{
	ptrdiff_t taken =
	    node_conn_write(p->control->setup.node, p->conn, bytes, len);

	return taken == ERR_CLOSED ? (ptrdiff_t)len : taken;
}

/* What was read before there was room for it. 0 or ERR_MEMORY. */
static int
send_early(struct pipe *p)
{
	struct evbuffer_iovec v;
	ptrdiff_t taken = 1;

	while (taken > 0 && evbuffer_peek(p->early, -1, NULL, &v, 1) > 0 &&
	       v.iov_len > 0) {
		taken = pass_on(p, v.iov_base, v.iov_len);
		if (taken > 0)
			evbuffer_drain(p->early, (size_t)taken);
	}
	return taken < 0 ? (int)taken : 0;
}

/*
 * Reads as much as there is room for; what is not taken nevertheless waits.
 * False if there is no more for now; *err if there never will be.
 */
static bool
read_some(struct pipe *p, size_t room, int *err)
{
	uint8_t chunk[CHUNK];
	ssize_t n = recv(p->fd, chunk, room < CHUNK ? room : CHUNK, 0);
	ptrdiff_t taken;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			*err = ERR_CANCELLED;
		return errno == EINTR;
	}
	p->heard_all = n == 0;
	p->moved += (size_t)n;
	taken = pass_on(p, chunk, (size_t)n);
	if (taken < 0)
		*err = (int)taken;
	else if (taken < n && evbuffer_add(p->early, chunk + taken,
				  (size_t)(n - taken)) != 0)
		*err = ERR_MEMORY;
	return n > 0 && taken == n;
}

static void
end_ours(struct pipe *p)
{
	p->ended = true;
	node_conn_end(p->control->setup.node, p->conn);
}

/* False if that was the end of the pipe. */
static bool
pump_out(struct pipe *p)
{
	uint64_t turn_end = p->moved + TURN_BYTES;
	size_t room = 0;
	int err;

	if (p->ended)
		return true;
	err = send_early(p);
	while (err == 0 && evbuffer_get_length(p->early) == 0 &&
	       !p->heard_all && p->moved < turn_end) {
		room = node_conn_room(p->control->setup.node, p->conn);
		if (room == 0 || !read_some(p, room, &err))
			break;
	}
	if (err != 0) {
		give_up(p, err);
		return false;
	}
	if (evbuffer_get_length(p->early) > 0 || room == 0 || p->heard_all)
		event_del(p->readable); /* until NEWS_READY, if at all */
	else
		event_add(p->readable, NULL);
	if (p->heard_all && evbuffer_get_length(p->early) == 0)
		end_ours(p);
	return true;
}

/* ---- from the peer to the program ---- */

/* The peer has ended: so the program finds after what it was sent. */
static void
tell_end(struct pipe *p)
{
	if (p->told_end)
		return;
	p->told_end = true;
	shutdown(p->fd, SHUT_WR);
}

/* False if that was the end of the pipe. */
static bool
pump_in(struct pipe *p)
{
	struct node *node = p->control->setup.node;
	size_t turn = 0;

	while (turn < TURN_BYTES) {
		struct bytes b = node_conn_peek(node, p->conn);
		ssize_t n;

		if (b.len == 0) {
			if (node_conn_ended(node, p->conn))
				tell_end(p);
			return true;
		}
		n = send(p->fd, b.p, b.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			give_up(p, ERR_CANCELLED);
			return false;
		}
		if (n < 0)
			break;
		node_conn_consume(node, p->conn, (size_t)n);
		turn += (size_t)n;
		p->moved += (size_t)n;
	}
	event_add(p->writable, NULL);
	return true;
}

/* ---- what the loop tells ---- */

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;
	struct control *c = p->control; /* p may be freed */

	(void)fd;
	control_wake(c);
	if ((what & EV_READ) == 0)
		pump_in(p);
	else
		pump_out(p);
	control_settle(c);
}

/* Bytes of the program that the peer has not got. */
static uint64_t
owed(const struct pipe *p)
{
	return evbuffer_get_length(p->early) +
	       node_conn_waiting(p->control->setup.node, p->conn);
}

/*
 * A program that has closed its socket cannot be told anything any more. What
 * it had sent is still delivered, as fast as the peer reads, and the peer may
 * end in its own time, but it cannot hold the connection by doing nothing.
 */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct pipe *p = arg;
	struct control *c = p->control; /* p may be freed */
	struct pollfd gone = {.fd = p->fd};
	uint64_t left = owed(p);

	(void)fd;
	(void)what;
	if (poll(&gone, 1, 0) <= 0 || p->moved > 0 || left < p->owed)
		p->still = 0;
	else
		p->still++;
	p->moved = 0;
	p->owed = left;
	if (p->still < (left > 0 ? LOOKS_OWING_MAX : LOOKS_MAX))
		return;
	control_wake(c);
	give_up(p, ERR_CANCELLED);
	control_settle(c);
}

/* ---- life ---- */

static bool
set_up(struct pipe *p)
{
	struct event_base *base = p->control->setup.base;
	uint32_t ms = p->control->setup.tick_ms;
	const struct timeval look = {
	    .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	p->readable =
	    event_new(base, p->fd, EV_READ | EV_PERSIST, on_socket, p);
	p->writable = event_new(base, p->fd, EV_WRITE, on_socket, p);
	p->look = event_new(base, -1, EV_PERSIST, on_look, p);
	return p->readable != NULL && p->writable != NULL && p->look != NULL &&
	       event_add(p->look, &look) == 0;
}

struct pipe *
pipe_new(const struct pipe_spec *spec)
{
	struct pipe *p = calloc(1, sizeof *p);

	if (p == NULL) {
		close(spec->fd);
		return NULL;
	}
	p->control = spec->control;
	p->fd = spec->fd;
	p->conn = spec->conn;
	p->heard_all = spec->heard_all;
	p->over = spec->over;
	p->owner = spec->owner;
	p->early = evbuffer_new();
	if (p->early == NULL ||
	    evbuffer_add_buffer(p->early, spec->early) != 0 || !set_up(p)) {
		p->conn = 0; /* it stays the caller's */
		pipe_free(p);
		return NULL;
	}
	return p;
}

void
pipe_free(struct pipe *p)
{
	struct event *events[] = {p->readable, p->writable, p->look};

	if (p->conn != 0)
		node_conn_close(p->control->setup.node, p->conn);
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (p->early != NULL)
		evbuffer_free(p->early);
	close(p->fd);
	free(p);
}

void
pipe_ready(struct pipe *p)
{
	if (pump_out(p))
		pump_in(p);
}

void
pipe_closed(struct pipe *p, int err)
{
	p->conn = 0;
	finish(p, err);
}
