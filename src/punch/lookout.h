/* SPDX-License-Identifier: ISC */
/*
 * lookout.h - a socket, and what is known of the NAT in front of it.
 *
 * Samples come from PINGs to nodes of the routing table, protocol 04 §2, and
 * from whoever else tells. A lookout that is kept ready renews them as they
 * age, which also keeps its mapping alive.
 */
#ifndef PUNCH_LOOKOUT_H
#define PUNCH_LOOKOUT_H

#include <sys/queue.h>

#include "base/hash.h"
#include "base/timer.h"
#include "dht/dht.h"
#include "punch/gauge.h"

struct punch;
struct puncher;
struct lookout;

/* A socket of ours, found by its handle. */
struct hole {
	UT_hash_handle hh;
	int sock;
	struct puncher *of;      /* who hears of probes; NULL: nobody */
	struct lookout *lookout; /* that it is the socket of; or NULL */
};

enum { LOOKOUT_DESTS_MAX = 64 };

struct lookout {
	struct hole hole;
	TAILQ_ENTRY(lookout) link; /* while it is idle */
	struct punch *room;
	struct gauge gauge;
	/* Nodes and peers sent to, in the order in which the NAT saw them. */
	struct addr dests[LOOKOUT_DESTS_MAX];
	uint32_t dests_len;
	uint32_t pending;   /* PINGs in flight */
	uint32_t probes;    /* that came while nobody punched with it ... */
	struct addr prober; /* ... the latest from here */
	uint16_t port;      /* local */
	uint8_t passes;     /* rounds of PINGs so far */
	bool closing;
	struct timer renew; /* while it is idle */
	void (*sampled)(
	    void *owner); /* a sample came, or the last PING ended */
	void *owner;
};

TAILQ_HEAD(lookout_list, lookout);

/* Opens a socket and asks for samples. NULL and *err. */
struct lookout *lookout_open(struct punch *p, int *err);

/* Closes the socket too. */
void lookout_close(struct lookout *o);

/* Asks this many more nodes for samples, those not asked before first. */
void lookout_sample(struct lookout *o, uint32_t wanted);

/* Another node says how it sees us on this socket. */
void lookout_saw(
    struct lookout *o, const struct addr *us, const struct addr *by);

/* When this destination was, or will be, first sent to (see gauge_sample). */
uint32_t lookout_order(const struct lookout *o, const struct addr *to);
void lookout_sent(struct lookout *o, const struct addr *to);

/* The same of the first that was sent to on that host, whatever its port. */
uint32_t lookout_order_host(const struct lookout *o, const struct addr *host);

/* Where ports count up, asks again: the latest sample says which are next. */
void lookout_refresh(struct lookout *o);

/* Keeps the samples young from now on, or no longer. */
void lookout_rest(struct lookout *o);
void lookout_rouse(struct lookout *o);

#endif
