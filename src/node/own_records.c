/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "base/err.h"
#include "node/node_struct.h"
#include "node/own_records.h"

static struct addr
public_address(const struct node_op *op)
{
	const struct addr *a = dht_public_address(op->node->dht);

	return a != NULL ? *a : (struct addr){0};
}

static void
report_peer(struct node_op *op, const struct peer_record *p, uint64_t bump)
{
	struct records_event e = {
	    .kind = RECORDS_EV_PEER,
	    .node = public_address(op),
	    .id = dht_id(op->node->dht),
	    .peer = *p,
	    .bump = bump,
	};

	op->own_found = true;
	node_op_found(op, &e);
}

static void
report_peer_of(struct node_op *op, const uint8_t *key)
{
	uint8_t target[HASH_LEN];
	struct peer_record p;

	key_target(target, key);
	if (records_held_peer(op->node->records, target, &p))
		report_peer(op, &p, 0);
}

static void
report_topic(struct node_op *op, const uint8_t *topic)
{
	struct topic_pick pick;

	records_held_topic(op->node->records, topic, &pick);
	for (size_t i = 0; i < pick.len; i++)
		report_peer(op, &pick.peers[i], pick.bump);
}

void
own_records_find(
    struct node_op *op, enum records_command command, const uint8_t *key)
{
	if (command == CMD_FIND_PEER)
		report_peer_of(op, key);
	else if (command == CMD_LOOKUP)
		report_topic(op, key);
}

static struct records_event
value_event(const struct node_op *op, struct bytes value, uint64_t seq)
{
	return (struct records_event){
	    .kind = RECORDS_EV_VALUE,
	    .node = public_address(op),
	    .value = value,
	    .seq = seq,
	};
}

bool
own_records_immutable(struct node_op *op, const uint8_t *hash, uint32_t *number)
{
	static const struct node_event done = {.err = 0};
	struct records_event e;
	struct bytes value;

	if (!records_held_immutable(op->node->records, hash, &value))
		return false;
	e = value_event(op, value, 0);
	node_op_found(op, &e);
	*number = op->number;
	node_op_end(op, &done);
	return true;
}

int
own_records_put_immutable(
    struct node_op *op, struct bytes value, uint32_t *number)
{
	static const struct node_event done = {.stored = 1};
	uint8_t hash[HASH_LEN];
	int err = records_client_check_value(value);

	if (err != 0)
		return err;
	hash_blake2b(hash, value.p, value.len);
	err = records_keep_immutable(op->node->records, hash, value);
	if (err != 0)
		return err;
	*number = op->number;
	node_op_end(op, &done);
	return 0;
}

int
own_records_put_mutable(struct node_op *op, const struct key_pair *keys,
    uint64_t seq, struct bytes value, uint32_t *number)
{
	struct node_event done = {.seq = seq};
	int err =
	    seq > WIRE_UINT_MAX ? ERR_VALUE : records_client_check_value(value);

	if (err != 0)
		return err;
	done.err = records_keep_mutable(op->node->records, keys, seq, value);
	if (done.err == ERR_MEMORY)
		return done.err;
	done.stored = done.err == 0;
	*number = op->number;
	node_op_end(op, &done);
	return 0;
}

struct records_seq
own_records_next_seq(const struct node *n, const uint8_t *key)
{
	struct records_seq seq = {.next = true};
	uint8_t target[HASH_LEN];
	struct mutable_value m;

	key_target(target, key);
	if (records_held_mutable(n->records, target, &m))
		seq.value = m.seq < WIRE_UINT_MAX ? m.seq + 1 : m.seq;
	return seq;
}

void
own_records_mutable(struct node_op *op, const uint8_t *key, uint64_t seq)
{
	uint8_t target[HASH_LEN];
	struct records_event e;
	struct node_event ev;
	struct mutable_value m;

	key_target(target, key);
	if (!records_held_mutable(op->node->records, target, &m) || m.seq < seq)
		return;
	e = value_event(op, m.value, m.seq);
	ev = node_op_found_event(op, &e);
	op->own_value = event_item_new(&ev);
}

bool
own_records_is_newer(struct node_op *op, const struct records_event *e)
{
	if (op->own_value == NULL || e->kind != RECORDS_EV_VALUE)
		return false;
	if (op->own_value->ev.seq >= e->seq)
		return true;
	free(op->own_value);
	op->own_value = NULL;
	return false;
}

void
own_records_finish(struct node_op *op, struct node_event *done)
{
	if (op->own_value != NULL && done->err != ERR_CANCELLED) {
		event_queue_push_item(&op->node->events, op->own_value);
		op->own_value = NULL;
		op->own_found = true;
	}
	/* A node without others has asked all there are. */
	if (done->err == ERR_UNREACHABLE && op->alone)
		done->err = ERR_NOT_FOUND;
	if (op->own_found &&
	    (done->err == ERR_NOT_FOUND || done->err == ERR_UNREACHABLE))
		done->err = 0;
}
