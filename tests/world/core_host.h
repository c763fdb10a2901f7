/* SPDX-License-Identifier: ISC */
/*
 * core_host.h - what modules of the core need of a host: a world, timers,
 * counters and limits.
 *
 * A rig embeds one for each side that it has. The second half puts hosts into
 * a LAN: a virtual clock, a queue of events and the network between the hosts.
 * Its owner then advances all of them at once. A rig without network leaves
 * that half alone. Uses: base, sim_world, net, nat, queue.
 */
#ifndef WORLD_CORE_HOST_H
#define WORLD_CORE_HOST_H

#include "base/core.h"
#include "world/nat.h"
#include "world/net.h"
#include "world/queue.h"
#include "world/sim_world.h"

struct core_host {
	struct sim_world world;
	struct timers timers;
	struct stats stats;
	struct limits limits;
	struct core core; /* of the four */

	/* In a LAN. */
	struct lan *lan;
	struct core_host *next;
	struct endpoint ep; /* on the inner side of its NAT box */
	struct nat *nat;    /* NULL: public */
	int port_shift;     /* public ports are the bound ones plus this */
	bool deaf;          /* neither receives nor sends datagrams */
	/* Receives a datagram of exactly its size, which is borrowed. */
	void (*receive)(struct core_host *h, const struct dgram *dg);
	/* Called after timers and datagrams, or NULL. */
	void (*settle)(struct core_host *h);
};

/* Initialises a host with the default limits; hooks as in sim_world_init(). */
void core_host_init(
    struct core_host *h, const struct sim_hooks *hooks, uint64_t seed);
void core_host_fini(struct core_host *h);

/* Advances the clock to each deadline within the time and runs the timers. */
void core_host_pass_ms(struct core_host *h, uint64_t ms);

/* ---- several hosts in one virtual time ---- */

struct lan {
	struct queue queue;
	struct net net;
	uint64_t now_us;
	uint64_t tick_us; /* hosts wake up at multiples of it; 0: in time */
	struct core_host *hosts, **hosts_end;
};

/* Sends through the LAN that the host is in. */
extern const struct sim_hooks lan_hooks;

/* Initialises a network without distances: net.faults.flat_us is the delay. */
void lan_init(struct lan *l, uint64_t seed);
void lan_fini(struct lan *l);

/* Puts a host into the LAN at an address; 0: the caller binds the addresses. */
void lan_add(struct lan *l, struct core_host *h, uint32_t ip);

/* Puts the host behind a new NAT box, which the LAN does not free. */
void lan_add_nat(struct core_host *h, struct nat *box);

/* Returns where a socket sends from, as the host's own network sees it. */
struct spot lan_spot(const struct core_host *h, int sock);

/* Sends a datagram of the host from that address, which may be a false one. */
void lan_send(struct core_host *h, struct spot from, const struct addr *to,
    const uint8_t *buf, size_t len);

/* Runs at every host what is due now. */
void lan_settle(struct lan *l);

/* Advances to the next event, unless it is later than that; false then. */
bool lan_step(struct lan *l, uint64_t until_us);

void lan_run(struct lan *l, uint64_t us);

#endif
