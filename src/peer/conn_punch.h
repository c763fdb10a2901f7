/* SPDX-License-Identifier: ISC */
/*
 * conn_punch.h - a connection's way through NATs, for dialer and listener.
 *
 * The connection owns its puncher from before the handshake, which leaves from
 * the puncher's socket, until it is settled: then all sockets close but the one
 * by which the stream goes, and that one a while after the stream. What the
 * puncher finds is offered as a path, to be proved like any other.
 */
#ifndef PEER_CONN_PUNCH_H
#define PEER_CONN_PUNCH_H

#include <stdbool.h>

#include "peer/conn.h"
#include "punch/punch.h"

/*
 * A socket from which the handshake is to leave, and with which we will punch;
 * WORLD_NO_SOCK if we are open, or have no more to give.
 */
int conn_punch_open(struct conn *c);

/* Others have sent something from that socket, or were told what a node saw. */
void conn_punch_sent(struct conn *c, const struct addr *to);
void conn_punch_saw(
    struct conn *c, int sock, const struct addr *us, const struct addr *by);

/*
 * The handshake is done: the secret is derived here, the rest is the caller's.
 * False: there is nothing to punch with, or nobody to ask.
 */
bool conn_punch_connect(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer);
bool conn_punch_accept(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer);

/* A PEER_HOLEPUNCH for it: 0, or why it was dropped (counted). */
int conn_punch_serve(
    struct conn *c, const struct router_call *call, bool own_relay);

/* It goes on: not to be cut off by a deadline of the handshake (pitfall V6). */
bool conn_is_punching(const struct conn *c);

/* Why it ended without a path; ERR_NO_PATH if it did not. */
int conn_punch_failure(const struct conn *c);

/* If it has failed, and no path is left, the connection has. */
void conn_punch_hopeless(struct conn *c);

/* ---- for conn.c ---- */

/* Open, or over: only the stream's socket stays. */
void conn_punch_settle(struct conn *c);

/* The stream is gone: its socket goes, after a while. */
void conn_punch_fini(struct conn *c);

#endif
