/* SPDX-License-Identifier: ISC */
/*
 * inside.h - the insides of struct records, for the files of this room alone.
 *
 * Who does what:
 *	records.c      life, limits, ageing, and who serves which command
 *	serve_peer.c   FIND_PEER, LOOKUP, ANNOUNCE, UNANNOUNCE
 *	serve_value.c  puts and gets of values
 */
#ifndef RECORDS_INSIDE_H
#define RECORDS_INSIDE_H

#include "base/err.h"
#include "records/forward.h"
#include "records/pinned.h"
#include "records/records.h"
#include "records/refresh.h"
#include "records/topic.h"
#include "records/value.h"

struct records {
	const struct core *core;
	struct dht *dht;
	struct topics topics;
	struct forwards forwards;
	struct pinned pinned;
	struct refreshes refreshes;
	struct values mutables, immutables;
	/* When something may have reached its age; armed by a store. */
	struct timer ageing;
};

/* ---- records.c ---- */

static inline uint32_t
records_now_s(const struct records *r)
{
	return (uint32_t)(r->core->world->now_us / 1000000);
}

/* Sources are held to their shares: not among ourselves. */
static inline bool
records_shares(const struct records *r)
{
	return !dht_is_private(r->dht);
}

/* The sender of a request, as the writer of what it brings. */
struct writer records_writer(
    const struct records *r, const struct dht_request *rq);

/* To be called after each store. */
void records_age(struct records *r);

/* Silence, counted. */
int records_refuse(struct records *r, int err);

/* The usual reply of a read: token, closer nodes, and the value if any. */
int records_reply(
    struct records *r, const struct dht_request *rq, struct bytes value);

/* ---- serve_peer.c; target, token and value are there as protocol 02 §1 says
 */

int serve_find_peer(struct records *r, const struct dht_request *rq);
int serve_lookup(struct records *r, const struct dht_request *rq);
int serve_announce(struct records *r, const struct dht_request *rq);
int serve_unannounce(struct records *r, const struct dht_request *rq);

/* ---- serve_value.c; the same ---- */

int serve_mutable_put(struct records *r, const struct dht_request *rq);
int serve_mutable_get(struct records *r, const struct dht_request *rq);
int serve_immutable_put(struct records *r, const struct dht_request *rq);
int serve_immutable_get(struct records *r, const struct dht_request *rq);

#endif
