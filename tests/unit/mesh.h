/* SPDX-License-Identifier: ISC */
/*
 * mesh.h - several DHT nodes in one virtual time and the links between them.
 *
 * For unit tests only; tests/sim simulates larger networks. Every datagram
 * takes the same time. Node i has the address mesh_host(i), in a /24 of its
 * own, behind a NAT box that may change its host or its ports.
 */
#ifndef TEST_MESH_H
#define TEST_MESH_H

#include "dht_rig.h"
#include "t.h"

struct mesh_node {
	struct rig r;
	bool on;        /* it has been started */
	bool deaf;      /* it receives and sends nothing */
	bool closed;    /* packets to its server socket are dropped */
	bool moved;     /* its NAT box has another public host than before */
	int port_shift; /* public ports are the bound ones plus this */
};

struct mesh_flight {
	uint64_t due_us;
	struct addr from, to;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

struct mesh {
	struct mesh_node *nodes;
	unsigned len;
	struct mesh_flight *flights; /* in order of arrival */
	size_t first, flights_len, flights_cap;
	uint64_t now_us;
	uint32_t delay_ms, loss; /* loss: per thousand */
	uint64_t lost, stray;    /* stray: sent to an unused address */
	struct t_random dice;
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

/* Returns the public address of the server socket of node i. */
struct addr mesh_address(const struct mesh *n, unsigned i);
struct dht *mesh_dht(const struct mesh *n, unsigned i);

/* Returns whether node i has node k in its table. */
bool mesh_knows(const struct mesh *n, unsigned i, unsigned k);

#endif
