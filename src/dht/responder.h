/* SPDX-License-Identifier: ISC */
/*
 * responder.h - replies to the requests of other nodes, protocol 01 §7.
 *
 * Admits each request by the budget of its source, checks its token, and
 * answers internal commands. A request with a user command is returned to the
 * caller. Owns the tokens and the delayed replies to pings.
 */
#ifndef DHT_RESPONDER_H
#define DHT_RESPONDER_H

#include <sys/queue.h>

#include "base/prefix_groups.h"
#include "dht/local_node.h"
#include "dht/rate_limiter.h"
#include "dht/token.h"

struct candidates;

TAILQ_HEAD(delayed_list, delayed_ping);

/* dht.c sets the first three members before responder_init(). */
struct responder {
	struct local_node *self;
	struct candidates *candidates;
	struct rate_limiter *limiter;
	struct tokens tokens;
	struct delayed_list delayed; /* oldest first */
	struct pool delayed_pool;
	struct prefix_groups delayed_by_prefix;
};

/* Returns what the delayed pings take with these limits, at most. */
size_t responder_bytes_max(const struct limits *l);

void responder_init(struct responder *rp);
void responder_fini(struct responder *rp);

/* Applies limits of the core that have changed. */
void responder_limits_changed(struct responder *rp);

/* Drops the delayed replies that would leave from this socket. */
void responder_socket_closed(struct responder *rp, int sock);

/* Processes a request as dht_recv() does: returns 0, DHT_HANDED_UP, or the
 * reason why it was dropped. */
int responder_recv_request(
    struct responder *rp, const struct dgram *dg, struct dht_request *rq);

/* Implement the functions of the same name in dht.h. */
int responder_reply(struct responder *rp, const struct dht_request *rq,
    const struct dht_reply *re);
int responder_reply_at(struct responder *rp, const struct dht_request *rq,
    const struct addr *to, struct bytes value);
int responder_forward(struct responder *rp, const struct dht_request *rq,
    const struct addr *to, struct bytes value);
bool responder_charge(struct responder *rp, const struct addr *to, size_t len);

#endif
