/* SPDX-License-Identifier: ISC */
/*
 * mesh.h - some dhts in one virtual time, and the wires between them.
 *
 * For tests of this room alone; tests/sim simulates networks in earnest. Every
 * datagram takes the same time. Node i lives at mesh_host(i), in a /24 of its
 * own, behind a box that may change its host or its ports.
 */
#ifndef TEST_MESH_H
#define TEST_MESH_H

#include "dht_rig.h"
#include "t.h"

struct mesh_node {
	struct rig r;
	bool on;        /* it has been started */
	bool deaf;      /* it gets nothing and says nothing */
	bool closed;    /* nothing gets through to its server socket */
	bool moved;     /* its box has another public host than before */
	int port_shift; /* public ports are those bound to plus this */
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
	uint32_t delay_ms, loss; /* loss: of 1000 */
	uint64_t lost, stray;    /* to nobody's address */
	struct t_random dice;
};

void mesh_init(struct mesh *n, unsigned nodes, uint64_t seed);
void mesh_fini(struct mesh *n);

/*
 * Starts node i. Node 0 is the bootstrap node; all others are given its
 * address. c NULL: as mesh_config() says.
 */
void mesh_start(struct mesh *n, unsigned i, const struct dht_config *c);
void mesh_config(struct dht_config *c, enum dht_role role);

/* Starts nodes 0 to len-1, all persistent, and waits until all have joined. */
void mesh_start_all(struct mesh *n);

void mesh_run_ms(struct mesh *n, uint64_t ms);

/* The public address of node i's server socket. */
struct addr mesh_address(const struct mesh *n, unsigned i);
struct dht *mesh_dht(const struct mesh *n, unsigned i);

/* Does node i have node k in its table? */
bool mesh_knows(const struct mesh *n, unsigned i, unsigned k);

#endif
