/* SPDX-License-Identifier: ISC */
/*
 * dht.h - the RPC layer and the Kademlia network of one node, protocol 01.
 *
 * Owns the server and the client socket, further sockets that callers open
 * through it, the routing table, the requests in flight, the NAT sampler,
 * tokens, rate limits, and the change between the ephemeral and the persistent
 * role. Replies to internal commands itself; a request with a user command is
 * returned to the caller, which replies before the next datagram. Knows
 * no record and no connection. Uses: base.
 *
 * Completions (struct dht_done, and the callbacks of query.h) are called from
 * dht_recv() or from a timer, never from inside the call that started the
 * request. They may start and cancel other requests, but must not free the dht.
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
	DHT_PERSISTENT, /* promoted once it is found to be reachable */
	DHT_BOOTSTRAP,  /* persistent at once, at the configured address */
};

struct dht_config {
	enum dht_role role;
	struct addr host;    /* to bind to; its port is ignored */
	uint16_t port_first; /* of the server socket; 0: any port */
	uint16_t port_last;
	bool port_any;              /* any other port if all are in use */
	struct addr public_address; /* DHT_BOOTSTRAP only */
	const struct bootstrap_entry *bootstrap; /* copied */
	size_t bootstrap_len;
	const struct addr *known; /* good nodes of an earlier run; copied */
	size_t known_len;
	bool private_network; /* treat private addresses as public ones */
	uint32_t tick_ms;     /* 5000; shorter in tests alone */
	uint32_t health_ms; /* between two probes; 0, in tests alone: no probes,
			     * polls and checks of the server port, so that the
			     * state never leaves DHT_ONLINE */
};

/* Sets the defaults: an adaptive node without a bootstrap list. */
void dht_config_init(struct dht_config *c);

/* Creates a node, which borrows the core and what it points to. Returns NULL if
 * memory is short. */
struct dht *dht_new(const struct core *core, const struct dht_config *c);

/* Ends every query and request with ERR_CLOSED; no more can be started. Called
 * while the owners of these requests still exist. */
void dht_end(struct dht *d);

/* Calls dht_end(), closes the sockets and frees the node. d may be NULL. */
void dht_free(struct dht *d);

/*
 * Opens the sockets and starts to join the network. Returns 0,
 * ERR_ADDRESS_USED or ERR_SOCKET; on failure the dht can only be freed.
 */
__attribute__((warn_unused_result)) int dht_start(struct dht *d);

/* ---- input ---- */

/* A request of another node; its pointers are valid until the next datagram. */
struct dht_request {
	struct dgram dg;
	struct rpc_request m;
	const uint8_t *id; /* of the sender, verified by its address, or NULL */
	bool token_good;   /* it carried one of our tokens */
	uint32_t source;   /* budget of the sender, see rate_limiter.h */
};

/* The caller replies to the request, or drops it. */
enum { DHT_HANDED_UP = 1 };

/*
 * Processes a datagram that starts with the type byte of an RPC message.
 * Returns 0, DHT_HANDED_UP if *rq is a request for the caller, or the reason
 * why the datagram was dropped, which has been counted.
 */
int dht_recv(struct dht *d, const struct dgram *dg, struct dht_request *rq);

/* Returns our id, or NULL while this node is ephemeral. */
const uint8_t *dht_id(const struct dht *d);

/* Returns true if this node may store records (protocol 01 §12). */
bool dht_is_persistent(const struct dht *d);

struct dht_reply {
	uint64_t error;     /* enum rpc_error */
	struct bytes value; /* p NULL: none */
	bool token;
	bool closer; /* closer nodes, if the request has a target */
};

/*
 * Replies to rq from the socket that received it. Closer nodes are left out if
 * the reply would exceed DGRAM_SAFE or the budget of the sender. Returns 0,
 * ERR_BUDGET, ERR_FULL or ERR_TOO_BIG, which have been counted.
 */
int dht_reply(
    struct dht *d, const struct dht_request *rq, const struct dht_reply *re);

/*
 * Forwards rq to another address, once: same tid, command and target, but a new
 * value (protocol 01 §7.1). Charges no budget; see dht_charge().
 */
int dht_forward(struct dht *d, const struct dht_request *rq,
    const struct addr *to, struct bytes value);

/* Sends the reply to another address: same tid, no token, no closer nodes.
 * Charges no budget. */
int dht_reply_at(struct dht *d, const struct dht_request *rq,
    const struct addr *to, struct bytes value);

