/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/text.h"
#include "dhtctl/accepted.h"
#include "dhtctl/dhtctl.h"
#include "dhtctl/offer_prompt.h"
#include "dhtctl/stdio_splice.h"
#include "dhtctl/reason.h"

enum {
	CLOSING_MS = 2000, /* in which a daemon that stops closes us */
	RETRY_MS = 500,    /* between two attempts to listen again */
};

/* ---- listening ---- */

static json_t *
listen_params(const struct ctl *c)
{
	json_t *params = json_object();

	if (c->max_per_peer > 0)
		json_object_set_new(
		    params, "max_per_peer", json_integer(c->max_per_peer));
	if ((c->given & OPT_ASK) != 0)
		json_object_set_new(params, "ask", json_true());
	if (c->idle_s > 0)
		json_object_set_new(params, "idle_s", json_integer(c->idle_s));
	if (c->relay_through != NULL)
		json_object_set_new(
		    params, "relay_through", json_string(c->relay_through));
	add_allow(c, params);
	return params;
}

/*
 * Ends the process of the prompt. Waits for it, because on_child_exit() would
 * otherwise take it for a command; SIGCHLD is blocked here, so that it has not
 * been waited for before. SIGTERM would not end a process that is stopped.
 */
static void
stop_prompt(void)
{
	pid_t pid = accepted_except(0);

	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Asks about the offers of the listener that has just been started. SIGCHLD is
 * blocked until accepted_except(). */
static int
start_prompt(struct ctl *c)
{
	pid_t pid;

	if ((c->given & OPT_ASK) == 0)
		return EXIT_DONE;
	stop_prompt();
	pid = offer_prompt_start(&c->client);
	accepted_except(pid > 0 ? pid : 0);
	return pid > 0 ? EXIT_DONE : EXIT_FAILED;
}

/* Starts the listener. Returns an exit code, and the result if it is
 * EXIT_DONE. */
static int
start_listener(struct ctl *c, json_t **result)
{
	json_t *params = listen_params(c);
	int code = add_identity(c, params);

	*result = NULL;
	if (code != EXIT_DONE) {
		json_decref(params);
		return code;
	}
	c->client.exact = true;
	code = api_client_call(
	    &c->client, API_METHOD_listen, params, NULL, result);
	return code == EXIT_DONE ? start_prompt(c) : code;
}

/* Prints the key, for which scripts wait: on standard error if standard output
 * carries the bytes of the stream. */
static int
print_key(struct ctl *c, const json_t *result)
{
	const char *reason = "ok", *key = "";
	int saved = 1;

	json_unpack((json_t *)result, "{s:s, s:s, s:b}", "err_name", &reason,
	    "public_key", &key, "saved", &saved);
	if (c->exec == NULL)
		fprintf(stderr, "%s\n", key);
	else
		print_one(&c->print, result, "public_key");
	if (!saved)
		print_error("listen", "the key could not be saved: it is lost"
				      " when the daemon exits");
	if (strcmp(reason, "unreachable") == 0)
		print_error("listen", "kept; takes effect when online: %s",
		    reason_text(reason));
	else if (strcmp(reason, "ok") != 0)
		print_error("listen",
		    "not reachable yet: %s; the daemon keeps trying",
		    reason_text(reason));
	return print_flush() ? EXIT_DONE : EXIT_FAILED;
}

/*
 * Waits for the daemon after it was stopped, and listens again. Returns
 * EXIT_DONE, EXIT_INTERRUPTED, or why the daemon that runs now refuses.
 */
static int
listen_again(struct ctl *c, json_int_t *listener)
{
	const char *key = "";
	json_t *result;
	int code;

	print_error(
	    "listen", "the daemon was stopped: waiting for it to listen again");
	do {
		api_client_pause(RETRY_MS);
		if (api_client_interrupted())
			return EXIT_INTERRUPTED;
		api_client_reset(&c->client);
		c->client.quiet = true;
		code = start_listener(c, &result);
	} while (code == EXIT_NOT_RUNNING || code == EXIT_FAILED ||
		 code == EXIT_TIMEOUT);
	c->client.quiet = false;
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:I, s:s}", "listener", listener,
		    "public_key", &key);
		print_error("listen", "listening again on %s", key);
	} else if (code != EXIT_INTERRUPTED) {
		print_error("listen", "the daemon refuses to listen again");
	}
	json_decref(result);
	return code;
}

/*
 * Handles a failure to accept: if the daemon was stopped, listens again when it
 * is back, and returns EXIT_DONE; otherwise returns the code.
 */
static int
recover_listener(struct ctl *c, int code, json_int_t *listener)
{
	if (code == EXIT_INTERRUPTED ||
	    !api_client_is_closed(&c->client, CLOSING_MS))
		return code;
	return listen_again(c, listener);
}

/* Ends the listener, whose control connection the prompt reads. */
static void
end_listener(struct ctl *c)
{
	uint64_t instance = c->client.instance;

	stop_prompt();
	api_client_reset(&c->client);
	/* The outcome of the connection is requested with it. */
	c->client.instance = instance;
}

/*
 * Accepts the last connection and ends the listener. Without --ask its control
 * connection becomes the stream; with --ask that one carries the offers, and
 * another becomes the stream.
 */
static int
accept_last(struct ctl *c, json_int_t listener, struct accepted *a)
{
	int code;

	if ((c->given & OPT_ASK) == 0)
		return accepted_take(&c->client, listener, a);
	code = accepted_take_next(c, listener, a);
	if (code == EXIT_DONE)
		end_listener(c);
	return code;
}

static int
serve_once(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code = accept_last(c, listener, &a);

	while (code != EXIT_DONE) {
		code = recover_listener(c, code, &listener);
		if (code != EXIT_DONE)
			return code;
		code = accept_last(c, listener, &a);
	}
	if (c->exec == NULL)
		return stdio_splice_run(&c->client, a.sock, a.conn, true);
	code = accepted_run(c, &a);
	if (code != EXIT_DONE)
		return code;
	if (accepted_wait(0) > 0)
		return EXIT_INTERRUPTED;
	code = stdio_splice_outcome(&c->client, a.conn, true);
	return code == EXIT_DONE ? accepted_last_code() : code;
}

static int
serve_all(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code;

	for (;;) {
		accepted_wait(ACCEPTED_COMMANDS_MAX - 1);
		code = accepted_take_next(c, listener, &a);
		if (code != EXIT_DONE) {
			code = recover_listener(c, code, &listener);
			if (code != EXIT_DONE)
				return code;
			continue;
		}
		/* Goes on after a connection that failed. */
		if (c->exec != NULL)
			(void)accepted_run(c, &a);
		else
			(void)stdio_splice_run(
			    &c->client, a.sock, a.conn, false);
	}
}

int
cmd_listen(struct ctl *c, char **argv)
{
	json_int_t listener = 0;
	json_t *result;
	int code;

	(void)argv;
	if ((c->given & OPT_ASK) != 0 && !offer_prompt_possible()) {
		print_error("listen", "--ask needs a terminal");
		return EXIT_USAGE;
	}
	accepted_catch_exits();
	code = start_listener(c, &result);
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:I}", "listener", &listener);
		code = print_key(c, result);
	}
	json_decref(result);
	if (code == EXIT_DONE)
		code = (c->given & OPT_ONCE) != 0 ? serve_once(c, listener)
						  : serve_all(c, listener);
	stop_prompt();
	return code;
}
