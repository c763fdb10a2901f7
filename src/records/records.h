/* SPDX-License-Identifier: ISC */
/*
 * records.h - what one node holds for others, and its answers: protocol 02 §1
 * to §7.
 *
 * Topics, the forward table, refresh tokens, mutable and immutable values, all
 * in bounded caches with shares per address and /24. Serves commands 2 to 10
 * of persistent nodes. Knows no handshake and starts no request; what this
 * node asks of others is in client.h. Nothing is allocated before something is
 * stored. Uses: base, crypto, dht.
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

/* Borrows both, which must outlive it. NULL if memory is short. */
struct records *records_new(const struct core *core, struct dht *d);
void records_free(struct records *r);

/*
 * Serves a request that dht_recv() has handed up, and that is not for the
 * router. 0 if it was answered, else why there was no answer (counted).
 */
int records_serve(struct records *r, const struct dht_request *rq);

/*
 * To be called for each request received, of whatever command: a listening
 * node that is silent for 60 s is offered to nobody, its next packet brings it
 * back.
 */
void records_note_host(struct records *r, const struct addr *from);

/*
 * Where the node that announced itself under the target may be reached from
 * here; false if there is none, or it has been silent for too long.
 */
bool records_forward_for(
    const struct records *r, const uint8_t *target, struct addr *to);

/*
 * A key that listens on this node: found here under its target, whatever the
 * network announces or withdraws, until it is unpinned. The owner is not NULL;
 * records_pinned() returns it for the target, or NULL. records_pin() returns 0,
 * ERR_EXISTS or ERR_MEMORY.
 */
int records_pin(struct records *r, const uint8_t key[KEY_LEN], void *owner);
void records_unpin(struct records *r, const uint8_t key[KEY_LEN]);
void *records_pinned(const struct records *r, const uint8_t *target);

/*
 * What this node itself holds: its own reads ask everybody else. All that is
 * handed out is borrowed until the next change.
 */
bool records_held_immutable(
    const struct records *r, const uint8_t *hash, struct bytes *value);
bool records_held_mutable(
    const struct records *r, const uint8_t *target, struct mutable_value *m);
bool records_held_peer(
    const struct records *r, const uint8_t *target, struct peer_record *p);
void records_held_topic(
    struct records *r, const uint8_t *topic, struct topic_pick *out);

struct records_status {
	uint32_t records, topics, forwards, refreshes;
	uint32_t values;      /* mutable and immutable */
	uint32_t value_bytes; /* of both */
};

void records_status(const struct records *r, struct records_status *out);

/* After the limits of the core have changed: what is above its new limit goes,
 * oldest first. */
void records_limits_changed(struct records *r);

#endif
