/* SPDX-License-Identifier: ISC */
/*
 * listener.h - our keys that peers may connect to; protocol 03 §7.
 *
 * Each listener keeps one key announced. Each handshake for it is answered
 * once: copies, through other relays or retransmitted, get the same bytes
 * (pitfalls V1, V2). What costs computation is rate limited, and what waits is
 * bounded (pitfall V4). Connections belong to struct peers as soon as they
 * exist (pitfall V9). Uses: base, crypto, dht, signal.
 */
#ifndef PEER_LISTENER_H
#define PEER_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer/peer.h"
#include "signal/router.h"

/* Limits of one listener; 0: none. */
struct peers_listen_limits {
	uint32_t per_peer; /* connections of one key at a time */
	uint32_t idle_s;   /* seconds without data until one is closed */
};

struct peers_listen {
	/* Borrowed until PEER_UNLISTENED. */
	const struct key_pair *keys;
	/*
	 * The keys that may connect; none: all. Copied. Others get no answer.
	 */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
	bool ask; /* queue PEER_OFFER and wait for peers_answer() */
	/* Its connections belong to relay_service.h; its events are internal,
	 * and peers_listener_after() skips it. */
	bool relays;
	uint32_t number; /* from peers_reserve_number(); 0: a new one */
	struct peers_listen_limits limits;
	/* Blind relay to name; copied; NULL: one that was found, if needed. */
	const uint8_t *relay_through;
};

/*
 * Adds a listener. Returns 0 and its number, or ERR_EXISTS (the key listens
 * already), ERR_LIMIT, ERR_MEMORY. PEER_LISTENING follows each time the set of
 * nodes that forward to us has changed.
 */
int peers_listen(
    struct peers *p, const struct peers_listen *l, uint32_t *number);

/*
 * Stops accepting connections and withdraws the announcement, after which
 * PEER_UNLISTENED follows. Connections stay. Ignores unknown numbers.
 */
void peers_unlisten(struct peers *p, uint32_t number);
void peers_unlisten_all(struct peers *p);

/*
 * Returns the number of listeners, with those whose PEER_UNLISTENED is pending.
 */
uint32_t peers_listeners(const struct peers *p);

/* Announces anew: own requests have another source address than before. */
void peers_renew(struct peers *p);

enum { PEERS_RELAYS_MAX = 3 };

/* Lists the nodes that forward to the listener of a key, in the order in which
 * clients should ask them. Returns their number; 0 if the key does not listen.
 */
size_t peers_relays(const struct peers *p, const uint8_t key[KEY_LEN],
    struct addr out[PEERS_RELAYS_MAX]);

/*
 * Serves a message from router_serve() for a key that listens here. Returns 0,
 * or why it was dropped (counted).
 */
int peers_call(struct peers *p, const struct router_call *call);

/*
 * Decides about PEER_OFFER. A refusal is sent to the client; the connection is
 * freed without an event. Ignores unknown numbers and late decisions.
 */
void peers_answer(struct peers *p, uint32_t conn, bool accept);

struct peers_listener {
	uint32_t number;
	const uint8_t *key; /* borrowed */
	uint32_t relays_len;
	uint32_t accepted, refused;
	uint32_t conns_len; /* accepted and not closed, half-open ones too */
	uint64_t age_us;
};

/* Writes the active listener that follows the one of that number (0: the
 * oldest) to *out, see peers_conn_after(). Returns false at the end. */
bool peers_listener_after(
    const struct peers *p, uint32_t after, struct peers_listener *out);

#endif
