/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct node, for the files of this room alone.
 *
 * Who does what:
 *	node.c	    life, what the world tells, what may be asked
 *	news.c	    the queue of what goes out
 *	op.c	    operations: from a command to its NEWS_DONE
 *	conn.c	    connections: numbers instead of pointers
 *	listen.c    listeners, in the same way
 *	own.c	    what this node itself holds, as one more answer
 *	announce.c  own topics, kept announced, withdrawn when leaving
 */
#ifndef NODE_INSIDE_H
#define NODE_INSIDE_H

#include <sys/queue.h>

#include "base/core.h"
#include "node/node.h"
#include "peer/listener.h"
#include "punch/netcheck.h"
#include "punch/punch.h"
#include "punch/lifetime_schedule.h"
#include "records/records_client.h"
#include "records/records.h"
#include "signal/router.h"
#include "udx/udx.h"

/* News on their way out; the value's bytes end with its length. */
struct news_item {
	STAILQ_ENTRY(news_item) link;
	struct news news;
};

STAILQ_HEAD(news_queue, news_item);

struct op {
	UT_hash_handle hh;
	struct node *node;
	uint32_t number;
	struct records_op *client; /* what it waits for, one of these ... */
	struct request *request;
	struct netcheck *netcheck;
	struct lifetime_waiter watch; /* ... this if `watching` ... */
	bool measures;                /* the lifetime too, afterwards */
	bool watching;
	struct announcement *announcement; /* ... or the first round of this */
	struct news_item *done; /* made at the start: the end cannot fail */
	struct news_item *own;  /* NEWS_VALUE held here, until a later one */
	bool own_found;         /* something that is held here was told */
	bool withdraws; /* a topic: finished also when the node leaves */
	uint32_t lost;
};

struct announcement {
	UT_hash_handle hh; /* in the order in which they were made */
	struct node *node;
	uint8_t topic[HASH_LEN];
	struct timer timer;
	struct records_op *client;  /* the round under way */
	struct op *op;              /* who waits for it, or NULL */
	bool announced;             /* somebody may hold it */
	struct addr holders[RPC_K]; /* of the last round, nearest first */
	uint32_t holders_len;
	bool listing; /* the holders of the round that ends are coming in */
	int err;
	uint32_t stored, failures; /* failures: rounds in a row */
	uint64_t last_us;          /* end of the last round; 0: none yet */
};

struct node {
	struct world *world;
	struct timers timers;
	struct stats stats;
	struct core core;
	struct node_config config;
	struct dht *dht;
	struct udx *udx;
	struct records *records;
	struct router *router;
	struct punch *punch;
	struct peers *peers;
	struct local_addrs local;
	struct netcheck_result netcheck; /* of the last check */
	uint64_t started_us;

	struct news_queue news;
	uint32_t news_len;

	struct op *ops; /* by number */
	uint32_t next_op;

	struct announcement *announcements; /* by topic */
	struct timer leave_timer;
	uint32_t leaving_pending;    /* withdrawals under way */
	struct news_item *left_item; /* NEWS_LEFT until it is told */
	bool leaving;
};

/* ---- news.c ---- */

/* Copies it to the queue; false, and counted, if the queue is full. */
bool news_push(struct node *n, const struct news *news);

/* Queues an item that the caller made; takes it. Never refused. */
void news_push_item(struct node *n, struct news_item *item);
struct news_item *news_item_new(const struct news *news);
void news_fini(struct node *n);

/* ---- op.c ---- */

/* A new operation, or NULL and *err (ERR_BUSY, ERR_CLOSED, ERR_MEMORY). */
struct op *op_new(struct node *n, int *err);

/* Ends it: queues NEWS_DONE with these contents and forgets it. */
void op_end(struct op *op, const struct news *done);

/* For an operation that could not begin: no news. */
void op_drop(struct op *op);
void ops_fini(struct node *n);

/* The end of a client's operation, in the words of the news. */
struct news op_done_news(const struct records_event *e);

/* What a client's operation found, in the words of the news; and told. */
struct news op_found_news(const struct op *op, const struct records_event *e);
void op_found(struct op *op, const struct records_event *e);

/* ---- own.c: a node asks all but itself, so its own records are added ---- */

void own_peer(struct op *op, const uint8_t *key);
void own_peers(struct op *op, const uint8_t *topic);

/* If the value is held here, the operation ends with it; true. */
bool own_immutable(struct op *op, const uint8_t *hash, uint32_t *number);

/* Keeps the value that is held here, for the end. */
void own_mutable(struct op *op, const uint8_t *key, uint64_t seq);

/* False, and the kept value is dropped, if the event brings a later one. */
bool own_is_newer(struct op *op, const struct records_event *e);

/* The end: tells the kept value; nothing found elsewhere is no failure then. */
void own_done(struct op *op, struct news *done);

/* ---- conn.c ---- */

/* What the room of the connections has to tell; false: nothing. */
bool conn_news(struct node *n, struct news *out);

/* ---- announce.c ---- */

void announcements_wake(struct node *n);

/* One listener less: it may have been the last to wait for. */
void leave_unlistened(struct node *n);
void announcements_fini(struct node *n);

#endif
