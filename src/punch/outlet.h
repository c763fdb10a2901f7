/* SPDX-License-Identifier: ISC */
/*
 * outlet.h - a socket, and what is known of the NAT in front of it.
 *
 * Samples come from PINGs to nodes of the routing table, spec 04 §2, and from
 * whoever else tells. An outlet that is kept ready renews them as they age,
 * which also keeps its mapping alive.
 */
#ifndef PUNCH_OUTLET_H
#define PUNCH_OUTLET_H

#include <sys/queue.h>

#include "base/hash.h"
#include "base/timer.h"
#include "dht/dht.h"
#include "punch/gauge.h"

struct punch;
struct puncher;
struct outlet;

/* A socket of ours, found by its handle. */
struct hole {
	UT_hash_handle hh;
	int sock;
	struct puncher *of;    /* who hears of probes; NULL: nobody */
	struct outlet *outlet; /* that it is the socket of; or NULL */
};

enum { OUTLET_DESTS_MAX = 64 };

struct outlet {
	struct hole hole;
	TAILQ_ENTRY(outlet) link; /* while it is idle */
	struct punch *room;
	struct gauge gauge;
	/* Nodes and peers sent to, in the order in which the NAT saw them. */
	struct addr dests[OUTLET_DESTS_MAX];
	uint32_t dests_len;
	uint32_t pending; /* PINGs in flight */
	uint8_t passes;   /* rounds of PINGs so far */
	bool closing;
	struct timer renew; /* while it is idle */
	void (*sampled)(
	    void *owner); /* a sample came, or the last PING ended */
	void *owner;
};

TAILQ_HEAD(outlet_list, outlet);

/* Opens a socket and asks for samples. NULL and *err. */
struct outlet *outlet_open(struct punch *p, int *err);

/* Closes the socket too. */
void outlet_close(struct outlet *o);

/* Asks this many more nodes for samples, those not asked before first. */
void outlet_sample(struct outlet *o, uint32_t wanted);

/* Another node says how it sees us on this socket. */
void outlet_saw(struct outlet *o, const struct addr *us, const struct addr *by);

/* When this destination was, or will be, first sent to (see gauge_sample). */
uint32_t outlet_order(const struct outlet *o, const struct addr *to);
void outlet_sent(struct outlet *o, const struct addr *to);

/* Keeps the samples young from now on, or no longer. */
void outlet_rest(struct outlet *o);
void outlet_rouse(struct outlet *o);

#endif
