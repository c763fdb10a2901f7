/* SPDX-License-Identifier: ISC */
/*
 * control_user.h - what each user id holds of the limits that all users share.
 *
 * A user holds at most a quarter of a limit, and all users together leave a
 * part of it to admins: no user can shut out another or the operator. Root and
 * the daemon's user are one user here. Admins are counted, but have no share.
 */
#ifndef CONTROL_CONTROL_USER_H
#define CONTROL_CONTROL_USER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "api/api.h"
#include "store/keyring.h"

struct control;
struct control_call;
struct control_peer;

/* What is counted; the owner of a thing holds a reference to its user. */
enum control_held {
	CONTROL_HELD_CLIENTS,
	CONTROL_HELD_OPERATIONS, /* of the node */
	CONTROL_HELD_LISTENERS,
	CONTROL_HELD_CONNS,    /* that it has dialed */
	CONTROL_HELD_TRACES,   /* streams that it traces */
	CONTROL_HELD_SWARMS,   /* identities with which it joins topics */
	CONTROL_HELD_SESSIONS, /* calls of join that have not ended */
	CONTROL_HELD_KINDS,
};

struct control_user {
	TAILQ_ENTRY(control_user) link;
	struct keyring_owner id;
	uint32_t held[CONTROL_HELD_KINDS];
};

/* The users that hold anything. */
struct control_users {
	TAILQ_HEAD(, control_user) all;
	/* Of all users but root and the daemon's. */
	uint32_t held[CONTROL_HELD_KINDS];
};

void control_users_init(struct control_users *u);

/* Returns the identity under which things of a process are owned. */
struct keyring_owner control_user_id(const struct control_peer *peer);

/* Counts one more thing of that user, and returns the user; NULL if memory is
 * exhausted. */
struct control_user *control_user_take(struct control_users *u,
    const struct keyring_owner *id, enum control_held what);

/* Counts one thing less; the last one frees the user. NULL is ignored. */
void control_user_give(
    struct control_users *u, struct control_user *user, enum control_held what);

/* What one user and all users hold of a limit, and how much of it is for
 * admins alone. */
struct control_share {
	uint32_t mine, users, limit, reserve;
};

/* Returns the most that one user may hold. */
uint32_t control_share_max(const struct control_share *s);

/* Returns whether a user without admin access may hold one more. */
bool control_share_allows(const struct control_share *s);

/* Returns the same for a client that is not admitted yet. */
bool control_user_may_connect(
    const struct control *c, const struct control_peer *peer);

/*
 * Checks that the caller may hold one more operation of the node, listener,
 * swarm, dialed connection or announcement. Returns 0, or `err` with the call's
 * error set, which names the limit.
 */
int control_user_check(struct control_call *k, enum control_held what, int err);
int control_user_check_announcement(struct control_call *k);

#endif
