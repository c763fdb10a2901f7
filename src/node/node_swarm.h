/* SPDX-License-Identifier: ISC */
/*
 * node_swarm.h - topics that a node joins: swarms on its DHT and connections.
 *
 * A swarm has a key pair, a listener once a topic is joined as a server, and
 * connections that it dials or accepts, one for each peer. Its number is that
 * of its listener, too: NODE_EV_OPEN of each of its connections carries it as
 * `listener`, also of dialed ones, and NODE_EV_UNLISTENED ends it.
 * Uses: base, crypto, peer, swarm.
 */
#ifndef NODE_NODE_SWARM_H
#define NODE_NODE_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "crypto/keys.h"
#include "peer/peer.h"
#include "swarm/swarm.h"

struct announcement_id;
struct node;
struct node_swarm;

struct node_swarms {
	TAILQ_HEAD(, node_swarm) all;
	uint32_t len;
};

/* ---- for the application ---- */

struct node_swarm_config {
	/* Borrowed until NODE_EV_UNLISTENED, and by each of its connections
	 * until that one has ended. NULL: the node's identity. */
	const struct key_pair *keys;
	/* Keys that may connect and are dialed, copied; none: any key. */
	const uint8_t (*allow)[KEY_LEN];
	size_t allow_len;
};

/* Creates a swarm without topics. Returns 0, or ERR_EXISTS (the key pair has
 * one already), ERR_LIMIT, ERR_CLOSED or ERR_MEMORY. */
int node_swarm_new(
    struct node *n, const struct node_swarm_config *c, uint32_t *number);

/* Leaves all topics. Open connections stay. NODE_EV_UNLISTENED follows. */
void node_swarm_end(struct node *n, uint32_t number);

/* Joins a topic, see swarm_join(). Also returns ERR_UNKNOWN, and the errors of
 * node_listen(). */
int node_swarm_join(struct node *n, uint32_t number, const uint8_t *topic,
    unsigned roles, uint32_t limit, uint32_t *session);
void node_swarm_leave(struct node *n, uint32_t number, uint32_t session);

/* Returns the swarm, for its status; NULL: unknown. */
const struct swarm *node_swarm(const struct node *n, uint32_t number);

/* Returns whether a connection with the peer may be one of the topic: it was
 * found under the topic, or under none, as a peer that has dialed does not say
 * which one it means. */
bool node_swarm_shares(const struct node *n, uint32_t number,
    const uint8_t *key, const uint8_t *topic);

/* ---- for the other files of this module ---- */

void node_swarms_init(struct node *n);
void node_swarms_fini(struct node *n);

/* Stops all swarms, as the node leaves the network. */
void node_swarms_leave(struct node *n);
void node_swarms_network_changed(struct node *n);

/* Handles the end of a round of an announcement. */
void node_swarms_announced(
    struct node *n, const struct announcement_id *id, int err);

/* Handles an event of a listener or a connection, and completes it. Returns
 * false if the application does not see it. */
bool node_swarms_take(struct node *n, struct peer_event *e);

/* Makes *e report a swarm that has ended; returns false if there is none. */
bool node_swarms_ended(struct node *n, struct peer_event *e);

/* Handles a connection that the application has closed. */
void node_swarms_closed(struct node *n, uint32_t conn);

#endif
