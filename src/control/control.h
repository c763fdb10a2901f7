/* SPDX-License-Identifier: ISC */
/*
 * control.h - the control socket: local programs drive the node through it.
 *
 * JSON-RPC over a UNIX stream socket, doc/control-protocol.md. Decides by the
 * caller's credentials what it may call, keeps count of what each client has
 * under way, and drops a client that does not read. Never blocks and never
 * delays the network: everything queued for a client has a limit.
 * Uses: api, base, crypto, dht, log, node, punch, store, libevent.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "crypto/keys.h"
#include "dht/dht.h"

struct control;
struct event_base;
struct keyring;
struct news;
struct node;
struct world;

/*
 * What the daemon does for the control socket. Those that return int give 0,
 * or a code of base/err.h (announce, unannounce), or -1 with the reason in err
 * (ERR_REASON_MAX bytes).
 */
struct control_ops {
	/* Begin and end of every callback that touches the node. */
	void (*wake)(void *owner);
	void (*settle)(void *owner);

	/* Returns before anything is closed. */
	void (*stop)(void *owner);

	/* Reads the configuration again; if it fails, all stays as it was. */
	int (*reload)(void *owner, char *err);

	/* node_announce() and node_unannounce(), kept across restarts. */
	int (*announce)(void *owner, const uint8_t *topic, uint32_t *op);
	int (*unannounce)(void *owner, const uint8_t *topic, uint32_t *op);

	/*
	 * Makes a new identity for the next start and stores its public key;
	 * the old key file is kept beside it.
	 */
	int (*key_new)(void *owner, uint8_t public_key[KEY_LEN], char *err);
};

/* What the control socket works on; the pointers are borrowed. */
struct control_setup {
	struct event_base *base;
	struct node *node;
	const struct world *world;
	struct keyring *keyring; /* identities of local users */
	const struct key_pair *identity;
	bool identity_saved; /* false: it ends with this process */
	const char *path;    /* of the socket; only control_new() reads it */
	enum dht_role role;
	uint32_t tick_ms;
	const struct control_ops *ops;
	void *owner; /* what the operations are called with */
};

/*
 * Listens at setup->path. A socket that a dead daemon left behind is replaced,
 * a live one's is not. NULL with the reason in err (ERR_REASON_MAX bytes).
 */
struct control *control_new(const struct control_setup *setup, char *err);

/*
 * Looks up the groups again, which may block, and sets the mode of the socket
 * file accordingly. Clients that are connected keep their access.
 */
void control_reload(struct control *c);

/* Hands one piece of news to those who wait for it. */
void control_news(struct control *c, const struct news *n);

/*
 * Tells the clients that the daemon is going, as far as they listen, closes
 * them and removes the socket file. NULL is no control.
 */
void control_free(struct control *c);

#endif
