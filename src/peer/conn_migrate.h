/* SPDX-License-Identifier: ISC */
/*
 * conn_migrate.h - open streams when an address of either end changes.
 *
 * Detects a path that is lost, and validates a new one by sealed messages
 * beside the stream (protocol 06 §A.7). Only nodes of this project exchange
 * them. Uses: base, crypto, stream, udx.
 */
#ifndef PEER_CONN_MIGRATE_H
#define PEER_CONN_MIGRATE_H

#include "base/addr.h"
#include "base/timer.h"
#include "peer/conn.h"

struct conn_migrate {
	struct timer stall;           /* armed while nothing is received */
	uint64_t stall_packets_in;    /* count of packets when that began */
	struct timer liveness;        /* armed once our side has ended */
	uint64_t liveness_packets_in; /* count when it was armed */
	bool suspected; /* our address may have changed: expect a packet */
	uint8_t silent_s;
};

void conn_migrate_init(struct conn *c);
void conn_migrate_fini(struct conn *c);

/* Handles a retransmission timeout: the path may be lost. */
void conn_migrate_stalled(struct conn *c);

/* Checks the path of an open connection although nothing is in flight. */
void conn_migrate_suspect(struct conn *c);

/*
 * Handles the end of our side: data of ours no longer detects a lost peer, so
 * that keep-alives are requested of it, and the connection fails without them.
 */
void conn_migrate_watch_peer(struct conn *c);

/* Processes the messages that were received beside the stream. */
void conn_migrate_messages(struct conn *c);

/* Sends HERE on the path of the stream, so that the peer sends there. */
void conn_send_here(struct conn *c);

/* Sends HERE on another path, as if we had moved there: the peer validates the
 * path, and both sides migrate. */
void conn_send_here_by(struct conn *c, int sock, const struct addr *to);

/* Returns true if no packet was received for a second or more. */
bool conn_migrate_is_silent(const struct conn *c);

#endif
