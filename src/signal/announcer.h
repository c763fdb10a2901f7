/* SPDX-License-Identifier: ISC */
/*
 * announcer.h - keeps our keys reachable, protocol 02 §12.
 *
 * For each key: a walk towards H(key), an ANNOUNCE to three of the nodes
 * nearest to it, pings to those, and all over again every five minutes, or at
 * once when fewer of them answer, or when one sees us at another address than
 * the one it forwards to. Whom it left it tells so. Knows no handshake.
 * Uses: base, crypto, dht, records.
 */
#ifndef SIGNAL_ANNOUNCER_H
#define SIGNAL_ANNOUNCER_H

#include "base/core.h"
#include "crypto/keys.h"
#include "dht/dht.h"
#include "signal/relayset.h"

struct announcer;
struct announced; /* one key */

/* Called from completions and timers, never from a call of this header. */
struct announcer_sink {
	/* Other nodes forward than before (0), or none could be won (why). */
	void (*changed)(void *owner, int err);
	/* After announcer_del(): the key is withdrawn and *k is gone. */
	void (*ended)(void *owner);
	void *owner;
};

/* Borrows both, which must outlive it. NULL if memory is short. */
struct announcer *announcer_new(const struct core *core, struct dht *d);

/* After dht_end(). Keys that are left go without a word. */
void announcer_free(struct announcer *a);

/*
 * Begins at once. The keys are borrowed until `ended`. 0 or ERR_MEMORY; NULL
 * in *k then.
 */
int announcer_add(struct announcer *a, const struct key_pair *keys,
    struct announcer_sink sink, struct announced **k);

/* Withdraws the key from the nodes that forward to it. */
void announcer_del(struct announced *k);

/*
 * What we have told is void: another socket sends (pitfall T5), another
 * network, or the machine has slept. Every key begins anew at once.
 */
void announcer_renew(struct announcer *a);

/* The pace of DHT_EV_REPACED holds from now on. */
void announcer_repace(struct announcer *a);

/*
 * The nodes that forward to this key. Changes only when all ANNOUNCEs of a
 * cycle are answered (pitfall A7). Borrowed until the next change.
 */
const struct relay_set *announced_relays(const struct announced *k);

/* What clients should remember of us, protocol 03 §5, relayAddresses. */
size_t announced_addresses(
    const struct announced *k, struct addr out[RELAYS_MAX]);

/*
 * A datagram from this UDP source came through a relay of ours: one of the
 * current set, of the two before it, or of the one being won (pitfall P8).
 */
bool announced_through(const struct announced *k, const struct addr *from);

#endif
