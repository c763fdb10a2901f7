/* SPDX-License-Identifier: ISC */
/*
 * sim_world.h - the world that the core sees in a test: sockets, names, random
 * numbers and a clock, all of them simulated.
 *
 * Unit tests, fuzzers and the simulator use the same one. It opens sockets by
 * handle, cuts bursts into the datagrams that a network would carry, and takes
 * all random bytes from a seed. Without hooks it captures what the core sends
 * and which names it resolves, for the test to inspect. Time stands still
 * until the owner advances it. Aborts on what no core may do and if memory
 * runs out. Uses: prng, mem.
 */
#ifndef WORLD_SIM_WORLD_H
#define WORLD_SIM_WORLD_H

#include "base/world.h"
#include "world/prng.h"

enum {
	SIM_SOCKS_MAX = 320,    /* open at a time, unless the owner sets more */
	SIM_NAMES_MAX = 64,     /* captured; further ones are refused */
	SIM_PORT_FIRST = 40000, /* handle h gets this + h if any port will do */
};

struct sim_sock {
	bool open;
	bool full; /* for the use of hooks */
	struct addr bound;
};

/* A captured datagram. */
struct sim_sent {
	struct dgram_meta meta;
	size_t len;
	uint8_t buf[DGRAM_MAX];
};

/* A captured name; the answer goes to node_resolved(ticket). */
struct sim_name {
	char name[256];
	uint32_t ticket;
};

struct sim_world;

/* What a network does instead of capturing; a NULL hook captures. */
struct sim_hooks {
	/* Sends one datagram; buf is borrowed. */
	void (*send)(struct sim_world *sw, const struct dgram_meta *meta,
	    const uint8_t *buf, size_t len);

	/* Does the same as resolve() of struct world_ops. */
	int (*resolve)(struct sim_world *sw, const char *name, uint32_t ticket);

	/* Returns whether the socket takes no datagram now; NULL: never. */
	bool (*is_full)(struct sim_world *sw, int sock);
};

struct sim_world {
	struct world w; /* first, so that the core's pointer leads back here */
	const struct sim_hooks *hooks;
	struct prng rand;

	struct sim_sock *socks; /* by handle */
	uint32_t socks_len, socks_open, socks_max;
	struct addr host; /* sockets are bound to it, unless it is empty */
	/* Draws the ports of sockets for which any port will do. */
	bool random_ports;
	uint16_t taken_first, taken_last; /* ports that open() refuses */

	/* Datagrams captured since sim_clear(), oldest first. */
	struct sim_sent *sent;
	size_t sent_len, sent_cap;
	size_t batch_max; /* datagrams until sockets are full; 0: no limit */

	/* Names captured and not yet taken with sim_take_name(). */
	struct sim_name *names;
	size_t names_len;

	struct dgram_meta meta; /* of the reservation */
	size_t reserved;        /* 0 unless one waits for its commit */
	uint8_t *space;         /* of WORLD_BURST_MAX bytes */
	bool owns_space;
};

/*
 * Initialises a world after one hour of uptime on the first day of 2026.
 * hooks may be NULL and must outlive the world.
 */
void sim_world_init(
    struct sim_world *sw, const struct sim_hooks *hooks, uint64_t seed);
void sim_world_fini(struct sim_world *sw);

void sim_advance_ms(struct sim_world *sw, uint64_t ms);

/* Returns the handle of the open socket at a port, or WORLD_NO_SOCK. */
int sim_sock_at(const struct sim_world *sw, uint16_t port);

bool sim_is_open(const struct sim_world *sw, int sock);

/* Closes all sockets, as if the process that owned them had ended. */
void sim_close_all(struct sim_world *sw);

/* Removes all captured datagrams. */
void sim_clear(struct sim_world *sw);

/* Returns the latest captured datagram, or NULL. */
const struct sim_sent *sim_last_sent(const struct sim_world *sw);

/* Takes the oldest captured name; false if there is none. */
bool sim_take_name(struct sim_world *sw, struct sim_name *out);

#endif
