/* SPDX-License-Identifier: ISC */
/*
 * value_service.h - stores and serves mutable and immutable values.
 *
 * Implements protocol 02 §5: checks hashes, signatures and sequence numbers
 * before a value is stored. The caller has checked that target, token and value
 * are present as protocol 02 §1 demands. Uses: base, crypto, dht.
 */
#ifndef RECORDS_VALUE_SERVICE_H
#define RECORDS_VALUE_SERVICE_H

#include "records/record.h"
#include "records/records_context.h"
#include "records/value.h"

struct value_service {
	struct records_context *context;
	struct values mutables, immutables;
};

/* Borrows the context. The service must not be moved afterwards. */
void value_service_init(struct value_service *s, struct records_context *cx);
void value_service_fini(struct value_service *s);

/* Applies the limits of the core; values above them are evicted. */
void value_service_set_limits(struct value_service *s);

/*
 * Removes expired values. Returns the seconds until it should be called again,
 * or CACHE_EMPTY.
 */
uint32_t value_service_expire(struct value_service *s, uint32_t now_s);

/* Each finds a stored value, which is borrowed until the next change. */
bool value_service_find_immutable(
    const struct value_service *s, const uint8_t *hash, struct bytes *value);
bool value_service_find_mutable(const struct value_service *s,
    const uint8_t *target, struct mutable_value *m);

/*
 * Each stores a value of this node itself, as a put of another node would.
 * Returns 0, ERR_SEQ_REUSED, ERR_SEQ_LOW or ERR_MEMORY.
 */
int value_service_keep_immutable(
    struct value_service *s, const uint8_t *hash, struct bytes value);
int value_service_keep_mutable(struct value_service *s, const uint8_t *target,
    const struct mutable_value *m);

/* Each serves one request. Returns 0 if it was answered, or why it was not. */
#define X(number, name, serve, needs)                                          \
	int serve(struct value_service *s, const struct dht_request *rq);
VALUE_COMMAND_LIST(X)
#undef X

#endif
