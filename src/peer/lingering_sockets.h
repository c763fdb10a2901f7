/* SPDX-License-Identifier: ISC */
/*
 * socks.h - sockets of hole punching that a stream went through.
 *
 * The one that won lives as long as the stream (pitfalls D5, P13), or any other
 * that goes by it, and some seconds more, for a peer that has not heard yet
 * that it is over. Uses: base, punch, udx.
 */
#ifndef PEER_SOCKS_H
#define PEER_SOCKS_H

#include <sys/queue.h>

#include "peer/peer.h"

struct sock_left;

TAILQ_HEAD(lingering_sockets, sock_left);

/* Closes the socket later, or now if memory is short. */
void lingering_sockets_leave(struct peers *p, int sock);

/*
 * A connection may begin on it without asking anybody: it is one of the node's
 * own, or an open connection goes by it. Others close at any time.
 */
bool lingering_sockets_last(const struct peers *p, int sock);

/* It was left, and is still open. */
bool lingering_sockets_has(const struct peers *p, int sock);

/* Closes all that were left, at once. */
void lingering_sockets_fini(struct peers *p);

#endif
