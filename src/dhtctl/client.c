/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "api/api_request.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/reason.h"

enum {
	BUF_LEN = 2 * API_LINE_MAX,
	GREETING_MS = 5000,
	NEVER_MS = 0, /* as a deadline */
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* From here on SIGINT ends a request in order. */
static void
catch_interrupt(void)
{
	struct sigaction sa = {.sa_handler = on_interrupt};
	sigset_t block;

	/* Let through only while we wait, so that none comes unseen. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGINT, &sa, NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
client_let_go(void)
{
	sigset_t set;

	signal(SIGINT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool
client_interrupted(void)
{
	return interrupted != 0;
}

void
client_init(struct client *cl, const char *what)
{
	*cl = (struct client){.what = what, .fd = -1};
}

void
client_fini(struct client *cl)
{
	progress_clear(&cl->progress);
	if (cl->fd >= 0)
		close(cl->fd);
	free(cl->buf);
}

static int say(struct client *cl, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
say(struct client *cl, int code, const char *fmt, ...)
{
	va_list ap;

	progress_clear(&cl->progress);
	if (cl->quiet)
		return code;
	va_start(ap, fmt);
	vcomplain(cl->what, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- waiting ---- */

/* EXIT_DONE when the socket is ready for what is asked. */
static int
wait_for(struct client *cl, short events)
{
	struct pollfd p = {.fd = cl->fd, .events = events};
	struct timespec look = {.tv_nsec = PROGRESS_MS * 1000000L};
	sigset_t none;
	int n;

	sigemptyset(&none);
	for (;;) {
		if (interrupted)
			return say(cl, EXIT_INTERRUPTED, "interrupted");
		n = ppoll(&p, 1, &look, &none);
		if (n > 0)
			return EXIT_DONE;
		if (n < 0 && errno != EINTR)
			return say(
			    cl, EXIT_FAILED, "poll: %s", strerror(errno));
		if (cl->deadline_ms != NEVER_MS && now_ms() >= cl->deadline_ms)
			return say(cl, EXIT_TIMEOUT,
			    "no answer within %u s; --timeout gives it longer",
			    (unsigned)((cl->deadline_ms - cl->began_ms) /
				       1000));
		if (cl->deadline_ms != NEVER_MS)
			progress_show(
			    &cl->progress, now_ms() - cl->began_ms, cl->found);
	}
}

static int
send_all(struct client *cl, const char *p, size_t len)
{
	while (len > 0) {
		int code = wait_for(cl, POLLOUT);
		ssize_t n;

		if (code != EXIT_DONE)
			return code;
		n = send(cl->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return say(cl, EXIT_FAILED,
			    "the daemon at %s has hung up: %s", cl->path,
			    strerror(errno));
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return EXIT_DONE;
}

/* What there is, but not past the end of a line if it must not be. */
static ssize_t
receive(struct client *cl)
{
	char *p = cl->buf + cl->len, *nl;
	size_t room = BUF_LEN - cl->len;
	ssize_t n;

	if (!cl->exact)
		return recv(cl->fd, p, room, MSG_DONTWAIT);
	n = recv(cl->fd, p, room, MSG_DONTWAIT | MSG_PEEK);
	if (n <= 0)
		return n;
	nl = memchr(p, '\n', (size_t)n);
	return recv(cl->fd, p, nl != NULL ? (size_t)(nl - p) + 1 : (size_t)n,
	    MSG_DONTWAIT);
}

/* Reads more; *end is set if there is no more. */
static int
fill(struct client *cl, bool *end)
{
	int code = wait_for(cl, POLLIN);
	ssize_t n;

	*end = false;
	if (code != EXIT_DONE)
		return code;
	memmove(cl->buf, cl->buf + cl->used, cl->len - cl->used);
	cl->len -= cl->used;
	cl->used = 0;
	n = receive(cl);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET)
		return say(
		    cl, EXIT_FAILED, "%s: %s", cl->path, strerror(errno));
	*end = n == 0 || (n < 0 && errno == ECONNRESET);
	cl->len += n > 0 ? (size_t)n : 0;
	return EXIT_DONE;
}

static int
parse_message(struct client *cl, const struct line *l, json_t **message)
{
	*message = json_loadb(cl->buf + cl->used + l->start, l->len,
	    JSON_REJECT_DUPLICATES, NULL);
	cl->used += l->used;
	if (json_is_object(*message))
		return EXIT_DONE;
	json_decref(*message);
	return say(cl, EXIT_FAILED,
	    "what answers at %s is not hyperdhtd: it sent a line that is not"
	    " JSON",
	    cl->path);
}

/* The next message; NULL with EXIT_DONE if the daemon has hung up. */
static int
next_message(struct client *cl, json_t **message)
{
	bool end = false;
	int code;

	*message = NULL;
	for (;;) {
		struct line l = line_next(&cl->cutter, cl->buf + cl->used,
		    cl->len - cl->used, API_LINE_MAX);

		if (l.what == LINE_WHOLE)
			return parse_message(cl, &l, message);
		if (l.what == LINE_LONG)
			return say(cl, EXIT_FAILED,
			    "what answers at %s is not hyperdhtd: it sent a"
			    " line of more than %d bytes",
			    cl->path, API_LINE_MAX);
		cl->used += l.used;
		if (end)
			return EXIT_DONE;
		code = fill(cl, &end);
		if (code != EXIT_DONE)
			return code;
	}
}

/* ---- connecting ---- */

/* Returns true if the daemon found none of the groups (see the manual). */
static bool
lacks_groups(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IWOTH) == 0;
}

static int
say_not_connected(struct client *cl, int err)
{
	if ((err == EACCES || err == EPERM) && lacks_groups(cl->path))
		return say(cl, EXIT_REFUSED,
		    "permission denied at %s: become root; or create the groups"
		    " hyperdhtd-read, hyperdhtd-user and hyperdhtd-admin with"
		    " systemd-sysusers or groupadd -r, join one, and reload the"
		    " daemon",
		    cl->path);
	if (err == EACCES || err == EPERM)
		return say(cl, EXIT_REFUSED,
		    "permission denied at %s: become root or a member of"
		    " hyperdhtd-read, hyperdhtd-user or hyperdhtd-admin",
		    cl->path);
	if (err == ENOENT || err == ECONNREFUSED || err == ENOTSOCK ||
	    err == ENOTDIR)
		return say(cl, EXIT_NOT_RUNNING,
		    "no hyperdhtd is running at %s: start it, or name its"
		    " socket with --control",
		    cl->path);
	return say(cl, EXIT_FAILED, "cannot connect to %s: %s", cl->path,
	    strerror(err));
}

static int
open_socket(struct client *cl)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(cl->path) >= sizeof at.sun_path)
		return say(cl, EXIT_USAGE,
		    "the path %s is too long for a"
		    " socket",
		    cl->path);
	memcpy(at.sun_path, cl->path, strlen(cl->path) + 1);
	cl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cl->buf = malloc(BUF_LEN);
	if (cl->fd < 0 || cl->buf == NULL)
		return say(cl, EXIT_FAILED, "%s", strerror(errno));
	if (connect(cl->fd, (const struct sockaddr *)&at, sizeof at) != 0)
		return say_not_connected(cl, errno);
	return EXIT_DONE;
}

