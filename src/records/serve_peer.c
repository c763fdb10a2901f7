/* SPDX-License-Identifier: ISC */
#include "records/inside.h"

static const struct bytes no_value;

int
serve_find_peer(struct records *r, const struct dht_request *rq)
{
	uint8_t buf[PEER_LEN_MAX];
	struct bytes value = no_value;
	struct peer_record p;

	if (records_held_peer(r, rq->m.target, &p))
		value = (struct bytes){buf, peer_encode(&p, buf, sizeof buf)};
	return records_reply(r, rq, value);
}

int
serve_lookup(struct records *r, const struct dht_request *rq)
{
	uint8_t buf[LOOKUP_LEN_MAX];
	uint32_t now_s = records_now_s(r);
	struct bytes value = no_value;
	struct topic_pick pick;

	topics_pick(&r->topics, r->core->world, records_shares(r), now_s,
	    rq->m.target, &pick);
	if (pick.len < LOOKUP_PEERS_MAX &&
	    records_held_peer(r, rq->m.target, &pick.peers[pick.len]))
		pick.len++;
	if (pick.len > 0) {
		value.p = buf;
		value.len = lookup_encode(
		    pick.peers, pick.len, pick.bump, buf, sizeof buf);
	}
	return records_reply(r, rq, value);
}

/* Signed by its peer for this target, for us and for the token we gave. */
static int
check_signature(struct records *r, const struct dht_request *rq,
    const struct announce *a, enum key_namespace ns)
{
	const uint8_t *id = dht_id(r->dht);

	if (a->signature == NULL || id == NULL)
		return ERR_INCOMPLETE;
	return announce_verify(
	    a, ns, &(struct announce_scope){rq->m.target, id, rq->m.token});
}

/* It announces itself: the target is the hash of its own key. */
static bool
is_self(const uint8_t *target, const uint8_t key[KEY_LEN])
{
	uint8_t hash[HASH_LEN];

	key_target(hash, key);
	return memcmp(hash, target, HASH_LEN) == 0;
}

static int
store(struct records *r, const struct writer *w, const uint8_t *target,
    const struct peer_record *p, uint64_t bump)
{
	int err;

	if (is_self(target, p->key)) {
		/* Ours stays as it is: pitfall A4. */
		if (records_pinned(r, target) != NULL)
			return 0;
		err = forwards_set(&r->forwards, w, target, p);
		topics_del(&r->topics, target, p->key);
	} else {
		err = topics_add(&r->topics, w, target, p);
		topics_bump(&r->topics, target, bump, r->core->world->unix_ms);
	}
	records_age(r);
	return err;
}

/* Announces and what takes them back are confirmed with an empty reply. */
static int
confirm(struct records *r, const struct dht_request *rq)
{
	return dht_reply(r->dht, rq, &(struct dht_reply){0});
}

/* What the token renews keeps its target, whatever the request's is. */
static int
renew(struct records *r, const struct dht_request *rq, const uint8_t *shown)
{
	struct writer w = records_writer(r, rq);
	struct renewal rn;
	struct peer_record p;
	int err;

	if (!refreshes_take(&r->refreshes, w.now_s, shown, &rn))
		return records_refuse(r, ERR_UNKNOWN);
	p = stored_peer_get(&rn.peer);
	err = store(r, &w, rn.target, &p, 0);
	if (err == 0)
		err = refreshes_set(&r->refreshes, &w, shown, &rn);
	if (err != 0)
		return records_refuse(r, err);
	r->core->stats->refreshed++;
	return confirm(r, rq);
}

static int
remember_token(struct records *r, const struct writer *w, const uint8_t *target,
    const struct announce *a)
{
	struct renewal rn;

	memcpy(rn.target, target, HASH_LEN);
	stored_peer_set(&rn.peer, &a->peer);
	return refreshes_set(&r->refreshes, w, a->refresh, &rn);
}

int
serve_announce(struct records *r, const struct dht_request *rq)
{
	struct writer w = records_writer(r, rq);
	const uint8_t *target = rq->m.target;
	struct announce a;
	int err = announce_decode(&a, rq->m.value.p, rq->m.value.len);

	if (err != 0)
		return records_refuse(r, err);
	if (a.peer.key == NULL && a.refresh == NULL)
		return records_refuse(r, ERR_INCOMPLETE);
	if (a.peer.key == NULL)
		return renew(r, rq, a.refresh);
	err = check_signature(r, rq, &a, NS_ANNOUNCE);
	if (err == 0)
		err = store(r, &w, target, &a.peer, a.bump);
	if (err == 0 && a.refresh != NULL)
		err = remember_token(r, &w, target, &a);
	if (err != 0)
		return records_refuse(r, err);
	r->core->stats->announces++;
	return confirm(r, rq);
}

int
serve_unannounce(struct records *r, const struct dht_request *rq)
{
	const uint8_t *target = rq->m.target;
	struct announce a;
	int err = announce_decode(&a, rq->m.value.p, rq->m.value.len);

	if (err == 0 && a.peer.key == NULL)
		err = ERR_INCOMPLETE;
	if (err == 0)
		err = check_signature(r, rq, &a, NS_UNANNOUNCE);
	if (err != 0)
		return records_refuse(r, err);
	if (is_self(target, a.peer.key))
		forwards_del(&r->forwards, records_now_s(r), target);
	topics_del(&r->topics, target, a.peer.key);
	r->core->stats->unannounces++;
	return confirm(r, rq);
}
