/* SPDX-License-Identifier: ISC */
/*
 * relay_announcer.h - announces the blind relay of this node, so that others
 * find it.
 *
 * Protocol 10, "Relays are found": one topic of each level for today and one
 * for the next day. Users do not see these announcements. Uses: base, crypto,
 * relay.
 */
#ifndef NODE_RELAY_ANNOUNCER_H
#define NODE_RELAY_ANNOUNCER_H

#include <stdint.h>

#include "base/timer.h"
#include "crypto/keys.h"

struct node;

struct relay_announcer {
	const struct key_pair *keys; /* of the relay; NULL: off */
	uint32_t day;                /* of the topics that are announced */
	struct timer timer;          /* the day is checked again */
};

/* Starts to announce a relay's key; borrows the keys until the stop. */
void relay_announcer_start(struct node *n, const struct key_pair *keys);

/* Withdraws the announcements. Does nothing if there are none. */
void relay_announcer_stop(struct node *n);

/* For the end of the node: sends nothing. */
void relay_announcer_fini(struct node *n);

#endif
