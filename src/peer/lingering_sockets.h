/* SPDX-License-Identifier: ISC */
/*
 * lingering_sockets.h - sockets of hole punching that outlive their streams.
 *
 * A punched socket stays open as long as any stream uses it (pitfalls D5, P13)
 * and some seconds more, so that a peer which has not received the end of the
 * stream yet is still answered. Uses: base, punch, udx.
 */
#ifndef PEER_LINGERING_SOCKETS_H
#define PEER_LINGERING_SOCKETS_H

#include <stdbool.h>
#include <sys/queue.h>

struct lingering_socket;
struct peers;

TAILQ_HEAD(lingering_sockets, lingering_socket);

/* Takes ownership of a socket; closes it later, or now if memory is short. */
void lingering_sockets_add(struct peers *p, int sock);

/*
 * Returns true if a handshake may be accepted on the socket: it is one of the
 * node's own, or that of an open connection. Other sockets may close soon.
 */
bool lingering_sockets_in_use(const struct peers *p, int sock);

/* Returns true if the socket lingers. */
bool lingering_sockets_has(const struct peers *p, int sock);

/* Closes all of them at once. */
void lingering_sockets_fini(struct peers *p);

#endif
