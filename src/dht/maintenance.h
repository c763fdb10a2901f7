/* SPDX-License-Identifier: ISC */
/*
 * maintenance.h - ticks of five seconds, and the periodic work of the node.
 *
 * Counts ticks (protocol 01 §17), refreshes the routing table and pings nodes
 * that have been silent, except while the node is offline: then the table keeps
 * the nodes that are to be asked again. A tick is counted when a datagram or a
 * timer makes the node run. The tick timer fires only when something is due, so
 * that an idle node sleeps for most of a minute.
 */
#ifndef DHT_MAINTENANCE_H
#define DHT_MAINTENANCE_H

#include "dht/local_node.h"

struct candidates;
struct health;
struct joining;
struct promotion;
struct queries;
struct rate_limiter;
struct requests;
struct server_check;

enum {
	TICKS_SILENT = 180, /* 15 min of silence after which a node is pinged */
	TICKS_PING_SOME = 8, /* 40 s */
	TICKS_SMALL_REFRESH = 64,
	TICKS_REFRESH = 180, /* 15 min; the reference: 5 */
};

/* dht.c sets the first nine members before maintenance_start(). */
struct maintenance {
	struct local_node *self;
	struct requests *requests;
	struct queries *queries;
	struct candidates *candidates;
	struct joining *joining;
	struct promotion *promotion;
	struct rate_limiter *limiter;
	struct health *health;
	struct server_check *server_check;
	uint64_t next_tick_us;
	struct timer tick_timer; /* fires at the next tick that has work */
	uint32_t refresh_at;     /* tick of the next refresh of the table */
	uint32_t small_at; /* tick of the next refresh while the table is small
			    */
	uint32_t small_wait; /* ticks between two of these; doubles */
	bool refreshing;     /* a refresh query is running */
	uint32_t refreshes;  /* started so far */
};

/* Sets the first tick and arms the timer. */
void maintenance_start(struct maintenance *m);
void maintenance_fini(struct maintenance *m);

/* Counts the ticks that have passed. Called before a tick count is used. */
void maintenance_advance(struct maintenance *m);

/* Arms the timer for the next tick that has work. */
void maintenance_arm(struct maintenance *m);

/*
 * Starts a background query that renews a part of the table, unless one runs.
 */
void maintenance_refresh(struct maintenance *m);

/* Does the same through the bootstrap list, after nodes answer again. */
void maintenance_rejoin(struct maintenance *m);

/* Schedules the next refresh anew, because a query renews the table as well. */
void maintenance_postpone_refresh(struct maintenance *m);

/* Applies a sleep of the machine: every node of the table counts as old. */
void maintenance_wakeup(struct maintenance *m);

/* Returns the tick count to continue with after a sleep at `tick`. */
uint32_t maintenance_tick_after_wakeup(uint32_t tick);

#endif