/* Says why the daemon will not serve us, or that it is no daemon. */
static int
refused_greeting(struct client *cl, const json_t *message)
{
	const char *text = NULL;

	if (message != NULL)
		json_unpack(
		    (json_t *)message, "{s:{s:s}}", "error", "message", &text);
	if (text != NULL)
		return say(cl, EXIT_REFUSED, "%s: %s", cl->path, text);
	return say(cl, EXIT_FAILED,
	    "what answers at %s is not hyperdhtd: it does not greet", cl->path);
}

static int
check_greeting(struct client *cl, const json_t *message)
{
	const char *method = NULL;
	int protocol = 0;

	if (message == NULL ||
	    json_unpack((json_t *)message, "{s:s, s:{s:i}}", "method", &method,
		"params", "protocol", &protocol) != 0 ||
	    strcmp(method, "hello") != 0)
		return refused_greeting(cl, message);
	if (protocol != API_PROTOCOL)
		return say(cl, EXIT_FAILED,
		    "the daemon at %s speaks protocol %d and this dhtctl %d:"
		    " use the dhtctl that came with it",
		    cl->path, protocol, API_PROTOCOL);
	return EXIT_DONE;
}

static void
set_deadline(struct client *cl, uint64_t ms)
{
	cl->began_ms = now_ms();
	cl->deadline_ms = cl->began_ms + ms;
}

static int
connect_client(struct client *cl)
{
	json_t *message;
	int code;

	if (cl->fd >= 0)
		return EXIT_DONE;
	catch_interrupt();
	code = open_socket(cl);
	if (code != EXIT_DONE)
		return code;
	/* It greets at once, or it is something else. */
	set_deadline(cl, cl->timeout_s * UINT64_C(1000) < GREETING_MS
			     ? cl->timeout_s * UINT64_C(1000)
			     : GREETING_MS);
	code = next_message(cl, &message);
	if (code == EXIT_DONE)
		code = check_greeting(cl, message);
	json_decref(message);
	return code;
}

/* ---- requests ---- */

/* As a reason of a connection that did not come about, or -1: it is none. */
static int
say_reason(struct client *cl, const json_t *error)
{
	const struct reason *r;
	const char *name = NULL, *text = NULL;

	json_unpack((json_t *)error, "{s?:{s?:s, s?:s}}", "data", "err_name",
	    &name, "err_text", &text);
	r = cl->dials && name != NULL ? reason_find(name) : NULL;
	if (r == NULL || text == NULL)
		return -1;
	return say(cl, r->code, "%s: %s", text, r->advice);
}

