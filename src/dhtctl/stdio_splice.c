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
#include "dhtctl/stdio_splice.h"

enum { CHUNK_MAX = 1 << 16 };

/* One direction of the copy, with the bytes that are read but not written. */
struct copy_direction {
	int from, to;
	size_t at, len; /* the bytes of buf from `at` on are not written yet */
	size_t write_max;
	bool to_socket, to_peer;
	bool ended; /* `from` is at its end */
	bool done;  /* and all bytes are written */
	char buf[CHUNK_MAX];
};

enum splice_state {
	SPLICE_OPEN,
	SPLICE_ENDED,  /* both directions are done */
	SPLICE_LOST,   /* the stream was reset */
	SPLICE_FAILED, /* standard input or output failed; errno is set */
};

/* ---- descriptors ---- */

/*
 * Opens a pipe again, so that writing can be made non-blocking without
 * changing the file description that other processes share. If that fails,
 * each write is limited to what a writable pipe takes without blocking.
 */
static void
open_output(struct copy_direction *d)
{
	struct stat st;
	int fd;

	d->write_max = CHUNK_MAX;
	if (fstat(d->to, &st) != 0 || S_ISREG(st.st_mode))
		return;
	if (S_ISSOCK(st.st_mode)) {
		d->to_socket = true;
		return;
	}
	fd = S_ISFIFO(st.st_mode)
		 ? open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC)
		 : -1;
	if (fd >= 0)
		d->to = fd;
	else
		d->write_max = PIPE_BUF;
}

/* ---- one direction ---- */

static enum splice_state
read_bytes(struct copy_direction *d)
{
	ssize_t n = read(d->from, d->buf, sizeof d->buf);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return SPLICE_OPEN;
	if (n < 0)
		return errno == ECONNRESET ? SPLICE_LOST : SPLICE_FAILED;
	d->at = 0;
	d->len = (size_t)n;
	d->ended = n == 0;
	return SPLICE_OPEN;
}

