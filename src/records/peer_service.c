/* SPDX-License-Identifier: ISC */
#include "base/err.h"
#include "records/peer_service.h"

static const struct bytes no_value;

void
peer_service_init(struct peer_service *s, struct records_context *cx)
{
	const struct limits *l = cx->core->limits;
	const struct hash_key *key = &cx->core->hash_key;
	struct stats *st = cx->core->stats;

	*s = (struct peer_service){.context = cx, .pinned = {.hash_key = key}};
	topics_init(&s->topics, l, key, st);
	forwards_init(&s->forwards, l, key, st);
	refreshes_init(&s->refreshes, l, key, st);
}

void
peer_service_fini(struct peer_service *s)
{
	topics_fini(&s->topics);
	forwards_fini(&s->forwards);
	pinned_fini(&s->pinned);
	refreshes_fini(&s->refreshes);
}

void
peer_service_set_limits(struct peer_service *s)
{
	const struct limits *l = s->context->core->limits;

	topics_set_limits(&s->topics, l);
	forwards_set_limits(&s->forwards, l);
	refreshes_set_limits(&s->refreshes, l);
}

uint32_t
peer_service_expire(struct peer_service *s, uint32_t now_s)
{
	struct cache *all[] = {
	    &s->topics.records, &s->forwards.entries, &s->refreshes.entries};

	return cache_expire_all(all, sizeof all / sizeof *all, now_s);
}

bool
peer_service_find(
    const struct peer_service *s, const uint8_t *target, struct peer_record *p)
{
	const struct pin *pin = pinned_find(&s->pinned, target);

	if (pin == NULL)
		return forwards_find(&s->forwards,
		    records_context_now_s(s->context), target, p, NULL);
	*p = (struct peer_record){.key = pin->key};
	return true;
}

void
peer_service_pick(
    struct peer_service *s, const uint8_t *topic, struct topic_pick *out)
{
	const struct records_context *cx = s->context;

	topics_pick(&s->topics, cx->core->world, records_context_shares(cx),
	    records_context_now_s(cx), topic, out);
}

/* ---- reads ---- */

int
peer_service_find_peer(struct peer_service *s, const struct dht_request *rq)
{
	uint8_t buf[PEER_LEN_MAX];
	struct bytes value = no_value;
	struct peer_record p;

	if (peer_service_find(s, rq->m.target, &p))
		value = (struct bytes){buf, peer_encode(&p, buf, sizeof buf)};
	return records_context_reply(s->context, rq, value);
}

int
peer_service_lookup(struct peer_service *s, const struct dht_request *rq)
{
	uint8_t buf[LOOKUP_LEN_MAX];
	struct bytes value = no_value;
	struct topic_pick pick;

	peer_service_pick(s, rq->m.target, &pick);
	if (pick.len < LOOKUP_PEERS_MAX &&
	    peer_service_find(s, rq->m.target, &pick.peers[pick.len]))
		pick.len++;
	if (pick.len > 0) {
		value.p = buf;
		value.len = lookup_encode(
		    pick.peers, pick.len, pick.bump, buf, sizeof buf);
	}
	return records_context_reply(s->context, rq, value);
}

/* ---- announces ---- */

/* Checks the signature over the target, our id and the token that we gave. */
static int
check_signature(const struct peer_service *s, const struct dht_request *rq,
    const struct announce *a, enum key_namespace ns)
{
	const uint8_t *id = dht_id(s->context->dht);

	if (a->signature == NULL || id == NULL)
		return ERR_INCOMPLETE;
	return announce_verify(
	    a, ns, &(struct announce_scope){rq->m.target, id, rq->m.token});
}

/* Returns whether the key announces itself: the target is its own hash. */
static bool
is_self(const uint8_t *target, const uint8_t key[KEY_LEN])
{
	uint8_t hash[HASH_LEN];

	key_target(hash, key);
	return memcmp(hash, target, HASH_LEN) == 0;
}

