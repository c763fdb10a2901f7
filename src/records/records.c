/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "records/inside.h"

/* What a request must bring, and who serves it then; protocol 02 §1. */
struct service {
	int (*serve)(struct records *r, const struct dht_request *rq);
	bool target, token, value;
};

/*
 * PLUGIN: a node without that plugin is silent. The router's commands are not
 * here, so that they count as unknown should they come.
 */
static int
serve_plugin(struct records *r, const struct dht_request *rq)
{
	(void)rq;
	return records_refuse(r, ERR_UNKNOWN);
}

static const struct service services[] = {
    [CMD_FIND_PEER] = {serve_find_peer, .target = true},
    [CMD_LOOKUP] = {serve_lookup, .target = true},
    [CMD_ANNOUNCE] = {serve_announce, true, true, true},
    [CMD_UNANNOUNCE] = {serve_unannounce, true, true, true},
    [CMD_MUTABLE_PUT] = {serve_mutable_put, true, true, true},
    [CMD_MUTABLE_GET] = {serve_mutable_get, .target = true, .value = true},
    [CMD_IMMUTABLE_PUT] = {serve_immutable_put, true, true, true},
    [CMD_IMMUTABLE_GET] = {serve_immutable_get, .target = true},
    [CMD_PLUGIN] = {serve_plugin, .value = true},
};

enum { SERVICES = sizeof services / sizeof *services };

static const struct service *
service_of(const struct records *r, uint64_t command)
{
	if (command >= SERVICES || services[command].serve == NULL ||
	    !dht_is_persistent(r->dht))
		return NULL;
	return &services[command];
}

int
records_serve(struct records *r, const struct dht_request *rq)
{
	const struct service *s = service_of(r, rq->m.command);
	struct dht_reply unknown = {
	    .error = RPC_UNKNOWN_COMMAND, .closer = true};

	if (s == NULL)
		return dht_reply(r->dht, rq, &unknown);
	if ((s->target && rq->m.target == NULL) ||
	    (s->token && !rq->token_good) ||
	    (s->value && rq->m.value.p == NULL))
		return records_refuse(r, ERR_INCOMPLETE);
	return s->serve(r, rq);
}

int
records_refuse(struct records *r, int err)
{
	return stats_drop(r->core->stats, err);
}

int
records_reply(
    struct records *r, const struct dht_request *rq, struct bytes value)
{
	struct dht_reply re = {.value = value, .token = true, .closer = true};

	return dht_reply(r->dht, rq, &re);
}

struct writer
records_writer(const struct records *r, const struct dht_request *rq)
{
	return (struct writer){.from = &rq->dg.from,
	    .now_s = records_now_s(r),
	    .shares = records_shares(r)};
}

/* ---- age ---- */

static void
arm(struct records *r, uint32_t seconds)
{
	/* Out of memory: what is too old stays, and is not served. */
	(void)timer_arm(r->core->timers, &r->ageing,
	    r->core->world->now_us + UINT64_C(1000000) * seconds);
}

void
records_age(struct records *r)
{
	if (!timer_armed(&r->ageing))
		arm(r, r->core->limits->record_seconds);
}

static void
age(struct timer *t)
{
	struct records *r = container_of(t, struct records, ageing);
	struct cache *all[] = {&r->topics.records, &r->forwards.entries,
	    &r->refreshes.entries, &r->mutables.entries,
	    &r->immutables.entries};
	uint32_t next = CACHE_EMPTY;

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		uint32_t s = cache_expire(all[i], records_now_s(r));

		if (s < next)
			next = s;
	}
	if (next != CACHE_EMPTY)
		arm(r, next);
}

/* ---- life ---- */

struct records *
records_new(const struct core *core, struct dht *d)
{
	struct records *r = calloc(1, sizeof *r);
	const struct limits *l = core->limits;
	const struct hash_key *key = &core->hash_key;
	struct stats *st = core->stats;

	if (r == NULL)
		return NULL;
	r->core = core;
	r->dht = d;
	r->ageing.fire = age;
	topics_init(&r->topics, l, key, st);
	forwards_init(&r->forwards, l, key, st);
	r->pinned.hash_key = key;
	refreshes_init(&r->refreshes, l, key, st);
	values_init(&r->mutables, l, key, st);
	values_init(&r->immutables, l, key, st);
	return r;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	timer_disarm(r->core->timers, &r->ageing);
	topics_fini(&r->topics);
	forwards_fini(&r->forwards);
	pinned_fini(&r->pinned);
	refreshes_fini(&r->refreshes);
	values_fini(&r->mutables);
	values_fini(&r->immutables);
	free(r);
}

void
records_limits_changed(struct records *r)
{
	const struct limits *l = r->core->limits;

	topics_set_limits(&r->topics, l);
	forwards_set_limits(&r->forwards, l);
	refreshes_set_limits(&r->refreshes, l);
	values_set_limits(&r->mutables, l);
	values_set_limits(&r->immutables, l);
	/* Ages may be shorter now. */
	arm(r, 0);
}

void
records_status(const struct records *r, struct records_status *out)
{
	*out = (struct records_status){
	    .records = cache_len(&r->topics.records),
	    .topics = topics_len(&r->topics),
	    .forwards = cache_len(&r->forwards.entries),
	    .refreshes = cache_len(&r->refreshes.entries),
	    .values = cache_len(&r->mutables.entries) +
		      cache_len(&r->immutables.entries),
	    .value_bytes = r->mutables.bytes + r->immutables.bytes,
	};
}

/* ---- for the rooms above ---- */

void
records_note_host(struct records *r, const struct addr *from)
{
	forwards_note_host(&r->forwards, from, records_now_s(r));
}

bool
records_forward_for(
    const struct records *r, const uint8_t *target, struct addr *to)
{
	return forwards_find(&r->forwards, records_now_s(r), target, NULL, to);
}

bool
records_held_immutable(
    const struct records *r, const uint8_t *hash, struct bytes *value)
{
	uint64_t seq;

	return values_find(&r->immutables, records_now_s(r), hash, &seq, value);
}

bool
records_held_mutable(
    const struct records *r, const uint8_t *target, struct mutable_value *m)
{
	struct bytes stored;
	uint64_t seq;

	return values_find(
		   &r->mutables, records_now_s(r), target, &seq, &stored) &&
	       mutable_value_decode(m, stored.p, stored.len) == 0;
}

bool
records_held_peer(
    const struct records *r, const uint8_t *target, struct peer_record *p)
{
	const struct pin *pin = pinned_find(&r->pinned, target);

	if (pin == NULL)
		return forwards_find(
		    &r->forwards, records_now_s(r), target, p, NULL);
	*p = (struct peer_record){.key = pin->key};
	return true;
}

int
records_pin(struct records *r, const uint8_t key[KEY_LEN], void *owner)
{
	return pinned_add(&r->pinned, key, owner);
}

void
records_unpin(struct records *r, const uint8_t key[KEY_LEN])
{
	pinned_del(&r->pinned, key);
}

void *
records_pinned(const struct records *r, const uint8_t *target)
{
	const struct pin *pin = pinned_find(&r->pinned, target);

	return pin != NULL ? pin->owner : NULL;
}

void
records_held_topic(
    struct records *r, const uint8_t *topic, struct topic_pick *out)
{
	topics_pick(&r->topics, r->core->world, records_shares(r),
	    records_now_s(r), topic, out);
}
