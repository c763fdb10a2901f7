/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "node/node_op.h"
#include "node/node_struct.h"
#include "node/own_records.h"

struct node_op *
node_op_new(struct node *n, int *err)
{
	static const struct node_event done = {.kind = NODE_EV_DONE};
	struct node_op *op;

	*err = n->leave.started ? ERR_CLOSED : ERR_BUSY;
	if (n->leave.started ||
	    HASH_COUNT(n->ops.by_number) >= n->core.limits->operations)
		return NULL;
	*err = ERR_MEMORY;
	if ((op = calloc(1, sizeof *op)) == NULL)
		return NULL;
	op->node = n;
	op->alone = dht_is_alone(n->dht);
	op->number = ++n->ops.last != 0 ? n->ops.last : ++n->ops.last;
	op->done = event_item_new(&done);
	if (op->done != NULL)
		HASH_ADD_BYHASHVALUE(hh, n->ops.by_number, number,
		    sizeof op->number, op->number, op);
	if (op->done == NULL || op->hh.tbl == NULL) {
		free(op->done);
		free(op);
		return NULL;
	}
	*err = 0;
	return op;
}

void
node_op_free(struct node_op *op)
{
	HASH_DELETE(hh, op->node->ops.by_number, op);
	if (op->netcheck != NULL)
		netcheck_cancel(op->netcheck);
	if (op->watching)
		punch_stop_measuring(op->node->punch, &op->watch);
	free(op->done);
	free(op->own_value);
	free(op);
}

void
node_op_end(struct node_op *op, const struct node_event *done)
{
	struct node_event *ev = &op->done->ev;

	/* The item has no space for a value, and an end has none. */
	memcpy(ev, done, offsetof(struct node_event, value));
	ev->kind = NODE_EV_DONE;
	ev->op = op->number;
	ev->lost = op->lost;
	ev->value_len = 0;
	event_queue_push_item(&op->node->events, op->done);
	op->done = NULL;
	node_op_free(op);
}

void
node_ops_fini(struct node *n)
{
	struct node_op *op, *next;

	HASH_ITER (hh, n->ops.by_number, op, next)
		node_op_free(op);
}

struct node_event
node_op_done_event(const struct records_event *e)
{
	return (struct node_event){
	    .kind = NODE_EV_DONE,
	    .err = e->err,
	    .replies = e->replies,
	    .failures = e->failures,
	    .stored = e->stored,
	    .refused = e->refused,
	    .seq = e->seq,
	};
}

/* ---- results ---- */

struct node_event
node_op_found_event(const struct node_op *op, const struct records_event *e)
{
	static const enum node_event_kind kinds[] = {
	    [RECORDS_EV_NODE] = NODE_EV_NODE,
	    [RECORDS_EV_PEER] = NODE_EV_PEER,
	    [RECORDS_EV_VALUE] = NODE_EV_VALUE,
	};
	struct node_event ev = {
	    .kind = kinds[e->kind],
	    .op = op->number,
	    .node = e->node,
	    .seq = e->seq,
	    .bump = e->bump,
	};

	if (e->id != NULL)
		memcpy(ev.id, e->id, ID_LEN);
	if (e->kind == RECORDS_EV_PEER) {
		memcpy(ev.key, e->peer.key, KEY_LEN);
		while (ev.relays_len < NODE_EVENT_RELAYS_MAX &&
		       ev.relays_len < peer_relays_len(&e->peer)) {
			ev.relays[ev.relays_len] =
			    peer_relay(&e->peer, ev.relays_len);
			ev.relays_len++;
		}
	}
	if (e->value.len > 0 && e->value.len <= NODE_EVENT_VALUE_MAX) {
		memcpy(ev.value, e->value.p, e->value.len);
		ev.value_len = (uint16_t)e->value.len;
	}
	return ev;
}

void
node_op_found(struct node_op *op, const struct records_event *e)
{
	struct node_event ev = node_op_found_event(op, e);

	if (!event_queue_push(&op->node->events, &ev))
		op->lost++;
}

static void
on_records_event(void *owner, const struct records_event *e)
{
	struct node_op *op = owner;
	struct node_event done;

	if (e->kind != RECORDS_EV_DONE) {
		if (!own_records_is_newer(op, e))
			node_op_found(op, e);
		return;
	}
	done = node_op_done_event(e);
	own_records_finish(op, &done);
	node_op_end(op, &done);
}

static struct records_sink
make_sink(struct node_op *op)
{
	return (struct records_sink){.event = on_records_event, .owner = op};
}

/* Returns the number of a started operation, or frees it and returns err. */
static int
finish_start(struct node_op *op, int err, uint32_t *number)
{
	if (err != 0) {
		node_op_free(op);
		return err;
	}
	*number = op->number;
	return 0;
}

/* Frees an operation that could not end at once, with err. Returns err. */
static int
finish_alone(struct node_op *op, int err)
{
	if (err != 0)
		node_op_free(op);
	return err;
}

/* ---- the operations ---- */

