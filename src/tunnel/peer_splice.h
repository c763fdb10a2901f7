/* SPDX-License-Identifier: ISC */
/*
 * peer_splice.h - moves bytes between a local program's socket and a
 * connection of the node.
 *
 * Flow control works end to end: what the program does not read stays in the
 * connection, what the peer does not accept stays in the socket, so nothing
 * grows here. Each side can end and still receive. When the peer is lost the
 * socket is closed; when the peer ends, only the sending side is shut down.
 */
#ifndef TUNNEL_PEER_SPLICE_H
#define TUNNEL_PEER_SPLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct node_loop;
struct peer_splice;

struct peer_splice_spec {
	const struct node_loop *loop; /* borrowed */
	int fd;                       /* taken, also on failure */
	uint32_t conn;                /* number of an open connection; taken */
	/* Bytes received so far, which are moved; NULL: none. */
	struct evbuffer *early;
	bool input_ended; /* the program sends no more */
	/*
	 * Called once when nothing is left to be moved; the owner frees the
	 * splice in it. err is 0 if both sides had ended.
	 */
	void (*on_end)(void *owner, int err);
	void *owner;
};

/* Returns NULL if memory is exhausted; then on_end() is not called and the
 * connection stays with the caller. */
struct peer_splice *peer_splice_new(const struct peer_splice_spec *spec);

/* Resets the connection, unless the node has closed it, and closes the
 * socket. */
void peer_splice_free(struct peer_splice *s);

/* Returns whether the peer had acknowledged all that the program has sent, when
 * the splice ended with an error. */
bool peer_splice_delivered(const struct peer_splice *s);

/* Moves bytes after NODE_EV_READY, and once to start with. To be called between
 * the wake() and settle() of the loop; may call on_end(). */
void peer_splice_ready(struct peer_splice *s);

/* Ends the splice after NODE_EV_CLOSED; calls on_end(). */
void peer_splice_closed(struct peer_splice *s, int err);

#endif
