/* SPDX-License-Identifier: ISC */
/*
 * control_client.h - the inside of control.c, for the control*.c files alone.
 *
 * Who does what:
 *	control.c	       life, who comes in, news of the node
 *	control_socket.c       the socket's file
 *	control_peer.c	       who a caller is
 *	control_client.c       lines in, messages out, and the upgrade
 *	control_methods.c      methods that answer at once
 *	control_operation.c    methods that are answered later
 *	control_keys.c	       identities, and whose they are
 *	control_listener.c     listeners of clients, and who waits at them
 *	control_conn.c	       connections, from a request to a pipe
 *	control_connections.c  what may be asked about both
 */
#ifndef CONTROL_CONTROL_CLIENT_H
#define CONTROL_CONTROL_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "api/api_request.h"
#include "api/line.h"
#include "base/err.h"
#include "control/control.h"
#include "control/control_peer.h"
#include "control/control_socket.h"
#include "node/conn.h"
#include "node/node.h"
#include "store/keyring.h"

struct bufferevent;
struct event;
struct pipe;
struct evconnlistener;

enum {
	/* Each dial and each accept has one of its own. */
	CLIENTS_MAX = 256,
	CLIENTS_OF_OPERATORS = 16, /* of these, for them alone */
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
	LISTENERS_MAX = 256,
	/* Descriptors: each connection that is handed out has one. */
	CONNS_MAX = 1024,
	/* Until somebody accepts: of one listener, and of all, so that no
	 * stranger takes the places of those who dial. */
	CONNS_WAITING_MAX = 256,
	CONNS_UNCLAIMED_MAX = 512,
	CONNS_BUCKETS = 256, /* by number; a power of two */
	/* Connections whose end may still be asked for. */
	OUTCOMES_MAX = 256,
};

TAILQ_HEAD(control_clients, control_client);
TAILQ_HEAD(control_operations, control_operation);
TAILQ_HEAD(control_listeners, control_listener);
TAILQ_HEAD(control_conns, control_conn);

/* How a connection ended that had been handed out. */
struct control_outcome {
	uint32_t conn;
	struct keyring_owner owner; /* the client's, who may ask */
	int err;
};

struct control {
	struct control_setup setup;
	struct control_socket socket;
	struct control_groups groups;
	struct evconnlistener *listener;
	struct event *resume;
	struct control_clients clients;
	struct control_operations operations;
	struct control_listeners listeners;
	struct control_conns conns[CONNS_BUCKETS];
	uint32_t clients_len, listeners_len, conns_len;
	uint32_t unclaimed_len; /* of the connections */
	struct control_outcome outcomes[OUTCOMES_MAX];
	uint32_t outcomes_len; /* of all so far */
};

struct control_client {
	TAILQ_ENTRY(control_client) link;
	struct control *control;
	struct bufferevent *bev;
	struct line_cutter cutter;
	struct control_peer peer;
	uint32_t operations_len;
	uint32_t watched;           /* bits by enum api_event */
	json_t *watch_id;           /* of the latest watch */
	bool heard_all;             /* it has shut down its side */
	bool closing;               /* what is queued goes out, then it ends */
	bool upgrading;             /* what it sends now belongs to a stream */
	struct control_conn *joins; /* this one, once all is written out */
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
	struct control_listener *listener; /* of listen and accept */
	struct control_conn *conn;         /* of connect */
};

/* A key that a client has made reachable. */
struct control_listener {
	TAILQ_ENTRY(control_listener) link;
	struct control *control;
	uint32_t number;
	struct control_client *client; /* NULL: kept without one, or ending */
	struct keyring_owner owner;
	const struct key_pair *keys;  /* borrowed until NEWS_UNLISTENED */
	json_t *id;                   /* of the request, for offers */
	struct control_operation *op; /* listen, until it is answered */
	struct control_conns waiting; /* oldest first */
	uint32_t waiting_len;
	bool keep, ending;
};

/* A connection that a client asked for, or that came to a listener. */
struct control_conn {
	TAILQ_ENTRY(control_conn) link;    /* of its bucket */
	TAILQ_ENTRY(control_conn) waiting; /* of its listener's */
	struct control *control;
	uint32_t number;
	struct keyring_owner owner;
	const struct key_pair *keys; /* borrowed; NULL: none of its own */
	bool unclaimed;              /* came in, and nobody has it yet */
	/* What it is at: one of these, or on offer to the listener's client. */
	bool offered;
	struct control_operation *op;      /* dialing */
	struct control_listener *listener; /* waiting there to be accepted */
	struct control_client *client;     /* which becomes its stream next */
	struct pipe *pipe;                 /* and has become it */
	uint8_t key[KEY_LEN];
	struct addr addr;
	bool closed; /* by the node; err tells why */
	int err;
};

