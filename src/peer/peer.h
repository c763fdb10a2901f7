/* SPDX-License-Identifier: ISC */
/*
 * peer.h - from a public key to an encrypted stream, and back; protocol 03 §7,
 * §8.
 *
 * Owns the connections of a node, dialed and accepted, and its listeners.
 * Handshakes travel through dht and signal, bytes through udx and stream.
 * What happens is kept as bits of whom it happens to until peers_poll() hands
 * it out, so that nothing can be lost and nothing piles up. Connections and
 * listeners go by numbers, never 0, from one count: who holds one that has
 * ended finds nothing (pitfall L1). Uses: base, crypto, dht, records, udx,
 * stream, signal, punch.
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

/* What the rooms below are; all borrowed for the life of struct peers. */
struct peers_base {
	struct dht *dht;
	struct records *records;
	struct router *router;
	struct udx *udx;
	struct punch *punch;
	const struct local_addrs *local; /* see peers_local_changed() */
	struct addr host6; /* where streams of IPv6 are bound; none: nowhere */
};

/* Borrows the core, copies *b. NULL if memory is short. */
struct peers *peers_new(const struct core *core, const struct peers_base *b);

/* Resets all connections; their peers are told. NULL is none. */
void peers_free(struct peers *p);

/* After the limits of the core have changed: what is above its new limit goes,
 * oldest first; but connections, dials and listeners stay until they end. */
void peers_limits_changed(struct peers *p);

/* The node leaves: open connections end their side, others end now. */
void peers_leave(struct peers *p);

/*
 * This machine may have another address than before, or has slept: the peers
 * of open connections are told where we are.
 */
void peers_moved(struct peers *p);

/* Mappings of the NAT are to be kept alive at another pace: DHT_EV_REPACED. */
void peers_repace(struct peers *p);

/*
 * The node has started, or *local has changed: there is a socket for streams
 * by IPv6 from when the machine has an address of it that others may reach.
 */
void peers_local_changed(struct peers *p);

/* ---- what happens ---- */

enum peer_event_kind {
	/* of a listener */
	PEER_LISTENING,  /* stored: nodes that forward to us; err: why none */
	PEER_UNLISTENED, /* the end */
	/* of a connection */
	PEER_OFFER,  /* waits for peers_answer(); addr is what its relay says */
	PEER_OPEN,   /* the peer has proved itself at addr */
	PEER_READY,  /* bytes to read, room to write, or the peer's end */
	PEER_CLOSED, /* the end: err, 0 if both sides had ended */
};

struct peer_event {
	enum peer_event_kind kind;
	uint32_t number;   /* of the listener or connection */
	uint32_t listener; /* through which it came; 0: dialed */
	int err;
	uint32_t stored;
	uint8_t key[KEY_LEN]; /* of the peer */
	struct addr addr;
};

/*
 * The next thing that happened; false: nothing more. After PEER_CLOSED and
 * PEER_UNLISTENED the number is no more. Also moves on what udx has to tell,
 * so it must be drained after whatever may have stirred anything below.
 */
bool peers_poll(struct peers *p, struct peer_event *out);

/* ---- connections ---- */

/* The connection of that number, or NULL if it has ended. */
struct conn *peers_conn(const struct peers *p, uint32_t number);

/* The i-th in the order in which they began, of those that an application
 * knows or will; or NULL. */
struct conn *peers_nth(const struct peers *p, uint32_t i);

/* The i-th attempt for the key (NULL: any), latest first; NULL at the end. */
const struct dial_record *peers_dial_record(
    const struct peers *p, const uint8_t *key, uint32_t i);

#endif
