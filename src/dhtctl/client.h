/* SPDX-License-Identifier: ISC */
/*
 * client.h - one connection to a daemon's control socket.
 *
 * Requests are checked against the table of api/api.h before anything is
 * connected, so that a typing error is one also when no daemon runs. What goes
 * wrong is said on standard error here; callers pass the exit code on. Trusts
 * nothing that comes in: the other end may be another program.
 */
#ifndef DHTCTL_CLIENT_H
#define DHTCTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "api/line.h"
#include "dhtctl/progress.h"

struct client {
	const char *what;   /* the command, for what is said */
	const char *path;   /* of the socket */
	uint32_t timeout_s; /* of each request */
	bool dials;   /* failures are those of a connection, see reason.h */
	bool patient; /* an answer may take for ever */
	bool exact;   /* never read past a line: a stream may follow */
	bool quiet;   /* nothing is said */
	struct progress progress;
	int fd; /* -1: not connected yet */
	struct line_cutter cutter;
	char *buf;        /* what has come in ... */
	size_t len, used; /* ... of which so much is dealt with */
	uint64_t began_ms, deadline_ms;
	unsigned found; /* notifications of the request */
	int id;
};

/* What a request brings before its result. */
struct client_notes {
	/* Borrows params. Other than EXIT_DONE ends the request. */
	int (*note)(void *owner, const json_t *params);
	void *owner;
};

/* Does not connect yet. */
void client_init(struct client *cl, const char *what);
void client_fini(struct client *cl);

/*
 * Makes a request; params are taken, notes may be NULL. EXIT_DONE and *result,
 * the caller's to free, or an exit code with the reason already said.
 */
int client_call(struct client *cl, enum api_method_id method, json_t *params,
    const struct client_notes *notes, json_t **result);

/*
 * After a request that upgrades (exact must be set): the socket, which is the
 * stream now, the caller's to close.
 */
int client_detach(struct client *cl);

/*
 * Requests end in order when SIGINT comes: whether it has, and back to its
 * usual effect, until the next connection.
 */
bool client_interrupted(void);
void client_let_go(void);

/* Takes notifications, without a time limit, until there is an exit code. */
int client_listen(struct client *cl, const struct client_notes *notes);

/* Waits until the daemon has hung up. An exit code. */
int client_wait_end(struct client *cl);

#endif
