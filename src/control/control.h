/* SPDX-License-Identifier: ISC */
/*
 * control.h - the control socket, through which local programs use the node.
 *
 * Serves JSON-RPC on a UNIX stream socket (doc/control-protocol.md). Checks
 * the access of each caller by its credentials, bounds what each client can
 * have in progress, and drops a client that does not read. It never blocks the
 * event loop, and everything that is queued for a client is bounded.
 * Uses: api, base, crypto, dht, log, net, node, punch, store, swarm, tunnel,
 * udx, libevent.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "crypto/keys.h"
#include "dht/dht.h"

struct control;
struct event_base;
struct keyring;
struct node_event;
struct node;
struct peer_names;
struct stored_announcement;
struct stored_announcements;
struct tunnels;
struct world;

/* What the daemon does for the control socket. Functions that return int
 * return 0 or a negative code of err.h. */
struct control_ops {
	/* Called at the beginning and end of every callback of the event loop
	 * that touches the node. */
	void (*wake)(void *owner);
	void (*settle)(void *owner);

	/* Starts to stop the daemon, and returns before anything is closed. */
	void (*stop)(void *owner);

	/* Reads the configuration again. On failure nothing has changed. */
	int (*reload)(void *owner, struct fault *f);

	/*
	 * node_announce() and node_unannounce(), which also change the list of
	 * announcements. On success they take the loan of the keys.
	 */
	int (*announce)(
	    void *owner, const struct stored_announcement *a, uint32_t *op);
	int (*unannounce)(void *owner, const uint8_t *topic,
	    const struct key_pair *keys, uint32_t *op);

	/* Creates the identity of the next start, copies its public key to the
	 * caller and keeps the old key file beside the new one. */
	int (*key_new)(
	    void *owner, uint8_t public_key[KEY_LEN], struct fault *f);
};

/* Parameters of control_new(). The pointers are borrowed until
 * control_free(). */
struct control_setup {
	struct event_base *base;
	struct node *node;
	const struct world *world;
	struct keyring *keyring; /* identities of local users */
	const struct stored_announcements *announcements;
	struct peer_names *names;
	struct tunnels *tunnels;
	const struct key_pair *identity;
	bool identity_saved; /* false: it is lost when the process exits */
	const char *path;    /* of the socket; used by control_new() only */
	enum dht_role role;
	uint32_t tick_ms;
	const struct control_ops *ops;
	void *owner; /* first argument of the functions in ops */
};

/*
 * Listens at setup->path. Replaces a socket file that a crashed daemon left
 * behind, but not one that is served. Returns NULL with *f set on failure.
 */
struct control *control_new(const struct control_setup *setup, struct fault *f);

/* Delivers one event of the node to the clients that wait for it. */
void control_node_event(struct control *c, const struct node_event *n);

/*
 * Looks up the groups again, which may block, and sets the mode of the socket
 * file accordingly. Clients that are connected keep their access.
 */
void control_reload_groups(struct control *c);

/*
 * Sends the event "stopping" to the clients that watch, closes all clients and
 * removes the socket file. Does nothing if c is NULL.
 */
void control_free(struct control *c);

#endif
