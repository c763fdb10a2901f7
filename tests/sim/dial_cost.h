/* SPDX-License-Identifier: ISC */
/*
 * dial_cost.h - the datagrams and turns that a dial takes until it is open.
 *
 * Counts what the two hosts send to each other, except other requests of the
 * DHT, and the signalling messages of the dial that a relay forwards, delivered
 * or not. The search for relays is a lookup and does not count. A dial that
 * takes more than its scenario allows fails the run, so that a storm of
 * datagrams cannot hide behind a success. Datagrams of another connection
 * between the two hosts are indistinguishable: while there is one, only
 * signalling messages count. Uses: dht, node, host, net.
 */
#ifndef SIM_DIAL_COST_H
#define SIM_DIAL_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dht/id.h"
#include "world/net.h"

struct host;
struct sim;

enum {
	/* Of a dial, unless its scenario or its call sets another. */
	DIAL_DATAGRAMS_MAX = 40,
	DIAL_TURNS_MAX = 12,

	DIAL_COST_MESSAGES = 64, /* the latest, which are remembered */
};

/* The most that a dial may take; 0: the default. */
struct dial_bound {
	uint32_t datagrams, turns;
};

/* A handshake or holepunch message of the caller. */
struct dial_message {
	uint16_t tid;
	bool forwarded; /* by a relay; or it was sent to the callee itself */
};

struct dial_cost {
	struct dial_cost *next; /* of the dials in progress */
	const struct host *caller, *callee;
	uint8_t target[ID_LEN]; /* of its signalling messages */
	struct dial_message messages[DIAL_COST_MESSAGES];
	uint32_t messages_len; /* recorded so far */
	bool alone;            /* no other connection between the two */
	bool received;         /* since the caller last sent */
	uint32_t datagrams;
	uint32_t turns; /* times that the caller sent after it had received */
};

struct dial_costs {
	struct dial_cost *all; /* of the dials in progress */
	uint32_t datagrams_max, turns_max;
};

/* Starts to count. The cost must stay until dial_cost_end(). */
void dial_cost_begin(struct sim *s, struct dial_cost *d,
    const struct host *caller, const struct host *callee);

/* Counts a datagram that is being sent. */
void dial_cost_sent(struct sim *s, const struct endpoint *src, struct spot to,
    const uint8_t *buf, size_t len);

/* Ends the count; fails the run if it is above the bound. Does nothing if the
 * count has ended. */
void dial_cost_end(
    struct sim *s, struct dial_cost *d, const struct dial_bound *bound);

#endif
