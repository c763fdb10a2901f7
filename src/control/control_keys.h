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

/* Returns the owner of whatever the client creates. */
struct keyring_owner control_owner(const struct control_client *cl);

/* Returns whether the client may use what belongs to the owner. */
bool control_may_use(
    const struct control_client *cl, const struct keyring_owner *o);

/*
 * Borrows the key pair that the request's parameters name or seed_b64 select.
 * *keys is NULL for the node's own identity. Returns 0, or a negative code
 * with the call's error set.
 */
int control_keys_borrow(struct control_call *k, const struct key_pair **keys);

/* Ends the loan of keys; NULL is ignored. */
void control_keys_return(struct control *c, const struct key_pair *keys);

#endif
