/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include "base/err.h"
#include "base/timer.h"
#include "net/libcrypto_cipher.h"
#include "net/real_world.h"

static struct real_world *
real_world_of(struct world *w)
{
	return container_of(w, struct real_world, world);
}

static int
world_open(struct world *w, const struct addr *at, struct addr *bound)
{
	return sockets_open(real_world_of(w)->sockets, at, bound);
}

static void
world_close(struct world *w, int sock)
{
	sockets_close(real_world_of(w)->sockets, sock);
}

static int
world_resolve(struct world *w, const char *name, uint32_t ticket)
{
	return resolver_lookup_start(&real_world_of(w)->resolver, name, ticket);
}

static void
world_random(struct world *w, void *out, size_t len)
{
	random_get(&real_world_of(w)->random, out, len);
}

static uint8_t *
world_reserve(struct world *w, const struct dgram_meta *meta, size_t cap)
{
	return sockets_reserve(real_world_of(w)->sockets, meta, cap);
}

static int
world_commit(struct world *w, size_t len)
{
	return sockets_commit(real_world_of(w)->sockets, len);
}

static const struct world_ops ops = {
    .open = world_open,
    .close = world_close,
    .resolve = world_resolve,
    .random = world_random,
    .reserve = world_reserve,
    .commit = world_commit,
};

static void
copy_time(struct real_world *w)
{
	w->world.now_us = w->clock.now_us;
	w->world.unix_ms = w->clock.unix_ms;
}

int
real_world_init(struct real_world *w, struct event_base *base,
    const struct sockets_owner *owner,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a))
{
	*w = (struct real_world){.world.ops = &ops};
	wakeup_clock_init(&w->clock);
	copy_time(w);
	w->world.bulk_cipher = libcrypto_cipher_new();
	w->sockets = sockets_new(base, owner);
	return w->sockets == NULL
		   ? ERR_MEMORY
		   : resolver_init(&w->resolver, base, answer, owner->owner);
}

void
real_world_fini(struct real_world *w)
{
	resolver_fini(&w->resolver);
	sockets_free(w->sockets);
	libcrypto_cipher_free(w->world.bulk_cipher);
	sodium_memzero(&w->random, sizeof w->random);
}

uint64_t
real_world_update(struct real_world *w)
{
	uint64_t slept = wakeup_clock_update(&w->clock);

	copy_time(w);
	return slept;
}