/* One request on its way through a method. */
struct control_call {
	struct control_client *client;
	const struct api_request *rq;
	struct api_error fault;
	json_t *result;
};

/* What a method returns, or -1 with the call's fault set. */
enum control_answer {
	CALL_DONE,  /* the result is there */
	CALL_LATER, /* an operation answers */
};

/* Begin and end of every callback that touches the node. */
static inline void
control_wake(const struct control *c)
{
	c->setup.ops->wake(c->setup.owner);
}

static inline void
control_settle(const struct control *c)
{
	c->setup.ops->settle(c->setup.owner);
}

/* NULL if there is no such method; there is one for each in api_methods. */
int (*control_method(const struct api_method *m))(struct control_call *k);

/* ---- control_client.c ---- */

/* Takes the descriptor; greets. */
void control_client_new(
    struct control *c, int fd, const struct control_peer *peer);
void control_client_free(struct control_client *cl);

/* Writes out what the socket takes at once, for a client that is to go. */
void control_client_flush(struct control_client *cl);

/* Lets what is queued go out, then ends it. */
void control_client_close(struct control_client *cl);

/*
 * It becomes the stream of the connection, once what is queued is written out.
 */
void control_client_join(struct control_client *cl, struct control_conn *conn);

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

/* Answers the request and frees the operation; result is taken. */
void control_operation_done(struct control_operation *o, json_t *result);
void control_operation_fail(
    struct control_operation *o, int err, uint32_t replies);

/* ---- control_methods.c ---- */

json_t *control_addr_or_null(const struct addr *a);

/* The result of a method that has made one page of a list. */
int control_page_done(struct control_call *k, const char *name, json_t *list,
    bool more, uint32_t cursor);

/* ---- control_keys.c ---- */

int control_key_list(struct control_call *k);
int control_key_show(struct control_call *k);
int control_key_new(struct control_call *k);

/* Whether the caller may use what belongs to the owner. */
bool control_may_use(
    const struct control_client *cl, const struct keyring_owner *o);
struct keyring_owner control_owner(const struct control_client *cl);

/*
 * Borrows the key that the request names; *keys is NULL if that is the node's
 * own. 0, or -1 with the fault set.
 */
int control_borrow_keys(struct control_call *k, const struct key_pair **keys);
void control_return_keys(struct control *c, const struct key_pair *keys);

/* ---- control_listener.c ---- */

int control_listen_start(struct control_call *k, struct control_operation *o);
void control_listen_cancel(struct control_operation *o);
int control_unlisten(struct control_call *k);

/* NULL if there is none of that number. */
struct control_listener *control_listener_find(
    const struct control *c, uint32_t number);

/* Under which it is reached; borrowed. */
const uint8_t *control_listener_key(const struct control_listener *l);

/* The parameter "listener" of the call; NULL with the fault set. */
struct control_listener *control_listener_of(struct control_call *k);

void control_listener_news(struct control *c, const struct news *n);

/* Ends those of a client that is going, and at last all. */
void control_listeners_end(struct control *c, const struct control_client *cl);
void control_listeners_free(struct control *c);

/* ---- control_conn.c ---- */

int control_connect_start(struct control_call *k, struct control_operation *o);
void control_connect_cancel(struct control_operation *o);
int control_accept_start(struct control_call *k, struct control_operation *o);
int control_answer(struct control_call *k);
int control_disconnect(struct control_call *k);
int control_outcome(struct control_call *k);

void control_conn_news(struct control *c, const struct news *n);

/* Resets it, if it is not closed, and forgets it. */
void control_conn_drop(struct control_conn *conn);
void control_conns_free(struct control *c);

/* The client, of which all is written out, becomes its connection's stream. */
void control_conn_pipe(struct control_client *cl);

/* ---- control_connections.c ---- */

int control_connections(struct control_call *k);
int control_listeners(struct control_call *k);
int control_explain(struct control_call *k);

/* ---- control_netcheck.c ---- */

json_t *control_netcheck_result(
    const struct control_operation *o, const struct news *news);

#endif
