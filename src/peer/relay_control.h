/* SPDX-License-Identifier: ISC */
/*
 * relay_control.h - control connections, by which a blind relay is used.
 *
 * A connection like any other, dialed with the node's identity, that the
 * application does not see. It carries the messages that request one pairing
 * for one connection, its user, and has to stay open as long as that is
 * relayed; or it only proves that a relay can be used (relay_finder.h). Neither
 * side frees the other: each finds the other by its number in peers_poll().
 * Uses: base, crypto, relay, stream.
 */
#ifndef PEER_RELAY_CONTROL_H
#define PEER_RELAY_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "peer/conn.h"
#include "relay/relay_client.h"

struct relay_control {
	struct relay_client *client; /* NULL: no control connection */
	uint32_t user;               /* number; 0: detached */
	bool ending;
	bool refused;        /* the pool of relays knows until when */
	bool proves;         /* without a user */
	struct timer expiry; /* armed once it has no user */
};

struct relay_control_spec {
	const uint8_t *relay; /* key */
	const uint8_t *token;
	bool initiator;
	struct conn *user;
};

/* Dials a relay and requests the pairing. Returns 0 and the number of the
 * connection, or ERR_VALUE, ERR_LIMIT, ERR_MEMORY. */
int relay_control_dial(const struct relay_control_spec *spec, uint32_t *number);

/* Dials a relay to prove it: relay_finder_proved() or relay_finder_failed()
 * follows. Returns 0, or an error as above: then nothing follows. */
int relay_control_prove(struct peers *p, const uint8_t *relay);

void relay_control_init(struct conn *k);

/* Frees the relay client and queues the user, which then handles the loss. */
void relay_control_fini(struct conn *k);

/* Reads and sends what is pending. May fail the connection. */
void relay_control_run(struct conn *k);

/* Detaches the user. The connection stays open for a moment, so that the
 * relay forwards the last packets of the stream, and then closes. */
void relay_control_release(struct conn *k);

#endif
