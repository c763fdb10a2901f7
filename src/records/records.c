/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "records/peer_service.h"
#include "records/records.h"
#include "records/value_service.h"

struct records {
	struct records_context context;
	struct peer_service peers;
	struct value_service values;
};

/* ---- commands ---- */

/* One command: the function that serves it and the fields that it needs. */
struct record_command {
	int (*peer)(struct peer_service *s, const struct dht_request *rq);
	int (*value)(struct value_service *s, const struct dht_request *rq);
	unsigned int needs;
};

/*
 * CMD_PLUGIN has no function: a node without that plugin does not reply. The
 * commands of the router have no row, so they count as unknown.
 */
static const struct record_command commands[] = {
#define X(number, name, serve, needs) [CMD_##name] = {serve, NULL, needs},
    PEER_COMMAND_LIST(X)
#undef X
#define X(number, name, serve, needs) [CMD_##name] = {NULL, serve, needs},
	VALUE_COMMAND_LIST(X)
#undef X
	    [CMD_PLUGIN] = {.needs = FIELD_VALUE},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

static bool
is_served(const struct records *r, uint64_t command)
{
	if (command >= COMMANDS || !dht_is_persistent(r->context.dht))
		return false;
	return commands[command].peer != NULL ||
	       commands[command].value != NULL || command == CMD_PLUGIN;
}

/* Returns the fields that a request has, as FIELD_*. */
static unsigned int
fields_of(const struct dht_request *rq)
{
	return (rq->m.target != NULL ? FIELD_TARGET : 0) |
	       (rq->m.value.p != NULL ? FIELD_VALUE : 0) |
	       (rq->token_good ? FIELD_TOKEN : 0);
}

int
records_serve(struct records *r, const struct dht_request *rq)
{
	struct records_context *cx = &r->context;
	struct dht_reply unknown = {
	    .error = RPC_UNKNOWN_COMMAND, .closer = true};
	const struct record_command *c;

	if (!is_served(r, rq->m.command))
		return dht_reply(cx->dht, rq, &unknown);
	c = &commands[rq->m.command];
	if ((c->needs & ~fields_of(rq)) != 0)
		return records_context_drop(cx, ERR_INCOMPLETE);
	if (c->peer != NULL)
		return c->peer(&r->peers, rq);
	if (c->value != NULL)
		return c->value(&r->values, rq);
	return records_context_drop(cx, ERR_UNKNOWN);
}

/* ---- life ---- */

static void
on_expiry(struct timer *t)
{
	struct records *r = container_of(t, struct records, context.expiry);
	uint32_t now_s = records_context_now_s(&r->context);
	uint32_t next = peer_service_expire(&r->peers, now_s);
	uint32_t next_value = value_service_expire(&r->values, now_s);

	if (next_value < next)
		next = next_value;
	if (next != CACHE_EMPTY)
		records_context_expire_in(&r->context, next);
}

struct records *
records_new(const struct core *core, struct dht *d)
{
	struct records *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	records_context_init(&r->context, core, d, on_expiry);
	peer_service_init(&r->peers, &r->context);
	value_service_init(&r->values, &r->context);
	return r;
}

void
records_free(struct records *r)
{
	if (r == NULL)
		return;
	records_context_fini(&r->context);
	peer_service_fini(&r->peers);
	value_service_fini(&r->values);
	free(r);
}

void
records_limits_changed(struct records *r)
{
	peer_service_set_limits(&r->peers);
	value_service_set_limits(&r->values);
	/* Maximum ages may be shorter now. */
	records_context_expire_in(&r->context, 0);
}

void
records_status(const struct records *r, struct records_status *out)
{
	const struct peer_service *p = &r->peers;
	const struct value_service *v = &r->values;

	*out = (struct records_status){
	    .records = cache_len(&p->topics.records),
	    .topics = topics_len(&p->topics),
	    .forwards = cache_len(&p->forwards.entries),
	    .refreshes = cache_len(&p->refreshes.entries),
	    .values = cache_len(&v->mutables.entries) +
		      cache_len(&v->immutables.entries),
	    .value_bytes = v->mutables.bytes + v->immutables.bytes,
	};
}

/* ---- for the node and the router ---- */

void
records_note_host(struct records *r, const struct addr *from)
{
	forwards_note_host(
	    &r->peers.forwards, from, records_context_now_s(&r->context));
}

bool
records_forward_for(
    const struct records *r, const uint8_t *target, struct addr *to)
{
	return forwards_find(&r->peers.forwards,
	    records_context_now_s(&r->context), target, NULL, to);
}

int
records_pin(struct records *r, const uint8_t key[KEY_LEN], void *owner)
{
	return pinned_add(&r->peers.pinned, key, owner);
}

void
records_unpin(struct records *r, const uint8_t key[KEY_LEN])
{
	pinned_del(&r->peers.pinned, key);
}

void *
records_pinned(const struct records *r, const uint8_t *target)
{
	const struct pin *pin = pinned_find(&r->peers.pinned, target);

	return pin != NULL ? pin->owner : NULL;
}

bool
records_held_immutable(
    const struct records *r, const uint8_t *hash, struct bytes *value)
{
	return value_service_find_immutable(&r->values, hash, value);
}

bool
records_held_mutable(
    const struct records *r, const uint8_t *target, struct mutable_value *m)
{
	return value_service_find_mutable(&r->values, target, m);
}

bool
records_held_peer(
    const struct records *r, const uint8_t *target, struct peer_record *p)
{
	return peer_service_find(&r->peers, target, p);
}

void
records_held_topic(
    struct records *r, const uint8_t *topic, struct topic_pick *out)
{
	peer_service_pick(&r->peers, topic, out);
}

int
records_keep_immutable(
    struct records *r, const uint8_t *hash, struct bytes value)
{
	return value_service_keep_immutable(&r->values, hash, value);
}

int
records_keep_mutable(struct records *r, const struct key_pair *keys,
    uint64_t seq, struct bytes value)
{
	uint8_t target[HASH_LEN], signature[SIGNATURE_LEN];
	struct mutable_value m = {
	    .key = keys->public_key,
	    .seq = seq,
	    .value = value,
	    .signature = signature,
	};

	key_target(target, keys->public_key);
	mutable_sign(signature, keys, seq, value);
	return value_service_keep_mutable(&r->values, target, &m);
}

int
records_keep_peer(
    struct records *r, const uint8_t *topic, const struct peer_record *p)
{
	return peer_service_keep(&r->peers, topic, p);
}

void
records_forget_peer(
    struct records *r, const uint8_t *topic, const uint8_t key[KEY_LEN])
{
	peer_service_forget(&r->peers, topic, key);
}
