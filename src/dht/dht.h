/* SPDX-License-Identifier: ISC */
/*
 * dht.h - the RPC layer and the Kademlia network of one node, protocol 01.
 *
 * Owns two sockets, and those that others open through it, the routing table,
 * the requests in flight, the NAT sampler, tokens, budgets, bootstrap and the
 * way from ephemeral to persistent. Answers internal commands itself; a request
 * with a user command is handed up, borrowed, to be answered before the next
 * datagram. Knows no record and no connection. Uses: base.
 *
 * Completions (dht_done, and the callbacks of query.h) come from dht_recv() or
 * from a timer, never from inside the call that started the request. They may
 * start and cancel other requests, but not free the dht.
 */
#ifndef DHT_DHT_H
#define DHT_DHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/core.h"
#include "dht/bootstrap.h"
#include "dht/mapping.h"
#include "dht/rpc.h"

struct dht;

enum dht_role {
	DHT_AUTO,       /* adaptive: promoted when stable and reachable */
	DHT_PERSISTENT, /* persistent as soon as the own address is known */
	DHT_BOOTSTRAP,  /* persistent at once, at the configured address */
};

struct dht_config {
	enum dht_role role;
	struct addr host;    /* to bind to; the port is not looked at */
	uint16_t port_first; /* of the server socket; 0: any port */
	uint16_t port_last;
	bool port_any;              /* if all of these are taken, any other */
	struct addr public_address; /* DHT_BOOTSTRAP only */
	const struct bootstrap_entry *bootstrap; /* copied */
	size_t bootstrap_len;
	const struct addr *known; /* good nodes of an earlier run; copied */
	size_t known_len;
	bool private_network; /* treat private addresses as public ones */
	uint32_t tick_ms;     /* 5000; shorter in tests alone */
};

/* The configuration of a node that knows nobody and joins nothing. */
void dht_config_init(struct dht_config *c);

/*
 * Borrows the core and what it points to for its life. NULL if memory is short.
 */
struct dht *dht_new(const struct core *core, const struct dht_config *c);

/*
 * Ends every query and request with ERR_CLOSED; no more can be started. For
 * the rooms above, which may still be there to hear of it.
 */
void dht_end(struct dht *d);

/* The same if it was not done, then closes the sockets. NULL is no dht. */
void dht_free(struct dht *d);

/*
 * Opens the sockets and starts to bootstrap. 0, ERR_ADDRESS_USED, ERR_SOCKET
 * or ERR_MEMORY; on failure the dht can only be freed.
 */
int dht_start(struct dht *d);

/* ---- what comes in ---- */

/* A request of another node, borrowed until the next datagram. */
struct dht_request {
	struct dgram dg;
	struct rpc_request m;
	const uint8_t *id; /* of the sender, proved by its address, or NULL */
	bool token_good;   /* it carried one of our tokens */
	uint32_t source;   /* its budget, for dht_reply() */
};

/* dht_recv() hands the request up; the caller replies to it or lets it be. */
enum { DHT_HANDED_UP = 1 };

/*
 * Takes a datagram whose first byte says RPC. 0: dealt with, DHT_HANDED_UP:
 * *rq is for the rooms above, else the reason why it was dropped (counted).
 */
int dht_recv(struct dht *d, const struct dgram *dg, struct dht_request *rq);

/* The id that others know us by, or NULL while ephemeral. */
const uint8_t *dht_id(const struct dht *d);

/* This node may store records and answer for them (protocol 01 §12). */
bool dht_is_persistent(const struct dht *d);

struct dht_reply {
	uint64_t error;     /* enum rpc_error */
	struct bytes value; /* p NULL: none */
	bool token;
	bool closer; /* closer nodes, if the request has a target */
};

/*
 * Answers rq from the socket that it came in on. Closer nodes are left out
 * rather than exceed DGRAM_SAFE or the sender's budget. 0, ERR_BUDGET,
 * ERR_FULL or ERR_TOO_BIG (counted).
 */
int dht_reply(
    struct dht *d, const struct dht_request *rq, const struct dht_reply *re);

/*
 * Turns rq into a request to another address: same tid, command and target, a
 * new value, sent once (protocol 01 §7.1). The caller has checked the budget.
 */
int dht_forward(struct dht *d, const struct dht_request *rq,
    const struct addr *to, struct bytes value);

/* Answers rq at another address: same tid, no token, no closer nodes. */
int dht_reply_at(struct dht *d, const struct dht_request *rq,
    const struct addr *to, struct bytes value);

/* Our token for a host; valid 30 to 60 s. What dht_reply() puts in. */
void dht_token(
    struct dht *d, const struct addr *host, uint8_t token[RPC_TOKEN_LEN]);

/*
 * False if the address must not be sent to on a stranger's word: unusable, or
 * private while this node serves the public.
 */
bool dht_may_send(const struct dht *d, const struct addr *to);

