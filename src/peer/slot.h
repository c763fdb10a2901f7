/* SPDX-License-Identifier: ISC */
/*
 * slot.h - slots of accepted connections, shared by key and by prefix.
 *
 * A connection that is accepted holds a slot in two scopes: its listener and
 * the node. While a scope is less than half full, any peer is admitted. Beyond
 * that, a key and a prefix (/24, /56) that hold their share are refused, so
 * that a peer that dials without end leaves half of the slots to others. When
 * the scope is full, the largest holder gives way to a peer that would hold
 * less: first what no program has claimed, then what has been idle for ten
 * minutes, at last any. A newcomer that would hold as much as the largest
 * holder is refused, so that equal peers do not displace each other.
 *
 *	RESERVED --slot_open()--> UNCLAIMED --slot_claim()--> CLAIMED
 *
 * Any host can start a handshake in the name of any address, so that an open
 * connection gives way only when the newcomer is open too; until then its slot
 * is one more than there are. Knows no connection and closes none: the caller
 * closes the victim. Uses: base, crypto.
 */
#ifndef PEER_SLOT_H
#define PEER_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "peer/slot_holder.h"

/* Time without a byte of data after which a connection counts as idle. */
#define CONN_SLOT_IDLE_US (600 * UINT64_C(1000000))

enum slot_state {
	CONN_SLOT_EMPTY,
	CONN_SLOT_RESERVED, /* the handshake is answered, the client not seen */
	CONN_SLOT_UNCLAIMED, /* open; no program has claimed it yet */
	CONN_SLOT_CLAIMED,
};

/* The counted properties of a peer. */
enum slot_holder_kind {
	CONN_SLOT_KEY,
	CONN_SLOT_PREFIX,
	CONN_SLOT_HOLDER_KINDS
};

/* The scopes of one slot. */
enum slot_level { CONN_SLOT_LISTENER, CONN_SLOT_NODE, CONN_SLOT_LEVELS };

struct slot_scope; /* the slots of one listener, or of the node */

/* A member of each accepted connection. */
struct slot {
	enum slot_state state;
	bool exempt;       /* counts for no share and never gives way */
	uint64_t moved_us; /* when data last moved */
	struct slot_scope *scopes[CONN_SLOT_LEVELS];
	struct slot_link links[CONN_SLOT_LEVELS][CONN_SLOT_HOLDER_KINDS];
};

/* A peer that asks for a slot. */
struct slot_peer {
	const uint8_t *key; /* borrowed during the call */
	const struct addr *addr;
	bool exempt;
};

/* Limits of a scope, in slots. */
struct slot_limits {
	uint32_t max;
	uint32_t key_max, prefix_max; /* once half of max are held */
};

/* Borrows the hash key for its life. Returns NULL if memory is short. */
struct slot_scope *slot_scope_new(const struct hash_key *hash_key);

/* Releases the scope, which is freed when its last slot is left. Accepts
 * NULL. */
void slot_scope_release(struct slot_scope *s);

/* Returns the number of slots held, reserved ones included. */
uint32_t slot_scope_len(const struct slot_scope *s);

/* Returns how many of them a key holds. */
uint32_t slot_scope_key_len(const struct slot_scope *s, const uint8_t *key);

/* Lists the slots of a key that have been idle for the longest time, a few of
 * each kind. Returns their number. */
enum { SLOTS_OF_KIND_MAX = 8, SLOTS_IDLE_MAX = 3 * SLOTS_OF_KIND_MAX };

size_t slot_scope_idle(const struct slot_scope *s, const uint8_t *key,
    struct slot *out[SLOTS_IDLE_MAX]);

/*
 * Returns true if the peer may have a slot. Sets *victim to the slot that has
 * to be left for it, now if it is only reserved, otherwise when the newcomer
 * opens; or to NULL.
 */
bool slot_scope_admits(const struct slot_scope *s, const struct slot_limits *l,
    const struct slot_peer *peer, uint64_t now_us, struct slot **victim);

/* Reserves a slot, which is zeroed. Returns 0 or ERR_MEMORY. */
int slot_reserve(struct slot *p, struct slot_scope *listener,
    struct slot_scope *node, const struct slot_peer *peer)
    __attribute__((warn_unused_result));

/*
 * Notes that the connection is open: the address from which the peer has proved
 * itself now counts instead of the one that was named in the handshake.
 */
void slot_open(struct slot *p, const struct addr *addr, uint64_t now_us);

/* Returns the slot that has to give way because this one, of this level, has
 * opened; or NULL. */
struct slot *slot_victim(const struct slot *p, enum slot_level level,
    const struct slot_limits *l, uint64_t now_us);

/* Records that a program uses the connection. */
void slot_claim(struct slot *p, uint64_t now_us);

/* Records that data has moved; has no effect before slot_claim(). */
void slot_moved(struct slot *p, uint64_t now_us);

/* Leaves the slot. Does nothing if there is none. */
void slot_leave(struct slot *p);

#endif