/* Writes our token for a host, as dht_reply() does; valid for 30 to 60 s. */
void dht_token(
    struct dht *d, const struct addr *host, uint8_t token[RPC_TOKEN_LEN]);

/*
 * Returns false if nothing may be sent to an address from an unvalidated
 * source: it is unusable, or private while this node serves the public.
 */
bool dht_may_send(const struct dht *d, const struct addr *to);

/*
 * Charges len bytes to the budget of a host; a validated one has no such limit.
 * Returns false if they must not be sent.
 */
__attribute__((warn_unused_result)) bool dht_charge(
    struct dht *d, const struct addr *to, size_t len);

/* Returns true if a host is validated: it receives what we send to it. */
bool dht_is_validated(const struct dht *d, const struct addr *host);

/* Returns true in a private network, where shares and budgets are off. */
bool dht_is_private(const struct dht *d);

/* ---- own requests ---- */

struct request; /* one in flight, see request.h */

struct dht_answer {
	int err; /* 0: reply is set, and its error field may be */
	const struct rpc_reply *reply; /* borrowed */
	struct addr from;
	int sock;             /* that received the reply */
	const uint8_t *id;    /* verified id of the replier, or NULL */
	const uint8_t *token; /* in the reply, or NULL */
	uint64_t rtt_us;      /* from the last send */
};

/* Called exactly once for each request that was accepted. */
struct dht_done {
	void (*call)(void *owner, const struct dht_answer *a);
	void *owner;
};

/* Which requests leave first while the congestion window is full. */
enum request_class {
	REQUEST_OWN,        /* a program waits for it */
	REQUEST_BACKGROUND, /* maintenance; leaves after all own ones */
	REQUEST_CHECK,      /* caused by another node; refused, not queued */
};

enum { REQUEST_QUEUES = REQUEST_BACKGROUND + 1 };

struct dht_call {
	enum request_class kind;
	struct addr to;
	bool internal;
	uint64_t command;
	const uint8_t *target, *token; /* or NULL; copied, as is the value */
	struct bytes value;
	uint8_t sends;       /* transmissions in all; 0: four */
	uint32_t timeout_ms; /* of each send; 0: adaptive */
	bool doubling; /* timeout_ms doubles every other send, up to 1 s */
};

/*
 * Sends a request from the active socket, or queues it while the congestion
 * window is full. Returns 0 and, if out is not NULL, the request, which is
 * valid until its completion; or ERR_BUSY, ERR_CLOSED, ERR_MEMORY or ERR_VALUE
 * (bad address or too long), and then the completion is not called.
 */
int dht_call(struct dht *d, const struct dht_call *c, struct dht_done done,
    struct request **out);

/* Does the same from another socket. */
int dht_call_from(struct dht *d, int sock, const struct dht_call *c,
    struct dht_done done, struct request **out);

/* Ends a request; its completion is called with ERR_CANCELLED before this
 * returns. */
void dht_cancel(struct dht *d, struct request *r);

/* ---- further sockets ---- */

/*
 * Opens a socket on any port. Requests may leave from it; datagrams it receives
 * are passed to dht_recv(), since one table of requests serves all sockets
 * (pitfall R3). Returns a handle, ERR_ADDRESS_USED or ERR_SOCKET.
 */
int dht_open_socket(struct dht *d, struct addr *bound);

/* Returns true for the server and the client socket, false for those of
 * dht_open_socket(). */
bool dht_has_socket(const struct dht *d, int sock);

/* Returns the socket that receives the requests of other nodes. */
int dht_server_socket(const struct dht *d);

/* Returns the socket of own requests while the node is ephemeral. */
int dht_client_socket(const struct dht *d);

/* Notes where a socket is bound after the owner of the world has replaced it.
 */
void dht_socket_reopened(struct dht *d, int sock, const struct addr *bound);

/* Ends the requests of this socket with ERR_CANCELLED, then closes it. */
void dht_close_socket(struct dht *d, int sock);

/* ---- notifications from the world ---- */

/* Reports that the machine has slept for more than 15 s, protocol 01 §15. */
void dht_wakeup(struct dht *d);

/* Reports that an address of this machine or its default route has changed. */
void dht_network_changed(struct dht *d);

/* Ends a lookup of the world; a is NULL if the name was not found. */
void dht_resolved(struct dht *d, uint32_t ticket, const struct addr *a);

/* ---- state ---- */

