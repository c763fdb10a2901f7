/* SPDX-License-Identifier: ISC */
/*
 * peer_service.h - stores and serves announcements, protocol 02 §6 and §7.
 *
 * Owns the topics, the forward table, the pinned keys and the refresh tokens,
 * and serves FIND_PEER, LOOKUP, ANNOUNCE and UNANNOUNCE. The caller has checked
 * that target, token and value are present as protocol 02 §1 demands. Uses:
 * base, crypto, dht.
 */
#ifndef RECORDS_PEER_SERVICE_H
#define RECORDS_PEER_SERVICE_H

#include "records/forward.h"
#include "records/pinned.h"
#include "records/record.h"
#include "records/records_context.h"
#include "records/refresh.h"
#include "records/topic.h"

struct peer_service {
	struct records_context *context;
	struct topics topics;
	struct forwards forwards;
	struct pinned pinned;
	struct refreshes refreshes;
};

/* Borrows the context. The service must not be moved afterwards. */
void peer_service_init(struct peer_service *s, struct records_context *cx);
void peer_service_fini(struct peer_service *s);

/* Applies the limits of the core; entries above them are evicted. */
void peer_service_set_limits(struct peer_service *s);

/*
 * Removes expired entries. Returns the seconds until it should be called
 * again, or CACHE_EMPTY.
 */
uint32_t peer_service_expire(struct peer_service *s, uint32_t now_s);

/* Finds the record that FIND_PEER returns; borrowed until the next change. */
bool peer_service_find(
    const struct peer_service *s, const uint8_t *target, struct peer_record *p);

/* Picks the records that LOOKUP returns; borrowed until the next change. */
void peer_service_pick(
    struct peer_service *s, const uint8_t *topic, struct topic_pick *out);

/*
 * Stores a record of this node itself under a topic, or deletes it. Returns 0
 * or ERR_MEMORY.
 */
int peer_service_keep(
    struct peer_service *s, const uint8_t *target, const struct peer_record *p);
void peer_service_forget(
    struct peer_service *s, const uint8_t *target, const uint8_t *key);

/* Each serves one request. Returns 0 if it was answered, or why it was not. */
#define X(number, name, serve, needs)                                          \
	int serve(struct peer_service *s, const struct dht_request *rq);
PEER_COMMAND_LIST(X)
#undef X

#endif
