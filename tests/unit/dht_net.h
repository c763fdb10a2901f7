/* SPDX-License-Identifier: ISC */
/*
 * dht_net.h - some dhts in one virtual time, and the wires between them.
 *
 * For tests of this room alone; tests/sim simulates networks in earnest. Every
 * datagram takes the same time. Node i lives at net_host(i), in a /24 of its
 * own, behind a box that may change its host or its ports.
 */
#ifndef TEST_DHT_NET_H
#define TEST_DHT_NET_H

#include "dht_rig.h"
#include "t.h"

struct net_node {
	struct rig r;
	bool on;        /* it has been started */
	bool deaf;      /* it gets nothing and says nothing */
	bool closed;    /* nothing gets through to its server socket */
	bool moved;     /* its box has another public host than before */
	int port_shift; /* public ports are those bound to plus this */
};

struct net_flight {
	uint64_t due_us;
	struct addr from, to;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

struct net {
	struct net_node *nodes;
	unsigned len;
	struct net_flight *flights; /* in order of arrival */
	size_t first, flights_len, flights_cap;
	uint64_t now_us;
	uint32_t delay_ms, loss; /* loss: of 1000 */
	uint64_t lost, stray;    /* to nobody's address */
	struct t_random dice;
};

void net_init(struct net *n, unsigned nodes, uint64_t seed);
void net_fini(struct net *n);

/*
 * Starts node i. Node 0 is the bootstrap node; all others are given its
 * address. c NULL: as net_config() says.
 */
void net_start(struct net *n, unsigned i, const struct dht_config *c);
void net_config(struct dht_config *c, enum dht_role role);

/* Starts nodes 0 to len-1, all persistent, and waits until all have joined. */
void net_start_all(struct net *n);

void net_run_ms(struct net *n, uint64_t ms);

/* The public address of node i's server socket. */
struct addr net_address(const struct net *n, unsigned i);
struct dht *net_dht(const struct net *n, unsigned i);

/* Does node i have node k in its table? */
bool net_knows(const struct net *n, unsigned i, unsigned k);

#endif
