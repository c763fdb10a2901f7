/* SPDX-License-Identifier: ISC */
/*
 * table.h - the Kademlia routing table, protocol 01 §8.
 *
 * 256 rows (k-buckets) of up to 20 nodes, by the number of leading bits that
 * the id of a node shares with ours, and one list of all nodes by their last
 * activity. Knows no network: the caller decides which nodes to add; the shares
 * of a host and a /24 are enforced here. Time is in ticks. Uses: base.
 */
#ifndef DHT_TABLE_H
#define DHT_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"
#include "base/pool.h"
#include "dht/rpc.h"

enum { TABLE_ROW_MAX = RPC_K };

struct table_node {
	struct chain_link recent; /* least recently active first */
	uint8_t id[ID_LEN];
	struct addr addr;
	uint16_t row;
	uint16_t down_hints;
	uint32_t number;  /* counts the nodes added; ascending, never reused */
	uint32_t added;   /* tick at which it was added */
	uint32_t seen;    /* tick of its last message */
	uint32_t pinged;  /* tick of its last message or our last check */
	uint32_t sampled; /* tick of its last sample of our address; 0: none */
};

struct table_row; /* the nodes with one number of shared bits */

struct table {
	uint8_t own[ID_LEN];
	struct pool nodes;
	uint32_t last_number; /* of the nodes added so far */
	struct chain recent;
	uint16_t rows_len; /* one more than the highest row ever used */
	struct table_row *rows[ID_BITS];
};

void table_init(struct table *t, const uint8_t own[ID_LEN]);
void table_fini(struct table *t);

/* Returns the number of the node with this id, or 0. */
uint32_t table_find(const struct table *t, const uint8_t id[ID_LEN]);
struct table_node *table_at(const struct table *t, uint32_t node);

/*
 * Returns 0 if a new node of this id and address may be added, ERR_EXISTS,
 * ERR_VALUE (the id is ours), ERR_LIMIT (its row is full) or ERR_BUDGET (its
 * host or /24 has its share; l NULL disables these).
 */
int table_check(const struct table *t, const uint8_t id[ID_LEN],
    const struct addr *a, const struct limits *l);

/* Adds a node, for which table_check() must have returned 0. Returns its
 * number, or 0 if memory is short. */
uint32_t table_add(struct table *t, const uint8_t id[ID_LEN],
    const struct addr *a, uint32_t tick);
void table_del(struct table *t, uint32_t node);

/* Moves a node to the most recent end, after a message from it. */
void table_touch(struct table *t, uint32_t node, uint32_t tick);

/*
 * Returns the node in the row of this id that was pinged least recently, then
 * added first, or 0. Skips nodes pinged in this tick.
 */
uint32_t table_oldest_in_row(
    const struct table *t, const uint8_t id[ID_LEN], uint32_t tick);

/*
 * Writes the max (at most RPC_K) nodes nearest to the target by XOR, nearest
 * first. Returns how many.
 */
unsigned table_closest(const struct table *t, const uint8_t target[ID_LEN],
    uint32_t *out, unsigned max);

/* Writes the addresses of the RPC_K nearest nodes in wire format. Returns the
 * number of bytes. */
size_t table_closest_wire(const struct table *t, const uint8_t target[ID_LEN],
    uint8_t out[RPC_CLOSER_MAX * ADDR_WIRE4_LEN]);

/* Returns a node chosen by the random number r, or 0 if the table is empty. */
uint32_t table_random(const struct table *t, uint32_t r);

/* Returns the node with the smallest number above `after`, or NULL. Scans the
 * table: use it to list the nodes, not per packet. */
const struct table_node *table_node_after(
    const struct table *t, uint32_t after);

/* Return the most and the least recently active node, or 0. Their successors
 * are recent.prev and recent.next. */
static inline uint32_t
table_latest(const struct table *t)
{
	return t->recent.last;
}

static inline uint32_t
table_oldest(const struct table *t)
{
	return t->recent.first;
}

#endif
