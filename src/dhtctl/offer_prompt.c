/* SPDX-License-Identifier: ISC */
#include "dhtctl/offer_prompt.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "dhtctl/dhtctl.h"

#define TERMINAL "/dev/tty"

enum {
	LINE_MAX_BYTES = 80,
	OFFER_MS = 10000, /* that the daemon keeps an offer open */
	/* After a question was withdrawn: a late answer to it must not admit
	 * the next peer. */
	PAUSE_MS = 2000,
};

enum prompt_state {
	PROMPT_IDLE,
	PROMPT_ASKED,    /* a question is open */
	PROMPT_ANSWERED, /* the daemon has not confirmed the answer yet */
	PROMPT_PAUSED,   /* a question was withdrawn */
	PROMPT_ENDED,    /* end of the terminal's input: nothing is asked */
};

struct offer_prompt {
	struct api_client *listener; /* whose offers these are */
	int terminal;
	enum prompt_state state;
	uint64_t deadline_ms; /* of PROMPT_ASKED and PROMPT_PAUSED */
	json_int_t conn;      /* that the question is about */
	char typed;           /* first character of the answer, or 0 */
	int answer_id;        /* request of PROMPT_ANSWERED */
	unsigned refused;     /* offers while not idle */
};

static int
open_terminal(void)
{
	/* A write must not block either, as after Ctrl-S. */
	return open(TERMINAL, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool
offer_prompt_possible(void)
{
	int terminal = open_terminal();

	if (terminal < 0)
		return false;
	close(terminal);
	return true;
}

/* ---- answers ---- */

static int
send_answer(const struct offer_prompt *p, json_int_t conn, bool accepts)
{
	return api_client_send(p->listener, API_METHOD_answer,
	    json_pack("{s:I, s:b}", "conn", conn, "accept", accepts));
}

/* Refuses an offer if this does not block; otherwise it expires. */
static void
refuse_offer(const struct offer_prompt *p, json_int_t conn)
{
	struct pollfd socket = {.fd = p->listener->fd, .events = POLLOUT};

	if (poll(&socket, 1, 0) > 0 && socket.revents == POLLOUT)
		(void)send_answer(p, conn, false);
}

static void
become_idle(struct offer_prompt *p)
{
	p->state = PROMPT_IDLE;
	if (p->refused > 0)
		dprintf(p->terminal, "%u further %s refused in the meantime.\n",
		    p->refused, p->refused == 1 ? "offer was" : "offers were");
	p->refused = 0;
}

static void
answer_question(struct offer_prompt *p, bool accepts)
{
	if (send_answer(p, p->conn, accepts) == EXIT_DONE) {
		p->answer_id = p->listener->id;
		p->state = PROMPT_ANSWERED;
	} else {
		become_idle(p);
	}
}

/* Reads what was typed, which is an answer at the end of the line. */
static void
read_terminal(struct offer_prompt *p)
{
	char line[LINE_MAX_BYTES];
	ssize_t n = read(p->terminal, line, sizeof line);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		p->state = PROMPT_ENDED;
		return;
	}
	if (p->typed == 0)
		p->typed = line[0];
	if (memchr(line, '\n', (size_t)n) != NULL)
		answer_question(p, p->typed == 'y' || p->typed == 'Y');
}

/* ---- questions ---- */

static void
withdraw_question(struct offer_prompt *p, bool expired)
{
	if (expired)
		dprintf(p->terminal, "\nNo answer in %d s: refused.\n",
		    OFFER_MS / 1000);
	else
		dprintf(p->terminal, "\nWithdrawn: the offer is closed.\n");
	p->state = PROMPT_PAUSED;
	p->deadline_ms = api_client_now_ms() + PAUSE_MS;
}

static void
on_deadline(struct offer_prompt *p)
{
	if (p->state == PROMPT_ASKED) {
		refuse_offer(p, p->conn);
		withdraw_question(p, true);
	} else {
		become_idle(p);
	}
}

static void
ask_person(struct offer_prompt *p, const char *key, const char *address)
{
	/* What was typed before the question is no answer to it. */
	tcflush(p->terminal, TCIFLUSH);
	dprintf(p->terminal, "%s at %s wants to connect. Admit it? [y/N] ", key,
	    address != NULL ? address : "an unknown address");
	p->typed = 0;
	p->state = PROMPT_ASKED;
	p->deadline_ms = api_client_now_ms() + OFFER_MS;
}

/* ---- messages of the daemon ---- */

static void
on_offer(struct offer_prompt *p, const json_t *params)
{
	/* Or NULL: the value may be null. */
	const char *address =
	    json_string_value(json_object_get(params, "address"));
	const char *key = "";
	json_int_t conn;

	if (p->state == PROMPT_ENDED ||
	    json_unpack((json_t *)params, "{s:I, s:s}", "conn", &conn,
		"public_key", &key) != 0)
		return;
	if (p->state == PROMPT_IDLE) {
		p->conn = conn;
		ask_person(p, key, address);
	} else {
		p->refused++;
		refuse_offer(p, conn);
	}
}

/* Withdraws the question if the event is about its connection. */
static void
on_event(struct offer_prompt *p, const json_t *params)
{
	const char *reason =
	    json_string_value(json_object_get(params, "err_name"));
	json_int_t conn = json_integer_value(json_object_get(params, "conn"));

	if (p->state == PROMPT_ASKED && conn == p->conn)
		withdraw_question(
		    p, reason != NULL && strcmp(reason, "timeout") == 0);
}

/* Handles the result of an answer. */
static void
on_answered(struct offer_prompt *p, const json_t *result)
{
	int answered = 0;

	json_unpack((json_t *)result, "{s:b}", "answered", &answered);
	if (!answered)
		dprintf(p->terminal, "Too late: the peer is gone.\n");
	become_idle(p);
}

static void
on_message(void *owner, const json_t *message)
{
	struct offer_prompt *p = owner;
	const char *method =
	    json_string_value(json_object_get(message, "method"));
	const json_t *params = json_object_get(message, "params");

	if (method != NULL && strcmp(method, "offer") == 0)
		on_offer(p, params);
	else if (method != NULL && strcmp(method, "event") == 0)
		on_event(p, params);
	else if (method == NULL && p->state == PROMPT_ANSWERED &&
		 json_integer_value(json_object_get(message, "id")) ==
		     p->answer_id)
		on_answered(p, json_object_get(message, "result"));
}

/* ---- the process ---- */

static bool
has_deadline(const struct offer_prompt *p)
{
	return p->state == PROMPT_ASKED || p->state == PROMPT_PAUSED;
}

static int
wait_ms(const struct offer_prompt *p)
{
	uint64_t now = api_client_now_ms();

	if (!has_deadline(p))
		return -1;
	return p->deadline_ms > now ? (int)(p->deadline_ms - now) : 0;
}

/* Serves the connection and the terminal until the daemon closes the former. */
static void
serve(struct offer_prompt *p)
{
	struct pollfd fds[2] = {
	    {.fd = p->listener->fd, .events = POLLIN}, {.events = POLLIN}};
	int code = EXIT_DONE;

	while (code == EXIT_DONE) {
		/* Type-ahead stays unread until the next question drops it. */
		fds[1].fd = p->state == PROMPT_ASKED ? p->terminal : -1;
		if (poll(fds, 2, wait_ms(p)) < 0)
			continue;
		/* First: offers that came before an answer are refused. */
		if (fds[0].revents != 0)
			code = api_client_read(p->listener, on_message, p);
		if (fds[1].revents != 0 && p->state == PROMPT_ASKED)
			read_terminal(p);
		if (has_deadline(p) && wait_ms(p) == 0)
			on_deadline(p);
	}
	if (p->state == PROMPT_ASKED)
		withdraw_question(p, false);
}

/* Runs the prompt in the child process. Does not return. */
static void
run_prompt(struct api_client *cl, pid_t caller)
{
	struct offer_prompt p = {.listener = cl, .terminal = open_terminal()};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (p.terminal < 0 || getppid() != caller)
		_exit(EXIT_FAILED);
	cl->quiet = true;  /* the caller reports that the daemon was stopped */
	cl->exact = false; /* no stream follows */
	/* The end of an offer is reported as an event of its connection. */
	if (api_client_send(cl, API_METHOD_watch,
		json_pack("{s:s}", "event", "connection")) == EXIT_DONE)
		serve(&p);
	_exit(EXIT_DONE);
}

pid_t
offer_prompt_start(struct api_client *cl)
{
	pid_t caller = getpid(), pid = fork();

	if (pid == 0)
		run_prompt(cl, caller);
	if (pid < 0)
		print_error(
		    cl->what, "cannot start the prompt: %s", strerror(errno));
	return pid;
}
