/* SPDX-License-Identifier: ISC */
/*
 * local_node.h - what this node knows of itself: sockets, role, id, address.
 *
 * The modules of the DHT share one struct local_node, which struct dht embeds
 * and which each of them borrows. It also carries what the core gave to
 * dht_new(), so that a module needs no other context, and the routing table
 * around our id. Only maintenance.c advances `tick`, only joining.c
 * sets `bootstrapped`, only promotion.c changes role and address.
 */
#ifndef DHT_LOCAL_NODE_H
#define DHT_LOCAL_NODE_H

#include "base/core.h"
#include "dht/dht.h"
#include "dht/mapping.h"
#include "dht/sampler.h"
#include "dht/table.h"

enum {
	TICK_MS = 5000,  /* protocol 01 §17 */
	TICKS_OLD = 360, /* 30 min: a node's view of our address is sampled
			  * again after this time */
};

struct dht_socket {
	int handle; /* or WORLD_NO_SOCK */
	struct addr bound;
};

/*
 * Members that every datagram touches come first: one process may run
 * thousands of nodes.
 */
struct local_node {
	struct world *world; /* these four are borrowed from the core */
	struct timers *timers;
	struct stats *stats;
	const struct limits *limits;
	uint32_t tick; /* ticks since a random start; may wrap around */
	bool bootstrapped, ephemeral, firewalled, closing;
	unsigned events; /* enum dht_event, not yet returned */
	/* The address that our id is the hash of. Family none: the id is
	 * random and is never sent. */
	struct addr own;
	struct dht_socket server, client;
	struct hash_key hash_key; /* differs from the key of the core */
	struct table table;
	struct sampler sampler; /* of our address, as other nodes see it */
	struct mapping mapping;
	struct dht_config config; /* without the lists that it points to */
};

/* Initialises *n with a random id. The sockets are opened separately. */
void local_node_init(
    struct local_node *n, const struct core *core, const struct dht_config *c);

/* Closes the sockets and frees the table. */
void local_node_fini(struct local_node *n);

/* Opens both sockets. Returns 0, ERR_ADDRESS_USED or ERR_SOCKET. */
__attribute__((warn_unused_result)) int local_node_open(struct local_node *n);

/*
 * Opens one more socket on any port. Returns its handle, or an error as above.
 */
int local_node_open_socket(struct local_node *n, struct addr *bound);

/* Returns the socket that own requests leave from. */
static inline const struct dht_socket *
local_node_active_socket(const struct local_node *n)
{
	return n->firewalled ? &n->client : &n->server;
}

/*
 * Returns the id to put into a message that leaves from this socket, or NULL.
 */
const uint8_t *local_node_id_for(const struct local_node *n, int sock);

/*
 * Returns `claimed` if it is the id of the node at `from`, else NULL. Computes
 * no hash if the routing table contains the node.
 */
const uint8_t *local_node_verify_id(const struct local_node *n,
    const uint8_t *claimed, const struct addr *from);

/* Returns our address, or NULL until host and port are both known. */
const struct addr *local_node_public_address(const struct local_node *n);

/*
 * Returns true while our address is a private one, or private_network is set.
 */
bool local_node_is_private(const struct local_node *n);

/* Returns the limits of shares per host and per /24, or NULL while they are
 * off because this network is private. */
const struct limits *local_node_shares(const struct local_node *n);

/* Implements dht_may_send(). */
bool local_node_may_send(const struct local_node *n, const struct addr *to);

/* Commits the datagram of len bytes that was reserved, and counts it. Returns
 * 0 or the error of the world. */
int local_node_commit(struct local_node *n, size_t len);

/*
 * Sends a copy of the len bytes at buf; len 0 stands for a message that did not
 * fit. Returns 0, ERR_TOO_BIG, ERR_FULL or the error of the world.
 */
int local_node_send(struct local_node *n, const struct dgram_meta *meta,
    const uint8_t *buf, size_t len);

#endif
