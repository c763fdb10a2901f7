/* SPDX-License-Identifier: ISC */
/*
 * accepted.h - connections that `accept` has handed over, and the commands that
 * run with them.
 *
 * SIGCHLD is blocked from accepted_catch_exits() on, and received only while a
 * request or accepted_wait() waits.
 */
#ifndef DHTCTL_ACCEPTED_H
#define DHTCTL_ACCEPTED_H

#include <sys/types.h>

#include "api/text.h"
#include "dhtctl/dhtctl.h"

struct accepted {
	int sock;
	json_int_t conn;
	char peer[TEXT_Z32_MAX];
};

enum {
	/* Commands that run at a time; further connections wait at the
	 * daemon. */
	ACCEPTED_COMMANDS_MAX = 1024,
};

/* Waits for the next connection of a listener. The control connection becomes
 * its stream. Returns an exit code. */
int accepted_take(
    struct api_client *cl, json_int_t listener, struct accepted *a);

/* Does the same on another control connection, because a listener ends with the
 * one that made it. */
int accepted_take_next(struct ctl *c, json_int_t listener, struct accepted *a);

/* Reads the result of accept. Returns an exit code. */
int accepted_read(
    struct api_client *cl, const json_t *result, struct accepted *a);

void accepted_catch_exits(void);

/* Starts the command of --exec with the socket, which is taken, as its input
 * and output. Returns an exit code. */
int accepted_run(struct ctl *c, struct accepted *a);

/* Waits until at most max commands run, or until an interrupt. Returns how many
 * run. */
int accepted_wait(int max);

/* Returns the exit code of the last command, as a shell has it. */
int accepted_last_code(void);

/* Sets the process whose end is not that of a command; 0: none. Returns the one
 * that was set and still runs, or 0. */
pid_t accepted_except(pid_t pid);

#endif
