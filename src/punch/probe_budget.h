/* SPDX-License-Identifier: ISC */
/*
 * probe_budget.h - limits the datagrams for hosts that somebody has named.
 *
 * Punch probes, open probes and path challenges leave for an address that a
 * relay, a peer or the source of a packet names: it may be that of a third
 * party. Every such datagram is charged to its host and to the /24 of that
 * host, over all connections and dials. The burst suffices for all probes of
 * one dial that has to guess ports; more dials to the same host within a minute
 * share it. A host that is validated receives at least what we send, and has
 * four times as much. Uses: base, dht, signal.
 */
#ifndef PUNCH_PROBE_BUDGET_H
#define PUNCH_PROBE_BUDGET_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/dht.h"
#include "signal/prefix_budget.h"

struct probe_budget {
	const struct core *core;
	const struct dht *dht;
	struct prefix_budgets hosts, prefixes; /* datagrams */
};

void probe_budget_init(
    struct probe_budget *pb, const struct core *core, const struct dht *dht);
void probe_budget_fini(struct probe_budget *pb);

/* Applies limits that have changed. */
void probe_budget_limits_changed(struct probe_budget *pb);

/* Charges one datagram. Returns false, and counts it, if it must not be
 * sent. */
__attribute__((warn_unused_result)) bool probe_budget_take(
    struct probe_budget *pb, const struct addr *to);

#endif
