/* SPDX-License-Identifier: ISC */
/*
 * keepalive.h - pings to the nodes that forward to us, pitfalls A10 and A11.
 *
 * One PING each 3 s to each node, however many of our keys it forwards for,
 * from the socket that announces: that keeps open the way through a NAT, tells
 * the node that we live, and tells us the address to which it forwards. Where
 * the lifetime of mappings is known (dht/mapping.h), as seldom as it allows,
 * up to 25 s. Knows no key. Uses: base, dht.
 */
#ifndef SIGNAL_KEEPALIVE_H
#define SIGNAL_KEEPALIVE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/dht.h"

struct keepalive_sink {
	/* The relay sees us at this address. */
	void (*pong)(
	    void *owner, const struct addr *relay, const struct addr *us);
	/* It has not answered one PING in all its sends. */
	void (*lost)(void *owner, const struct addr *relay);
	void *owner;
};

LIST_HEAD(kept_list, kept);

struct keepalive {
	const struct core *core;
	struct dht *dht;
	struct keepalive_sink sink;
	struct kept_list kept;
	uint32_t turn; /* within the pace, of who is chosen next */
};

/* Borrows the core and the dht. Both calls of the sink may hold and let go. */
void keepalive_init(struct keepalive *k, const struct core *core, struct dht *d,
    struct keepalive_sink sink);
void keepalive_fini(struct keepalive *k);

/*
 * Counted: each hold needs its letting go. Without memory nothing is pinged,
 * and the letting go does nothing.
 */
void keepalive_hold(struct keepalive *k, const struct addr *relay);
void keepalive_release(struct keepalive *k, const struct addr *relay);

/* The pace of DHT_EV_REPACED holds from now on. */
void keepalive_repace(struct keepalive *k);

/* It is pinged, and the last PING was not answered. */
bool keepalive_is_lost(const struct keepalive *k, const struct addr *relay);

#endif
