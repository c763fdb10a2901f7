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
#include "dhtctl/dhtctl.h"
#include "dhtctl/stdio_splice.h"
#include "dhtctl/reason.h"

/* Commands that run at a time; further connections wait at the daemon. */
enum { CHILDREN_MAX = 256 };

/* A connection that has been accepted. */
struct accepted {
	int sock;
	json_int_t conn;
	char peer[TEXT_Z32_MAX];
};

/* ---- children ---- */

static volatile sig_atomic_t children, last_status;

static void
on_child_exit(int sig)
{
	int error = errno, status;

	(void)sig;
	while (waitpid(-1, &status, WNOHANG) > 0) {
		children--;
		last_status = status;
	}
	errno = error;
}

/* Blocks SIGCHLD, which is received only while we wait, as SIGINT is. */
static void
catch_children(void)
{
	struct sigaction sa = {.sa_handler = on_child_exit};
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGCHLD, &sa, NULL);
}

/* Waits until at most max commands run, or until an interrupt. */
static void
wait_for_children(sig_atomic_t max)
{
	sigset_t none;

	sigemptyset(&none);
	while (children > max && !api_client_interrupted())
		sigsuspend(&none);
}

static void
become_command(const char *command, const struct accepted *a)
{
	sigset_t none;

	sigemptyset(&none);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(a->sock, STDIN_FILENO) < 0 || dup2(a->sock, STDOUT_FILENO) < 0)
		_exit(EXIT_FAILED);
	setenv("DHTCTL_PEER", a->peer, 1);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127); /* "command not found", as in a shell */
}

/* Starts the command with the socket, which is taken, as its input and
 * output. */
static int
run_command(struct ctl *c, const struct accepted *a)
{
	pid_t pid = fork();

	if (pid == 0)
		become_command(c->exec, a);
	close(a->sock);
	if (pid < 0) {
		print_error("listen",
		    "cannot start a process for a connection: %s",
		    strerror(errno));
		return EXIT_FAILED;
	}
	children++;
	return EXIT_DONE;
}

/* ---- accepting ---- */

static int
accept_one(struct api_client *cl, json_int_t listener, struct accepted *a)
{
	const char *peer = "";
	json_t *result;
	int code;

	cl->exact = true;
	cl->patient = true;
	code = api_client_call(cl, API_METHOD_accept,
	    json_pack("{s:I}", "listener", listener), NULL, &result);
	if (code == EXIT_DONE && json_unpack(result, "{s:I, s:s}", "conn",
				     &a->conn, "public_key", &peer) != 0) {
		print_error("listen",
		    "the daemon accepted a connection without a"
		    " number or a key");
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		snprintf(a->peer, sizeof a->peer, "%s", peer);
		a->sock = api_client_detach(cl);
	}
	json_decref(result);
	return code;
}

/* Accepts on another control connection, because the listener ends with the
 * one that made it. */
static int
accept_next(struct ctl *c, json_int_t listener, struct accepted *a)
{
	struct api_client cl;
	int code;

	api_client_init(&cl, c->client.what);
	cl.path = c->client.path;
	cl.timeout_s = c->client.timeout_s;
	code = accept_one(&cl, listener, a);
	api_client_fini(&cl);
	return code;
}

/* Accepts on the listener's own control connection, which becomes the stream,
 * so that the listener ends. */
static int
serve_once(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code = accept_one(&c->client, listener, &a);

	if (code != EXIT_DONE)
		return code;
	if (c->exec == NULL)
		return stdio_splice_run(&c->client, a.sock, a.conn, true);
	code = run_command(c, &a);
	wait_for_children(0);
	if (code == EXIT_DONE && last_status != 0)
		code = EXIT_FAILED;
	return code;
}

static int
serve_all(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code;

	for (;;) {
		wait_for_children(CHILDREN_MAX - 1);
		code = accept_next(c, listener, &a);
		if (code != EXIT_DONE)
			return code;
		/* Goes on after a connection that failed. */
		if (c->exec != NULL)
			(void)run_command(c, &a);
		else
			(void)stdio_splice_run(
			    &c->client, a.sock, a.conn, false);
	}
}

/* ---- listening ---- */

static json_t *
listen_params(const struct ctl *c)
{
	json_t *params = json_object(), *allow;

	if (c->allow_len == 0)
		return params;
	allow = json_array();
	for (unsigned i = 0; i < c->allow_len; i++)
		json_array_append_new(allow, json_string(c->allow[i]));
	json_object_set_new(params, "allow", allow);
	return params;
}

/* Prints the key, for which scripts wait: on standard error if standard output
 * carries the bytes of the stream. */
static int
print_key(struct ctl *c, const json_t *result)
{
	const char *reason = "ok", *key = "";

	json_unpack((json_t *)result, "{s:s, s:s}", "err_name", &reason,
	    "public_key", &key);
	if (c->exec == NULL)
		fprintf(stderr, "%s\n", key);
	else
		print_one(&c->print, result, "public_key");
	if (strcmp(reason, "ok") != 0)
		print_error("listen",
		    "not reachable yet: %s; the daemon keeps trying",
		    reason_text(reason));
	return print_flush() ? EXIT_DONE : EXIT_FAILED;
}

int
cmd_listen(struct ctl *c, char **argv)
{
	json_t *params = listen_params(c), *result;
	json_int_t listener = 0;
	int code = add_identity(c, params);

	(void)argv;
	if (code != EXIT_DONE) {
		json_decref(params);
		return code;
	}
	catch_children();
	c->client.exact = true;
	code = api_client_call(
	    &c->client, API_METHOD_listen, params, NULL, &result);
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:I}", "listener", &listener);
		code = print_key(c, result);
	}
	json_decref(result);
	if (code != EXIT_DONE)
		return code;
	return (c->given & OPT_ONCE) != 0 ? serve_once(c, listener)
					  : serve_all(c, listener);
}
