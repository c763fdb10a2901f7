/* SPDX-License-Identifier: ISC */
/*
 * mesh.h - several DHT nodes in one virtual time and the links between them.
 *
 * For unit tests only; tests/sim simulates larger networks. Every datagram
 * takes the same time. Each node has an address in a /24 of its own, behind a
 * NAT box that may change its host or its ports.
 */
#ifndef TEST_MESH_H
#define TEST_MESH_H

#include "dht_rig.h"
#include "t.h"

struct mesh_node {
	struct rig r;
	bool on;        /* it has been started */
	bool closed;    /* packets to its server socket are dropped */
	int port_shift; /* of r.host, from when it is started */
};

struct mesh {
	struct lan lan; /* net.faults may be changed */
	struct mesh_node *nodes;
	unsigned len;
	uint64_t seed;
};

void mesh_init(struct mesh *n, unsigned nodes, uint64_t seed);
void mesh_fini(struct mesh *n);

/*
 * Starts node i. Node 0 is the bootstrap node; all others get its address. A
 * NULL configuration means that of mesh_config().
 */
void mesh_start(struct mesh *n, unsigned i, const struct dht_config *c);
void mesh_config(struct dht_config *c, enum dht_role role);

/* Starts nodes 0 to len-1, all persistent, and waits until all have joined. */
void mesh_start_all(struct mesh *n);

void mesh_run_ms(struct mesh *n, uint64_t ms);

/* Assigns another public host to node i without notifying it. */
void mesh_move(struct mesh *n, unsigned i);

/* Returns the public address of the server socket of node i. */
struct addr mesh_address(const struct mesh *n, unsigned i);
struct dht *mesh_dht(const struct mesh *n, unsigned i);

/* Returns whether node i has node k in its table. */
bool mesh_knows(const struct mesh *n, unsigned i, unsigned k);

#endif
