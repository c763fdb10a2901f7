/* SPDX-License-Identifier: ISC */
/*
 * stored_volume.h - stores what is left of the relay's volume, so that neither
 * a restart nor a crash returns what was spent.
 */
#ifndef STORE_STORED_VOLUME_H
#define STORE_STORED_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node_relay.h"
#include "store/state.h"

struct stored_volume {
	const struct state *state;
	uint64_t retry_us; /* after a failure: when to try again */
};

/* Restores what a former run has stored. Without it, the volume flows in from
 * now on. Borrows the state. */
void stored_volume_load(
    struct stored_volume *s, const struct state *state, struct node *n);

/*
 * Stores the volume of the node if that is due; `last`: in any case. Failures
 * are logged; then the relay spends what was stored before and no more. Without
 * a state directory nothing is stored: a restart begins with an empty volume.
 * A node that does not relay stores nothing, either.
 */
void stored_volume_save(
    struct stored_volume *s, struct node *n, uint64_t now_us, bool last);

#endif
