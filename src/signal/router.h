/* SPDX-License-Identifier: ISC */
/*
 * router.h - forwards the signalling of other nodes, protocol 02 §9.
 *
 * Forwards PEER_HANDSHAKE and PEER_HOLEPUNCH from hop to hop between a client
 * and the server that announced itself here. Keeps no state per message: a
 * message carries what the next hop needs. A message for a key that listens
 * here is returned to the caller and answered through the hop that it came
 * from. Ephemeral nodes forward too. Sends only to the hops of the protocol,
 * within the byte budgets of prefix_budget.h; does not decrypt. Uses: base,
 * crypto, dht, records.
 */
#ifndef SIGNAL_ROUTER_H
#define SIGNAL_ROUTER_H

#include "base/core.h"
#include "dht/dht.h"
#include "records/records.h"

struct router;

/*
 * Borrows all three, which must outlive the result. Returns NULL without
 * memory.
 */
struct router *router_new(
    const struct core *core, struct dht *d, struct records *r);
void router_free(struct router *rt);

/* Applies changed limits of the core. */
void router_limits_changed(struct router *rt);

/* A copy of all that an answer needs, so that it can be sent at any time. */
struct router_ticket {
	uint64_t command, mode;
	uint16_t tid;
	int sock;
	struct addr from, local; /* source; destination, if known */
	struct addr peer, relay; /* fields of the message */
	uint8_t target[HASH_LEN];
};

/* A message for a key that listens on this node. */
struct router_call {
	void *server; /* the owner of the pinned key, records.h */
	struct router_ticket ticket;
	struct addr client;  /* as the relay reports it, unless direct */
	bool direct;         /* the client itself sent the message */
	struct addr us;      /* our address as the sender sees it */
	uint64_t id;         /* PEER_HOLEPUNCH: of the hole punch */
	struct bytes sealed; /* borrowed until the next datagram */
};

enum { ROUTER_HANDED_UP = 1 };

/*
 * Serves a CMD_PEER_HANDSHAKE or CMD_PEER_HOLEPUNCH that dht_recv() returned.
 * Returns 0 if it was answered or forwarded; ROUTER_HANDED_UP if *call is for
 * the listener that pinned the key; else the counted reason why it was dropped.
 */
int router_serve(
    struct router *rt, const struct dht_request *rq, struct router_call *call);

/*
 * Answers a call through the hop that it came from. Sends from the given
 * socket, or from the one that received the call if it is WORLD_NO_SOCK.
 * Returns 0 or the counted reason why nothing was sent.
 */
int router_answer(struct router *rt, const struct router_ticket *t,
    struct bytes sealed, int sock);

#endif
