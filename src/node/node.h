/* SPDX-License-Identifier: ISC */
/*
 * node.h - one whole node, as a world drives it.
 *
 * Owns a room of each kind, the timers and the queue of news. Bytes, time and
 * commands come in; datagrams (through the world), a deadline and news go out.
 * Every function may be called whenever no other is running; none blocks.
 * After any call: drain node_poll(), send the world's batch, and come back at
 * node_deadline(). Uses: base, crypto, dht, records, udx, signal,
 * punch, peer.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/stats.h"
#include "base/world.h"
#include "crypto/keys.h"
#include "dht/dht.h"

struct node;
struct netcheck_result; /* punch/netcheck.h */

struct node_config {
	struct dht_config dht;
	struct limits limits;
	/* The node's own identity, lent for its life by whoever locks it. */
	const struct key_pair *identity;
	uint32_t announce_ms; /* between two announcements of a topic */
	struct addr host6;    /* to bind to for IPv6; family none: without */
};

void node_config_init(struct node_config *c);

/* NULL if memory is short. The world is borrowed for the node's life. */
struct node *node_new(struct world *w, const struct node_config *c);
void node_free(struct node *n);

/* 0, ERR_ADDRESS_USED, ERR_SOCKET or ERR_MEMORY: then it can only be freed. */
int node_start(struct node *n);

/* ---- what the world tells ---- */

/* 0, or why the datagram was dropped (counted already). */
int node_recv(struct node *n, const struct dgram *dg);

/* When node_tick() is due, on the world's clock; WORLD_NEVER if at no time. */
uint64_t node_deadline(const struct node *n);
void node_tick(struct node *n);

void node_slept(struct node *n, uint64_t us);
void node_network_changed(struct node *n);

/*
 * The addresses of this machine's interfaces, loopback left out, ports not
 * looked at: before the start and whenever they have changed. Copied.
 */
void node_set_local(struct node *n, const struct addr *local, size_t len);

/* The socket's queue had been full and has room again. */
void node_writable(struct node *n, int sock);

/* Sets the totals of datagrams that were lost or delayed after the commit. */
void node_count_sent(struct node *n, uint64_t lost, uint64_t delayed);

/* The answer to world_ops.resolve; a is NULL if the name has no address. */
void node_resolved(struct node *n, uint32_t ticket, const struct addr *a);

/* ---- operations ---- */

/*
 * Each starts something and returns 0 and its number in *op, under which news
 * come until NEWS_DONE, which ends it; or a negative reason, and no news come.
 * Keys, targets and topics are 32 bytes. What this node itself holds counts
 * as one more answer.
 */
int node_ping(struct node *n, const struct addr *to, uint32_t *op);
int node_find_node(struct node *n, const uint8_t *target, uint32_t *op);
int node_find_peer(struct node *n, const uint8_t *key, uint32_t *op);
int node_lookup(struct node *n, const uint8_t *topic, uint32_t *op);
int node_put_immutable(
    struct node *n, const void *value, size_t len, uint32_t *op);
int node_get_immutable(struct node *n, const uint8_t *hash, uint32_t *op);

/* Signed with the node's identity. */
int node_put_mutable(
    struct node *n, uint64_t seq, const void *value, size_t len, uint32_t *op);

/* The highest sequence number found, not below seq. */
int node_get_mutable(
    struct node *n, const uint8_t *key, uint64_t seq, uint32_t *op);

/*
 * Measures what kind of network this is; NEWS_DONE tells that it is done.
 * lifetime: then also how long its NAT remembers, up to LIFETIME_SECONDS, with
 * NEWS_SILENCE in between.
 */
int node_netcheck(struct node *n, bool lifetime, uint32_t *op);

/* What the last node_netcheck() has found. */
const struct netcheck_result *node_netcheck_result(const struct node *n);

/* What is known of the NAT's mappings, see dht/mapping.h. */
const struct mapping *node_mapping(const struct node *n);

