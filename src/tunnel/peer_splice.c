/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "node/node_conn.h"
#include "tunnel/node_loop.h"
#include "tunnel/peer_splice.h"

enum {
	/* The most that one call reads from the program. */
	READ_MAX_BYTES = 1 << 17,
	/* The most that one callback moves, before other sockets are served. */
	BATCH_MAX_BYTES = 1 << 20,
	/* Checks per tick of 5 s once the program has closed its socket. */
	CHECKS_PER_TICK = 20,
	/*
	 * Those in a row that see no byte move before the connection is reset:
	 * time for our end to arrive and the peer to end in order; for our end
	 * alone, if the peer has ended; and if bytes of the program are still
	 * to be acknowledged, as the peer may pause.
	 */
	IDLE_CHECKS_MAX = 6,
	IDLE_CHECKS_ENDED_MAX = 120,
	IDLE_CHECKS_UNACKED_MAX = 2400,
};

/* The direction from the program to the peer. */
enum output_state {
	OUTPUT_OPEN,
	OUTPUT_LAST, /* the program has ended; its bytes are being sent */
	OUTPUT_ENDED /* and our end of the connection has ended */
};

struct peer_splice {
	const struct node_loop *loop;
	int fd;
	uint32_t conn;          /* 0: closed */
	struct evbuffer *early; /* bytes that the connection did not take */
	struct event *readable, *writable, *check;
	void (*on_end)(void *owner, int err);
	void *owner;
	enum output_state output;
	bool peer_ended;        /* and the program's socket is shut down */
	bool delivered;         /* at a reset: all of the program's bytes */
	bool program_closed;    /* its socket, both directions */
	uint64_t moved_bytes;   /* since the last check */
	uint64_t unacked_bytes; /* at the last check */
	unsigned idle_checks;   /* in a row */
};

static struct node *
node_of(const struct peer_splice *s)
{
	return s->loop->node;
}

/* Returns how many bytes of the program the peer has not acknowledged. */
static uint64_t
count_unacked(const struct peer_splice *s)
{
	return evbuffer_get_length(s->early) +
	       node_conn_waiting(node_of(s), s->conn);
}

/* ---- the end ---- */

/* Returns 0 or ERR_MEMORY; then the former period stays. */
static int
schedule_checks(struct peer_splice *s, unsigned per_tick)
{
	uint64_t us = s->loop->tick_ms * UINT64_C(1000) / per_tick;
	const struct timeval period = {.tv_sec = (time_t)(us / 1000000),
	    .tv_usec = (suseconds_t)(us % 1000000)};

	return event_add(s->check, &period) == 0 ? 0 : ERR_MEMORY;
}

/* Notes that the program has closed its socket, and checks more often. */
static void
look_for_close(struct peer_splice *s)
{
	struct pollfd p = {.fd = s->fd};

	if (s->program_closed || poll(&p, 1, 0) <= 0)
		return;
	/* If memory is short, the next check tries again. */
	s->program_closed = schedule_checks(s, CHECKS_PER_TICK) == 0;
}

/* Resets the connection because the program no longer reads. */
static void
abort_splice(struct peer_splice *s, int err)
{
	s->delivered = s->output == OUTPUT_ENDED && count_unacked(s) == 0;
	node_conn_close(node_of(s), s->conn);
	s->conn = 0;
	s->on_end(s->owner, err);
}

/* ---- from the program to the peer ---- */

/*
 * Writes bytes to the connection. Returns how many it took, or ERR_MEMORY. A
 * closed connection takes everything; NODE_EV_CLOSED reports the loss.
 */
static ptrdiff_t
write_conn(struct peer_splice *s, const void *bytes, size_t len)
{
	ptrdiff_t taken = node_conn_write(node_of(s), s->conn, bytes, len);

	return taken == ERR_CLOSED ? (ptrdiff_t)len : taken;
}

/* Writes the bytes that were read before there was space. Returns 0 or
 * ERR_MEMORY. */
