/* SPDX-License-Identifier: ISC */
/*
 * destination_budget.h - limits the distinct addresses that others make us
 * probe.
 *
 * The first datagram to an address that a peer or a relay names opens an entry
 * in our NAT and its filter. A peer that names ever other addresses must not
 * fill these tables, nor use us to scan a network. An address is charged again
 * after half a minute. What arrives through a relay of ours is charged to the
 * client's prefix as the relay reports it, and to the relay, which may lie and
 * has a quarter; all else together has a quarter too. The addresses of our own
 * dials have a budget of their own. The address from which a datagram has come
 * is free. Uses: base, dht, signal.
 */
#ifndef PUNCH_DESTINATION_BUDGET_H
#define PUNCH_DESTINATION_BUDGET_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/core.h"
#include "punch/probe_budget.h"
#include "signal/prefix_budget.h"

/* Who makes us send to an address. */
struct probe_origin {
	enum probe_cause cause;
	/* Of PROBE_ASKED: the sender of the message, and if that is a relay of
	 * ours, the client that it reports. */
	struct addr from, client;
	bool relayed;
};

/* Remembered addresses; a new one overwrites the one that its hash selects. */
enum { DESTINATIONS_MAX = 2048 };

struct destination {
	uint32_t tag, at_s; /* at_s 0: none */
};

struct destination_budget {
	const struct core *core;
	struct destination seen[DESTINATIONS_MAX];
	struct bucket all[PROBE_CAUSES];
	struct prefix_budgets relays, clients;
};

void destination_budget_init(
    struct destination_budget *b, const struct core *core);
void destination_budget_fini(struct destination_budget *b);
void destination_budget_limits_changed(struct destination_budget *b);

/* Charges an address; port 0 stands for all ports of a host. Returns false, and
 * counts it as refused, if nothing must be sent there. */
__attribute__((warn_unused_result)) bool destination_budget_take(
    struct destination_budget *b, const struct addr *to,
    const struct probe_origin *origin);

#endif
