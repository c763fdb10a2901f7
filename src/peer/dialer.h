/* SPDX-License-Identifier: ISC */
/*
 * dialer.h - from a key to an open connection, protocol 03 §8.
 *
 * One Noise message 1 and one UDX id for each connection, the same bytes to
 * everybody (pitfall H1). They go to nodes that were told of or remembered, and
 * with a walk towards the key: who does not know the key answers with closer
 * nodes, who does passes the message on, and the first valid answer ends the
 * search. If the walk brings none, a second one asks who knows the key at all,
 * and those nodes are tried one by one. Uses: base, crypto, dht, signal.
 */
#ifndef PEER_DIALER_H
#define PEER_DIALER_H

#include "peer/peer.h"

struct dial_spec {
	const uint8_t *key;         /* of the peer; copied */
	const struct key_pair *own; /* borrowed for the connection's life */
	const struct addr *relays;  /* nodes that may know it; copied */
	size_t relays_len;
	uint32_t timeout_ms; /* overall; 0: 30 s */
	bool mends;          /* for conn_mend(): PAYLOAD_MENDS */
};

/*
 * 0 and the connection's number, for which PEER_OPEN or PEER_CLOSED will come;
 * or ERR_VALUE (the key is our own, or none), ERR_LIMIT, ERR_MEMORY.
 *
 * PEER_CLOSED before PEER_OPEN says why: ERR_UNREACHABLE (no network),
 * ERR_NOT_FOUND, ERR_NO_ANSWER, ERR_PEER_REFUSED, ERR_PEER_VERSION,
 * ERR_PEER_BUSY, ERR_NO_PATH, ERR_TIMEOUT (overall), or what broke the stream.
 */
int dialer_connect(
    struct peers *p, const struct dial_spec *spec, uint32_t *number);

#endif
