/* SPDX-License-Identifier: ISC */
/*
 * tunnel.h - one tunnel: a local service that peers reach by a key, or a local
 * address that leads to a peer's key; protocol 09 §2.1.
 * Uses: base, crypto, log, net, node, store, libevent.
 */
#ifndef TUNNEL_TUNNEL_H
#define TUNNEL_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "crypto/keys.h"
#include "store/keyring.h"
#include "tunnel/tunnel_address.h"
#include "tunnel/tunnel_conn.h"

struct evconnlistener;
struct fault;
struct node_event;
struct tunnels;

enum tunnel_kind {
	TUNNEL_EXPOSED,   /* peers reach the address */
	TUNNEL_FORWARDED, /* programs at the address reach the peer */
};

enum { TUNNEL_ALLOW_MAX = 64 };

struct tunnel_spec {
	enum tunnel_kind kind;
	/* TUNNEL_EXPOSED: of the service, and of the key that it has.
	 * TUNNEL_FORWARDED: of the key that dials; "": the node's. */
	char name[KEYRING_NAME_MAX + 1];
	struct tunnel_address address;
	uint8_t peer[KEY_LEN]; /* TUNNEL_FORWARDED */
	/* TUNNEL_EXPOSED: the keys that may connect; none: any key. */
	uint8_t allow[TUNNEL_ALLOW_MAX][KEY_LEN];
	uint32_t allow_len;
};

struct tunnel {
	TAILQ_ENTRY(tunnel) link;
	struct tunnels *all;
	uint32_t number; /* in the order in which they were added */
	struct tunnel_spec spec;
	const struct key_pair *keys; /* lent; NULL: none yet, or the node's */
	uint32_t listener;           /* TUNNEL_EXPOSED; 0: it does not listen */
	struct evconnlistener *acceptor; /* TUNNEL_FORWARDED; NULL: the same */
	struct tunnel_conn_list conns;
	uint32_t conns_len;
	uint32_t dials; /* of these, connections that are being dialed */
	uint64_t opened, failed; /* connections */
	int err;                 /* why it does not listen */
	bool ending;             /* removed, and NODE_EV_UNLISTENED follows */
};

/* Returns how users call it: the name of a service, or the local address. */
const char *tunnel_name(const struct tunnel *t);

/* Starts to listen. Creates the key of a service that has none yet. Returns 0,
 * or a negative code with *f set and kept in t->err. */
int tunnel_open(struct tunnel *t, struct fault *f);

/* Closes its connections and stops listening. Returns true if it may be freed;
 * false if that has to wait for NODE_EV_UNLISTENED. */
bool tunnel_close(struct tunnel *t);

/* Accepts programs as long as the limits of the tunnel permit. To be called
 * after each change of the number of its connections or dials. */
void tunnel_update_acceptor(struct tunnel *t);

/* Returns whether the tunnel serves. */
bool tunnel_is_open(const struct tunnel *t);

#endif
