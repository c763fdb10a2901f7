/* SPDX-License-Identifier: ISC */
/*
 * dialer.h - from a key to an open connection, protocol 03 §8.
 *
 * Each dial has one Noise message 1 and one UDX id, and sends the same bytes to
 * every node (pitfall H1): to nodes that were given or remembered, and with a
 * lookup towards the key. A node that does not know the key replies with closer
 * nodes, one that does forwards the message; the first valid answer ends the
 * search. If that lookup brings no answer, a second one finds the nodes that
 * know the key, and the handshake is sent to each of them.
 * Uses: base, crypto, dht, signal.
 */
#ifndef PEER_DIALER_H
#define PEER_DIALER_H

#include "peer/conn.h"
#include "peer/peer.h"

struct dial_spec {
	const uint8_t *key;         /* of the peer; copied */
	const struct key_pair *own; /* borrowed for the connection's life */
	const struct addr *relays;  /* nodes that may know the key; copied */
	size_t relays_len;
	uint32_t timeout_ms; /* overall; 0: 30 s */
	enum conn_purpose purpose;
	/* Blind relay to name; copied; NULL: one that was found, if needed. */
	const uint8_t *relay_through;
};

/* Returns the number of dials in progress. */
uint32_t peers_dials(const struct peers *p);

/*
 * Starts a dial. Returns 0 and the number of the connection, for which
 * PEER_OPEN or PEER_CLOSED will follow; or ERR_VALUE (no valid key),
 * ERR_LIMIT, ERR_MEMORY. The key may equal our own: both ends of a private
 * tunnel have one key pair (protocol 09 §2.2).
 *
 * PEER_CLOSED before PEER_OPEN has the reason: ERR_UNREACHABLE (no network),
 * ERR_NOT_FOUND, ERR_NO_ANSWER, ERR_PEER_REFUSED, ERR_PEER_VERSION,
 * ERR_PEER_BUSY, ERR_NO_PATH, ERR_TIMEOUT (overall), or an error of the stream.
 */
int dialer_connect(
    struct peers *p, const struct dial_spec *spec, uint32_t *number);

#endif
