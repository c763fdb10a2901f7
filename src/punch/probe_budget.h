/* SPDX-License-Identifier: ISC */
/*
 * probe_budget.h - limits datagrams to hosts that a peer or relay has named.
 *
 * Punch probes, open probes and path challenges leave for an address that a
 * relay, a peer or the source of a packet names: it may be that of a third
 * party. Every such datagram is charged to its host and to the /24 of that
 * host, over all connections and dials. The burst suffices for all probes of
 * one dial that has to guess ports; more dials to the same host within a minute
 * share it. A host that is validated receives at least what we send, and has
 * four times as much. What our own dials send and what others make us send have
 * a budget each. Uses: base, dht, signal.
 */
#ifndef PUNCH_PROBE_BUDGET_H
#define PUNCH_PROBE_BUDGET_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/dht.h"
#include "signal/prefix_budget.h"

/* Cause of a datagram: a dial of this node, or a message of another. Each has
 * buckets of its own, so that other nodes cannot use up those of our dials. */
enum probe_cause { PROBE_DIALED, PROBE_ASKED, PROBE_CAUSES };

struct probe_buckets {
	struct prefix_budgets hosts, prefixes; /* datagrams */
};

struct probe_budget {
	const struct core *core;
	const struct dht *dht;
	struct probe_buckets of[PROBE_CAUSES];
};

void probe_budget_init(
    struct probe_budget *pb, const struct core *core, const struct dht *dht);
void probe_budget_fini(struct probe_budget *pb);

/* Applies limits that have changed. */
void probe_budget_limits_changed(struct probe_budget *pb);

/* Charges a number of datagrams to the host. Returns false, and counts them as
 * refused, if they must not be sent. */
__attribute__((warn_unused_result)) bool probe_budget_take(
    struct probe_budget *pb, const struct addr *to, enum probe_cause cause,
    uint32_t datagrams);

#endif
