/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/err.h"
#include "records/value_service.h"

void
value_service_init(struct value_service *s, struct records_context *cx)
{
	const struct core *core = cx->core;

	s->context = cx;
	values_init(&s->mutables, core->limits, &core->hash_key, core->stats);
	values_init(&s->immutables, core->limits, &core->hash_key, core->stats);
}

void
value_service_fini(struct value_service *s)
{
	values_fini(&s->mutables);
	values_fini(&s->immutables);
}

void
value_service_set_limits(struct value_service *s)
{
	const struct limits *l = s->context->core->limits;

	values_set_limits(&s->mutables, l);
	values_set_limits(&s->immutables, l);
}

uint32_t
value_service_expire(struct value_service *s, uint32_t now_s)
{
	struct cache *all[] = {&s->mutables.entries, &s->immutables.entries};

	return cache_expire_all(all, sizeof all / sizeof *all, now_s);
}

bool
value_service_find_immutable(
    const struct value_service *s, const uint8_t *hash, struct bytes *value)
{
	uint64_t seq;

	return values_find(&s->immutables, records_context_now_s(s->context),
	    hash, &seq, value);
}

bool
value_service_find_mutable(const struct value_service *s, const uint8_t *target,
    struct mutable_value *m)
{
	struct bytes stored;
	uint64_t seq;

	return values_find(&s->mutables, records_context_now_s(s->context),
		   target, &seq, &stored) &&
	       mutable_value_decode(m, stored.p, stored.len) == 0;
}

static int
keep_value(struct value_service *s, struct values *v, const struct writer *w,
    const uint8_t *target, uint64_t seq, struct bytes value)
{
	int err = values_set(v, w, target, seq, value);

	if (err != 0)
		return err;
	records_context_stored(s->context);
	s->context->core->stats->values_stored++;
	return 0;
}

static int
store_value(struct value_service *s, struct values *v,
    const struct dht_request *rq, uint64_t seq, struct bytes value)
{
	struct records_context *cx = s->context;
	struct writer w = records_context_writer(cx, rq);
	int err = keep_value(s, v, &w, rq->m.target, seq, value);

	if (err != 0)
		return records_context_drop(cx, err);
	return records_context_reply(cx, rq, (struct bytes){0});
}

/* ---- mutable ---- */

/*
 * Compares a put with the stored value. Returns RPC_OK if it may replace that
 * value, or the error of the reply.
 */
static uint64_t
compare_stored(const struct value_service *s, const uint8_t *target,
    const struct mutable_value *m)
{
	struct mutable_value old;
	struct bytes stored;
	uint64_t seq;

	if (!values_find(&s->mutables, records_context_now_s(s->context),
		target, &seq, &stored))
		return RPC_OK;
	if (seq != m->seq)
		return seq > m->seq ? RPC_SEQ_TOO_LOW : RPC_OK;
	if (mutable_value_decode(&old, stored.p, stored.len) != 0 ||
	    old.value.len != m->value.len ||
	    memcmp(old.value.p, m->value.p, m->value.len) != 0)
		return RPC_SEQ_REUSED;
	return RPC_OK;
}

static int
decode_put(const struct dht_request *rq, struct mutable_value *m)
{
	int err = mutable_put_decode(m, rq->m.value.p, rq->m.value.len);
	uint8_t hash[HASH_LEN];

	if (err != 0)
		return err;
	key_target(hash, m->key);
	if (memcmp(hash, rq->m.target, HASH_LEN) != 0)
		return ERR_TARGET;
	return mutable_verify(m, m->key);
}

int
value_service_mutable_put(struct value_service *s, const struct dht_request *rq)
{
	uint8_t buf[DGRAM_MAX];
	struct dht_reply refusal = {.closer = true};
	struct mutable_value m;
	struct bytes value = {.p = buf};
	int err = decode_put(rq, &m);

	if (err != 0)
		return records_context_drop(s->context, err);
	refusal.error = compare_stored(s, rq->m.target, &m);
	if (refusal.error != RPC_OK)
		return dht_reply(s->context->dht, rq, &refusal);
	value.len = mutable_value_encode(&m, buf, sizeof buf);
	return store_value(s, &s->mutables, rq, m.seq, value);
}

int
value_service_mutable_get(struct value_service *s, const struct dht_request *rq)
{
	struct rd rd = rd_init(rq->m.value.p, rq->m.value.len);
	uint64_t wanted = rd_uint(&rd), seq;
	struct bytes value;

	if (!rd_ok(&rd))
		return records_context_drop(s->context, ERR_MALFORMED);
	if (!values_find(&s->mutables, records_context_now_s(s->context),
		rq->m.target, &seq, &value) ||
	    seq < wanted)
		value = (struct bytes){0};
	return records_context_reply(s->context, rq, value);
}

int
value_service_keep_mutable(struct value_service *s, const uint8_t *target,
    const struct mutable_value *m)
{
	struct addr own = records_context_own_address(s->context);
	struct writer w = records_context_own_writer(s->context, &own);
	uint64_t refused = compare_stored(s, target, m);
	uint8_t buf[DGRAM_MAX];
	struct bytes value = {.p = buf};

	if (refused != RPC_OK)
		return refused == RPC_SEQ_REUSED ? ERR_SEQ_REUSED : ERR_SEQ_LOW;
	value.len = mutable_value_encode(m, buf, sizeof buf);
	return keep_value(s, &s->mutables, &w, target, m->seq, value);
}

/* ---- immutable ---- */

int
value_service_keep_immutable(
    struct value_service *s, const uint8_t *hash, struct bytes value)
{
	struct addr own = records_context_own_address(s->context);
	struct writer w = records_context_own_writer(s->context, &own);

	return keep_value(s, &s->immutables, &w, hash, 0, value);
}

int
value_service_immutable_put(
    struct value_service *s, const struct dht_request *rq)
{
	uint8_t hash[HASH_LEN];

	hash_blake2b(hash, rq->m.value.p, rq->m.value.len);
	if (memcmp(hash, rq->m.target, HASH_LEN) != 0)
		return records_context_drop(s->context, ERR_TARGET);
	return store_value(s, &s->immutables, rq, 0, rq->m.value);
}

int
value_service_immutable_get(
    struct value_service *s, const struct dht_request *rq)
{
	struct bytes value;

	if (!value_service_find_immutable(s, rq->m.target, &value))
		value = (struct bytes){0};
	return records_context_reply(s->context, rq, value);
}
