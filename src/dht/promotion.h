/* SPDX-License-Identifier: ISC */
/*
 * promotion.h - own address, firewall probe, ephemeral and persistent role.
 *
 * Collects the addresses at which other nodes see us, decides whether this node
 * is firewalled, and changes its role (protocol 01 §12). The address, the id
 * and the role are in struct local_node; only this module changes them.
 */
#ifndef DHT_PROMOTION_H
#define DHT_PROMOTION_H

#include "dht/local_node.h"

struct joining;
struct maintenance;
struct requests;

enum {
	PROBE_NODES = 5,         /* nodes asked by the firewall probe */
	TICKS_RECENT = 12,       /* 1 min */
	TICKS_STABLE = 240,      /* 20 min until the first promotion check */
	TICKS_MORE_STABLE = 720, /* 1 h until any later one */
};

/* The firewall probe, protocol 01 §12.3. */
struct firewall_probe {
	bool running;
	bool firewall_only; /* the role is not to be changed */
	uint8_t asked, pending, counted;
	struct sampler sampler; /* addresses in the replies */
	struct addr before;     /* our address when the probe started */
};

/* dht.c sets the first four members before promotion_init(). */
struct promotion {
	struct local_node *self;
	struct requests *requests;
	struct joining *joining;
	struct maintenance *maintenance;
	uint32_t stable_at;    /* tick of the next promotion check */
	struct addr last_host; /* our address at the last full check, port 0 */
	struct firewall_probe probe;
	bool was_reachable; /* until its port was blocked: checks go on */
	/*
	 * Hashed addresses of nodes whose replies had no id and were sampled.
	 */
	uint32_t idless[DHT_IDLESS_SAMPLES_MAX];
	uint32_t idless_len;
};

/* Sets the first role and, for DHT_BOOTSTRAP, address and id. */
void promotion_init(struct promotion *p);

/* Schedules the first promotion check. Called when the ticks start. */
void promotion_start(struct promotion *p);

/* Returns the ticks until the next promotion check; 0 if none is scheduled. */
uint32_t promotion_ticks_left(const struct promotion *p);

/* Starts the promotion check of an ephemeral node if it is due. */
void promotion_tick(struct promotion *p);

/* Applies a sleep of the machine, after which our address is not known any
 * more: demotes an adaptive node and postpones the next check. */
void promotion_wakeup(struct promotion *p);

/*
 * Applies that the server socket receives nothing from outside any more: own
 * requests leave from the client socket, and an adaptive node becomes
 * ephemeral. One that is persistent by its configuration stays so.
 */
void promotion_server_blocked(struct promotion *p);

/* Applies that the server socket of a persistent node receives again. */
void promotion_server_open(struct promotion *p);

/* Adds a sample of our address, as seen on the active socket. */
void promotion_add_sample(struct promotion *p, const struct addr *us);

/* Adds a sample from a reply without an id: counts only the first nodes. */
void promotion_add_sample_idless(
    struct promotion *p, const struct addr *from, const struct addr *us);

/* Discards all samples of our address; every node is sampled again. */
void promotion_reset_samples(struct promotion *p);

/* Sends PING_NAT: the node answers to the server socket, while the request
 * leaves from the client socket. Returns 0 or the error of requests_start(). */
int promotion_ping_nat(struct promotion *p, const struct addr *to,
    uint8_t sends, struct dht_done done);

/*
 * Checks whether this node is reachable and, unless firewall_only, may become
 * persistent (protocol 01 §12.2). joining_checked() is called when it ends,
 * which may be before this returns.
 */
void promotion_check(struct promotion *p, bool firewall_only);

#endif
