/* SPDX-License-Identifier: ISC */
/*
 * records_client.h - finds, announces and stores records at other nodes.
 *
 * Implements protocol 02 §11. Each operation runs one query and, if it writes,
 * sends a commit to the closest nodes. It reports results as events and ends
 * with exactly one RECORDS_EV_DONE, after which it is freed. No event is
 * emitted from inside the call that starts an operation. The module holds no
 * records itself and knows no control client. Uses: base, crypto, dht.
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

struct records_op; /* an operation in progress */

enum records_event_kind {
	/*
	 * find_node and announce, before the end: one of the closest nodes,
	 * nearest first, in node and id.
	 */
	RECORDS_EV_NODE,
	/* find_peer and lookup: a node returned peer and bump. */
	RECORDS_EV_PEER,
	/* get: a node returned value; of a mutable value, seq as well. */
	RECORDS_EV_VALUE,
	/*
	 * announce with self set: a node stored the record (err 0, and us is
	 * our address as that node sees it) or did not (err).
	 */
	RECORDS_EV_COMMIT,
	/* The operation has ended: err and the counts. */
	RECORDS_EV_DONE,
};

/*
 * One event. Pointers are borrowed until the handler returns. Fields which
 * the kind does not name are zero.
 */
struct records_event {
	enum records_event_kind kind;
	/*
	 * The result of a RECORDS_EV_COMMIT or RECORDS_EV_DONE. The latter
	 * returns 0 (of a mutable put, seq is set); ERR_UNREACHABLE: no node
	 * answered; ERR_NOT_FOUND: nodes answered and none had a result;
	 * ERR_CANCELLED; ERR_CLOSED. A write that no node stored returns
	 * ERR_REFUSED, ERR_SEQ_REUSED, ERR_SEQ_LOW or ERR_TIMEOUT.
	 */
	int err;
	struct addr node, us;
	const uint8_t *id; /* of the node, or NULL */
	/* As the node sent it, with any number of relay addresses. */
	struct peer_record peer;
	uint64_t bump, seq;
	struct bytes value;
	uint32_t replies, failures; /* of the query */
	uint32_t stored, refused;   /* commits that succeeded and failed */
	/* Why the first commit that failed did so, even if others stored. */
	int commit_err;
};

/*
 * Receives the events of an operation. The handler may start and cancel
 * operations, including the one that reports, except in RECORDS_EV_DONE.
 */
struct records_sink {
	void (*event)(void *owner, const struct records_event *e);
	void *owner;
};

/*
 * Each of the functions below starts an operation. It returns 0 and sets *op,
 * which records_client_cancel() accepts until RECORDS_EV_DONE; or it returns
 * ERR_BUSY, ERR_CLOSED or ERR_MEMORY, and no event follows. Keys, targets and
 * topics are 32 bytes and are copied.
 */

/* Finds the nodes closest to a target. */
int records_client_find_node(struct dht *d, const uint8_t *target,
    struct records_sink sink, struct records_op **op);

/*
 * Finds what a command returns for a key: CMD_FIND_PEER the record of a public
 * key that announced itself, CMD_LOOKUP the peers that announced a topic. Also
 * returns ERR_VALUE for commands that find nothing.
 */
int records_client_find(struct dht *d, enum records_command command,
    const uint8_t *key, struct records_sink sink, struct records_op **op);

struct announce_spec {
	const uint8_t *target;       /* the topic, or H(public key) */
	const struct key_pair *keys; /* borrowed until the operation ends */
	const struct addr *relays;   /* copied */
	size_t relays_len;           /* at most PEER_RELAYS_MAX */
	/* Without relays, the record names the closest nodes of the query. */
	bool closest_relays;
	uint64_t bump;            /* milliseconds since 1970; 0: none */
	uint8_t commit_max;       /* nodes to announce to; 0: RPC_K */
	const struct addr *start; /* previous holders, asked first; copied */
	size_t start_len;
	bool self; /* the key announces itself: the query is FIND_PEER */
	/*
	 * Orders the closest nodes before the commit, or NULL. Called with the
	 * owner of the sink.
	 */
	void (*rank)(void *owner, struct query_node *closest, size_t len);
};

/*
 * Announces a key under a target. Also returns ERR_VALUE if there are too many
 * relay addresses, if one is not IPv4, or if bump is above WIRE_UINT_MAX.
 */
int records_client_announce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * Withdraws a key from every node of a query that lists it or may hide it.
 * Reads only target, keys and start of *a.
 */
int records_client_unannounce(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * Withdraws a key which announced itself from the given nodes, and sends
 * nothing to others. Reads only keys and start of *a. Also returns ERR_VALUE
 * if there are no nodes.
 */
int records_client_withdraw(struct dht *d, const struct announce_spec *a,
    struct records_sink sink, struct records_op **op);

/*
 * Returns 0 if the value may be stored, ERR_SIZE, or ERR_VALUE if it is empty:
 * nodes with older encoders lose an empty value, protocol 02 §5.
 */
int records_client_check_value(struct bytes value)
    __attribute__((warn_unused_result));

/* A sequence number for records_client_put_mutable(). */
struct records_seq {
	uint64_t value;
	/* Puts the number after the highest that the query finds, but not below
	 * value. */
	bool next;
};

/*
 * Stores a value, which is copied. Borrows keys until the operation ends; its
 * RECORDS_EV_DONE has the sequence number. Also returns ERR_VALUE if the value
 * is empty or the number is above WIRE_UINT_MAX, and ERR_SIZE if the value
 * exceeds VALUE_PUT_MAX bytes.
 */
int records_client_put_mutable(struct dht *d, const struct key_pair *keys,
    struct records_seq seq, struct bytes value, struct records_sink sink,
    struct records_op **op);
int records_client_put_immutable(struct dht *d, struct bytes value,
    struct records_sink sink, struct records_op **op);

/*
 * Gets the mutable value with the highest valid sequence number, which is at
 * least seq. Emits one RECORDS_EV_VALUE, at the end.
 */
int records_client_get_mutable(struct dht *d, const uint8_t *key, uint64_t seq,
    struct records_sink sink, struct records_op **op);

/* Gets the value with this hash. Emits it at once and ends the query. */
int records_client_get_immutable(struct dht *d, const uint8_t *hash,
    struct records_sink sink, struct records_op **op);

/*
 * Cancels an operation. RECORDS_EV_DONE with ERR_CANCELLED is emitted before
 * this returns or, if called from an event of the operation, after that event.
 */
void records_client_cancel(struct records_op *op);

#endif
