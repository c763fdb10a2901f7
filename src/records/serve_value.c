/* SPDX-License-Identifier: ISC */
#include "records/inside.h"

/* 0, or the error of the reply: what is stored is later, or another value. */
static uint64_t
compare_stored(const struct records *r, const uint8_t *target,
    const struct mutable_value *m)
{
	struct mutable_value old;
	struct bytes stored;
	uint64_t seq;

	if (!values_find(&r->mutables, records_now_s(r), target, &seq, &stored))
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
store(struct records *r, struct values *v, const struct dht_request *rq,
    uint64_t seq, struct bytes value)
{
	struct writer w = records_writer(r, rq);
	int err = values_set(v, &w, rq->m.target, seq, value);

	if (err != 0)
		return records_refuse(r, err);
	records_age(r);
	r->core->stats->values_stored++;
	return records_reply(r, rq, (struct bytes){0});
}

static int
check_put(const struct dht_request *rq, struct mutable_value *m)
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
serve_mutable_put(struct records *r, const struct dht_request *rq)
{
	uint8_t buf[DGRAM_MAX];
	struct dht_reply refusal = {.closer = true};
	struct mutable_value m;
	struct bytes value = {.p = buf};
	int err = check_put(rq, &m);

	if (err != 0)
		return records_refuse(r, err);
	refusal.error = compare_stored(r, rq->m.target, &m);
	if (refusal.error != RPC_OK)
		return dht_reply(r->dht, rq, &refusal);
	value.len = mutable_value_encode(&m, buf, sizeof buf);
	return store(r, &r->mutables, rq, m.seq, value);
}

int
serve_mutable_get(struct records *r, const struct dht_request *rq)
{
	struct rd rd = rd_init(rq->m.value.p, rq->m.value.len);
	uint64_t wanted = rd_uint(&rd), seq;
	struct bytes value;

	if (!rd_ok(&rd))
		return records_refuse(r, ERR_MALFORMED);
	if (!values_find(
		&r->mutables, records_now_s(r), rq->m.target, &seq, &value) ||
	    seq < wanted)
		value = (struct bytes){0};
	return records_reply(r, rq, value);
}

int
serve_immutable_put(struct records *r, const struct dht_request *rq)
{
	uint8_t hash[HASH_LEN];

	hash_blake2b(hash, rq->m.value.p, rq->m.value.len);
	if (memcmp(hash, rq->m.target, HASH_LEN) != 0)
		return records_refuse(r, ERR_TARGET);
	return store(r, &r->immutables, rq, 0, rq->m.value);
}

int
serve_immutable_get(struct records *r, const struct dht_request *rq)
{
	uint64_t seq;
	struct bytes value;

	if (!values_find(
		&r->immutables, records_now_s(r), rq->m.target, &seq, &value))
		value = (struct bytes){0};
	return records_reply(r, rq, value);
}
