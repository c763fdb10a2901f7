/* SPDX-License-Identifier: ISC */
/*
 * control_dial.h - the dials of one call of connect.
 *
 * A first dial that finds no path makes the node seek a relay. If there is one
 * a moment later, the key is dialed again, once, in the time that is left.
 */
#ifndef CONTROL_CONTROL_DIAL_H
#define CONTROL_CONTROL_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "base/addr.h"
#include "crypto/keys.h"

struct control;
struct control_call;
struct control_dial;
struct event;
struct key_pair;

/*
 * Called when the second dial has started, with the number of its connection,
 * or with the reason why there is none. May free the dial.
 */
typedef void control_dial_again(void *owner, int err, uint32_t conn);

/* Creates the dials of a call, which has been checked; borrows the keys.
 * Returns NULL if memory is short. */
struct control_dial *control_dial_new(struct control_call *k,
    const struct key_pair *keys, control_dial_again *again, void *owner);

/* Accepts NULL. Does not close a connection. */
void control_dial_free(struct control_dial *d);

/* Starts the first dial. Returns 0 and the number of the connection, or an
 * error of node_connect(). */
int control_dial_start(struct control_dial *d, uint32_t *conn);

/* Handles the failure of a dial. Returns true if the key may be dialed again:
 * the owner's function is called later. */
bool control_dial_failed(struct control_dial *d, int err);

#endif
