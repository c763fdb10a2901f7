/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "node/inside.h"

static struct addr
own_address(const struct op *op)
{
	const struct addr *a = dht_public_address(op->node->dht);

	return a != NULL ? *a : (struct addr){0};
}

static void
tell_peer(struct op *op, const struct peer_record *p, uint64_t bump)
{
	struct records_event e = {
	    .kind = RECORDS_EV_PEER,
	    .node = own_address(op),
	    .id = dht_id(op->node->dht),
	    .peer = *p,
	    .bump = bump,
	};

	op->own_found = true;
	op_found(op, &e);
}

void
own_peer(struct op *op, const uint8_t *key)
{
	uint8_t target[HASH_LEN];
	struct peer_record p;

	key_target(target, key);
	if (records_held_peer(op->node->records, target, &p))
		tell_peer(op, &p, 0);
}

void
own_peers(struct op *op, const uint8_t *topic)
{
	struct topic_pick pick;

	records_held_topic(op->node->records, topic, &pick);
	for (size_t i = 0; i < pick.len; i++)
		tell_peer(op, &pick.peers[i], pick.bump);
}

static struct records_event
value_event(const struct op *op, struct bytes value, uint64_t seq)
{
	return (struct records_event){
	    .kind = RECORDS_EV_VALUE,
	    .node = own_address(op),
	    .value = value,
	    .seq = seq,
	};
}

bool
own_immutable(struct op *op, const uint8_t *hash, uint32_t *number)
{
	static const struct news done = {.err = 0};
	struct records_event e;
	struct bytes value;

	if (!records_held_immutable(op->node->records, hash, &value))
		return false;
	e = value_event(op, value, 0);
	op_found(op, &e);
	*number = op->number;
	op_end(op, &done);
	return true;
}

void
own_mutable(struct op *op, const uint8_t *key, uint64_t seq)
{
	uint8_t target[HASH_LEN];
	struct records_event e;
	struct news news;
	struct mutable_value m;

	key_target(target, key);
	if (!records_held_mutable(op->node->records, target, &m) || m.seq < seq)
		return;
	e = value_event(op, m.value, m.seq);
	news = op_found_news(op, &e);
	op->own = news_item_new(&news);
}

bool
own_is_newer(struct op *op, const struct records_event *e)
{
	if (op->own == NULL || e->kind != RECORDS_EV_VALUE)
		return false;
	if (op->own->news.seq >= e->seq)
		return true;
	free(op->own);
	op->own = NULL;
	return false;
}

void
own_done(struct op *op, struct news *done)
{
	if (op->own != NULL && done->err != ERR_CANCELLED) {
		news_push_item(op->node, op->own);
		op->own = NULL;
		op->own_found = true;
	}
	if (op->own_found &&
	    (done->err == ERR_NOT_FOUND || done->err == ERR_UNREACHABLE))
		done->err = 0;
}
