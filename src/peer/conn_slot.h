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
};

/* Returns how many connections can be accepted, and what they take at most
 * beyond the memory of all streams, with these limits. */
uint32_t conn_slot_accepted_max(const struct limits *l);
size_t conn_slot_bytes_max(const struct limits *l);

void conn_slot_init(struct conn *c);

/* Returns true if one more connection may be dialed. */
bool conn_slot_for_dial(const struct peers *p);

/*
 * Returns true if a key gets a slot at the listener. Its handshake is charged
 * to this address. May close a half-open connection for it.
 */
bool conn_slot_admit(
    const struct listener *l, const uint8_t *key, const struct addr *addr);

/* Reserves the slot for a new connection. Returns 0 or ERR_MEMORY. */
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
