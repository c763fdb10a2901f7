/* SPDX-License-Identifier: ISC */
/*
 * records_client.h - finding, announcing and storing at other nodes, protocol
 * 02 §11.
 *
 * Each operation is a query and, if it writes, a commit to the closest nodes.
 * It tells what it finds through a sink and ends with exactly one
 * RECORDS_EV_DONE, after which it is gone. Nothing is told from inside the call
 * that starts an operation. Knows no store and no control client. Uses: base,
 * crypto, dht.
 */
#ifndef RECORDS_RECORDS_CLIENT_H
#define RECORDS_RECORDS_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/wire.h"
#include "crypto/keys.h"
#include "dht/query.h"
#include "records/record.h"

struct records_op; /* one under way */

enum records_event_kind {
	/* find_node, announce, at the end: node, id; nearest first */
	RECORDS_EV_NODE,
	RECORDS_EV_PEER,  /* find_peer, lookup: node told of peer, bump */
	RECORDS_EV_VALUE, /* get: node, value; mutable: seq */
	/* announce with self: node stores it (us: as it sees us) or not (err)
	 */
	RECORDS_EV_COMMIT,
	RECORDS_EV_DONE, /* the end: err and the counts */
};

/*
 * What it points to is borrowed for the length of the call. Fields that the
 * kind does not name are zero.
 */
struct records_event {
	enum records_event_kind kind;
	/*
	 * Of RECORDS_EV_COMMIT and RECORDS_EV_DONE. Of the latter: 0;
	 * ERR_UNREACHABLE: nobody answered; ERR_NOT_FOUND: nodes answered, but
	 * none knew; ERR_CANCELLED, ERR_CLOSED. Of writes, if no node has
	 * stored: ERR_REFUSED, ERR_SEQ_REUSED, ERR_SEQ_LOW or ERR_TIMEOUT.
	 */
	int err;
	struct addr node, us;
	const uint8_t *id; /* of the node, or NULL */
	/* Any number of relay addresses: it is as the node sent it. */
	struct peer_record peer;
	uint64_t bump, seq;
	struct bytes value;
	uint32_t replies, failures; /* of the walk */
	/* Nodes that did as told, and that did not, at the commit. */
	uint32_t stored, refused;
	/* Why the first node did not store, also when others did; or 0. */
	int commit_err;
};

/*
 * The event may start and cancel operations, its own too unless it is
 * RECORDS_EV_DONE.
 */
struct records_sink {
	void (*event)(void *owner, const struct records_event *e);
	void *owner;
};

/*
 * Each starts an operation: 0 and, in *op, what records_client_cancel() takes
 * until RECORDS_EV_DONE; or ERR_BUSY, ERR_CLOSED, ERR_MEMORY, and nothing is
 * told. Keys, targets and topics are 32 bytes and copied.
 */
int records_client_find_node(struct dht *d, const uint8_t *target,
    struct records_sink sink, struct records_op **op);
int records_client_find_peer(struct dht *d, const uint8_t *key,
    struct records_sink sink, struct records_op **op);
int records_client_lookup(struct dht *d, const uint8_t *topic,
    struct records_sink sink, struct records_op **op);

struct announce_spec {
	const uint8_t *target;       /* the topic, or H(public key) */
	const struct key_pair *keys; /* borrowed for the operation's life */
	const struct addr *relays;   /* copied */
	size_t relays_len;           /* at most PEER_RELAYS_MAX */
	uint64_t bump;               /* milliseconds since 1970; 0: none */
	uint8_t commit_max;          /* nodes to announce to; 0: RPC_K */
	const struct addr *start;    /* who held it last, to be asked first */
	size_t start_len;
	bool self; /* the target is that of the key itself: FIND_PEER */
	/* Orders the closest nodes before the commit; the sink's owner. */
	void (*rank)(void *owner, struct query_node *closest, size_t len);
};

/* Also ERR_VALUE: too many relays, or one that is not IPv4. */
int records_client_announce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * Withdraws from each node met that lists the key, or may hide it. Of *a, only
 * target, keys and start count.
 */
int records_client_unannounce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * Withdraws a key from nodes to which it announced itself, and from nobody
 * else. Of *a, only keys and start count. Also ERR_VALUE: no nodes.
 */
int records_client_withdraw(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * The value is copied. Also ERR_VALUE: it is empty, or seq is above
 * WIRE_UINT_MAX; ERR_SIZE: longer than VALUE_PUT_MAX.
 */
int records_client_put_mutable(struct dht *d, const struct key_pair *keys,
    uint64_t seq, struct bytes value, struct records_sink sink,
    struct records_op **op);
int records_client_put_immutable(struct dht *d, struct bytes value,
    struct records_sink sink, struct records_op **op);

/* One RECORDS_EV_VALUE at the end: the highest valid seq found, not below seq.
 */
int records_client_get_mutable(struct dht *d, const uint8_t *key, uint64_t seq,
    struct records_sink sink, struct records_op **op);

/* One RECORDS_EV_VALUE as soon as a value with this hash is there. */
int records_client_get_immutable(struct dht *d, const uint8_t *hash,
    struct records_sink sink, struct records_op **op);

/*
 * Ends it: RECORDS_EV_DONE with ERR_CANCELLED comes before this returns or,
 * from inside an event of this operation, after that one.
 */
void records_client_cancel(struct records_op *op);

#endif