static int
send_early(struct peer_splice *s)
{
	struct evbuffer_iovec v;
	ptrdiff_t taken = 1;

	while (taken > 0 && evbuffer_peek(s->early, -1, NULL, &v, 1) > 0 &&
	       v.iov_len > 0) {
		taken = write_conn(s, v.iov_base, v.iov_len);
		if (taken > 0)
			evbuffer_drain(s->early, (size_t)taken);
	}
	return taken < 0 ? (int)taken : 0;
}

/*
 * Reads up to space bytes and writes them to the connection; keeps what it
 * does not take. Returns false if there is no more at present, with *err set
 * if the socket or memory has failed.
 */
static bool
move_out(struct peer_splice *s, size_t space, int *err)
{
	uint8_t chunk[READ_MAX_BYTES];
	size_t max = space < sizeof chunk ? space : sizeof chunk;
	ssize_t n = recv(s->fd, chunk, max, 0);
	ptrdiff_t taken;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			*err = ERR_CANCELLED;
		return errno == EINTR;
	}
	if (n == 0) {
		s->output = OUTPUT_LAST;
		look_for_close(s);
	}
	s->moved_bytes += (size_t)n;
	taken = write_conn(s, chunk, (size_t)n);
	if (taken < 0)
		*err = (int)taken;
	else if (taken < n && evbuffer_add(s->early, chunk + taken,
				  (size_t)(n - taken)) != 0)
		*err = ERR_MEMORY;
	return n > 0 && taken == n;
}

/* Waits for the socket only while the connection has space; NODE_EV_READY calls
 * again otherwise. */
static void
wait_for_output(struct peer_splice *s, size_t space)
{
	bool kept = evbuffer_get_length(s->early) > 0;

	if (kept || space == 0 || s->output == OUTPUT_LAST)
		event_del(s->readable);
	else
		event_add(s->readable, NULL);
	if (s->output == OUTPUT_LAST && !kept) {
		s->output = OUTPUT_ENDED;
		node_conn_end(node_of(s), s->conn);
	}
}

/* Moves bytes to the peer. Returns false if the splice has ended. */
static bool
pump_out(struct peer_splice *s)
{
	uint64_t batch_end = s->moved_bytes + BATCH_MAX_BYTES;
	size_t space = 0;
	int err;

	if (s->output == OUTPUT_ENDED)
		return true;
	err = send_early(s);
	while (err == 0 && evbuffer_get_length(s->early) == 0 &&
	       s->output == OUTPUT_OPEN && s->moved_bytes < batch_end) {
		space = node_conn_space(node_of(s), s->conn);
		if (space == 0 || !move_out(s, space, &err))
			break;
	}
	if (err != 0) {
		abort_splice(s, err);
		return false;
	}
	wait_for_output(s, space);
	return true;
}

/* ---- from the peer to the program ---- */

/* Ends the program's input after everything that the peer has sent. */
static void
end_input(struct peer_splice *s)
{
	if (s->peer_ended)
		return;
	s->peer_ended = true;
	shutdown(s->fd, SHUT_WR);
}

/* Moves bytes to the program, which may end the splice. */
static void
pump_in(struct peer_splice *s)
{
	struct node *node = node_of(s);
	size_t moved = 0;

	while (moved < BATCH_MAX_BYTES) {
		struct bytes b = node_conn_peek(node, s->conn);
		ssize_t n;

		if (b.len == 0) {
			if (node_conn_ended(node, s->conn))
				end_input(s);
			return;
		}
		n = send(s->fd, b.p, b.len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && count_unacked(s) == 0) {
			abort_splice(s, ERR_CANCELLED);
			return;
		}
		/* What the program has written is delivered first, so that what
		 * it does not read any more is dropped. */
		if (n < 0) {
			node_conn_consume(node, s->conn, b.len);
			moved += b.len;
			continue;
		}
		node_conn_consume(node, s->conn, (size_t)n);
		moved += (size_t)n;
		s->moved_bytes += (size_t)n;
	}
	event_add(s->writable, NULL);
}

