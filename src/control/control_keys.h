/* SPDX-License-Identifier: ISC */
/*
 * control_keys.h - which identities a caller may use, and what else is its
 * own.
 */
#ifndef CONTROL_CONTROL_KEYS_H
#define CONTROL_CONTROL_KEYS_H

#include <stdbool.h>

#include "store/keyring.h"

struct control;
struct control_call;
struct control_client;

/* Returns the owner of whatever the client creates, which only this user and
 * admins may change. */
struct keyring_owner control_owner(const struct control_client *cl);

/* Returns whether the client may use what belongs to the owner. */
bool control_may_use(
    const struct control_client *cl, const struct keyring_owner *o);

/* An identity that a request selects. */
struct control_keys {
	const struct key_pair *pair; /* lent; NULL: the node's */
	const char *name; /* borrowed from the request; NULL: it has none */
	bool saved;       /* false: it is lost when the daemon exits */
	bool stored;      /* the daemon finds it again after a restart */
};

/*
 * Borrows the key pair that the request's parameters name or seed_b64 select;
 * without them the node's for root and the daemon's user, and the default key
 * of other users. Returns 0, or a negative code with the call's error set.
 */
int control_keys_borrow(struct control_call *k, struct control_keys *keys);

/* Does the same for what a user announces or stores: without a parameter, the
 * identity of all admins is the node's. */
int control_keys_borrow_signer(
    struct control_call *k, struct control_keys *keys);

/* Returns the public key of a pair that was borrowed. */
const uint8_t *control_keys_public(
    const struct control *c, const struct key_pair *pair);

/* Fails the call because the thing belongs to another user. */
int control_fail_not_yours(
    struct control_call *k, const struct keyring_owner *o);

/* Ends the loan of keys; NULL is ignored. */
void control_keys_return(struct control *c, const struct key_pair *keys);

#endif
