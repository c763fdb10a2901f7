/* SPDX-License-Identifier: ISC */
/*
 * records_context.h - what the services of this directory share.
 *
 * The borrowed core and DHT, the timer that removes expired entries, and the
 * replies that all services send. Holds no entry itself. Uses: base, dht.
 */
#ifndef RECORDS_RECORDS_CONTEXT_H
#define RECORDS_RECORDS_CONTEXT_H

#include "base/core.h"
#include "dht/dht.h"
#include "records/cache.h"

struct records_context {
	const struct core *core;
	struct dht *dht;
	/* Due when an entry may have expired; armed when one is stored. */
	struct timer expiry;
};

/* Borrows core and d. on_expiry is called when an entry may have expired. */
void records_context_init(struct records_context *cx, const struct core *core,
    struct dht *d, void (*on_expiry)(struct timer *t));
void records_context_fini(struct records_context *cx);

/* Returns the time in seconds, on the clock that entries age by. */
static inline uint32_t
records_context_now_s(const struct records_context *cx)
{
	return (uint32_t)(cx->core->world->now_us / 1000000);
}

/* Returns whether sources are limited to shares: not on private networks. */
static inline bool
records_context_shares(const struct records_context *cx)
{
	return !dht_is_private(cx->dht);
}

/* Returns the sender of a request as the source of what it stores. */
struct writer records_context_writer(
    const struct records_context *cx, const struct dht_request *rq);

/* Returns the public address of this node, or 0.0.0.0 if it is not known. */
struct addr records_context_own_address(const struct records_context *cx);

/* Returns this node as the source of what it stores itself; borrows own. No
 * share limits it. */
struct writer records_context_own_writer(
    const struct records_context *cx, const struct addr *own);

/* Arms the expiry timer after an entry was stored. */
void records_context_stored(struct records_context *cx);

/* Makes the expiry timer due in this many seconds. */
void records_context_expire_in(struct records_context *cx, uint32_t seconds);

/* Counts a request that gets no reply. Returns err. */
int records_context_drop(struct records_context *cx, int err);

/* Sends the reply to a read: token, closer nodes and the value, if any. */
int records_context_reply(struct records_context *cx,
    const struct dht_request *rq, struct bytes value);

#endif