/* ---- callbacks of the event loop ---- */

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct peer_splice *s = arg;
	const struct node_loop *loop = s->loop;

	(void)fd;
	node_loop_wake(loop);
	if ((what & EV_READ) == 0)
		pump_in(s);
	else
		pump_out(s);
	node_loop_settle(loop);
}

static unsigned
idle_checks_max(const struct peer_splice *s, uint64_t unacked)
{
	if (unacked > 0)
		return IDLE_CHECKS_UNACKED_MAX;
	return s->peer_ended ? IDLE_CHECKS_ENDED_MAX : IDLE_CHECKS_MAX;
}

/*
 * Resets the connection of a program that has closed its socket and of which
 * no byte moves any more. What the program had sent is delivered as fast as
 * the peer reads, and the peer may end in order, but it cannot keep the
 * connection by doing nothing.
 */
static void
on_check(evutil_socket_t fd, short what, void *arg)
{
	struct peer_splice *s = arg;
	const struct node_loop *loop = s->loop;
	uint64_t unacked = count_unacked(s);

	(void)fd;
	(void)what;
	look_for_close(s);
	if (!s->program_closed || s->moved_bytes > 0 ||
	    unacked < s->unacked_bytes)
		s->idle_checks = 0;
	else
		s->idle_checks++;
	s->moved_bytes = 0;
	s->unacked_bytes = unacked;
	if (s->idle_checks < idle_checks_max(s, unacked))
		return;
	node_loop_wake(loop);
	abort_splice(s, ERR_CANCELLED);
	node_loop_settle(loop);
}

/* ---- life ---- */

static int
make_events(struct peer_splice *s)
{
	struct event_base *base = s->loop->base;

	s->readable =
	    event_new(base, s->fd, EV_READ | EV_PERSIST, on_socket, s);
	s->writable = event_new(base, s->fd, EV_WRITE, on_socket, s);
	s->check = event_new(base, -1, EV_PERSIST, on_check, s);
	if (s->readable == NULL || s->writable == NULL || s->check == NULL)
		return ERR_MEMORY;
	return schedule_checks(s, 1);
}

struct peer_splice *
peer_splice_new(const struct peer_splice_spec *spec)
{
	struct peer_splice *s = calloc(1, sizeof *s);

	if (s == NULL) {
		close(spec->fd);
		return NULL;
	}
	s->loop = spec->loop;
	s->fd = spec->fd;
	s->conn = spec->conn;
	s->output = spec->input_ended ? OUTPUT_LAST : OUTPUT_OPEN;
	s->on_end = spec->on_end;
	s->owner = spec->owner;
	s->early = evbuffer_new();
	if (s->early == NULL || make_events(s) != 0 ||
	    (spec->early != NULL &&
		evbuffer_add_buffer(s->early, spec->early) != 0)) {
		s->conn = 0; /* stays with the caller */
		peer_splice_free(s);
		return NULL;
	}
	return s;
}

void
peer_splice_free(struct peer_splice *s)
{
	struct event *events[] = {s->readable, s->writable, s->check};

	if (s->conn != 0)
		node_conn_close(node_of(s), s->conn);
	for (size_t i = 0; i < sizeof events / sizeof *events; i++)
		if (events[i] != NULL)
			event_free(events[i]);
	if (s->early != NULL)
		evbuffer_free(s->early);
	close(s->fd);
	free(s);
}

void
peer_splice_ready(struct peer_splice *s)
{
	if (pump_out(s))
		pump_in(s);
}

bool
peer_splice_delivered(const struct peer_splice *s)
{
	return s->delivered;
}

void
peer_splice_closed(struct peer_splice *s, int err)
{
	s->conn = 0;
	s->on_end(s->owner, err);
}
