/* SPDX-License-Identifier: ISC */
/*
 * queries.h - the queries of one node, as the other modules of the DHT see
 * them.
 *
 * query.h is the interface for users of the DHT; struct query is private to
 * query.c.
 */
#ifndef DHT_QUERIES_H
#define DHT_QUERIES_H

#include <sys/queue.h>

#include "dht/local_node.h"
#include "dht/query.h"

struct candidates;
struct health;
struct joining;
struct maintenance;
struct requests;

enum {
	QUERY_SENDS = 6, /* 5 retries */
};

TAILQ_HEAD(query_list, query);

/* dht.c sets the first six members before queries_init(). */
struct queries {
	struct local_node *self;
	struct requests *requests;
	struct candidates *candidates;
	struct joining *joining;
	struct maintenance *maintenance;
	struct health *health;
	struct query_list running;
	struct query_list held; /* until other nodes answer */
	uint32_t len;           /* of both lists */
	uint32_t hints_left;    /* DOWN_HINTs that may be sent in this tick */
};

void queries_init(struct queries *qs);

/* Implements query_start(). */
__attribute__((warn_unused_result)) int queries_start(
    struct queries *qs, const struct query_spec *spec, struct query **out);

/* Starts the queries that were held while no node answered. */
void queries_release(struct queries *qs);

/* Ends the queries of programs that no node has answered so far. */
void queries_end_unanswered(struct queries *qs);

/* Ends all queries with this error. */
void queries_end(struct queries *qs, int err);

/* Renews the number of DOWN_HINTs that may be sent; called at each tick. */
void queries_reset_hints(struct queries *qs);

#endif
