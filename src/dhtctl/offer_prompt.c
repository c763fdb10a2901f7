/* SPDX-License-Identifier: ISC */
#include "dhtctl/offer_prompt.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>

#include "dhtctl/dhtctl.h"

#define TERMINAL "/dev/tty"

enum { LINE_MAX_BYTES = 80 };

struct offer_prompt {
	FILE *terminal;
	const struct api_client *listener; /* receives the offers */
};

bool
offer_prompt_possible(void)
{
	FILE *terminal = fopen(TERMINAL, "r+e");

	if (terminal == NULL)
		return false;
	fclose(terminal);
	return true;
}

/* Asks about a peer. Returns false at the end of the terminal's input. */
static bool
ask_person(FILE *terminal, const char *key, const char *address, bool *accepts)
{
	char line[LINE_MAX_BYTES];

	/* Drops input that was typed before the question. */
	tcflush(fileno(terminal), TCIFLUSH);
	fprintf(terminal, "%s at %s wants to connect. Admit it? [y/N] ", key,
	    address);
	fflush(terminal);
	if (fgets(line, sizeof line, terminal) == NULL)
		return false;
	/* Skips the rest of a long line. */
	while (strchr(line, '\n') == NULL) {
		char rest[LINE_MAX_BYTES];

		if (fgets(rest, sizeof rest, terminal) == NULL)
			return false;
		if (strchr(rest, '\n') != NULL)
			break;
	}
	*accepts = line[0] == 'y' || line[0] == 'Y';
	return true;
}

/* Sends the answer on a new control connection. */
static int
send_answer(const struct offer_prompt *p, json_int_t conn, bool accepts)
{
	struct api_client cl;
	json_t *result;
	int answered = 1, code;

	api_client_init(&cl, p->listener->what);
	cl.path = p->listener->path;
	cl.timeout_s = p->listener->timeout_s;
	code = api_client_call(&cl, API_METHOD_answer,
	    json_pack("{s:I, s:b}", "conn", conn, "accept", accepts), NULL,
	    &result);
	if (code == EXIT_DONE) {
		json_unpack(result, "{s:b}", "answered", &answered);
		if (!answered)
			fprintf(
			    p->terminal, "Too late: the offer has expired.\n");
	}
	fflush(p->terminal);
	json_decref(result);
	api_client_fini(&cl);
	return code;
}

static int
on_offer(void *owner, const json_t *params)
{
	const struct offer_prompt *p = owner;
	const char *key = "", *address = NULL;
	json_int_t conn;
	bool accepts;

	if (json_unpack((json_t *)params, "{s:I, s:s, s?:s}", "conn", &conn,
		"public_key", &key, "address", &address) != 0)
		return EXIT_DONE;
	if (!ask_person(p->terminal, key,
		address != NULL ? address : "an unknown address", &accepts))
		return EXIT_FAILED;
	return send_answer(p, conn, accepts);
}

/* Runs the prompt in the child process. Does not return. */
static void
run_prompt(struct api_client *cl)
{
	struct offer_prompt p = {
	    .terminal = fopen(TERMINAL, "r+e"), .listener = cl};
	struct api_client_notes notes = {on_offer, &p};
	sigset_t none;

	sigemptyset(&none);
	signal(SIGCHLD, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (p.terminal == NULL)
		_exit(EXIT_FAILED);
	cl->quiet = true; /* the caller reports that the daemon was stopped */
	(void)api_client_wait_notes(cl, &notes);
	_exit(EXIT_DONE);
}

pid_t
offer_prompt_start(struct api_client *cl)
{
	pid_t pid = fork();

	if (pid == 0)
		run_prompt(cl);
	if (pid < 0)
		print_error(
		    cl->what, "cannot start the prompt: %s", strerror(errno));
	return pid;
}
