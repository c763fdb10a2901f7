/* SPDX-License-Identifier: ISC */
/*
 * resolver.h - resolves names to IPv4 addresses without blocking (evdns).
 *
 * The system's resolver settings are read for the first lookup and dropped
 * after the last answer: an idle daemon holds no memory for them, and the next
 * lookup uses the current ones. Uses: base, dht, log, libevent.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "dht/bootstrap.h"

enum { RESOLVER_MAX = BOOTSTRAP_MAX };

struct evdns_base;
struct evdns_getaddrinfo_request;
struct event;
struct event_base;

struct resolver;

/* One lookup. */
struct resolver_lookup {
	struct resolver *resolver;
	bool used, answered;
	struct evdns_getaddrinfo_request *request; /* NULL when answered */
	uint32_t ticket;
	struct addr addr; /* family none if the name has no address */
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns; /* NULL if no lookup is open */
	struct event *deliver;
	struct resolver_lookup lookup[RESOLVER_MAX];
	/* Not called from resolver_lookup_start(). a is NULL if the lookup
	 * failed. */
	void (*answer)(void *owner, uint32_t ticket, const struct addr *a);
	void *owner;
};

/* Returns 0 or ERR_MEMORY; resolver_fini() is called in both cases. */
int resolver_init(struct resolver *r, struct event_base *base,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a),
    void *owner) __attribute__((warn_unused_result));

/*
 * Cancels open lookups without calling answer(). evdns frees them in the next
 * turn of the event loop; *r must exist until then.
 */
void resolver_fini(struct resolver *r);

/* Starts a lookup; answer() gets the ticket. Returns 0, ERR_MEMORY, or ERR_BUSY
 * if RESOLVER_MAX lookups are open. */
int resolver_lookup_start(struct resolver *r, const char *name, uint32_t ticket)
    __attribute__((warn_unused_result));

#endif
