/* SPDX-License-Identifier: ISC */
/*
 * api_client.h - one connection to a daemon's control socket.
 *
 * A request is checked against the schema of api/api.h before anything is
 * connected, so that a typing error is reported also if no daemon runs. A name
 * in the place of a public key is replaced by the key first, resolve_name.h.
 * Failures are reported on standard error here; callers return the exit code.
 * Input is not trusted: the other end may be another program.
 */
#ifndef DHTCTL_API_CLIENT_H
#define DHTCTL_API_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "api/line.h"
#include "dhtctl/progress.h"

struct api_client {
	const char *what;   /* the command, for error messages */
	const char *path;   /* of the socket */
	uint32_t timeout_s; /* of each request */
	bool dials;         /* report failures of a dial, see reason.h */
	bool patient;       /* requests have no timeout */
	bool exact;         /* never read past a line: a stream may follow */
	bool quiet;         /* report nothing */
	struct progress progress;
	int fd; /* -1: not connected yet */
	struct line_cutter cutter;
	char *buf;        /* bytes received ... */
	size_t len, used; /* ... of which the first `used` are handled */
	uint64_t began_ms, deadline_ms;
	uint64_t instance;  /* of the daemon that has greeted */
	unsigned notes_len; /* notifications of the request so far */
	int id;
};

/* Handles the notifications of a request. */
struct api_client_notes {
	/* Borrows params. A return value other than EXIT_DONE ends the
	 * request. */
	int (*note)(void *owner, const json_t *params);
	void *owner;
};

/* Initializes a client, which connects at its first request. */
void api_client_init(struct api_client *cl, const char *what);
void api_client_fini(struct api_client *cl);

/*
 * Makes a request. Takes params; notes may be NULL. Returns EXIT_DONE and sets
 * *result, which the caller frees, or reports an error and returns its exit
 * code.
 */
int api_client_call(struct api_client *cl, enum api_method_id method,
    json_t *params, const struct api_client_notes *notes, json_t **result);

/* Sends a request without waiting for its answer, which api_client_read()
 * returns with the id that cl->id has now. Takes params. Returns an exit
 * code. */
int api_client_send(
    struct api_client *cl, enum api_method_id method, json_t *params);

/*
 * Receives once without waiting, and calls on_message for each whole message,
 * notification or answer, which it borrows. For callers that poll cl->fd beside
 * other descriptors. Returns an exit code: EXIT_FAILED also if the daemon has
 * closed the connection.
 */
int api_client_read(struct api_client *cl,
    void (*on_message)(void *owner, const json_t *message), void *owner);

/* Returns the socket to the caller after a request that upgrades it to a
 * stream; exact must have been set before. */
int api_client_detach(struct api_client *cl);

/* Returns whether SIGINT was received; it ends requests instead of the
 * process. */
bool api_client_interrupted(void);

/* Restores the default action of SIGINT until the next connection. */
void api_client_release_interrupt(void);

/* Handles notifications, without a timeout, until one returns an exit code or
 * the daemon closes the connection. */
int api_client_wait_notes(
    struct api_client *cl, const struct api_client_notes *notes);

/* Returns whether the daemon has closed the connection, or does within that
 * time. */
bool api_client_is_closed(const struct api_client *cl, int wait_ms);

/* Closes the connection; the next request makes a new one. */
void api_client_reset(struct api_client *cl);

/* Returns the time of a clock that is never set, for deadlines. */
uint64_t api_client_now_ms(void);

/* Waits for some time, or until SIGINT. */
void api_client_pause(int ms);

/* Waits until the daemon has closed the connection. Returns an exit code. */
int api_client_wait_end(struct api_client *cl);

#endif
