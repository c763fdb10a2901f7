/* SPDX-License-Identifier: ISC */
/*
 * server_check.h - whether the server socket still receives from outside.
 *
 * A firewall may block the port of a node that was found to be reachable. Every
 * 10 minutes, and when no node answers any more, a few nodes are asked with
 * PING_NAT to reply to the server socket, and with PING to reply to the client
 * socket, which both requests leave from. If most of those that answer the
 * PING do not get through to the server socket, twice in a row, then the port
 * is blocked.
 *
 * The nodes asked are those that were silent longest: a stateful firewall
 * passes what the server socket has sent to lately.
 */
#ifndef DHT_SERVER_CHECK_H
#define DHT_SERVER_CHECK_H

#include "dht/local_node.h"

struct joining;
struct promotion;
struct requests;

enum {
	TICKS_SERVER_CHECK = 120,  /* 10 min */
	TICKS_BLOCKED_CHECK = 12,  /* 1 min, while the port is blocked */
	SERVER_CHECK_FAILURES = 2, /* in a row, which show a blocked port */
	SERVER_CHECK_PAUSE_MS = 60 * 1000, /* between two while offline */
};

/* dht.c sets the first four members before server_check_start(). */
struct server_check {
	struct local_node *self;
	struct requests *requests;
	struct joining *joining;
	struct promotion *promotion;
	uint32_t due; /* tick of the next check */
	uint64_t started_us;
	uint8_t asked, pending;
	uint8_t alive, heard; /* answered at the client, the server socket */
	uint8_t failures;     /* in a row */
	bool offline;         /* no node answers to the server socket */
	bool blocked;         /* result of the last check */
};

/* Schedules the first check. */
void server_check_start(struct server_check *c);

/* Starts a check if one is due. */
void server_check_tick(struct server_check *c);

/* Starts a check because no node answers, at most once a minute. */
void server_check_unanswered(struct server_check *c);

/* Returns true from when the port was found to be blocked until a reply has
 * been received there. */
bool server_check_is_blocked(const struct server_check *c);

#endif
