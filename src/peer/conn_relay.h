/* SPDX-License-Identifier: ISC */
/*
 * conn_relay.h - a connection that a blind relay forwards, protocol 06 §C.
 *
 * One side names a blind relay and a token in the handshake. Both dial the
 * relay (relay_control.h) while they look for a direct path. Once both are
 * there, the relayed path is a candidate like any other, and hole punching goes
 * on beside the open stream:
 *
 *	NONE --conn_relay_begin()--> PAIRING --the relay's answer--> PAIRED
 *	PAIRED --a packet of the peer on a direct path--> LEFT
 *	LEFT --no answer on that path--> PAIRED
 *	all --failure, LEFT for a while, direct from the start--> OVER
 *
 * Uses: base, relay, udx.
 */
#ifndef PEER_CONN_RELAY_H
#define PEER_CONN_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/timer.h"
#include "peer/conn.h"
#include "peer/relay_control.h"

enum conn_relay_state {
	CONN_RELAY_NONE,
	CONN_RELAY_PAIRING,
	CONN_RELAY_PAIRED, /* the stream may use the relayed path */
	CONN_RELAY_LEFT,   /* it has migrated from there; the relay is kept */
	CONN_RELAY_OVER,
};

struct relay_payer;   /* relay/relay_volume.h */
struct relay_session; /* relay/relay_server.h */

struct conn_relay {
	enum conn_relay_state state;
	int err;          /* why it failed, or 0 */
	uint32_t number;  /* of the control connection; 0: none */
	uint32_t id;      /* of the relay's stream */
	int sock;         /* of the relayed path */
	struct addr addr; /* of the relay */
	uint8_t moves;    /* to a direct path that failed */
	struct timer timer;
	uint64_t packets_in; /* of the stream when the timer was armed */
	uint64_t paired_us;
	/* Of a relay that the client has named. */
	TAILQ_ENTRY(conn_relay) followed_link;
	bool is_followed;
	uint64_t prefix; /* of the client */
	struct relay_control control;
	struct relay_session *session; /* of a client of ours, or NULL */
	struct relay_paying {
		struct relay_payer *payer; /* NULL: it has no share */
		uint64_t charged;          /* bytes of this connection */
		bool exempt;               /* it never has one */
	} paying;                          /* of such a client */
};

/* Relays that clients have named and that are being dialed. */
struct followed_relays {
	TAILQ_HEAD(, conn_relay) list;
	uint32_t len;
};

void followed_relays_init(struct followed_relays *f);

/* A relay that one side has named, and how to pair there. */
struct conn_relay_spec {
	const uint8_t *key, *token;
	bool initiator;           /* our side has named it */
	const struct addr *payer; /* the client that has named it, or NULL */
};

void conn_relay_init(struct conn *c);
void conn_relay_fini(struct conn *c);

/* Dials the relay and requests the pairing. Call it after the handshake is
 * complete. Does nothing for connections that the application does not see. */
void conn_relay_begin(struct conn *c, const struct conn_relay_spec *spec);

/* Handles changes of the control connection. peers_poll() calls it. May fail
 * the connection. */
void conn_relay_poll(struct conn *c);

/* Returns true while the stream may still open through the relay; the deadline
 * of the handshake does not apply then. */
bool conn_relay_is_pending(const struct conn *c);

/* Returns true if the relayed path leaves from this socket. */
bool conn_relay_owns(const struct conn *c, int sock);

/* Returns true while the stream uses the relayed path. */
bool conn_relay_is_used(const struct conn *c);

/* Returns true while hole punching goes on beside the relayed path. */
bool conn_relay_is_punching(const struct conn *c);

/* Returns true while a relayed stream still seeks or validates a direct path,
 * so that hole punching continues. */
bool conn_relay_seeks_path(const struct conn *c);

/* Returns the error with which the relay has failed, or 0. */
int conn_relay_failure(const struct conn *c);

/* Returns true if packets from this source were forwarded by the relay. */
bool conn_relay_is_source(
    const struct conn *c, int sock, const struct addr *from);

/* Handles a packet that arrived on another path than the current one. */
void conn_relay_check_source(struct conn *c);

/* Handles a migration of the stream to another path. */
void conn_relay_migrated(struct conn *c);

/* Handles the verified header: ends the relay unless the stream uses it. */
void conn_relay_settle(struct conn *c);

#endif
