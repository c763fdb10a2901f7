/* SPDX-License-Identifier: ISC */
/*
 * calls.h - hosts that dial keys, and that listen on their own.
 *
 * A call lasts from node_connect() to the end of its connection; the callee
 * takes whoever comes. Uses: node, host.
 */
#ifndef SIM_CALLS_H
#define SIM_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/conn.h"
#include "node/node.h"

struct sim;
struct host;
struct call;

/* It has opened (err 0), or failed; not both. */
typedef void call_done(struct sim *s, struct call *c, int err);

struct call {
	struct call *next; /* of the host */
	struct host *host;
	uint32_t number;
	uint64_t started_us;
	call_done *done;
	void *arg;
};

/* The host's own key listens from now on, until it goes down. */
void call_listen(struct host *h);

/*
 * 0, or why not; then done is not called. After it was called with 0 the call
 * is hung up at once: the path was to be seen, not used.
 */
int call_start(struct host *h, const uint8_t *key, call_done *done, void *arg);

/* News of connections and listeners of the host's node. */
bool calls_news(struct host *h, const struct news *n);

/* The host is gone: its calls end with ERR_CLOSED. */
void calls_drop(struct host *h);

#endif
