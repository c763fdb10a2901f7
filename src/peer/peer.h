/* SPDX-License-Identifier: ISC */
/*
 * peer.h - from a public key to an encrypted stream, and back; protocol 03 §7,
 * §8.
 *
 * Owns the connections of a node, dialed and accepted, and its listeners.
 * Handshakes travel through dht and signal, bytes through udx and stream. The
 * caller drains events with peers_poll(). Connections and listeners have
 * numbers from one counter, never 0, so that a caller that keeps the number of
 * an object that is gone finds nothing (pitfall L1). Uses: base, crypto, dht,
 * records, udx, stream, signal, punch, relay.
 */
#ifndef PEER_PEER_H
#define PEER_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/core.h"
#include "crypto/keys.h"
#include "dht/dht.h"
#include "peer/local_addrs.h"
#include "punch/punch.h"
#include "records/records.h"
#include "signal/router.h"
#include "udx/udx.h"

struct peers;
struct conn;
struct dial_record;
struct relay_finder;

/* The modules below; all are borrowed for the life of struct peers. */
struct peers_base {
	struct dht *dht;
	struct records *records;
	struct router *router;
	struct udx *udx;
	struct punch *punch;
	const struct local_addrs *local; /* see peers_local_changed() */
	/* Key pair of the control connections to blind relays. */
	const struct key_pair *identity;
	const struct key_pair
	    *relay_keys;   /* of the node's own relay, or NULL */
	bool finds_relays; /* see relay_finder.h */
	struct addr host6; /* where to bind streams of IPv6; none: no IPv6 */
};

/* Borrows the core, copies *b. Returns NULL if memory is short. */
struct peers *peers_new(const struct core *core, const struct peers_base *b);

/* Frees it and resets all connections. Accepts NULL. */
void peers_free(struct peers *p);

/*
 * Applies changed limits of the core: caches evict their oldest entries down
 * to the new limit; connections, dials and listeners stay until they end.
 */
void peers_limits_changed(struct peers *p);

/* Ends our side of open connections and closes all others. */
void peers_leave(struct peers *p);

/*
 * Sends our address to the peers of open connections: the machine may have
 * another one than before, or was suspended.
 */
void peers_moved(struct peers *p);

/* Applies a changed keep-alive interval (DHT_EV_REPACED). */
void peers_repace(struct peers *p);

/*
 * Handles the start of the node and changes of *local: opens a socket for
 * streams over IPv6 once the machine has a global IPv6 address.
 */
void peers_local_changed(struct peers *p);

/* ---- events ---- */

enum conn_path_kind {
	CONN_PATH_NONE,
	CONN_PATH_DIRECT, /* to a public address */
	CONN_PATH_LAN,
	CONN_PATH_PUNCHED,
	CONN_PATH_RELAYED,
};

enum peer_event_kind {
	/* of a listener */
	PEER_LISTENING, /* stored: number of nodes that forward to us, or err */
	PEER_UNLISTENED, /* the listener is gone */
	PEER_REFUSED,    /* the allow list lacks the key, of the latest peer */
	/* of a connection */
	PEER_OFFER, /* waits for peers_answer(); addr: reported by the relay */
	PEER_OPEN,  /* the peer's header was verified; addr: its address */
	PEER_MOVED, /* the path of an open one has changed; addr: the new one */
	PEER_READY, /* readable, writable, or ended by the peer */
	PEER_CLOSED, /* gone; err, or 0 if both sides have ended */
};

struct peer_event {
	enum peer_event_kind kind;
	uint32_t number;   /* of the listener or connection */
	uint32_t listener; /* that accepted the connection; 0: dialed */
	int err;
	uint32_t stored;
	uint8_t key[KEY_LEN]; /* of the peer */
	struct addr addr;
	enum conn_path_kind path; /* of a connection */
	bool internal;            /* of a listener that peer.c made itself */
};

/*
 * Removes the next event and returns true, or returns false if there is none.
 * After PEER_CLOSED and PEER_UNLISTENED the number is free. Also processes the
 * pending events of udx, so call it until it returns false after each call
 * into any module below.
 */
bool peers_poll(struct peers *p, struct peer_event *out);

/* Returns a number for a listener to come, which no other object gets until the
 * counter wraps. */
uint32_t peers_reserve_number(struct peers *p);

/* ---- connections ---- */

/* Returns what finds relays for them, see relay_finder.h. */
struct relay_finder *peers_finder(struct peers *p);

/* Returns the connection of that number, or NULL if it has ended. */
struct conn *peers_conn(const struct peers *p, uint32_t number);

/*
 * Returns the connection that follows the one of that number (0: the oldest),
 * or NULL at the end. If that one has ended, goes on with the next number, so
 * that any number is valid. Skips those that only redial (conn_redial.h), which
 * the application does not know.
 */
struct conn *peers_conn_after(const struct peers *p, uint32_t after);

/* Returns the latest record of a dial to the key (NULL: to any) whose number is
 * below `before` (0: any number), or NULL. */
const struct dial_record *peers_dial_record(
    const struct peers *p, const uint8_t *key, uint32_t before);

#endif
