/* SPDX-License-Identifier: ISC */
/*
 * tunnel_conn.h - one connection of a tunnel and the local socket that it is
 * joined to.
 *
 *	exposed:   NODE_EV_OPEN -> CONNECTING - the service accepts -> JOINED
 *	forwarded: a program connects -> DIALING - NODE_EV_OPEN ----> JOINED
 *
 * A failure on one side resets the other: the peer reads a reset if the service
 * refuses, the program if the peer cannot be reached.
 */
#ifndef TUNNEL_TUNNEL_CONN_H
#define TUNNEL_TUNNEL_CONN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct node_event;
struct peer_splice;
struct tunnel;

struct tunnel_conn {
	LIST_ENTRY(tunnel_conn) link;     /* of its tunnel */
	LIST_ENTRY(tunnel_conn) numbered; /* in its bucket */
	struct tunnel *tunnel;
	uint32_t number;            /* of the node's connection; 0: closed */
	int fd;                     /* of the splice if there is one */
	struct event *connected;    /* CONNECTING */
	struct peer_splice *splice; /* JOINED */
	bool dialing;               /* DIALING */
};

LIST_HEAD(tunnel_conn_list, tunnel_conn);

enum { TUNNEL_CONN_BUCKETS = 256 /* a power of two */ };

/* All connections of all tunnels, by number. */
struct tunnel_conn_table {
	struct tunnel_conn_list buckets[TUNNEL_CONN_BUCKETS];
};

struct tunnel_conn *tunnel_conn_find(
    const struct tunnel_conn_table *t, uint32_t number);

/* Connects an open connection of the node to the service. */
void tunnel_conn_serve(struct tunnel *t, uint32_t number);

/* Dials the peer for a local program; takes the descriptor. */
void tunnel_conn_dial(struct tunnel *t, int fd);

/* Handles NODE_EV_OPEN, NODE_EV_READY and NODE_EV_CLOSED; may free it. */
void tunnel_conn_event(struct tunnel_conn *c, const struct node_event *ev);

/* Resets both sides and frees it. */
void tunnel_conn_drop(struct tunnel_conn *c);

#endif
