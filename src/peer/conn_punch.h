/* SPDX-License-Identifier: ISC */
/*
 * conn_punch.h - the hole punching of one connection, for dialer and listener.
 *
 * The connection owns its puncher from before the handshake, which is sent
 * from the puncher's socket, until the path is confirmed: then all sockets
 * close except that of the stream, which closes some time after the stream.
 * A path that the puncher finds is a candidate like any other.
 * Uses: crypto, punch.
 */
#ifndef PEER_CONN_PUNCH_H
#define PEER_CONN_PUNCH_H

#include <stdbool.h>

#include "peer/conn.h"
#include "punch/punch.h"

struct conn_punch {
	struct puncher *puncher;    /* NULL: none, or the path is confirmed */
	bool active;                /* punching is under way */
	int err;                    /* why it failed */
	struct probe_origin origin; /* of its probes, on any path */
	int sock; /* of the stream, left open by punching; or WORLD_NO_SOCK */
};

void conn_punch_init(struct conn *c);

/*
 * Creates the puncher and returns the socket from which the handshake must be
 * sent; WORLD_NO_SOCK if we are reachable without, or at a limit.
 */
int conn_punch_open(struct conn *c);

/* Charges the probes of an accepted connection to the sender of a handshake. */
void conn_punch_set_origin(struct conn *c, const struct probe_origin *origin);

/* Notes that a request was sent from the puncher's socket. */
void conn_punch_sent(struct conn *c, const struct addr *to);

/* Notes the address that node `by` has seen for a socket of ours. */
void conn_punch_saw(
    struct conn *c, int sock, const struct addr *us, const struct addr *by);

/*
 * Start punching once the handshake is complete. They derive the secret of the
 * punch; the caller fills in the rest of *peer. They return false if there is
 * no puncher, or (connect) no relay that could be asked.
 */
bool conn_punch_connect(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer);
bool conn_punch_accept(struct conn *c, const struct noise_secrets *s,
    const struct punch_peer *peer);

/* Serves a PEER_HOLEPUNCH. Returns 0, or why it was dropped (counted). */
int conn_punch_serve(
    struct conn *c, const struct router_call *call, bool own_relay);

/* Returns true while punching is under way: the deadline of the handshake must
 * not cut it off (pitfall V6). */
bool conn_is_punching(const struct conn *c);

/* Returns why punching failed; ERR_NO_PATH if it did not. */
int conn_punch_failure(const struct conn *c);

/* Handles that punching has failed and no IPv6 path was found. */
void conn_punch_check_failed(struct conn *c);

/* Returns true for the sockets of the puncher and the one it has left open. */
bool conn_punch_has(const struct conn *c, int sock);

/* Returns true for the sockets that the puncher still probes from. */
bool conn_punch_uses(const struct conn *c, int sock);

/* Ends punching: frees the puncher and keeps only the stream's socket. */
void conn_punch_settle(struct conn *c);

/* Keeps this socket open while punching goes on: a candidate path uses it. */
void conn_punch_hold(struct conn *c, int sock);

/* Keeps this socket open for the stream, which has migrated to it, and lets the
 * one before linger. Does nothing while punching goes on. */
void conn_punch_keep(struct conn *c, int sock);

/* Ends punching and lets the stream's socket linger. */
void conn_punch_fini(struct conn *c);

#endif
