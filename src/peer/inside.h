/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct peers, for the files of this room alone.
 *
 * Who does what:
 *	peer.c	    life, numbers, and the order in which things are told
 *	conn.c	    one connection: its paths, its streams, its end
 *	dialer.c    from a key to a handshake, and the paths that follow
 *	listener.c  from a handshake to a connection
 */
#ifndef PEER_INSIDE_H
#define PEER_INSIDE_H

#include <sys/queue.h>

#include "base/hash.h"
#include "peer/conn.h"
#include "peer/peer.h"

/*
 * What has something to tell: a part of each connection and listener, in a
 * queue while `queued`. next() takes one thing off and writes it down; it may
 * free what it is a part of, when that was the last. False: nothing (more).
 */
struct stirred {
	TAILQ_ENTRY(stirred) link;
	bool queued;
	bool (*next)(struct stirred *s, struct peer_event *out);
};

TAILQ_HEAD(stirred_list, stirred);

struct peers {
	struct peers_base base;
	struct world *world;
	struct timers *timers;
	struct conn *conns; /* by number, in the order in which they began */
	struct stirred_list stirred;
	uint32_t next_number;
};

/* ---- peer.c ---- */

/* A number that neither a connection nor a listener has. */
uint32_t peers_number(struct peers *p);

/* Queues it, unless it is; and takes it off before it is freed. */
void peers_stir(struct peers *p, struct stirred *s);
void peers_unstir(struct peers *p, struct stirred *s);

#endif
