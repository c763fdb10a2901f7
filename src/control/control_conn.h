/* SPDX-License-Identifier: ISC */
/*
 * control_conn.h - connections that a client dialed, or that a listener of a
 * client accepted, until they end.
 *
 *	connect ----> DIALING ----------------- NODE_EV_OPEN ---------+
 *	NODE_EV_OFFER -> OFFERED - answer -> ANSWERED --+             |
 *	                                         NODE_EV_OPEN         v
 *	NODE_EV_OPEN -----------------------------> WAITING - accept -> JOINING
 *
 * A dial that finds no path may be repeated while the connection is DIALING.
 * A connection that is JOINING becomes a STREAM once its client's socket has
 * taken the result of connect or accept; or LOST if the node closes it first.
 */
#ifndef CONTROL_CONTROL_CONN_H
#define CONTROL_CONTROL_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "crypto/keys.h"
#include "node/node_conn.h"
#include "store/keyring.h"

struct control;
struct control_call;
struct control_client;
struct control_dial;
struct control_listener;
struct control_operation;
struct control_user;
struct node_event;
struct peer_splice;

enum { CONTROL_CONN_BUCKETS = 256 /* of the hash table; a power of two */ };

enum control_conn_state {
	CONTROL_CONN_DIALING,  /* op waits for it */
	CONTROL_CONN_OFFERED,  /* the listener's client has to answer the offer
				*/
	CONTROL_CONN_ANSWERED, /* accepted; the handshake is being completed */
	CONTROL_CONN_WAITING,  /* open, at its listener */
	CONTROL_CONN_JOINING,  /* client becomes its stream next */
	CONTROL_CONN_STREAM,   /* splice moves its bytes */
	CONTROL_CONN_LOST,     /* closed by the node while it was joining */
};

struct control_conn {
	TAILQ_ENTRY(control_conn) link;    /* in its bucket */
	TAILQ_ENTRY(control_conn) waiting; /* in its listener's list */
	struct control *control;
	uint32_t number;
	enum control_conn_state state;
	struct keyring_owner owner;
	struct control_user *user;         /* charged for it; NULL: accepted */
	const struct key_pair *keys;       /* borrowed; NULL: not its own */
	struct control_operation *op;      /* CONTROL_CONN_DIALING */
	struct control_dial *dial;         /* NULL: it was accepted */
	struct control_listener *listener; /* CONTROL_CONN_WAITING */
	struct control_client
	    *client; /* CONTROL_CONN_JOINING, CONTROL_CONN_LOST */
	struct peer_splice *splice; /* CONTROL_CONN_STREAM */
	uint8_t key[KEY_LEN];
	struct addr addr;
	enum conn_path_kind path;
	uint32_t listener_number; /* that accepted it; 0: dialed */
	int err;                  /* why it ends */
};

TAILQ_HEAD(control_conns, control_conn);

struct control_conn_table {
	struct control_conns buckets[CONTROL_CONN_BUCKETS];
};

void control_conns_init(struct control_conn_table *t);
void control_conns_free(struct control *c);

/* Processes the events of connections, and NODE_EV_REFUSED. */
void control_conn_event(struct control *c, const struct node_event *n);

/* Returns 0 if the caller may use the connection of that number; otherwise
 * ERR_UNKNOWN, or ERR_NOT_YOURS with the call's error set. */
int control_conn_check(struct control_call *k, uint32_t number);

/* Returns whether the client may use the connection of that number. */
bool control_conn_is_usable(const struct control_client *cl, uint32_t number);

/* Resets the connection unless the node has closed it, and frees it. Fails the
 * requests that wait for its outcome, so it may close clients. */
void control_conn_drop(struct control_conn *conn);

/* Turns the client, after its queue was sent, into its connection's stream.
 * The client's descriptor is taken. */
void control_conn_begin_stream(struct control_client *cl);

#endif
