/* SPDX-License-Identifier: ISC */
/*
 * real_world.h - the world of base/world.h on the sockets, the clocks, the
 * resolver and the libraries of this machine.
 *
 * Passes received datagrams to its owner and sends the transmit batch when the
 * owner flushes it. Uses: base, crypto, dht, log, libevent.
 */
#ifndef NET_REAL_WORLD_H
#define NET_REAL_WORLD_H

#include "base/world.h"
#include "net/wakeup_clock.h"
#include "net/random.h"
#include "net/resolver.h"
#include "net/sockets.h"

/* The world and what implements it. */
struct real_world {
	struct world world; /* as the core sees it */
	struct wakeup_clock clock;
	struct random_pool random;
	struct resolver resolver;
	struct sockets *sockets;
};

/*
 * Returns 0, or ERR_MEMORY; real_world_fini() is called in both cases. The
 * owner's functions and answer (see resolver.h) are called with owner->owner,
 * from the event loop only.
 */
int real_world_init(struct real_world *w, struct event_base *base,
    const struct sockets_owner *owner,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a))
    __attribute__((warn_unused_result));

/* Closes all sockets and cancels open lookups. */
void real_world_fini(struct real_world *w);

/* Updates the time. Returns the microseconds of sleep since the last update. */
uint64_t real_world_update(struct real_world *w);

#endif
