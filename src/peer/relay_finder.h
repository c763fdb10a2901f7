/* SPDX-License-Identifier: ISC */
/*
 * relay_finder.h - finds blind relays for the connections of this node.
 *
 * Protocol 10, "Relays are found". Once relays are needed, because our NAT
 * assigns ports at random or because hole punching has failed, it looks up
 * topics of relays, proves some of them by a control connection and keeps what
 * it has learned in a pool, from which dials and listeners name one. While
 * none are needed it sends nothing. Uses: base, crypto, dht, records, relay.
 */
#ifndef PEER_RELAY_FINDER_H
#define PEER_RELAY_FINDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/timer.h"
#include "crypto/keys.h"
#include "records/records_client.h"
#include "relay/relay_pool.h"

struct peers;

struct relay_finder {
	struct peers *peers;
	struct relay_pool pool;
	struct timer timer;
	struct records_op *lookup; /* in progress, or NULL */
	uint32_t found;            /* new relays of that lookup */
	uint64_t looked_us;        /* start of the last lookup; 0: none yet */
	uint32_t lacking;   /* lookups in a row that began with too few */
	uint64_t needed_us; /* relays are needed until then: punching failed */
	uint32_t level;     /* index into relay_level_bits */
	uint8_t secret[KEY_LEN]; /* chooses shards; drawn at the first lookup */
	uint32_t lookups;
};

/* Borrows p for its life. */
void relay_finder_init(struct relay_finder *f, struct peers *p);
void relay_finder_fini(struct relay_finder *f);

/*
 * Return the key of the relay to name to a peer, which is borrowed until the
 * next change, or NULL: none is known, or none is needed there. One is needed
 * where our NAT assigns ports at random; besides, in a dial if the last one to
 * the peer found no path, and in an answer if the client is behind the same
 * NAT, which may not support hairpinning (RFC 4787 §6).
 */
const uint8_t *relay_finder_for_dial(
    struct relay_finder *f, const uint8_t peer[KEY_LEN]);
const uint8_t *relay_finder_for_answer(
    struct relay_finder *f, const uint8_t peer[KEY_LEN], bool same_nat);

/* Returns the time after which another dial to a peer, which has ended for this
 * reason, may have found a relay; 0: relays are not sought. */
uint32_t relay_finder_retry_ms(const struct relay_finder *f, int err);

/* Notes the result of a dial: one that found no path makes relays needed. */
void relay_finder_note_dial(struct relay_finder *f, int err);

/* Looks relays up again soon, if they were sought, after a change of network or
 * a sleep. */
void relay_finder_renew(struct relay_finder *f);

/* Each notes how a control connection to a relay went. */
void relay_finder_proved(struct relay_finder *f, const uint8_t relay[KEY_LEN],
    const struct addr *addr, uint64_t rtt_us);
void relay_finder_refused(
    struct relay_finder *f, const uint8_t relay[KEY_LEN], uint64_t retry_s);
void relay_finder_failed(struct relay_finder *f, const uint8_t relay[KEY_LEN]);

#endif
