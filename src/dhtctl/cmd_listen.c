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
#include "dhtctl/join.h"
#include "dhtctl/reason.h"

/* Commands at once; further peers wait with the daemon. */
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
on_child(int sig)
{
	int error = errno, status;

	(void)sig;
	while (waitpid(-1, &status, WNOHANG) > 0) {
		children--;
		last_status = status;
	}
	errno = error;
}

/* SIGCHLD is let through only where we wait, as SIGINT is. */
static void
catch_children(void)
{
	struct sigaction sa = {.sa_handler = on_child};
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGCHLD, &sa, NULL);
}

/* Until there are no more than so many, or an interrupt comes. */
static void
wait_for_children(sig_atomic_t max)
{
	sigset_t none;

	sigemptyset(&none);
	while (children > max && !client_interrupted())
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
	_exit(127); /* as a shell says that there is no such command */
}

/* The command has the stream itself; takes the socket. */
static int
run_command(struct ctl *c, const struct accepted *a)
{
	pid_t pid = fork();

	if (pid == 0)
		become_command(c->exec, a);
	close(a->sock);
	if (pid < 0) {
		complain("listen", "no process for a connection: %s",
		    strerror(errno));
		return EXIT_FAILED;
	}
	children++;
	return EXIT_DONE;
}

/* ---- accepting ---- */

static int
accept_one(struct client *cl, json_int_t listener, struct accepted *a)
{
	const char *peer = "";
	json_t *result;
	int code;

	cl->exact = true;
	cl->patient = true;
	code = client_call(cl, API_METHOD_accept,
	    json_pack("{s:I}", "listener", listener), NULL, &result);
	if (code == EXIT_DONE && json_unpack(result, "{s:I, s:s}", "conn",
				     &a->conn, "public_key", &peer) != 0) {
		complain("listen", "the daemon accepted a connection without a"
				   " number or a key");
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		snprintf(a->peer, sizeof a->peer, "%s", peer);
		a->sock = client_detach(cl);
	}
	json_decref(result);
	return code;
}

/* On a connection of its own, so that the listener stays. */
static int
accept_next(struct ctl *c, json_int_t listener, struct accepted *a)
{
	struct client cl;
	int code;

	client_init(&cl, c->client.what);
	cl.path = c->client.path;
	cl.timeout_s = c->client.timeout_s;
	code = accept_one(&cl, listener, a);
	client_fini(&cl);
	return code;
}

/* The listener ends as its connection becomes the stream. */
static int
serve_once(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code = accept_one(&c->client, listener, &a);

	if (code != EXIT_DONE)
		return code;
	if (c->exec == NULL)
		return join_stdio(&c->client, a.sock, a.conn, true);
	code = run_command(c, &a);
	wait_for_children(0);
	if (code == EXIT_DONE && last_status != 0)
		code = EXIT_FAILED;
	return code;
}

static int
serve(struct ctl *c, json_int_t listener)
{
	struct accepted a;
	int code;

	for (;;) {
		wait_for_children(CHILDREN_MAX - 1);
		code = accept_next(c, listener, &a);
		if (code != EXIT_DONE)
			return code;
		/* One that fails is no reason not to take the next. */
		if (c->exec != NULL)
			(void)run_command(c, &a);
		else
			(void)join_stdio(&c->client, a.sock, a.conn, false);
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

/*
 * Says the key first, as scripts wait for it: where standard output carries
 * the stream's bytes and nothing else, on standard error.
 */
static int
say_key(struct ctl *c, const json_t *result)
{
	const char *reason = "ok", *key = "";

	json_unpack((json_t *)result, "{s:s, s:s}", "err_name", &reason,
	    "public_key", &key);
	if (c->exec == NULL)
		fprintf(stderr, "%s\n", key);
	else
		print_one(&c->print, result, "public_key");
	if (strcmp(reason, "ok") != 0)
		complain("listen", "not reachable yet: %s; it is tried again",
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
	code =
	    client_call(&c->client, API_METHOD_listen, params, NULL, &result);
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:I}", "listener", &listener);
		code = say_key(c, result);
	}
	json_decref(result);
	if (code != EXIT_DONE)
		return code;
	return (c->given & OPT_ONCE) != 0 ? serve_once(c, listener)
					  : serve(c, listener);
}
