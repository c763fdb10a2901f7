/* SPDX-License-Identifier: ISC */
#include "dhtctl/accepted.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNALED = 128 /* plus a signal: a command that it has killed */ };

/* ---- commands ---- */

static volatile sig_atomic_t children, last_status, excepted;

static void
on_child_exit(int sig)
{
	int error = errno, status;
	pid_t pid;

	(void)sig;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == excepted) {
			excepted = 0;
			continue;
		}
		children--;
		last_status = status;
	}
	errno = error;
}

void
accepted_catch_exits(void)
{
	struct sigaction sa = {.sa_handler = on_child_exit};
	sigset_t block;

	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	sigprocmask(SIG_BLOCK, &block, NULL);
	sigaction(SIGCHLD, &sa, NULL);
}

int
accepted_wait(int max)
{
	sigset_t none;

	sigemptyset(&none);
	while (children > max && !api_client_interrupted())
		sigsuspend(&none);
	return children;
}

int
accepted_last_code(void)
{
	int status = last_status;

	return WIFSIGNALED(status) ? SIGNALED + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

pid_t
accepted_except(pid_t pid)
{
	pid_t before = excepted;

	excepted = pid;
	return before;
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

int
accepted_run(struct ctl *c, struct accepted *a)
{
	pid_t pid = fork();

	if (pid == 0)
		become_command(c->exec, a);
	close(a->sock);
	if (pid < 0) {
		print_error(c->command->name,
		    "cannot start a process for a connection: %s",
		    strerror(errno));
		return EXIT_FAILED;
	}
	children++;
	return EXIT_DONE;
}

/* ---- accepting ---- */

int
accepted_read(struct api_client *cl, const json_t *result, struct accepted *a)
{
	const char *peer = "";

	if (json_unpack((json_t *)result, "{s:I, s:s}", "conn", &a->conn,
		"public_key", &peer) != 0) {
		print_error(cl->what, "the daemon accepted a connection"
				      " without a number or a key");
		return EXIT_FAILED;
	}
	snprintf(a->peer, sizeof a->peer, "%s", peer);
	a->sock = api_client_detach(cl);
	return EXIT_DONE;
}

int
accepted_take(struct api_client *cl, json_int_t listener, struct accepted *a)
{
	json_t *result;
	int code;

	cl->exact = true;
	cl->patient = true;
	code = api_client_call(cl, API_METHOD_accept,
	    json_pack("{s:I}", "listener", listener), NULL, &result);
	if (code == EXIT_DONE)
		code = accepted_read(cl, result, a);
	json_decref(result);
	return code;
}

int
accepted_take_next(struct ctl *c, json_int_t listener, struct accepted *a)
{
	struct api_client cl;
	int code;

	api_client_init(&cl, c->client.what);
	cl.path = c->client.path;
	cl.timeout_s = c->client.timeout_s;
	code = accepted_take(&cl, listener, a);
	c->client.instance = cl.instance;
	api_client_fini(&cl);
	return code;
}
