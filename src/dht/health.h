/* SPDX-License-Identifier: ISC */
/*
 * health.h - whether other nodes answer: starting, online, degraded, offline.
 *
 * Sends one PING every 5 s, in turn to the few nodes of a panel. If one is
 * missed, or while the node is not online, a poll sends a PING to the whole
 * panel and to the bootstrap list; its result is the state. So the state
 * follows a change within 15 s in a network of any size.
 *
 * The panel holds nodes that were active lately. A member that falls silent is
 * replaced only while most of the others answer, so that a degraded network is
 * not taken for a small one.
 */
#ifndef DHT_HEALTH_H
#define DHT_HEALTH_H

#include "dht/local_node.h"

struct candidates;
struct health;
struct joining;
struct maintenance;
struct queries;
struct request;
struct requests;
struct server_check;

enum {
	HEALTH_PANEL = 8,
	HEALTH_CACHED = 8, /* known nodes asked in a poll while offline */
	HEALTH_OTHERS = BOOTSTRAP_MAX + HEALTH_CACHED,
	HEALTH_PROBE_MS = 5000,
	HEALTH_STARTING_MS = 5000, /* the longest that a node is starting */
	HEALTH_ASK_MS = 2000, /* for which an operation waits while offline */
};

/* A node that the health asks: a member of the panel, or another one. */
struct health_node {
	struct health *health;
	struct addr addr;
	struct request *request; /* in flight, or NULL */
	bool answered;           /* the latest PING */
	uint64_t heard_us;       /* latest answer; 0: none yet */
	uint64_t silent_us;      /* silent since then; 0: it is not */
};

/* dht.c sets the first seven members before health_start(). */
struct health {
	struct local_node *self;
	struct requests *requests;
	struct candidates *candidates;
	struct queries *queries;
	struct joining *joining;
	struct maintenance *maintenance;
	struct server_check *server_check;
	enum dht_state state;
	bool polling, poll_answered;
	uint64_t started_us, poll_us, replied_us;
	struct timer timer; /* next probe or poll, or the end of a poll */
	struct health_node panel[HEALTH_PANEL], others[HEALTH_OTHERS];
	uint32_t panel_len, others_len;
	uint32_t asked, answered; /* members of the panel in the last poll */
	uint32_t cached;          /* next of the known nodes to ask */
};

void health_start(struct health *h);
void health_fini(struct health *h);

/* Returns true if a query that a program waits for has to wait as well. */
bool health_holds_queries(const struct health *h);

/* Returns how long such a query waits at the most. */
uint64_t health_hold_us(const struct health *h);

/* Starts a poll, unless one is in progress. */
void health_check(struct health *h);

/* Records that a request of ours was answered. */
void health_replied(struct health *h);

/* Records that the node has joined the network. */
void health_joined(struct health *h);

/* Asks a bootstrap node whose address has become known. */
void health_address_known(struct health *h, const struct addr *a);

#endif
