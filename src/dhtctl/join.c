/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dhtctl/dhtctl.h"
#include "dhtctl/join.h"

enum { HALF_MAX = 1 << 16 };

/* Bytes on their way in one direction. */
struct half {
	int from, to;
	size_t at, len; /* of buf: from `at` on nothing is written yet */
	size_t write_max;
	bool to_socket, to_peer;
	bool ended; /* there is no more to read */
	bool done;  /* and all is written */
	char buf[HALF_MAX];
};

enum joined { JOINED, JOIN_OVER, JOIN_LOST, JOIN_FAILED };

/* ---- descriptors ---- */

/*
 * A pipe is opened anew, so that writing to it can be made not to block
 * without changing it for others who share it. Where that does not work, no
 * more is written than what it takes at once when it takes any.
 */
static void
open_output(struct half *h)
{
	struct stat st;
	int fd;

	h->write_max = HALF_MAX;
	if (fstat(h->to, &st) != 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		h->to_socket = true;
		return;
	}
	fd = S_ISFIFO(st.st_mode)
		 ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
		 : -1;
	if (fd >= 0)
		h->to = fd;
	else
		h->write_max = PIPE_BUF;
}

/* ---- one direction ---- */

static enum joined
half_read(struct half *h)
{
	ssize_t n = read(h->from, h->buf, sizeof h->buf);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return JOINED;
	if (n < 0 && errno == ECONNRESET)
		return JOIN_LOST;
	h->at = 0;
	h->len = n > 0 ? (size_t)n : 0;
	h->ended = n <= 0;
	return JOINED;
}

static enum joined
half_write(struct half *h)
{
	const char *p = h->buf + h->at;
	size_t len = h->len - h->at;
	ssize_t n;

	if (len > h->write_max)
		len = h->write_max;
	n = h->to_socket ? send(h->to, p, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			 : write(h->to, p, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return JOINED;
	if (n < 0)
		return h->to_peer && (errno == EPIPE || errno == ECONNRESET)
			   ? JOIN_LOST
			   : JOIN_FAILED;
	h->at += (size_t)n;
	return JOINED;
}

static bool
half_has(const struct half *h)
{
	return h->at < h->len;
}

static bool
half_wants(const struct half *h)
{
	return !half_has(h) && !h->ended;
}

/* Moves what the last poll has found possible. */
static enum joined
half_move(struct half *h, int can_read, int can_write)
{
	enum joined j = JOINED;

	if (half_wants(h) && can_read)
		j = half_read(h);
	if (j == JOINED && half_has(h) && can_write)
		j = half_write(h);
	return j;
}

/* ---- both ---- */

struct join {
	struct half out, in; /* to the peer, and from it */
	int sock;
	bool last; /* standard output has no other use afterwards */
};

static void
close_output(struct join *j)
{
	if (j->in.to != STDOUT_FILENO)
		close(j->in.to);
	if (j->last)
		close(STDOUT_FILENO);
}

/* The ends: of standard input, which the peer is told, and of the peer. */
static void
pass_ends(struct join *j)
{
	if (j->out.ended && !half_has(&j->out) && !j->out.done) {
		j->out.done = true;
		shutdown(j->sock, SHUT_WR);
	}
	if (j->in.ended && !half_has(&j->in) && !j->in.done) {
		j->in.done = true;
		close_output(j);
	}
}

static enum joined
turn(struct join *j)
{
	struct half *out = &j->out, *in = &j->in;
	short events = (short)((half_has(out) ? POLLOUT : 0) |
			       (half_wants(in) ? POLLIN : 0));
	struct pollfd p[] = {
	    {.fd = half_wants(out) ? out->from : -1, .events = POLLIN},
	    /* At the end for its hang-up alone. */
	    {.fd = events != 0 || in->done ? j->sock : -1, .events = events},
	    {.fd = half_has(in) ? in->to : -1, .events = POLLOUT},
	};
	enum joined state;

	if (poll(p, 3, -1) < 0)
		return errno == EINTR ? JOINED : JOIN_FAILED;
	state = half_move(in, p[1].revents & ~POLLOUT, p[2].revents);
	if (state == JOINED)
		state = half_move(out, p[0].revents, p[1].revents & ~POLLIN);
	pass_ends(j);
	if (state == JOINED && in->done &&
	    (out->done || (p[1].revents & POLLHUP) != 0))
		return JOIN_OVER;
	return state;
}

/* How the daemon says that it ended; NULL: well, or it does not know. */
static char *
outcome(const struct client *cl, json_int_t conn)
{
	struct client asks;
	json_t *result;
	const char *name = "ok", *text = "";
	char *why = NULL;

	client_init(&asks, cl->what);
	asks.path = cl->path;
	asks.timeout_s = cl->timeout_s;
	asks.quiet = true;
	if (client_call(&asks, API_METHOD_outcome,
		json_pack("{s:I}", "conn", conn), NULL, &result) == EXIT_DONE)
		json_unpack(
		    result, "{s:s, s:s}", "err_name", &name, "err_text", &text);
	if (strcmp(name, "ok") != 0)
		why = strdup(text);
	json_decref(result);
	client_fini(&asks);
	return why;
}

static enum joined
carry(int sock, bool last)
{
	struct join *j = calloc(1, sizeof *j);
	enum joined state = JOINED;
	int error;

	if (j == NULL)
		return JOIN_FAILED;
	j->sock = sock;
	j->last = last;
	j->out = (struct half){.from = STDIN_FILENO,
	    .to = sock,
	    .to_socket = true,
	    .to_peer = true,
	    .write_max = HALF_MAX};
	j->in.from = sock;
	j->in.to = STDOUT_FILENO;
	open_output(&j->in);
	while (state == JOINED)
		state = turn(j);
	error = errno;
	if (!j->in.done)
		close_output(j);
	free(j);
	errno = error;
	return state;
}

int
join_stdio(const struct client *cl, int sock, json_int_t conn, bool last)
{
	enum joined state;
	char *why;

	client_let_go();
	state = carry(sock, last);
	if (state == JOIN_FAILED)
		complain(cl->what, "%s", strerror(errno));
	close(sock);
	if (state == JOIN_FAILED)
		return EXIT_FAILED;
	why = outcome(cl, conn);
	if (why == NULL && state != JOIN_LOST)
		return EXIT_DONE;
	complain(cl->what, "the connection was lost: %s",
	    why != NULL ? why : "the daemon has hung up");
	free(why);
	return EXIT_LOST;
}
