/* SPDX-License-Identifier: ISC */
/*
 * records.h - the records a node stores for others and serves, protocol 02
 * §1 to §7.
 *
 * Topics, the forward table, refresh tokens, mutable and immutable values, all
 * in bounded caches with a share per address and per /24. Serves the user
 * commands of the DHT that a table in records.c lists. Knows no handshake and
 * sends no request; the requests of this node to others are in
 * records_client.h. Allocates nothing for entries before one is stored. Uses:
 * base, crypto, dht.
 */
#ifndef RECORDS_RECORDS_H
#define RECORDS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/dht.h"
#include "records/record.h"
#include "records/topic.h"

struct records;

/*
 * Borrows core and d, which must outlive the result. Returns NULL without
 * memory.
 */
struct records *records_new(const struct core *core, struct dht *d);
void records_free(struct records *r);

/*
 * Serves a request that dht_recv() returned and that is not for the router.
 * Returns 0 if it was answered, or the counted reason why it was not.
 */
int records_serve(struct records *r, const struct dht_request *rq);

/*
 * Notes that a request of any command was received from a host. The record of
 * a listening node is not returned once its host has been silent for 60 s;
 * the next packet from that host makes it available again.
 */
void records_note_host(struct records *r, const struct addr *from);

/*
 * Finds the address to forward to for a target: where the node that announced
 * itself is reached from here. Returns false if there is none or its host has
 * been silent for too long.
 */
bool records_forward_for(
    const struct records *r, const uint8_t *target, struct addr *to);

/*
 * Pins a key that listens on this node: its record is returned whatever the
 * network announces or withdraws, until it is unpinned. The owner must not be
 * NULL. Returns 0, ERR_EXISTS or ERR_MEMORY.
 */
int records_pin(struct records *r, const uint8_t key[KEY_LEN], void *owner);
void records_unpin(struct records *r, const uint8_t key[KEY_LEN]);

/* Returns the owner of the pinned key with this target, or NULL. */
void *records_pinned(const struct records *r, const uint8_t *target);

/*
 * Each returns what this node stores itself, because its own queries ask only
 * other nodes. Results are borrowed until the next change.
 */
bool records_held_immutable(
    const struct records *r, const uint8_t *hash, struct bytes *value);
bool records_held_mutable(
    const struct records *r, const uint8_t *target, struct mutable_value *m);
bool records_held_peer(
    const struct records *r, const uint8_t *target, struct peer_record *p);
void records_held_topic(
    struct records *r, const uint8_t *topic, struct topic_pick *out);

/*
 * Each stores what this node itself announces or puts, for a node without a
 * network: its own queries find it, and so do those of nodes that join later.
 * Returns 0, ERR_MEMORY or, for a mutable value, ERR_SEQ_REUSED or ERR_SEQ_LOW.
 */
int records_keep_immutable(
    struct records *r, const uint8_t *hash, struct bytes value);
int records_keep_mutable(struct records *r, const struct key_pair *keys,
    uint64_t seq, struct bytes value);
int records_keep_peer(
    struct records *r, const uint8_t *topic, const struct peer_record *p);

/* Deletes the record of a key under a topic, if there is one. */
void records_forget_peer(
    struct records *r, const uint8_t *topic, const uint8_t key[KEY_LEN]);

struct records_status {
	uint32_t records, topics, forwards, refreshes;
	uint32_t values;      /* mutable and immutable */
	uint32_t value_bytes; /* of both */
};

void records_status(const struct records *r, struct records_status *out);

/*
 * Applies changed limits of the core. Entries above a new limit are evicted,
 * oldest first.
 */
void records_limits_changed(struct records *r);

#endif
