/* SPDX-License-Identifier: ISC */
/*
 * ops.h - operations of nodes, each of which must end exactly once.
 *
 * An operation is started on a host, collects the results that its events
 * carry, and calls `done` when the node ends it. Uses: node, host, walk.
 */
#ifndef SIM_OPS_H
#define SIM_OPS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"
#include "world/net.h"

struct sim;
struct host;
struct walk;
struct op;

enum op_kind {
	OP_PING,
	OP_FIND_NODE,
	OP_FIND_PEER,
	OP_LOOKUP,
	OP_PUT_IMMUTABLE,
	OP_GET_IMMUTABLE,
	OP_PUT_MUTABLE,
	OP_GET_MUTABLE,
	OP_ANNOUNCE,
	OP_UNANNOUNCE,
};

typedef void op_done(struct sim *s, struct op *op);

enum { OP_CLOSEST = 20, OP_KEYS = 64, OP_VALUE_MAX = 1000 };

/* What to do, and what counts as found. */
struct op_spec {
	enum op_kind kind;
	struct addr to;      /* ping */
	uint8_t target[32];  /* target, topic, key or hash */
	const uint8_t *want; /* key that a peer must have, or NULL: any */
	const void *value;   /* put */
	size_t value_len;
	uint64_t seq;
	bool watch; /* record its walk: hops and messages */
	op_done *done;
	void *arg;
};

struct op {
	struct op *next; /* of the host */
	struct host *host;
	uint32_t number;
	struct op_spec spec;
	uint8_t want[32];
	struct walk *walk;
	uint64_t started_us, found_us, ended_us;
	uint64_t clock_us; /* of the host, which may sleep, at the start */
	bool found;
	int err;
	uint64_t seq; /* highest */
	struct spot closest[OP_CLOSEST];
	uint32_t closest_len;
	uint32_t replies, failures, stored, refused;
	uint32_t hops, sent, received; /* of a watched one */
	uint8_t keys[OP_KEYS][4];      /* heads of the keys of peers found */
	uint32_t keys_len;
};

struct ops {
	uint64_t started, ended, lost, refused;
	uint32_t open;
};

/*
 * Starts an operation. Returns 0, or an error; then `done` is not called.
 * Returns ERR_CLOSED if there is no host or it is down.
 */
int op_start(struct host *h, const struct op_spec *spec);

/* Handles the events of a host's operations. */
void ops_node_event(struct host *h, const struct node_event *n);

/* Ends the operations of a host that is gone with ERR_CLOSED. */
void ops_drop(struct host *h);

/* Returns the oldest operation in progress on h, or NULL. */
const struct op *ops_oldest(const struct host *h);

#endif
