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
#include "dhtctl/resolve_name.h"

enum {
	BUF_LEN = 2 * API_LINE_MAX,
	GREETING_MS = 5000,
	NEVER_MS = 0, /* deadline that never expires */
};

static volatile sig_atomic_t interrupted;

static void
on_interrupt(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Makes SIGINT end a request, which the daemon cancels then. */
static void
catch_interrupt(void)
{
	struct sigaction sa = {.sa_handler = on_interrupt};
	sigset_t block;

	/* ppoll() unblocks it, so that none is missed before the wait. */
	sigemptyset(&block);
	sigaddset(&block, SIGINT);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGINT, &sa, NULL);
}

uint64_t
api_client_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void
api_client_release_interrupt(void)
{
	sigset_t set;

	signal(SIGINT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

bool
api_client_interrupted(void)
{
	return interrupted != 0;
}

void
api_client_init(struct api_client *cl, const char *what)
{
	*cl = (struct api_client){.what = what, .fd = -1};
}

void
api_client_fini(struct api_client *cl)
{
	progress_clear(&cl->progress);
	if (cl->fd >= 0)
		close(cl->fd);
	free(cl->buf);
}

static int report_error(struct api_client *cl, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int
report_error(struct api_client *cl, int code, const char *fmt, ...)
{
	va_list ap;

	progress_clear(&cl->progress);
	if (cl->quiet)
		return code;
	va_start(ap, fmt);
	vprint_error(cl->what, fmt, ap);
	va_end(ap);
	return code;
}

/* ---- waiting ---- */

/* Waits until the socket has one of the events. Returns an exit code. */
static int
wait_for(struct api_client *cl, short events)
{
	struct pollfd p = {.fd = cl->fd, .events = events};
	struct timespec look = {.tv_nsec = PROGRESS_MS * 1000000L};
	sigset_t none;
	int n;

	sigemptyset(&none);
	for (;;) {
		if (interrupted)
			return report_error(
			    cl, EXIT_INTERRUPTED, "interrupted");
		n = ppoll(&p, 1, &look, &none);
		if (n > 0)
			return EXIT_DONE;
		if (n < 0 && errno != EINTR)
			return report_error(
			    cl, EXIT_FAILED, "poll: %s", strerror(errno));
		if (cl->deadline_ms != NEVER_MS &&
		    api_client_now_ms() >= cl->deadline_ms)
			return report_error(cl, EXIT_TIMEOUT,
			    "no answer within %u s; --timeout sets a longer "
			    "limit",
			    (unsigned)((cl->deadline_ms - cl->began_ms) /
				       1000));
		if (cl->deadline_ms != NEVER_MS)
			progress_show(&cl->progress,
			    api_client_now_ms() - cl->began_ms, cl->notes_len);
	}
}

static int
send_all(struct api_client *cl, const char *p, size_t len)
{
	while (len > 0) {
		int code = wait_for(cl, POLLOUT);
		ssize_t n;

		if (code != EXIT_DONE)
			return code;
		n = send(cl->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return report_error(cl, EXIT_FAILED,
			    "the daemon at %s has closed the connection: %s",
			    cl->path, strerror(errno));
		p += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return EXIT_DONE;
}

/* Receives what is available; with cl->exact, not past the end of a line. */
static ssize_t
receive_bytes(struct api_client *cl)
{
	char *p = cl->buf + cl->len, *nl;
	size_t space = BUF_LEN - cl->len;
	ssize_t n;

	if (!cl->exact)
		return recv(cl->fd, p, space, MSG_DONTWAIT);
	n = recv(cl->fd, p, space, MSG_DONTWAIT | MSG_PEEK);
	if (n <= 0)
		return n;
	nl = memchr(p, '\n', (size_t)n);
	return recv(cl->fd, p, nl != NULL ? (size_t)(nl - p) + 1 : (size_t)n,
	    MSG_DONTWAIT);
}

/* Receives more bytes without waiting, and sets *end at the end of the
 * stream. */
static int
receive_more(struct api_client *cl, bool *end)
{
	ssize_t n;

	memmove(cl->buf, cl->buf + cl->used, cl->len - cl->used);
	cl->len -= cl->used;
	cl->used = 0;
	n = receive_bytes(cl);
	if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNRESET)
		return report_error(
		    cl, EXIT_FAILED, "%s: %s", cl->path, strerror(errno));
	*end = n == 0 || (n < 0 && errno == ECONNRESET);
	cl->len += n > 0 ? (size_t)n : 0;
	return EXIT_DONE;
}

/* Waits for more bytes, and sets *end at the end of the stream. */
static int
fill_buffer(struct api_client *cl, bool *end)
{
	int code = wait_for(cl, POLLIN);

	*end = false;
	return code == EXIT_DONE ? receive_more(cl, end) : code;
}

static int
parse_message(struct api_client *cl, const struct line *l, json_t **message)
{
	*message = json_loadb(cl->buf + cl->used + l->start, l->len,
	    JSON_REJECT_DUPLICATES, NULL);
	cl->used += l->used;
	if (json_is_object(*message))
		return EXIT_DONE;
	json_decref(*message);
	*message = NULL;
	return report_error(cl, EXIT_FAILED,
	    "the program at %s is not hyperdhtd: it sent a line that is not"
	    " JSON",
	    cl->path);
}

/* Takes the next message from the buffer; sets it to NULL and returns EXIT_DONE
 * if more bytes are needed. */
static int
take_message(struct api_client *cl, json_t **message)
{
	struct line l = line_next(
	    &cl->cutter, cl->buf + cl->used, cl->len - cl->used, API_LINE_MAX);

	*message = NULL;
	if (l.what == LINE_WHOLE)
		return parse_message(cl, &l, message);
	if (l.what == LINE_LONG)
		return report_error(cl, EXIT_FAILED,
		    "the program at %s is not hyperdhtd: it sent a"
		    " line of more than %d bytes",
		    cl->path, API_LINE_MAX);
	cl->used += l.used;
	return EXIT_DONE;
}

/* Reads the next message; sets it to NULL and returns EXIT_DONE if the daemon
 * has closed the connection. */
static int
next_message(struct api_client *cl, json_t **message)
{
	bool end = false;
	int code;

	for (;;) {
		code = take_message(cl, message);
		if (code != EXIT_DONE || *message != NULL || end)
			return code;
		code = fill_buffer(cl, &end);
		if (code != EXIT_DONE)
			return code;
	}
}

/* ---- connecting ---- */

/* Returns true if the daemon notes_len none of the groups (see the manual). */
static bool
lacks_groups(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & S_IWOTH) == 0;
}

static int
report_not_connected(struct api_client *cl, int err)
{
	if ((err == EACCES || err == EPERM) && lacks_groups(cl->path))
		return report_error(cl, EXIT_REFUSED,
		    "permission denied at %s: become root; or create the groups"
		    " hyperdhtd-read, hyperdhtd-user and hyperdhtd-admin with"
		    " systemd-sysusers or groupadd -r, join one, and reload the"
		    " daemon",
		    cl->path);
	if (err == EACCES || err == EPERM)
		return report_error(cl, EXIT_REFUSED,
		    "permission denied at %s: become root or a member of"
		    " hyperdhtd-read, hyperdhtd-user or hyperdhtd-admin",
		    cl->path);
	if (err == ENOENT || err == ECONNREFUSED || err == ENOTSOCK ||
	    err == ENOTDIR)
		return report_error(cl, EXIT_NOT_RUNNING,
		    "no hyperdhtd is running at %s: start it, or name its"
		    " socket with --control",
		    cl->path);
	return report_error(cl, EXIT_FAILED, "cannot connect to %s: %s",
	    cl->path, strerror(err));
}

static int
open_socket(struct api_client *cl)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(cl->path) >= sizeof at.sun_path)
		return report_error(cl, EXIT_USAGE,
		    "the path %s is too long for a socket", cl->path);
	memcpy(at.sun_path, cl->path, strlen(cl->path) + 1);
	cl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cl->buf = malloc(BUF_LEN);
	if (cl->fd < 0 || cl->buf == NULL)
		return report_error(cl, EXIT_FAILED, "%s", strerror(errno));
	if (connect(cl->fd, (const struct sockaddr *)&at, sizeof at) != 0)
		return report_not_connected(cl, errno);
	return EXIT_DONE;
}

/* Reports why the daemon does not serve us, or that it is not a daemon. */
static int
report_no_greeting(struct api_client *cl, const json_t *message)
{
	const char *text = NULL;

	if (message != NULL)
		json_unpack(
		    (json_t *)message, "{s:{s:s}}", "error", "message", &text);
	if (text != NULL)
		return report_error(cl, EXIT_REFUSED, "%s: %s", cl->path, text);
	return report_error(cl, EXIT_FAILED,
	    "the program at %s is not hyperdhtd: it sent no greeting",
	    cl->path);
}

static int
check_greeting(struct api_client *cl, const json_t *message)
{
	const char *method = NULL;
	json_int_t instance = 0;
	int protocol = 0;

	if (message == NULL ||
	    json_unpack((json_t *)message, "{s:s, s:{s:i, s?I}}", "method",
		&method, "params", "protocol", &protocol, "instance",
		&instance) != 0 ||
	    strcmp(method, "hello") != 0)
		return report_no_greeting(cl, message);
	if (protocol != API_PROTOCOL)
		return report_error(cl, EXIT_FAILED,
		    "the daemon at %s speaks protocol %d and this dhtctl %d:"
		    " use the dhtctl of the same version",
		    cl->path, protocol, API_PROTOCOL);
	cl->instance = (uint64_t)instance;
	return EXIT_DONE;
}

static void
start_timeout(struct api_client *cl, uint64_t ms)
{
	cl->began_ms = api_client_now_ms();
	cl->deadline_ms = cl->began_ms + ms;
}

static int
connect_client(struct api_client *cl)
{
	json_t *message;
	int code;

	if (cl->fd >= 0)
		return EXIT_DONE;
	catch_interrupt();
	code = open_socket(cl);
	if (code != EXIT_DONE)
		return code;
	/* A daemon greets at once. */
	start_timeout(cl, cl->timeout_s * UINT64_C(1000) < GREETING_MS
			      ? cl->timeout_s * UINT64_C(1000)
			      : GREETING_MS);
	code = next_message(cl, &message);
	if (code == EXIT_DONE)
		code = check_greeting(cl, message);
	json_decref(message);
	return code;
}

/* ---- requests ---- */

/* Reports why a dial failed. Returns -1 if the error is not of a dial. */
static int
report_reason(struct api_client *cl, const json_t *error)
{
	const struct reason *r;
	const char *name = NULL, *text = NULL;

	json_unpack((json_t *)error, "{s?:{s?:s, s?:s}}", "data", "err_name",
	    &name, "err_text", &text);
	r = cl->dials && name != NULL ? reason_find(name) : NULL;
	if (r == NULL || text == NULL)
		return -1;
	return report_error(cl, r->code, "%s: %s", text, r->advice);
}

/* Returns the text without the name of the method before it, which is not that
 * of the command. */
static const char *
skip_method_name(const char *text)
{
	for (unsigned i = 0; i < API_METHODS; i++) {
		const char *name = api_methods[i].name;
		size_t len = strlen(name);

		if (strncmp(text, name, len) != 0)
			continue;
		if (strncmp(text + len, ": ", 2) == 0 ||
		    strncmp(text + len, ", ", 2) == 0)
			return text + len + 2;
	}
	return text;
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
	    (name != NULL && (strcmp(name, "refused") == 0 ||
				 strcmp(name, "not-yours") == 0)))
		return EXIT_REFUSED;
	if (name != NULL && strcmp(name, "timeout") == 0)
		return EXIT_TIMEOUT;
	if (name != NULL && strcmp(name, "unreachable") == 0)
		return EXIT_UNREACHABLE;
	return EXIT_FAILED;
}

