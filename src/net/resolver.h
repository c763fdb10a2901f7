/* SPDX-License-Identifier: ISC */
/*
 * resolver.h - names to IPv4 addresses, without ever waiting (evdns).
 *
 * The system's resolver settings are read when the first name is asked for and
 * dropped after the last answer: an idle daemon holds nothing of them, and the
 * next question finds them fresh.
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

/* One question. */
struct resolver_lookup {
	struct resolver *all;
	bool used, answered;
	struct evdns_getaddrinfo_request *request; /* NULL once answered */
	uint32_t ticket;
	struct addr addr; /* family none: the name has no address */
};

struct resolver {
	struct event_base *base;
	struct evdns_base *dns; /* while a question is open */
	struct event *deliver;
	struct resolver_lookup lookup[RESOLVER_MAX];
	/* Never called from resolver_ask(); a is NULL if there is none. */
	void (*answer)(void *owner, uint32_t ticket, const struct addr *a);
	void *owner;
};

/* 0 or ERR_MEMORY. */
int resolver_init(struct resolver *r, struct event_base *base,
    void (*answer)(void *owner, uint32_t ticket, const struct addr *a),
    void *owner);

/*
 * Cancels open questions, which stay without an answer. evdns frees them when
 * the loop runs next; *r must exist until then.
 */
void resolver_fini(struct resolver *r);

/* 0, or ERR_BUSY if RESOLVER_MAX questions are open. */
int resolver_ask(struct resolver *r, const char *name, uint32_t ticket);

#endif
