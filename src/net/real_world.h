/* SPDX-License-Identifier: ISC */
/*
 * real_world.h - the real world: base/world.h on sockets, clocks and resolver
 * of this machine.
 *
 * Hands what comes in to its owner; sends what goes out when told to flush.
 * Uses: base, dht, log, libevent.
 */
#ifndef NET_REAL_WORLD_H
#define NET_REAL_WORLD_H

#include "base/world.h"
#include "net/clock.h"
#include "net/random.h"
#include "net/resolver.h"
#include "net/sockets.h"

struct real_world {
	struct world world; /* what the core sees */
	struct clock clock;
	struct random_pool random;
	struct resolver resolver;
	struct sockets *sockets;
};

/*
 * 0 or ERR_MEMORY, and then it can only be finished. The owner's functions and
 * answer (see resolver.h) are called with owner->owner, from the loop alone.
 */
int real_world_init(struct real_world *w, struct event_base *base,
    const struct sockets_owner *owner,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a));
void real_world_fini(struct real_world *w);

/* Sets the time; returns the microseconds slept that were not told before. */
uint64_t real_world_update(struct real_world *w);

#endif
