/* SPDX-License-Identifier: ISC */
/*
 * keepalive.h - keep-alive pings to our relays, pitfalls A10 and A11.
 *
 * Sends one PING each 3 s to each relay, however many of our keys it forwards
 * for, from the socket that announces. This keeps the NAT mapping open, shows
 * the relay that we are alive, and returns the address that it forwards to. If
 * the lifetime of mappings is known (dht/mapping.h), the interval is as long as
 * that allows, up to 25 s. Knows no key. Uses: base, dht.
 */
#ifndef SIGNAL_KEEPALIVE_H
#define SIGNAL_KEEPALIVE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/dht.h"

struct keepalive_sink {
	/* A relay answered; it sees us at this address. */
	void (*pong)(
	    void *owner, const struct addr *relay, const struct addr *us);
	/* A relay answered no transmission of a PING. */
	void (*lost)(void *owner, const struct addr *relay);
	void *owner;
};

LIST_HEAD(keepalive_relay_list, keepalive_relay);

struct keepalive {
	const struct core *core;
	struct dht *dht;
	struct keepalive_sink sink;
	struct keepalive_relay_list relays;
	uint32_t next_phase; /* within the interval, of the next new relay */
};

/* Borrows core and d. Both functions of the sink may hold and release. */
void keepalive_init(struct keepalive *k, const struct core *core, struct dht *d,
    struct keepalive_sink sink);
void keepalive_fini(struct keepalive *k);

/*
 * References to a relay are counted: each hold needs one release. Without
 * memory the relay is not pinged, and the release has no effect.
 */
void keepalive_hold(struct keepalive *k, const struct addr *relay);
void keepalive_release(struct keepalive *k, const struct addr *relay);

/* Applies a changed interval, after DHT_EV_REPACED. */
void keepalive_interval_changed(struct keepalive *k);

/* Returns whether a relay is pinged and did not answer the last PING. */
bool keepalive_is_lost(const struct keepalive *k, const struct addr *relay);

#endif
