/* SPDX-License-Identifier: ISC */
/*
 * listener.h - our keys, and who connects to them; protocol 03 §7.
 *
 * Each listener keeps one key announced. A handshake that comes for it is
 * answered once: copies of it, through other relays or sent again, get the
 * same bytes (pitfalls V1, V2). Before anything is computed its length is
 * looked at and its sender's budget; what fails leaves no state. Answered ones
 * wait for the client within limits, oldest out first (pitfall V4). Connections
 * belong to struct peers as soon as they exist (pitfall V9). Uses: base,
 * crypto, dht, signal.
 */
#ifndef PEER_LISTENER_H
#define PEER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/peer.h"
#include "signal/router.h"

struct peers_listen {
	/* Borrowed until PEER_UNLISTENED. */
	const struct key_pair *keys;
	/* Who may connect; none: everybody. Copied. Others meet silence. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	bool ask; /* PEER_OFFER first, and nothing until peers_answer() */
};

/*
 * 0 and the listener's number; ERR_EXISTS: the key listens already, ERR_LIMIT,
 * ERR_MEMORY. PEER_LISTENING tells each time other nodes forward to us.
 */
int peers_listen(
    struct peers *p, const struct peers_listen *l, uint32_t *number);

/*
 * No more connections through it, and its announcement is withdrawn, at the
 * end of which PEER_UNLISTENED comes. Connections stay. Unknown: nothing.
 */
void peers_unlisten(struct peers *p, uint32_t number);
void peers_unlisten_all(struct peers *p);

/* Listeners that have not been told to be over. */
uint32_t peers_listeners(const struct peers *p);

/* Own requests leave from another socket or network: announce anew. */
void peers_renew(struct peers *p);

/*
 * A message for a key that listens here, from router_serve(). 0, or why it was
 * dropped (counted).
 */
int peers_call(struct peers *p, const struct router_call *call);

/*
 * The answer to PEER_OFFER. No: the client is told so, the connection is gone,
 * and nothing more is told of it. Unknown or late: nothing.
 */
void peers_answer(struct peers *p, uint32_t conn, bool accept);

struct peers_listener {
	uint32_t number;
	const uint8_t *key; /* borrowed */
	uint32_t relays_len;
	uint32_t accepted, refused;
	uint64_t age_us;
};

/* The i-th, oldest first; false if there is none. */
bool peers_listener(
    const struct peers *p, uint32_t i, struct peers_listener *out);

#endif
