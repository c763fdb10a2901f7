/* SPDX-License-Identifier: ISC */
/*
 * records_client_op.h - one operation of client.h, for the files that make
 *them.
 *
 *	client.c           life, and what only reads: nodes and peers
 *	client_announce.c  announce, unannounce
 *	client_value.c     put, get
 *
 * Uses: base, crypto, dht.
 */
#ifndef RECORDS_RECORDS_CLIENT_OP_H
#define RECORDS_RECORDS_CLIENT_OP_H

#include <stdbool.h>
#include <sys/queue.h>

#include "dht/query.h"
#include "records/records_client.h"

enum { ANNOUNCE_LEN_MAX = 1 + PEER_LEN_MAX + SIGNATURE_LEN + 9 };

/* What an operation does with its query; each may be NULL. */
struct records_op_kind {
	uint64_t command; /* of the walk */
	bool internal;
	/* A node answered. May emit, and cancel the query. */
	void (*reply)(struct records_op *op, const struct dht_answer *a);
	/* Fills in what to send to one of the closest nodes. */
	bool (*commit)(struct records_op *op, const struct query_node *to,
	    struct dht_call *c);
	/* It was answered, or not: err. May emit. */
	void (*committed)(
	    struct records_op *op, const struct dht_answer *a, int err);
	/* The walk has ended well, 0 or a reason; may emit. */
	int (*ended)(struct records_op *op, const struct query_result *r);
};

struct withdrawal {
	LIST_ENTRY(withdrawal) link;
	struct records_op *op;
	struct request *request;
};

struct records_op {
	struct dht *dht;
	struct query *query; /* NULL once it has ended */
	const struct records_op_kind *kind;
	struct records_sink sink;
	struct records_event done; /* as it will be told */
	bool cancelled, found;
	int seq_err; /* a node knew a later value, or another one */

	uint8_t target[HASH_LEN];
	const struct key_pair *keys;
	const struct addr *start; /* of the walk; until it has begun */
	size_t start_len;

	/* announce, unannounce */
	uint8_t relays[PEER_RELAYS_MAX * ADDR_WIRE4_LEN];
	size_t relays_len; /* bytes */
	uint64_t bump;
	void (*rank)(void *owner, struct query_node *closest, size_t len);
	uint8_t announce[ANNOUNCE_LEN_MAX]; /* as last signed */
	uint8_t signature[SIGNATURE_LEN];
	LIST_HEAD(, withdrawal) withdrawals;

	/* find_peer, put, get */
	uint8_t key[KEY_LEN];
	uint64_t seq;
	struct addr node; /* that had the value */
	uint8_t node_id[ID_LEN];
	bool node_has_id;
	uint8_t *value; /* to put, or the best found; ours to free */
	size_t value_len;
};

/* A zeroed operation for that target, or NULL. */
struct records_op *records_op_new(struct dht *d,
    const struct records_op_kind *kind, const uint8_t *target,
    struct records_sink sink);

/*
 * Starts the walk and stores op in *out; value goes with each step. On failure
 * op is gone. commit_max is how many of the closest nodes get the commit.
 */
int records_op_start(struct records_op *op, struct bytes value,
    uint8_t commit_max, struct records_op **out);
void records_op_free(struct records_op *op);

/* Tells of the closest nodes; for client_kind.ended. Returns 0. */
int records_op_emit_closest(
    struct records_op *op, const struct query_result *r);

/* Frees op and tells its end, if nothing of it is under way. */
void records_op_conclude(struct records_op *op);

void records_op_emit(struct records_op *op, const struct records_event *e);

/* Ends all withdrawals, and with the last of them op; its query has ended. */
void records_op_end_withdrawals(struct records_op *op);

#endif
