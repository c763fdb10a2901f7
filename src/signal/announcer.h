/* SPDX-License-Identifier: ISC */
/*
 * announcer.h - keeps our listening keys announced, protocol 02 §12.
 *
 * Runs a cycle for each key: a query for H(key), an ANNOUNCE to three of the
 * closest nodes, which then are its relays, and keep-alive pings to those. A
 * cycle starts every five minutes, and early if a relay does not answer or sees
 * us at another address than the one it forwards to. A relay that is replaced
 * gets an UNANNOUNCE. Knows no handshake. Uses: base, crypto, dht, records.
 */
#ifndef SIGNAL_ANNOUNCER_H
#define SIGNAL_ANNOUNCER_H

#include "base/core.h"
#include "crypto/keys.h"
#include "dht/dht.h"
#include "signal/relayset.h"

struct announcer;
struct announced; /* the state of one key */

/* Called from completions and timers, never from a function of this header. */
struct announcer_sink {
	/*
	 * The set of relays has changed (0), or no node could become one (err).
	 */
	void (*changed)(void *owner, int err);
	/* After announcer_del(): the key is withdrawn and *k is freed. */
	void (*ended)(void *owner);
	void *owner;
};

/*
 * Borrows core and d, which must outlive the result. Returns NULL without
 * memory.
 */
struct announcer *announcer_new(const struct core *core, struct dht *d);

/* Frees the announcer after dht_end(). Remaining keys are not withdrawn. */
void announcer_free(struct announcer *a);

/*
 * Adds a key. Its first cycle starts in the next wake-up. The keys are
 * borrowed until `ended`. Returns 0, or ERR_MEMORY and NULL in *k.
 */
int announcer_add(struct announcer *a, const struct key_pair *keys,
    struct announcer_sink sink, struct announced **k);

/* Withdraws the key from its relays. `ended` is called once that is done. */
void announcer_del(struct announced *k);

/*
 * Starts a new cycle of every key at once, because what was announced no longer
 * holds: another socket sends (pitfall T5), the network has changed, or the
 * machine was suspended.
 */
void announcer_renew(struct announcer *a);

/* Applies a changed keep-alive interval, after DHT_EV_REPACED. */
void announcer_interval_changed(struct announcer *a);

/*
 * Returns the relays of a key, borrowed until the next change. They change only
 * when all ANNOUNCEs of a cycle are answered (pitfall A7).
 */
const struct relay_set *announced_relays(const struct announced *k);

/*
 * Lists the addresses that clients should remember, protocol 03 §5,
 * relayAddresses. Returns their number.
 */
size_t announced_addresses(
    const struct announced *k, struct addr out[RELAYS_MAX]);

/*
 * Returns whether an address is that of a relay of the key: of the current set,
 * of the two sets before it, or of those that confirmed in the running cycle
 * (pitfall P8).
 */
bool announced_through(const struct announced *k, const struct addr *from);

#endif
