/* SPDX-License-Identifier: ISC */
/*
 * query.h - an iterative walk towards a target, and the commit at its end.
 *
 * Protocol 01 §10. Asks ever closer nodes until the 20 closest have answered,
 * then sends, if wanted, one request with a token to each of them. Uses: base.
 */
#ifndef DHT_QUERY_H
#define DHT_QUERY_H

#include "dht/dht.h"

struct query; /* one under way */

/* A node that answered; one of the closest at the end. */
struct query_node {
	struct addr addr;
	uint8_t id[ID_LEN];
	uint8_t token[RPC_TOKEN_LEN];
	bool has_token;
	struct addr us; /* our address as it sees it */
	uint64_t rtt_us;
};

struct query_result {
	int err; /* 0, ERR_UNREACHABLE, ERR_REFUSED (all commits), ERR_CANCELLED
		  */
	/* Nearest first, or as the spec ranks them; borrowed. */
	const struct query_node *closest;
	size_t closest_len;
	uint32_t replies, failures; /* of the walk */
	uint32_t commits, commit_failures;
	int commit_err; /* first reason of a failed commit */
};

struct query_spec {
	uint8_t target[RPC_TARGET_LEN];
	bool internal;
	uint64_t command;
	struct bytes value;       /* sent with each step; copied */
	const struct addr *start; /* where to start, else the table; copied */
	size_t start_len;
	/*
	 * Nodes pass it on, so an answer may come from behind the one asked:
	 * silence says nothing of that one, and is worth waiting for.
	 */
	bool passed_on;
	uint32_t socket;    /* to send from, counted from 1; 0: the usual one */
	bool background;    /* few at a time; of nobody's impatience */
	bool bootstrap;     /* one of the bootstrap list is asked in any case */
	uint8_t commit_max; /* how many of the closest to commit to; 0: none */

	/* A node answered without error. May cancel the query. Or NULL. */
	void (*reply)(void *owner, const struct dht_answer *a);
	/* Before the commit: the closest in the order of preference. Or NULL.
	 */
	void (*rank)(void *owner, struct query_node *closest, size_t len);
	/*
	 * Fills in what to send to one of the closest; address and token are
	 * already set. Whatever c points to may be reused after the call. False
	 * leaves this node out. Called again with a fresh token if the node
	 * finds the first one too old.
	 */
	bool (*commit)(
	    void *owner, const struct query_node *to, struct dht_call *c);
	/* A commit ended; a.err, or the error field of its reply. Or NULL. */
	void (*committed)(void *owner, const struct query_node *to,
	    const struct dht_answer *a);
	/* The end, exactly once; the query is gone when this returns. */
	void (*done)(void *owner, const struct query_result *r);
	void *owner;
};

/* 0 and, if out is not NULL, the query; or ERR_BUSY, ERR_CLOSED, ERR_MEMORY. */
int query_start(
    struct dht *d, const struct query_spec *spec, struct query **out);

/*
 * Ends it; done is called with ERR_CANCELLED before this returns or, from
 * inside a callback of this query, when that returns.
 */
void query_cancel(struct query *q);

#endif
