/* SPDX-License-Identifier: ISC */
/*
 * control_client.h - the inside of control.c: clients and their operations.
 *
 * Shared by the control*.c files alone.
 */
#ifndef DAEMON_CONTROL_CLIENT_H
#define DAEMON_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "api/line.h"
#include "api/request.h"
#include "daemon/control_peer.h"
#include "daemon/control_socket.h"
#include "daemon/daemon.h"

struct bufferevent;
struct event;
struct evconnlistener;

enum {
	CLIENTS_MAX = 64,
	CLIENT_OPERATIONS_MAX = 32,
	/* What may wait for a client before it is dropped ... */
	CLIENT_QUEUE_MAX = 1 << 20,
	/* ... from where on nothing more is read from it ... */
	CLIENT_QUEUE_HIGH = 1 << 16,
	/* ... and how long it may take nothing of that. */
	CLIENT_STUCK_SECONDS = 10,
	/* Then the network has its turn. */
	CLIENT_LINES_PER_TURN = 32,
	ACCEPT_PAUSE_SECONDS = 1,
};

TAILQ_HEAD(control_clients, control_client);
TAILQ_HEAD(control_operations, control_operation);

struct control {
	struct daemon *daemon;
	struct control_socket socket;
	struct control_groups groups;
	struct evconnlistener *listener;
	struct event *resume;
	struct control_clients clients;
	struct control_operations operations;
	uint32_t clients_len;
};

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct control *control;
	struct bufferevent *bev;
	struct line_cutter cutter;
	struct control_peer peer;
	uint32_t operations_len;
	uint32_t watched; /* bits by enum api_event */
	json_t *watch_id; /* of the latest watch */
	bool heard_all;   /* it has shut down its side */
	bool closing;     /* what is queued goes out, then it ends */
};

/* An operation of the node that will answer a request. */
struct control_operation {
	TAILQ_ENTRY(control_operation) link;
	struct control_client *client;
	uint32_t op;
	const struct api_method *method;
	json_t *id;
	uint8_t key[KEY_LEN]; /* topic, hash or public key of the request */
	uint64_t seq;
	json_t *found; /* the result that came before the end, or NULL */
};

/* One request on its way through a method. */
struct control_call {
	struct control_client *client;
	const struct request *rq;
	struct fault fault;
	json_t *result;
};

/* What a method returns, or -1 with the call's fault set. */
enum control_answer {
	CALL_DONE,  /* the result is there */
	CALL_LATER, /* an operation will answer */
};

/* NULL if there is no such method; there is one for each in api_methods. */
int (*control_method(const struct api_method *m))(struct control_call *k);

/* ---- control_client.c ---- */

/* Takes the descriptor; greets. */
void control_client_new(
    struct control *c, int fd, const struct control_peer *peer);
void control_client_free(struct control_client *cl);

/* Writes out what the socket takes at once, for a client that is to go. */
void control_client_flush(struct control_client *cl);

/* Queues a message, which is taken; NULL (memory was short) ends the client. */
void control_client_send(struct control_client *cl, json_t *message);

/* ---- control_operation.c ---- */

/* Method of everything that the node does and answers later. */
int control_operation_start(struct control_call *k);

void control_operation_news(struct control *c, const struct news *n);

/* The one that answers the client's request of that id, or NULL. */
struct control_operation *control_operation_find(
    struct control_client *cl, const json_t *id);

/* Its request is answered with ERR_CANCELLED. */
void control_operation_cancel(struct control_operation *o);

/* Ends those of a client that is going; nobody is told. */
void control_operations_end(struct control_client *cl);

#endif