/* Bits; dht_events() returns and clears those that are pending. */
enum dht_event {
	DHT_EV_BOOTSTRAPPED = 1,
	DHT_EV_PERSISTENT = 2,
	DHT_EV_EPHEMERAL = 4,
	DHT_EV_ADDRESS = 8, /* the public address as sampled has changed */
	DHT_EV_HEALTH = 16,
	DHT_EV_WAKEUP = 32,
	DHT_EV_MOVED = 64,    /* own requests leave from the other socket */
	DHT_EV_REPACED = 128, /* the keep-alive interval has changed */
	DHT_EV_BACK = 256,    /* nodes answer again after none did */
};

unsigned dht_events(struct dht *d);

/* Whether other nodes answer, see health.h. */
enum dht_state {
	DHT_STARTING, /* it joins the network; for 5 s at the most */
	DHT_ONLINE,
	DHT_DEGRADED, /* most of the known nodes do not answer, or the server
		       * port of a node with a configured role is blocked */
	DHT_OFFLINE,  /* no node has answered */
};

struct dht_status {
	enum dht_state state;
	bool bootstrapped; /* joined: another node has answered, or alone */
	bool alone; /* no bootstrap node is configured and no node is known */
	bool ephemeral, firewalled;
	bool has_id; /* the id is sent to other nodes */
	/* The server socket was reachable, but receives nothing any more. */
	bool blocked;
	uint8_t id[ID_LEN];
	struct addr public_address; /* family none: unknown; port 0: varies */
	struct addr server_address, client_address; /* local */
	uint32_t nodes, candidates, sources, requests, queries;
	uint32_t promotion_ticks; /* until the next check; 0: none is due */
	uint32_t asked, answered; /* nodes, when health was last examined */
	uint32_t tick;            /* advances every 5 s while the node runs */
};

void dht_status(const struct dht *d, struct dht_status *out);

/* Returns whether no bootstrap node is configured and no node is known. */
bool dht_is_alone(const struct dht *d);

/* What was last found out about an entry of the bootstrap list. */
enum dht_entry_result {
	DHT_ENTRY_UNTRIED,
	DHT_ENTRY_ANSWERED,
	DHT_ENTRY_SILENT,      /* the node does not answer */
	DHT_ENTRY_NO_NAME,     /* the name has no address */
	DHT_ENTRY_NO_RESOLVER, /* no answer to the name lookup */
	DHT_ENTRY_SELF,        /* it is this node */
};

struct dht_entry {
	const char *name; /* borrowed; empty: only an address is configured */
	struct addr addr; /* family none: not known */
	uint16_t port;
	enum dht_entry_result result;
	uint64_t age_us; /* since the result */
};

/* Writes the i-th entry of the bootstrap list. Returns false if there is none.
 */
bool dht_entry(const struct dht *d, size_t i, struct dht_entry *out);

/* Returns false while an operation would find no node to ask. */
bool dht_is_reachable(const struct dht *d);

struct dht_node {
	struct addr addr;
	uint8_t id[ID_LEN];
	uint32_t heard_s, added_s; /* seconds since the last message, and
				    * since it was added */
	uint32_t row;
	uint32_t number; /* of the node, for dht_node_after() */
};

/* Writes the next node, most recently active first; *cursor starts at 0 and is
 * valid only until the table changes. Returns false at the end. */
bool dht_next_node(const struct dht *d, uint32_t *cursor, struct dht_node *out);

/*
 * Writes the node that was added next after the one of that number (0: the
 * first), whether that one is still in the table or not. Any number is valid.
 * Returns false at the end.
 */
bool dht_node_after(const struct dht *d, uint32_t after, struct dht_node *out);

/* Returns true if our NAT assigns a port at random to each destination: the
 * host of our public address is known, its port varies. */
bool dht_port_varies(const struct dht *d);

/* Returns the local address of the server socket. */
const struct addr *dht_server_address(const struct dht *d);

/* Returns our public address, or NULL until host and port are known. */
const struct addr *dht_public_address(const struct dht *d);

/* Returns the same if any host may send to it (OPEN, protocol 03 §5), else
 * NULL. */
const struct addr *dht_open_address(const struct dht *d);

/* Returns the socket that own requests leave from; DHT_EV_MOVED reports a
 * change. */
int dht_socket(const struct dht *d);

/* Returns what is known of our NAT's mappings; callers may update it. */
struct mapping *dht_mapping(struct dht *d);

/* Applies limits of the core that have changed. */
void dht_limits_changed(struct dht *d);

#endif
