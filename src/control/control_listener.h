/* SPDX-License-Identifier: ISC */
/*
 * control_listener.h - listeners of clients, and the connections that wait at
 * them for an accept.
 */
#ifndef CONTROL_CONTROL_LISTENER_H
#define CONTROL_CONTROL_LISTENER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "control/control_conn.h"
#include "store/keyring.h"

struct control;
struct control_call;
struct control_client;
struct control_operation;
struct node_event;

struct control_listener {
	TAILQ_ENTRY(control_listener) link;
	struct control *control;
	uint32_t number;
	struct control_client *client; /* NULL: kept without one, or ending */
	struct keyring_owner owner;
	struct control_user *user;    /* counts it */
	const struct key_pair *keys;  /* borrowed until NODE_EV_UNLISTENED */
	json_t *id;                   /* owned: of the listen request */
	struct control_operation *op; /* listen, until it is answered */
	struct control_conns waiting; /* connections, the oldest first */
	bool keep;                    /* stays when its client is closed */
	bool swarm;                   /* control_swarm.h owns it */
	bool ending; /* node_unlisten() was called; NODE_EV_UNLISTENED frees it
		      */
};

TAILQ_HEAD(control_listeners, control_listener);

struct control_listener_list {
	struct control_listeners all;
};

/* Returns the listener of that number, or NULL. */
struct control_listener *control_listener_find(
    const struct control *c, uint32_t number);

/* Returns the public key that it listens on; borrowed. */
const uint8_t *control_listener_key(const struct control_listener *l);

/* Finds the listener that the call's parameter names. Returns 0, or ERR_UNKNOWN
 * or ERR_NOT_YOURS with the call's error set. */
int control_listener_of(struct control_call *k, struct control_listener **l);

/* Returns the oldest accept at the listener that takes the connection, or
 * NULL. */
struct control_operation *control_listener_accept(
    const struct control_listener *l, const struct control_conn *conn);

/* Returns a listener for the topics that the caller joins with these keys,
 * whose loan it takes, or NULL. */
struct control_listener *control_listener_new_swarm(
    struct control_call *k, const struct key_pair *keys);

/* Frees a listener that the node has not got. */
void control_listener_abandon(struct control_listener *l);

/* Ends the listener: what waits for it fails, and its keys are returned once
 * the node needs them no more. */
void control_listener_end(struct control_listener *l);

/* Processes NODE_EV_LISTENING and NODE_EV_UNLISTENED. */
void control_listener_event(struct control *c, const struct node_event *n);

/* Ends the listeners of a client that is being closed, except those to be
 * kept. */
void control_listeners_end(struct control *c, const struct control_client *cl);
void control_listeners_free(struct control *c);

#endif
