/* SPDX-License-Identifier: ISC */
/*
 * node.h - one whole node, as a world drives it.
 *
 * Owns one module of each kind, the timers and the queue of events. Takes
 * bytes, time and commands; gives datagrams (to the world), a deadline and
 * events. Every function may be called whenever no other is running; none
 * blocks. After each call the world drains node_poll(), sends its batch and
 * calls node_tick() at node_deadline(). Uses: base, crypto, dht, records, udx,
 * signal, punch, relay, peer,
 * swarm.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/stats.h"
#include "base/world.h"
#include "crypto/keys.h"
#include "dht/dht.h"
#include "records/record.h"

struct node;
struct netcheck_result; /* punch/netcheck.h */

struct node_config {
	struct dht_config dht;
	struct limits limits;
	/* The node's own identity; borrowed for the node's life. */
	const struct key_pair *identity;
	/* Key of the blind relay of this node, see node_relay.h; borrowed for
	 * the node's life; NULL: it never relays. */
	const struct key_pair *relay_keys;
	/* Finds blind relays when it needs one; true at first. */
	bool finds_relays;
	/* Public key of the blind relay to name to peers instead. */
	bool names_relay;
	uint8_t relay_through[KEY_LEN];
	uint32_t announce_ms; /* interval between announcements of a topic */
	struct addr host6; /* address to bind for IPv6; family none: no IPv6 */
};

void node_config_init(struct node_config *c);

/* Returns NULL if memory is short. Borrows the world for the node's life. */
struct node *node_new(struct world *w, const struct node_config *c);
void node_free(struct node *n);

/* Binds the sockets and starts to bootstrap. Returns 0, or ERR_ADDRESS_USED,
 * ERR_SOCKET or ERR_MEMORY; a node that failed can only be freed. */
int node_start(struct node *n);

/* ---- input from the world ---- */

/* Processes a datagram. Returns 0, or the error for which it was dropped and
 * counted. */
int node_recv(struct node *n, const struct dgram *dg);

/*
 * Returns when node_tick() is next due, on the world's clock, or WORLD_NEVER.
 */
uint64_t node_deadline(const struct node *n);
void node_tick(struct node *n);

/* Reports that the machine has slept, protocol 01 §15. */
void node_slept(struct node *n, uint64_t us);

/* Reports that an address of this machine or its default route has changed. */
void node_network_changed(struct node *n);

/*
 * Sets the addresses of this machine's interfaces without loopback and the bits
 * of the prefix of each (NULL: 24); copies them and ignores ports. Call it
 * before the start and after each change.
 */
void node_set_local(struct node *n, const struct addr *local,
    const uint8_t *prefix_len, size_t len);

/*
 * Reports that the transmit queue of the socket is empty again, so that it
 * accepts datagrams.
 */
void node_writable(struct node *n, int sock);

/* Sets the totals of datagrams that were lost or delayed after the commit. */
void node_count_sent(struct node *n, uint64_t lost, uint64_t delayed);

/* Completes world_ops.resolve; a is NULL if the name has no address. */
void node_resolved(struct node *n, uint32_t ticket, const struct addr *a);

/* ---- operations ---- */

/*
 * Each starts an operation, stores its number in *op and returns 0; its events
 * carry that number and NODE_EV_DONE is the last. Returns a negative ERR_* if
 * it cannot start: then no event follows. Keys, targets and topics are 32
 * bytes. What this node itself stores counts as one more reply. node_find()
 * finds what records_client_find() does.
 */
int node_ping(struct node *n, const struct addr *to, uint32_t *op);
int node_find_node(struct node *n, const uint8_t *target, uint32_t *op);
int node_find(struct node *n, enum records_command command, const uint8_t *key,
    uint32_t *op);
int node_put_immutable(
    struct node *n, const void *value, size_t len, uint32_t *op);
int node_get_immutable(struct node *n, const uint8_t *hash, uint32_t *op);

/*
 * Stores a value signed with keys, which are borrowed until NODE_EV_DONE, or
 * with the node's identity if they are NULL. NODE_SEQ_NEXT: the number after
 * the highest that is found. NODE_EV_DONE has the number.
 */
#define NODE_SEQ_NEXT UINT64_MAX
int node_put_mutable(struct node *n, const struct key_pair *keys, uint64_t seq,
    const void *value, size_t len, uint32_t *op);

/* Finds the value with the highest sequence number that is not below seq. */
int node_get_mutable(
    struct node *n, const uint8_t *key, uint64_t seq, uint32_t *op);

/*
 * Determines the NAT type of this network and ends with NODE_EV_DONE. If
 * `lifetime` is set, then also measures the lifetime of NAT mappings, up to
 * LIFETIME_SECONDS, with a NODE_EV_SILENCE after each step.
 */
int node_netcheck(struct node *n, bool lifetime, uint32_t *op);

/* Returns the result of the last node_netcheck(). */
const struct netcheck_result *node_netcheck_result(const struct node *n);

/* Returns the known behaviour of the NAT's mappings, see dht/mapping.h. */
const struct mapping *node_mapping(const struct node *n);

/* Returns the i-th public IPv6 address of this machine, or NULL. */
const struct addr *node_ipv6(const struct node *n, uint32_t i);

/* Returns whether the host address belongs to an interface of this machine. */
bool node_is_local(const struct node *n, const struct addr *host);

