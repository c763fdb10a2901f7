/* SPDX-License-Identifier: ISC */
/*
 * conn_slot.h - the slot of an accepted connection at its listener and at the
 * node.
 *
 * Decides with slot.h whether a handshake gets a slot, closes the connection
 * that gives way, and closes connections on which no data moves for longer than
 * the listener allows. Uses: base, slot.h.
 */
#ifndef PEER_CONN_SLOT_H
#define PEER_CONN_SLOT_H

#include "base/limits.h"
#include "base/timer.h"
#include "peer/slot.h"

struct conn;
struct listener;
struct peers;

struct conn_slot {
	struct slot slot;
	uint64_t idle_us;    /* allowed without data; 0: for ever */
	uint64_t moved_us;   /* when data last moved */
	struct timer expiry; /* closes an idle connection */
	/* Signs of life that are looked for when its key has too many. */
	uint64_t probed_us;
	uint64_t heard_us;  /* the latest sign since a probe */
	uint64_t heard_len; /* packets and messages, when last counted */
	uint32_t messages;  /* that arrived through relays */
};

/* Returns how many connections can be accepted, and what they take at most
 * beyond the memory of all streams, with these limits. */
uint32_t conn_slot_accepted_max(const struct limits *l);
size_t conn_slot_bytes_max(const struct limits *l);

void conn_slot_init(struct conn *c);

/* Returns true if one more connection may be dialed. */
bool conn_slot_for_dial(const struct peers *p);

/* Returns true if a key has as many connections at the listener as its limit
 * for one peer permits. */
bool conn_slot_key_is_full(const struct listener *l, const uint8_t *key);

/*
 * Probes some connections that a key has at the listener. Returns how many of
 * these have shown no sign of life since that time. The peer may have vanished
 * and dial again, which is detected here sooner than by timeouts. The work does
 * not depend on the number of connections.
 */
size_t conn_slot_probe(
    const struct listener *l, const uint8_t *key, uint64_t since_us);

/* Closes of these connections, as long as the key has too many, those that have
 * shown no sign of life since that time. */
void conn_slot_close_silent(
    const struct listener *l, const uint8_t *key, uint64_t since_us);

/* Notes a message of the peer that a relay node has forwarded. */
void conn_slot_heard(struct conn *c);

/*
 * Returns true if a key gets a slot at the listener. Its handshake is charged
 * to this address. May close a half-open connection for it.
 */
bool conn_slot_admit(
    const struct listener *l, const uint8_t *key, const struct addr *addr);

/* Reserves the slot for a new connection, whose receive window is small until a
 * program claims it. Returns 0 or ERR_MEMORY. */
int conn_slot_reserve(
    struct conn *c, const struct listener *l, const struct addr *addr);

/* Handles the opening; closes the connections that give way for this one. */
void conn_slot_opened(struct conn *c);

/* Records that a program uses the connection. */
void conn_slot_claim(struct conn *c);

/* Records that data has moved: the idle time begins again. */
void conn_slot_moved(struct conn *c);

/* Leaves the slot of a connection that is closed. */
void conn_slot_leave(struct conn *c);

#endif
