/* SPDX-License-Identifier: ISC */
/*
 * router.h - the way of other nodes' handshakes through this one, spec 02 §9.
 *
 * Passes PEER_HANDSHAKE and PEER_HOLEPUNCH from hop to hop between a client
 * and the server that announced itself here. Remembers no message: whatever
 * the next hop needs travels with it. Serves on ephemeral nodes too. Goes only
 * where the protocol's own hops go, in the byte budgets of allowance.h; knows
 * nothing of what is sealed inside. Uses: base, crypto, dht, records.
 */
#ifndef SIGNAL_ROUTER_H
#define SIGNAL_ROUTER_H

#include "dht/dht.h"
#include "records/records.h"

struct router;

/* Borrows both, which must outlive it. NULL if memory is short. */
struct router *router_new(struct dht *d, struct records *r);
void router_free(struct router *rt);

/*
 * Serves a request of command CMD_PEER_HANDSHAKE or CMD_PEER_HOLEPUNCH that
 * dht_recv() has handed up. 0 if it was answered or passed on, else why it was
 * dropped (counted).
 */
int router_serve(struct router *rt, const struct dht_request *rq);

#endif