/*
 * Announces keys (NULL: the node's identity) under the topic now and every
 * announce_ms until node_unannounce(), which also withdraws them from the
 * network. Names the relays of the listener of the keys, or without one the
 * nodes that store the record. The events of *op cover the first round only.
 * Returns ERR_LIMIT if there are too many announcements; repeats one that
 * exists. If it succeeds, keys are borrowed until NODE_EV_DONE of
 * node_unannounce(), and by that one until its own NODE_EV_DONE.
 */
int node_announce(struct node *n, const struct key_pair *keys,
    const uint8_t *topic, uint32_t *op);
int node_unannounce(struct node *n, const struct key_pair *keys,
    const uint8_t *topic, uint32_t *op);

/* Cancels the operation: NODE_EV_DONE follows with ERR_CANCELLED. Ignores an
 * unknown number. */
void node_cancel(struct node *n, uint32_t op);

/*
 * Leaves the network: withdraws all announcements and ends everything else,
 * then queues NODE_EV_LEFT, after 2 s at most. New operations return
 * ERR_CLOSED.
 */
void node_leave(struct node *n);

/* ---- events ---- */

enum node_event_kind {
	/* of the node, op 0 */
	NODE_EV_BOOTSTRAPPED,
	NODE_EV_PERSISTENT,
	NODE_EV_EPHEMERAL,
	NODE_EV_ADDRESS, /* node: the public address */
	NODE_EV_HEALTH,
	NODE_EV_WAKEUP,
	NODE_EV_ANNOUNCED, /* a renewal ended: key, err, stored */
	NODE_EV_LEFT,
	/* of a listener (op), see node_conn.h */
	NODE_EV_LISTENING, /* stored: nodes that forward to us; err: why none */
	NODE_EV_UNLISTENED, /* the end */
	NODE_EV_REFUSED,    /* key: of the latest peer that is not allowed */
	/* of a connection (op), see node_conn.h */
	NODE_EV_OFFER,  /* waits for node_answer(): key, node, listener */
	NODE_EV_OPEN,   /* key, node: its address, path, listener (0: dialed) */
	NODE_EV_MOVED,  /* it uses another path: node, path */
	NODE_EV_READY,  /* bytes to read, space to write, or end of stream */
	NODE_EV_CLOSED, /* the end: err, 0 if both sides had ended */
	/* of a swarm (op), see node_swarm.h */
	NODE_EV_SWARM_PEER, /* key, change, conn, err */
	/* of an operation */
	NODE_EV_NODE,    /* one of the closest nodes, nearest first: node, id */
	NODE_EV_PEER,    /* found: `node` reported key, relays, bump */
	NODE_EV_VALUE,   /* found: value; mutable: seq */
	NODE_EV_SILENCE, /* of a netcheck: outlived_s, next_s, see lifetime.h */
	NODE_EV_DONE,    /* the end: err and the counts */
};

enum { NODE_EVENT_VALUE_MAX = DGRAM_MAX, NODE_EVENT_RELAYS_MAX = 3 };

struct node_event {
	enum node_event_kind kind;
	uint32_t op;
	int err;
	struct addr node;
	uint8_t id[ID_LEN];
	uint8_t key[ID_LEN]; /* public key, topic or hash, as the kind has it */
	struct addr relays[NODE_EVENT_RELAYS_MAX];
	uint8_t relays_len;
	uint64_t seq, bump, rtt_us; /* seq: also of a mutable put */
	uint32_t replies, failures; /* of the query */
	uint32_t stored, refused;   /* of the commit */
	uint32_t listener;          /* of a connection that was accepted */
	uint8_t path;               /* enum conn_path_kind (peer/peer.h) */
	uint8_t change;             /* enum swarm_change (swarm/swarm.h) */
	uint32_t conn;              /* of NODE_EV_SWARM_PEER */
	uint32_t outlived_s, next_s;
	uint32_t lost; /* events of this operation that were dropped */
	uint16_t value_len;
	uint8_t value[NODE_EVENT_VALUE_MAX];
};

/* Moves the oldest event to *out; returns false if there is none. */
bool node_poll(struct node *n, struct node_event *out);

/* ---- status ---- */

struct node_status {
	struct dht_status dht;
	uint32_t records, topics, forwards, values, value_bytes;
	uint32_t announcements, operations;
	uint64_t uptime_us;
};

void node_status(const struct node *n, struct node_status *out);
const struct stats *node_stats(const struct node *n);
struct dht *node_dht(struct node *n);

struct node_announcement {
	uint32_t number; /* in the order in which they were made */
	uint8_t topic[32];
	uint8_t key[KEY_LEN];
	bool announced;           /* some node may store it */
	int err;                  /* of the last round */
	uint32_t stored;          /* nodes that hold it */
	uint64_t age_us, next_us; /* since the last round, until the next */
};

/* Copies the own announcement with the lowest number above `after` to *out;
 * returns false if there is none. */
bool node_announcement(
    const struct node *n, uint32_t after, struct node_announcement *out);

const struct limits *node_limits(const struct node *n);

/*
 * Sets all limits at once: caches drop their oldest entries; operations,
 * connections and punches in progress continue and count until they end.
 */
void node_set_limits(struct node *n, const struct limits *l);

#endif