static int
report_answer_error(struct api_client *cl, const json_t *error)
{
	const char *text = json_string_value(json_object_get(error, "message"));
	int code = report_reason(cl, error);

	if (code >= 0)
		return code;
	return report_error(cl, exit_of_error(error), "%s",
	    text != NULL ? skip_method_name(text)
			 : "the daemon sent an error without a text");
}

/* Checks the request as the daemon does, before anything is connected. */
static int
check_request(struct api_client *cl, const char *line)
{
	struct api_request rq;
	struct api_error f;
	int code = EXIT_DONE;

	if (strlen(line) >= API_LINE_MAX)
		return report_error(cl, EXIT_USAGE,
		    "the arguments are too long: a request has at most %d"
		    " bytes",
		    API_LINE_MAX);
	if (api_request_parse(&rq, &f, line, strlen(line)) != 0) {
		json_decref(f.data);
		code = report_error(cl, EXIT_USAGE, "%s", f.text);
	}
	api_request_fini(&rq);
	return code;
}

int
api_client_send(
    struct api_client *cl, enum api_method_id method, json_t *params)
{
	int code = resolve_names(cl, method, params);
	json_t *j = json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id",
	    ++cl->id, "method", api_methods[method].name, "params", params);
	char *line = json_dumps(j, JSON_COMPACT);

	json_decref(j);
	if (code != EXIT_DONE) {
		free(line);
		return code;
	}
	if (line == NULL)
		return report_error(
		    cl, EXIT_USAGE, "the arguments are not valid UTF-8");
	code = check_request(cl, line);
	if (code == EXIT_DONE)
		code = connect_client(cl);
	if (code == EXIT_DONE) {
		start_timeout(cl, cl->timeout_s * UINT64_C(1000));
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
handle_note(struct api_client *cl, const struct api_client_notes *notes,
    const json_t *message)
{
	const char *method =
	    json_string_value(json_object_get(message, "method"));
	const char *reason = NULL;
	const json_t *params = json_object_get(message, "params");

	if (method != NULL && strcmp(method, "dropped") == 0) {
		json_unpack((json_t *)params, "{s:s}", "reason", &reason);
		return report_error(cl, EXIT_FAILED,
		    "the daemon has closed the connection: %s",
		    reason != NULL ? reason : "it gave no reason");
	}
	if (notes == NULL || !json_is_object(params))
		return EXIT_DONE;
	cl->notes_len++;
	progress_clear(&cl->progress);
	return notes->note(notes->owner, params);
}

static int
handle_result(struct api_client *cl, const json_t *message, json_t **result)
{
	*result = json_incref(json_object_get(message, "result"));
	if (json_is_object(*result))
		return EXIT_DONE;
	json_decref(*result);
	*result = NULL;
	return report_error(cl, EXIT_FAILED,
	    "the program at %s is not hyperdhtd: it sent an answer without a"
	    " result",
	    cl->path);
}

/* Handles messages until the answer to the latest request has been received;
 * if result is NULL, until an error. */
static int
handle_messages(struct api_client *cl, const struct api_client_notes *notes,
    json_t **result)
{
	json_t *message, *id, *error;
	int code;

	for (;;) {
		code = next_message(cl, &message);
		if (code == EXIT_DONE && message == NULL)
			code = report_error(cl, EXIT_FAILED,
			    "the daemon at %s has closed the connection",
			    cl->path);
		if (code != EXIT_DONE)
			return code;
		id = json_object_get(message, "id");
		error = json_object_get(message, "error");
		if (error != NULL)
			code = report_answer_error(cl, error);
		else if (id == NULL)
			code = handle_note(cl, notes, message);
		else if (result != NULL && json_integer_value(id) == cl->id)
			code = handle_result(cl, message, result);
		json_decref(message);
		if (code != EXIT_DONE || (result != NULL && *result != NULL))
			return code;
	}
}

int
api_client_call(struct api_client *cl, enum api_method_id method,
    json_t *params, const struct api_client_notes *notes, json_t **result)
{
	int code = api_client_send(cl, method, params);

	*result = NULL;
	cl->notes_len = 0;
	if (code == EXIT_DONE)
		code = handle_messages(cl, notes, result);
	progress_clear(&cl->progress);
	return code;
}

int
api_client_read(struct api_client *cl,
    void (*on_message)(void *owner, const json_t *message), void *owner)
{
	bool end = false;
	json_t *message;
	int code = receive_more(cl, &end);

	while (code == EXIT_DONE) {
		code = take_message(cl, &message);
		if (code != EXIT_DONE || message == NULL)
			break;
		on_message(owner, message);
		json_decref(message);
	}
	if (code == EXIT_DONE && end)
		code = report_error(cl, EXIT_FAILED,
		    "the daemon at %s has closed the connection", cl->path);
	return code;
}

int
api_client_detach(struct api_client *cl)
{
	int fd = cl->fd;

	cl->fd = -1;
	return fd;
}

bool
api_client_is_closed(const struct api_client *cl, int wait_ms)
{
	struct pollfd p = {.fd = cl->fd}; /* for its hang-up */

	return cl->fd < 0 || poll(&p, 1, wait_ms) > 0;
}

void
api_client_reset(struct api_client *cl)
{
	struct api_client next;

	api_client_init(&next, cl->what);
	next.path = cl->path;
	next.timeout_s = cl->timeout_s;
	next.exact = cl->exact;
	api_client_fini(cl);
	*cl = next;
}

void
api_client_pause(int ms)
{
	const struct timespec t = {
	    .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	sigset_t none;

	sigemptyset(&none);
	(void)ppoll(NULL, 0, &t, &none);
}

int
api_client_wait_notes(
    struct api_client *cl, const struct api_client_notes *notes)
{
	cl->deadline_ms = NEVER_MS;
	return handle_messages(cl, notes, NULL);
}

int
api_client_wait_end(struct api_client *cl)
{
	json_t *message;
	int code;

	start_timeout(cl, cl->timeout_s * UINT64_C(1000));
	do {
		code = next_message(cl, &message);
		json_decref(message);
	} while (code == EXIT_DONE && message != NULL);
	return code;
}