/*
 * Takes len bytes from what may be sent to the host of an address that has
 * proved nothing; a proven one has no such limit. False: do not send.
 */
bool dht_spend(struct dht *d, const struct addr *to, size_t len);

/* True while this node lives in a private network, where shares are off. */
bool dht_is_private(const struct dht *d);

/* ---- own requests ---- */

struct request; /* one in flight, see request.h */

struct dht_answer {
	int err; /* 0: *reply is there (its error field may be set) */
	const struct rpc_reply *reply; /* borrowed */
	struct addr from;
	int sock;             /* that the reply came in on */
	const uint8_t *id;    /* proved id of the replier, or NULL */
	const uint8_t *token; /* that it gave, or NULL */
	uint64_t rtt_us;      /* from the last send */
};

/* Called exactly once for each request that was accepted. */
struct dht_done {
	void (*call)(void *owner, const struct dht_answer *a);
	void *owner;
};

struct dht_call {
	struct addr to;
	bool internal;
	uint64_t command;
	const uint8_t *target, *token; /* or NULL; copied, as is the value */
	struct bytes value;
	uint8_t sends;       /* transmissions in all; 0: the usual four */
	uint32_t timeout_ms; /* flat wait after each send; 0: adaptive */
	bool doubling; /* it doubles with every other send, up to a second */
};

/*
 * Sends a request from the socket for own requests. Returns 0 and, if out is
 * not NULL, the request, valid until its completion; or ERR_BUSY, ERR_CLOSED,
 * ERR_VALUE (bad address or too long), and then nothing is called.
 */
int dht_call(struct dht *d, const struct dht_call *c, struct dht_done done,
    struct request **out);

/* The same from a socket of the caller's choice. */
int dht_call_from(struct dht *d, int sock, const struct dht_call *c,
    struct dht_done done, struct request **out);

/* Ends it at once; its completion is called with ERR_CANCELLED. */
void dht_cancel(struct dht *d, struct request *r);

/* ---- further sockets ---- */

/*
 * Opens a socket on any port. Requests may leave from it and be answered on
 * it; what comes in on it goes through dht_recv() as on any other, for there
 * is one table of requests for all (pitfall R3). A handle, ERR_ADDRESS_USED or
 * ERR_SOCKET.
 */
int dht_open_socket(struct dht *d, struct addr *bound);

/* The node's own sockets: all but those that others opened. */
bool dht_has_socket(const struct dht *d, int sock);

/* The one that others find us at. */
int dht_server_socket(const struct dht *d);

/* Ends what was to leave from it (ERR_CANCELLED), then closes it. */
void dht_close_socket(struct dht *d, int sock);

/* ---- what the world tells ---- */

void dht_slept(struct dht *d); /* longer than 15 s, protocol 01 §15 */
void dht_network_changed(struct dht *d);
void dht_resolved(struct dht *d, uint32_t ticket, const struct addr *a);

/* ---- what the rooms above may ask ---- */

/* Bits that say what has happened; dht_events() returns and clears them. */
enum dht_event {
	DHT_EV_BOOTSTRAPPED = 1,
	DHT_EV_PERSISTENT = 2,
	DHT_EV_EPHEMERAL = 4,
	DHT_EV_ADDRESS = 8, /* the public address as sampled has changed */
	DHT_EV_HEALTH = 16,
	DHT_EV_WAKEUP = 32,
	DHT_EV_MOVED = 64, /* own requests leave from the other socket */
	DHT_EV_REPACED =
	    128, /* mappings are to be kept alive at another pace */
};

unsigned dht_events(struct dht *d);

struct dht_status {
	bool bootstrapped, ephemeral, firewalled, online, degraded;
	bool has_id; /* the id is the one others know */
	uint8_t id[ID_LEN];
	struct addr public_address; /* family none: unknown; port 0: varies */
	struct addr server_address, client_address; /* local */
	uint32_t nodes, candidates, sources, requests, queries;
	uint32_t promotion_ticks; /* until the next check; 0: none is due */
};

void dht_status(const struct dht *d, struct dht_status *out);

struct dht_node {
	struct addr addr;
	uint8_t id[ID_LEN];
	uint32_t heard_s, added_s; /* ago */
	uint32_t row;
};

/* The next node, latest heard first; *cursor starts at 0. False at the end. */
bool dht_next_node(const struct dht *d, uint32_t *cursor, struct dht_node *out);

/* Own address as this node would tell it, or NULL while it is not known. */
const struct addr *dht_public_address(const struct dht *d);

/* The same if anybody may send to it: OPEN, protocol 03 §5; else NULL. */
const struct addr *dht_open_address(const struct dht *d);

/* The socket that own requests leave from; DHT_EV_MOVED tells of another. */
int dht_socket(const struct dht *d);

/* What is known of the NAT's mappings; for all rooms to read and to add to. */
struct mapping *dht_mapping(struct dht *d);

/* Applies limits of the core that have changed. */
void dht_limits_changed(struct dht *d);

#endif
