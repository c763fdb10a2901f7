/* SPDX-License-Identifier: ISC */
/*
 * host.h - a machine that runs one real node.
 *
 * It gives the node its world: sockets on the simulated network, virtual time,
 * seeded random numbers. It can crash, come back with its key and the nodes it
 * had saved, sleep, and move to another address. Uses: node, sim, net, nat,
 * ops.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "crypto/keys.h"
#include "node/node.h"
#include "world/nat.h"
#include "world/net.h"
#include "world/sim_world.h"

struct sim;
struct call;
struct op;

enum host_state { HOST_DOWN, HOST_UP, HOST_ASLEEP };

enum {
	HOST_SOCKS_MAX = 1200, /* open at a time: a punch takes many */
	HOST_PORT = 49737,
	HOST_SAVED =
	    64, /* good nodes kept over a restart, as the daemon does */
};

struct host;

/*
 * Rewrites what a misbehaving host sends: may change the len bytes at buf,
 * which has space for DGRAM_MAX. Returns the new length, or 0 to drop it.
 */
typedef size_t host_mangle(
    struct sim *s, struct host *h, struct spot to, uint8_t *buf, size_t len);

struct host {
	struct sim_world world; /* of the node */
	struct sim *sim;
	struct endpoint ep;
	struct nat *nat; /* in front of it, or NULL */
	enum dht_role role;
	enum host_state state;
	struct node *node;
	struct key_pair identity, relay_keys;
	uint64_t wake_us;  /* of the event that counts */
	uint64_t slept_us; /* in all: what its clock is behind */
	uint64_t asleep_since_us;
	uint64_t born_us;
	struct addr *saved; /* good nodes as of the last sync */
	uint32_t saved_len;
	struct op *ops;     /* in progress */
	struct call *calls; /* connections, dialed and accepted */
	uint32_t relays;    /* that forward to its key, if it listens */
	uint64_t *answered; /* bit per host that has answered this one */
	uint32_t answered_words;
	uint32_t walks;            /* ops with a recorded walk */
	uint64_t table_added;      /* as last checked */
	uint64_t table_full_check; /* table_added at the last full check */
	bool has_full;             /* sockets with a full queue */
	uint32_t still;            /* wake-ups without time passing */
	bool bootstrapped, leaving;
	uint64_t bootstrapped_us;
	host_mangle *mangle;
	const uint8_t *request; /* being served, for mangle */
	size_t request_len;
};

/* Creates a host that is down, at a public address unless behind a box. */
struct host *host_new(struct sim *s, enum dht_role role, struct nat *box);
void host_free(struct host *h);

/* Starts the node, with what was saved. The host must be down. */
void host_boot(struct host *h);

/* Stops the node at once: loses what was not saved, notifies no peer. */
void host_crash(struct host *h);

/* Leaves the network in order, then goes down. */
void host_leave(struct host *h);

/* Saves the good nodes, as the daemon does now and then. */
void host_sync(struct host *h);

void host_sleep(struct host *h);
void host_wake(struct host *h);

/* Changes the public address while the node is running. */
void host_move(struct host *h);

/* Delivers a datagram to one of its ports. */
void host_receive(struct host *h, const struct net_packet *p, struct spot to);

/* Handles the wake-up at h->wake_us. */
void host_tick(struct host *h);

/*
 * Collects events and schedules the next wake-up. Called after every call into
 * its node.
 */
void host_settle(struct host *h);

/* Sets its clock and the node's. Called before every call into the node. */
void host_clock(struct host *h);

/* Returns the address of its server socket, if it is not behind a box. */
struct spot host_spot(const struct host *h);

#endif