/* The i-th IPv6 address of the machine that others may reach, or NULL. */
const struct addr *node_ipv6(const struct node *n, uint32_t i);

/* That host is this machine: nothing translates its address. */
bool node_is_local(const struct node *n, const struct addr *host);

/*
 * Announces the identity under the topic, now and then every announce_ms until
 * node_unannounce(), which also withdraws it from the network. The news of
 * *op tell of the first round alone. ERR_LIMIT if too many topics are held;
 * a topic that is held already is announced again.
 */
int node_announce(struct node *n, const uint8_t *topic, uint32_t *op);
int node_unannounce(struct node *n, const uint8_t *topic, uint32_t *op);

/* Ends the operation; NEWS_DONE comes with ERR_CANCELLED. Unknown: nothing. */
void node_cancel(struct node *n, uint32_t op);

/*
 * Leaves the network: withdraws all announcements, ends all else. NEWS_LEFT
 * comes when that is done, in 2 s at the most. New operations are ERR_CLOSED.
 */
void node_leave(struct node *n);

/* ---- news ---- */

enum news_kind {
	/* of the node, op 0 */
	NEWS_BOOTSTRAPPED,
	NEWS_PERSISTENT,
	NEWS_EPHEMERAL,
	NEWS_ADDRESS, /* node: the public address */
	NEWS_HEALTH,
	NEWS_WAKEUP,
	NEWS_ANNOUNCED, /* a renewal ended: key, err, stored */
	NEWS_LEFT,
	/* of a listener (op), see conn.h */
	NEWS_LISTENING,  /* stored: nodes that forward to us; err: why none */
	NEWS_UNLISTENED, /* the end */
	/* of a connection (op), see conn.h */
	NEWS_OFFER,  /* waits for node_answer(): key, node, listener */
	NEWS_OPEN,   /* key, node: its address, listener (0: dialed) */
	NEWS_READY,  /* bytes to read, room to write, or the peer's end */
	NEWS_CLOSED, /* the end: err, 0 if both sides had ended */
	/* of an operation */
	NEWS_NODE,    /* one of the closest nodes, nearest first: node, id */
	NEWS_PEER,    /* found: node told of key, relays, bump */
	NEWS_VALUE,   /* found: value; mutable: seq */
	NEWS_SILENCE, /* of a netcheck: outlived_s, next_s, see lifetime.h */
	NEWS_DONE,    /* the end: err and the counts */
};

enum { NEWS_VALUE_MAX = DGRAM_MAX, NEWS_RELAYS_MAX = 3 };

struct news {
	enum news_kind kind;
	uint32_t op;
	int err;
	struct addr node;
	uint8_t id[ID_LEN];
	uint8_t key[ID_LEN]; /* public key, topic or hash, as the kind has it */
	struct addr relays[NEWS_RELAYS_MAX];
	uint8_t relays_len;
	uint64_t seq, bump, rtt_us;
	uint32_t replies, failures; /* of the walk */
	uint32_t stored, refused;   /* of the commit */
	uint32_t listener;          /* of a connection that was accepted */
	uint32_t outlived_s, next_s;
	uint32_t lost; /* news of this operation that were dropped */
	uint16_t value_len;
	uint8_t value[NEWS_VALUE_MAX];
};

/* The oldest news, copied to *out; false if there are none. */
bool node_poll(struct node *n, struct news *out);

/* ---- what may be asked at any time ---- */

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
	uint8_t topic[32];
	bool announced;           /* the last round reached somebody */
	int err;                  /* of the last round */
	uint32_t stored;          /* nodes that hold it */
	uint64_t age_us, next_us; /* since the last round, until the next */
};

/* The i-th of the own announcements; false if there is none. */
bool node_announcement(
    const struct node *n, uint32_t i, struct node_announcement *out);

/*
 * All take effect at once: caches shrink, the oldest first; what is under way
 * (operations, connections, punches) goes on and counts until it ends.
 */
const struct limits *node_limits(const struct node *n);
void node_set_limits(struct node *n, const struct limits *l);

#endif
