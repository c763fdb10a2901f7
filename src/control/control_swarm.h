/* SPDX-License-Identifier: ISC */
/*
 * control_swarm.h - topics that clients have joined.
 *
 * Topics that one user joins with one identity share a swarm of the node, which
 * is a listener here: its connections wait at it for an accept. Each join is a
 * session, which ends with its client unless it is to be kept; the last one
 * ends the swarm.
 */
#ifndef CONTROL_CONTROL_SWARM_H
#define CONTROL_CONTROL_SWARM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "crypto/keys.h"

struct control;
struct control_call;
struct control_client;
struct control_conn;
struct control_listener;
struct control_operation;
struct control_user;

struct control_session {
	TAILQ_ENTRY(control_session) link;
	struct control_listener *listener;
	struct control_client *client; /* NULL: it is kept */
	struct control_user *user;     /* charged for it */
	uint32_t number;               /* in the order of the joins */
	uint32_t session;              /* of the node's swarm */
	uint8_t topic[KEY_LEN];
	uint32_t limit;
	bool server, as_client; /* roles */
};

struct control_sessions {
	TAILQ_HEAD(, control_session) all;
	uint32_t last_number;
};

void control_sessions_init(struct control_sessions *s);
void control_sessions_free(struct control *c);

/* Ends the sessions of a client that is being closed, except those that are
 * kept. */
void control_sessions_end(struct control *c, const struct control_client *cl);

/* Frees the sessions of a listener that has ended. */
void control_sessions_drop(struct control_listener *l);

/* Finds the listener of the topic that the call's parameters name. Returns 0,
 * or a negative code with the call's error set. */
int control_session_listener(
    struct control_call *k, struct control_listener **l);

/* Returns whether an accept, which may name a topic, takes the connection. */
bool control_session_matches(
    const struct control_operation *accept, const struct control_conn *conn);

#endif