static enum splice_state
write_bytes(struct copy_direction *d)
{
	const char *p = d->buf + d->at;
	size_t len = d->len - d->at;
	ssize_t n;

	if (len > d->write_max)
		len = d->write_max;
	n = d->to_socket ? send(d->to, p, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			 : write(d->to, p, len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return SPLICE_OPEN;
	if (n < 0)
		return d->to_peer && (errno == EPIPE || errno == ECONNRESET)
			   ? SPLICE_LOST
			   : SPLICE_FAILED;
	d->at += (size_t)n;
	return SPLICE_OPEN;
}

static bool
has_bytes(const struct copy_direction *d)
{
	return d->at < d->len;
}

static bool
wants_bytes(const struct copy_direction *d)
{
	return !has_bytes(d) && !d->ended;
}

/* Reads and writes what the last poll() has found possible. */
static enum splice_state
copy_bytes(struct copy_direction *d, int can_read, int can_write)
{
	enum splice_state state = SPLICE_OPEN;

	if (wants_bytes(d) && can_read)
		state = read_bytes(d);
	if (state == SPLICE_OPEN && has_bytes(d) && can_write)
		state = write_bytes(d);
	return state;
}

/* ---- both directions ---- */

struct stdio_splice {
	struct copy_direction out, in; /* to the peer, and from it */
	int sock;
	bool last; /* standard output is not used afterwards */
};

static void
close_output(struct stdio_splice *s)
{
	if (s->in.to != STDOUT_FILENO)
		close(s->in.to);
	if (s->last)
		close(STDOUT_FILENO);
}

/* Passes on the end of standard input to the peer, and that of the peer to
 * standard output. */
static void
pass_ends(struct stdio_splice *s)
{
	if (s->out.ended && !has_bytes(&s->out) && !s->out.done) {
		s->out.done = true;
		shutdown(s->sock, SHUT_WR);
	}
	if (s->in.ended && !has_bytes(&s->in) && !s->in.done) {
		s->in.done = true;
		close_output(s);
	}
}

/* Waits until bytes can move, and moves them. */
static enum splice_state
splice_step(struct stdio_splice *s)
{
	struct copy_direction *out = &s->out, *in = &s->in;
	short events = (short)((has_bytes(out) ? POLLOUT : 0) |
			       (wants_bytes(in) ? POLLIN : 0));
	struct pollfd p[] = {
	    {.fd = wants_bytes(out) ? out->from : -1, .events = POLLIN},
	    /* After the peer's end, only the hang-up is of interest. */
	    {.fd = events != 0 || in->done ? s->sock : -1, .events = events},
	    {.fd = has_bytes(in) ? in->to : -1, .events = POLLOUT},
	};
	enum splice_state state;

	if (poll(p, 3, -1) < 0)
		return errno == EINTR ? SPLICE_OPEN : SPLICE_FAILED;
	state = copy_bytes(in, p[1].revents & ~POLLOUT, p[2].revents);
	if (state == SPLICE_OPEN)
		state = copy_bytes(out, p[0].revents, p[1].revents & ~POLLIN);
	pass_ends(s);
	if (state == SPLICE_OPEN && in->done &&
	    (out->done || (p[1].revents & POLLHUP) != 0))
		return SPLICE_ENDED;
	return state;
}

static enum splice_state
splice_all(int sock, bool last)
{
	struct stdio_splice *s = calloc(1, sizeof *s);
	enum splice_state state = SPLICE_OPEN;
	int error;

	if (s == NULL)
		return SPLICE_FAILED;
	s->sock = sock;
	s->last = last;
	s->out = (struct copy_direction){.from = STDIN_FILENO,
	    .to = sock,
	    .to_socket = true,
	    .to_peer = true,
	    .write_max = CHUNK_MAX};
	s->in.from = sock;
	s->in.to = STDOUT_FILENO;
	open_output(&s->in);
	while (state == SPLICE_OPEN)
		state = splice_step(s);
	error = errno;
	if (!s->in.done)
		close_output(s);
	free(s);
	errno = error;
	return state;
}

/* Waits for the outcome of the connection. Returns an exit code; *why is the
 * text of a failure, which the caller frees, or NULL. If one_way is set, it is
 * enough that the peer has what was sent. */
static int
wait_outcome(
    const struct api_client *cl, json_int_t conn, bool one_way, char **why)
{
	struct api_client query;
	json_t *result;
	const char *name = "", *text = "";
	int code, delivered = 0;

	*why = NULL;
	api_client_init(&query, cl->what);
	query.path = cl->path;
	query.timeout_s = cl->timeout_s;
	query.quiet = true;
	query.patient = true;
	code = api_client_call(&query, API_METHOD_outcome,
	    json_pack("{s:I}", "conn", conn), NULL, &result);
	if (code == EXIT_DONE)
		json_unpack(result, "{s:s, s:s, s?:b}", "err_name", &name,
		    "err_text", &text, "delivered", &delivered);
	if (code != EXIT_INTERRUPTED)
		code = EXIT_LOST;
	/* In another run of the daemon the number is another connection's. */
	if (code == EXIT_LOST && query.instance == cl->instance) {
		if (strcmp(name, "ok") == 0 || (one_way && delivered))
			code = EXIT_DONE;
		else if (*text != '\0')
			*why = strdup(text);
	}
	json_decref(result);
	api_client_fini(&query);
	return code;
}

int
stdio_splice_outcome(const struct api_client *cl, json_int_t conn, bool one_way)
{
	char *why;
	int code = wait_outcome(cl, conn, one_way, &why);

	if (code == EXIT_LOST)
		print_error(cl->what, "the connection was lost: %s",
		    why != NULL ? why : "the daemon was stopped");
	free(why);
	return code;
}

int
stdio_splice_run(
    const struct api_client *cl, int sock, json_int_t conn, bool last)
{
	enum splice_state state;

	api_client_release_interrupt();
	state = splice_all(sock, last);
	if (state == SPLICE_FAILED)
		print_error(cl->what, "%s", strerror(errno));
	close(sock);
	return state == SPLICE_FAILED ? EXIT_FAILED
				      : stdio_splice_outcome(cl, conn, false);
}
