/* SPDX-License-Identifier: ISC */
/*
 * table.h - the Kademlia routing table, protocol 01 §8.
 *
 * 256 rows of up to 20 nodes by the number of leading bits that a node's id
 * shares with ours, and one list of all nodes by when they were last heard.
 * Knows no network: who gets in is decided outside, what a host or a /24 may
 * hold is counted here. Time is counted in ticks.
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
	struct chain_link heard; /* oldest heard first */
	uint8_t id[ID_LEN];
	struct addr addr;
	uint16_t row;
	uint16_t down_hints;
	uint32_t added, pinged, seen; /* ticks; pinged: we wrote or heard */
	uint32_t sampled; /* tick its view of our address was taken; 0: never */
};

struct table_row; /* nodes with one number of shared bits */

struct table {
	uint8_t own[ID_LEN];
	struct pool nodes;
	struct chain heard;
	uint16_t rows_len; /* rows that were ever used, from 0 */
	struct table_row *rows[ID_BITS];
};

void table_init(struct table *t, const uint8_t own[ID_LEN]);
void table_fini(struct table *t);

/* The node with this id, or 0. */
uint32_t table_find(const struct table *t, const uint8_t id[ID_LEN]);
struct table_node *table_at(const struct table *t, uint32_t node);

/*
 * Why a new node of this id and address would not get in: 0 if it would,
 * ERR_EXISTS, ERR_VALUE (it is us), ERR_LIMIT (its row is full) or else
 * ERR_BUDGET (its address or /24 has its share; l NULL: no shares).
 */
int table_check(const struct table *t, const uint8_t id[ID_LEN],
    const struct addr *a, const struct limits *l);

/* Adds a node that table_check() passes; 0 if memory is short. */
uint32_t table_add(struct table *t, const uint8_t id[ID_LEN],
    const struct addr *a, uint32_t tick);
void table_del(struct table *t, uint32_t node);

/* The node was heard now: moves to the latest end. */
void table_heard(struct table *t, uint32_t node, uint32_t tick);

/*
 * The node of the row of this id to give up for a newcomer: least recently
 * pinged, then added; not one pinged in this tick. 0: none.
 */
uint32_t table_oldest_in_row(
    const struct table *t, const uint8_t id[ID_LEN], uint32_t tick);

/*
 * The max (up to RPC_K) nodes nearest to the target, nearest first, by
 * XOR. Returns how many.
 */
unsigned table_closest(const struct table *t, const uint8_t target[ID_LEN],
    uint32_t *out, unsigned max);

/* The addresses of all that a reply holds of them, as on the wire; the bytes.
 */
size_t table_closest_wire(const struct table *t, const uint8_t target[ID_LEN],
    uint8_t out[RPC_CLOSER_MAX * ADDR_WIRE4_LEN]);

/* A node by chance, evenly; 0 if the table is empty. r is a random number. */
uint32_t table_random(const struct table *t, uint32_t r);

/* Walks from the latest or the oldest end. */
static inline uint32_t
table_latest(const struct table *t)
{
	return t->heard.last;
}

static inline uint32_t
table_oldest(const struct table *t)
{
	return t->heard.first;
}

#endif
