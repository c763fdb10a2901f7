/* SPDX-License-Identifier: ISC */
/*
 * client.h - many ephemeral peers behind one address, as the reference has
 * them: they ask, without an id, from ports of their own, and count what is
 * not answered.
 *
 * Uses: actor.
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
 * Asks once, without a retry: FIND_NODE if internal, else LOOKUP, from the
 * peer's port.
 */
void client_ask(struct actor *a, uint16_t port, struct spot to, bool internal);

/* Asked and never answered, of what was asked so far. */
uint64_t client_lost(const struct actor *a);

#endif
