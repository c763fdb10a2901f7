/* SPDX-License-Identifier: ISC */
/*
 * client.h - many ephemeral peers behind one address, as the reference has
 * them.
 *
 * Each sends requests without an id from a port of its own and counts those
 * without a reply. Uses: actor.
 */
#ifndef SIM_CLIENT_H
#define SIM_CLIENT_H

#include "sim/actor.h"

enum { CLIENT_PENDING = 4096 };

struct client {
	struct {
		struct spot to;
		uint16_t port, tid;
		bool waits;
	} pending[CLIENT_PENDING];
	uint32_t next;
	uint64_t asked, answered;
};

struct actor *client_new(struct sim *s, uint32_t ip);

/*
 * Sends one request from the peer's port, without a retry: FIND_NODE if
 * internal, else LOOKUP.
 */
void client_ask(struct actor *a, uint16_t port, struct spot to, bool internal);

/* Returns how many requests so far have no reply. */
uint64_t client_lost(const struct actor *a);

#endif
