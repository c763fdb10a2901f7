/* SPDX-License-Identifier: ISC */
/*
 * router.h - the way of other nodes' handshakes through this one, protocol 02
 * §9.
 *
 * Passes PEER_HANDSHAKE and PEER_HOLEPUNCH from hop to hop between a client
 * and the server that announced itself here. Remembers no message: whatever
 * the next hop needs travels with it. What is for a key that listens here is
 * handed up, and answered through the hop that it came by. Serves on ephemeral
 * nodes too. Goes only where the protocol's own hops go, in the byte budgets of
 * prefix_budget.h; knows nothing of what is sealed inside. Uses: base, crypto,
 * dht, records.
 */
#ifndef SIGNAL_ROUTER_H
#define SIGNAL_ROUTER_H

#include "base/core.h"
#include "dht/dht.h"
#include "records/records.h"

struct router;

/* Borrows all three, which must outlive it. NULL if memory is short. */
struct router *router_new(
    const struct core *core, struct dht *d, struct records *r);
void router_free(struct router *rt);

/* After the limits of the core have changed. */
void router_limits_changed(struct router *rt);

/* All that an answer needs, copied: it may be given at any later time. */
struct router_ticket {
	uint64_t command, mode;
	uint16_t tid;
	int sock;
	struct addr from, local; /* source; where it arrived, if known */
	struct addr peer, relay; /* as the message has them */
	uint8_t target[HASH_LEN];
};

/* A message for a key that listens on this node. */
struct router_call {
	void *server; /* as pinned, records.h */
	struct router_ticket ticket;
	struct addr client;  /* on the relay's word, unless direct */
	bool direct;         /* no relay: the client itself asked us */
	struct addr us;      /* our address as the sender sees it */
	uint64_t id;         /* PEER_HOLEPUNCH: the server's slot */
	struct bytes sealed; /* borrowed until the next datagram */
};

enum { ROUTER_HANDED_UP = 1 };

/*
 * Serves a request of command CMD_PEER_HANDSHAKE or CMD_PEER_HOLEPUNCH that
 * dht_recv() has handed up. 0 if it was answered or passed on,
 * ROUTER_HANDED_UP: *call is for the listener that pinned the key, else why it
 * was dropped (counted).
 */
int router_serve(
    struct router *rt, const struct dht_request *rq, struct router_call *call);

/*
 * Answers a call: through the same hop, in the mode that belongs to it. From
 * this socket, or from the one that was asked if it is WORLD_NO_SOCK. 0 or why
 * nothing was sent (counted).
 */
int router_answer(struct router *rt, const struct router_ticket *t,
    struct bytes sealed, int sock);

#endif
