/* SPDX-License-Identifier: ISC */
/*
 * query.h - an iterative lookup of a target, and the commit at its end.
 *
 * Protocol 01 §10. Queries ever closer nodes until the 20 closest have replied,
 * then sends, if requested, one request with a token to each of them. Uses:
 * base.
 */
#ifndef DHT_QUERY_H
#define DHT_QUERY_H

#include "dht/dht.h"

struct query; /* running, or held until the node has joined the network */

/* A node that replied; at the end, one of the closest. */
struct query_node {
	struct addr addr;
	uint8_t id[ID_LEN];
	uint8_t token[RPC_TOKEN_LEN];
	bool has_token;
	struct addr us; /* our address as the node sees it */
	uint64_t rtt_us;
};

struct query_result {
	int err; /* 0, ERR_UNREACHABLE, ERR_REFUSED (every commit failed),
		  * ERR_TIMEOUT (likewise, by timeout first), ERR_BUSY,
		  * ERR_CANCELLED or ERR_CLOSED */
	/* Nearest first, or as the spec ranks them; borrowed. */
	const struct query_node *closest;
	size_t closest_len;
	uint32_t replies, failures; /* of the lookup */
	uint32_t commits, commit_failures;
	int commit_err; /* of the first commit that failed */
};

struct query_spec {
	uint8_t target[RPC_TARGET_LEN];
	bool internal;
	uint64_t command;
	struct bytes value;       /* sent in each request; copied */
	const struct addr *start; /* nodes to start with; copied. NULL: those
				   * of the routing table */
	size_t start_len;
	/*
	 * The nodes forward the request, so that a reply may come from behind
	 * the node that was queried: a timeout does not show that the node is
	 * down, and late replies are awaited.
	 */
	bool passed_on;
	uint32_t socket;    /* to send from, handle + 1; 0: the active one */
	bool background;    /* low concurrency, since no program waits for it */
	bool bootstrap;     /* also queries one node of the bootstrap list */
	uint8_t commit_max; /* closest nodes to commit to; 0: none */

	/* Called when a node has replied without error. May cancel the query.
	 * May be NULL. */
	void (*reply)(void *owner, const struct dht_answer *a);
	/* Called before the commit: sorts the closest nodes by preference. May
	 * be NULL. */
	void (*rank)(void *owner, struct query_node *closest, size_t len);
	/*
	 * Fills in the request for one of the closest nodes; address and token
	 * are already set. What c points to may be reused after the call.
	 * Returns false to leave this node out. Called again with a new token
	 * if the node replies that the first one is too old.
	 */
	bool (*commit)(
	    void *owner, const struct query_node *to, struct dht_call *c);
	/* Called when a commit ended: it failed if a->err or the error field of
	 * the reply is not 0. May be NULL. */
	void (*committed)(void *owner, const struct query_node *to,
	    const struct dht_answer *a);
	/* Called exactly once, at the end; the query is freed when this
	 * returns. */
	void (*done)(void *owner, const struct query_result *r);
	void *owner;
};

/*
 * Starts a query. While the node is starting or offline it is held, for 5 s or
 * 2 s at the most, unless it is a background one. Returns 0 and, if out is not
 * NULL, the query; or ERR_BUSY, ERR_CLOSED or ERR_MEMORY, and then no callback
 * is called.
 */
int query_start(
    struct dht *d, const struct query_spec *spec, struct query **out);

/*
 * Ends the query: done() is called with ERR_CANCELLED before this returns or,
 * if called from a callback of the same query, when that returns.
 */
void query_cancel(struct query *q);

#endif
