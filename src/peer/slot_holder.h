/* SPDX-License-Identifier: ISC */
/*
 * slot_holder.h - who holds the slots of a listener or of the node: the
 * peers' keys, or their network prefixes.
 *
 * Each holder has the slots of one key or of one prefix. A table finds a
 * holder by its id, and the holder with the most slots: a heap by the number
 * of slots, so that neither depends on how many slots there are.
 * Uses: base, crypto.
 */
#ifndef PEER_SLOT_HOLDER_H
#define PEER_SLOT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "crypto/keys.h"

struct slot;
struct slot_holder;

/* Membership of one slot in one holder. */
struct slot_link {
	TAILQ_ENTRY(slot_link) entry;
	struct slot_holder *holder; /* NULL: none */
	struct slot *slot;
};

TAILQ_HEAD(slot_links, slot_link);

struct slot_holder {
	UT_hash_handle hh;
	uint8_t id[KEY_LEN];
	struct slot_links unclaimed; /* oldest first */
	struct slot_links claimed;   /* the longest idle first */
	struct slot_links exempt;    /* that no share binds */
	uint32_t len;                /* slots in the first two lists */
	uint32_t exempt_len;
	uint32_t rank; /* index in the heap */
};

struct slot_holders {
	const struct hash_key *hash_key;
	struct slot_holder *by_id; /* hash table */
	struct slot_holder **heap; /* the largest one first */
	uint32_t heap_len, heap_cap;
};

/* Returns what one slot takes at most beside its connection, if it is the only
 * one of its holders. */
size_t slot_holders_bytes_max(void);

/* Borrows the hash key. */
void slot_holders_init(struct slot_holders *t, const struct hash_key *key);
void slot_holders_fini(struct slot_holders *t);

/* Returns the holder of that id, or NULL. */
struct slot_holder *slot_holder_find(
    const struct slot_holders *t, const uint8_t id[KEY_LEN]);

/* Returns the holder with the most slots that are not exempt, or NULL. */
struct slot_holder *slot_holder_largest(const struct slot_holders *t);

/* Adds a slot to the holder of that id, which is created if need be. Returns 0
 * or ERR_MEMORY. */
int slot_holder_add(struct slot_holders *t, const uint8_t id[KEY_LEN],
    struct slot_link *link, struct slot *slot, bool claimed)
    __attribute__((warn_unused_result));

/* Removes a slot; the holder ends with its last one. Does nothing if the link
 * has no holder. */
void slot_holder_remove(struct slot_holders *t, struct slot_link *link);

/* Moves a slot to the end of the list of claimed ones: from that of the
 * unclaimed ones, and from any position in it. One that no share binds moves in
 * its own list. */
void slot_holder_claim(struct slot_link *link);
void slot_holder_touch(struct slot_link *link);

#endif
