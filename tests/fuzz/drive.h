/* SPDX-License-Identifier: ISC */
/*
 * drive.h - a whole node in a simulated world, and its invariants.
 *
 * The fuzz target chooses what arrives and when; after each step drive_settle()
 * checks the datagrams sent, the events and the state, and aborts on a
 * violation. Hosts are numbered. Those from DRIVE_VICTIMS on never validate
 * their address, so what they receive is checked against the budgets.
 */
#ifndef TESTS_DRIVE_H
#define TESTS_DRIVE_H

#include "world/sim_world.h"
#include "fuzz.h"
#include "node/node.h"

enum {
	DRIVE_HOSTS = 64,
	DRIVE_VICTIMS = 60, /* the last four */
	DRIVE_KEYS = 4,
	DRIVE_ASKED_MAX = 64,
	DRIVE_OPS_MAX = 512,
	DRIVE_PORT = 49737,
};

/* A request of the node, the latest of which can be answered. */
struct drive_asked {
	struct addr to;
	int sock;
	uint16_t tid;
	bool internal, answered;
	uint64_t command;
	uint8_t target[32];
};

struct drive_op {
	uint32_t number;
	bool done;
};

/* What an unvalidated host has received. */
struct drive_victim {
	uint64_t bytes;
};

struct drive;

/* What a target that uses streams does; the others have none. */
struct drive_hooks {
	/* Looks at a datagram that the node sends. Returns true for a packet
	 * of a stream or a probe, which is no RPC message. */
	bool (*sent)(struct drive *d, const struct sim_sent *s);

	/* Takes an event of a listener or a connection. */
	void (*event)(struct drive *d, const struct node_event *ev);
};

struct drive {
	struct sim_world fw;
	const struct drive_hooks *hooks;
	struct node *n;
	struct limits limits, ceiling; /* now in force; never exceeded */
	bool private_network, deaf; /* deaf: events are left where they are */
	uint64_t started_us;

	struct drive_asked asked[DRIVE_ASKED_MAX];
	uint32_t asked_len; /* ever; the ring holds the last */

	struct drive_op ops[DRIVE_OPS_MAX];
	uint32_t ops_len;
	bool leaving, left;

	struct drive_victim victims[DRIVE_HOSTS - DRIVE_VICTIMS];
};

struct drive_config {
	const struct drive_hooks *hooks; /* or NULL */
	enum dht_role role;
	bool private_network;
	bool names; /* the bootstrap list has names in it */
	uint64_t seed;
	uint32_t announce_ms;
	struct limits limits;
};

/* Sets limits so small that all of them are reached. */
void drive_limits_small(struct limits *l);

void drive_init(struct drive *d, const struct drive_config *c);

/* Stops answering, advances the time and checks that everything ends. */
void drive_fini(struct drive *d);

/* Returns the address of a host; the higher bits select the port. */
struct addr drive_host(const struct drive *d, unsigned number);
const struct key_pair *drive_key(unsigned number);

/* Returns whether the host must never validate its address. */
bool drive_is_victim(const struct drive *d, const struct addr *a);

/* Return the node's server socket, which other nodes know, and its address. */
int drive_server_sock(const struct drive *d);
struct addr drive_self(const struct drive *d);

void drive_settle(struct drive *d);
void drive_recv(struct drive *d, const struct addr *from, int sock,
    const uint8_t *buf, size_t len);
void drive_pass_ms(struct drive *d, uint64_t ms);

/* Returns the i-th latest request, or NULL. */
struct drive_asked *drive_asked(struct drive *d, unsigned i);

/* Registers a started operation; err is what the node returned. */
void drive_started(struct drive *d, int err, uint32_t op);

#endif