static int
store_record(struct peer_service *s, const struct writer *w,
    const uint8_t *target, const struct peer_record *p, uint64_t bump)
{
	int err;

	if (is_self(target, p->key)) {
		/* A key that listens here stays pinned: pitfall A4. */
		if (pinned_find(&s->pinned, target) != NULL)
			return 0;
		err = forwards_set(&s->forwards, w, target, p);
		topics_del(&s->topics, target, p->key);
	} else {
		err = topics_add(&s->topics, w, target, p);
		topics_bump(
		    &s->topics, target, bump, s->context->core->world->unix_ms);
	}
	records_context_stored(s->context);
	return err;
}

int
peer_service_keep(
    struct peer_service *s, const uint8_t *target, const struct peer_record *p)
{
	struct addr own = records_context_own_address(s->context);
	struct writer w = records_context_own_writer(s->context, &own);

	return store_record(s, &w, target, p, 0);
}

void
peer_service_forget(
    struct peer_service *s, const uint8_t *target, const uint8_t *key)
{
	if (is_self(target, key))
		forwards_del(
		    &s->forwards, records_context_now_s(s->context), target);
	topics_del(&s->topics, target, key);
}

/* Confirms an announce or an unannounce, which takes an empty reply. */
static int
send_confirmation(struct peer_service *s, const struct dht_request *rq)
{
	return dht_reply(s->context->dht, rq, &(struct dht_reply){0});
}

/*
 * Renews the record of a refresh token. The record keeps its own target,
 * whatever the target of the request is.
 */
static int
serve_refresh(
    struct peer_service *s, const struct dht_request *rq, const uint8_t *shown)
{
	struct records_context *cx = s->context;
	struct writer w = records_context_writer(cx, rq);
	struct renewal rn;
	struct peer_record p;
	int err;

	if (!refreshes_take(&s->refreshes, w.now_s, shown, &rn))
		return records_context_drop(cx, ERR_UNKNOWN);
	p = stored_peer_get(&rn.peer);
	err = store_record(s, &w, rn.target, &p, 0);
	if (err == 0)
		err = refreshes_set(&s->refreshes, &w, shown, &rn);
	if (err != 0)
		return records_context_drop(cx, err);
	cx->core->stats->refreshed++;
	return send_confirmation(s, rq);
}

static int
store_refresh(struct peer_service *s, const struct writer *w,
    const uint8_t *target, const struct announce *a)
{
	struct renewal rn;

	memcpy(rn.target, target, HASH_LEN);
	stored_peer_set(&rn.peer, &a->peer);
	return refreshes_set(&s->refreshes, w, a->refresh, &rn);
}

int
peer_service_announce(struct peer_service *s, const struct dht_request *rq)
{
	struct records_context *cx = s->context;
	struct writer w = records_context_writer(cx, rq);
	const uint8_t *target = rq->m.target;
	struct announce a;
	int err = announce_decode(&a, rq->m.value.p, rq->m.value.len);

	if (err != 0)
		return records_context_drop(cx, err);
	if (a.peer.key == NULL && a.refresh == NULL)
		return records_context_drop(cx, ERR_INCOMPLETE);
	if (a.peer.key == NULL)
		return serve_refresh(s, rq, a.refresh);
	err = check_signature(s, rq, &a, NS_ANNOUNCE);
	if (err == 0)
		err = store_record(s, &w, target, &a.peer, a.bump);
	if (err == 0 && a.refresh != NULL)
		err = store_refresh(s, &w, target, &a);
	if (err != 0)
		return records_context_drop(cx, err);
	cx->core->stats->announces++;
	return send_confirmation(s, rq);
}

int
peer_service_unannounce(struct peer_service *s, const struct dht_request *rq)
{
	struct records_context *cx = s->context;
	const uint8_t *target = rq->m.target;
	struct announce a;
	int err = announce_decode(&a, rq->m.value.p, rq->m.value.len);

	if (err == 0 && a.peer.key == NULL)
		err = ERR_INCOMPLETE;
	if (err == 0)
		err = check_signature(s, rq, &a, NS_UNANNOUNCE);
	if (err != 0)
		return records_context_drop(cx, err);
	peer_service_forget(s, target, a.peer.key);
	cx->core->stats->unannounces++;
	return send_confirmation(s, rq);
}