static void
on_pong(void *owner, const struct dht_answer *a)
{
	struct node_op *op = owner;
	struct node_event done = {
	    .err = a->err,
	    .node = a->from,
	    .rtt_us = a->rtt_us,
	    .replies = a->err == 0,
	    .failures = a->err != 0,
	};

	if (a->id != NULL)
		memcpy(done.id, a->id, ID_LEN);
	node_op_end(op, &done);
}

int
node_ping(struct node *n, const struct addr *to, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);
	struct dht_call c = {.to = *to, .internal = true, .command = RPC_PING};

	if (op == NULL)
		return err;
	err = dht_call(n->dht, &c,
	    (struct dht_done){.call = on_pong, .owner = op}, &op->request);
	return finish_start(op, err, number);
}

static void
on_netcheck_done(void *owner, const struct netcheck_result *r)
{
	static const struct node_event done = {.err = 0};
	struct node_op *op = owner;

	op->netcheck = NULL;
	op->node->netcheck = *r;
	op->watching = op->measures &&
		       punch_measure_lifetime(op->node->punch, &op->watch) == 0;
	if (!op->watching)
		node_op_end(op, &done);
}

static void
on_lifetime_result(void *owner, const struct lifetime_result *r)
{
	static const struct node_event done = {.err = 0};
	struct node_op *op = owner;
	struct node_event ev = {
	    .kind = NODE_EV_SILENCE,
	    .op = op->number,
	    .outlived_s = r->at_least_s,
	    .next_s = r->next_s,
	};

	if (r->next_s > 0) {
		if (!event_queue_push(&op->node->events, &ev))
			op->lost++;
		return;
	}
	op->watching = false;
	node_op_end(op, &done);
}

int
node_netcheck(struct node *n, bool lifetime, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);
	struct netcheck_done done = {.call = on_netcheck_done, .owner = op};

	if (op == NULL)
		return err;
	op->measures = lifetime;
	op->watch.sink = (struct lifetime_listener){on_lifetime_result, op};
	op->netcheck = netcheck_start(n->punch, done, &err);
	return finish_start(op, err, number);
}

int
node_find_node(struct node *n, const uint8_t *target, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_find_node(
	    n->dht, target, make_sink(op), &op->client);
	return finish_start(op, err, number);
}

int
node_find(struct node *n, enum records_command command, const uint8_t *key,
    uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_find(
	    n->dht, command, key, make_sink(op), &op->client);
	if (err == 0)
		own_records_find(op, command, key);
	return finish_start(op, err, number);
}

int
node_put_immutable(
    struct node *n, const void *value, size_t len, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	if (op->alone) {
		err = own_records_put_immutable(
		    op, (struct bytes){value, len}, number);
		return finish_alone(op, err);
	}
	err = records_client_put_immutable(n->dht,
	    (struct bytes){.p = value, .len = len}, make_sink(op), &op->client);
	return finish_start(op, err, number);
}

int
node_get_immutable(struct node *n, const uint8_t *hash, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	if (own_records_immutable(op, hash, number))
		return 0;
	err = records_client_get_immutable(
	    n->dht, hash, make_sink(op), &op->client);
	return finish_start(op, err, number);
}

int
node_put_mutable(struct node *n, const struct key_pair *keys, uint64_t seq,
    const void *value, size_t len, uint32_t *number)
{
	const struct key_pair *own = keys != NULL ? keys : n->config.identity;
	struct bytes bytes = {.p = value, .len = len};
	struct records_seq wanted = {.value = seq};
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	if (seq == NODE_SEQ_NEXT)
		wanted = own_records_next_seq(n, own->public_key);
	if (op->alone) {
		err = own_records_put_mutable(
		    op, own, wanted.value, bytes, number);
		return finish_alone(op, err);
	}
	err = records_client_put_mutable(
	    n->dht, own, wanted, bytes, make_sink(op), &op->client);
	return finish_start(op, err, number);
}

int
node_get_mutable(
    struct node *n, const uint8_t *key, uint64_t seq, uint32_t *number)
{
	int err;
	struct node_op *op = node_op_new(n, &err);

	if (op == NULL)
		return err;
	err = records_client_get_mutable(
	    n->dht, key, seq, make_sink(op), &op->client);
	if (err == 0)
		own_records_mutable(op, key, seq);
	return finish_start(op, err, number);
}

void
node_cancel(struct node *n, uint32_t number)
{
	static const struct node_event cancelled = {.err = ERR_CANCELLED};
	struct node_op *op;

	HASH_FIND_BYHASHVALUE(
	    hh, n->ops.by_number, &number, sizeof number, number, op);
	if (op == NULL)
		return;
	if (op->client != NULL) {
		records_client_cancel(op->client);
	} else if (op->request != NULL) {
		dht_cancel(n->dht, op->request);
	} else if (op->netcheck != NULL || op->watching) {
		node_op_end(op, &cancelled);
	} else {
		/* The topic stays announced: only the operation ends. */
		op->announcement->op = NULL;
		node_op_end(op, &cancelled);
	}
}
