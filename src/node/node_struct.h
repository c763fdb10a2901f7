/* SPDX-License-Identifier: ISC */
/*
 * node_struct.h - the state of a node: the modules that it owns, in their
 * order.
 *
 * node.c owns what stands here; each other file takes the node as its context
 * and changes its own struct alone.
 */
#ifndef NODE_NODE_STRUCT_H
#define NODE_NODE_STRUCT_H

#include "base/core.h"
#include "node/announcement.h"
#include "node/event_queue.h"
#include "node/node.h"
#include "node/node_op.h"
#include "node/node_relay.h"
#include "node/node_swarm.h"
#include "node/relay_announcer.h"
#include "peer/listener.h"
#include "punch/netcheck.h"
#include "punch/punch.h"
#include "records/records.h"
#include "signal/router.h"
#include "udx/udx.h"

struct node_relay_state {
	bool on;
	enum node_relay_mode mode;
	size_t allow_len; /* keys that may use the relay; 0: all */
};

struct node {
	struct world *world;
	struct timers timers;
	struct stats stats;
	struct core core;
	struct node_config config;
	struct dht *dht;
	struct udx *udx;
	struct records *records;
	struct router *router;
	struct punch *punch;
	struct peers *peers;
	struct local_addrs local;
	struct netcheck_result netcheck; /* of the last check */
	struct node_relay_state relaying;
	uint64_t started_us;
	uint64_t stalled_us; /* end of the latest stall; 0: none yet */

	struct event_queue events;
	struct node_ops ops;
	struct announcements announcements;
	struct relay_announcer relay_announcer;
	struct node_swarms swarms;
	struct node_leave leave;
};

/* Returns the key of the blind relay to name to any peer: the given one, or
 * else that of the configuration; NULL: none, or one that was found. */
static inline const uint8_t *
node_relay(const struct node *n, const uint8_t *given)
{
	if (given != NULL || !n->config.names_relay)
		return given;
	return n->config.relay_through;
}

#endif
