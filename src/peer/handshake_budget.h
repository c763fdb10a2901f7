/* SPDX-License-Identifier: ISC */
/*
 * handshake_budget.h - rations the curve operations for incoming handshakes.
 *
 * A handshake takes a fraction of a millisecond to compute, and its source
 * address may be forged. All of them together have a number of operations per
 * second. Half of the burst is kept for the handshakes that arrive through one
 * of our relays or from a validated host, so that a flood from unvalidated
 * sources never delays those. As these addresses can be forged as well, each
 * relay has a share, and all validated hosts together have one; beyond that
 * they count as unvalidated. Besides, each /24 has a rate of its own: through
 * each relay, and without one. Every decision takes constant time. Uses: base,
 * crypto, signal.
 */
#ifndef PEER_HANDSHAKE_BUDGET_H
#define PEER_HANDSHAKE_BUDGET_H

#include "base/bucket.h"
#include "base/core.h"
#include "crypto/noise.h"
#include "signal/prefix_budget.h"

enum handshake_trust {
	HANDSHAKE_UNVALIDATED,
	HANDSHAKE_VALIDATED,
	HANDSHAKE_CLASSES,
};

enum {
	HANDSHAKE_OPERATIONS = NOISE_OPERATIONS,
	HANDSHAKE_ANSWER_OPERATIONS = NOISE_2_OPERATIONS,
	/* Operations per second if neither the configuration nor a measurement
	 * has set them. */
	HANDSHAKE_OPERATIONS_DEFAULT = 4000,
};

struct handshake_source {
	enum handshake_trust trust;
	const struct addr *payer; /* its /24 is charged */
	const struct addr *relay; /* our relay that forwarded it, or NULL */
};

struct handshake_budget {
	const struct core *core;
	struct prefix_budgets payers[HANDSHAKE_CLASSES]; /* handshakes */
	struct prefix_budgets relays;                    /* operations */
	struct bucket total, hosts; /* operations: all; validated hosts */
};

void handshake_budget_init(
    struct handshake_budget *hb, const struct core *core);
void handshake_budget_fini(struct handshake_budget *hb);

/* Applies limits that have changed. */
void handshake_budget_limits_changed(struct handshake_budget *hb);

/*
 * Charges one handshake. Returns false, and counts it, if it must not be
 * computed. A source without a share left becomes unvalidated, and a relay then
 * pays for its own /24, like a source that is no relay.
 */
__attribute__((warn_unused_result)) bool handshake_budget_take(
    struct handshake_budget *hb, struct handshake_source *s);

/* Charges the share of another relay for a handshake that was computed. Returns
 * false if the share does not suffice. */
__attribute__((warn_unused_result)) bool handshake_budget_take_share(
    struct handshake_budget *hb, const struct handshake_source *s);

/* Records what was computed for a handshake: its answer too, unless its message
 * was not valid. Gives back what was charged for an answer that was not
 * computed. */
void handshake_budget_computed(struct handshake_budget *hb, bool answer);

#endif