static int
exit_of_error(const json_t *error)
{
	const char *name = NULL;
	int code = 0;

	json_unpack((json_t *)error, "{s:i, s?:{s?:s}}", "code", &code, "data",
	    "err_name", &name);
	if (code == API_ERR_PARAMS)
		return EXIT_USAGE;
	if (code == API_ERR_DENIED ||
	    (name != NULL && strcmp(name, "refused") == 0))
		return EXIT_REFUSED;
	if (name != NULL && strcmp(name, "timeout") == 0)
		return EXIT_TIMEOUT;
	return EXIT_FAILED;
}

static int
say_error(struct client *cl, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "message"));
	int code = say_reason(cl, error);

	if (code >= 0)
		return code;
	return say(cl, exit_of_error(error), "%s",
	    text != NULL ? text : "the daemon sent an error without a text");
}

/* The same check that the daemon makes, before it is asked. */
static int
check_request(struct client *cl, const char *line)
{
	struct api_request rq;
	struct api_error f;
	int code = EXIT_DONE;

	if (api_request_parse(&rq, &f, line, strlen(line)) != 0) {
		json_decref(f.data);
		code = say(cl, EXIT_USAGE, "%s", f.text);
	}
	api_request_fini(&rq);
	return code;
}

static int
send_request(struct client *cl, enum api_method_id method, json_t *params)
{
	json_t *j = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id",
	    ++cl->id, "method", api_methods[method].name, "params", params);
	char *line = json_dumps(j, JSON_COMPACT);
	int code;

	json_decref(j);
	if (line == NULL)
		return say(cl, EXIT_USAGE, "the arguments are not UTF-8");
	code = check_request(cl, line);
	if (code == EXIT_DONE)
		code = connect_client(cl);
	if (code == EXIT_DONE) {
		set_deadline(cl, cl->timeout_s * UINT64_C(1000));
		if (cl->patient)
			cl->deadline_ms = NEVER_MS;
		code = send_all(cl, line, strlen(line));
	}
	if (code == EXIT_DONE)
		code = send_all(cl, "\n", 1);
	sodium_memzero(line, strlen(line)); /* it may hold a key */
	free(line);
	return code;
}

static int
take_note(
    struct client *cl, const struct client_notes *notes, const json_t *message)
{
	const char *method =
	    json_string_value(json_object_get(message, "method"));
	const char *reason = NULL;
	const json_t *params = json_object_get(message, "params");

	if (method != NULL && strcmp(method, "dropped") == 0) {
		json_unpack((json_t *)params, "{s:s}", "reason", &reason);
		return say(cl, EXIT_FAILED, "the daemon has hung up: %s",
		    reason != NULL ? reason : "it gives no reason");
	}
	if (notes == NULL || !json_is_object(params))
		return EXIT_DONE;
	cl->found++;
	progress_clear(&cl->progress);
	return notes->note(notes->owner, params);
}

static int
take_result(struct client *cl, const json_t *message, json_t **result)
{
	*result = json_incref(json_object_get(message, "result"));
	if (json_is_object(*result))
		return EXIT_DONE;
	json_decref(*result);
	*result = NULL;
	return say(cl, EXIT_FAILED,
	    "what answers at %s is not hyperdhtd: it sent an answer without a"
	    " result",
	    cl->path);
}

/*
 * Takes messages until the answer to the latest request is there, or for ever
 * if there is no answer to come (result NULL).
 */
static int
take_messages(
    struct client *cl, const struct client_notes *notes, json_t **result)
{
	json_t *message, *id, *error;
	int code;

	for (;;) {
		code = next_message(cl, &message);
		if (code == EXIT_DONE && message == NULL)
			code = say(cl, EXIT_FAILED,
			    "the daemon at %s has hung up", cl->path);
		if (code != EXIT_DONE)
			return code;
		id = json_object_get(message, "id");
		error = json_object_get(message, "error");
		if (error != NULL)
			code = say_error(cl, error);
		else if (id == NULL)
			code = take_note(cl, notes, message);
		else if (result != NULL && json_integer_value(id) == cl->id)
			code = take_result(cl, message, result);
		json_decref(message);
		if (code != EXIT_DONE || (result != NULL && *result != NULL))
			return code;
	}
}

int
client_call(struct client *cl, enum api_method_id method, json_t *params,
    const struct client_notes *notes, json_t **result)
{
	int code = send_request(cl, method, params);

	*result = NULL;
	cl->found = 0;
	if (code == EXIT_DONE)
		code = take_messages(cl, notes, result);
	progress_clear(&cl->progress);
	return code;
}

int
client_detach(struct client *cl)
{
	int fd = cl->fd;

	cl->fd = -1;
	return fd;
}

int
client_listen(struct client *cl, const struct client_notes *notes)
{
	cl->deadline_ms = NEVER_MS;
	return take_messages(cl, notes, NULL);
}

int
client_wait_end(struct client *cl)
{
	json_t *message;
	int code;

	set_deadline(cl, cl->timeout_s * UINT64_C(1000));
	do {
		code = next_message(cl, &message);
		json_decref(message);
	} while (code == EXIT_DONE && message != NULL);
	return code;
}
